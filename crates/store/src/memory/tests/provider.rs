//! The voice provider's own book of calls: which of them somebody can talk in, and when each was over.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use talktime_usage::{CallId, SessionId, Timestamp};

use super::checker::User;
use super::{Checked, ensure};
use crate::Environment;
use crate::memory::Simulation;

/// The longest that the provider takes for an answer, in milliseconds.
const ANSWERED_MILLIS_MAX: u64 = 8_000;
const HUNG_UP_MILLIS_MAX: u64 = 300;

#[derive(Clone, Debug)]
pub struct Booked {
    pub user: usize,
    pub session: SessionId,
    /// Whether its browser was given the answer. Before, nobody can talk.
    pub talks: bool,
    /// Whether it was told that the store keeps it until it is over.
    pub is_kept: bool,
    pub over_at: Option<Timestamp>,
    /// Whether it was asked how long it went on after its session.
    pub is_judged: bool,
}

pub struct Provider {
    simulation: &'static Simulation,
    /// How many requests of a thousand fail.
    pub per_mille: Cell<u64>,
    pub calls: RefCell<BTreeMap<CallId, Booked>>,
}

impl Provider {
    pub fn new(simulation: &'static Simulation) -> Self {
        Self {
            simulation,
            per_mille: Cell::new(0),
            calls: RefCell::default(),
        }
    }

    async fn way(&self, most: u64) -> bool {
        let chance = &self.simulation.chance;
        let millis = chance.between(0, *chance.pick(&[10, most]));
        self.simulation.wait(Duration::from_millis(millis)).await;
        chance.per_mille(self.per_mille.get())
    }

    /// Answers the offer of a call; `None` where it fails, whether there is a call then or not.
    pub async fn answer(&self, user: usize, session: SessionId) -> Option<CallId> {
        let fails = self.way(ANSWERED_MILLIS_MAX).await;
        let id = {
            let mut calls = self.calls.borrow_mut();
            let id = CallId::parse(&format!("call-{}", calls.len())).expect("an id");
            let booked = Booked {
                user,
                session,
                talks: false,
                is_kept: false,
                over_at: None,
                is_judged: false,
            };
            calls.insert(id.clone(), booked);
            id
        };
        self.simulation.note(|| format!("  {id} is answered"));
        (!fails).then_some(id)
    }

    /// Hangs up, and tells whether that is sure.
    pub async fn hang_up(&self, id: &CallId) -> bool {
        let fails = self.way(HUNG_UP_MILLIS_MAX).await;
        if !fails || self.simulation.chance.percent(50) {
            let now = self.simulation.now();
            if let Some(call) = self.calls.borrow_mut().get_mut(id) {
                call.over_at.get_or_insert(now);
            }
            self.simulation.note(|| format!("  {id} is over"));
        }
        !fails
    }

    /// The call's browser is given the answer.
    pub fn connect(&self, id: &CallId) -> Checked {
        let mut calls = self.calls.borrow_mut();
        let user = calls[id].user;
        let is_open = |call: &&Booked| call.talks && call.user == user && call.over_at.is_none();
        if calls[id].over_at.is_none()
            && let Some(other) = calls.values().find(is_open)
        {
            return Err(format!("{id} is open, and so is {other:?}"));
        }
        if let Some(call) = calls.get_mut(id) {
            call.talks = true;
            call.is_kept = true;
        }
        Ok(())
    }

    /// What was refused is kept until it is over.
    pub fn keep(&self, id: &CallId) {
        if let Some(call) = self.calls.borrow_mut().get_mut(id) {
            call.is_kept = true;
        }
    }

    pub fn is_over(&self, id: &CallId) -> bool {
        let calls = self.calls.borrow();
        calls.get(id).is_none_or(|call| call.over_at.is_some())
    }

    pub fn session_of(&self, id: &CallId) -> Option<SessionId> {
        self.calls.borrow().get(id).map(|call| call.session)
    }

    /// What goes on is in the state of its user, as far as the store was told of it.
    pub fn check_kept(&self, users: &[User]) -> Checked {
        for (id, call) in &*self.calls.borrow() {
            let is_open = call.is_kept && call.over_at.is_none();
            ensure!(
                !is_open || users[call.user].calls.contains(id),
                "{id} goes on and is forgotten: {call:?}"
            );
        }
        Ok(())
    }

    /// In the end none goes on that anybody was told of.
    pub fn all_are_over(&self) -> Checked {
        let calls = self.calls.borrow();
        let open = calls
            .iter()
            .find(|(_, call)| call.is_kept && call.over_at.is_none());
        ensure!(open.is_none(), "a call goes on for ever: {open:?}");
        Ok(())
    }
}

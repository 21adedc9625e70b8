//! What goes wrong with calls to a store.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::Duration;

use super::simulation::Simulation;
use crate::environment::Environment;
use crate::error::StoreError;

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails, and is not done.
    NotDone,
    /// It fails, and was done.
    DoneAndFailed,
    /// It fails, and is done so much later: it was on its way.
    LandsLate(Duration),
    /// It takes so long.
    Stalls(Duration),
    /// It waits for somebody's lock, and fails.
    Locked,
    /// The caller crashes before it is done.
    CrashBefore,
    /// The caller crashes once it is done.
    CrashAfter,
    /// Another writer's swap comes before it. Not drawn: other writers are tasks of their own.
    Raced,
}

/// The faults of a store.
#[derive(Debug, Default)]
pub struct Faults {
    /// What goes wrong with the next calls that change something, before anything is drawn.
    pub script: RefCell<VecDeque<Fault>>,
    /// How many calls of a thousand go wrong.
    pub per_mille: Cell<u64>,
    /// How many went wrong by chance.
    pub happened: Cell<u32>,
}

/// How long calls of a kind can take.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// How long one waits for a lock before it gives up.
    pub(super) locked: Duration,
    /// The most that one is held up, or lands late.
    pub(super) held_up_max: Duration,
    pub(super) changes: bool,
    /// Whether one that failed may be done later: it was on its way through a network.
    pub(super) lands_late: bool,
}

/// Whether, and when, a call does what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Now,
    Never,
    /// At that time of [`Environment::elapsed`].
    At(Duration),
}

/// What becomes of a call.
pub(super) struct Fate {
    pub(super) effect: Effect,
    pub(super) fault: Option<Fault>,
}

impl Faults {
    /// Takes the time of the way there, and says what becomes of the call.
    pub(super) async fn fate(
        &self,
        simulation: &Simulation,
        limits: Limits,
        call: impl FnOnce() -> String,
    ) -> Fate {
        let scripted = limits
            .changes
            .then(|| self.script.borrow_mut().pop_front())
            .flatten();
        let fault = scripted.or_else(|| self.drawn(simulation, limits));
        simulation.note(|| match fault {
            None => call(),
            Some(fault) => format!("{}: {fault:?}", call()),
        });
        let way = simulation.latency();
        simulation.wait(way).await;
        let effect = match fault {
            None | Some(Fault::DoneAndFailed | Fault::CrashAfter | Fault::Raced) => Effect::Now,
            Some(Fault::NotDone | Fault::CrashBefore) => Effect::Never,
            Some(Fault::LandsLate(span)) => Effect::At(simulation.elapsed() + span),
            Some(Fault::Stalls(span)) => {
                // The way there is a part of it.
                simulation.wait(span.saturating_sub(way)).await;
                Effect::Now
            }
            Some(Fault::Locked) => {
                simulation.wait(limits.locked).await;
                Effect::Never
            }
        };
        Fate { effect, fault }
    }

    fn drawn(&self, simulation: &Simulation, limits: Limits) -> Option<Fault> {
        let chance = &simulation.chance;
        let per_mille = self.per_mille.get();
        if per_mille == 0 || !chance.per_mille(per_mille) {
            return None;
        }
        self.happened.set(self.happened.get() + 1);
        let most = u64::try_from(limits.held_up_max.as_millis()).unwrap_or(u64::MAX);
        let span = Duration::from_millis(chance.between(1, most));
        Some(match chance.below(7) {
            0 => Fault::NotDone,
            1 => Fault::DoneAndFailed,
            2 if limits.lands_late => Fault::LandsLate(span),
            2 | 3 => Fault::Stalls(span),
            4 => Fault::Locked,
            5 => Fault::CrashBefore,
            _ => Fault::CrashAfter,
        })
    }
}

impl Fate {
    /// Takes the time of the way back, and gives the answer that the caller gets, if any.
    pub(super) async fn answer<T>(
        self,
        simulation: &Simulation,
        done: Option<Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        simulation.wait(simulation.latency()).await;
        match (self.fault, done) {
            (Some(Fault::CrashBefore | Fault::CrashAfter), _) => simulation.crash().await,
            (Some(Fault::Locked), _) => Err(StoreError::Busy("database is locked".to_owned())),
            (None | Some(Fault::Stalls(_) | Fault::Raced), Some(done)) => done,
            _ => Err(StoreError::Unavailable("connection lost".to_owned())),
        }
    }
}

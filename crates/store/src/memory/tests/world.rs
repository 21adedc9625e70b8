//! Two users, their stores and the time.

use std::collections::BTreeMap;
use std::time::Duration;

use talktime_usage::{Period, Policy, Timestamp, UserId};

use super::checker::User;
use super::workload::Workload;
use super::{Checked, ensure, ledger};
use crate::memory::{Behaviour, FaultySql, MemoryDocuments, MemorySql, Simulation};
use crate::sqlite::SqlLedger;
use crate::testing::{simulation, user};
use crate::users::Users;
use crate::{DocumentKey, Environment};

/// The most that a healthy call takes on its way there, and back, in milliseconds.
const LATENCY_MILLIS_MAX: u64 = 3;

/// More sweeps than it takes until nothing is due.
const SWEEPS_MAX: u32 = 2_000;

/// Who is there.
const NAMES: [&[&str]; 2] = [&["ann"], &["ann", "bob"]];

pub struct World {
    pub simulation: &'static Simulation,
    pub documents: MemoryDocuments,
    pub ledger: SqlLedger<FaultySql<MemorySql>>,
    pub policy: Policy,
    pub users: Vec<User>,
    pub workload: Workload,
    /// What the ledger has said that is never to be undone.
    pub said: BTreeMap<String, i64>,
    /// When something last went wrong that others may feel, by the clock that nobody sets.
    pub troubled: Option<Duration>,
}

impl World {
    pub fn new(seed: u64, behaviour: Behaviour) -> Self {
        let simulation = simulation("2026-11-10T12:00:00Z", seed);
        let chance = &simulation.chance;
        simulation.latency_millis_max.set(LATENCY_MILLIS_MAX);
        let policy = Policy {
            alarm_interval: Duration::from_secs(*chance.pick(&[30, 30, 60, 10])),
            ..Policy::default()
        };
        let names = *chance.pick(&NAMES);
        let users = names
            .iter()
            .map(|name| User::new(user(name), policy.clone()));
        Self {
            simulation,
            documents: MemoryDocuments::new(simulation, behaviour),
            ledger: SqlLedger::new(FaultySql::new(MemorySql::default(), simulation), simulation),
            users: users.collect(),
            policy,
            workload: Workload::default(),
            said: BTreeMap::new(),
            troubled: None,
        }
    }

    pub fn protocol(&self) -> Users<'_, MemoryDocuments, SqlLedger<FaultySql<MemorySql>>> {
        Users::new(&self.documents, &self.ledger, &self.policy, self.simulation)
    }

    /// So many rounds, then quiet.
    pub fn play(&mut self, rounds: u32) -> Checked {
        for _ in 0..rounds {
            let wait = self.pause();
            self.simulation.advance(wait);
            self.round()?;
        }
        self.drain()?;
        for user in &self.users {
            ensure!(
                user.running.is_none(),
                "a session of {} goes on for ever",
                user.id
            );
            ledger::books_balance(self, user)?;
        }
        Ok(())
    }

    /// How long it is until the next round: mostly within a session, at times over the end of a period.
    fn pause(&self) -> Duration {
        let chance = &self.simulation.chance;
        let month = Period::calendar_month(self.simulation.now());
        let until_month = month.end().since(self.simulation.now());
        let until_alarm = ledger::next_alarm(self).map_or(Duration::ZERO, |at| {
            Timestamp::from_unix_seconds(at).since(self.simulation.now())
        });
        match chance.below(100) {
            0..25 => Duration::ZERO,
            25..45 => Duration::from_millis(chance.between(1, 40_000)),
            45..75 => until_alarm.min(Duration::from_hours(48)),
            75..84 => Duration::from_millis(chance.between(1_000, 600_000)),
            84..90 => Duration::from_secs(chance.between(600, 86_400)),
            90..96 => until_month.saturating_sub(Duration::from_millis(chance.below(2_000))),
            _ => Duration::from_secs(86_400 * chance.between(1, 40)),
        }
    }

    /// Sweeps, with nothing that goes wrong, until no alarm is left.
    fn drain(&mut self) -> Checked {
        self.simulation
            .note(|| "sweeps until nothing is due".to_owned());
        for _ in 0..SWEEPS_MAX {
            let Some(next) = ledger::next_alarm(self) else {
                return Ok(());
            };
            let wait = Timestamp::from_unix_seconds(next).since(self.simulation.now());
            self.simulation.advance(wait);
            self.sweep_quietly()?;
        }
        Err(format!("alarms are left after {SWEEPS_MAX} sweeps"))
    }

    /// Takes in all that was stored since the last time, in its order.
    pub fn observe(&mut self) -> Checked {
        for (key, document) in self.documents.stored.take() {
            let DocumentKey::User(id) = key else { continue };
            let state = crate::users::parse(&document).map_err(|error| error.to_string())?;
            self.user(&id).observe(&state)?;
        }
        for user in &self.users {
            ledger::check(self, user)?;
        }
        ledger::undoes_nothing(self)
    }

    fn user(&mut self, id: &UserId) -> &mut User {
        let user = self.users.iter_mut().find(|user| user.id == *id);
        user.expect("one of them")
    }

    pub fn now_seconds(&self) -> i64 {
        self.simulation.now().unix_seconds()
    }

    /// The rows of a query, none before there are tables.
    pub fn rows(&self, sql: &str) -> Vec<String> {
        self.ledger.sql.inner.rows(sql).unwrap_or_default()
    }
}

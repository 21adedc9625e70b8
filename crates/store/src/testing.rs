//! What the tests of this crate run on, beside [`memory`](crate::memory).

use std::time::Duration;

use talktime_usage::{Policy, State, Timestamp, UserId};

use crate::memory::{Behaviour, MemoryDocuments, MemorySql, Simulation};
use crate::sqlite::SqlLedger;
use crate::users::Users;

impl Simulation {
    pub(crate) fn seconds(&self, seconds: u64) {
        self.advance(Duration::from_secs(seconds));
    }
}

impl MemoryDocuments {
    pub(crate) fn state(&self, user: &UserId) -> Option<State> {
        let documents = self.documents.borrow();
        let document = documents.get(&user.into())?;
        Some(State::parse(document).expect("a state"))
    }
}

/// All of it together.
pub struct Stage {
    pub time: &'static Simulation,
    pub documents: MemoryDocuments,
    pub ledger: SqlLedger<MemorySql>,
    pub policy: Policy,
}

impl Stage {
    pub fn new() -> Self {
        let time = simulation("2026-11-10T12:00:00Z", 1);
        Self {
            time,
            documents: MemoryDocuments::new(time, Behaviour::Sqlite),
            ledger: SqlLedger::new(MemorySql::default(), time),
            policy: Policy::default(),
        }
    }

    pub fn users(&self) -> Users<'_, MemoryDocuments, SqlLedger<MemorySql>> {
        Users {
            documents: &self.documents,
            ledger: &self.ledger,
            policy: &self.policy,
            environment: self.time,
        }
    }

    /// The rows of a query, each value as text and joined with `|`.
    pub fn rows(&self, sql: &str) -> Vec<String> {
        self.ledger.sql.rows(sql).expect("valid SQL")
    }

    /// Runs statements on the ledger, as somebody else would.
    pub fn sql(&self, sql: &str) {
        self.ledger
            .sql
            .connection
            .execute_batch(sql)
            .expect("valid SQL");
    }
}

/// One that begins at that time. What runs in it borrows it for good.
pub fn simulation(at: &str, seed: u64) -> &'static Simulation {
    let start = Timestamp::parse_rfc3339(at).expect("a time");
    Box::leak(Box::new(Simulation::new(start, seed)))
}

pub fn user(name: &str) -> UserId {
    UserId::parse(name).expect("an id")
}

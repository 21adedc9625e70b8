//! The second of the two interfaces: the SQL tables that billing and operators read.

use std::time::Duration;

use talktime_usage::Alarm;
use talktime_usage::{LedgerFacts, LedgerWrite, SessionId, State, Timestamp, UserId, WriteId};

use crate::error::StoreError;
use crate::sweep_clock::SweepClock;

/// How long the creator of a user has before another may take over.
pub const SEEDING_LEASE: Duration = Duration::from_secs(10);

/// How long a sweep may take for the users that it claimed at once.
pub const SWEEP_LEASE: Duration = Duration::from_secs(30);

/// An alarm that a sweep has claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueAlarm {
    pub user: UserId,
    /// The mark of whoever set it: if it is another by the time that the sweep is done, a newer alarm was set.
    pub token: Option<String>,
    /// How many sweeps of it failed in a row.
    pub failures: u32,
}

/// Alarms that a sweep has claimed at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claimed {
    pub alarms: Vec<DueAlarm>,
    /// Until when nobody else claims them.
    pub until: Option<Timestamp>,
    /// Rows of `users` whose id is none. They are put off, for an operator to look at.
    pub unreadable: u64,
}

/// How the ledger took rows that it was to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It has them, or rows that say the same or more of the same state.
    Rows,
    /// It was told of a newer state than the one that these rows are of: the document was put back in time.
    NewerKnown,
    /// It was not told: whoever has no ledger leaves them in the outbox, for the sweep.
    Later,
}

/// What precedes the mark of a sweep, as opposed to that of a write.
pub(crate) const SWEPT: &str = "swept:";

impl DueAlarm {
    /// The token that a sweep leaves. Each has its own, so that one whose lease has run out cannot undo a later one.
    pub(crate) fn token_of_sweep(sweep: &WriteId) -> String {
        format!("{SWEPT}{}", sweep.as_str())
    }

    /// Whether the write that the alarm was set for is not in the state: it is set before the state is changed.
    pub(crate) fn is_ahead_of(&self, state: Option<&State>) -> bool {
        let Some(token) = self
            .token
            .as_deref()
            .filter(|token| !token.starts_with(SWEPT))
        else {
            return false;
        };
        let is_made = |write| state.is_some_and(|state| state.has_write(&write));
        !WriteId::parse(token).is_ok_and(is_made)
    }
}

/// The second of the two interfaces: rows for billing and operators, alarms, and who creates a user. Every method can be
/// repeated, and fails when the ledger cannot be reached.
pub trait Ledger {
    /// Asks to be the one who creates the user's document, and sets the alarm for this write. Exactly one creator is told
    /// until when it holds the lease of `SEEDING_LEASE`, again when it asks again; the others get `None` until that is
    /// over.
    fn claim_creation(
        &self,
        user: &UserId,
        creator: &str,
        write: &str,
        now: Timestamp,
        alarm_at: Timestamp,
    ) -> impl Future<Output = Result<Option<Timestamp>, StoreError>>;

    /// Whether nobody has asked to create the user since this caller did.
    fn is_creator(
        &self,
        user: &UserId,
        creator: &str,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>>;

    /// What is known of a user, and of this session of his among others; `None` of one never heard of.
    fn facts(
        &self,
        user: &UserId,
        session: Option<SessionId>,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<LedgerFacts>, StoreError>>;

    /// Makes the user's alarm fire at `at` or earlier.
    fn set_alarm(
        &self,
        user: &UserId,
        token: &str,
        now: Timestamp,
        at: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>>;

    /// Inserts rows or brings them up to date, each by one statement that an older row cannot undo. A row that cannot be
    /// written does not keep those after it from being written.
    fn write(
        &self,
        user: &UserId,
        rows: &[LedgerWrite],
        now: Timestamp,
    ) -> impl Future<Output = Result<Written, StoreError>>;

    /// Claims up to `most` alarms that are due, for `SWEEP_LEASE`: first those that somebody waits for.
    fn claim_due(
        &self,
        now: Timestamp,
        most: u32,
    ) -> impl Future<Output = Result<Claimed, StoreError>>;

    /// Gives back alarms that were claimed until then and not looked at.
    fn hand_back(
        &self,
        alarms: &[DueAlarm],
        until: Timestamp,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>>;

    /// Ends a claim: the alarm is set to `next` with the mark of the sweep, unless a newer one was set meanwhile.
    fn finish_alarm(
        &self,
        alarm: &DueAlarm,
        sweep: &WriteId,
        next: Option<Alarm>,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>>;

    /// Ends a claim whose work failed: the alarm is tried again at `next`, and the failure counted.
    fn retry_alarm(
        &self,
        alarm: &DueAlarm,
        next: Timestamp,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>>;

    /// How many alarms are due, claimed ones included.
    fn count_due(&self, now: Timestamp) -> impl Future<Output = Result<u64, StoreError>>;

    /// What sweeps know of the time; `None` before the first.
    fn sweep_clock(
        &self,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<SweepClock>, StoreError>>;

    /// Keeps what this sweep knows of the time.
    fn set_sweep_clock(
        &self,
        clock: SweepClock,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>>;

    /// Deletes up to `most` rows of each kind that were final before `before`, and says how many went.
    fn prune(
        &self,
        before: Timestamp,
        most: u32,
        now: Timestamp,
    ) -> impl Future<Output = Result<u64, StoreError>>;
}

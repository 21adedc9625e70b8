//! The second of the two interfaces: the SQL tables that billing and operators read.

use std::time::Duration;

use talktime_usage::{Instant, LedgerWrite, State, UserId, WriteId};

use crate::error::StoreError;

/// How long the creator of a user has before another may take over.
pub const SEEDING_LEASE: Duration = Duration::from_secs(10);

/// How long a sweep may take for the users that it claimed at once.
pub const SWEEP_LEASE: Duration = Duration::from_secs(30);

/// An alarm that a sweep has claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueAlarm {
    /// Whose.
    pub user: UserId,
    /// The mark of whoever set it: if it is another by the time that the sweep is done, a newer alarm was set.
    pub token: String,
    /// How many sweeps of it failed in a row.
    pub failures: u32,
}

/// What precedes the mark of a sweep, as opposed to that of a write.
const SWEPT: &str = "swept:";

impl DueAlarm {
    /// The token that a sweep leaves. Each has its own, so that one whose lease has run out cannot undo a later one.
    pub(crate) fn token_of_sweep(sweep: &WriteId) -> String {
        format!("{SWEPT}{}", sweep.as_str())
    }

    /// Whether the write that the alarm was set for is not in the state: it is set before the state is changed.
    pub(crate) fn is_ahead_of(&self, state: Option<&State>) -> bool {
        let is_made = |write| state.is_some_and(|state| state.has_write(&write));
        !self.token.starts_with(SWEPT) && !WriteId::parse(&self.token).is_ok_and(is_made)
    }
}

/// The ledger.
pub trait Ledger {
    /// Asks to be the one who creates the user's document, and sets the alarm. Exactly one caller is told until when it
    /// holds the lease of [`SEEDING_LEASE`]; the others get `None` until that is over.
    fn claim_creation(
        &self,
        user: &UserId,
        token: &str,
        now: Instant,
        alarm_at: Instant,
    ) -> impl Future<Output = Result<Option<Instant>, StoreError>>;

    /// Makes the user's alarm fire at `at` or earlier.
    fn set_alarm(
        &self,
        user: &UserId,
        token: &str,
        now: Instant,
        at: Instant,
    ) -> impl Future<Output = Result<(), StoreError>>;

    /// Inserts rows or brings them up to date, each by one statement that an older row cannot undo.
    fn write(
        &self,
        user: &UserId,
        rows: &[LedgerWrite],
        now: Instant,
    ) -> impl Future<Output = Result<(), StoreError>>;

    /// Claims up to `most` alarms that are due, for [`SWEEP_LEASE`].
    fn claim_due(
        &self,
        now: Instant,
        most: u32,
    ) -> impl Future<Output = Result<Vec<DueAlarm>, StoreError>>;

    /// Ends a claim: the alarm is set to `next` with the mark of the sweep, unless a newer one was set meanwhile.
    fn finish_alarm(
        &self,
        alarm: &DueAlarm,
        sweep: &WriteId,
        next: Option<Instant>,
    ) -> impl Future<Output = Result<(), StoreError>>;

    /// Ends a claim whose work failed: the alarm is tried again at `next`, and the failure counted.
    fn retry_alarm(
        &self,
        alarm: &DueAlarm,
        next: Instant,
    ) -> impl Future<Output = Result<(), StoreError>>;

    /// How many alarms are due, claimed ones included.
    fn count_due(&self, now: Instant) -> impl Future<Output = Result<u64, StoreError>>;
}

/// The ledger of a component that is granted none. It serves commands that give the ledger nothing to hear of, such as a
/// mint: to be told of no rows is fine, anything else is an error, so that a wrong use is seen and loses nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoLedger;

impl NoLedger {
    fn refuse<T>() -> Result<T, StoreError> {
        Err(StoreError::Unavailable(
            "this component is granted no ledger".to_owned(),
        ))
    }
}

impl Ledger for NoLedger {
    async fn claim_creation(
        &self,
        _: &UserId,
        _: &str,
        _: Instant,
        _: Instant,
    ) -> Result<Option<Instant>, StoreError> {
        Self::refuse()
    }

    async fn set_alarm(
        &self,
        _: &UserId,
        _: &str,
        _: Instant,
        _: Instant,
    ) -> Result<(), StoreError> {
        Self::refuse()
    }

    async fn write(&self, _: &UserId, rows: &[LedgerWrite], _: Instant) -> Result<(), StoreError> {
        if rows.is_empty() {
            Ok(())
        } else {
            Self::refuse()
        }
    }

    async fn claim_due(&self, _: Instant, _: u32) -> Result<Vec<DueAlarm>, StoreError> {
        Self::refuse()
    }

    async fn finish_alarm(
        &self,
        _: &DueAlarm,
        _: &WriteId,
        _: Option<Instant>,
    ) -> Result<(), StoreError> {
        Self::refuse()
    }

    async fn retry_alarm(&self, _: &DueAlarm, _: Instant) -> Result<(), StoreError> {
        Self::refuse()
    }

    async fn count_due(&self, _: Instant) -> Result<u64, StoreError> {
        Self::refuse()
    }
}

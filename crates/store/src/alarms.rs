//! What sweeps ask of the ledger: which users' alarms are due, rows of many users at once, and what sweeps know of the time.

use std::time::Duration;

use talktime_usage::Alarm;
use talktime_usage::{LedgerWrite, State, Timestamp, UserId, WriteId};

use crate::error::StoreError;
use crate::ledger::{Ledger, Written};
use crate::sweep_clock::SweepClock;

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

/// Rows that the ledger is to be told of a user.
#[derive(Clone, Copy, Debug)]
pub struct UserRows<'a> {
    pub user: &'a UserId,
    pub rows: &'a [LedgerWrite],
}

/// A claimed alarm whose work is done.
#[derive(Clone, Debug)]
pub struct FinishedAlarm {
    pub alarm: DueAlarm,
    /// Who saw to it.
    pub sweep: WriteId,
    /// When the user is to be seen to again.
    pub next: Option<Alarm>,
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

/// The ledger as a sweep sees it. Every method can be repeated, and fails when the ledger cannot be reached.
pub trait Alarms: Ledger {
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

    /// [`Ledger::write`] for several users, with one outcome for each, in their order.
    fn write_all(
        &self,
        told: &[UserRows<'_>],
        now: Timestamp,
    ) -> impl Future<Output = Vec<Result<Written, StoreError>>>;

    /// Ends claims: each alarm is set to its `next` with the mark of its sweep, unless a newer one was set meanwhile.
    fn finish_alarms(
        &self,
        finished: &[FinishedAlarm],
        now: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>>;

    /// Ends claims whose work failed: each alarm is tried again at that instant, and the failure counted.
    fn retry_alarms(
        &self,
        failed: &[(DueAlarm, Timestamp)],
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

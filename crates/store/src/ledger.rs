//! The second of the two interfaces: the SQL tables that billing and operators read.

use std::time::Duration;

use talktime_usage::{LedgerFacts, LedgerWrite, SessionId, Timestamp, UserId};

use crate::error::StoreError;

/// How long the creator of a user has before another may take over.
pub const SEEDING_LEASE: Duration = Duration::from_secs(10);

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

    /// Inserts rows or brings them up to date; an older row undoes nothing. A row that cannot be written does not keep the
    /// others from being written.
    fn write(
        &self,
        user: &UserId,
        rows: &[LedgerWrite],
        now: Timestamp,
    ) -> impl Future<Output = Result<Written, StoreError>>;
}

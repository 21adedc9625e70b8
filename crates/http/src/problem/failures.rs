//! Refusals of the domain and failures of the stores, as the problems that callers see.

use talktime_store::{ApplyError, StoreError, SweepError};
use talktime_usage::Refusal;
use talktime_wire::problem::Code;

use crate::problem::Problem;

/// How long a caller is asked to wait when a store is overloaded, in seconds.
const BUSY_RETRY_SECONDS: u32 = 1;

/// How long a caller is asked to wait when a store cannot be reached, in seconds.
const UNAVAILABLE_RETRY_SECONDS: u32 = 5;

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoCredits => Self::no_credits(),
            Refusal::SessionActive(id) => Self::session_active(id),
            Refusal::SessionNotFound => Self::session_not_found(),
            Refusal::NoActiveSession => Self::no_active_session(),
            Refusal::TooManyMints { retry_after } => {
                Self::rate_limited(u32::try_from(retry_after.get()).unwrap_or(u32::MAX))
            }
            Refusal::KeyReused => Self::new(Code::IdempotencyKeyReused, refusal.to_string()),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let seconds = match &error {
            StoreError::Busy(_) => BUSY_RETRY_SECONDS,
            StoreError::Unavailable(_) => UNAVAILABLE_RETRY_SECONDS,
            // Trying again reads the same bytes again.
            StoreError::Unreadable(_) => return Self::internal(error),
        };
        Self::busy(seconds).internal_message(error)
    }
}

impl From<ApplyError> for Problem {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Refused(refusal) => refusal.into(),
            ApplyError::Store(error) => error.into(),
        }
    }
}

impl From<SweepError> for Problem {
    fn from(error: SweepError) -> Self {
        match error {
            SweepError::ClockSuspect {
                clock,
                newest,
                believed_at,
            } => Self::new(
                Code::ClockSuspect,
                "The clock is far ahead of the last sweep; if it is right, send {\"force\": true}",
            )
            .member("clock", clock.to_rfc3339())
            .member("newest", newest.to_rfc3339())
            .member("believedAt", believed_at.to_rfc3339())
            .internal_message(error),
            SweepError::Store(error) => error.into(),
        }
    }
}

//! Refusals of the domain and failures of the stores, as the problems that callers see.

use talktime_store::{ApplyError, StoreError};
use talktime_usage::Refusal;

use crate::problem::{Code, Problem};

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

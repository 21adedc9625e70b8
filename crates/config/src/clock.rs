//! The clock of the host. Everything else takes the time as an argument.

use std::time::{SystemTime, UNIX_EPOCH};

use talktime_usage::Instant;

/// The time now, by the host's wall clock.
#[must_use]
pub fn now() -> Instant {
    // A clock before 1970 or after 9999 reads as the nearest time that an `Instant` has.
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Instant::from_unix_millis(0).plus(elapsed)
}

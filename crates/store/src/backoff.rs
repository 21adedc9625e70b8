//! The waits between tries: growing, jittered, and bounded in number.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use uuid::Uuid;

/// The waits of a writer that lost a race for a document: ten tries within about a second.
#[must_use]
pub fn contended() -> ExponentialBackoff {
    waits(Duration::from_millis(3), Duration::from_millis(200), 10)
}

/// The waits for the one who creates a user to have done it: longer than a healthy one takes, shorter than clients wait.
#[must_use]
pub fn creation() -> ExponentialBackoff {
    waits(Duration::from_millis(10), Duration::from_millis(400), 12)
}

/// The waits between tries of a locked or overloaded store.
#[must_use]
pub fn locked() -> ExponentialBackoff {
    waits(Duration::from_millis(10), Duration::from_millis(300), 5)
}

fn waits(first: Duration, longest: Duration, tries: usize) -> ExponentialBackoff {
    let (seed, _) = Uuid::new_v4().as_u64_pair();
    ExponentialBuilder::default()
        .with_min_delay(first)
        .with_max_delay(longest)
        .with_factor(1.7)
        .with_max_times(tries)
        .with_jitter()
        .with_jitter_seed(seed)
        .build()
}

//! The waits between tries: growing, jittered, and bounded in number.

use std::time::Duration;

use crate::environment::Environment;
use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// The waits of a writer that lost a race for a document: ten tries within about a second.
pub fn contended(environment: &dyn Environment) -> ExponentialBackoff {
    waits(
        environment,
        Duration::from_millis(3),
        Duration::from_millis(200),
        10,
    )
}

/// The waits for the one who creates a user to have done it: longer than a healthy one takes, shorter than clients wait.
pub fn creation(environment: &dyn Environment) -> ExponentialBackoff {
    waits(
        environment,
        Duration::from_millis(10),
        Duration::from_millis(400),
        12,
    )
}

/// The waits between tries of a locked or overloaded store.
pub fn locked(environment: &dyn Environment) -> ExponentialBackoff {
    waits(
        environment,
        Duration::from_millis(10),
        Duration::from_millis(300),
        5,
    )
}

fn waits(
    environment: &dyn Environment,
    first: Duration,
    longest: Duration,
    tries: usize,
) -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(first)
        .with_max_delay(longest)
        .with_factor(1.7)
        .with_max_times(tries)
        .with_jitter()
        .with_jitter_seed(environment.random())
        .build()
}

//! Work that has a bounded time.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use talktime_store::Environment;

/// What `work` gives, or `None` when it takes longer than `limit`.
pub async fn within<T>(
    limit: Duration,
    environment: &dyn Environment,
    work: impl Future<Output = T>,
) -> Option<T> {
    match select(pin!(work), pin!(passed(limit, environment))).await {
        Either::Left((outcome, _)) => Some(outcome),
        Either::Right(((), _)) => None,
    }
}

/// Waits until the work has had all of its time. A host's timer that fires early, such as that of a test whose clock
/// stands still, does not count: then the host's own limits are what bounds the work.
async fn passed(limit: Duration, environment: &dyn Environment) {
    let start = environment.elapsed();
    environment.wait(limit).await;
    if environment.elapsed().saturating_sub(start) < limit {
        std::future::pending::<()>().await;
    }
}

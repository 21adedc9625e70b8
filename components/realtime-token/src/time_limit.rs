//! Work that has a bounded time.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use spin_sdk::wasip3::clocks::monotonic_clock;

/// What `work` gives, or `None` when it takes longer than `limit`.
pub async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    match select(pin!(work), pin!(passed(limit))).await {
        Either::Left((outcome, _)) => Some(outcome),
        Either::Right(((), _)) => None,
    }
}

/// Waits until the work has had all of its time. A host's timer that fires early, such as that of a test whose clock
/// stands still, does not count: then the host's own limits are what bounds the work.
async fn passed(limit: Duration) {
    let start = monotonic_clock::now();
    spin_sdk::time::sleep(limit).await;
    if u128::from(monotonic_clock::now().saturating_sub(start)) < limit.as_nanos() {
        std::future::pending::<()>().await;
    }
}

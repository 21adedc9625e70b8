//! Work that has a bounded time.

use std::pin::pin;
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};

/// What `work` gives, or `None` when `deadline` comes first. What is ready at once never waits for the deadline.
pub(crate) async fn before<T>(
    work: impl Future<Output = T>,
    deadline: impl Future<Output = ()>,
) -> Option<T> {
    match select(pin!(work), pin!(deadline)).await {
        Either::Left((outcome, _)) => Some(outcome),
        Either::Right(((), _)) => None,
    }
}

/// Comes after that time. A host's timer that fires early, such as that of a test whose clock stands still, does not
/// count.
pub(crate) async fn after(time: Duration) {
    let start = Instant::now();
    spin_sdk::time::sleep(time).await;
    if start.elapsed() < time {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;
    use std::future::{pending, ready};

    use super::*;

    #[test]
    fn whichever_is_first_decides() {
        assert_eq!(block_on(before(ready(1), pending())), Some(1));
        assert_eq!(block_on(before(ready(1), ready(()))), Some(1));
        assert_eq!(block_on(before(pending::<i32>(), ready(()))), None);
    }
}

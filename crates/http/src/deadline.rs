//! Work that has a bounded time.

use std::pin::pin;
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};

/// How many turns of the host work gets before a timer is set for it.
const TURNS_BEFORE_TIMER: usize = 2;

/// What `work` gives, or `None` when `deadline` comes first, and `grace` after it. What is ready at once never waits for the
/// deadline.
///
/// A host call that blocks stops the whole instance, and when it goes on, what has come meanwhile and the deadline are there
/// at the same time. The grace is for what has come.
pub(crate) async fn before<T>(
    work: impl Future<Output = T>,
    deadline: impl Future<Output = ()>,
    grace: impl Future<Output = ()>,
) -> Option<T> {
    let mut work = pin!(work);
    if let Either::Left((outcome, _)) = select(work.as_mut(), pin!(deadline)).await {
        return Some(outcome);
    }
    match select(work, pin!(grace)).await {
        Either::Left((outcome, _)) => Some(outcome),
        Either::Right(((), _)) => None,
    }
}

/// Comes after that time. A host's timer that fires early, such as that of a test whose clock stands still, does not
/// count.
pub(crate) async fn after(time: Duration) {
    // Nearly always the work is done by then, and needs no timer.
    for _ in 0..TURNS_BEFORE_TIMER {
        talktime_spin::next_turn().await;
    }
    let start = Instant::now();
    talktime_spin::sleep(time).await;
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
        let never = pending::<()>;
        assert_eq!(block_on(before(ready(1), never(), never())), Some(1));
        assert_eq!(block_on(before(ready(1), ready(()), never())), Some(1));
        let at_last = before(pending::<i32>(), ready(()), ready(()));
        assert_eq!(block_on(at_last), None);
    }

    #[test]
    fn what_came_while_the_instance_stood_still_is_in_time() {
        let mut looked = 0;
        let late = std::future::poll_fn(|_| {
            looked += 1;
            if looked > 1 {
                std::task::Poll::Ready(7)
            } else {
                std::task::Poll::Pending
            }
        });
        assert_eq!(block_on(before(late, ready(()), pending())), Some(7));
    }
}

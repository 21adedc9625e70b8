//! Time as the shell needs it: what the clock says, how long something took, and waiting.

use std::pin::Pin;
use std::sync::OnceLock;
use std::time::Duration;

use talktime_usage::Instant;

/// The time. Tests have their own.
pub trait Time {
    /// The time by the wall clock, which operators and time servers set.
    fn now(&self) -> Instant;

    /// The time that has passed since some moment, by a clock that nobody sets.
    fn elapsed(&self) -> Duration;

    /// Waits.
    fn wait(&self, span: Duration) -> Pin<Box<dyn Future<Output = ()> + '_>>;
}

/// The host's clocks.
#[derive(Clone, Copy, Debug)]
pub struct HostTime;

impl Time for HostTime {
    fn now(&self) -> Instant {
        talktime_config::now()
    }

    fn elapsed(&self) -> Duration {
        static BEGIN: OnceLock<std::time::Instant> = OnceLock::new();
        BEGIN.get_or_init(std::time::Instant::now).elapsed()
    }

    fn wait(&self, span: Duration) -> Pin<Box<dyn Future<Output = ()> + '_>> {
        Box::pin(spin_sdk::time::sleep(span))
    }
}

/// Until when new tries are begun. What was begun is waited for, so an answer may come later than that.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Duration);

impl Deadline {
    /// So long from now on.
    #[must_use]
    pub fn after(span: Duration, time: &dyn Time) -> Self {
        Self(time.elapsed().saturating_add(span))
    }

    /// Whether it has come.
    #[must_use]
    pub fn is_over(self, time: &dyn Time) -> bool {
        time.elapsed() >= self.0
    }

    /// Waits for `span`, but not beyond the deadline. False once that has come: nothing is to be tried any more.
    pub async fn wait(self, span: Duration, time: &dyn Time) -> bool {
        let left = self.0.saturating_sub(time.elapsed());
        if span < left {
            time.wait(span).await;
        }
        span < left
    }
}

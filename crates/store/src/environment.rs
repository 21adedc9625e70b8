//! What surrounds the protocol: what the clock says, how long something took, waiting, chance.

use std::pin::Pin;
use std::time::Duration;

use talktime_usage::Timestamp;

/// Clocks and chance. Tests have their own.
pub trait Environment {
    /// The time by the wall clock, which operators and time servers set.
    fn now(&self) -> Timestamp;

    /// The time that has passed since some moment, by a clock that nobody sets.
    fn elapsed(&self) -> Duration;

    /// Comes back after that span, or a little later.
    fn wait(&self, span: Duration) -> Pin<Box<dyn Future<Output = ()> + '_>>;

    /// Bits that nobody can foresee and no other instance draws.
    fn random(&self) -> u64;
}

/// Until when new tries are begun. What was begun is waited for, so an answer may come later than that.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Duration);

impl Deadline {
    /// So long from now on.
    #[must_use]
    pub fn after(span: Duration, environment: &dyn Environment) -> Self {
        Self(environment.elapsed().saturating_add(span))
    }

    /// Whether it has come.
    pub fn is_over(self, environment: &dyn Environment) -> bool {
        environment.elapsed() >= self.0
    }

    /// Waits for `span`, but not beyond the deadline. False once that has come: nothing is to be tried any more.
    pub async fn wait(self, span: Duration, environment: &dyn Environment) -> bool {
        let left = self.0.saturating_sub(environment.elapsed());
        if span < left {
            environment.wait(span).await;
        }
        span < left
    }
}

//! The clocks that guests read: the machine's, or one that a test moves.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtxBuilder};

/// Which clock the guests read.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The machine's clocks; sleeps take their time.
    #[default]
    System,
    /// A test's clock; sleeps end at once and do not move it.
    Virtual(VirtualClock),
}

/// A clock that stands still until it is moved. Clones share the time.
#[derive(Clone, Debug)]
pub struct VirtualClock(Arc<Times>);

#[derive(Debug)]
struct Times {
    /// Milliseconds since 1970, UTC.
    wall_millis: AtomicI64,
    /// Nanoseconds since the clock was made; never steps back.
    monotonic_nanos: AtomicU64,
}

impl VirtualClock {
    /// A clock that stands at `unix_millis` (milliseconds since 1970, UTC).
    #[must_use]
    pub fn new(unix_millis: i64) -> Self {
        // Not zero, so that a guest that subtracts a little from "now" does not underflow.
        let monotonic_nanos = AtomicU64::new(1_000_000_000_000);
        Self(Arc::new(Times {
            wall_millis: AtomicI64::new(unix_millis),
            monotonic_nanos,
        }))
    }

    /// The time, in milliseconds since 1970, UTC.
    pub fn now_millis(&self) -> i64 {
        self.0.wall_millis.load(Ordering::SeqCst)
    }

    /// Sets the wall clock, also back: as an operator or a time server may. The monotonic clock only follows forward.
    pub fn set_millis(&self, unix_millis: i64) {
        let before = self.0.wall_millis.swap(unix_millis, Ordering::SeqCst);
        if let Ok(forward_millis) = u64::try_from(unix_millis.saturating_sub(before)) {
            self.0
                .monotonic_nanos
                .fetch_add(forward_millis.saturating_mul(1_000_000), Ordering::SeqCst);
        }
    }

    /// Moves both clocks forward. Only whole milliseconds count.
    pub fn advance(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.0
            .wall_millis
            .fetch_add(i64::try_from(millis).unwrap_or(i64::MAX), Ordering::SeqCst);
        self.0
            .monotonic_nanos
            .fetch_add(millis.saturating_mul(1_000_000), Ordering::SeqCst);
    }
}

impl Clock {
    /// Gives the clock to a guest, for WASI 0.2 and 0.3 alike.
    pub(crate) fn install(&self, wasi: &mut WasiCtxBuilder) {
        if let Self::Virtual(clock) = self {
            wasi.wall_clock(clock.clone());
            wasi.monotonic_clock(clock.clone());
        }
    }

    /// The seconds since 1970, UTC, that a cron trigger reports.
    pub(crate) fn unix_seconds(&self) -> u64 {
        match self {
            Self::System => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default()
                .as_secs(),
            Self::Virtual(clock) => u64::try_from(clock.now_millis() / 1000).unwrap_or_default(),
        }
    }
}

impl HostWallClock for VirtualClock {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.now_millis()).unwrap_or_default())
    }
}

impl HostMonotonicClock for VirtualClock {
    fn resolution(&self) -> u64 {
        1_000_000
    }

    fn now(&self) -> u64 {
        self.0.monotonic_nanos.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_may_step_back_and_monotonic_may_not() {
        let clock = VirtualClock::new(10_000);
        let start_nanos = HostMonotonicClock::now(&clock);
        clock.advance(Duration::from_secs(2));
        assert_eq!(clock.now_millis(), 12_000);
        assert_eq!(HostMonotonicClock::now(&clock) - start_nanos, 2_000_000_000);
        clock.set_millis(5_000);
        assert_eq!(HostWallClock::now(&clock), Duration::from_secs(5));
        assert_eq!(HostMonotonicClock::now(&clock) - start_nanos, 2_000_000_000);
        assert_eq!(Clock::Virtual(clock).unix_seconds(), 5);
    }
}

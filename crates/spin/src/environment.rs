//! [`Environment`] by the host's clocks and its source of chance.

use std::pin::Pin;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use talktime_store::Environment;
use talktime_usage::{SessionId, Timestamp};
use uuid::{NoContext, Uuid};

/// The clocks and the chance that Spin gives to a component.
#[derive(Clone, Copy, Debug)]
pub struct Host;

/// The one there is.
pub static HOST: Host = Host;

impl Environment for Host {
    fn now(&self) -> Timestamp {
        now()
    }

    fn elapsed(&self) -> Duration {
        static BEGIN: OnceLock<std::time::Instant> = OnceLock::new();
        BEGIN.get_or_init(std::time::Instant::now).elapsed()
    }

    fn wait(&self, span: Duration) -> Pin<Box<dyn Future<Output = ()> + '_>> {
        Box::pin(sleep(span))
    }

    fn random(&self) -> u64 {
        Uuid::new_v4().as_u64_pair().1
    }
}

/// The time now, by the host's wall clock. What decides anything takes the time as an argument.
pub fn now() -> Timestamp {
    // A clock before 1970 or after 9999 reads as the nearest time that an `Timestamp` has.
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_unix_millis(0).plus(elapsed)
}

/// An id for a session that starts now: of version 7, so that ids sort by time.
pub fn session_id(now: Timestamp) -> SessionId {
    // No `Timestamp` is before 1970 by a clock of the host.
    let seconds = u64::try_from(now.unix_seconds()).unwrap_or_default();
    let millis = u32::try_from(now.unix_millis().rem_euclid(1_000)).unwrap_or_default();
    let time = uuid::Timestamp::from_unix(NoContext, seconds, millis * 1_000_000);
    SessionId::new(Uuid::new_v7(time))
}

/// Waits, by the host's timer.
pub async fn sleep(span: Duration) {
    spin_sdk::time::sleep(span).await;
}

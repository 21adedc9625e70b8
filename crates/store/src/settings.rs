//! The settings that every deciding component reads from Spin variables, once for each instance.

use std::num::NonZeroU32;
use std::time::Duration;

use talktime_config::{Misconfigured, Once, parsed, variable};
use talktime_usage::{Catalogue, Policy};

/// What an operator can set for the components that decide about minutes.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The rules' settings.
    pub policy: Policy,
    /// How many users a sweep claims at a time.
    pub sweep_batch: u32,
}

static SETTINGS: Once<Settings> = Once::new();

impl Settings {
    /// The settings, read on the first call.
    ///
    /// # Errors
    /// When a variable has a value that cannot be used.
    pub async fn load() -> Result<&'static Self, Misconfigured> {
        SETTINGS.get(Self::read).await
    }

    async fn read() -> Result<Self, Misconfigured> {
        let defaults = Policy::default();
        let catalogue = match variable("plans").await? {
            Some(json) => {
                Catalogue::parse(&json).map_err(|error| Misconfigured::new("plans", error))?
            }
            None => defaults.catalogue,
        };
        let session_max = match parsed::<u32>("max_session_minutes").await? {
            None => defaults.session_max,
            Some(0) => None,
            Some(minutes) => Some(Duration::from_mins(minutes.into())),
        };
        let grant_grace = parsed::<u32>("grant_grace_days")
            .await?
            .map_or(defaults.grant_grace, |days| {
                Duration::from_secs(u64::from(days) * 86_400)
            });
        Ok(Self {
            policy: Policy {
                catalogue,
                stale_after: seconds("stale_after_seconds", defaults.stale_after).await?,
                heartbeat_interval: seconds(
                    "heartbeat_interval_seconds",
                    defaults.heartbeat_interval,
                )
                .await?,
                session_max,
                alarm_interval: seconds("alarm_interval_seconds", defaults.alarm_interval).await?,
                grant_grace,
            },
            sweep_batch: parsed::<NonZeroU32>("sweep_batch")
                .await?
                .map_or(200, NonZeroU32::get),
        })
    }
}

/// A variable that counts seconds, at least one.
async fn seconds(name: &'static str, default: Duration) -> Result<Duration, Misconfigured> {
    let set = parsed::<NonZeroU32>(name).await?;
    Ok(set.map_or(default, |seconds| Duration::from_secs(seconds.get().into())))
}

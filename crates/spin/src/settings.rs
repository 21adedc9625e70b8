//! The settings that every deciding component reads from Spin variables, once for each instance.

use std::num::NonZeroU32;
use std::time::Duration;

use talktime_store::SweepOrder;
use talktime_usage::{Catalogue, Policy};

use crate::{Misconfigured, Once, parsed, variable};

/// The longest that a running session may wait for its next row in the ledger.
const ALARM_INTERVAL_MAX: Duration = Duration::from_mins(10);

/// Most months that rows can be asked to be kept for: a hundred years.
const RETAIN_MONTHS_MAX: u32 = 1_200;

/// What is kept of a month: as many days as the longest has, so that never less is kept than was asked for.
const DAYS_OF_MONTH: u64 = 31;

/// What an operator can set for the components that decide about minutes.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The rules' settings.
    pub policy: Policy,
    /// How many users a sweep claims at a time.
    pub sweep_batch: u32,
    /// How long rows that are final are kept; `None` for ever.
    pub retain: Option<Duration>,
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
        let settings = Self {
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
            retain: retain(parsed("retain_months").await?.unwrap_or(0))?,
        };
        agree(&settings.policy)?;
        Ok(settings)
    }

    /// What a sweep is to do that may change so many users.
    pub fn sweep_order(&self, changed_max: u32, force: bool) -> SweepOrder {
        SweepOrder {
            batch: self.sweep_batch,
            changed_max,
            retain: self.retain,
            force,
        }
    }
}

/// Refuses settings that contradict each other.
fn agree(policy: &Policy) -> Result<(), Misconfigured> {
    if policy.stale_after <= policy.heartbeat_interval {
        return Err(Misconfigured::new(
            "stale_after_seconds",
            "must be more than heartbeat_interval_seconds: every session would be over between two heartbeats",
        ));
    }
    if policy.alarm_interval > ALARM_INTERVAL_MAX {
        return Err(Misconfigured::new(
            "alarm_interval_seconds",
            "must be at most 600: the ledger would hear of running sessions too late",
        ));
    }
    Ok(())
}

fn retain(months: u32) -> Result<Option<Duration>, Misconfigured> {
    match months {
        0 => Ok(None),
        1..=RETAIN_MONTHS_MAX => Ok(Some(Duration::from_hours(
            24 * DAYS_OF_MONTH * u64::from(months),
        ))),
        _ => Err(Misconfigured::new(
            "retain_months",
            "must be at most 1200, or 0 to keep everything",
        )),
    }
}

/// A variable that counts seconds, at least one.
async fn seconds(name: &'static str, default: Duration) -> Result<Duration, Misconfigured> {
    let set = parsed::<NonZeroU32>(name).await?;
    Ok(set.map_or(default, |seconds| Duration::from_secs(seconds.get().into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_contradict_each_other_are_refused() {
        let check = |change: fn(&mut Policy), refused: Option<&str>| {
            let mut policy = Policy::default();
            change(&mut policy);
            let outcome = agree(&policy).map_err(|error| error.variable);
            assert_eq!(outcome.err(), refused);
        };
        check(|_| {}, None);
        check(
            |policy| policy.stale_after = policy.heartbeat_interval,
            Some("stale_after_seconds"),
        );
        check(
            |policy| policy.alarm_interval = Duration::from_secs(601),
            Some("alarm_interval_seconds"),
        );
        check(
            |policy| policy.alarm_interval = Duration::from_mins(10),
            None,
        );
    }

    #[test]
    fn a_month_is_kept_for_at_least_its_days() {
        let days = |months| {
            let kept = retain(months).expect("in bounds");
            kept.map(|span| span.as_secs() / 86_400)
        };
        assert_eq!(days(0), None);
        assert_eq!(days(1), Some(31));
        assert_eq!(days(24), Some(744));
        assert!(retain(1_201).is_err());
    }
}

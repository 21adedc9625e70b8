//! How many realtime tokens a user may be given, whatever sessions they are for.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::time::{Seconds, Timestamp};

/// The span in which mints are counted.
const WINDOW: Duration = Duration::from_mins(1);

/// The bounds on one user's mints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MintLimits {
    /// Tokens in a minute, those that are just being asked for included.
    pub per_minute_max: usize,
    /// Attempts in a minute, those that the provider refused or failed included. Wider: they cost the user nothing, and
    /// only the provider has to be spared.
    pub tries_per_minute_max: usize,
}

/// The mints of the last minute. They are the user's, not a session's: another session does not bring new ones.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mints {
    /// Those that were handed out, and those under way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    counted: Vec<Timestamp>,
    /// Those that came to nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    failed: Vec<Timestamp>,
    /// Fields of a later version, kept.
    #[serde(flatten)]
    extra: Map<String, Value>,
}

impl Mints {
    /// Takes a place for a mint at `now`, or tells how long to wait for one.
    pub(crate) fn reserve(&mut self, now: Timestamp, limits: MintLimits) -> Result<(), Seconds> {
        for mints in [&mut self.counted, &mut self.failed] {
            mints.retain(|mint| now.since(*mint) < WINDOW);
        }
        let tries = self.counted.len() + self.failed.len();
        let oldest = if self.counted.len() >= limits.per_minute_max {
            self.counted.iter().min()
        } else if tries >= limits.tries_per_minute_max {
            self.counted.iter().chain(&self.failed).min()
        } else {
            self.counted.push(now);
            return Ok(());
        };
        let wait = oldest.map_or(WINDOW, |oldest| oldest.plus(WINDOW).since(now));
        Err(Seconds::rounded_up(wait))
    }

    /// The mint of that instant came to nothing: from now on it counts as a try only. False if it is not among the last.
    pub(crate) fn give_back(&mut self, mint: Timestamp) -> bool {
        let Some(place) = self.counted.iter().position(|counted| *counted == mint) else {
            return false;
        };
        self.counted.remove(place);
        self.failed.push(mint);
        true
    }

    /// Moves all of them back in time, with the clock.
    pub(crate) fn move_back(&mut self, span: Duration) {
        for mint in self.counted.iter_mut().chain(&mut self.failed) {
            *mint = mint.minus(span);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.counted.is_empty() && self.failed.is_empty() && self.extra.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: MintLimits = MintLimits {
        per_minute_max: 2,
        tries_per_minute_max: 4,
    };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_790_000_000 + seconds)
    }

    #[test]
    fn tokens_are_counted_for_a_minute() {
        let mut mints = Mints::default();
        assert_eq!(mints.reserve(at(0), LIMITS), Ok(()));
        assert_eq!(mints.reserve(at(10), LIMITS), Ok(()));
        let wait = mints.reserve(at(20), LIMITS).expect_err("two in a minute");
        assert_eq!(wait.get(), 40);
        assert_eq!(mints.reserve(at(60), LIMITS), Ok(()));
        assert!(mints.reserve(at(69), LIMITS).is_err());
    }

    #[test]
    fn what_came_to_nothing_counts_as_a_try_only() {
        let mut mints = Mints::default();
        for second in 0..4 {
            assert_eq!(mints.reserve(at(second), LIMITS), Ok(()));
            assert!(mints.give_back(at(second)));
            assert!(!mints.give_back(at(second)));
        }
        let wait = mints.reserve(at(5), LIMITS).expect_err("four tries");
        assert_eq!(wait.get(), 55);
        assert_eq!(mints.reserve(at(60), LIMITS), Ok(()));
    }
}

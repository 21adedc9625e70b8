//! Instants and whole minutes, and the one place where time is rounded to minutes.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// A point in time: milliseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

/// The last instant that RFC 3339 can write, 9999-12-31T23:59:59.999Z.
const LATEST_MILLIS: i64 = 253_402_300_799_999;

/// Why a text is not an instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Not an RFC 3339 date and time.
    #[error("must be a date and time like 2026-11-25T09:00:00Z")]
    Format,
    /// Before 1970 or after 9999.
    #[error("must lie between the years 1970 and 9999")]
    Range,
}

impl Timestamp {
    /// The beginning of 1970.
    pub(crate) const fn earliest() -> Self {
        Self(0)
    }

    /// From milliseconds since the epoch; clamped to the years 1970 to 9999.
    #[must_use]
    pub fn from_unix_millis(millis: i64) -> Self {
        Self(millis.clamp(0, LATEST_MILLIS))
    }

    /// From seconds since the epoch; clamped to the years 1970 to 9999.
    #[must_use]
    pub fn from_unix_seconds(seconds: i64) -> Self {
        Self::from_unix_millis(seconds.saturating_mul(1_000))
    }

    /// Reads an RFC 3339 date and time; finer parts than a millisecond are cut off.
    ///
    /// # Errors
    /// When the text has another form or lies outside 1970 to 9999.
    pub fn parse_rfc3339(text: &str) -> Result<Self, TimeError> {
        let millis = DateTime::parse_from_rfc3339(text)
            .map_err(|_| TimeError::Format)?
            .timestamp_millis();
        if (0..=LATEST_MILLIS).contains(&millis) {
            Ok(Self(millis))
        } else {
            Err(TimeError::Range)
        }
    }

    /// Milliseconds since the epoch.
    pub fn unix_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, as the ledger's `*_at` columns hold them.
    pub fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// The start of this instant's second. Periods begin and end on whole seconds, because the ledger keeps seconds.
    #[must_use]
    pub fn floor_to_second(self) -> Self {
        Self::from_unix_seconds(self.unix_seconds())
    }

    /// This instant as a calendar date and time.
    pub fn utc(self) -> DateTime<Utc> {
        // Every `Timestamp` lies within 1970 to 9999, which chrono can hold; the default is never taken.
        DateTime::from_timestamp_millis(self.0).unwrap_or_default()
    }

    /// As RFC 3339 in UTC with whole seconds, such as `2026-11-25T09:00:00Z`.
    pub fn to_rfc3339(self) -> String {
        self.utc().to_rfc3339_opts(SecondsFormat::Secs, true)
    }

    /// The time from `earlier` to this instant; zero where `earlier` is the later one.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0 - earlier.0).unwrap_or(0))
    }

    /// This instant and `span` more, at most the end of 9999.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        let millis = i64::try_from(span.as_millis()).unwrap_or(LATEST_MILLIS);
        Self::from_unix_millis(self.0.saturating_add(millis))
    }

    /// This instant less `span`, at least the start of 1970.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        let millis = i64::try_from(span.as_millis()).unwrap_or(LATEST_MILLIS);
        Self::from_unix_millis(self.0.saturating_sub(millis))
    }
}

/// A span of time in a state document, as whole milliseconds.
pub(crate) mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        u64::try_from(span.as_millis())
            .unwrap_or(u64::MAX)
            .serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }

    /// The same for a span that may be missing.
    pub mod optional {
        use std::time::Duration;

        use serde::{Deserialize, Deserializer, Serialize, Serializer};

        #[expect(clippy::ref_option, reason = "the form that serde asks for")]
        pub fn serialize<S: Serializer>(
            span: &Option<Duration>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            span.map(|span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
                .serialize(serializer)
        }

        pub fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<Duration>, D::Error> {
            Ok(Option::<u64>::deserialize(deserializer)?.map(Duration::from_millis))
        }
    }
}

/// Whole minutes of talk: what is granted, used and billed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Minutes(u32);

impl Minutes {
    /// None.
    pub const ZERO: Self = Self(0);
    /// The least that a session which took place costs.
    pub const ONE: Self = Self(1);

    /// A number of minutes.
    #[must_use]
    pub const fn new(minutes: u32) -> Self {
        Self(minutes)
    }

    /// `span` in whole minutes, rounded up. All rounding of talk time happens here.
    #[must_use]
    pub fn rounded_up(span: Duration) -> Self {
        Self(u32::try_from(span.as_millis().div_ceil(60_000)).unwrap_or(u32::MAX))
    }

    /// The bare number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The exact time that this many minutes last.
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.0 as u64 * 60)
    }

    /// The sum, at most `u32::MAX`.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, never below zero.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// Whole seconds in an answer, rounded up: a client that stops at zero loses nothing of what is paid for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seconds(u64);

impl Seconds {
    /// `span` in whole seconds, rounded up.
    #[must_use]
    pub fn rounded_up(span: Duration) -> Self {
        Self(u64::try_from(span.as_millis().div_ceil(1_000)).unwrap_or(u64::MAX))
    }

    /// The bare number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_round_up() {
        let check = |millis, minutes| {
            assert_eq!(
                Minutes::rounded_up(Duration::from_millis(millis)),
                Minutes::new(minutes),
                "{millis} ms"
            );
        };
        check(0, 0);
        check(1, 1);
        check(59_999, 1);
        check(60_000, 1);
        check(60_001, 2);
    }

    #[test]
    fn instants_read_and_write_rfc3339() {
        let at = Timestamp::parse_rfc3339("2026-10-01T11:00:05.120999+02:00").expect("valid");
        assert_eq!(at.unix_millis(), 1_790_845_205_120);
        assert_eq!(at.to_rfc3339(), "2026-10-01T09:00:05Z");
        assert_eq!(Timestamp::parse_rfc3339("tomorrow"), Err(TimeError::Format));
        assert_eq!(
            Timestamp::parse_rfc3339("1969-12-31T23:59:59Z"),
            Err(TimeError::Range)
        );
    }

    #[test]
    fn time_between_never_runs_backwards() {
        let (early, late) = (
            Timestamp::from_unix_millis(5),
            Timestamp::from_unix_millis(9),
        );
        assert_eq!(late.since(early), Duration::from_millis(4));
        assert_eq!(early.since(late), Duration::ZERO);
    }
}

//! Billing periods: half-open intervals of UTC instants, and how the next one follows from the last.

use std::time::Duration;

use chrono::{DateTime, Datelike, Months, Utc};
use serde::{Deserialize, Serialize};

use crate::time::Instant;

/// The instants from `start` on and before `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Bounds")]
pub struct Period {
    start: Instant,
    end: Instant,
}

#[derive(Deserialize)]
struct Bounds {
    start: Instant,
    end: Instant,
}

impl TryFrom<Bounds> for Period {
    type Error = PeriodError;
    fn try_from(bounds: Bounds) -> Result<Self, PeriodError> {
        Self::new(bounds.start, bounds.end)
    }
}

/// Two instants that bound no period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a period must end at least a second after it starts")]
pub struct PeriodError;

impl Period {
    /// The period between two instants, each cut to its second.
    ///
    /// # Errors
    /// When that leaves nothing between them.
    pub fn new(start: Instant, end: Instant) -> Result<Self, PeriodError> {
        let (start, end) = (start.floor_to_second(), end.floor_to_second());
        if start < end {
            Ok(Self { start, end })
        } else {
            Err(PeriodError)
        }
    }

    /// The calendar month, in UTC, that holds `at`.
    #[must_use]
    pub fn calendar_month(at: Instant) -> Self {
        let day = at.unix_seconds().rem_euclid(86_400);
        let midnight = Instant::from_unix_seconds(at.unix_seconds() - day);
        let start = on_day(midnight.utc(), 1);
        Self {
            start,
            end: Cadence::CALENDAR.end_after(start),
        }
    }

    /// Its first instant.
    #[must_use]
    pub fn start(self) -> Instant {
        self.start
    }

    /// The first instant after it.
    #[must_use]
    pub fn end(self) -> Instant {
        self.end
    }

    /// This period, or the one of the same cadence, after or before it, that holds `now`.
    #[must_use]
    pub fn moved_to(self, now: Instant) -> Self {
        if now >= self.end {
            Cadence::of(self).period_after(self.end, now)
        } else if now < self.start {
            Cadence::of(self).period_before(self.start, now)
        } else {
            self
        }
    }
}

/// How long periods last, so that each gives the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cadence {
    /// So many calendar months, beginning on that day of the month, or on the last day of a month that is shorter.
    Months {
        /// Months in a period, at least 1.
        count: u32,
        /// The day of the month, 1 to 31, that is gone back to after a shorter month.
        day: u32,
    },
    /// A fixed number of seconds, at least 1.
    Seconds(u64),
}

impl Cadence {
    /// One month, from the first.
    pub const CALENDAR: Self = Self::Months { count: 1, day: 1 };

    /// The cadence that a single period shows. Both of its ends tell the day: 28 February to 31 March is one month on
    /// the 31st, that month's last day having been the 28th.
    #[must_use]
    pub fn of(period: Period) -> Self {
        let (start, end) = (period.start.utc(), period.end.utc());
        let months = (end.year() - start.year()) * 12 + end.month0().cast_signed()
            - start.month0().cast_signed();
        let day = start.day().max(end.day());
        match u32::try_from(months) {
            Ok(count)
                if count > 0
                    && start.time() == end.time()
                    && on_day(start, day) == period.start
                    && on_day(end, day) == period.end =>
            {
                Self::Months { count, day }
            }
            _ => Self::Seconds(period.end.since(period.start).as_secs().max(1)),
        }
    }

    /// The end of the period that begins at `start`.
    #[must_use]
    pub fn end_after(self, start: Instant) -> Instant {
        let least = start.plus(Duration::from_secs(1));
        match self {
            Self::Months { count, day } => start
                .utc()
                .checked_add_months(Months::new(count.max(1)))
                .map_or(least, |month| on_day(month, day).max(least)),
            Self::Seconds(seconds) => start.plus(Duration::from_secs(seconds)).max(least),
        }
    }

    /// The start of the period that ends at `end`.
    fn start_before(self, end: Instant) -> Instant {
        let most = earlier(end, 1);
        match self {
            Self::Months { count, day } => end
                .utc()
                .checked_sub_months(Months::new(count.max(1)))
                .map_or(most, |month| on_day(month, day).min(most)),
            Self::Seconds(seconds) => earlier(end, seconds.max(1)),
        }
    }

    /// The period of this cadence that holds `now`, where a later one begins at `start`.
    fn period_before(self, start: Instant, now: Instant) -> Period {
        let mut end = start;
        if let Self::Seconds(seconds) = self {
            // Skip those that are still to come at once: `now` is in the last second before `end`, or earlier.
            let seconds = seconds.max(1);
            let ahead = end.since(now.floor_to_second()).as_secs().saturating_sub(1);
            end = earlier(end, ahead / seconds * seconds);
        }
        loop {
            let start = self.start_before(end);
            // An instant cannot precede 1970, so `now` does not either.
            if start <= now {
                return Period { start, end };
            }
            end = start;
        }
    }

    /// The period that follows one which ended at `end`, or the later one of this cadence that holds `now`.
    #[must_use]
    pub fn period_after(self, end: Instant, now: Instant) -> Period {
        let mut start = end;
        if let Self::Seconds(seconds) = self {
            // Many short periods may have passed: skip those that are over at once.
            let seconds = seconds.max(1);
            start = start.plus(Duration::from_secs(
                now.since(start).as_secs() / seconds * seconds,
            ));
        }
        loop {
            let end = self.end_after(start);
            // An instant cannot pass the year 9999, so there the end stops moving.
            if now < end || end <= start {
                return Period { start, end };
            }
            start = end;
        }
    }
}

fn earlier(at: Instant, seconds: u64) -> Instant {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    Instant::from_unix_seconds(at.unix_seconds().saturating_sub(seconds))
}

/// `at` moved to that day of its month, or to the month's last day; the time of day stays, cut to the second.
fn on_day(at: DateTime<Utc>, day: u32) -> Instant {
    let day = day.clamp(1, u32::from(at.num_days_in_month()));
    // The day is within the month, so `with_day` finds it.
    let moved = at.with_day(day).unwrap_or(at);
    Instant::from_unix_seconds(moved.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Instant {
        Instant::parse_rfc3339(text).expect("a date")
    }

    fn period(start: &str, end: &str) -> Period {
        Period::new(at(start), at(end)).expect("a period")
    }

    /// The ends of the periods that follow one from `start` to `end`.
    fn check(start: &str, end: &str, following: &[&str]) {
        let mut last = period(start, end);
        let cadence = Cadence::of(last);
        for expected in following {
            let next = cadence.period_after(last.end(), last.end());
            assert_eq!(next.start(), last.end());
            assert_eq!(
                next.end().to_rfc3339(),
                *expected,
                "after {}",
                last.end().to_rfc3339()
            );
            last = next;
        }
    }

    #[test]
    fn periods_keep_their_day_of_the_month() {
        check(
            "2027-01-31T09:00:00Z",
            "2027-02-28T09:00:00Z",
            &[
                "2027-03-31T09:00:00Z",
                "2027-04-30T09:00:00Z",
                "2027-05-31T09:00:00Z",
            ],
        );
        check(
            "2028-01-31T09:00:00Z",
            "2028-02-29T09:00:00Z",
            &["2028-03-31T09:00:00Z"],
        );
        check(
            "2027-02-28T09:00:00Z",
            "2027-03-31T09:00:00Z",
            &["2027-04-30T09:00:00Z", "2027-05-31T09:00:00Z"],
        );
        check(
            "2027-01-30T00:00:00Z",
            "2027-02-28T00:00:00Z",
            &["2027-03-30T00:00:00Z"],
        );
        check(
            "2026-10-15T09:00:00Z",
            "2026-11-15T09:00:00Z",
            &["2026-12-15T09:00:00Z", "2027-01-15T09:00:00Z"],
        );
        check(
            "2028-02-29T12:00:00Z",
            "2029-02-28T12:00:00Z",
            &[
                "2030-02-28T12:00:00Z",
                "2031-02-28T12:00:00Z",
                "2032-02-29T12:00:00Z",
            ],
        );
    }

    #[test]
    fn a_period_that_is_no_whole_months_keeps_its_length() {
        check(
            "2026-11-01T00:00:00Z",
            "2026-11-08T00:00:00Z",
            &["2026-11-15T00:00:00Z", "2026-11-22T00:00:00Z"],
        );
        check(
            "2026-10-15T09:00:00Z",
            "2026-11-15T10:00:00Z",
            &["2026-12-16T11:00:00Z"],
        );
    }

    #[test]
    fn the_calendar_month_holds_its_instant() {
        let check = |now: &str, start: &str, end: &str| {
            assert_eq!(Period::calendar_month(at(now)), period(start, end), "{now}");
        };
        check(
            "2026-11-30T23:59:59.999Z",
            "2026-11-01T00:00:00Z",
            "2026-12-01T00:00:00Z",
        );
        check(
            "2026-12-31T23:59:59Z",
            "2026-12-01T00:00:00Z",
            "2027-01-01T00:00:00Z",
        );
        check(
            "2027-01-01T00:00:00Z",
            "2027-01-01T00:00:00Z",
            "2027-02-01T00:00:00Z",
        );
    }

    #[test]
    fn periods_long_past_are_skipped() {
        let check = |start: &str, end: &str, now: &str, expected: Period| {
            assert_eq!(period(start, end).moved_to(at(now)), expected);
        };
        check(
            "2020-01-31T00:00:00Z",
            "2020-02-29T00:00:00Z",
            "2026-02-15T00:00:00Z",
            period("2026-01-31T00:00:00Z", "2026-02-28T00:00:00Z"),
        );
        check(
            "2020-01-01T00:00:00Z",
            "2020-01-01T00:00:01Z",
            "2026-01-01T00:00:00Z",
            period("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"),
        );
        // The end of time is reached, not looped at.
        let last = period("2020-01-01T00:00:00Z", "2020-02-01T00:00:00Z");
        let _ = last.moved_to(at("9999-12-31T23:59:59.999Z"));
    }

    #[test]
    fn periods_still_to_come_are_counted_back() {
        let check = |start: &str, end: &str, now: &str, expected: Period| {
            assert_eq!(period(start, end).moved_to(at(now)), expected, "{now}");
        };
        let (march, april) = ("2027-03-31T00:00:00Z", "2027-04-30T00:00:00Z");
        let february = "2027-02-28T00:00:00Z";
        check(
            march,
            april,
            "2027-03-30T23:59:59.999Z",
            period(february, march),
        );
        check(march, april, february, period(february, march));
        check(
            march,
            april,
            "2027-02-27T23:59:59.999Z",
            period("2027-01-31T00:00:00Z", february),
        );
        let (week, next) = ("2026-11-09T00:00:00Z", "2026-11-16T00:00:00Z");
        let before = "2026-11-02T00:00:00Z";
        check(week, next, "2026-11-08T23:59:59.999Z", period(before, week));
        check(week, next, before, period(before, week));
        check(
            week,
            next,
            "2026-11-01T23:59:59.999Z",
            period("2026-10-26T00:00:00Z", before),
        );
        check(
            "9998-01-01T00:00:00Z",
            "9998-01-01T00:00:01Z",
            "1970-01-01T00:00:00Z",
            period("1970-01-01T00:00:00Z", "1970-01-01T00:00:01Z"),
        );
    }

    #[test]
    fn nothing_lies_between_equal_instants() {
        let same = at("2026-01-01T00:00:00Z");
        assert_eq!(Period::new(same, same), Err(PeriodError));
        assert_eq!(
            Period::new(same, at("2025-01-01T00:00:00Z")),
            Err(PeriodError)
        );
    }
}

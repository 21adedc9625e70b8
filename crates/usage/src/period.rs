//! Periods: half-open intervals of UTC instants, and how one that is paid for recurs and divides into months.

use std::time::Duration;

use chrono::{DateTime, Datelike, Utc};
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// The instants from `start` on and before `end`.
///
/// The two are all that it will ever have: what else a later version knows of a period belongs beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Bounds")]
pub struct Period {
    start: Timestamp,
    end: Timestamp,
}

#[derive(Deserialize)]
struct Bounds {
    start: Timestamp,
    end: Timestamp,
}

impl TryFrom<Bounds> for Period {
    type Error = PeriodError;
    fn try_from(bounds: Bounds) -> Result<Self, PeriodError> {
        Self::new(bounds.start, bounds.end)
    }
}

/// Two instants that bound no period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PeriodError {
    /// Nothing lies between them.
    #[error("a period must end at least a second after it starts")]
    Empty,
    /// Nobody pays by the hour, and each paid period brings its minutes and its row in the ledger.
    #[error("a paid period must end at least a day after it starts")]
    UnderADay,
}

/// The shortest paid period.
const PAID_MIN: Duration = Duration::from_hours(24);

/// A rest of so much or less at the end of a paid period is no month of its own: a month has 28 to 31 days, and where clocks
/// are changed it is an hour longer or shorter.
pub(crate) const REST_MAX: Duration = Duration::from_hours(4 * 24);

impl Period {
    /// The period between two instants, each cut to its second.
    ///
    /// # Errors
    /// When that leaves nothing between them.
    pub fn new(start: Timestamp, end: Timestamp) -> Result<Self, PeriodError> {
        let (start, end) = (start.floor_to_second(), end.floor_to_second());
        if start < end {
            Ok(Self { start, end })
        } else {
            Err(PeriodError::Empty)
        }
    }

    /// A period that somebody outside says is paid for.
    ///
    /// # Errors
    /// When it is shorter than a day.
    pub fn paid(start: Timestamp, end: Timestamp) -> Result<Self, PeriodError> {
        let period = Self::new(start, end)?;
        if period.end.since(period.start) < PAID_MIN {
            return Err(PeriodError::UnderADay);
        }
        Ok(period)
    }

    /// The calendar month, in UTC, that holds `at`.
    #[must_use]
    pub fn calendar_month(at: Timestamp) -> Self {
        let day = at.unix_seconds().rem_euclid(86_400);
        let midnight = Timestamp::from_unix_seconds(at.unix_seconds() - day);
        let first = Months::from(on_day(midnight.utc(), 1));
        Self {
            start: first.begin(0),
            end: first.begin(1),
        }
    }

    /// The month from `start` to the same day of the next one, or its last day.
    pub(crate) fn month_from(start: Timestamp) -> Self {
        let start = start.floor_to_second();
        Self {
            start,
            end: Months::from(start).begin(1),
        }
    }

    /// Its first instant.
    pub fn start(self) -> Timestamp {
        self.start
    }

    /// The first instant after it.
    pub fn end(self) -> Timestamp {
        self.end
    }

    /// How long it lasts.
    pub fn length(self) -> Duration {
        self.end.since(self.start)
    }

    /// The period of the same length in calendar terms, this one or one after or before it, that holds `at`.
    #[must_use]
    pub fn recurring_at(self, at: Timestamp) -> Self {
        match Cadence::of(self) {
            Cadence::Months { count, months } => {
                let number = months.number_at(at).div_euclid(count) * count;
                Self {
                    start: months.begin(number),
                    end: months.begin(number + count),
                }
            }
            Cadence::Seconds(seconds) => {
                let passed = at.unix_seconds() - self.start.unix_seconds();
                let number = passed.div_euclid(seconds);
                let begin = |number: i64| {
                    let offset = number.saturating_mul(seconds);
                    Timestamp::from_unix_seconds(self.start.unix_seconds().saturating_add(offset))
                };
                Self {
                    start: begin(number),
                    end: begin(number + 1),
                }
            }
        }
    }

    /// The month, counted from the first day of this paid period or of the one like it that holds `at`, in which `at` lies:
    /// the whole of a period that is no longer than a month. Before this paid period begins it is the months that lead up to
    /// it.
    #[must_use]
    pub fn month_at(self, at: Timestamp) -> Self {
        let months = match Cadence::of(self) {
            Cadence::Months { months, .. } => months,
            Cadence::Seconds(_) if at < self.start => Months::from(self.start),
            Cadence::Seconds(_) => return self.recurring_at(at).month_within(at),
        };
        let number = months.number_at(at);
        Self {
            start: months.begin(number),
            end: months.begin(number + 1),
        }
    }

    /// The month of this period, which is no whole months, that holds `at`.
    fn month_within(self, at: Timestamp) -> Self {
        let months = Months::from(self.start);
        let is_rest = |from: Timestamp| self.end.since(from) <= REST_MAX;
        let mut number = months.number_at(at);
        if number > 0 && is_rest(months.begin(number)) {
            number -= 1;
        }
        let end = months.begin(number + 1);
        Self {
            start: months.begin(number),
            end: if is_rest(end) { self.end } else { end },
        }
    }
}

/// The months from an instant on: each begins on that day of the month and at that time of day, or on the last day of a
/// month that is shorter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Months {
    from: Timestamp,
    /// The day of the month, 1 to 31, that is gone back to after a shorter month.
    day: u32,
}

impl Months {
    fn from(from: Timestamp) -> Self {
        Self {
            from,
            day: from.utc().day(),
        }
    }

    /// The first instant of a month; 0 is the one that begins at `from`.
    fn begin(self, number: i64) -> Timestamp {
        let from = self.from.utc();
        let by = u32::try_from(number.unsigned_abs())
            .map_or(chrono::Months::new(0), chrono::Months::new);
        let shifted = if number < 0 {
            from.checked_sub_months(by)
        } else {
            from.checked_add_months(by)
        };
        // Chrono counts further than an `Timestamp`, which stops at the years 1970 and 9999.
        shifted.map_or(self.from, |month| on_day(month, self.day))
    }

    /// The number of the month that holds `at`.
    fn number_at(self, at: Timestamp) -> i64 {
        let number = months_between(self.from.utc(), at.utc());
        if self.begin(number) <= at {
            number
        } else {
            number - 1
        }
    }
}

/// How long periods last, so that each gives the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cadence {
    /// So many calendar months, at least 1.
    Months { count: i64, months: Months },
    /// A fixed number of seconds, at least 1.
    Seconds(i64),
}

impl Cadence {
    /// The cadence that a single period shows. Both of its ends tell the day: 28 February to 31 March is one month on
    /// the 31st, that month's last day having been the 28th.
    fn of(period: Period) -> Self {
        let (start, end) = (period.start.utc(), period.end.utc());
        let count = months_between(start, end);
        let months = Months {
            from: period.start,
            day: start.day().max(end.day()),
        };
        if count > 0 && months.begin(0) == period.start && months.begin(count) == period.end {
            Self::Months { count, months }
        } else {
            Self::Seconds((period.end.unix_seconds() - period.start.unix_seconds()).max(1))
        }
    }
}

/// How many months the month of `to` is after that of `from`.
fn months_between(from: DateTime<Utc>, to: DateTime<Utc>) -> i64 {
    let number = |at: DateTime<Utc>| i64::from(at.year()) * 12 + i64::from(at.month0());
    number(to) - number(from)
}

/// `at` moved to that day of its month, or to the month's last day; the time of day stays, cut to the second.
fn on_day(at: DateTime<Utc>, day: u32) -> Timestamp {
    let day = day.clamp(1, u32::from(at.num_days_in_month()));
    // The day is within the month, so `with_day` finds it.
    let moved = at.with_day(day).unwrap_or(at);
    Timestamp::from_unix_seconds(moved.timestamp())
}

#[cfg(test)]
mod tests;

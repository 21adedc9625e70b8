//! The rhythm in which a user's periods follow each other: that of a paid cycle, or the calendar's.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::grant::Source;
use crate::period::{Period, REST_MAX};
use crate::plan::Allowance;
use crate::time::Timestamp;

/// What gives the periods after the current one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rhythm {
    /// Calendar months: of whoever is on free, or on a plan that no paid period is told for.
    Calendar,
    /// A paid cycle.
    Cycle(Cycle),
}

/// The paid cycle of the source that sets the rhythm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cycle {
    pub source: Source,
    /// The paid period. Until another is told, it is taken to recur.
    pub period: Period,
    /// Fields of a later version, kept.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Rhythm {
    pub(crate) const fn calendar() -> Self {
        Self::Calendar
    }

    /// The source that sets it.
    pub fn source(&self) -> Option<&Source> {
        match self {
            Self::Calendar => None,
            Self::Cycle(cycle) => Some(&cycle.source),
        }
    }

    /// Follows the paid period of a source from now on.
    pub(crate) fn hand_over(&mut self, source: Source, period: Period) {
        match self {
            Self::Cycle(cycle) if cycle.source == source => cycle.period = period,
            _ => {
                *self = Self::Cycle(Cycle {
                    source,
                    period,
                    extra: Map::new(),
                });
            }
        }
    }

    /// The period that holds `at`.
    pub fn period_at(&self, at: Timestamp, allowance: Allowance) -> Period {
        match (self, allowance) {
            (Self::Calendar, _) => Period::calendar_month(at),
            (Self::Cycle(cycle), Allowance::Month) => cycle.period.month_at(at),
            (Self::Cycle(cycle), Allowance::PaidPeriod) => cycle.period.recurring_at(at),
        }
    }

    /// The instant at which a period that began at `start` ends at the latest, however often the rhythm changes hands before
    /// it has: nobody waits longer for new minutes.
    pub(crate) fn latest_end(&self, start: Timestamp, allowance: Allowance) -> Timestamp {
        let month = Period::month_from(start).end();
        let end = match (self, allowance) {
            (Self::Cycle(cycle), Allowance::PaidPeriod) => {
                month.max(start.plus(cycle.period.length()))
            }
            _ => month,
        };
        end.plus(REST_MAX)
    }
}

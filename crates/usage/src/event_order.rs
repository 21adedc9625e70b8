//! When events happened, whenever they arrive: which of two tells the newer.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// How far ahead of its arrival an event may say that it happened: as much as the clocks of a webhook's sender and
/// receiver may differ. A stamp further ahead would make all that follows look old.
const AHEAD_MAX: Duration = Duration::from_mins(5);

/// How long before its arrival an update that does not say when it happened is taken to have happened. It is the word of
/// somebody who may not have heard the provider's last word yet, which can still be on its way: that long it may take.
const UNTOLD_AGE: Duration = Duration::from_mins(1);

/// When an event happened, and its id, so that two events of the same microsecond have one order everywhere.
///
/// An update that does not say when it happened comes after all that is known of its source when it arrives. An event that
/// does say, and is still on its way then, comes after it if it happened within the minute before the update arrived, else
/// before it. So the word of an operator or a relay counts at once; it undoes nothing that the provider says at the same time,
/// and is not undone by what was said before.
///
/// The two fields are all that it will ever have: what else a later version knows of an event belongs beside it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EventOrder {
    /// Microseconds since the epoch: the precision in which the billing provider stamps its events.
    pub unix_micros: i64,
    /// The event's id; empty where it has none.
    pub event: String,
}

/// What an event tells beside what is known of the same source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// It happened later than what is known.
    Newer,
    /// It is what is known: this very event, delivered again.
    Same,
    /// It happened earlier.
    Older,
}

impl EventOrder {
    /// For an event that tells its time in milliseconds.
    #[must_use]
    pub fn at(happened: Timestamp, event: &str) -> Self {
        Self {
            unix_micros: micros(happened),
            event: event.to_owned(),
        }
    }

    /// For an update that arrives now and does not say when it happened, where `known` is the latest of what is known.
    #[must_use]
    pub fn untold(now: Timestamp, event: &str, known: Option<&Self>) -> Self {
        let arrived = micros(now).saturating_sub(in_micros(UNTOLD_AGE));
        let after = known.map_or(i64::MIN, |known| known.unix_micros.saturating_add(1));
        Self {
            unix_micros: arrived.max(after),
            event: event.to_owned(),
        }
    }

    /// Whether the event says that it happened far later than now, when it arrives. Then it is taken to have happened five
    /// minutes from now, which an operator may want to know.
    pub fn is_far_ahead(&self, now: Timestamp) -> bool {
        self.unix_micros > micros(now.plus(AHEAD_MAX))
    }

    /// The event as it counts when it arrives now: never far ahead.
    #[must_use]
    pub fn arriving(&self, now: Timestamp) -> Self {
        Self {
            unix_micros: self.unix_micros.min(micros(now.plus(AHEAD_MAX))),
            event: self.event.clone(),
        }
    }

    /// What an event of this order tells beside one of the order `known`. Of two of the same time, of which one has no id,
    /// the one that arrives later is the newer.
    pub(crate) fn beside(&self, known: &Self) -> News {
        let anonymous = self.event.is_empty() || known.event.is_empty();
        if self.unix_micros == known.unix_micros && anonymous {
            return News::Newer;
        }
        match self.cmp(known) {
            std::cmp::Ordering::Greater => News::Newer,
            std::cmp::Ordering::Equal => News::Same,
            std::cmp::Ordering::Less => News::Older,
        }
    }

    /// The millisecond in which it happened.
    pub(crate) fn instant(&self) -> Timestamp {
        Timestamp::from_unix_millis(self.unix_micros.div_euclid(1_000))
    }
}

fn micros(at: Timestamp) -> i64 {
    at.unix_millis().saturating_mul(1_000)
}

fn in_micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

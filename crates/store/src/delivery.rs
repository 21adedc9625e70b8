//! An event is delivered again and again, perhaps twice at once, and counts once.
//!
//! It is carried out first and recorded then. Should anything break off in between, it is delivered again and finds its own
//! order in the user's state, so that it counts once; the record tells how the first delivery ended.

use talktime_usage::{EventOutcome, Timestamp};

use crate::error::StoreError;
use crate::sql::Sql;
use crate::sqlite::SqlLedger;
use crate::webhook_events::{WebhookEvent, find, insert};

/// What carrying out an event did to the user's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It changed it.
    Changed,
    /// The state had this very event already.
    Known,
    /// It left it alone, which does not tell whether the event has come before.
    Nothing,
}

/// How a delivery of an event is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// It is the one that counts, with this outcome.
    Now(EventOutcome),
    /// Another one before it counted, with that outcome.
    Before(EventOutcome),
}

/// By what a delivery that is not the first is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownBy {
    /// By its order in the user's state: it has a time of its own that can be believed.
    State,
    /// By the record alone, which is therefore asked first.
    Record,
}

/// Carries an event out, unless it was before, and records what became of it.
///
/// # Errors
/// Those of `carry_out`; and when the ledger fails, where nothing else would tell of the event.
pub async fn deliver<C: Sql, E: From<StoreError>>(
    ledger: &SqlLedger<C>,
    id: &str,
    known_by: KnownBy,
    now: Timestamp,
    carry_out: impl AsyncFnOnce() -> Result<(WebhookEvent, Effect), E>,
) -> Result<Delivered, E> {
    if known_by == KnownBy::Record
        && let Some(before) = find(ledger, id, now).await?
        && !before.outcome.is_open()
    {
        return Ok(Delivered::Before(before.outcome));
    }
    let (event, effect) = carry_out().await?;
    Ok(record(ledger, &event, effect).await?)
}

/// Records what became of an event, and tells whether this delivery of it is the one that counts.
///
/// What changed the user's state is in there: to have it sent again only for the record, perhaps ten times until the
/// provider gives up on this endpoint, is worse than a gap in the record. What is nowhere else must get into it.
async fn record<C: Sql>(
    ledger: &SqlLedger<C>,
    event: &WebhookEvent,
    effect: Effect,
) -> Result<Delivered, StoreError> {
    let is_first = match insert(ledger, event).await {
        Ok(is_first) => is_first,
        Err(error) if effect == Effect::Nothing && event.outcome != EventOutcome::Ignored => {
            return Err(error);
        }
        Err(error) => {
            let (id, outcome) = (&event.id, event.outcome.as_str());
            eprintln!("event {id} is {outcome} and could not be recorded: {error}");
            true
        }
    };
    if counts(event.outcome, effect, is_first) {
        return Ok(Delivered::Now(event.outcome));
    }
    let before = find(ledger, &event.id, event.received_at).await?;
    let outcome = before.map_or(event.outcome, |before| before.outcome);
    Ok(Delivered::Before(outcome))
}

/// Copies that come at once are recorded in any order, so the one that changed the state is told apart by that.
fn counts(outcome: EventOutcome, effect: Effect, is_first: bool) -> bool {
    match effect {
        _ if outcome.is_open() => true,
        Effect::Changed => true,
        Effect::Known => false,
        Effect::Nothing => is_first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_several_deliveries_counts() {
        let check = |outcome, effect, is_first, expected| {
            assert_eq!(
                counts(outcome, effect, is_first),
                expected,
                "{outcome:?} {effect:?} {is_first}"
            );
        };
        // Copies at once: whichever is recorded first, it is the one that changed the state.
        check(EventOutcome::Applied, Effect::Changed, true, true);
        check(EventOutcome::Applied, Effect::Changed, false, true);
        check(EventOutcome::Applied, Effect::Known, true, false);
        check(EventOutcome::Applied, Effect::Known, false, false);
        for outcome in [
            EventOutcome::Applied,
            EventOutcome::Ignored,
            EventOutcome::Outdated,
        ] {
            check(outcome, Effect::Nothing, true, true);
            check(outcome, Effect::Nothing, false, false);
        }
        // What is open is open each time, until it comes to something else.
        for outcome in EventOutcome::OPEN {
            for effect in [Effect::Changed, Effect::Known, Effect::Nothing] {
                check(outcome, effect, true, true);
            }
        }
    }
}

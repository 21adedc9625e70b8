//! Events about plans and what became of them: the ledger's `webhook_events`. It knows which have come before.
//!
//! An event is carried out first and recorded then. Should anything break off in between, it is sent again and finds its
//! own order in the user's state, so that it counts once; the record tells how the first delivery ended.

use crate::sql::{Row, Value};
use talktime_usage::{Instant, UserId};

use crate::error::StoreError;
use crate::sql::{
    Sql, only_row, optional_text, optional_value, required, required_instant, required_text,
    seconds, text,
};
use crate::sqlite::SqlLedger;

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The user's plan takes it into account.
    Applied,
    /// Something that happened later was known already.
    Outdated,
    /// It is about nothing that changes a plan.
    Ignored,
    /// It names no user or no subscription that could be known.
    Unmapped,
    /// Nothing says which plan a product in it stands for.
    UnknownProduct,
    /// It, or the state of its user, cannot be read.
    Failed,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Applied,
        Self::Outdated,
        Self::Ignored,
        Self::Unmapped,
        Self::UnknownProduct,
        Self::Failed,
    ];

    /// Those that an operator should look at, and that may give way to another when the event is sent again. Every other
    /// one is final.
    pub const OPEN: [Self; 3] = [Self::Unmapped, Self::UnknownProduct, Self::Failed];

    /// The name, as in the ledger.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Outdated => "outdated",
            Self::Ignored => "ignored",
            Self::Unmapped => "unmapped",
            Self::UnknownProduct => "unknown_product",
            Self::Failed => "failed",
        }
    }

    /// Whether it is one of [`Outcome::OPEN`].
    #[must_use]
    pub fn is_open(self) -> bool {
        Self::OPEN.contains(&self)
    }

    fn parse(name: &str) -> Result<Self, StoreError> {
        Self::ALL
            .into_iter()
            .find(|outcome| outcome.as_str() == name)
            .ok_or_else(|| StoreError::Unreadable(format!("the outcome of an event: {name:?}")))
    }
}

/// [`Outcome::OPEN`] as a list in SQL.
pub(crate) fn open_outcomes() -> String {
    Outcome::OPEN
        .map(|outcome| format!("'{}'", outcome.as_str()))
        .join(", ")
}

/// An event and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookEvent {
    /// Its id, the same each time that it is sent.
    pub id: String,
    /// Its name, such as `subscription.active`.
    pub kind: String,
    /// When it first came.
    pub received_at: Instant,
    /// Whom it is about, if that is known.
    pub user: Option<UserId>,
    /// What became of it.
    pub outcome: Outcome,
    /// JSON for the operator: the provider's ids in it, and remarks.
    pub detail: Option<String>,
}

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
    Now(Outcome),
    /// Another one before it counted.
    Before,
}

/// Records what became of an event, and tells whether this delivery of it is the one that counts.
///
/// What changed the user's state is in there: to have it sent again only for the record, perhaps ten times until the
/// provider gives up on this endpoint, is worse than a gap in the record. What is nowhere else must get into it.
///
/// # Errors
/// When the ledger fails, and nothing else would tell of the event.
pub async fn record<C: Sql>(
    ledger: &SqlLedger<C>,
    event: &WebhookEvent,
    effect: Effect,
) -> Result<Delivered, StoreError> {
    let is_first = match insert(ledger, event).await {
        Ok(is_first) => is_first,
        Err(error) if effect == Effect::Nothing && event.outcome != Outcome::Ignored => {
            return Err(error);
        }
        Err(error) => {
            let (id, outcome) = (&event.id, event.outcome.as_str());
            eprintln!("event {id} is {outcome} and could not be recorded: {error}");
            true
        }
    };
    Ok(delivered(event.outcome, effect, is_first))
}

/// Copies that come at once are recorded in any order, so the one that changed the state is told apart by that.
fn delivered(outcome: Outcome, effect: Effect, is_first: bool) -> Delivered {
    let counts = match effect {
        _ if outcome.is_open() => true,
        Effect::Changed => true,
        Effect::Known => false,
        Effect::Nothing => is_first,
    };
    if counts {
        Delivered::Now(outcome)
    } else {
        Delivered::Before
    }
}

/// False where it was recorded before: a final outcome stays as it is, while an open one gives way to the new one.
async fn insert<C: Sql>(ledger: &SqlLedger<C>, event: &WebhookEvent) -> Result<bool, StoreError> {
    let sql = format!(
        "INSERT INTO webhook_events (id, type, received_at, user_id, outcome, detail) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
         ON CONFLICT (id) DO UPDATE SET user_id = excluded.user_id, outcome = excluded.outcome, \
         detail = excluded.detail WHERE webhook_events.outcome IN ({}) RETURNING id",
        open_outcomes(),
    );
    let rows = ledger
        .query(
            event.received_at,
            &sql,
            [
                text(&event.id),
                text(&event.kind),
                seconds(event.received_at),
                optional_value(event.user.as_ref().map(UserId::as_str)),
                text(event.outcome.as_str()),
                optional_value(event.detail.as_deref()),
            ],
        )
        .await?;
    Ok(!rows.is_empty())
}

/// The event of that id.
///
/// # Errors
/// When the ledger fails.
pub async fn find<C: Sql>(
    ledger: &SqlLedger<C>,
    id: &str,
    now: Instant,
) -> Result<Option<WebhookEvent>, StoreError> {
    let rows = ledger
        .query(
            now,
            "SELECT id, type, received_at, user_id, outcome, detail FROM webhook_events WHERE id = ?1",
            [text(id)],
        )
        .await?;
    rows.first().map(recorded).transpose()
}

/// Up to `most` events that are open, the newest first: what an operator should look at.
///
/// # Errors
/// When the ledger fails.
pub async fn unmapped<C: Sql>(
    ledger: &SqlLedger<C>,
    most: u32,
    now: Instant,
) -> Result<Vec<WebhookEvent>, StoreError> {
    let sql = format!(
        "SELECT id, type, received_at, user_id, outcome, detail FROM webhook_events \
         WHERE outcome IN ({}) ORDER BY received_at DESC, id LIMIT ?1",
        open_outcomes(),
    );
    let rows = ledger
        .query(now, &sql, [Value::Integer(most.into())])
        .await?;
    rows.iter().map(recorded).collect()
}

/// How many events are open.
///
/// # Errors
/// When the ledger fails.
pub async fn count_unmapped<C: Sql>(
    ledger: &SqlLedger<C>,
    now: Instant,
) -> Result<u64, StoreError> {
    let open = open_outcomes();
    let sql = format!("SELECT COUNT(*) FROM webhook_events WHERE outcome IN ({open})");
    let rows = ledger.query(now, &sql, []).await?;
    required(only_row(&rows)?, 0)
}

fn recorded(row: &Row) -> Result<WebhookEvent, StoreError> {
    Ok(WebhookEvent {
        id: required_text(row, 0)?,
        kind: required_text(row, 1)?,
        received_at: required_instant(row, 2)?,
        user: optional_text(row, 3)?.and_then(|id| UserId::parse(&id).ok()),
        outcome: Outcome::parse(&required_text(row, 4)?)?,
        detail: optional_text(row, 5)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_have_names_of_their_own() {
        for outcome in Outcome::ALL {
            assert_eq!(Outcome::parse(outcome.as_str()).ok(), Some(outcome));
        }
        let error = Outcome::parse("lost").err().map(|error| error.to_string());
        assert!(error.is_some_and(|error| error.contains("\"lost\"")));
    }

    #[test]
    fn one_of_several_deliveries_counts() {
        let check = |outcome, effect, is_first, expected| {
            assert_eq!(
                delivered(outcome, effect, is_first),
                expected,
                "{outcome:?} {effect:?} {is_first}"
            );
        };
        let applied = Delivered::Now(Outcome::Applied);
        // Copies at once: whichever is recorded first, it is the one that changed the state.
        check(Outcome::Applied, Effect::Changed, true, applied);
        check(Outcome::Applied, Effect::Changed, false, applied);
        check(Outcome::Applied, Effect::Known, true, Delivered::Before);
        check(Outcome::Applied, Effect::Known, false, Delivered::Before);
        for outcome in [Outcome::Applied, Outcome::Ignored, Outcome::Outdated] {
            check(outcome, Effect::Nothing, true, Delivered::Now(outcome));
            check(outcome, Effect::Nothing, false, Delivered::Before);
        }
        // What is open is open each time, until it comes to something else.
        for outcome in Outcome::OPEN {
            for effect in [Effect::Changed, Effect::Known, Effect::Nothing] {
                check(outcome, effect, true, Delivered::Now(outcome));
            }
        }
    }
}

//! Events about plans and what became of them: the ledger's `webhook_events`.

use talktime_usage::{EventOutcome, Timestamp, UserId};

use crate::error::StoreError;
use crate::sql::{
    Row, Sql, Value, only_row, optional_text, optional_value, required, required_instant,
    required_text, seconds, text,
};
use crate::sqlite::SqlLedger;

/// [`EventOutcome::OPEN`] as a list in SQL.
pub(crate) fn open_outcomes() -> String {
    EventOutcome::OPEN
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
    pub received_at: Timestamp,
    /// Whom it is about, if that is known.
    pub user: Option<UserId>,
    /// What became of it.
    pub outcome: EventOutcome,
    /// JSON for the operator: the provider's ids in it, and remarks.
    pub detail: Option<String>,
}

/// False where it was recorded before: a final outcome stays as it is, while an open one gives way to the new one.
pub(crate) async fn insert<C: Sql>(
    ledger: &SqlLedger<C>,
    event: &WebhookEvent,
) -> Result<bool, StoreError> {
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
    now: Timestamp,
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
    now: Timestamp,
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
    now: Timestamp,
) -> Result<u64, StoreError> {
    let open = open_outcomes();
    let sql = format!("SELECT COUNT(*) FROM webhook_events WHERE outcome IN ({open})");
    let rows = ledger.query(now, &sql, []).await?;
    required(only_row(&rows)?, 0)
}

fn named(name: &str) -> Result<EventOutcome, StoreError> {
    EventOutcome::ALL
        .into_iter()
        .find(|outcome| outcome.as_str() == name)
        .ok_or_else(|| StoreError::Unreadable(format!("the outcome of an event: {name:?}")))
}

fn recorded(row: &Row) -> Result<WebhookEvent, StoreError> {
    Ok(WebhookEvent {
        id: required_text(row, 0)?,
        kind: required_text(row, 1)?,
        received_at: required_instant(row, 2)?,
        user: optional_text(row, 3)?.and_then(|id| UserId::parse(&id).ok()),
        outcome: named(&required_text(row, 4)?)?,
        detail: optional_text(row, 5)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_have_names_of_their_own() {
        for outcome in EventOutcome::ALL {
            assert_eq!(named(outcome.as_str()).ok(), Some(outcome));
        }
        let error = named("lost").err().map(|error| error.to_string());
        assert!(error.is_some_and(|error| error.contains("\"lost\"")));
    }
}

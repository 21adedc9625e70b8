//! The billing provider's events and what became of them: the ledger's `webhook_events`.

use spin_sdk::sqlite::{RowResult, Value};
use talktime_usage::{Instant, UserId};

use crate::error::StoreError;
use crate::sql::{
    Sql, optional_text, optional_value, required, required_instant, required_text, seconds, text,
};
use crate::sqlite::SqlLedger;

/// The outcomes of events that an operator should look at, and that may come to another outcome when they are sent again.
/// Every other outcome is final. The SQL below repeats the list.
pub const OPEN_OUTCOMES: [&str; 3] = ["unmapped", "unknown_product", "failed"];

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
    pub outcome: String,
    /// JSON for the operator: the provider's ids in it, and remarks.
    pub detail: Option<String>,
}

/// Records an event. False where it was recorded before: a final outcome stays as it is, while one of
/// [`OPEN_OUTCOMES`] gives way to the new one.
///
/// # Errors
/// When the ledger fails.
pub async fn record<C: Sql>(
    ledger: &SqlLedger<C>,
    event: &WebhookEvent,
) -> Result<bool, StoreError> {
    let rows = ledger
        .query(
            event.received_at,
            "INSERT INTO webhook_events (id, type, received_at, user_id, outcome, detail) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
             ON CONFLICT (id) DO UPDATE SET user_id = excluded.user_id, outcome = excluded.outcome, \
             detail = excluded.detail WHERE webhook_events.outcome IN ('unmapped', 'unknown_product', 'failed') \
             RETURNING id",
            [
                text(&event.id),
                text(&event.kind),
                seconds(event.received_at),
                optional_value(event.user.as_ref().map(UserId::as_str)),
                text(&event.outcome),
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

/// Up to `most` events with one of [`OPEN_OUTCOMES`], the newest first: what an operator should look at.
///
/// # Errors
/// When the ledger fails.
pub async fn unmapped<C: Sql>(
    ledger: &SqlLedger<C>,
    most: u32,
    now: Instant,
) -> Result<Vec<WebhookEvent>, StoreError> {
    let rows = ledger
        .query(
            now,
            "SELECT id, type, received_at, user_id, outcome, detail FROM webhook_events \
             WHERE outcome IN ('unmapped', 'unknown_product', 'failed') ORDER BY received_at DESC, id LIMIT ?1",
            [Value::Integer(most.into())],
        )
        .await?;
    rows.iter().map(recorded).collect()
}

/// How many events have one of [`OPEN_OUTCOMES`].
///
/// # Errors
/// When the ledger fails.
pub async fn count_unmapped<C: Sql>(
    ledger: &SqlLedger<C>,
    now: Instant,
) -> Result<u64, StoreError> {
    let sql = "SELECT COUNT(*) FROM webhook_events WHERE outcome IN ('unmapped', 'unknown_product', 'failed')";
    let rows = ledger.query(now, sql, []).await?;
    rows.first().map_or(Ok(0), |row| required(row, 0))
}

fn recorded(row: &RowResult) -> Result<WebhookEvent, StoreError> {
    Ok(WebhookEvent {
        id: required_text(row, 0)?,
        kind: required_text(row, 1)?,
        received_at: required_instant(row, 2)?,
        user: optional_text(row, 3)?.and_then(|id| UserId::parse(&id).ok()),
        outcome: required_text(row, 4)?,
        detail: optional_text(row, 5)?,
    })
}

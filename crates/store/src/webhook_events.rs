//! The billing provider's events and what became of them: the ledger's `webhook_events`.

use spin_sdk::sqlite::{RowResult, Value};
use talktime_usage::{Instant, UserId};

use crate::error::StoreError;
use crate::sqlite::{SpinSqlite, seconds, text};

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
pub async fn record(ledger: &SpinSqlite, event: &WebhookEvent) -> Result<bool, StoreError> {
    let optional = |value: Option<&str>| value.map_or(Value::Null, text);
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
                optional(event.user.as_ref().map(UserId::as_str)),
                text(&event.outcome),
                optional(event.detail.as_deref()),
            ],
        )
        .await?;
    Ok(!rows.is_empty())
}

/// The event of that id.
///
/// # Errors
/// When the ledger fails.
pub async fn find(
    ledger: &SpinSqlite,
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
    Ok(rows.first().map(recorded))
}

/// Up to `most` events with one of [`OPEN_OUTCOMES`], the newest first: what an operator should look at.
///
/// # Errors
/// When the ledger fails.
pub async fn unmapped(
    ledger: &SpinSqlite,
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
    Ok(rows.iter().map(recorded).collect())
}

fn recorded(row: &RowResult) -> WebhookEvent {
    let column = |index| row.get::<&str>(index).map(str::to_owned);
    WebhookEvent {
        id: column(0).unwrap_or_default(),
        kind: column(1).unwrap_or_default(),
        received_at: Instant::from_unix_seconds(row.get(2).unwrap_or(0)),
        user: column(3).and_then(|id| UserId::parse(&id).ok()),
        outcome: column(4).unwrap_or_default(),
        detail: column(5),
    }
}

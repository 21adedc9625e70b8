//! Plan updates that a webhook relay sends with an event's id: each counts once, however late it comes again.
//!
//! The user's state remembers the last few only, which is enough for copies that come at once. So what became of each is
//! kept in the ledger's `webhook_events` too, once it is done.

use serde_json::json;
use talktime_http::{Problem, now};
use talktime_store::webhook_events::{self, WebhookEvent};
use talktime_store::{SpinSqlite, WriteMark};
use talktime_usage::{PlanOutcome, Repeat, UserId};

const KIND: &str = "update-plan";

/// Apart from the billing provider's own ids, and for each user its own.
fn id(mark: &WriteMark) -> String {
    let (WriteMark::Once(id) | WriteMark::Repeatable(Repeat { id, .. })) = mark;
    format!("{KIND}:{}", id.as_str())
}

fn name(outcome: PlanOutcome) -> &'static str {
    match outcome {
        PlanOutcome::Applied | PlanOutcome::Repeated => "applied",
        PlanOutcome::Outdated => "outdated",
    }
}

/// What became of the update of that mark, if it has come before.
pub async fn outcome(
    ledger: &SpinSqlite,
    mark: &WriteMark,
) -> Result<Option<PlanOutcome>, Problem> {
    let event = webhook_events::find(ledger, &id(mark), now()).await?;
    Ok(event.map(|event| {
        if event.outcome == name(PlanOutcome::Applied) {
            PlanOutcome::Applied
        } else {
            PlanOutcome::Outdated
        }
    }))
}

/// Keeps what became of it. Should this fail, the relay sends it again, and the state still knows it.
pub async fn record(
    ledger: &SpinSqlite,
    mark: &WriteMark,
    user: &UserId,
    event: &str,
    outcome: PlanOutcome,
) -> Result<(), Problem> {
    let row = WebhookEvent {
        id: id(mark),
        kind: KIND.to_owned(),
        received_at: now(),
        user: Some(user.clone()),
        outcome: name(outcome).to_owned(),
        detail: Some(json!({"event_id": event}).to_string()),
    };
    webhook_events::record(ledger, &row).await?;
    Ok(())
}

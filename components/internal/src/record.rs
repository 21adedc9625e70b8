//! What is kept of a plan update in the ledger's `webhook_events`: who was granted what, and when, whoever asked for it.
//! By it an update that a relay sends again is known again, however late.

use serde_json::{Value, json};
use talktime_store::WriteMark;
use talktime_store::webhook_events::WebhookEvent;
use talktime_usage::{EventOutcome, Repeat, Timestamp};
use talktime_wire::internal::{PlanAction, UpdatePlanBody};

use crate::plan_update::Update;

const KIND: &str = "update-plan";

/// Apart from the billing provider's own ids, and for each user its own.
pub fn id(mark: &WriteMark) -> String {
    let (WriteMark::Once(id) | WriteMark::Repeatable(Repeat { id, .. })) = mark;
    format!("{KIND}:{}", id.as_str())
}

/// The row of an update.
pub fn row(
    mark: &WriteMark,
    body: &UpdatePlanBody,
    update: &Update,
    outcome: EventOutcome,
    received_at: Timestamp,
) -> WebhookEvent {
    let mut detail = json!({
        "action": match body.action {
            PlanAction::Upgrade => "upgrade",
            PlanAction::Downgrade => "downgrade",
            PlanAction::Cancel => "cancel",
        },
        "plan": body.plan,
        "subscription_id": body.subscription_id.as_ref().map(ToString::to_string),
        "event_id": body.event_id,
        "period_start": body.period_start,
        "period_end": body.period_end,
        "ends_at": body.ends_at,
    });
    if let Value::Object(fields) = &mut detail {
        fields.retain(|_, value| !value.is_null());
        if body.reset_usage {
            fields.insert("reset_usage".to_owned(), true.into());
        }
        let taken = update.news.iter().flat_map(|news| &news.taken);
        let from: Vec<&str> = taken.map(|(_, user)| user.as_str()).collect();
        for (name, texts) in [
            ("taken_from", Value::from(from)),
            ("remarks", Value::from(update.remarks.as_slice())),
        ] {
            if texts != json!([]) {
                fields.insert(name.to_owned(), texts);
            }
        }
    }
    WebhookEvent {
        id: id(mark),
        kind: KIND.to_owned(),
        received_at,
        user: Some(body.user_id.clone()),
        outcome,
        detail: Some(detail.to_string()),
    }
}

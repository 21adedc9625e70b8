//! What is kept of an event in the ledger's `webhook_events`.

use serde_json::{Map, Value};
use talktime_api::webhook::WebhookOutcome;
use talktime_store::webhook_events::{OPEN_OUTCOMES, WebhookEvent};
use talktime_usage::Instant;

use crate::decision::Decision;
use crate::event::{Event, clipped};

/// The row of an event. Its detail holds the provider's ids and remarks: no name, no e-mail address.
#[must_use]
pub fn row(
    id: &str,
    event: &Event,
    decision: &Decision,
    outcome: WebhookOutcome,
    received_at: Instant,
) -> WebhookEvent {
    let ids = event
        .ids
        .iter()
        .map(|(name, id)| ((*name).to_owned(), Value::from(id.as_str())));
    let mut detail: Map<String, Value> = ids.collect();
    if !decision.remarks.is_empty() {
        detail.insert(
            "remarks".to_owned(),
            Value::from(decision.remarks.as_slice()),
        );
    }
    WebhookEvent {
        id: id.to_owned(),
        kind: clipped(&event.kind),
        received_at,
        user: decision.user.clone(),
        outcome: outcome.as_str().to_owned(),
        detail: (!detail.is_empty()).then(|| Value::Object(detail).to_string()),
    }
}

/// Whether nothing but the row tells of an event with this outcome, so that it must not get lost.
#[must_use]
pub fn is_only_trace(outcome: WebhookOutcome) -> bool {
    OPEN_OUTCOMES.contains(&outcome.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::decision::Action;

    #[test]
    fn an_unmapped_event_is_kept_with_its_ids_and_nothing_personal() {
        let body = include_bytes!("../tests/fixtures/subscription.active.unmapped.json");
        let event = Event::parse(body).expect("an event");
        let decision = Decision {
            user: None,
            action: Action::Unmapped,
            remarks: vec!["nobody".to_owned()],
        };
        let at = Instant::from_unix_seconds(1_790_845_210);
        let mut kept = row("evt_1", &event, &decision, WebhookOutcome::Unmapped, at);
        let detail: Value =
            serde_json::from_str(&kept.detail.take().expect("a detail")).expect("JSON");
        let expected_detail = json!({
            "subscription_id": "50b00000-0000-4000-8000-000000000001",
            "customer_id": "c0500000-0000-4000-8000-000000000002",
            "product_id": "9d0d0000-0000-4000-8000-000000000003",
            "remarks": ["nobody"],
        });
        assert_eq!(detail, expected_detail);
        let expected = WebhookEvent {
            id: "evt_1".to_owned(),
            kind: "subscription.active".to_owned(),
            received_at: at,
            user: None,
            outcome: "unmapped".to_owned(),
            detail: None,
        };
        assert_eq!(kept, expected);
    }

    #[test]
    fn what_is_not_in_a_users_state_must_be_recorded() {
        let only: Vec<_> = WebhookOutcome::ALL
            .into_iter()
            .filter(|outcome| is_only_trace(*outcome))
            .collect();
        let expected = [
            WebhookOutcome::Unmapped,
            WebhookOutcome::UnknownProduct,
            WebhookOutcome::Failed,
        ];
        assert_eq!(only, expected);
    }
}

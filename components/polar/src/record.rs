//! What is kept of an event in the ledger's `webhook_events`.

use serde_json::{Map, Value, json};
use talktime_store::webhook_events::{Outcome, WebhookEvent};
use talktime_usage::Instant;

use crate::decision::{Action, Decision};
use crate::event::{Event, EventError, clipped};

/// What stands for the type of an event that cannot be read.
const UNREADABLE: &str = "unreadable";

/// The row of an event. Its detail holds the provider's ids and remarks: no name, no e-mail address.
#[must_use]
pub fn row(
    id: &str,
    event: &Event,
    decision: &Decision,
    outcome: Outcome,
    received_at: Instant,
) -> WebhookEvent {
    let ids = event
        .ids
        .iter()
        .map(|(name, id)| ((*name).to_owned(), Value::from(id.as_str())));
    let mut detail: Map<String, Value> = ids.collect();
    if let Action::Apply(news) = &decision.action
        && !news.taken.is_empty()
    {
        let from = news.taken.iter().map(|(_, user)| user.as_str());
        detail.insert("taken_from".to_owned(), from.collect());
    }
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
        outcome,
        detail: (!detail.is_empty()).then(|| Value::Object(detail).to_string()),
    }
}

/// The row of a body that the provider has signed and nobody can read. It comes again just so, and is looked at in the
/// provider's own log of deliveries.
#[must_use]
pub fn unreadable(id: &str, error: EventError, body: &[u8], received_at: Instant) -> WebhookEvent {
    WebhookEvent {
        id: id.to_owned(),
        kind: UNREADABLE.to_owned(),
        received_at,
        user: None,
        outcome: Outcome::Failed,
        detail: Some(json!({"bytes": body.len(), "remarks": [error.to_string()]}).to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_unmapped_event_is_kept_with_its_ids_and_nothing_personal() {
        let body = include_bytes!("../tests/fixtures/subscription.active.unmapped.json");
        let event = Event::parse(body).expect("an event");
        let decision = Decision {
            user: None,
            action: Action::Unmapped,
            without_plan: Vec::new(),
            is_timed: true,
            remarks: vec!["nobody".to_owned()],
        };
        let at = Instant::from_unix_seconds(1_790_845_210);
        let mut kept = row("evt_1", &event, &decision, Outcome::Unmapped, at);
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
            outcome: Outcome::Unmapped,
            detail: None,
        };
        assert_eq!(kept, expected);
    }

    #[test]
    fn a_body_that_cannot_be_read_is_kept_by_its_size() {
        let at = Instant::from_unix_seconds(1_790_845_210);
        let kept = unreadable("evt_1", EventError::Type, b"[]", at);
        let detail = r#"{"bytes":2,"remarks":["the body is not an object with a text \"type\""]}"#;
        let expected = WebhookEvent {
            id: "evt_1".to_owned(),
            kind: "unreadable".to_owned(),
            received_at: at,
            user: None,
            outcome: Outcome::Failed,
            detail: Some(detail.to_owned()),
        };
        assert_eq!(kept, expected);
    }
}

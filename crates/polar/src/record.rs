//! What is kept of an event for the operator, whatever becomes of it.

use serde_json::{Map, Value, json};

use crate::decision::{Action, Decision};
use crate::event::{Event, EventError, clipped};

/// What stands for the type of an event that cannot be read.
const UNREADABLE: &str = "unreadable";

/// What is kept of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its name, such as `subscription.active`.
    pub kind: String,
    /// JSON: the provider's ids in it, and remarks. No name, no e-mail address.
    pub detail: Option<String>,
}

impl Record {
    /// That of an event, and of what was decided about it.
    #[must_use]
    pub fn of(event: &Event, decision: &Decision) -> Self {
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
        Self {
            kind: clipped(&event.kind),
            detail: (!detail.is_empty()).then(|| Value::Object(detail).to_string()),
        }
    }

    /// That of a body that the provider has signed and nobody can read. It comes again just so, and is looked at in the
    /// provider's own log of deliveries.
    #[must_use]
    pub fn unreadable(error: EventError, body: &[u8]) -> Self {
        Self {
            kind: UNREADABLE.to_owned(),
            detail: Some(json!({"bytes": body.len(), "remarks": [error.to_string()]}).to_string()),
        }
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
        let kept = Record::of(&event, &decision);
        assert_eq!(kept.kind, "subscription.active");
        let detail: Value = serde_json::from_str(&kept.detail.expect("a detail")).expect("JSON");
        let expected_detail = json!({
            "subscription_id": "50b00000-0000-4000-8000-000000000001",
            "customer_id": "c0500000-0000-4000-8000-000000000002",
            "product_id": "9d0d0000-0000-4000-8000-000000000003",
            "remarks": ["nobody"],
        });
        assert_eq!(detail, expected_detail);
    }

    #[test]
    fn a_body_that_cannot_be_read_is_kept_by_its_size() {
        let kept = Record::unreadable(EventError::Type, b"[]");
        let detail = r#"{"bytes":2,"remarks":["the body is not an object with a text \"type\""]}"#;
        let expected = Record {
            kind: "unreadable".to_owned(),
            detail: Some(detail.to_owned()),
        };
        assert_eq!(kept, expected);
    }
}

//! The provider's events, as far as Talktime cares, read with a tolerant eye: unknown fields, nulls, missing fields and
//! fields of another type are no reason to refuse an event, because a refused one comes again and again.

use std::collections::BTreeMap;

use chrono::DateTime;
use serde_json::Value;
use talktime_usage::{Instant, Period};

/// How much of a text is kept for the operator.
const KEPT_CHARACTERS_MAX: usize = 128;

/// An event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its name, such as `subscription.active`.
    pub kind: String,
    /// When it happened, in microseconds since the epoch, where it tells.
    pub unix_micros: Option<i64>,
    /// Whom it is about, as the web app named them when they bought.
    pub user: Option<String>,
    /// What it is about.
    pub subject: Subject,
    /// The provider's ids in it, so that an operator can look it up there. No name, no e-mail address.
    pub ids: BTreeMap<&'static str, String>,
}

/// What an event is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Subject {
    /// One subscription.
    Subscription(Subscription),
    /// A customer, with all active subscriptions if the event lists them.
    Customer(Option<Vec<Subscription>>),
    /// Nothing that changes a plan.
    Other,
}

/// A subscription as an event tells of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Subscription {
    /// Its id.
    pub id: Option<String>,
    /// How it stands.
    pub status: Option<String>,
    /// What is subscribed to.
    pub product: Option<String>,
    /// The plan that the product names in its metadata.
    pub product_plan: Option<String>,
    /// The plan that the subscription names in its own metadata.
    pub own_plan: Option<String>,
    /// The paid period.
    pub period: Option<Period>,
}

/// Why a body is no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Not JSON, or nested too deep.
    #[error("The body is not JSON")]
    Json,
    /// Without it nobody knows what the rest means.
    #[error("The body must be an object with a text \"type\"")]
    Type,
}

impl Event {
    /// Reads an event.
    ///
    /// # Errors
    /// When the body is no JSON object with a type.
    pub fn parse(body: &[u8]) -> Result<Self, EventError> {
        let envelope: Value = serde_json::from_slice(body).map_err(|_| EventError::Json)?;
        let kind = text(&envelope, "/type").ok_or(EventError::Type)?;
        let data = envelope.get("data").unwrap_or(&Value::Null);
        let subject = subject(kind, data);
        let (subscription, customer) = match &subject {
            Subject::Subscription(_) => ("/id", "/customer_id"),
            Subject::Customer(_) => ("/subscription_id", "/id"),
            Subject::Other => ("/subscription_id", "/customer_id"),
        };
        let ids = [
            ("subscription_id", subscription),
            ("customer_id", customer),
            ("customer_id", "/customer/id"),
            ("product_id", "/product_id"),
            ("product_id", "/product/id"),
        ];
        let mut kept = BTreeMap::new();
        for (name, path) in ids {
            if let Some(id) = text(data, path) {
                kept.entry(name).or_insert_with(|| clipped(id));
            }
        }
        // A customer's own event has at the top what others have in `customer`.
        let external_id = match &subject {
            Subject::Customer(_) => "/external_id",
            _ => "/customer/external_id",
        };
        Ok(Self {
            kind: kind.to_owned(),
            unix_micros: micros(&envelope, "/timestamp").or_else(|| micros(data, "/modified_at")),
            user: [
                external_id,
                "/metadata/user_id",
                "/customer/metadata/user_id",
            ]
            .iter()
            .find_map(|path| metadata(data, path)),
            subject,
            ids: kept,
        })
    }
}

/// As much of a text as is kept for the operator.
#[must_use]
pub fn clipped(text: &str) -> String {
    text.chars().take(KEPT_CHARACTERS_MAX).collect()
}

fn subject(kind: &str, data: &Value) -> Subject {
    match kind {
        // A later name with another kind of data must not be taken for news of a subscription. Nothing is lost by the
        // list: each change is told by `subscription.updated` too.
        "subscription.created"
        | "subscription.updated"
        | "subscription.active"
        | "subscription.canceled"
        | "subscription.uncanceled"
        | "subscription.cycled"
        | "subscription.past_due"
        | "subscription.revoked"
        | "subscription.paused"
        | "subscription.resumed"
        | "subscription.migrated" => Subject::Subscription(Subscription::of(data)),
        "customer.state_changed" => Subject::Customer(
            data.get("active_subscriptions")
                .and_then(Value::as_array)
                .map(|listed| listed.iter().map(Subscription::of).collect()),
        ),
        _ => Subject::Other,
    }
}

impl Subscription {
    fn of(data: &Value) -> Self {
        let owned = |path| text(data, path).map(str::to_owned);
        let at = |path| Instant::parse_rfc3339(text(data, path)?).ok();
        Self {
            id: owned("/id"),
            status: owned("/status"),
            product: owned("/product_id").or_else(|| owned("/product/id")),
            product_plan: metadata(data, "/product/metadata/plan"),
            own_plan: metadata(data, "/metadata/plan"),
            period: at("/current_period_start")
                .zip(at("/current_period_end"))
                .and_then(|(start, end)| Period::paid(start, end).ok()),
        }
    }
}

/// The text at a path, unless it is empty.
fn text<'a>(value: &'a Value, path: &str) -> Option<&'a str> {
    value
        .pointer(path)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
}

/// The value of a field that people fill in, who write a number where a text is meant.
fn metadata(value: &Value, path: &str) -> Option<String> {
    match value.pointer(path)? {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn micros(value: &Value, path: &str) -> Option<i64> {
    let at = DateTime::parse_from_rfc3339(text(value, path)?).ok()?;
    Some(at.timestamp_micros())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ACTIVE: &[u8] = include_bytes!("../tests/fixtures/subscription.active.json");
    const STATE: &[u8] = include_bytes!("../tests/fixtures/customer.state_changed.json");

    fn parsed(event: &Value) -> Event {
        Event::parse(event.to_string().as_bytes()).expect("an event")
    }

    fn subscription(event: &Event) -> Subscription {
        match &event.subject {
            Subject::Subscription(subscription) => subscription.clone(),
            other => panic!("not a subscription: {other:?}"),
        }
    }

    #[test]
    fn a_real_event_is_read() {
        let event = Event::parse(ACTIVE).expect("an event");
        let at = |text| Instant::parse_rfc3339(text).expect("a time");
        let expected = Event {
            kind: "subscription.active".to_owned(),
            unix_micros: Some(1_790_845_205_120_000),
            user: Some("user_42".to_owned()),
            subject: Subject::Subscription(Subscription {
                id: Some("50b00000-0000-4000-8000-000000000001".to_owned()),
                status: Some("active".to_owned()),
                product: Some("9d0d0000-0000-4000-8000-000000000003".to_owned()),
                product_plan: Some("pro".to_owned()),
                own_plan: None,
                period: Period::new(at("2026-10-01T09:00:00Z"), at("2026-11-01T09:00:00Z")).ok(),
            }),
            ids: BTreeMap::from([
                (
                    "customer_id",
                    "c0500000-0000-4000-8000-000000000002".to_owned(),
                ),
                (
                    "product_id",
                    "9d0d0000-0000-4000-8000-000000000003".to_owned(),
                ),
                (
                    "subscription_id",
                    "50b00000-0000-4000-8000-000000000001".to_owned(),
                ),
            ]),
        };
        assert_eq!(event, expected);
    }

    #[test]
    fn a_customers_state_is_read() {
        let event = Event::parse(STATE).expect("an event");
        assert_eq!(event.user.as_deref(), Some("user_42"));
        let Subject::Customer(Some(listed)) = &event.subject else {
            panic!("no list: {event:?}");
        };
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].status.as_deref(), Some("active"));
        assert!(listed[0].period.is_some());

        let absent = [
            json!({}),
            json!({"active_subscriptions": null}),
            json!("x"),
            json!(null),
        ];
        for data in absent {
            let event = parsed(&json!({"type": "customer.state_changed", "data": data}));
            assert_eq!(event.subject, Subject::Customer(None), "{data}");
        }
        let data = json!({"active_subscriptions": []});
        let none = parsed(&json!({"type": "customer.state_changed", "data": data}));
        assert_eq!(none.subject, Subject::Customer(Some(Vec::new())));
    }

    #[test]
    fn what_is_no_event_says_so() {
        let check = |body: &[u8], expected| {
            assert_eq!(Event::parse(body), Err(expected), "{body:?}");
        };
        check(b"", EventError::Json);
        check(b"{", EventError::Json);
        check(b"\xff", EventError::Json);
        check(b"{} {}", EventError::Json);
        check(b"[]", EventError::Type);
        check(b"null", EventError::Type);
        check(b"{}", EventError::Type);
        check(br#"{"type": 1}"#, EventError::Type);
        check(br#"{"type": ""}"#, EventError::Type);
        let deep = [b"{\"type\":\"x\",\"data\":".to_vec(), b"[".repeat(60_000)].concat();
        check(&deep, EventError::Json);
        let closed = format!(
            "{{\"type\":\"x\",\"data\":{}{}}}",
            "[".repeat(9_999),
            "]".repeat(9_999)
        );
        check(closed.as_bytes(), EventError::Json);
    }

    #[test]
    fn odd_and_missing_fields_are_passed_over() {
        let odd = [
            json!(null),
            json!([]),
            json!("x"),
            json!({}),
            json!({"id": 1, "status": true, "customer": "x", "product": [], "metadata": null}),
            json!({"id": null, "status": null, "customer": null, "product": null, "metadata": 3}),
            json!({"current_period_start": 5, "current_period_end": "tomorrow"}),
        ];
        for data in odd {
            let event =
                parsed(&json!({"type": "subscription.updated", "timestamp": 5, "data": data}));
            assert_eq!(subscription(&event), Subscription::default(), "{data}");
            assert_eq!((event.user, event.unix_micros), (None, None), "{data}");
            assert!(event.ids.is_empty(), "{data}");
        }
        let bare = parsed(&json!({"type": "subscription.active"}));
        assert_eq!(subscription(&bare), Subscription::default());
    }

    #[test]
    fn the_user_is_the_one_that_the_web_app_named() {
        let check = |data: Value, expected: Option<&str>| {
            let event = parsed(&json!({"type": "subscription.active", "data": data}));
            assert_eq!(event.user.as_deref(), expected, "{data}");
        };
        let both = json!({"customer": {"external_id": "a", "metadata": {"user_id": "c"}}, "metadata": {"user_id": "b"}});
        check(both, Some("a"));
        check(
            json!({"customer": {"external_id": null, "metadata": {"user_id": "c"}}, "metadata": {"user_id": "b"}}),
            Some("b"),
        );
        check(
            json!({"customer": {"external_id": "", "metadata": {"user_id": "c"}}}),
            Some("c"),
        );
        check(json!({"metadata": {"user_id": 42}}), Some("42"));
        check(json!({"metadata": {"user_id": true}}), None);
        // At the top it is a customer's own field, and this is no customer.
        check(json!({"external_id": "a"}), None);

        let state =
            |data: Value| parsed(&json!({"type": "customer.state_changed", "data": data})).user;
        assert_eq!(state(json!({"external_id": "a"})).as_deref(), Some("a"));
        assert_eq!(
            state(json!({"metadata": {"user_id": "b"}})).as_deref(),
            Some("b")
        );
        assert_eq!(state(json!({"id": "c", "email": "a@example.test"})), None);
    }

    #[test]
    fn the_time_is_the_envelopes_else_the_changes() {
        let check = |timestamp: Value, modified: Value, expected| {
            let event = parsed(
                &json!({"type": "x", "timestamp": timestamp, "data": {"modified_at": modified}}),
            );
            assert_eq!(event.unix_micros, expected, "{timestamp} {modified}");
        };
        let modified = "2026-10-01T09:00:05Z";
        check(
            json!("2026-10-01T09:00:05.123456Z"),
            json!(modified),
            Some(1_790_845_205_123_456),
        );
        check(
            json!("2026-10-01T11:00:05.5+02:00"),
            json!(null),
            Some(1_790_845_205_500_000),
        );
        check(json!(null), json!(modified), Some(1_790_845_205_000_000));
        check(json!("soon"), json!(modified), Some(1_790_845_205_000_000));
        check(json!(1_790_845_205), json!(null), None);
    }

    #[test]
    fn a_period_needs_both_ends_in_order() {
        let check = |start: Value, end: Value, expected: bool| {
            let data = json!({"current_period_start": start, "current_period_end": end});
            let event = parsed(&json!({"type": "subscription.updated", "data": data}));
            assert_eq!(subscription(&event).period.is_some(), expected, "{data}");
        };
        let (start, end) = ("2026-10-01T09:00:00Z", "2026-11-01T09:00:00Z");
        check(json!(start), json!(end), true);
        check(json!(end), json!(start), false);
        check(json!(start), json!(start), false);
        check(json!(start), json!(null), false);
        check(json!(null), json!(end), false);
        check(json!("2026-10-01"), json!(end), false);
    }
}

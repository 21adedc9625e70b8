use serde_json::json;

use super::*;

const ACTIVE: &[u8] = include_bytes!("../../tests/fixtures/subscription.active.json");
const STATE: &[u8] = include_bytes!("../../tests/fixtures/customer.state_changed.json");

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
    let expected = Event {
        kind: "subscription.active".to_owned(),
        unix_micros: Some(1_790_845_205_120_000),
        user: Some("user_42".to_owned()),
        customer: Some("c0500000-0000-4000-8000-000000000002".to_owned()),
        subject: Subject::Subscription(Subscription {
            id: Some("50b00000-0000-4000-8000-000000000001".to_owned()),
            status: Some("active".to_owned()),
            product: Some("9d0d0000-0000-4000-8000-000000000003".to_owned()),
            product_plan: Some("pro".to_owned()),
            own_plan: None,
            paid: Some((at("2026-10-01T09:00:00Z"), at("2026-11-01T09:00:00Z"))),
            ends_at: None,
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
    assert!(listed[0].paid.is_some());
    assert_eq!(
        event.customer.as_deref(),
        Some("c0500000-0000-4000-8000-000000000002")
    );

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
        let event = parsed(&json!({"type": "subscription.updated", "timestamp": 5, "data": data}));
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

    let state = |data: Value| parsed(&json!({"type": "customer.state_changed", "data": data})).user;
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

fn told(fields: &Value) -> Subscription {
    subscription(&parsed(
        &json!({"type": "subscription.updated", "data": fields}),
    ))
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).expect("a time")
}

const START: &str = "2026-10-01T09:00:00Z";
const WEEK: &str = "2026-10-08T09:00:00Z";
const END: &str = "2026-11-01T09:00:00Z";

#[test]
fn what_is_paid_for_has_two_ends() {
    let check = |start: Value, end: Value, expected: bool| {
        let data = json!({"current_period_start": start, "current_period_end": end});
        assert_eq!(told(&data).paid.is_some(), expected, "{data}");
    };
    check(json!(START), json!(END), true);
    check(json!(START), json!(null), false);
    check(json!(null), json!(END), false);
    check(json!("2026-10-01"), json!(END), false);
    // The trial's own dates tell of a trial, and of nothing else.
    let mut data = json!({
        "status": "trialing", "current_period_start": START, "current_period_end": END,
        "trial_start": START, "trial_end": WEEK,
    });
    assert_eq!(told(&data).paid, Some((at(START), at(WEEK))));
    data["status"] = json!("active");
    assert_eq!(told(&data).paid, Some((at(START), at(END))));
    data["status"] = json!("trialing");
    data["trial_end"] = json!(null);
    assert_eq!(told(&data).paid, Some((at(START), at(END))));
}

#[test]
fn the_end_that_is_to_come_is_read() {
    let check = |fields: Value, expected: Option<&str>| {
        let mut data =
            json!({"status": "active", "current_period_start": START, "current_period_end": END});
        let object = data.as_object_mut().expect("an object");
        object.extend(fields.as_object().expect("an object").clone());
        assert_eq!(told(&data).ends_at, expected.map(at), "{fields}");
    };
    check(json!({}), None);
    check(
        json!({"cancel_at_period_end": false, "ends_at": null}),
        None,
    );
    check(
        json!({"cancel_at_period_end": true, "ends_at": END}),
        Some(END),
    );
    // A date with no flag, and a flag with no date.
    check(json!({"ends_at": WEEK}), Some(WEEK));
    check(json!({"cancel_at_period_end": true}), Some(END));
    check(json!({"pause_at_period_end": true}), Some(END));
    check(
        json!({"cancel_at_period_end": true, "current_period_start": null}),
        Some(END),
    );
    check(
        json!({"cancel_at_period_end": true, "current_period_end": null}),
        None,
    );
    check(json!({"ended_at": WEEK, "ends_at": END}), Some(WEEK));
    check(
        json!({"cancel_at_period_end": "yes", "ends_at": "soon"}),
        None,
    );
    check(
        json!({"status": "trialing", "trial_start": START, "trial_end": WEEK, "cancel_at_period_end": true}),
        Some(WEEK),
    );
}

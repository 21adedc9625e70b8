mod owners;
mod rosters;

use serde_json::{Value, json};

use super::*;

const SENT: Delivery<'static> = Delivery {
    id: "evt_1",
    sent_at_seconds: 1_790_845_210,
};
const MICROS: i64 = 1_790_845_205_120_000;

/// What becomes of a body that arrives five seconds after it was stamped, where that is known by then.
fn decided_of(body: &Value, past_due: PastDue, known: &[Ownership]) -> Decision {
    let catalogue = Catalogue::default();
    let products = Products::parse(r#"{"prod_basic": "basic"}"#, &catalogue).expect("valid");
    let event = Event::parse(body.to_string().as_bytes()).expect("an event");
    let rules = Rules {
        catalogue: &catalogue,
        products: &products,
        past_due,
    };
    let arrival = Arrival {
        delivery: SENT,
        at: Timestamp::from_unix_seconds(SENT.sent_at_seconds),
        known,
    };
    decide(&event, arrival, rules)
}

fn body(kind: &str, data: &Value) -> Value {
    json!({"type": kind, "timestamp": "2026-10-01T09:00:05.120000Z", "data": data})
}

fn decided(kind: &str, data: &Value, past_due: PastDue) -> Decision {
    decided_of(&body(kind, data), past_due, &[])
}

fn action(kind: &str, data: &Value) -> Action {
    decided(kind, data, PastDue::Keep).action
}

fn subscription() -> Value {
    json!({
        "id": "sub_1", "status": "active", "product_id": "prod_pro",
        "current_period_start": "2026-10-01T09:00:00Z", "current_period_end": "2026-11-01T09:00:00Z",
        "customer": {"external_id": "user_42"},
        "product": {"id": "prod_pro", "metadata": {"plan": "pro"}},
    })
}

fn with(fields: &Value) -> Value {
    let mut data = subscription();
    let fields = fields.as_object().expect("an object").clone();
    data.as_object_mut().expect("an object").extend(fields);
    data
}

fn as_of() -> EventOrder {
    EventOrder {
        unix_micros: MICROS,
        event: "evt_1".to_owned(),
    }
}

fn user() -> UserId {
    UserId::parse("user_42").expect("an id")
}

fn id(text: &str) -> SubscriptionId {
    SubscriptionId::parse(text).expect("an id")
}

fn plan(name: &str) -> PlanName {
    Catalogue::default().find(name).expect("a plan").clone()
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).expect("a time")
}

fn october() -> Period {
    Period::new(at("2026-10-01T09:00:00Z"), at("2026-11-01T09:00:00Z")).expect("a period")
}

/// What an event about the subscription of the tests tells of whose it is.
fn told(ended: bool) -> Ownership {
    Ownership {
        subscription: id("sub_1"),
        user: user(),
        customer: None,
        named_micros: MICROS,
        last_micros: MICROS,
        ended,
    }
}

fn news(command: Command, ended: bool) -> Action {
    Action::Apply(Box::new(PlanNews {
        user: user(),
        command,
        as_of: Some(as_of()),
        told: vec![told(ended)],
        taken: Vec::new(),
    }))
}

fn change_until(granted: Option<&str>, period: Option<Period>, ends_at: Option<&str>) -> Action {
    let command = Command::ChangePlan {
        source: Source::Subscription(id("sub_1")),
        plan: granted.map(plan),
        period,
        ends_at: ends_at.map(at),
        customer: None,
        reset_usage: false,
        as_of: Some(as_of()),
    };
    news(command, granted.is_none())
}

fn change(granted: Option<&str>) -> Action {
    change_until(granted, Some(october()), None)
}

fn past_due() -> Action {
    let command = Command::PastDue {
        subscription: id("sub_1"),
        period: Some(october()),
        as_of: as_of(),
    };
    news(command, false)
}

#[test]
fn the_status_decides_whatever_the_event_is_called() {
    const NAMES: [&str; 10] = [
        "created",
        "updated",
        "active",
        "canceled",
        "uncanceled",
        "cycled",
        "past_due",
        "revoked",
        "paused",
        "resumed",
    ];
    let check = |status: Value, expected: &Action| {
        for name in NAMES {
            let data = with(&json!({"status": status}));
            assert_eq!(
                action(&format!("subscription.{name}"), &data),
                *expected,
                "{name} {status}"
            );
        }
    };
    check(json!("active"), &change(Some("pro")));
    check(json!("trialing"), &change(Some("pro")));
    check(json!("canceled"), &change(None));
    check(json!("unpaid"), &change(None));
    check(json!("incomplete_expired"), &change(None));
    check(json!("paused"), &change(None));
    check(json!("past_due"), &past_due());
    check(json!("incomplete"), &Action::Ignore);
    check(json!("Active"), &Action::Ignore);
    check(json!("frozen"), &Action::Ignore);
    check(json!(null), &Action::Ignore);
}

#[test]
fn an_overdue_payment_ends_the_plan_where_the_operator_wants_it() {
    let data = with(&json!({"status": "past_due"}));
    let kind = "subscription.past_due";
    assert_eq!(decided(kind, &data, PastDue::Keep).action, past_due());
    assert_eq!(decided(kind, &data, PastDue::End).action, change(None));
}

#[test]
fn a_cancellation_at_the_periods_end_keeps_the_plan_until_then() {
    let end = Some("2026-11-01T09:00:00Z");
    for fields in [
        json!({"cancel_at_period_end": true, "ends_at": end}),
        json!({"cancel_at_period_end": true}),
        json!({"pause_at_period_end": true}),
    ] {
        let expected = change_until(Some("pro"), Some(october()), end);
        let found = action("subscription.canceled", &with(&fields));
        assert_eq!(found, expected, "{fields}");
    }
    // What has ended ends no more.
    let over = json!({"status": "canceled", "ended_at": "2026-10-12T08:00:00Z"});
    assert_eq!(action("subscription.revoked", &with(&over)), change(None));
}

#[test]
fn a_period_that_nobody_pays_for_is_passed_over() {
    let check = |end: &str| {
        let data = with(&json!({"current_period_end": end}));
        let decision = decided("subscription.active", &data, PastDue::Keep);
        assert_eq!(
            decision.action,
            change_until(Some("pro"), None, None),
            "{end}"
        );
        assert_eq!(decision.remarks.len(), 1, "{:?}", decision.remarks);
    };
    check("2026-10-01T09:00:01Z");
    check("2026-10-02T08:59:59Z");
    check("2026-10-01T09:00:00Z");
    check("2026-09-01T09:00:00Z");
    let data = with(&json!({"current_period_end": "2026-10-02T09:00:00Z"}));
    let day = Period::paid(at("2026-10-01T09:00:00Z"), at("2026-10-02T09:00:00Z")).expect("a day");
    let expected = change_until(Some("pro"), Some(day), None);
    assert_eq!(action("subscription.active", &data), expected);
}

#[test]
fn a_stamp_far_ahead_is_taken_as_five_minutes_from_its_arrival() {
    let stamped = |timestamp: &str| {
        let body =
            json!({"type": "subscription.active", "timestamp": timestamp, "data": subscription()});
        decided_of(&body, PastDue::Keep, &[])
    };
    let micros = |decision: &Decision| match &decision.action {
        Action::Apply(news) => news.as_of.as_ref().expect("a time").unix_micros,
        other => panic!("no news: {other:?}"),
    };
    let last = SENT.sent_at_seconds * 1_000_000 + 300_000_000;
    let near = stamped("2026-10-01T09:05:10Z");
    assert_eq!(
        (micros(&near), near.is_timed, near.remarks.len()),
        (last, true, 0)
    );
    let far = stamped("2099-01-01T00:00:00Z");
    assert_eq!(
        (micros(&far), far.is_timed, far.remarks.len()),
        (last, false, 1)
    );
    let Action::Apply(news) = far.action else {
        panic!("no news");
    };
    // Nor does it pin whose the subscription is.
    assert_eq!(
        (news.told[0].named_micros, news.told[0].last_micros),
        (last, last)
    );
}

#[test]
fn the_plan_is_the_products_else_the_configured_one_else_the_subscriptions() {
    let check = |fields: Value, expected: Action, remarks: usize| {
        let decision = decided("subscription.active", &with(&fields), PastDue::Keep);
        assert_eq!(decision.action, expected, "{fields}");
        assert_eq!(decision.remarks.len(), remarks, "{:?}", decision.remarks);
    };
    let product = |metadata: Value| json!({"id": "prod_basic", "metadata": metadata});
    let basic = "prod_basic";
    check(
        json!({"product_id": basic, "product": product(json!({"plan": "pro"}))}),
        change(Some("pro")),
        0,
    );
    check(
        json!({"product_id": basic, "product": product(json!({"plan": "Premium "}))}),
        change(Some("pro")),
        0,
    );
    check(
        json!({"product_id": basic, "product": product(json!({"plan": ""}))}),
        change(Some("basic")),
        0,
    );
    check(
        json!({"product_id": basic, "product": product(json!({}))}),
        change(Some("basic")),
        0,
    );
    check(
        json!({"product_id": basic, "product": null}),
        change(Some("basic")),
        0,
    );
    check(
        json!({"product_id": null, "product": product(json!(null))}),
        change(Some("basic")),
        0,
    );
    check(
        json!({"product_id": basic, "product": null, "metadata": {"plan": "pro"}}),
        change(Some("basic")),
        0,
    );
    check(
        json!({"product": null, "metadata": {"plan": "pro"}}),
        change(Some("pro")),
        0,
    );
    // An unknown name is free, and somebody is told.
    check(
        json!({"product": product(json!({"plan": "gold"}))}),
        change(Some("free")),
        1,
    );
    check(
        json!({"product": product(json!({"plan": 7}))}),
        change(Some("free")),
        1,
    );
    check(json!({"product": null}), Action::UnknownProduct, 1);
    check(
        json!({"product": null, "product_id": null}),
        Action::UnknownProduct,
        1,
    );
}

#[test]
fn what_ends_needs_no_product() {
    for (status, expected) in [("canceled", change(None)), ("past_due", past_due())] {
        let fields = with(&json!({"product": null, "status": status}));
        let decision = decided("subscription.active", &fields, PastDue::Keep);
        assert_eq!(decision.action, expected, "{status}");
        assert_eq!(decision.remarks.len(), 0, "{:?}", decision.remarks);
    }
}

#[test]
fn an_event_without_a_usable_id_is_unmapped() {
    let check = |fields: Value| {
        let decision = decided("subscription.active", &with(&fields), PastDue::Keep);
        assert_eq!(decision.action, Action::Unmapped, "{fields}");
        assert_eq!(decision.remarks.len(), 1);
    };
    check(json!({"customer": null}));
    check(json!({"customer": {"external_id": null, "email": "a@example.test"}}));
    check(json!({"customer": {"external_id": "a/b"}}));
    check(json!({"customer": {"external_id": "a\nb"}}));
    check(json!({"customer": {"external_id": "x".repeat(129)}}));
    // Not a second choice for one that is there and wrong: that might be somebody else.
    check(json!({"customer": {"external_id": "a/b"}, "metadata": {"user_id": "user_42"}}));
    check(json!({"id": null}));
    check(json!({"id": "sub/1"}));
    check(json!({"id": "x".repeat(129)}));
}

#[test]
fn other_events_are_ignored() {
    let names = [
        "order.paid",
        "order.created",
        "product.updated",
        "customer.created",
        "benefit_grant.cycled",
        "subscription.teleported",
        "subscription",
        "checkout.updated",
        "x",
    ];
    for kind in names {
        assert_eq!(action(kind, &subscription()), Action::Ignore, "{kind}");
        assert_eq!(action(kind, &json!(null)), Action::Ignore, "{kind}");
    }
}

#[test]
fn an_event_without_a_time_has_that_of_its_delivery() {
    let body =
        json!({"type": "subscription.revoked", "data": with(&json!({"status": "canceled"}))});
    let decision = decided_of(&body, PastDue::Keep, &[]);
    assert!(!decision.is_timed);
    let Action::Apply(news) = decision.action else {
        panic!("no change");
    };
    let as_of = news.as_of.expect("a time");
    assert_eq!(as_of.unix_micros, 1_790_845_210_000_000);
}

use serde_json::{Value, json};
use talktime_usage::{Instant, Period};

use super::*;

const SENT: Delivery<'static> = Delivery {
    id: "evt_1",
    sent_at_seconds: 1_790_845_210,
};
const MICROS: i64 = 1_790_845_205_120_000;

fn decided(kind: &str, data: &Value, past_due: PastDue) -> Decision {
    let catalogue = Catalogue::default();
    let products = Products::parse(r#"{"prod_basic": "basic"}"#, &catalogue).expect("valid");
    let body = json!({"type": kind, "timestamp": "2026-10-01T09:00:05.120000Z", "data": data});
    let event = Event::parse(body.to_string().as_bytes()).expect("an event");
    let rules = Rules {
        catalogue: &catalogue,
        products: &products,
        past_due,
    };
    decide(&event, SENT, rules)
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

fn october() -> Period {
    let at = |text| Instant::parse_rfc3339(text).expect("a time");
    Period::new(at("2026-10-01T09:00:00Z"), at("2026-11-01T09:00:00Z")).expect("a period")
}

fn change(granted: Option<&str>) -> Action {
    let command = Command::ChangePlan {
        source: Source::Subscription(id("sub_1")),
        plan: granted.map(plan),
        period: Some(october()),
        ends_at: None,
        customer: None,
        reset_usage: false,
        as_of: Some(as_of()),
    };
    Action::Apply(user(), command)
}

fn past_due() -> Action {
    let command = Command::PastDue {
        subscription: id("sub_1"),
        period: Some(october()),
        as_of: as_of(),
    };
    Action::Apply(user(), command)
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
    let data = with(&json!({"cancel_at_period_end": true, "ends_at": "2026-11-01T09:00:00Z"}));
    assert_eq!(action("subscription.canceled", &data), change(Some("pro")));
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
    // What ends needs no product.
    check(
        json!({"product": null, "status": "canceled"}),
        change(None),
        0,
    );
    check(
        json!({"product": null, "status": "past_due"}),
        past_due(),
        0,
    );
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
    let event = Event::parse(body.to_string().as_bytes()).expect("an event");
    let (catalogue, products) = (Catalogue::default(), Products::default());
    let rules = Rules {
        catalogue: &catalogue,
        products: &products,
        past_due: PastDue::Keep,
    };
    let Action::Apply(
        _,
        Command::ChangePlan {
            as_of: Some(as_of), ..
        },
    ) = decide(&event, SENT, rules).action
    else {
        panic!("no change");
    };
    assert_eq!(as_of.unix_micros, 1_790_845_210_000_000);
}

fn roster(active: impl IntoIterator<Item = (&'static str, RosterEntry)>) -> Action {
    let active = active.into_iter().map(|(name, entry)| (id(name), entry));
    let roster = Roster {
        customer: None,
        as_of: as_of(),
        active: active.collect(),
    };
    Action::Apply(user(), Command::Reconcile(roster))
}

#[test]
fn a_customers_state_lists_what_is_active() {
    let check = |listed: Value, expected: &Action| {
        let data = json!({"external_id": "user_42", "active_subscriptions": listed});
        assert_eq!(action("customer.state_changed", &data), *expected, "{data}");
    };
    let entry = |name: Option<&str>| RosterEntry {
        plan: name.map(plan),
        ..RosterEntry::default()
    };
    check(json!([]), &roster([]));
    check(
        json!([{"id": "s1", "status": "active", "product_id": "prod_basic"}]),
        &roster([("s1", entry(Some("basic")))]),
    );
    check(
        json!([{"id": "s1", "status": "trialing", "product_id": "prod_basic"}]),
        &roster([("s1", entry(Some("basic")))]),
    );
    check(
        json!([{"id": "s1", "product_id": "prod_basic"}]),
        &roster([("s1", entry(Some("basic")))]),
    );
    check(
        json!([{"id": "s1", "product_id": "prod_x", "metadata": {"plan": "pro"}}, {"id": "s2", "product_id": "prod_x"}]),
        &roster([("s1", entry(Some("pro"))), ("s2", entry(None))]),
    );
    check(
        json!([{"id": "s1", "status": "past_due", "product_id": "prod_basic"}, {"id": "s2", "status": "canceled"}]),
        &roster([("s1", entry(None))]),
    );
    check(
        json!([{
            "id": "s1", "status": "active", "product_id": "prod_basic",
            "current_period_start": "2026-10-01T09:00:00Z", "current_period_end": "2026-11-01T09:00:00Z",
        }]),
        &roster([(
            "s1",
            RosterEntry {
                plan: Some(plan("basic")),
                period: Some(october()),
                ends_at: None,
            },
        )]),
    );
    // What cannot be read must not look like the end of every subscription.
    check(json!(null), &Action::Ignore);
    check(json!("none"), &Action::Ignore);
    check(json!([{"status": "active"}]), &Action::Unmapped);
    check(json!([{"id": "s1"}, 7]), &Action::Unmapped);

    let nobody = json!({"external_id": null, "active_subscriptions": []});
    assert_eq!(action("customer.state_changed", &nobody), Action::Unmapped);
}

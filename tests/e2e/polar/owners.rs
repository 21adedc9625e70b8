//! Whose a subscription is: events that name no user, subscriptions that change hands, and users who were never here.

use serde_json::{Value, json};
use talktime_tests::Bench;
use talktime_tests::webhooks::{CUSTOMER, SUBSCRIPTION, fixture, setup};

async fn october() -> Bench {
    setup().starting("2026-10-05T00:00:00Z").build().await
}

/// A fixture that names that user, or nobody, and happened at that time.
fn naming(name: &str, user: Option<&str>, timestamp: &str) -> Value {
    let mut event = fixture(name);
    event["timestamp"] = json!(timestamp);
    let customer = if event["type"] == "customer.state_changed" {
        "/data"
    } else {
        "/data/customer"
    };
    event.pointer_mut(customer).expect("a customer")["external_id"] = json!(user);
    event
}

const OWNERS: &str = "SELECT id, user_id, customer_id, ended FROM subscriptions ORDER BY id";

#[tokio::test]
async fn an_event_that_names_no_user_is_about_whose_subscription_it_is() {
    let bench = october().await;
    let nobody = |name: &str, at: &str| naming(name, None, at);
    let first = nobody("subscription.active", "2026-10-01T09:00:05Z");
    assert_eq!(bench.outcome("e1", &first).await, "unmapped");
    let named = naming("subscription.active", Some("anna"), "2026-10-01T09:00:06Z");
    assert_eq!(bench.outcome("e2", &named).await, "applied");
    assert_eq!(
        bench.rows(OWNERS),
        [format!("{SUBSCRIPTION}|anna|{CUSTOMER}|0")]
    );
    // The provider forgot the customer's name for anna: whom it deletes, for one.
    let kept = nobody("customer.state_changed", "2026-10-02T00:00:00Z");
    assert_eq!(bench.outcome("e3", &kept).await, "applied");
    assert_eq!(bench.status("anna").await["plan"], "pro");
    let revoked = nobody("subscription.revoked", "2026-10-03T00:00:00Z");
    assert_eq!(bench.outcome("e4", &revoked).await, "applied");
    assert_eq!(bench.outcome("e4", &revoked).await, "duplicate");
    assert_eq!(bench.status("anna").await["plan"], "free");
    // What she buys next by the same account is hers too.
    let mut next = nobody("subscription.active", "2026-10-04T00:00:00Z");
    next["data"]["id"] = json!("sub_next");
    assert_eq!(bench.outcome("e5", &next).await, "applied");
    assert_eq!(bench.status("anna").await["plan"], "pro");
    let mut gone = nobody("customer.state_changed.empty", "2026-10-04T12:00:00Z");
    gone["data"]["id"] = json!(CUSTOMER);
    assert_eq!(bench.outcome("e6", &gone).await, "applied");
    assert_eq!(bench.status("anna").await["plan"], "free");
    // The first one, sent again now that it is known whose it is, is older than all that.
    assert_eq!(bench.outcome("e1", &first).await, "outdated");
    assert_eq!(
        bench.rows("SELECT id, user_id, outcome FROM webhook_events ORDER BY id"),
        [
            "e1|anna|outdated",
            "e2|anna|applied",
            "e3|anna|applied",
            "e4|anna|applied",
            "e5|anna|applied",
            "e6|anna|applied",
        ]
    );
}

#[tokio::test]
async fn a_subscription_that_changes_hands_grants_its_plan_to_one_user_at_a_time() {
    let bench = october().await;
    let active = |user: &str, at: &str| naming("subscription.active", Some(user), at);
    let plans = async || {
        let plan = async |user: &str| bench.status(user).await["plan"].clone();
        [plan("anna").await, plan("bert").await]
    };
    let of_anna = active("anna", "2026-10-01T09:00:05Z");
    assert_eq!(bench.outcome("e1", &of_anna).await, "applied");
    let session = bench.start("anna").await;
    bench.talk("anna", &session, 20 * 60).await;
    let of_bert = active("bert", "2026-10-02T09:00:05Z");
    for (id, expected) in [("e2", "applied"), ("e2", "duplicate")] {
        assert_eq!(bench.outcome(id, &of_bert).await, expected);
        assert_eq!(plans().await, ["free", "pro"]);
    }
    // She talked on his money until now, and no further.
    let ended = &bench.status("anna").await["lastSession"];
    assert_eq!(ended["endReason"], "limit_reached");
    let remarks =
        "SELECT detail LIKE '%was another user''s until now%' FROM webhook_events WHERE id = 'e2'";
    assert_eq!(bench.rows(remarks), ["1"]);

    // Nothing that happened before then takes it back, neither what names her nor what names nobody.
    let late = active("anna", "2026-10-02T09:00:04Z");
    assert_eq!(bench.outcome("e3", &late).await, "outdated");
    let listed = naming(
        "customer.state_changed",
        Some("anna"),
        "2026-10-02T09:00:03Z",
    );
    assert_eq!(
        bench.outcome("e4", &listed).await,
        "applied",
        "of none of hers"
    );
    assert_eq!(plans().await, ["free", "pro"]);
    let revoked = naming("subscription.revoked", None, "2026-10-03T09:00:04Z");
    assert_eq!(bench.outcome("e5", &revoked).await, "applied");
    assert_eq!(plans().await, ["free", "free"]);

    // An update by the web app is as good as an event.
    let update = |user: &str, event: &str, at: &str| {
        json!({
            "userId": user, "plan": "pro", "action": "upgrade", "subscriptionId": "sub_1", "eventId": event,
            "occurredAt": at,
        })
    };
    for (user, event, at, applied, expected) in [
        ("anna", "u1", "2026-10-04T09:00:00Z", true, ["pro", "free"]),
        ("bert", "u2", "2026-10-04T10:00:00Z", true, ["free", "pro"]),
        ("anna", "u3", "2026-10-04T09:30:00Z", false, ["free", "pro"]),
    ] {
        let answer = bench
            .internal("/api/internal/update-plan", update(user, event, at))
            .await
            .ok();
        assert_eq!(answer["applied"], applied, "{event}");
        assert_eq!(answer["reason"] == "outdated", !applied, "{event}");
        assert_eq!(plans().await, expected, "{event}");
    }
}

#[tokio::test]
async fn an_event_that_grants_nothing_creates_nobody_and_is_remembered() {
    let bench = october().await;
    let nothing = "2026-10-03T09:00:00Z";
    for (id, name) in [
        ("e1", "customer.state_changed.empty"),
        ("e2", "subscription.past_due"),
        ("e3", "subscription.revoked"),
    ] {
        let event = naming(name, Some("anna"), nothing);
        assert_eq!(bench.outcome(id, &event).await, "applied", "{name}");
        assert_eq!(bench.outcome(id, &event).await, "duplicate", "{name}");
    }
    let cancel = json!({"userId": "anna", "action": "cancel", "resetUsage": true});
    let answer = bench
        .internal("/api/internal/update-plan", cancel)
        .await
        .ok();
    assert_eq!(answer["applied"], true);
    assert_eq!(answer["grantedBy"], json!([]));
    assert_eq!(bench.host.kv_keys("default"), [""; 0]);
    assert_eq!(bench.rows("SELECT * FROM users"), [""; 0]);
    assert_eq!(bench.rows("SELECT * FROM usage_periods"), [""; 0]);
    assert_eq!(bench.rows("SELECT COUNT(*) FROM webhook_events"), ["4"]);

    // What happened before the end is over, also for somebody of whom nothing else is kept.
    let late = naming("subscription.active", Some("anna"), "2026-10-03T08:59:59Z");
    assert_eq!(bench.outcome("e4", &late).await, "outdated");
    assert_eq!(bench.host.kv_keys("default"), [""; 0]);
    let anew = naming("subscription.active", Some("anna"), "2026-10-03T09:00:01Z");
    assert_eq!(bench.outcome("e5", &anew).await, "applied");
    assert_eq!(bench.status("anna").await["plan"], "pro");
}

//! Lists of a customer's active subscriptions with products that nobody knows, and events whose time cannot be believed.

use std::sync::Arc;

use serde_json::{Value, json};
use talktime_host::Storage;
use talktime_tests::Bench;
use talktime_tests::bench::{keyed, request};
use talktime_tests::webhooks::{BASIC, PRO, SUBSCRIPTION, fixture, setup};
use tokio::task::JoinSet;

/// The customer's state with these subscriptions to these products active.
fn listed(timestamp: &str, active: &[(&str, &str)]) -> Value {
    let mut event = fixture("customer.state_changed");
    let template = event["data"]["active_subscriptions"][0].clone();
    let listed = active.iter().map(|(id, product)| {
        let mut entry = template.clone();
        entry["id"] = json!(id);
        entry["product_id"] = json!(product);
        entry
    });
    event["data"]["active_subscriptions"] = listed.collect();
    event["timestamp"] = json!(timestamp);
    event
}

#[tokio::test]
async fn what_is_known_of_a_list_counts_and_the_rest_waits_for_the_operator() {
    let folder = tempfile::tempdir().expect("a folder");
    let on_disk = |products: Value| {
        setup()
            .variable("polar_products", &products.to_string())
            .storage(Storage::Directory(folder.path().to_owned()))
            .starting("2026-10-05T00:00:00Z")
            .build()
    };
    let plan = async |bench: &Bench| bench.status("user_42").await["plan"].clone();
    let outcomes = "SELECT id, user_id, outcome FROM webhook_events ORDER BY id";
    let alone = listed("2026-10-02T00:00:00Z", &[("sub_1", PRO)]);
    let beside = listed("2026-10-03T00:00:00Z", &[("sub_1", PRO), ("sub_2", BASIC)]);

    let bench = on_disk(json!({})).await;
    assert_eq!(bench.outcome("e1", &alone).await, "unknown_product");
    assert_eq!(bench.host.kv_keys("default"), [""; 0], "nothing is granted");
    drop(bench);
    let bench = on_disk(json!({BASIC: "basic"})).await;
    for _ in 0..2 {
        assert_eq!(bench.outcome("e2", &beside).await, "unknown_product");
        assert_eq!(plan(&bench).await, "basic");
    }
    let open = ["e1|user_42|unknown_product", "e2|user_42|unknown_product"];
    assert_eq!(bench.rows(outcomes), open);
    let overview = bench
        .send(request("GET", "/api/internal/overview", None, None))
        .await
        .ok();
    let shown = overview["unmappedWebhooks"].as_array().expect("a list");
    assert_eq!(shown.len(), 2);
    let detail = shown[0]["detail"].as_str().expect("a detail");
    assert!(
        detail.contains("subscription sub_1 names its plan"),
        "{detail}"
    );
    drop(bench);
    // The operator has told what the product stands for, and has the provider send both again.
    let bench = on_disk(json!({BASIC: "basic", PRO: "pro"})).await;
    assert_eq!(bench.outcome("e1", &alone).await, "outdated");
    assert_eq!(plan(&bench).await, "basic");
    for outcome in ["applied", "duplicate"] {
        assert_eq!(bench.outcome("e2", &beside).await, outcome);
        assert_eq!(plan(&bench).await, "pro");
    }
    let settled = ["e1|user_42|outdated", "e2|user_42|applied"];
    assert_eq!(bench.rows(outcomes), settled);
}

#[tokio::test]
async fn a_list_needs_no_plans_that_the_subscriptions_own_events_told() {
    let bench = setup()
        .variable("polar_products", "")
        .starting("2026-10-05T00:00:00Z")
        .build()
        .await;
    // The product's metadata, which lists leave out, says that it is pro.
    let active = fixture("subscription.active");
    assert_eq!(bench.outcome("e1", &active).await, "applied");
    let state = listed("2026-10-02T00:00:00Z", &[(SUBSCRIPTION, PRO)]);
    assert_eq!(bench.outcome("e2", &state).await, "applied");
    assert_eq!(bench.outcome("e2", &state).await, "duplicate");
    assert_eq!(bench.status("user_42").await["plan"], "pro");
}

#[tokio::test]
async fn a_stamp_that_is_ahead_pins_nothing() {
    let bench = setup().starting("2026-10-05T00:00:00Z").build().await;
    let active = |at: &str| {
        let mut event = fixture("subscription.active");
        event["timestamp"] = json!(at);
        event
    };
    let ahead = active("2027-10-05T00:00:00Z");
    for outcome in ["applied", "duplicate"] {
        assert_eq!(bench.outcome("e1", &ahead).await, outcome);
        bench.seconds(60);
    }
    let remarks = "SELECT detail LIKE '%ahead of its arrival%' FROM webhook_events WHERE id = 'e1'";
    assert_eq!(bench.rows(remarks), ["1"]);
    bench.seconds(10 * 60);
    let mut revoked = fixture("subscription.revoked");
    revoked["timestamp"] = json!("2026-10-05T00:11:59Z");
    assert_eq!(bench.outcome("e2", &revoked).await, "applied");
    assert_eq!(bench.status("user_42").await["plan"], "free");
    // Sent again by hand, it does not bring the subscription back.
    assert_eq!(bench.outcome("e1", &ahead).await, "duplicate");
    assert_eq!(bench.status("user_42").await["plan"], "free");
    // As far ahead as clocks may be, a stamp is believed.
    assert_eq!(
        bench.outcome("e3", &active("2026-10-05T00:16:00Z")).await,
        "applied"
    );
    assert_eq!(
        bench.rows("SELECT detail LIKE '%remarks%' FROM webhook_events WHERE id = 'e3'"),
        ["0"]
    );
}

#[tokio::test]
async fn a_cancellation_that_was_told_needs_no_revocation() {
    let bench = setup().starting("2026-10-10T12:00:01Z").build().await;
    let cancelled = fixture("subscription.canceled");
    assert_eq!(bench.outcome("e1", &cancelled).await, "applied");
    bench.set("2026-11-01T08:55:00Z");
    let status = bench.status("user_42").await;
    assert_eq!(status["plan"], "pro");
    // Nobody is promised more than there will be: five minutes of pro, and then the ten of free.
    assert!(
        status["secondsRemaining"].as_u64() <= Some(15 * 60),
        "{status}"
    );
    bench.set("2026-11-01T09:00:01Z");
    assert_eq!(bench.status("user_42").await["plan"], "free");
    // And one that was taken back is none.
    let mut kept = fixture("subscription.uncanceled");
    kept["timestamp"] = json!("2026-10-31T12:00:00Z");
    assert_eq!(bench.outcome("e2", &kept).await, "applied");
    assert_eq!(bench.status("user_42").await["plan"], "pro");
}

#[tokio::test]
async fn news_of_plans_pushes_out_no_answer_that_a_client_may_ask_for_again() {
    let bench = setup().starting("2026-10-05T00:00:00Z").build().await;
    let start = request(
        "POST",
        "/api/session/start",
        Some("user_42"),
        Some(&json!({})),
    );
    let start = keyed(start, "k1");
    let first = bench.send(start.clone()).await.ok();
    for event in 0..20 {
        let mut active = fixture("subscription.active");
        active["timestamp"] = json!(format!("2026-10-01T09:00:{:02}Z", event + 10));
        let id = format!("e{event}");
        assert_eq!(bench.outcome(&id, &active).await, "applied");
        let update =
            json!({"userId": "user_42", "plan": "pro", "action": "upgrade", "eventId": id});
        let answer = bench.internal("/api/internal/update-plan", update).await;
        assert_eq!(answer.ok()["applied"], true);
    }
    assert_eq!(bench.send(start).await.ok(), first);
    assert_eq!(bench.rows("SELECT COUNT(*) FROM usage_sessions"), ["1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_five_copies_at_once_one_is_applied() {
    let bench = Arc::new(setup().starting("2026-10-05T00:00:00Z").build().await);
    for (id, name) in [
        ("e1", "subscription.active"),
        ("e2", "customer.state_changed"),
        ("e3", "subscription.canceled"),
        ("e4", "order.paid"),
    ] {
        let mut copies = JoinSet::new();
        for _ in 0..5 {
            let (bench, event) = (bench.clone(), fixture(name));
            copies.spawn(async move { bench.outcome(id, &event).await });
        }
        let mut outcomes = copies.join_all().await;
        outcomes.sort();
        let first = if name == "order.paid" {
            "ignored"
        } else {
            "applied"
        };
        let mut expected = vec!["duplicate"; 4];
        expected.push(first);
        expected.sort_unstable();
        assert_eq!(outcomes, expected, "{name}");
        assert_eq!(
            bench.rows(&format!(
                "SELECT outcome FROM webhook_events WHERE id = '{id}'"
            )),
            [first]
        );
    }
}

//! Plan updates that come twice, late, or many times at once.

use std::sync::Arc;

use serde_json::json;
use talktime_tests::Bench;
use talktime_tests::bench::{keyed, request};
use talktime_tests::webhooks::{SUBSCRIPTION, fixture, setup};
use tokio::task::JoinSet;

const UPDATE: &str = "/api/internal/update-plan";

#[tokio::test]
async fn a_repeated_or_late_update_changes_nothing() {
    let bench = Bench::new().await;
    let body = |plan: &str, at: &str, event: &str| {
        json!({
            "userId": "anna", "plan": plan, "action": "upgrade", "subscriptionId": "sub_1", "resetUsage": true,
            "occurredAt": at, "eventId": event,
        })
    };
    for (turn, (plan, at, event, applied, expected)) in [
        ("basic", "2026-11-10T11:00:00Z", "e1", true, "basic"),
        ("pro", "2026-11-10T11:30:00Z", "e3", true, "pro"),
        ("basic", "2026-11-10T11:20:00Z", "e2", false, "pro"),
        // The first answer again.
        ("pro", "2026-11-10T11:30:00Z", "e3", true, "pro"),
        ("basic", "2026-11-10T11:00:00Z", "e1", true, "pro"),
        // Of the same instant, by its id.
        ("basic", "2026-11-10T11:30:00Z", "e4", true, "basic"),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = bench.internal(UPDATE, body(plan, at, event)).await.ok();
        assert_eq!(answer["applied"], applied, "turn {turn}");
        assert_eq!(answer["status"]["plan"], expected, "turn {turn}");
        bench.seconds(60);
    }
    let resets = "SELECT COUNT(*) FROM usage_periods WHERE archived = 1";
    assert_eq!(
        bench.rows(resets),
        ["2"],
        "by the second and the last one that applied"
    );

    let reset = json!({"userId": "anna", "plan": "pro", "action": "upgrade", "resetUsage": true});
    let again = keyed(request("POST", UPDATE, None, Some(&reset)), "k1");
    for _ in 0..3 {
        let answer = bench.send(again.clone()).await.ok();
        assert_eq!(answer["applied"], true);
        bench.seconds(60);
    }
    assert_eq!(bench.rows(resets), ["3"]);
}

#[tokio::test]
async fn a_relayed_event_counts_once_however_late_it_comes_again() {
    let bench = Bench::new().await;
    let relayed = async |event: &str| {
        let body = json!({
            "userId": "anna", "plan": "pro", "action": "upgrade", "resetUsage": true, "eventId": event,
        });
        bench.internal(UPDATE, body).await.ok()
    };
    // More than the state remembers.
    for event in 0..50 {
        assert_eq!(relayed(&format!("e{event}")).await["applied"], true);
        bench.seconds(60);
    }
    let session = bench.start("anna").await;
    bench.talk("anna", &session, 120).await;
    let _ = bench.end("anna", &session).await.ok();
    let again = relayed("e0").await;
    assert_eq!(again["applied"], true, "the first answer");
    assert_eq!(again["status"]["minutesUsed"], 2, "no second reset");
    assert_eq!(
        bench.rows(
            "SELECT type, user_id, outcome, detail, COUNT(*) OVER () FROM webhook_events LIMIT 1"
        ),
        [
            r#"update-plan|anna|applied|{"action":"upgrade","event_id":"e0","plan":"pro","reset_usage":true}|50"#
        ]
    );
}

#[tokio::test]
async fn an_update_that_tells_no_time_leaves_the_providers_word_of_the_same_moment() {
    let bench = setup().starting("2026-10-05T00:00:00Z").build().await;
    let says = |name: &str, at: &str| {
        let mut event = fixture(name);
        event["timestamp"] = json!(at);
        event
    };
    let update = async |action: &str| {
        let body = json!({
            "userId": "user_42", "plan": "pro", "action": action, "subscriptionId": SUBSCRIPTION,
        });
        bench.internal(UPDATE, body).await.ok()
    };
    let plan = async || bench.status("user_42").await["plan"].clone();
    // The web app says so after the checkout, and what the provider said five seconds before is still on its way.
    assert_eq!(update("upgrade").await["applied"], true);
    let revoked = says("subscription.revoked", "2026-10-04T23:59:55Z");
    assert_eq!(bench.outcome("e1", &revoked).await, "applied");
    assert_eq!(plan().await, "free");
    // It counts at once, also after what is stamped a little ahead.
    let listed = says("customer.state_changed", "2026-10-05T00:00:02Z");
    assert_eq!(bench.outcome("e2", &listed).await, "applied");
    assert_eq!(plan().await, "pro");
    assert_eq!(update("cancel").await["applied"], true);
    assert_eq!(plan().await, "free");
    assert_eq!(update("upgrade").await["applied"], true);
    assert_eq!(plan().await, "pro");
    // What is old stays old.
    let old = says("subscription.revoked", "2026-10-04T23:00:00Z");
    assert_eq!(bench.outcome("e3", &old).await, "outdated");
    assert_eq!(plan().await, "pro");
}

#[tokio::test]
async fn a_time_that_is_ahead_outdates_nothing_that_follows() {
    let bench = Bench::new().await;
    let body = |plan: &str, at: &str, event: &str| {
        json!({
            "userId": "anna", "plan": plan, "action": "upgrade", "occurredAt": at, "eventId": event,
            "resetUsage": true,
        })
    };
    for _ in 0..2 {
        let answer = bench
            .internal(UPDATE, body("pro", "2099-01-01T00:00:00Z", "e1"))
            .await
            .ok();
        assert_eq!(answer["applied"], true);
        bench.seconds(600);
    }
    let resets = "SELECT COUNT(*) FROM usage_periods WHERE archived = 1";
    assert_eq!(bench.rows(resets), ["0"], "nothing was there to be closed");
    let later = body("basic", "2026-11-10T12:15:00Z", "e2");
    let answer = bench.internal(UPDATE, later).await.ok();
    assert_eq!(answer["applied"], true);
    assert_eq!(answer["status"]["plan"], "basic");
    let remarks =
        "SELECT detail LIKE '%occurredAt is more%' FROM webhook_events ORDER BY received_at";
    assert_eq!(bench.rows(remarks), ["1", "0"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_of_an_update_at_once_are_one_update() {
    let bench = Arc::new(Bench::new().await);
    for user in ["anna", "bert"] {
        bench.plan(user, "basic", "upgrade").await;
        bench.seconds(60);
        let mut copies = JoinSet::new();
        for _ in 0..5 {
            let bench = bench.clone();
            let body = json!({
                "userId": user, "plan": "pro", "action": "upgrade", "resetUsage": true, "eventId": "e1",
            });
            copies.spawn(async move { bench.internal(UPDATE, body).await.ok() });
        }
        for answer in copies.join_all().await {
            assert_eq!(answer["applied"], true);
            assert_eq!(answer["status"]["plan"], "pro");
        }
        let periods = format!(
            "SELECT plan, archived FROM usage_periods WHERE user_id = '{user}' ORDER BY period_start"
        );
        assert_eq!(bench.rows(&periods), ["basic|1", "pro|0"]);
    }
}

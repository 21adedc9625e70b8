//! Plan updates that come twice, late, or many times at once.

use std::sync::Arc;

use serde_json::json;
use talktime_tests::Bench;
use talktime_tests::bench::request;
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

    let mut again = request(
        "POST",
        UPDATE,
        None,
        Some(&json!({"userId": "anna", "plan": "pro", "action": "upgrade", "resetUsage": true})),
    );
    again
        .headers_mut()
        .insert("idempotency-key", "k1".parse().expect("a header"));
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
    bench.seconds(120);
    let _ = bench.end("anna", &session).await.ok();
    let again = relayed("e0").await;
    assert_eq!(again["applied"], true, "the first answer");
    assert_eq!(again["status"]["minutesUsed"], 2, "no second reset");
    assert_eq!(
        bench.rows(
            "SELECT type, user_id, outcome, detail, COUNT(*) OVER () FROM webhook_events LIMIT 1"
        ),
        [r#"update-plan|anna|applied|{"event_id":"e0"}|50"#]
    );
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

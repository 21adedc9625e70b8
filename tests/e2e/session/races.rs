//! Many clients at once on one user, on each behaviour of the key-value store.

use serde_json::json;
use talktime_tests::bench::KV_BEHAVIOURS;
use talktime_tests::{Answer, Bench};
use tokio::task::JoinSet;

const AT_ONCE: usize = 20;

async fn start_at_once(bench: &std::sync::Arc<Bench>, user: &'static str) -> Vec<Answer> {
    let mut starts = JoinSet::new();
    for _ in 0..AT_ONCE {
        let bench = bench.clone();
        starts.spawn(async move { bench.try_start(user).await });
    }
    starts.join_all().await
}

/// One start won, the others were told so, and the ledger knows of the one session only.
async fn check_one_winner(bench: &Bench, user: &str, answers: &[Answer]) {
    let winners: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status == 200)
        .collect();
    assert_eq!(winners.len(), 1, "{answers:#?}");
    let session = winners[0].json()["sessionId"].clone();
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!(answer.refused(409, "session_active")["sessionId"], session);
    }
    assert_eq!(
        bench.status(user).await["activeSession"]["sessionId"],
        session
    );
    assert_eq!(
        bench.rows(&format!(
            "SELECT id FROM usage_sessions WHERE user_id = '{user}' AND ended_at IS NULL"
        )),
        [session.as_str().expect("an id")]
    );
    let ended = bench.end(user, session.as_str().expect("an id")).await.ok();
    assert_eq!(ended["endReason"], "user_ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_first_starts_of_a_new_user_and_of_an_old_one() {
    for behaviour in KV_BEHAVIOURS {
        let bench = std::sync::Arc::new(Bench::setup().key_value(behaviour).build().await);
        for user in ["anna", "bert", "cleo"] {
            let answers = start_at_once(&bench, user).await;
            check_one_winner(&bench, user, &answers).await;
            bench.seconds(5);
            let answers = start_at_once(&bench, user).await;
            check_one_winner(&bench, user, &answers).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heartbeats_ends_and_plan_changes_at_once_lose_nothing() {
    for behaviour in KV_BEHAVIOURS {
        let bench = std::sync::Arc::new(Bench::setup().key_value(behaviour).build().await);
        let session = bench.start("anna").await;
        bench.seconds(61);
        let mut calls = JoinSet::new();
        for turn in 0..AT_ONCE {
            let (bench, session) = (bench.clone(), session.clone());
            calls.spawn(async move {
                match turn % 4 {
                    0 => bench.end("anna", &session).await,
                    1 => {
                        let body = json!({
                            "userId": "anna", "plan": "pro", "action": "upgrade",
                            "subscriptionId": format!("sub_{turn}"),
                        });
                        bench.internal("/api/internal/update-plan", body).await
                    }
                    _ => bench.heartbeat("anna", &session).await,
                }
            });
        }
        for answer in calls.join_all().await {
            let _ = answer.ok();
        }
        let status = bench.status("anna").await;
        assert_eq!(status["minutesUsed"], 2);
        assert_eq!(status["plan"], "pro");
        assert_eq!(status["hasActiveSession"], false);
        let document = bench.document("anna").expect("a document");
        let state: serde_json::Value = serde_json::from_slice(&document).expect("JSON");
        assert_eq!(
            state["grants"]["subscriptions"]
                .as_object()
                .map(serde_json::Map::len),
            Some(5)
        );
        assert_eq!(
            bench.rows("SELECT minutes_used, end_reason FROM usage_sessions"),
            ["2|user_ended"]
        );
    }
}

//! Documents that are lost or put back in time, and ledgers that are.

use serde_json::json;
use talktime_host::rusqlite;
use talktime_tests::Bench;

const SUMS: &str = "SELECT (SELECT SUM(minutes_used) FROM usage_sessions), (SELECT SUM(minutes_used) FROM usage_periods)";

fn ledger(bench: &Bench) -> rusqlite::Connection {
    bench.host.sqlite("default")
}

#[tokio::test]
async fn a_free_user_whose_document_is_lost_has_no_more_minutes_than_before() {
    let bench = Bench::new().await;
    let session = bench.start("anna").await;
    bench.talk("anna", &session, 600).await;
    bench.delete_document("anna");
    let _ = bench.try_start("anna").await.refused(403, "no_credits");
    assert_eq!(bench.rows(SUMS), ["10|10"]);
    assert_eq!(bench.status("anna").await["minutesUsed"], 10);
}

#[tokio::test]
async fn a_subscriber_whose_document_is_lost_keeps_plan_and_minutes() {
    let bench = Bench::new().await;
    let plan = json!({
        "userId": "anna", "plan": "pro", "action": "upgrade", "subscriptionId": "sub_1",
        "periodStart": "2026-11-05T00:00:00Z", "periodEnd": "2026-12-05T00:00:00Z",
    });
    let _ = bench.internal("/api/internal/update-plan", plan).await.ok();
    let session = bench.start("anna").await;
    bench.talk("anna", &session, 120).await;
    let _ = bench.end("anna", &session).await.ok();
    bench.delete_document("anna");
    bench.start("anna").await;
    let status = bench.status("anna").await;
    assert_eq!(
        (
            &status["plan"],
            &status["minutesUsed"],
            &status["periodEnd"]
        ),
        (&json!("pro"), &json!(2), &json!("2026-12-05T00:00:00Z"))
    );
}

#[tokio::test]
async fn an_older_document_gives_no_minutes_back_and_the_ledger_listens_to_it_again() {
    let bench = Bench::new().await;
    let session = bench.start("anna").await;
    bench.talk("anna", &session, 60).await;
    let _ = bench.end("anna", &session).await.ok();
    let backup = bench.document("anna").expect("a document");
    for _ in 0..2 {
        let session = bench.start("anna").await;
        bench.talk("anna", &session, 180).await;
        let _ = bench.end("anna", &session).await.ok();
        bench.seconds(30);
    }
    bench.set_document("anna", &backup);
    let session = bench.start("anna").await;
    bench.talk("anna", &session, 60).await;
    let _ = bench.end("anna", &session).await.ok();
    assert_eq!(bench.rows(SUMS), ["8|8"]);
    assert_eq!(bench.status("anna").await["minutesUsed"], 8);
}

#[tokio::test]
async fn a_ledger_that_was_emptied_hears_of_a_running_session_again() {
    let bench = Bench::new().await;
    let session = bench.start("anna").await;
    ledger(&bench)
        .execute_batch("DELETE FROM usage_sessions; DELETE FROM usage_periods; DELETE FROM users;")
        .expect("emptied");
    bench.talk("anna", &session, 300).await;
    let _ = bench.sweep().await;
    assert_eq!(
        bench.rows("SELECT minutes_used, end_reason FROM usage_sessions"),
        ["5|"]
    );
    assert_eq!(bench.rows("SELECT minutes_used FROM usage_periods"), ["5"]);
}

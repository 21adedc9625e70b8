//! Alarms: every session ends, every minute reaches the ledger, every period is archived, without anyone coming back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use talktime_host::{CallKind, FaultAction, Faults, HostCall};
use talktime_tests::Bench;
use talktime_tests::bench::request;

pub(super) const PERIODS: &str =
    "SELECT user_id, minutes_used, archived FROM usage_periods ORDER BY user_id, period_start";
pub(super) const SESSIONS: &str =
    "SELECT user_id, minutes_used, end_reason FROM usage_sessions ORDER BY user_id";

#[tokio::test]
async fn a_session_left_alone_is_stopped_by_the_alarm_alone() {
    let bench = Bench::new().await;
    bench.start("anna").await;
    bench.plan("bert", "pro", "upgrade").await;
    let session = bench.start("bert").await;
    bench.talk("bert", &session, 90).await;
    for _ in 0..70 {
        bench.seconds(10);
        bench.tick().await;
    }
    assert_eq!(bench.rows(SESSIONS), ["anna|1|stale", "bert|2|stale"]);
    assert_eq!(bench.rows(PERIODS), ["anna|1|0", "bert|2|0"]);
}

#[tokio::test]
async fn a_running_session_is_brought_to_the_ledger_at_every_interval() {
    let bench = Bench::new().await;
    let session = bench.start("anna").await;
    for minute in 1..=5 {
        bench.talk("anna", &session, 60).await;
        bench.tick().await;
        assert_eq!(
            bench.rows("SELECT minutes_used FROM usage_periods"),
            [minute.to_string()]
        );
        assert_eq!(
            bench.rows("SELECT minutes_used, end_reason FROM usage_sessions"),
            [format!("{minute}|")]
        );
    }
    let synced = "SELECT synced_at - period_start FROM usage_periods";
    assert_eq!(
        bench.rows(synced),
        [(9 * 86_400 + 43_200 + 300).to_string()]
    );
}

#[tokio::test]
async fn periods_of_users_who_never_return_are_archived() {
    let bench = Bench::new().await;
    let session = bench.start("anna").await;
    bench.seconds(30);
    let _ = bench.end("anna", &session).await.ok();
    bench.plan("bert", "basic", "upgrade").await;
    bench.seconds(60);
    bench.tick().await;
    bench.set("2026-11-30T23:59:59Z");
    bench.tick().await;
    assert_eq!(bench.rows(PERIODS), ["anna|1|0", "bert|0|0"]);
    // Not all at midnight: within the six hours after it.
    bench.set("2026-12-01T06:00:00Z");
    let report = bench.sweep().await;
    assert_eq!(
        report,
        json!({
            "due": 2, "swept": 2, "ended": 0, "archived": 2, "failed": 0, "pruned": 0, "remaining": 0
        })
    );
    assert_eq!(
        bench.rows(PERIODS),
        ["anna|1|1", "bert|0|1"],
        "and no row for a month without use"
    );
    bench.set("2027-06-01T00:00:00Z");
    bench.tick().await;
    assert_eq!(bench.rows(PERIODS), ["anna|1|1", "bert|0|1"]);
    assert_eq!(
        bench.rows("SELECT COUNT(*) FROM users WHERE alarm_at IS NOT NULL"),
        ["0"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_sweeps_at_once_do_each_user_once() {
    let bench = Arc::new(Bench::new().await);
    for user in 0..40 {
        bench.start(&format!("user-{user}")).await;
    }
    bench.seconds(700);
    let sweep = |bench: Arc<Bench>| tokio::spawn(async move { bench.sweep().await });
    let (one, two) = (sweep(bench.clone()), sweep(bench.clone()));
    let (one, two) = (one.await.expect("ends"), two.await.expect("ends"));
    let sum = |name: &str| one[name].as_u64().unwrap_or(0) + two[name].as_u64().unwrap_or(0);
    assert_eq!(
        (sum("swept"), sum("ended"), sum("failed")),
        (40, 40, 0),
        "{one} {two}"
    );
    assert_eq!(
        bench.rows(
            "SELECT COUNT(*), SUM(minutes_used) FROM usage_sessions WHERE end_reason = 'stale'"
        ),
        ["40|40"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_of_two_thousand_users_goes_in_batches_and_says_what_remains() {
    let batches = Arc::new(Batches(AtomicUsize::new(0)));
    let bench = Arc::new(
        Bench::setup()
            .variable("sweep_batch", "150")
            .faults(batches.clone())
            .build()
            .await,
    );
    let mut starts = tokio::task::JoinSet::new();
    for part in 0..8 {
        let bench = bench.clone();
        starts.spawn(async move {
            for user in 0..250 {
                bench.start(&format!("user-{part}-{user}")).await;
            }
        });
    }
    starts.join_all().await;
    bench.seconds(700);
    let first = bench.sweep().await;
    let done = |name: &str| first[name].as_u64().expect("a number");
    assert_eq!(done("due"), 2000);
    // On Spin an instance can make 256 swaps, and a sweep by HTTP leaves half of them to the requests beside it.
    assert_eq!(
        (done("swept"), done("remaining"), done("failed")),
        (128, 1872, 0),
        "{first}"
    );
    for _ in 0..8 {
        bench.tick().await;
    }
    assert!(
        batches.0.load(Ordering::SeqCst) >= 2000 / 150,
        "claimed in batches"
    );
    assert_eq!(
        bench.rows(
            "SELECT COUNT(*) FROM usage_sessions WHERE minutes_used = 1 AND end_reason = 'stale'"
        ),
        ["2000"]
    );
    assert_eq!(
        bench.rows("SELECT COUNT(*) FROM users WHERE alarm_at < 1794400000"),
        ["0"]
    );
}

/// Counts the claims of sweeps.
struct Batches(AtomicUsize);

impl Faults for Batches {
    fn before(&self, call: &HostCall) -> FaultAction {
        if call.kind == CallKind::SqlExecute
            && call.detail.starts_with("UPDATE users SET lease_until = ?2")
        {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
        FaultAction::None
    }
}

#[tokio::test]
async fn a_sweep_by_a_clock_that_jumped_waits_for_an_operator_or_for_ten_minutes() {
    let bench = Bench::new().await;
    bench.start("anna").await;
    bench.seconds(60);
    bench.tick().await;
    // The clock alone: no sweep has gone on meanwhile.
    let by = |seconds| bench.clock.advance(std::time::Duration::from_secs(seconds));
    by(40 * 86_400);
    let sweep = async |body| bench.internal("/api/internal/alarm", body).await;
    let refused = sweep(json!({})).await.refused(409, "clock_suspect");
    assert_eq!(refused["clock"], "2026-12-20T12:01:00Z");
    assert_eq!(refused["newest"], "2026-11-10T12:01:00Z");
    assert_eq!(refused["believedAt"], "2026-12-20T12:11:00Z");
    assert_eq!(bench.rows("SELECT end_reason FROM usage_sessions"), [""]);
    let report = sweep(json!({"force": true})).await.ok();
    assert_eq!(report["ended"], 1);
    let _ = sweep(json!({"force": "yes"}))
        .await
        .refused(400, "invalid_field");

    by(86_400);
    let why = bench.try_tick().await.expect_err("refused");
    assert!(why.contains("2026-12-21T12:01:00Z"), "{why}");
    by(300);
    assert!(bench.try_tick().await.is_err());
    by(300);
    bench.tick().await;
}

#[tokio::test]
async fn rows_older_than_is_kept_go_with_the_sweeps() {
    let bench = Bench::setup().variable("retain_months", "1").build().await;
    let session = bench.start("anna").await;
    bench.seconds(30);
    let _ = bench.end("anna", &session).await.ok();
    bench.seconds(60);
    bench.tick().await;
    bench.set("2026-12-01T06:00:00Z");
    assert_eq!(bench.sweep().await["pruned"], 0);
    bench.set("2027-01-02T00:00:00Z");
    assert_eq!(bench.sweep().await["pruned"], 2);
    assert_eq!(bench.rows("SELECT COUNT(*) FROM usage_sessions"), ["0"]);
    let session = bench.start("anna").await;
    let _ = bench.end("anna", &session).await.ok();
}

#[tokio::test]
async fn settings_that_contradict_each_other_are_named() {
    for (name, value) in [
        ("stale_after_seconds", "30"),
        ("alarm_interval_seconds", "601"),
        ("retain_months", "1201"),
    ] {
        let bench = Bench::setup().variable(name, value).build().await;
        let refused = bench.internal("/api/internal/alarm", json!({})).await;
        let refused = refused.refused(500, "misconfigured");
        assert!(
            refused["error"]
                .as_str()
                .is_some_and(|text| text.contains(name)),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn the_overview_counts_all_and_shows_fifty() {
    let bench = Bench::new().await;
    for user in 0..55 {
        bench.start(&format!("user-{user}")).await;
    }
    let request = request("GET", "/api/internal/overview", None, None);
    let overview = bench.send(request).await.ok();
    assert_eq!(overview["activeSessionsTotal"], 55);
    assert_eq!(
        overview["activeSessions"].as_array().map(Vec::len),
        Some(50)
    );
    assert_eq!(overview["unmappedWebhooksTotal"], 0);
}

//! Alarms: every session ends, every minute reaches the ledger, every period is archived, without anyone coming back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use talktime_host::{CallKind, FaultAction, Faults, HostCall};
use talktime_tests::Bench;

/// A tick of the cron trigger at the bench's time.
async fn tick(bench: &Bench) {
    let now = u64::try_from(bench.clock.now_millis() / 1000).expect("after 1970");
    bench
        .host
        .cron_tick("alarm", now)
        .await
        .expect("the sweep runs");
}

const PERIODS: &str =
    "SELECT user_id, minutes_used, archived FROM usage_periods ORDER BY user_id, period_start";
const SESSIONS: &str =
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
        tick(&bench).await;
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
        tick(&bench).await;
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
    tick(&bench).await;
    bench.set("2026-11-30T23:59:59Z");
    tick(&bench).await;
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
    tick(&bench).await;
    assert_eq!(bench.rows(PERIODS), ["anna|1|1", "bert|0|1"]);
    assert_eq!(
        bench.rows("SELECT COUNT(*) FROM users WHERE alarm_at IS NOT NULL"),
        ["0"]
    );
}

/// Runs a start of `bert` in the middle of a sweep of him: when the sweep is about to clear his alarm.
struct StartDuringSweep(AtomicUsize);

impl Faults for StartDuringSweep {
    fn before(&self, call: &HostCall) -> FaultAction {
        if call.component == "alarm" && call.detail.contains("lease_until = 0, failures = 0") {
            self.0.fetch_add(1, Ordering::SeqCst);
            return FaultAction::Delay(std::time::Duration::from_millis(400));
        }
        FaultAction::None
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_during_a_sweep_keeps_its_alarm() {
    let faults = Arc::new(StartDuringSweep(AtomicUsize::new(0)));
    let bench = Arc::new(Bench::setup().faults(faults.clone()).build().await);
    let session = bench.start("bert").await;
    let _ = bench.end("bert", &session).await.ok();
    bench.seconds(60);
    let sweeping = {
        let bench = bench.clone();
        tokio::spawn(async move { tick(&bench).await })
    };
    while faults.0.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let now = bench.clock.now_millis() / 1000;
    bench.start("bert").await;
    sweeping.await.expect("the sweep ends");
    assert_eq!(
        bench.rows("SELECT alarm_at, lease_until FROM users"),
        [format!("{}|0", now + 30)],
        "the alarm of the new session, free to be claimed"
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
        tick(&bench).await;
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
async fn a_poisoned_user_is_retried_with_back_off_and_stops_nobody() {
    let bench = Bench::new().await;
    for user in ["anna", "bert", "cleo"] {
        bench.start(user).await;
    }
    let good = bench
        .host
        .kv_get("default", "user:bert")
        .expect("a document");
    bench.host.kv_set("default", "user:bert", b"{ not JSON");
    bench.seconds(700);
    let report = bench.sweep().await;
    assert_eq!(
        (&report["swept"], &report["failed"], &report["ended"]),
        (&json!(2), &json!(1), &json!(2))
    );
    let mut waits = Vec::new();
    for _ in 0..3 {
        let now = bench.clock.now_millis() / 1000;
        let wait: i64 = bench.rows("SELECT alarm_at FROM users WHERE id = 'bert'")[0]
            .parse::<i64>()
            .expect("set")
            - now;
        waits.push(wait);
        bench.advance(std::time::Duration::from_secs(
            u64::try_from(wait).expect("ahead"),
        ));
        assert_eq!(bench.sweep().await["failed"], 1);
    }
    assert_eq!(waits, [15, 30, 60]);
    assert_eq!(
        bench.rows("SELECT failures FROM users WHERE id = 'bert'"),
        ["4"]
    );

    bench.host.kv_set("default", "user:bert", &good);
    bench.seconds(1_000);
    assert_eq!(bench.sweep().await["failed"], 0);
    assert_eq!(
        bench.rows("SELECT failures FROM users WHERE id = 'bert'"),
        ["0"]
    );
    assert_eq!(
        bench.rows("SELECT minutes_used, end_reason FROM usage_sessions WHERE user_id = 'bert'"),
        ["1|stale"]
    );
}

/// Answers every third statement as a database does that another process holds.
struct Locked(AtomicUsize);

impl Faults for Locked {
    fn before(&self, call: &HostCall) -> FaultAction {
        let disturbed = matches!(
            call.kind,
            CallKind::SqlExecute | CallKind::KvSwap | CallKind::KvGet
        );
        if disturbed && self.0.fetch_add(1, Ordering::SeqCst).is_multiple_of(3) {
            FaultAction::Fail("database is locked".to_owned())
        } else {
            FaultAction::None
        }
    }
}

#[tokio::test]
async fn a_locked_database_is_survived() {
    let bench = Bench::setup()
        .faults(Arc::new(Locked(AtomicUsize::new(0))))
        .build()
        .await;
    for user in 0..10 {
        bench.start(&format!("user-{user}")).await;
    }
    bench.seconds(700);
    let report = bench.sweep().await;
    assert_eq!(
        (&report["swept"], &report["ended"], &report["failed"]),
        (&json!(10), &json!(10), &json!(0))
    );
    assert_eq!(
        bench.rows("SELECT SUM(minutes_used) FROM usage_periods"),
        ["10"]
    );
}

/// Loses every write to the ledger that comes after a commit.
struct LedgerDown;

impl Faults for LedgerDown {
    fn before(&self, call: &HostCall) -> FaultAction {
        if call.component == "session" && call.detail.starts_with("INSERT INTO usage_") {
            FaultAction::Fail("disk I/O error".to_owned())
        } else {
            FaultAction::None
        }
    }
}

#[tokio::test]
async fn what_the_ledger_missed_the_alarm_writes() {
    let bench = Bench::setup().faults(Arc::new(LedgerDown)).build().await;
    let session = bench.start("anna").await;
    bench.seconds(90);
    let ended = bench.end("anna", &session).await.ok();
    assert_eq!(
        ended["sessionMinutes"], 2,
        "the user is not made to wait for the ledger"
    );
    assert_eq!(bench.rows("SELECT COUNT(*) FROM usage_sessions"), ["0"]);
    tick(&bench).await;
    assert_eq!(bench.rows(SESSIONS), ["anna|2|user_ended"]);
    assert_eq!(bench.rows(PERIODS), ["anna|2|0"]);
    let document = bench
        .host
        .kv_get("default", "user:anna")
        .expect("a document");
    let state: Value = serde_json::from_slice(&document).expect("JSON");
    assert_eq!(state.get("outbox"), None, "nothing is on its way any more");
}

#[tokio::test]
async fn a_sweep_by_a_clock_that_jumped_waits_for_an_operator_or_for_ten_minutes() {
    let bench = Bench::new().await;
    bench.start("anna").await;
    bench.seconds(60);
    tick(&bench).await;
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
    let now = u64::try_from(bench.clock.now_millis() / 1000).expect("after 1970");
    let why = bench
        .host
        .cron_tick("alarm", now)
        .await
        .expect_err("refused");
    assert!(why.contains("2026-12-21T12:01:00Z"), "{why}");
    by(300);
    assert!(bench.host.cron_tick("alarm", now).await.is_err());
    by(300);
    tick(&bench).await;
}

#[tokio::test]
async fn rows_older_than_is_kept_go_with_the_sweeps() {
    let bench = Bench::setup().variable("retain_months", "1").build().await;
    let session = bench.start("anna").await;
    bench.seconds(30);
    let _ = bench.end("anna", &session).await.ok();
    bench.seconds(60);
    tick(&bench).await;
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
    let request = talktime_tests::bench::request("GET", "/api/internal/overview", None, None);
    let overview = bench.send(request).await.ok();
    assert_eq!(overview["activeSessionsTotal"], 55);
    assert_eq!(
        overview["activeSessions"].as_array().map(Vec::len),
        Some(50)
    );
    assert_eq!(overview["unmappedWebhooksTotal"], 0);
}

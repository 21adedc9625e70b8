//! Sweeps that something comes in the way of: a start, a document that cannot be read, stores that fail.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use talktime_host::{CallKind, FaultAction, Faults, HostCall};
use talktime_tests::Bench;

use super::sweeps::{PERIODS, SESSIONS};

/// Holds a sweep when it is about to clear an alarm for the first time, tells the test, and goes on when the test says so.
struct HeldSweep {
    held: Sender<()>,
    released: Mutex<Option<Receiver<()>>>,
}

impl Faults for HeldSweep {
    fn before(&self, call: &HostCall) -> FaultAction {
        if call.component == "alarm"
            && call.detail.contains("lease_until = 0, failures = 0")
            && let Some(released) = self.released.lock().expect("one sweep").take()
        {
            self.held.send(()).expect("the test waits");
            tokio::task::block_in_place(|| released.recv()).expect("the test goes on");
        }
        FaultAction::None
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_during_a_sweep_keeps_its_alarm() {
    let (held, is_held) = channel();
    let (release, released) = channel();
    let released = Mutex::new(Some(released));
    let faults = Arc::new(HeldSweep { held, released });
    let bench = Bench::setup().faults(faults).build().await;
    let session = bench.start("bert").await;
    let _ = bench.end("bert", &session).await.ok();
    bench.seconds(60);
    let sweeping = {
        let bench = bench.clone();
        tokio::spawn(async move { bench.tick().await })
    };
    tokio::task::block_in_place(|| is_held.recv()).expect("the sweep comes");
    let now = bench.clock.now_millis() / 1000;
    bench.start("bert").await;
    release.send(()).expect("the sweep waits");
    sweeping.await.expect("the sweep ends");
    assert_eq!(
        bench.rows("SELECT alarm_at, lease_until FROM users"),
        [format!("{}|0", now + 30)],
        "the alarm of the new session, free to be claimed"
    );
}

#[tokio::test]
async fn a_poisoned_user_is_retried_with_back_off_and_stops_nobody() {
    let bench = Bench::new().await;
    for user in ["anna", "bert", "cleo"] {
        bench.start(user).await;
    }
    let good = bench.document("bert").expect("a document");
    bench.set_document("bert", b"{ not JSON");
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

    bench.set_document("bert", &good);
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

/// Answers every third call as a database does that another process holds; but none three times in a row. A writer gives up
/// after its fourth swap, and where calls of several users alternate, every third can be the same one's.
#[derive(Default)]
struct Locked {
    calls: AtomicUsize,
    in_a_row: Mutex<HashMap<(CallKind, String), u32>>,
}

impl Faults for Locked {
    fn before(&self, call: &HostCall) -> FaultAction {
        let disturbed = matches!(
            call.kind,
            CallKind::SqlExecute | CallKind::KvSwap | CallKind::KvGet
        );
        if !disturbed {
            return FaultAction::None;
        }
        let is_third = self.calls.fetch_add(1, Ordering::SeqCst).is_multiple_of(3);
        let mut in_a_row = self.in_a_row.lock().expect("no panic");
        let failed = in_a_row
            .entry((call.kind, call.detail.clone()))
            .or_default();
        if is_third && *failed < 2 {
            *failed += 1;
            FaultAction::Fail("database is locked".to_owned())
        } else {
            *failed = 0;
            FaultAction::None
        }
    }
}

#[tokio::test]
async fn a_locked_database_is_survived() {
    let bench = Bench::setup()
        .faults(Arc::new(Locked::default()))
        .build()
        .await;
    for user in 0..10 {
        bench.start(&format!("user-{user}")).await;
    }
    bench.seconds(700);
    let report = bench.sweep().await;
    assert_eq!(
        (&report["swept"], &report["ended"], &report["failed"]),
        (&json!(10), &json!(10), &json!(0)),
        "{:#?}",
        bench.host.logs()
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
    bench.tick().await;
    assert_eq!(bench.rows(SESSIONS), ["anna|2|user_ended"]);
    assert_eq!(bench.rows(PERIODS), ["anna|2|0"]);
    let document = bench.document("anna").expect("a document");
    let state: Value = serde_json::from_slice(&document).expect("JSON");
    assert_eq!(state.get("outbox"), None, "nothing is on its way any more");
}

//! The ledger's statements, in a database in memory.

use std::time::Duration;

use futures_executor::block_on;
use talktime_usage::{Command, EndReason, SessionId, SessionStart};
use uuid::Uuid;

use super::*;
use crate::alarms::Alarms;
use crate::sweep::{SweepError, SweepOrder, SweepReport, sweep};
use crate::testing::{Stage, user};

const ORDER: SweepOrder = SweepOrder {
    batch: 200,
    changed_max: 240,
    retain: None,
    force: false,
};

fn start(stage: &Stage, name: &str, number: u128) {
    let command = Command::Start(SessionStart {
        session: SessionId::new(Uuid::from_u128(number)),
        topic: None,
        difficulty: None,
        takeover: true,
        awaits_call: false,
    });
    apply(stage, name, &command);
}

fn end(stage: &Stage, name: &str, number: u128) {
    let command = Command::End {
        session: SessionId::new(Uuid::from_u128(number)),
        reason: EndReason::UserEnded,
    };
    apply(stage, name, &command);
}

fn apply(stage: &Stage, name: &str, command: &Command) {
    let mark = stage.users().fresh_mark();
    block_on(stage.users().apply(&user(name), command, &mark)).expect("carried out");
}

fn swept(stage: &Stage, order: SweepOrder) -> SweepReport {
    block_on(sweep(&stage.users(), order)).expect("swept")
}

/// Users with a period to archive and no session; all are due as if none of it were spread.
fn idle_users(stage: &Stage, count: u32) {
    for number in 0..count {
        let name = format!("idle-{number}");
        start(stage, &name, u128::from(number));
        end(stage, &name, u128::from(number));
    }
    stage.time.seconds(60);
    let report = swept(stage, ORDER);
    assert_eq!(report.swept, u64::from(count));
    stage.sql("UPDATE users SET alarm_at = 0;");
}

#[test]
fn running_sessions_come_before_archiving() {
    let stage = Stage::new();
    idle_users(&stage, 30);
    start(&stage, "runs", 1_000);
    stage.time.seconds(60);
    let now = stage.time.now();
    let claimed = block_on(stage.ledger.claim_due(now, 10)).expect("claimed");
    assert_eq!(claimed.alarms.len(), 10);
    assert_eq!(claimed.alarms[0].user, user("runs"));
    assert_eq!(claimed.unreadable, 0);
    // After its end it is one of those that only archive.
    end(&stage, "runs", 1_000);
    stage.time.seconds(60);
    swept(&stage, ORDER);
    assert_eq!(
        stage.rows("SELECT alarm_urgent FROM users WHERE id = 'runs'"),
        ["0"]
    );
}

#[test]
fn a_sweep_hands_back_what_its_time_does_not_suffice_for() {
    let stage = Stage::new();
    idle_users(&stage, 60);
    // One call a user: thirteen users in eight seconds, and then some that were under way.
    stage.documents.slow.set(Duration::from_millis(600));
    let report = swept(&stage, ORDER);
    assert!((10..25).contains(&report.swept), "{report}");
    assert_eq!(report.failed, 0);
    assert_eq!(report.remaining, 60 - report.swept);
    assert_eq!(
        stage.rows("SELECT COUNT(*) FROM users WHERE lease_until > 0"),
        ["0"],
        "another sweep can go on at once"
    );
}

#[test]
fn a_lease_that_a_wrong_clock_gave_keeps_nobody() {
    let stage = Stage::new();
    let now = stage.time.now();
    let hour = Duration::from_hours(1);
    let ann = user("ann");
    let claim = |creator, at| {
        let claimed = stage.ledger.claim_creation(&ann, creator, creator, at, now);
        block_on(claimed).expect("claimed")
    };
    // By clocks that differ as they may, a lease holds.
    let minute = Duration::from_mins(1);
    assert!(claim("one", now.plus(minute)).is_some());
    assert_eq!(claim("two", now), None);
    assert!(claim("two", now.plus(hour)).is_some());
    assert!(claim("three", now).is_some(), "an hour ahead it was wrong");
    let due = |at| {
        block_on(stage.ledger.claim_due(at, 10))
            .expect("claimed")
            .alarms
            .len()
    };
    assert_eq!(due(now.plus(hour)), 1);
    assert_eq!(due(now), 1, "the same of a sweep");
    assert_eq!(due(now), 0);
}

#[test]
fn an_id_that_is_none_and_an_alarm_without_a_mark_stop_nobody() {
    let stage = Stage::new();
    start(&stage, "ann", 1);
    stage.sql(
        "INSERT INTO users (id, created_at, seed_token, seed_lease_until, alarm_at) VALUES ('no id!', 0, '', 0, 1);
         INSERT INTO users (id, created_at, seed_token, seed_lease_until, alarm_at) VALUES ('markless', 0, '', 0, 1);",
    );
    stage.time.seconds(60);
    let report = swept(&stage, ORDER);
    assert_eq!(
        (report.swept, report.failed, report.remaining),
        (2, 1, 0),
        "{report}"
    );
    let alarm = |id: &str| {
        let sql = format!("SELECT alarm_at > 1, failures FROM users WHERE id = '{id}'");
        stage.rows(&sql)[0].clone()
    };
    assert_eq!(alarm("no id!"), "1|1");
    assert_eq!(alarm("markless"), "|0");
}

#[test]
fn a_user_whose_rows_cannot_be_written_is_brought_to_the_present_all_the_same() {
    let stage = Stage::new();
    start(&stage, "ann", 1);
    stage.time.seconds(3_600);
    *stage.ledger.sql.broken.borrow_mut() = Some(("INSERT INTO usage_periods", "disk I/O error"));
    let report = swept(&stage, ORDER);
    assert_eq!((report.swept, report.failed), (0, 1));
    let document = stage.documents.state(&user("ann")).expect("a document");
    assert_eq!(document.session, None, "the session is over");
    assert!(!document.outbox.is_empty());
    assert_eq!(
        stage.rows("SELECT end_reason FROM usage_sessions"),
        ["stale"],
        "and its own row is written"
    );
    *stage.ledger.sql.broken.borrow_mut() = None;
    stage.time.seconds(60);
    assert_eq!(swept(&stage, ORDER).failed, 0);
    assert_eq!(stage.rows("SELECT minutes_used FROM usage_periods"), ["1"]);
}

#[test]
fn a_sweep_takes_up_a_user_whose_document_is_lost() {
    let stage = Stage::new();
    idle_users(&stage, 1);
    stage.documents.documents.borrow_mut().clear();
    stage.time.seconds(30 * 86_400);
    let order = SweepOrder {
        force: true,
        ..ORDER
    };
    let report = swept(&stage, order);
    assert_eq!((report.swept, report.failed), (1, 0), "{report}");
    assert_eq!(
        stage.rows("SELECT minutes_used, archived FROM usage_periods"),
        ["1|1"]
    );
}

#[test]
fn a_sweep_by_a_clock_that_jumped_does_nothing_until_it_is_believed_or_forced() {
    let stage = Stage::new();
    start(&stage, "ann", 1);
    stage.time.seconds(60);
    swept(&stage, ORDER);
    stage.time.seconds(40 * 86_400);
    let refused = block_on(sweep(&stage.users(), ORDER)).expect_err("refused");
    let SweepError::ClockSuspect {
        clock,
        newest,
        believed_at,
    } = &refused
    else {
        panic!("{refused}");
    };
    assert_eq!(clock.since(*newest), Duration::from_hours(40 * 24));
    assert_eq!(believed_at.since(*clock), Duration::from_mins(10));
    assert!(
        refused.to_string().contains("2026-12-20T12:01:00Z"),
        "{refused}"
    );
    let running = "SELECT COUNT(*) FROM usage_sessions WHERE ended_at IS NULL";
    assert_eq!(stage.rows(running), ["1"]);
    for _ in 0..9 {
        stage.time.seconds(60);
        assert!(block_on(sweep(&stage.users(), ORDER)).is_err());
    }
    stage.time.seconds(60);
    assert_eq!(
        swept(&stage, ORDER).ended,
        1,
        "a machine that was off goes on by itself"
    );
}

#[test]
fn a_sweep_deletes_what_is_older_than_is_kept_and_no_more_than_it_may() {
    let stage = Stage::new();
    start(&stage, "ann", 1);
    stage.sql(
        "INSERT INTO usage_sessions (id, user_id, started_at, ended_at, minutes_used, end_reason) \
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200) \
         SELECT 'old-' || i, 'ann', i, i + 60, 1, 'user_ended' FROM n;
         INSERT INTO usage_sessions (id, user_id, started_at, minutes_used) VALUES ('runs', 'ann', 1, 1);
         INSERT INTO usage_periods VALUES ('ann:1', 'ann', 1, 2, 'free', 1, 10, 2, 1, 1, 1);
         INSERT INTO usage_periods VALUES ('ann:3', 'ann', 3, 4, 'free', 1, 10, 2, 1, 0, 1);
         INSERT INTO webhook_events VALUES ('settled', 't', 1, NULL, 'applied', NULL);
         INSERT INTO webhook_events VALUES ('open', 't', 1, NULL, 'unmapped', NULL);",
    );
    assert_eq!(swept(&stage, ORDER).pruned, 0, "by default all is kept");
    let order = SweepOrder {
        retain: Some(Duration::from_hours(31 * 24)),
        ..ORDER
    };
    let pruned: Vec<u64> = (0..4).map(|_| swept(&stage, order).pruned).collect();
    assert_eq!(pruned, [502, 500, 200, 0]);
    assert_eq!(stage.rows("SELECT id FROM webhook_events"), ["open"]);
    assert_eq!(
        stage.rows("SELECT id FROM usage_periods WHERE period_start < 100"),
        ["ann:3"]
    );
    assert_eq!(
        stage.rows("SELECT COUNT(*) FROM usage_sessions WHERE ended_at IS NULL"),
        ["2"]
    );
}

#[test]
fn the_overview_uses_its_indexes() {
    let stage = Stage::new();
    start(&stage, "ann", 1);
    let plan = |sql: &str| {
        let rows = stage.rows(&format!("EXPLAIN QUERY PLAN {sql}"));
        rows.join("; ")
    };
    for (sql, index) in [
        (
            "SELECT COUNT(*) FROM usage_sessions WHERE ended_at IS NULL",
            "usage_sessions_running",
        ),
        (
            "SELECT id FROM usage_sessions WHERE ended_at IS NULL ORDER BY started_at DESC LIMIT 50",
            "usage_sessions_running",
        ),
        (
            "SELECT end_reason, COUNT(*), SUM(minutes_used) FROM usage_sessions WHERE ended_at >= 5 GROUP BY end_reason",
            "COVERING INDEX usage_sessions_ended",
        ),
        (
            "SELECT date(started_at, 'unixepoch'), COUNT(*), SUM(minutes_used) FROM usage_sessions \
             WHERE started_at >= 5 GROUP BY 1",
            "COVERING INDEX usage_sessions_started",
        ),
        (
            "SELECT id FROM usage_sessions WHERE user_id = 'a' ORDER BY started_at DESC LIMIT 50",
            "usage_sessions_user_started",
        ),
        (
            "SELECT id FROM usage_sessions WHERE user_id = 'a' AND ended_at IS NULL",
            "usage_sessions_running_user",
        ),
        (
            "SELECT COUNT(*) FROM users WHERE failures > 0",
            "users_failing",
        ),
        (
            "SELECT id FROM users WHERE alarm_urgent = 1 AND alarm_at <= 5 ORDER BY alarm_at",
            "users_alarm_urgent",
        ),
        (
            "SELECT id FROM usage_sessions WHERE ended_at < 5 ORDER BY ended_at LIMIT 5",
            "usage_sessions_ended",
        ),
        (
            "SELECT id FROM webhook_events WHERE received_at < 5 ORDER BY received_at",
            "webhook_events_received",
        ),
    ] {
        let plan = plan(sql);
        assert!(plan.contains(index), "{sql}: {plan}");
    }
    let now = stage.time.now();
    assert_eq!(
        block_on(stage.ledger.count_running(now)).expect("a number"),
        1
    );
    assert_eq!(
        block_on(stage.ledger.running_sessions(now))
            .expect("rows")
            .len(),
        1
    );
    let alarms = block_on(stage.ledger.alarms(now)).expect("sums");
    assert_eq!((alarms.due, alarms.failing), (0, 0));
}

#[test]
fn a_value_of_the_wrong_kind_is_an_error_and_not_a_zero() {
    let stage = Stage::new();
    start(&stage, "ann", 1);
    stage.sql("UPDATE usage_sessions SET minutes_used = 'many';");
    let rows = block_on(stage.ledger.running_sessions(stage.time.now()));
    assert!(matches!(rows, Err(StoreError::Unreadable(_))), "{rows:?}");
}

//! Documents that were lost or put back in time, and ledgers that were.

use talktime_usage::{EndReason, Refusal, Reply};

use super::*;

#[test]
fn a_lost_document_gives_no_minutes_back() {
    let stage = Stage::new();
    stage.talk("ann", 1, 9);
    stage.restore("ann", None);
    let started = stage.done("ann", &start(2));
    let Reply::Started(started) = started.reply else {
        panic!("{started:?}");
    };
    assert_eq!(started.minutes_remaining.get(), 1, "nine of ten are used");
    stage.time.seconds(60);
    stage.done("ann", &heartbeat(2));
    assert_eq!(stage.rows(SESSIONS), ["9|user_ended", "1|limit_reached"]);
    assert!(
        stage.rows(PERIODS)[0].starts_with("10|"),
        "{:?}",
        stage.rows(PERIODS)
    );
}

#[test]
fn a_session_whose_document_was_lost_is_not_told_that_it_never_was() {
    let stage = Stage::new();
    stage.done("ann", &start(1));
    stage.time.seconds(30);
    stage.restore("ann", None);
    let heard = stage.done("ann", &heartbeat(1));
    assert!(matches!(heard.reply, Reply::Heard(heard) if heard.ended.is_none()));
    // Somebody of whom the ledger knows nothing is still nobody.
    let refused = stage.apply("bob", &heartbeat(2));
    assert!(matches!(
        refused,
        Err(ApplyError::Refused(Refusal::SessionNotFound))
    ));
    assert_eq!(stage.rows("SELECT COUNT(*) FROM users"), ["1"]);
}

#[test]
fn a_document_that_cannot_be_taken_up_is_not_begun_anew() {
    let stage = Stage::new();
    stage.talk("ann", 1, 2);
    stage.restore("ann", None);
    *stage.ledger.sql.broken.borrow_mut() = Some(("SELECT users.alarm_at", "disk I/O error"));
    let failed = stage.apply("ann", &start(2));
    assert!(matches!(
        failed,
        Err(ApplyError::Store(StoreError::Unavailable(_)))
    ));
    assert_eq!(stage.documents.state(&user("ann")), None);
}

#[test]
fn an_older_document_is_noticed_at_the_first_row_and_brought_up_to_the_ledger() {
    let stage = Stage::new();
    stage.talk("ann", 1, 2);
    let backup = stage.backup("ann");
    stage.talk("ann", 2, 4);
    stage.talk("ann", 3, 1);
    stage.restore("ann", Some(backup));
    stage.done("ann", &start(4));
    let document = stage.state("ann");
    assert_eq!(document.period.billed_minutes.get(), 7);
    let version: u64 = stage.rows("SELECT version FROM usage_periods")[0]
        .parse()
        .expect("a number");
    assert_eq!(document.revision, version, "the ledger listens again");
    stage.time.seconds(30);
    stage.done("ann", &end(4));
    assert!(
        stage.rows(PERIODS)[0].starts_with("8|"),
        "{:?}",
        stage.rows(PERIODS)
    );
    assert_eq!(
        stage.rows("SELECT SUM(minutes_used) FROM usage_sessions"),
        ["8"]
    );
}

#[test]
fn a_session_that_is_over_in_the_ledger_ends_in_an_older_document_too() {
    let stage = Stage::new();
    stage.done("ann", &start(1));
    stage.time.seconds(30);
    stage.done("ann", &heartbeat(1));
    let backup = stage.backup("ann");
    stage.time.seconds(90);
    stage.done("ann", &end(1));
    stage.restore("ann", Some(backup));
    // Heartbeats ask no ledger, but for one in five minutes.
    let mut ended = None;
    for _ in 0..14 {
        stage.time.seconds(30);
        if let Reply::Heard(heard) = stage.done("ann", &heartbeat(1)).reply {
            ended = ended.or(heard.ended);
        }
    }
    let ended = ended.expect("over");
    assert_eq!(
        (ended.session_minutes.get(), ended.reason),
        (2, EndReason::UserEnded)
    );
    assert_eq!(stage.rows(SESSIONS), ["2|user_ended"]);
    assert_eq!(stage.state("ann").period.billed_minutes.get(), 2);
}

#[test]
fn heartbeats_touch_the_ledger_once_in_five_minutes() {
    let stage = Stage::new();
    stage.done("ann", &start(1));
    let statements = || stage.ledger.sql.statements.get();
    let before = statements();
    for _ in 0..9 {
        stage.time.seconds(30);
        stage.done("ann", &heartbeat(1));
    }
    assert_eq!(statements(), before);
    stage.time.seconds(30);
    stage.done("ann", &heartbeat(1));
    assert_eq!(
        statements(),
        before + 2,
        "two look-ups, and nothing written"
    );
}

#[test]
fn a_running_session_that_the_ledger_lost_gets_its_alarm_and_rows_back() {
    let stage = Stage::new();
    stage.done("ann", &start(1));
    stage.sql("DELETE FROM usage_sessions; DELETE FROM usage_periods; DELETE FROM users;");
    for _ in 0..10 {
        stage.time.seconds(30);
        stage.done("ann", &heartbeat(1));
    }
    let due = "SELECT alarm_urgent FROM users WHERE alarm_at IS NOT NULL";
    assert_eq!(stage.rows(due), ["1"]);
    // The end comes to a ledger that was emptied once more.
    stage.sql("DELETE FROM users;");
    let ended = stage.done("ann", &end(1));
    assert!(ended.ledger_written);
    assert_eq!(stage.rows(SESSIONS), ["5|user_ended"]);
    assert_eq!(
        stage.rows(due),
        ["1"],
        "a sweep brings what else is missing"
    );
}

#[test]
fn another_period_from_the_same_instant_on_poisons_nothing() {
    let stage = Stage::new();
    stage.talk("ann", 1, 2);
    let start_of_period = stage.rows("SELECT period_start FROM usage_periods")[0].clone();
    // What a restore across a reset can leave behind.
    stage.sql(&format!(
        "UPDATE usage_periods SET id = 'ann:77', version = 1 WHERE period_start = {start_of_period};"
    ));
    stage.done("ann", &start(2));
    stage.time.seconds(60);
    let ended = stage.done("ann", &end(2));
    assert!(ended.ledger_written);
    assert_eq!(stage.rows(SESSIONS), ["2|user_ended", "1|user_ended"]);
}

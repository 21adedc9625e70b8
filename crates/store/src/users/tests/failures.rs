//! Stores that fail, are locked or contended, and documents that grow.

use std::time::Duration;

use futures_executor::block_on;
use talktime_usage::{Reply, Source, UserId};

use super::*;
use crate::memory::Fault;

#[test]
fn a_row_that_cannot_be_written_does_not_keep_the_others() {
    let stage = Stage::new();
    stage.done("ann", &start(1));
    *stage.ledger.sql.broken.borrow_mut() = Some(("INSERT INTO usage_sessions", "disk I/O error"));
    stage.time.seconds(90);
    let ended = stage.done("ann", &end(1));
    assert!(!ended.ledger_written);
    assert!(
        stage.rows(PERIODS)[0].starts_with("2|"),
        "{:?}",
        stage.rows(PERIODS)
    );
    assert_eq!(stage.rows(SESSIONS), ["0|"]);
}

/// The lease is the request's, not that of one of its attempts, the next of which would wait for it.
#[test]
fn who_creates_a_user_and_fails_is_not_in_its_own_way() {
    let stage = Stage::new();
    let faults = || stage.documents.faults.script.borrow_mut();
    faults().push_back(Fault::NotDone);
    let began = stage.time.elapsed();
    stage.done("ann", &start(1));
    assert!(stage.time.elapsed().saturating_sub(began) < Duration::from_millis(100));
    // The alarm is that of the attempt that was made.
    let made = stage.state("ann").writes.last().expect("a write").clone();
    assert_eq!(stage.rows("SELECT alarm_token FROM users"), [made.as_str()]);
}

#[test]
fn the_attempt_that_was_carried_out_is_the_one_that_is_told() {
    let stage = Stage::new();
    stage.done("ann", &start(1));
    stage.time.seconds(150);
    stage.done("ann", &heartbeat(1));
    stage.time.seconds(20);
    // The first swap seems to fail and lands when the second is tried, a second later.
    stage
        .documents
        .faults
        .script
        .borrow_mut()
        .push_back(Fault::LandsLate(Duration::from_secs(2)));
    stage.documents.slow.set(Duration::from_millis(700));
    let ended = stage.done("ann", &end(1));
    stage.documents.slow.set(Duration::ZERO);
    let Reply::Stopped(told) = ended.reply else {
        panic!("{ended:?}");
    };
    let document = stage.state("ann");
    let first = document.ended.iter().next().expect("ended");
    assert_eq!(
        (first.minutes, first.ended_at),
        (told.session_minutes, told.at)
    );
    assert_eq!(
        document.writes.last(),
        ended.state.expect("a state").writes.last()
    );
    assert_eq!(
        stage.rows("SELECT ended_at FROM usage_sessions"),
        [told.at.unix_seconds().to_string()]
    );
}

#[test]
fn a_swap_that_was_made_and_failed_is_found_by_its_mark() {
    let stage = Stage::new();
    stage.done("ann", &start(1));
    stage
        .documents
        .faults
        .script
        .borrow_mut()
        .push_back(Fault::DoneAndFailed);
    stage.time.seconds(30);
    stage.done("ann", &end(1));
    assert_eq!(stage.documents.swaps.get(), 2);
    assert_eq!(stage.rows(SESSIONS), ["1|user_ended"]);
}

#[test]
fn one_request_makes_four_swaps_at_most() {
    let stage = Stage::new();
    stage.done("ann", &start(1));
    let before = stage.documents.swaps.get();
    stage
        .documents
        .faults
        .script
        .borrow_mut()
        .extend([Fault::Raced; 9]);
    stage.time.seconds(30);
    let failed = stage.apply("ann", &heartbeat(1));
    assert!(
        matches!(failed, Err(ApplyError::Store(StoreError::Busy(_)))),
        "{failed:?}"
    );
    assert_eq!(stage.documents.swaps.get() - before, 4);
}

#[test]
fn an_instance_without_swaps_says_so_at_once() {
    let stage = Stage::new();
    stage.done("ann", &start(1));
    stage.time.seconds(30);
    stage.documents.swaps_max.set(0);
    let began = stage.time.elapsed();
    let failed = stage.apply("ann", &heartbeat(1));
    assert!(matches!(
        failed,
        Err(ApplyError::Store(StoreError::Busy(_)))
    ));
    assert_eq!(stage.time.elapsed(), began, "nothing was waited for");
}

/// That no further swap can be made says nothing of the one that was: only the document does.
#[test]
fn the_last_swap_of_an_instance_is_read_back_like_any_other() {
    let stage = Stage::new();
    stage.done("ann", &start(1));
    stage.time.seconds(30);
    stage
        .documents
        .swaps_max
        .set(stage.documents.swaps.get() + 1);
    stage
        .documents
        .faults
        .script
        .borrow_mut()
        .push_back(Fault::DoneAndFailed);
    let ended = stage.done("ann", &end(1));
    assert!(matches!(ended.reply, Reply::Stopped(_)), "{ended:?}");
}

#[test]
fn a_locked_store_is_given_up_after_the_call_that_found_it_locked() {
    let five = Duration::from_secs(5);
    let stage = Stage::new();
    stage.done("ann", &start(1));
    stage.time.seconds(30);
    let took = |result: &str, work: &dyn Fn() -> bool| {
        let began = stage.time.elapsed();
        assert!(work(), "{result}");
        stage.time.elapsed().saturating_sub(began)
    };
    let busy = |applied: Result<Applied, ApplyError>| {
        matches!(applied, Err(ApplyError::Store(StoreError::Busy(_))))
    };
    stage.documents.locked_swaps.set(Some(five));
    assert_eq!(
        took("a heartbeat", &|| busy(stage.apply("ann", &heartbeat(1)))),
        five
    );
    stage.documents.locked_swaps.set(None);
    stage.documents.locked_reads.set(Some(five));
    assert_eq!(took("an end", &|| busy(stage.apply("ann", &end(1)))), five);
    assert_eq!(
        took("a look", &|| block_on(stage.users().status(&user("ann")))
            .is_err()),
        five
    );
    stage.documents.locked_reads.set(None);
    // Whoever comes next is told at once; who only reads is not held up by writes that were.
    let next = |access: Access| {
        stage.documents.found_locked.set(Some(access));
        let swaps = stage.documents.swaps.get();
        assert_eq!(
            took("an end", &|| busy(stage.apply("ann", &end(1)))),
            Duration::ZERO
        );
        assert_eq!(stage.documents.swaps.get(), swaps);
        block_on(stage.users().status(&user("ann"))).is_ok()
    };
    assert!(!next(Access::Read));
    assert!(next(Access::Write));
    stage.documents.found_locked.set(None);
    // Of the ledger each call is short, and a request that cannot do without it tries for as long as it may.
    *stage.ledger.sql.broken.borrow_mut() = Some(("", "database is locked"));
    let start_of_bob = took("a start", &|| busy(stage.apply("bob", &start(2))));
    assert!(start_of_bob < five, "{start_of_bob:?}");
}

#[test]
fn a_long_outbox_is_written_by_the_next_command_that_the_ledger_hears_of() {
    let stage = Stage::new();
    stage.done(
        "ann",
        &Command::ChangePlan {
            source: Source::Manual,
            plan: stage.policy.catalogue.find("pro").cloned(),
            period: None,
            ends_at: None,
            customer: None,
            reset_usage: false,
            as_of: None,
        },
    );
    for number in 0..200 {
        stage.done("ann", &start(number));
        stage.time.seconds(2);
        stage.done("ann", &end(number));
        stage.time.seconds(2);
        let length = stage.state("ann").outbox.len();
        assert!(length <= 40, "{length} rows after {number} sessions");
    }
    assert_eq!(
        stage.rows("SELECT COUNT(*) FROM usage_sessions WHERE ended_at IS NOT NULL"),
        ["200"]
    );
}

#[test]
fn no_session_is_started_while_too_much_waits_for_the_ledger() {
    let stage = Stage::new();
    stage.done(
        "ann",
        &Command::ChangePlan {
            source: Source::Manual,
            plan: stage.policy.catalogue.find("pro").cloned(),
            period: None,
            ends_at: None,
            customer: None,
            reset_usage: false,
            as_of: None,
        },
    );
    *stage.ledger.sql.broken.borrow_mut() = Some(("INSERT INTO usage_", "disk I/O error"));
    let mut started = 0;
    let refused = loop {
        match stage.apply("ann", &start(started)) {
            Ok(_) => stage.done("ann", &end(started)),
            Err(error) => break error,
        };
        stage.time.seconds(2);
        started += 1;
    };
    assert!(
        matches!(refused, ApplyError::Store(StoreError::Busy(_))),
        "{refused}"
    );
    assert!((195..=205).contains(&started), "{started}");
    // It mends itself.
    *stage.ledger.sql.broken.borrow_mut() = None;
    stage.done("ann", &start(1_000));
    assert!(stage.state("ann").outbox.len() < 5);
    assert_eq!(
        stage.rows("SELECT COUNT(*) FROM usage_sessions WHERE ended_at IS NOT NULL"),
        [started.to_string()]
    );
}

#[test]
fn users_are_created_once_and_asked_for_once() {
    let stage = Stage::new();
    let id: UserId = user("ann");
    assert_eq!(block_on(stage.users().read(&id)).expect("readable"), None);
    stage.done("ann", &start(1));
    assert_eq!(stage.state("ann").revision, 1);
    assert_eq!(stage.rows("SELECT alarm_urgent FROM users"), ["1"]);
}

//! Sessions: one line of story, one line of bill.

use std::time::Duration;

use crate::scene::play::{check, check_with};
use crate::scene::{Scene, session_id};
use talktime_usage::{Catalogue, Command, EndReason, Refusal, Reply, Seconds, SessionStart};

#[test]
fn a_session_ends_at_its_last_minute_however_late_anyone_notices() {
    check("0:00 start, 10:00 talk", &["limit_reached 10:00 10"]);
    check(
        "0:00 start, 9:30 talk, 10:00 end",
        &["limit_reached 10:00 10"],
    );
    check(
        "0:00 start, 9:30 talk, 10:01 beat",
        &["limit_reached 10:00 10"],
    );
    check(
        "0:00 start, 9:30 talk, 500:00 look",
        &["limit_reached 10:00 10"],
    );
    check(
        "0:00 start, 9:30 talk, 40d beat",
        &["limit_reached 10:00 10"],
    );
    check("0:00 start, 9:30 talk, 9:59.999 look", &["running"]);
    // The last heartbeats may be late or lost: three intervals are no silence.
    check(
        "0:00 start, 8:30 talk, 14:59 end",
        &["limit_reached 10:00 10"],
    );
    check(
        "0:00 start, 9:00 beat, 70:00 fail",
        &["limit_reached 10:00 10"],
    );
    check(
        "0:00.001 start, 9:00.001 beat, 30:00 look",
        &["limit_reached 10:00 10"],
    );
    check(
        "0:00 start, 1:00 beat, 2:01 end, 3:00 start, 9:00 beat, 60:00 look",
        &["user_ended 2:01 3", "limit_reached 7:00 7"],
    );
    check(
        "0:00 start, 8:59.999 talk, 8:59.999 end, 9:00 start, 600:00 look",
        &["user_ended 8:59.999 9", "limit_reached 1:00 1"],
    );
}

#[test]
fn a_session_has_a_longest_time() {
    let check_max = |max: Option<u64>, story: &str, sessions: &[&str]| {
        check_with(
            &format!("0:00 pro, 0:00 start, {story}"),
            |policy| policy.session_max = max.map(Duration::from_mins),
            sessions,
        );
    };
    check_max(Some(60), "171:00 talk", &["timeout 60:00 60"]);
    check_max(None, "171:00 talk", &["running"]);
    check_max(Some(60), "59:00 talk, 59:59.999 look", &["running"]);
    check_max(Some(60), "59:00 talk, 171:00 look", &["timeout 60:00 60"]);
    check_max(Some(60), "55:00 talk, 60:00 look", &["stale 55:30 56"]);
    // A cap at the limit's own instant: the limit counts.
    check_with(
        "0:00 start, 9:00 talk, 11:00 look",
        |policy| policy.session_max = Some(Duration::from_mins(10)),
        &["limit_reached 10:00 10"],
    );
}

#[test]
fn what_a_session_started_under_stays_its_own() {
    let plans = |minutes: u32| {
        let json = format!(r#"{{"free": {{"minutes": 10}}, "basic": {{"minutes": {minutes}}}}}"#);
        Catalogue::parse(&json).expect("valid")
    };
    let mut scene = Scene::new();
    scene.play("0:00 basic, 0:00 start, 20:00 talk");
    // The catalogue loses minutes, the cap and the silence get shorter: nothing ends in the past, nor before its own limit.
    scene.policy.catalogue = plans(15);
    scene.policy.session_max = Some(Duration::from_mins(5));
    scene.policy.stale_after = Duration::from_secs(40);
    assert_eq!(scene.status_at("20:30").minutes_limit.get(), 100);
    scene.play("20:40 beat, 50:00 talk");
    assert_eq!(scene.ledger.sessions_told(), ["running"]);
    scene.play("60:00 talk");
    assert_eq!(scene.ledger.sessions_told(), ["timeout 60:00 60"]);
    // The next one runs under what is set now.
    assert_eq!(
        scene.try_start_at("61:00", false).map(|_| ()),
        Err(Refusal::NoCredits)
    );
    // A plan that is changed by a command counts from that instant on.
    let mut scene = Scene::new();
    scene.play("0:00 basic, 0:00 start, 20:00 talk, 20:10 free");
    assert_eq!(scene.ledger.sessions_told(), ["limit_reached 20:10 21"]);
}

#[test]
fn minutes_are_whole_rounded_up_once_a_session_and_at_least_one() {
    check("0:00 start, 0:00 end", &["user_ended 0:00 1"]);
    check("0:00 start, 0:00.001 end", &["user_ended 0:00.001 1"]);
    check("0:00 start, 1:00 end", &["user_ended 1:00 1"]);
    check("0:00 start, 1:00.001 end", &["user_ended 1:00.001 2"]);
    let mut scene = Scene::new();
    scene.play("0:00 start, 1:01 end, 2:00 start, 3:01 end, 4:00 start, 5:01 end");
    assert_eq!(scene.status_at("6:00").minutes_used.get(), 6);
}

#[test]
fn a_session_that_failed_before_anybody_could_talk_is_free() {
    check("0:00 start, 0:20 fail", &["error 0:20 0"]);
    check("0:00 start, 0:30 sweep, 1:00 fail", &["error 1:00 0"]);
    // What the provider refused costs nothing.
    check("0:00 start, 0:01 failedmint, 0:02 fail", &["error 0:02 0"]);
    check("0:00 start, 0:01 mint, 0:02 fail", &["error 0:02 0"]);
    // After a sign of life the user may have talked.
    check("0:00 start, 0:10 beat, 0:20 fail", &["error 0:20 1"]);
    check("0:00 start, 0:10 token, 0:20 fail", &["error 0:20 1"]);
    check("0:00 start, 0:20 end", &["user_ended 0:20 1"]);
    // Nothing takes longer than a minute to fail.
    check("0:00 start, 1:00.001 fail", &["error 1:00.001 2"]);
    check("0:00 start, 9:00 fail", &["stale 0:30 1"]);
    check("0:00 start, 10:00 fail", &["stale 0:30 1"]);
}

#[test]
fn so_is_one_that_was_started_twice_at_once() {
    check(
        "0:00 start, 0:00.050 takeover, 0:30 beat, 1:30 end",
        &["user_ended 0:00.050 0", "user_ended 1:29.950 2"],
    );
    check(
        "0:00 start, 0:10 beat, 0:20 takeover, 1:00 end",
        &["user_ended 0:20 1", "user_ended 0:40 1"],
    );
    check(
        "0:00 start, 1:01 takeover, 2:00 end",
        &["user_ended 1:01 2", "user_ended 0:59 1"],
    );
}

#[test]
fn three_failures_in_a_period_are_free() {
    let fails = |from: u32, to: u32| -> Vec<String> {
        let fail = |n: u32| format!("{n}:00 start, {n}:01 fail");
        (from..to).map(fail).collect()
    };
    check(
        &fails(0, 5).join(", "),
        &[
            "error 0:01 0",
            "error 0:01 0",
            "error 0:01 0",
            "error 0:01 1",
            "error 0:01 1",
        ],
    );
    // The next period has its own.
    let mut scene = Scene::at("2026-11-30T23:50:00");
    scene.play(&fails(0, 12).join(", "));
    let minutes: Vec<_> = scene.ledger.sessions_told();
    let paid = minutes.iter().filter(|told| told.ends_with(" 1")).count();
    assert_eq!((minutes.len(), paid), (12, 7));
}

#[test]
fn one_session_at_a_time() {
    let mut scene = Scene::new();
    let first = scene.start().session;
    let before = scene.state.clone();
    assert_eq!(
        scene.try_start_at("1:00", false).map(|_| ()),
        Err(Refusal::SessionActive(first))
    );
    assert_eq!(scene.state, before);
    check(
        "0:00 start, 1:30 takeover, 2:00 beat, 3:00 end",
        &["user_ended 1:30 2", "user_ended 1:30 2"],
    );
    // One that is over already needs no takeover.
    check(
        "0:00 basic, 0:00 start, 11:00 start",
        &["stale 0:30 1", "running"],
    );
    check(
        "0:00 basic, 0:00 start, 11:00 takeover",
        &["stale 0:30 1", "running"],
    );
}

#[test]
fn a_takeover_without_minutes_changes_nothing() {
    let mut scene = Scene::new();
    let first = scene.start().session;
    scene.play("9:00 talk");
    let (before, ledger) = (scene.state.clone(), scene.ledger.clone());
    assert_eq!(
        scene.try_start_at("9:00.001", true).map(|_| ()),
        Err(Refusal::NoCredits)
    );
    assert_eq!((&scene.state, &scene.ledger), (&before, &ledger));
    let ended = scene
        .try_end_at("9:30", first, EndReason::UserEnded)
        .expect("it still runs");
    assert_eq!(ended.session_minutes.get(), 10);
    // And so for a session that is over, and one that nobody settled yet.
    let mut scene = Scene::new();
    scene.play("0:00 start, 9:30 talk");
    let before = scene.state.clone();
    for takeover in [false, true] {
        let refused = scene.try_start_at("10:00", takeover).map(|_| ());
        assert_eq!((refused, &scene.state), (Err(Refusal::NoCredits), &before));
    }
}

#[test]
fn a_start_is_recognised_by_its_session() {
    // The same id again, while it runs and after it ended: one session, one bill.
    let mut scene = Scene::new();
    let first = scene.start();
    let again = Command::Start(SessionStart {
        session: first.session,
        topic: None,
        difficulty: None,
        takeover: false,
    });
    for (now, end) in [("0:10", false), ("2:00", true), ("5:00", true)] {
        if end {
            scene.end_at("1:30");
        }
        let reply = scene.apply(&again, scene.when(now)).expect("started");
        let Reply::Started(started) = reply else {
            panic!("{reply:?}")
        };
        assert_eq!((started.session, started.at), (first.session, first.at));
    }
    // Nor does it take over from the session that came after it.
    let second = scene.start_at("6:00").session;
    let takeover = Command::Start(SessionStart {
        session: first.session,
        topic: None,
        difficulty: None,
        takeover: true,
    });
    let before = scene.state.clone();
    assert!(scene.apply(&takeover, scene.when("6:30")).is_ok());
    assert_eq!((scene.state.clone(), scene.session), (before, second));
    scene.end_at("7:00");
    assert_eq!(
        scene.ledger.sessions_told(),
        ["user_ended 1:30 2", "user_ended 1:00 1"]
    );
    assert_eq!(scene.status_at("30:00").minutes_used.get(), 3);
}

#[test]
fn ending_twice_gives_the_first_answer() {
    let mut scene = Scene::new();
    scene.play("0:00 start, 1:30 beat");
    let session = scene.session;
    let first = scene.end_at("2:30");
    let told = (first.session_minutes.get(), first.total_minutes_used.get());
    assert_eq!((told, first.minutes_remaining.get()), ((3, 3), 7));
    assert_eq!(first.at, scene.when("2:30"));
    scene.play("3:00 start, 4:00 end");
    for (time, reason) in [("5:00", EndReason::UserEnded), ("40d", EndReason::Error)] {
        assert_eq!(scene.try_end_at(time, session, reason), Ok(first.clone()));
    }
    // What ended by itself answers just so.
    let mut scene = Scene::new();
    scene.play("0:00 start, 9:30 talk");
    let first = scene.end_at("12:00");
    assert_eq!(
        (first.reason, first.at),
        (EndReason::LimitReached, scene.when("10:00"))
    );
    assert_eq!(
        (first.session_minutes.get(), first.minutes_remaining.get()),
        (10, 0)
    );
    assert_eq!(scene.end_at("13:00"), first);
}

#[test]
fn a_heartbeat_after_the_end_tells_the_end() {
    let mut scene = Scene::new().on("basic");
    scene.start();
    let heard = scene.heartbeat_at("2:01");
    let told = (heard.session_minutes.get(), heard.total_minutes_used.get());
    assert_eq!(
        (told, heard.minutes_remaining.get(), heard.ended),
        ((3, 3), 97, None)
    );
    assert_eq!(heard.seconds_remaining.get(), 60 * 60 - 121);
    for time in ["12:01", "13:00", "30:00"] {
        let heard = scene.heartbeat_at(time);
        let ended = heard.ended.clone().expect("over");
        assert_eq!(
            (ended.reason, ended.at),
            (EndReason::Stale, scene.when("2:31"))
        );
        assert_eq!(
            (heard.session_minutes.get(), heard.seconds_remaining),
            (3, Seconds::default())
        );
        assert_eq!(heard.minutes_remaining.get(), 97);
    }
}

#[test]
fn a_session_that_never_was_is_not_found() {
    let unknown = session_id(77);
    let mut nobody = Scene::new();
    let mut somebody = Scene::new();
    somebody.play("0:00 start, 1:00 end, 2:00 start");
    for scene in [&mut nobody, &mut somebody] {
        let before = scene.state.clone();
        let heard = scene.try_heartbeat_at("3:00", unknown).map(|_| ());
        let ended = scene
            .try_end_at("3:00", unknown, EndReason::UserEnded)
            .map(|_| ());
        assert_eq!(heard, Err(Refusal::SessionNotFound));
        assert_eq!(ended, Err(Refusal::SessionNotFound));
        assert_eq!(scene.state, before);
    }
    assert_eq!(nobody.mint_at("3:00"), Err(Refusal::NoActiveSession));
}

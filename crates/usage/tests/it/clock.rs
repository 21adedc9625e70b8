//! A state that a wrong clock put ahead of time.

use std::time::Duration;

use crate::scene::Scene;
use talktime_usage::clock_ahead;

/// The user's sums after a session of `0:00` to `end` in which a sweep at `wrong` came in between.
fn swept_at(wrong: &str, then: &str) -> Scene {
    let mut scene = Scene::new();
    scene.play(&format!("0:00 start, 1:00 beat, {wrong} sweep, {then}"));
    scene
}

#[test]
fn a_sweep_by_a_clock_that_is_ahead_ends_what_runs_and_nothing_after_it() {
    // The session fell silent by that clock; what is started by the right one is counted as ever.
    let mut scene = swept_at("40d", "2:00 start, 11:00 talk, 12:30 look");
    assert_eq!(scene.refused, []);
    scene.sweep_at("13:00");
    assert_eq!(
        scene.ledger.sessions_told(),
        ["stale 1:30 2", "limit_reached 10:00 10"]
    );
}

#[test]
fn a_running_session_loses_no_time_and_is_billed_none_twice() {
    // Five minutes ahead: 4 of the session's minutes are by the wrong clock, and time goes on from there.
    let mut scene = Scene::new().on("basic");
    scene.play("0:00 start, 1:00 talk, 5:00 beat, 2:00 beat");
    assert_eq!(scene.status_at("2:00").minutes_used.get(), 5);
    assert_eq!(scene.status_at("2:01").minutes_used.get(), 6);
    scene.play("4:00 talk, 4:00 end");
    let state = scene.state.as_ref().expect("a user");
    assert_eq!(scene.status_at("4:00").minutes_used.get(), 7);
    assert_eq!(clock_ahead(state, scene.when("4:00")), None);
}

#[test]
fn the_split_at_a_periods_end_moves_with_the_session() {
    let mut scene = Scene::at("2026-11-30T23:58:00").on("basic");
    // By a clock five minutes ahead the month has ended, two minutes into the session.
    scene.play("0:00 start, 5:00 beat, 0:30 beat");
    let seconds = scene.status_at("0:30").seconds_remaining.get();
    assert_eq!(seconds, 3_600 - 300);
    scene.play("1:30 talk, 1:30 end");
    assert_eq!(scene.ledger.minutes_of_sessions(), 6);
    assert_eq!(scene.ledger.minutes_of_periods(), 6);
}

#[test]
fn a_clock_a_little_behind_changes_nothing() {
    let mut scene = Scene::new();
    scene.play("0:00 start, 1:00 beat, 0:01 beat");
    let state = scene.state.as_ref().expect("a user");
    assert_eq!(state.instant, scene.when("1:00"));
    assert_eq!(clock_ahead(state, scene.when("0:00")), None);
    assert_eq!(
        clock_ahead(state, scene.when("0:00").minus(Duration::from_secs(1))),
        Some(Duration::from_secs(61))
    );
}

#[test]
fn a_period_that_a_wrong_clock_opened_is_not_opened_again() {
    // Five minutes ahead, the month has ended; back on the right clock, a plan is given and taken.
    let mut scene = Scene::at("2026-11-30T23:56:00");
    scene.play("0:00 start, 1:00 end, 5:00 start, 6:00 end");
    scene.plan_at("1:30", "manual", Some("basic"), None, false);
    scene.plan_at("1:40", "manual", None, None, false);
    scene.play("5:30 start, 6:30 end, 8:00 look");
    assert_eq!(scene.ledger.minutes_of_sessions(), 3);
    assert_eq!(scene.ledger.minutes_of_periods(), 3);
}

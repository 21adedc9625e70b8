//! What a user is shown: a moment's truth, and a look that changes nothing.

use std::time::Duration;

use crate::scene::{Scene, period};
use talktime_usage::{Catalogue, Command, Refusal, Timestamp};

/// After a free user's story, at a time: `used remaining percent seconds running`.
#[track_caller]
fn check_status(story: &str, time: &str, expected: (u32, u32, u8, u64, Option<u32>)) {
    let mut scene = Scene::new();
    scene.play(story);
    assert_eq!(scene.refused, [], "{story}");
    let status = scene.status_at(time);
    let told = (
        status.minutes_used.get(),
        status.minutes_remaining.get(),
        status.percent_used,
        status.seconds_remaining.get(),
        status.active.as_ref().map(|(_, minutes)| minutes.get()),
    );
    assert_eq!(told, expected, "{story}, then {time}");
    let low = status.minutes_remaining.get() <= 5;
    assert_eq!(status.warning().is_some(), low, "{story}, then {time}");
}

#[test]
fn the_status_counts_the_running_session_at_the_moment_of_the_question() {
    check_status("0:00 sweep", "0:00", (0, 10, 0, 600, None));
    check_status("0:00 start", "0:00", (0, 10, 0, 600, Some(0)));
    check_status("0:00 start", "0:00.001", (1, 9, 10, 600, Some(1)));
    check_status("0:00 start", "1:00", (1, 9, 10, 540, Some(1)));
    check_status("0:00 start, 0:30 beat", "4:00", (4, 6, 40, 360, Some(4)));
    check_status(
        "0:00 start, 0:30 beat",
        "4:00.250",
        (5, 5, 50, 360, Some(5)),
    );
    check_status("0:00 start", "9:59.001", (10, 0, 100, 1, Some(10)));
    check_status("0:00 start", "10:00", (1, 9, 10, 540, None));
    check_status("0:00 start, 9:30 talk", "10:00", (10, 0, 100, 0, None));
    check_status(
        "0:00 start, 1:00 beat, 2:30 end",
        "2:30",
        (3, 7, 30, 420, None),
    );
    // Beside ended sessions, and where a plan is below what is used.
    check_status(
        "0:00 start, 1:00 beat, 2:30 end, 3:00 start",
        "5:30",
        (6, 4, 60, 270, Some(3)),
    );
    check_status(
        "0:00 basic, 0:00 start, 15:00 talk, 15:00 end, 16:00 free",
        "17:00",
        (15, 0, 100, 0, None),
    );
    check_status("0:00 pro, 0:00 start", "7:00", (7, 493, 1, 3180, Some(7)));
}

#[test]
fn a_plan_without_minutes_is_used_up_entirely() {
    let mut scene = Scene::new();
    scene.policy.catalogue = Catalogue::parse(r#"{"free": {"minutes": 0}}"#).expect("valid");
    let status = scene.status_at("0:00");
    assert_eq!(
        (status.percent_used, status.seconds_remaining.get()),
        (100, 0)
    );
    assert_eq!(status.warning().as_deref(), Some("No minutes left"));
    assert_eq!(scene.try_start_at("0:00", false), Err(Refusal::NoCredits));
    assert_eq!(scene.state, None);
}

#[test]
fn the_seconds_that_remain_are_those_until_the_stop() {
    // A millisecond before them it runs, at them it is over; whatever came before.
    for story in [
        "0:00 start",
        "0:00.250 start",
        "0:00 basic, 0:00 start",
        "0:00 start, 3:10 end, 4:00 start",
        "0:00 start, 3:10 beat, 4:00 basic",
    ] {
        let mut scene = Scene::new();
        scene.play(story);
        let status = scene.status_at("5:00");
        let stop = status
            .at
            .plus(Duration::from_secs(status.seconds_remaining.get()));
        let mut time = status.at;
        while time < stop {
            let session = scene.session;
            let beat = scene.apply(&Command::Heartbeat { session }, time);
            assert!(beat.is_ok(), "{story}");
            time = time.plus(Duration::from_mins(4));
        }
        let before = Timestamp::from_unix_millis(stop.unix_millis() - 1_000);
        assert!(scene.status(before).active.is_some(), "{story}");
        assert!(scene.status(stop).active.is_none(), "{story}");
    }
}

#[test]
fn reading_writes_nothing_and_knows_new_users() {
    let scene = Scene::new();
    let status = scene.status_at("0:00");
    assert_eq!(
        (status.plan.as_str(), status.minutes_limit.get()),
        ("free", 10)
    );
    assert_eq!(status.period, period("2026-11-01", "2026-12-01"));
    assert!(status.last.is_none() && scene.state.is_none());
}

#[test]
fn a_clock_that_steps_back_takes_nothing_back() {
    let mut scene = Scene::new();
    scene.play("5:00 start, 8:00 beat");
    for time in ["7:59", "7:30", "7:00"] {
        let status = scene.status_at(time);
        assert_eq!(
            (status.minutes_used.get(), status.at),
            (3, scene.when("8:00"))
        );
        let heard = scene.heartbeat_at(time);
        assert_eq!(heard.total_minutes_used.get(), 3);
    }
    assert_eq!(scene.end_at("7:10").at, scene.when("8:00"));
    let started = scene.start_at("7:00");
    assert_eq!(started.at, scene.when("8:00"));
}

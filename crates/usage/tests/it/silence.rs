//! Silence: what is heard of a session, and what is billed when nothing is.

use std::time::Duration;

use crate::scene::Scene;
use crate::scene::play::{check, check_with};

#[track_caller]
fn on_basic(story: &str, sessions: &[&str]) {
    check(&format!("0:00 basic, {story}"), sessions);
}

#[test]
fn a_silent_session_is_billed_an_interval_past_its_last_sign_of_life() {
    on_basic("0:00 start, 10:00 look", &["stale 0:30 1"]);
    on_basic("0:00 start, 9:59.999 look", &["running"]);
    on_basic("0:00 start, 9:59.999 beat, 19:59.998 look", &["running"]);
    on_basic(
        "0:00 start, 9:59.999 beat, 19:59.999 look",
        &["stale 10:29.999 11"],
    );
    on_basic("0:00 start, 0:30 beat, 600:00 look", &["stale 1:00 1"]);
    on_basic("0:00 start, 0:31 beat, 600:00 look", &["stale 1:01 2"]);
    on_basic("0:00 start, 12:00 beat", &["stale 0:30 1"]);
    on_basic(
        "0:00 start, 8:00 beat, 16:00 beat, 50:00 end",
        &["stale 16:30 17"],
    );
    // A look, a sweep or a mint that came to nothing is no sign of life.
    on_basic(
        "0:00 start, 4:00 look, 5:00 sweep, 6:00 mint, 7:00 failedmint, 10:00 look",
        &["stale 0:30 1"],
    );
    // A token that was handed out is.
    on_basic("0:00 start, 9:30 token, 20:00 look", &["stale 10:00 10"]);
}

#[test]
fn a_crashed_tab_does_not_cost_the_month() {
    check("0:00 start, 10:00 look", &["stale 0:30 1"]);
    check("0:00 start, 50:00 look", &["stale 0:30 1"]);
    check("0:00 start, 0:30 beat, 10:00 look", &["stale 1:00 1"]);
    check(
        "0:00 start, 8:29.999 talk, 10:00 look",
        &["stale 8:59.999 9"],
    );
    check(
        "0:00 start, 8:30 talk, 10:00 look",
        &["limit_reached 10:00 10"],
    );
    // It runs until the limit all the same: the client may come back.
    check("0:00 start, 0:30 beat, 9:59 look", &["running"]);
    check(
        "0:00 start, 0:30 beat, 9:59 beat, 11:00 look",
        &["limit_reached 10:00 10"],
    );
}

#[test]
fn whoever_notices_a_silence_the_bill_is_the_same() {
    on_basic(
        "0:00 start, 1:00 beat, 9:00 takeover",
        &["stale 1:30 2", "running"],
    );
    on_basic(
        "0:00 start, 1:00 beat, 12:00 takeover",
        &["stale 1:30 2", "running"],
    );
    on_basic("0:00 start, 1:00 beat, 2:31 end", &["stale 1:30 2"]);
    on_basic("0:00 start, 1:00 beat, 9:00 end", &["stale 1:30 2"]);
    on_basic("0:00 start, 1:00 beat, 9:00 fail", &["stale 1:30 2"]);
    on_basic("0:00 start, 9:00 takeover", &["stale 0:30 1", "running"]);
    // Three intervals are none yet.
    on_basic("0:00 start, 1:00 beat, 2:30 end", &["user_ended 2:30 3"]);
    on_basic(
        "0:00 start, 1:00 beat, 2:30 takeover",
        &["user_ended 2:30 3", "running"],
    );
    // A plan that goes ends a session that is over its new limit: one that is silent is silent there too.
    on_basic("0:00 start, 12:00 talk, 15:00 free", &["stale 12:30 13"]);
    on_basic(
        "0:00 start, 12:00 talk, 13:00 free",
        &["limit_reached 13:00 13"],
    );
}

#[test]
fn the_interval_and_the_silence_are_settings() {
    check_with(
        "0:00 start, 1:00 beat, 300:00 look",
        |policy| policy.stale_after = Duration::from_mins(8),
        &["stale 1:30 2"],
    );
    check_with(
        "0:00 start, 1:00 beat, 4:00 end",
        |policy| policy.heartbeat_interval = Duration::from_mins(1),
        &["user_ended 4:00 4"],
    );
    check_with(
        "0:00 start, 1:00 beat, 4:01 end",
        |policy| policy.heartbeat_interval = Duration::from_mins(1),
        &["stale 2:00 2"],
    );
}

#[test]
fn kindness_to_silence_is_bounded() {
    // The third time that a session with a token falls silent in a period, the token's life is billed.
    let mut scene = Scene::new().on("pro");
    for start in ["0:00", "20:00", "40:00", "60:00"] {
        scene.start_at(start);
        let until = scene.when(start).plus(Duration::from_mins(7));
        assert!(scene.hand_out_at(start, until).is_ok());
    }
    scene.sweep_at("80:00");
    assert_eq!(
        scene.ledger.sessions_told(),
        [
            "stale 0:30 1",
            "stale 0:30 1",
            "stale 7:00 7",
            "stale 7:00 7"
        ]
    );
    // A token that outlives the silence is billed to its end, though the session is over before.
    let mut scene = Scene::new().on("pro");
    for start in ["0:00", "20:00", "40:00"] {
        scene.start_at(start);
        assert!(scene.token_at(start).is_ok());
    }
    scene.sweep_at("60:00");
    assert_eq!(
        scene.ledger.sessions_told(),
        ["stale 0:30 1", "stale 0:30 1", "stale 10:00 60"]
    );
    // Never past the limit.
    check(
        "0:00 start, 0:00 token, 20:00 start, 20:00 token, 40:00 start, 40:00 token, 60:00 look",
        &["stale 0:30 1", "stale 0:30 1", "stale 8:00 8"],
    );
    // By a takeover too.
    check(
        "0:00 start, 0:00 token, 2:00 takeover, 2:00 token, 4:00 takeover, 4:00 token, 6:00 end",
        &["stale 0:30 1", "stale 0:30 1", "stale 2:00 8"],
    );
    // Without a token nobody could talk.
    check(
        "0:00 start, 10:00 start, 20:00 start, 40:00 start, 60:00 look",
        &[
            "stale 0:30 1",
            "stale 0:30 1",
            "stale 0:30 1",
            "stale 0:30 1",
        ],
    );
}

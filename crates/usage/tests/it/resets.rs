//! `resetUsage`: the old minutes stay in a period of their own.

use crate::scene::play::check_from as check;
use crate::scene::{Scene, period};

#[test]
fn a_reset_starts_the_usage_afresh() {
    check(
        "2026-11-10",
        "0:00 start, 7:00 talk, 7:00 end, 10:00 reset, 11:00 start, 13:00 talk, 13:00 end",
        &["user_ended 7:00 7", "user_ended 2:00 2"],
        &[
            "2026-11-01..2026-11-10T00:10:00 free 7/10 archived",
            "2026-11-10T00:10:00..2026-12-01 free 2/10",
        ],
    );
    // In the middle of a session.
    let running = "0:00 start, 7:30 talk, 7:30 reset";
    let old = "2026-11-01..2026-11-10T00:07:30 free 8/10";
    let new = |minutes| format!("2026-11-10T00:07:30..2026-12-01 free {minutes}/10");
    let scene = check("2026-11-10", running, &["running"], &[old, &new(0)]);
    assert_eq!(
        scene.status_at("7:30").seconds_remaining.get(),
        10 * 60 + 30
    );
    check(
        "2026-11-10",
        &format!("{running}, 9:00 talk, 9:15 end"),
        &["user_ended 9:15 10"],
        &[&format!("{old} archived"), &new(2)],
    );
    check(
        "2026-11-10",
        &format!("{running}, 9:00 talk, 18:30 talk, 18:30 end"),
        &["limit_reached 18:00 18"],
        &[&format!("{old} archived"), &new(10)],
    );
    // Found silent since before the reset: it is billed by that, all of it in the old period.
    check(
        "2026-11-10",
        "0:00 start, 4:30 talk, 7:30 reset, 16:00 sweep",
        &["stale 5:00 5"],
        &[
            "2026-11-01..2026-11-10T00:07:30 free 5/10 archived",
            &new(0),
        ],
    );
    // Of somebody who was never here there is nothing to close, and nothing to begin.
    check("2026-11-10", "0:00 reset", &[], &[]);
}

#[test]
fn what_was_used_stays_with_the_plan_that_it_was_used_on() {
    let check = |story: &str, old: &str, new: &str| {
        let mut scene = Scene::at("2026-11-10");
        scene.play(story);
        scene.plan_at("8:00", "manual", Some("basic"), None, true);
        scene.play("9:00 sweep");
        assert_eq!(scene.ledger.periods_told(), [old, new], "{story}");
    };
    let (old, new) = (
        "2026-11-01..2026-11-10T00:08:00",
        "2026-11-10T00:08:00..2026-12-01",
    );
    check(
        "0:00 start, 7:00 talk, 7:00 end",
        &format!("{old} free 7/10 archived"),
        &format!("{new} basic 0/100"),
    );
    check(
        "0:00 start, 7:00 talk",
        &format!("{old} free 8/10"),
        &format!("{new} basic 1/100"),
    );
    check(
        "0:00 pro, 0:00 start, 7:30 talk",
        &format!("{old} pro 8/500"),
        &format!("{new} basic 1/100"),
    );
}

#[test]
fn resets_within_one_second_keep_their_rows_apart() {
    let scene = check(
        "2026-11-10",
        "0:00 start, 0:00.100 end, 0:00.200 reset, 0:00.300 reset, 0:00.400 reset, 1:00 start, 2:00 end",
        &["user_ended 0:00.100 1", "user_ended 1:00 1"],
        &[
            "2026-11-01..2026-11-10 free 1/10 archived",
            "2026-11-10..2026-11-10T00:00:01 free 0/10 archived",
            "2026-11-10T00:00:01..2026-11-10T00:00:02 free 0/10 archived",
            "2026-11-10T00:00:02..2026-12-01 free 1/10",
        ],
    );
    assert_eq!(scene.status_at("2:00").minutes_used.get(), 1);
}

#[test]
fn a_session_begun_in_the_second_of_the_reset_is_billed_after_it() {
    // The cut is at the second's start, before the session.
    check(
        "2026-11-10",
        "0:00 start, 1:00 end, 2:00.500 start, 2:00.800 reset, 3:00 end",
        &["user_ended 1:00 1", "user_ended 0:59.500 1"],
        &[
            "2026-11-01..2026-11-10T00:02:00 free 1/10 archived",
            "2026-11-10T00:02:00..2026-12-01 free 1/10",
        ],
    );
    let scene = check(
        "2026-11-10",
        "0:00.500 start, 0:00.800 reset, 5:00 talk, 20:00 talk, 20:00 end",
        &["limit_reached 10:00 10"],
        &[
            "2026-11-01..2026-11-10 free 0/10 archived",
            "2026-11-10..2026-12-01 free 10/10",
        ],
    );
    assert_eq!(scene.status_at("20:00").minutes_remaining.get(), 0);
}

#[test]
fn a_reset_in_the_second_in_which_a_moved_period_first_began_keeps_both_apart() {
    let mut scene = Scene::at("2026-12-01");
    scene.start_at("0:00.100");
    scene.end_at("0:00.200");
    // The subscription's own period moves the start back, but the ledger's row keeps the id of the month.
    let own = period("2026-11-15", "2026-12-15");
    scene.plan_at("0:00.300", "sub_1", Some("basic"), Some(own), false);
    scene.plan_at("0:00.400", "sub_1", Some("basic"), None, true);
    assert_eq!(
        scene.ledger.periods_told(),
        [
            "2026-11-15..2026-12-01T00:00:01 basic 1/100 archived",
            "2026-12-01T00:00:01..2026-12-15 basic 0/100",
        ]
    );
}

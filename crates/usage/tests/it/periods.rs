//! Periods: where minutes fall when one ends.

use crate::scene::play::check_from as check;
use crate::scene::{Scene, period};

const NEW_YEAR: &str = "2026-12-31T23:55:00";

/// A session over New Year, and what the rows of December and January say after it.
fn check_split(story: &str, session: &str, december: &str, january: u32) {
    let old = format!("2026-12-01..2027-01-01 free {december}");
    let new = format!("2027-01-01..2027-02-01 free {january}/10");
    check(NEW_YEAR, story, &[session], &[&old, &new]);
}

#[test]
fn a_session_over_the_end_of_a_month_is_split_there() {
    // The old row is archived once the session is over: until then it may yet turn out to have been silent.
    check_split("0:00 start, 4:00 talk, 8:00 sweep", "running", "5/10", 3);
    check_split(
        "0:00 start, 8:00 talk, 15:00 talk, 15:00 end",
        "limit_reached 15:00 15",
        "5/10 archived",
        10,
    );
    check_split(
        "0:00 start, 14:50 talk, 99:00 sweep",
        "limit_reached 15:00 15",
        "5/10 archived",
        10,
    );
    check_split(
        "0:00 start, 8:00 talk, 14:59.999 talk, 14:59.999 end",
        "user_ended 14:59.999 15",
        "5/10 archived",
        10,
    );
    check_split(
        "0:30 start, 8:00 talk, 15:00 talk, 15:00 end",
        "user_ended 14:30 15",
        "5/10 archived",
        10,
    );
}

#[test]
fn a_minute_is_paid_where_it_was_begun() {
    // One of the old month is talked out in the new one.
    check_split(
        "0:30 start, 8:00 talk, 16:00 talk, 16:00 end",
        "limit_reached 15:00 15",
        "5/10 archived",
        10,
    );
    check_split(
        "0:30 start, 5:20 talk, 5:20 end",
        "user_ended 4:50 5",
        "5/10 archived",
        0,
    );
    check_split(
        "0:30 start, 5:30 talk, 5:30 end",
        "user_ended 5:00 5",
        "5/10 archived",
        0,
    );
    check_split(
        "0:30 start, 5:30.001 talk, 5:30.001 end",
        "user_ended 5:00.001 6",
        "5/10 archived",
        1,
    );
    check_split(
        "4:59.999 start, 5:00 end",
        "user_ended 0:00.001 1",
        "1/10 archived",
        0,
    );
    check_split(
        "4:59.999 start, 5:59.999 end",
        "user_ended 1:00 1",
        "1/10 archived",
        0,
    );
    check_split(
        "0:00 start, 7:00 talk, 7:00 fail",
        "error 7:00 7",
        "5/10 archived",
        2,
    );
    check_split("4:30 start, 5:10 fail", "error 0:40 0", "0/10 archived", 0);
    // At the end of the period itself.
    check_split(
        "0:00 start, 5:00 talk, 5:00 end",
        "user_ended 5:00 5",
        "5/10 archived",
        0,
    );
}

#[test]
fn six_minutes_of_the_old_month_and_ten_of_the_new() {
    check(
        "2026-11-30T23:54:30",
        "0:00 start, 8:00 talk, 15:30 talk, 15:30 end",
        &["user_ended 15:30 16"],
        &[
            "2026-11-01..2026-12-01 free 6/10 archived",
            "2026-12-01..2027-01-01 free 10/10",
        ],
    );
    check(
        "2026-11-30T23:54:30",
        "0:00 start, 8:00 talk, 17:00 talk, 17:00 end",
        &["limit_reached 16:00 16"],
        &[
            "2026-11-01..2026-12-01 free 6/10 archived",
            "2026-12-01..2027-01-01 free 10/10",
        ],
    );
}

#[test]
fn the_seconds_over_the_end_of_a_month_count_both() {
    let check = |story: &str, time, seconds| {
        let mut scene = Scene::at(NEW_YEAR);
        scene.play(story);
        let status = scene.status_at(time);
        assert_eq!(
            status.seconds_remaining.get(),
            seconds,
            "{story}, then {time}"
        );
    };
    check("0:00 look", "0:00", 15 * 60);
    check("0:00 start", "0:00", 15 * 60);
    check("0:30 start", "0:30", 15 * 60);
    check("0:30 start", "1:00", 15 * 60 - 30);
    check("0:00 start, 4:00 talk", "5:00", 10 * 60);
    check("0:00 start, 4:00 talk", "6:00", 9 * 60);
    // The old month's minutes run out before, or at, its end.
    check("0:00 start, 4:00 talk, 4:00 end", "4:00", 11 * 60);
    check("0:00 basic", "0:00", 60 * 60);
    let mut scene = Scene::at("2026-12-31T23:49:59");
    scene.start();
    assert_eq!(scene.status_at("0:00").seconds_remaining.get(), 600);
    let mut scene = Scene::at("2026-12-31T23:50:00");
    scene.start();
    assert_eq!(scene.status_at("0:00").seconds_remaining.get(), 1200);
    scene.play("19:50 talk, 30:00 sweep");
    assert_eq!(scene.ledger.sessions_told(), ["limit_reached 20:00 20"]);
}

#[test]
fn the_last_day_of_a_month_resets_nothing() {
    let mut scene = Scene::at("2026-12-30T12:00:00");
    scene.play("0:00 start, 7:00 talk, 7:00 end");
    for time in ["2026-12-31", "2026-12-31T23:59:59.999"] {
        let status = scene.status_at(time);
        assert_eq!(
            (status.minutes_used.get(), status.period),
            (7, period("2026-12-01", "2027-01-01"))
        );
    }
    let status = scene.status_at("2027-01-01");
    assert_eq!(
        (status.minutes_used.get(), status.period),
        (0, period("2027-01-01", "2027-02-01"))
    );
}

#[test]
fn who_was_away_for_months_gets_one_period_and_no_rows_between() {
    for visits in [
        "",
        ", 2027-01-05 look",
        ", 2027-01-05 sweep",
        ", 2027-01-05 sweep, 2027-02-05 sweep",
    ] {
        check(
            "2026-11-10",
            &format!("0:00 start, 3:00 talk, 3:00 end{visits}, 2027-05-20 start"),
            &["user_ended 3:00 3", "running"],
            &[
                "2026-11-01..2026-12-01 free 3/10 archived",
                "2027-05-01..2027-06-01 free 0/10",
            ],
        );
    }
}

#[test]
fn a_session_silent_since_before_the_end_of_the_month_is_billed_there() {
    let story = "0:00 basic, 0:00 start, 3:30 talk, 8:00 sweep";
    let running = check(
        NEW_YEAR,
        story,
        &["running"],
        &[
            "2026-12-01..2027-01-01 basic 5/100",
            "2027-01-01..2027-02-01 basic 3/100",
        ],
    );
    assert_eq!(running.status_at("8:00").minutes_used.get(), 3);
    check(
        NEW_YEAR,
        &format!("{story}, 13:30 sweep"),
        &["stale 4:00 4"],
        &[
            "2026-12-01..2027-01-01 basic 4/100 archived",
            "2027-01-01..2027-02-01 basic 0/100",
        ],
    );
    // A heartbeat in between makes it a session of both.
    check(
        NEW_YEAR,
        &format!("{story}, 9:00 beat, 30:00 sweep"),
        &["stale 9:30 10"],
        &[
            "2026-12-01..2027-01-01 basic 5/100 archived",
            "2027-01-01..2027-02-01 basic 5/100",
        ],
    );
    // Never heard of: at least a minute, in the month in which it began.
    check(
        NEW_YEAR,
        "0:00 basic, 4:59 start, 8:00 sweep, 20:00 sweep",
        &["stale 0:30 1"],
        &[
            "2026-12-01..2027-01-01 basic 1/100 archived",
            "2027-01-01..2027-02-01 basic 0/100",
        ],
    );
}

#[test]
fn a_session_over_before_the_end_of_the_month_is_not_split() {
    for late in ["6:00 sweep", "6:00 start", "40d sweep", "40d start"] {
        let mut scene = Scene::at("2026-11-30T23:57:00");
        scene.play(&format!(
            "2026-11-30T23:48:00 start, 2026-11-30T23:57:50 talk, {late}"
        ));
        let periods = scene.ledger.periods_told();
        assert_eq!(
            periods[0], "2026-11-01..2026-12-01 free 10/10 archived",
            "{late}"
        );
        assert_eq!(
            scene.ledger.sessions_told()[0],
            "limit_reached 10:00 10",
            "{late}"
        );
    }
}

#[test]
fn a_clock_that_steps_back_over_the_end_of_a_month_changes_nothing() {
    let mut scene = Scene::at(NEW_YEAR);
    scene.play("0:00 start, 4:00 talk, 6:00 sweep");
    let (period, state) = (scene.status_at("6:00").period, scene.state.clone());
    let status = scene.status_at("0:00");
    assert_eq!((status.period, status.minutes_used.get()), (period, 1));
    assert_eq!(scene.state, state);
    scene.play("1:00 talk, 2:00 sweep");
    assert_eq!(
        scene.ledger.periods_told(),
        [
            "2026-12-01..2027-01-01 free 5/10",
            "2027-01-01..2027-02-01 free 1/10"
        ]
    );
}

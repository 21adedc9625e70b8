//! Section 2 of the design, about periods that a subscription tells: where they begin and end, and that minutes stay.

mod scene;

use scene::{Scene, period};
use talktime_usage::Period;

/// A user on basic by a subscription with that period as of `origin`; then the periods seen at those times.
#[track_caller]
fn check_told(origin: &str, told: Period, seen: &[(&str, Period)]) {
    let mut scene = Scene::at(origin);
    scene.plan_at("0:00", "sub", Some("basic"), Some(told), false);
    let mut visited = scene.clone();
    for (time, period) in seen {
        assert_eq!(scene.status_at(time).period, *period, "{time}");
        // However often anybody looked before.
        visited.sweep_at(time);
        assert_eq!(visited.status_at(time).period, *period, "{time}");
    }
}

#[test]
fn a_subscription_tells_its_own_period() {
    check_told(
        "2027-02-10",
        period("2027-01-31T08:00:00", "2027-02-28T08:00:00"),
        &[
            (
                "2027-02-10",
                period("2027-01-31T08:00:00", "2027-02-28T08:00:00"),
            ),
            (
                "2027-02-28T07:59:59.999",
                period("2027-01-31T08:00:00", "2027-02-28T08:00:00"),
            ),
            (
                "2027-02-28T08:00:00",
                period("2027-02-28T08:00:00", "2027-03-31T08:00:00"),
            ),
            (
                "2027-04-02",
                period("2027-03-31T08:00:00", "2027-04-30T08:00:00"),
            ),
            (
                "2028-02-29",
                period("2028-01-31T08:00:00", "2028-02-29T08:00:00"),
            ),
            (
                "2028-02-29T08:00:00",
                period("2028-02-29T08:00:00", "2028-03-31T08:00:00"),
            ),
        ],
    );
    // News that comes late, when the period is over.
    check_told(
        "2026-11-10",
        period("2026-08-15", "2026-09-15"),
        &[
            ("2026-11-10", period("2026-10-15", "2026-11-15")),
            ("2026-11-15", period("2026-11-15", "2026-12-15")),
        ],
    );
    // A year, and a week.
    check_told(
        "2026-11-10",
        period("2026-03-10", "2027-03-10"),
        &[
            ("2026-12-01", period("2026-03-10", "2027-03-10")),
            ("2027-03-10", period("2027-03-10", "2028-03-10")),
        ],
    );
    check_told(
        "2026-11-10",
        period("2026-11-09", "2026-11-16"),
        &[("2026-12-01", period("2026-11-30", "2026-12-07"))],
    );
    // News that comes before the period begins: it begins when it says, and until then one of its kind counts.
    check_told(
        "2026-11-10",
        period("2026-11-15", "2026-12-15"),
        &[
            ("2026-11-10", period("2026-10-15", "2026-11-15")),
            ("2026-11-15", period("2026-11-15", "2026-12-15")),
            ("2026-12-15", period("2026-12-15", "2027-01-15")),
        ],
    );
    check_told(
        "2026-11-30T23:59:58",
        period("2026-12-01", "2027-01-01"),
        &[
            ("2026-11-30T23:59:59", period("2026-11-01", "2026-12-01")),
            ("2026-12-01", period("2026-12-01", "2027-01-01")),
        ],
    );
}

#[test]
fn usage_stays_when_the_bounds_move() {
    let mut scene = Scene::at("2026-11-10");
    scene.play("0:00 start, 7:00 end");
    scene.plan_at(
        "8:00",
        "sub",
        Some("basic"),
        Some(period("2026-11-09", "2026-12-09")),
        false,
    );
    let status = scene.status_at("8:00");
    assert_eq!(
        (status.minutes_used.get(), status.minutes_limit.get()),
        (7, 100)
    );
    scene.plan_at(
        "9:00",
        "sub",
        Some("basic"),
        Some(period("2026-11-10", "2026-12-10")),
        false,
    );
    assert_eq!(
        scene.ledger.periods_told(),
        ["2026-11-10..2026-12-10 basic 7/100"]
    );
    // In the middle of a session too, even one that is older than the new start.
    scene.start_at("10:00");
    scene.plan_at(
        "13:00",
        "sub",
        Some("pro"),
        Some(period("2026-11-10T00:12:00", "2026-12-10T00:12:00")),
        false,
    );
    assert_eq!(scene.status_at("13:00").minutes_used.get(), 10);
    scene.end_at("14:30");
    assert_eq!(
        scene.ledger.periods_told(),
        ["2026-11-10T00:12:00..2026-12-10T00:12:00 pro 12/500"]
    );
}

#[test]
fn news_of_a_period_that_has_not_begun_keeps_the_minutes_apart() {
    let mut scene = Scene::at("2026-11-10");
    scene.play("0:00 start, 7:00 end");
    scene.plan_at(
        "8:00",
        "sub",
        Some("basic"),
        Some(period("2026-11-15", "2026-12-15")),
        false,
    );
    scene.play("2026-11-16 start, 2026-11-16T00:02:00 end");
    assert_eq!(
        scene.ledger.periods_told(),
        [
            "2026-10-15..2026-11-15 basic 7/100 archived",
            "2026-11-15..2026-12-15 basic 2/100"
        ]
    );
    // The same where a period was closed before.
    let mut scene = Scene::at("2026-10-10");
    scene.play("0:00 start, 7:00 end, 2026-11-10 start, 2026-11-10T00:03:00 end");
    scene.plan_at(
        "2026-11-11",
        "sub",
        Some("basic"),
        Some(period("2026-11-15", "2026-12-15")),
        false,
    );
    scene.sweep_at("2026-11-20");
    assert_eq!(
        scene.ledger.periods_told(),
        [
            "2026-10-01..2026-11-01 free 7/10 archived",
            "2026-11-01..2026-11-15 basic 3/100 archived"
        ]
    );
    // Years ahead is no reason to count for ever.
    for told in [
        period("2999-01-31", "2999-02-28"),
        period("9998-01-01", "9998-01-01T00:00:01"),
    ] {
        let mut scene = Scene::at("2026-11-10");
        scene.plan_at("0:00", "sub", Some("basic"), Some(told), false);
        let status = scene.status_at("0:00");
        assert!(status.period.start() <= status.at && status.at < status.period.end());
        assert!(status.period.end() <= scene.when("31d"));
    }
}

#[test]
fn a_period_is_never_rolled_back() {
    let mut scene = Scene::at("2026-11-10");
    scene.play("0:00 start, 7:00 end, 2026-12-03 start, 2026-12-03T00:02:00 end");
    // The new month stands; what the late news can still do is say when it ends.
    let told = period("2026-11-20", "2026-12-20");
    scene.plan_at("2026-12-04", "sub", Some("basic"), Some(told), false);
    assert_eq!(
        scene.ledger.periods_told(),
        [
            "2026-11-01..2026-12-01 free 7/10 archived",
            "2026-12-01..2026-12-20 basic 2/100"
        ]
    );
    // A reset closes a period too.
    scene.plan_at("2026-12-05", "sub", Some("basic"), None, true);
    scene.plan_at("2026-12-06", "sub", Some("basic"), Some(told), false);
    assert_eq!(
        scene.status_at("2026-12-06").period,
        period("2026-12-05", "2026-12-20")
    );
    assert_eq!(
        scene.status_at("2026-12-20").period,
        period("2026-12-20", "2027-01-20")
    );
}

#[test]
fn how_often_an_idle_month_was_seen_to_end_does_not_matter() {
    let told = period("2027-01-15", "2027-02-15");
    let mut seen = Vec::new();
    for visits in ["", ", 2026-12-05 sweep, 2027-01-05 sweep, 2027-02-03 sweep"] {
        let mut scene = Scene::at("2026-11-10");
        scene.play(&format!("0:00 start, 3:00 end{visits}"));
        scene.plan_at("2027-02-04", "sub", Some("basic"), Some(told), false);
        seen.push((
            scene.status_at("2027-02-04").period,
            scene.ledger.periods_told(),
        ));
    }
    assert_eq!(seen[0], seen[1]);
}

#[test]
fn a_session_may_cross_many_short_periods() {
    let mut scene = Scene::at("2026-11-10");
    let told = period("2026-11-10", "2026-11-10T00:01:30");
    scene.plan_at("0:00", "sub", Some("basic"), Some(told), false);
    scene.play("0:10 start, 5:00 beat, 6:05 end");
    assert_eq!(scene.ledger.sessions_told(), ["user_ended 5:55 6"]);
    // Up to each end, rounded up, less what the periods before got: 2, 3, 5, 6, 6.
    let minutes: Vec<u32> = scene
        .ledger
        .by_start()
        .iter()
        .map(|row| row.minutes_used.get())
        .collect();
    assert_eq!(minutes, [2, 1, 2, 1, 0]);
}

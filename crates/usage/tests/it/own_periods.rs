//! Paid periods that are told: where the user's periods begin and end, and that minutes stay.

use crate::scene::{Scene, period};
use talktime_usage::{Catalogue, Period, Policy};

/// A user on basic by a subscription with that paid period as of `origin`; then the periods seen at those times.
#[track_caller]
fn check_told(origin: &str, told: Period, seen: &[(&str, Period)]) {
    let mut scene = Scene::at(origin);
    scene.plan_at("0:00", "sub", Some("basic"), Some(told), false);
    check_seen(&scene, seen);
}

#[track_caller]
fn check_seen(scene: &Scene, seen: &[(&str, Period)]) {
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
    let february = period("2027-01-31T08:00:00", "2027-02-28T08:00:00");
    let march = period("2027-02-28T08:00:00", "2027-03-31T08:00:00");
    check_told(
        "2027-02-10",
        february,
        &[
            ("2027-02-10", february),
            ("2027-02-28T07:59:59.999", february),
            // Taken for renewed, on the day that is gone back to.
            ("2027-02-28T08:00:00", march),
            // It was not: the calendar takes over when the month is through.
            ("2027-03-31", march),
            (
                "2027-03-31T08:00:00",
                period("2027-03-31T08:00:00", "2027-04-01"),
            ),
            ("2027-05-05", period("2027-05-01", "2027-06-01")),
        ],
    );
    // News that comes late, when the period is over: nobody waits much longer than a month for the next one's minutes.
    check_told(
        "2026-11-16",
        period("2026-10-15", "2026-11-15"),
        &[("2026-11-16", period("2026-11-01", "2026-12-05"))],
    );
    // A week.
    check_told(
        "2026-11-10",
        period("2026-11-09", "2026-11-16"),
        &[("2026-11-18", period("2026-11-16", "2026-11-23"))],
    );
    // News that comes before the period begins: it begins when it says.
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
fn a_year_has_the_minutes_of_twelve_months() {
    check_told(
        "2026-03-10",
        period("2026-03-10", "2027-03-10"),
        &[
            ("2026-03-10", period("2026-03-10", "2026-04-10")),
            ("2026-04-10", period("2026-04-10", "2026-05-10")),
            ("2027-03-09", period("2027-02-10", "2027-03-10")),
            ("2027-03-11", period("2027-03-10", "2027-04-10")),
        ],
    );
    check_told(
        "2026-12-31T09:00:00",
        period("2026-12-31T09:00:00", "2027-12-31T09:00:00"),
        &[
            (
                "2027-02-10",
                period("2027-01-31T09:00:00", "2027-02-28T09:00:00"),
            ),
            (
                "2027-02-28T09:00:00",
                period("2027-02-28T09:00:00", "2027-03-31T09:00:00"),
            ),
        ],
    );
    let mut scene = Scene::at("2026-03-10");
    scene.renew("a", "basic", "2026-03-10", "2027-03-10");
    for time in ["2026-03-10", "2026-04-10", "2026-06-20", "2027-03-09"] {
        assert_eq!(scene.use_up(time), 100, "{time}");
    }
    assert_eq!(scene.use_up("2027-03-09T12:00:00"), 0);
    scene.renew("a", "basic", "2027-03-10", "2028-03-10");
    assert_eq!(scene.use_up("2027-03-10"), 100);
}

#[test]
fn minutes_may_be_for_the_whole_paid_period() {
    let json = r#"{"free": {"minutes": 10}, "team": {"minutes": 100, "per": "paid_period"}}"#;
    let per_period =
        |policy: &mut Policy| policy.catalogue = Catalogue::parse(json).expect("valid");
    let mut scene = Scene::at("2026-03-10").policy(per_period);
    scene.renew("a", "team", "2026-03-10", "2027-03-10");
    assert_eq!(scene.use_up("2026-03-10"), 100);
    assert_eq!(scene.use_up("2027-03-09"), 0);
    check_seen(
        &scene,
        &[
            ("2026-12-01", period("2026-03-10", "2027-03-10")),
            ("2027-03-10", period("2027-03-10", "2028-03-10")),
        ],
    );
    // Told a while before, the next year begins when it does.
    scene.plan_at(
        "2027-01-10",
        "a",
        Some("team"),
        Some(period("2027-03-10", "2028-03-10")),
        false,
    );
    assert_eq!(scene.use_up("2027-03-09"), 0);
    assert_eq!(scene.use_up("2027-03-10"), 100);
}

#[test]
fn usage_stays_when_the_bounds_move() {
    let mut scene = Scene::at("2026-11-10");
    scene.play("0:00 start, 7:00 talk, 7:00 end");
    // Of a period that began before the month that is counted.
    let told = period("2026-10-25", "2026-11-25");
    scene.plan_at("8:00", "sub", Some("basic"), Some(told), false);
    let status = scene.status_at("8:00");
    assert_eq!(
        (status.minutes_used.get(), status.minutes_limit.get()),
        (7, 100)
    );
    // In the middle of a session too.
    scene.start_at("10:00");
    let told = period("2026-10-25T00:12:00", "2026-11-20T00:12:00");
    scene.plan_at("13:00", "sub", Some("pro"), Some(told), false);
    assert_eq!(scene.status_at("13:00").minutes_used.get(), 10);
    scene.heartbeat_at("14:00");
    scene.end_at("14:30");
    assert_eq!(
        scene.ledger.periods_told(),
        ["2026-10-25T00:12:00..2026-11-20T00:12:00 pro 12/500"]
    );
}

#[test]
fn news_of_a_period_that_has_not_begun_keeps_the_minutes_apart() {
    let mut scene = Scene::at("2026-11-10");
    scene.play("0:00 start, 7:00 talk, 7:00 end");
    scene.plan_at(
        "8:00",
        "sub",
        Some("basic"),
        Some(period("2026-11-15", "2026-12-15")),
        false,
    );
    scene.play("2026-11-16 start, 2026-11-16T00:02:00 talk, 2026-11-16T00:02:00 end");
    assert_eq!(
        scene.ledger.periods_told(),
        [
            "2026-10-15..2026-11-15 basic 7/100 archived",
            "2026-11-15..2026-12-15 basic 2/100"
        ]
    );
    // The same where a period was closed before.
    let mut scene = Scene::at("2026-10-10");
    scene.play("0:00 start, 7:00 talk, 7:00 end, 2026-11-10 start, 2026-11-10T00:03:00 talk, 2026-11-10T00:03:00 end");
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
    // Years ahead is no reason to count for ever, or to wait for it.
    for told in [
        period("2999-01-31", "2999-02-28"),
        period("9998-01-01", "9998-01-02"),
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
    scene.play("0:00 start, 7:00 talk, 7:00 end, 2026-12-03 start, 2026-12-03T00:02:00 talk, 2026-12-03T00:02:00 end");
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
fn a_session_may_cross_several_ends_of_periods() {
    // The paid day, the day after it that is taken for granted, and what free has.
    let mut scene = Scene::at("2026-11-10").policy(|policy| policy.session_max = None);
    let told = period("2026-11-09T00:03:00", "2026-11-10T00:03:00");
    scene.grant_until("0:00", "sub", "basic", Some(told), "2026-11-10T00:08:30");
    scene.play("0:10 start, 5:00 talk, 8:00 talk, 9:00 talk, 10:00 end");
    assert_eq!(scene.ledger.sessions_told(), ["user_ended 9:50 10"]);
    assert_eq!(
        scene.ledger.periods_told(),
        [
            "2026-11-09T00:03:00..2026-11-10T00:03:00 basic 3/100 archived",
            "2026-11-10T00:03:00..2026-11-11T00:03:00 free 7/10",
        ]
    );
}

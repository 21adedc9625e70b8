//! A paid cycle brings its minutes, and nothing else does: renewals, trials, subscriptions bought again or side by side.

use crate::scene::{Scene, day, ledger::short, order, period, subscription};
use talktime_usage::{Command, Period, PlanOutcome, Reply};

/// The minutes that are left when each of these periods of these subscriptions is told, all of which are used up at once.
/// All are on basic, which has 100 minutes, and are told at their start; with `rosters`, by lists of all of them as well.
fn minutes_of_renewals(told: &[(&str, &str, &str)], rosters: bool) -> Vec<u32> {
    let mut scene = Scene::at(told[0].1);
    let mut listed: Vec<(&str, &str, Option<Period>)> = Vec::new();
    let mut minutes = Vec::new();
    for (by, start, end) in told {
        scene.renew(by, "basic", start, end);
        if rosters {
            listed.retain(|(id, _, _)| id != by);
            listed.push((by, "basic", Some(period(start, end))));
            let as_of = day(start).unix_millis() * 1_000;
            let roster = scene.roster(as_of, &listed);
            scene.apply(&roster, day(start)).expect("heard");
        }
        minutes.push(scene.use_up(start));
    }
    minutes
}

#[test]
fn each_renewal_brings_its_minutes() {
    let months = [
        ("a", "2026-11-10", "2026-12-10"),
        ("a", "2026-12-10", "2027-01-10"),
        ("a", "2027-01-10", "2027-02-10"),
    ];
    for rosters in [false, true] {
        assert_eq!(minutes_of_renewals(&months, rosters), [100, 100, 100]);
    }
}

#[test]
fn the_renewals_of_one_of_two_equal_subscriptions_set_the_rhythm() {
    let told = [
        ("a", "2026-11-01", "2026-12-01"),
        ("b", "2026-11-20", "2026-12-20"),
        ("a", "2026-12-01", "2027-01-01"),
        ("b", "2026-12-20", "2027-01-20"),
        ("a", "2027-01-01", "2027-02-01"),
        ("b", "2027-01-20", "2027-02-20"),
        ("a", "2027-02-01", "2027-03-01"),
        ("b", "2027-02-20", "2027-03-20"),
        ("a", "2027-03-01", "2027-04-01"),
    ];
    for rosters in [false, true] {
        let minutes = minutes_of_renewals(&told, rosters);
        assert_eq!(minutes, [100, 0, 100, 0, 100, 0, 100, 0, 100], "{rosters}");
    }
    // Whichever came first. And when it ends, the other's minutes were not used yet.
    let told = [
        ("b", "2026-11-01", "2026-12-01"),
        ("a", "2026-11-20", "2026-12-20"),
    ];
    for rosters in [false, true] {
        assert_eq!(minutes_of_renewals(&told, rosters), [100, 0], "{rosters}");
    }
    let mut scene = Scene::at("2026-11-01");
    scene.renew("a", "basic", "2026-11-01", "2026-12-01");
    scene.use_up("2026-11-02");
    scene.renew("b", "basic", "2026-11-20", "2026-12-20");
    scene.plan_at("2026-11-25", "a", None, None, false);
    let status = scene.status_at("2026-11-25");
    assert_eq!(status.minutes_remaining.get(), 100);
    assert_eq!(status.period, period("2026-11-20", "2026-12-20"));
}

#[test]
fn a_renewal_after_one_that_was_never_heard_of_brings_minutes() {
    let mut scene = Scene::at("2027-01-31");
    scene.renew("a", "basic", "2027-01-31", "2027-02-28");
    assert_eq!(scene.use_up("2027-02-01"), 100);
    // Nothing is heard on 28 February. For three days it is taken for renewed.
    assert_eq!(scene.use_up("2027-03-01"), 100);
    assert_eq!(scene.status_at("2027-03-03").plan.as_str(), "free");
    scene.renew("a", "basic", "2027-03-28", "2027-04-28");
    assert_eq!(scene.use_up("2027-03-28"), 100);
    assert_eq!(
        scene.status_at("2027-03-29").period,
        period("2027-03-28", "2027-04-28")
    );
}

#[test]
fn what_is_bought_again_after_it_was_revoked_brings_minutes() {
    let mut scene = Scene::at("2026-11-01");
    scene.renew("a", "basic", "2026-11-01", "2026-12-01");
    assert_eq!(scene.use_up("2026-11-02"), 100);
    scene.plan_at("2026-11-19", "a", None, None, false);
    let without = scene.clone();
    scene.renew("b", "basic", "2026-11-20", "2026-12-20");
    assert_eq!(scene.use_up("2026-11-20"), 100);
    assert_eq!(
        scene.ledger.periods_told(),
        [
            "2026-11-01..2026-11-20 free 100/10 archived",
            "2026-11-20..2026-12-20 basic 100/100",
        ]
    );
    // Who does not buy again has the free minutes of the next month.
    assert_eq!(without.status_at("2026-11-30").minutes_remaining.get(), 0);
    assert_eq!(without.status_at("2026-12-01").minutes_remaining.get(), 10);
}

#[test]
fn a_trial_that_is_paid_early_brings_the_minutes_of_the_month() {
    let mut scene = Scene::at("2026-11-01");
    scene.renew("a", "basic", "2026-11-01", "2026-11-15");
    assert_eq!(scene.use_up("2026-11-02"), 100);
    // Told two days before.
    let first_month = period("2026-11-05", "2026-12-05");
    scene.plan_at("2026-11-03", "a", Some("basic"), Some(first_month), false);
    assert_eq!(scene.status_at("2026-11-04").minutes_remaining.get(), 0);
    let late = scene.clone();
    for mut scene in [scene, late] {
        scene.plan_at("2026-11-05", "a", Some("basic"), Some(first_month), false);
        assert_eq!(scene.use_up("2026-11-05"), 100);
        assert_eq!(scene.status_at("2026-11-06").period, first_month);
        assert_eq!(scene.status_at("2026-12-04").minutes_remaining.get(), 0);
    }
}

#[test]
fn an_upgrade_by_another_subscription_brings_its_minutes() {
    let mut scene = Scene::at("2026-11-01");
    scene.renew("a", "basic", "2026-11-01", "2026-12-01");
    scene.use_up("2026-11-02");
    scene.renew("b", "pro", "2026-11-10", "2026-12-10");
    assert_eq!(scene.status_at("2026-11-10").minutes_remaining.get(), 500);
    scene.play("2026-11-11 start, 2026-11-11T00:07:00 talk, 2026-11-11T00:07:00 end");
    // The end of either moves nothing but what the other says, and gives nothing twice.
    scene.plan_at("2026-11-12", "a", None, None, false);
    scene.renew("a", "basic", "2026-11-13", "2026-12-13");
    let status = scene.status_at("2026-11-13");
    assert_eq!(status.minutes_remaining.get(), 493);
    assert_eq!(status.period, period("2026-11-10", "2026-12-10"));
    // A change of plan within the cycle keeps the usage.
    let same = Some(period("2026-11-10", "2026-12-10"));
    scene.plan_at("2026-11-14", "b", Some("basic"), same, false);
    assert_eq!(scene.status_at("2026-11-14").minutes_used.get(), 7);
    scene.plan_at("2026-11-15", "b", Some("pro"), same, false);
    assert_eq!(scene.status_at("2026-11-15").minutes_used.get(), 7);
}

#[test]
fn a_plan_update_without_a_period_moves_none() {
    let mut scene = Scene::at("2026-11-01");
    scene.renew("a", "basic", "2026-11-10", "2026-12-10");
    scene.play("2026-11-11 start, 2026-11-11T00:07:00 talk, 2026-11-11T00:07:00 end");
    for (at, by, plan) in [
        ("2026-11-12", "a", "pro"),
        ("2026-11-13", "manual", "pro"),
        ("2026-11-14", "manual", "basic"),
    ] {
        scene.plan_at(at, by, Some(plan), None, false);
        let status = scene.status_at(at);
        assert_eq!(
            (status.minutes_used.get(), status.period),
            (7, period("2026-11-10", "2026-12-10")),
            "{at}"
        );
    }
    // Months go on from that day, and the grant holds until it is changed.
    let status = scene.status_at("2028-01-20");
    assert_eq!(status.plan.as_str(), "pro");
    assert_eq!(status.period, period("2028-01-10", "2028-02-10"));
    // Those of a trial of a week too, which is no reason for minutes each week.
    let mut scene = Scene::at("2026-11-01");
    scene.renew("a", "basic", "2026-11-10", "2026-11-17");
    scene.plan_at("2026-11-16", "a", Some("basic"), None, false);
    let seen = ["2026-11-16", "2026-11-17", "2026-12-20"];
    let periods = seen.map(|time| scene.status_at(time).period);
    let expected = [
        period("2026-11-10", "2026-11-17"),
        period("2026-11-17", "2026-12-17"),
        period("2026-12-17", "2027-01-17"),
    ];
    assert_eq!(periods, expected);
}

#[test]
fn moving_the_end_of_a_cycle_keeps_the_usage() {
    let mut scene = Scene::at("2026-11-01");
    scene.renew("a", "basic", "2026-11-10", "2026-11-24");
    scene.play("2026-11-11 start, 2026-11-11T00:07:00 talk, 2026-11-11T00:07:00 end");
    for end in ["2026-12-05", "2026-11-20"] {
        let told = period("2026-11-10", end);
        scene.plan_at("2026-11-12", "a", Some("basic"), Some(told), false);
        let status = scene.status_at("2026-11-12");
        assert_eq!((status.minutes_used.get(), status.period), (7, told));
    }
}

#[test]
fn a_renewal_told_late_counts_what_was_used_since() {
    // Three sessions on free, one of them after the purchase, and one that runs.
    let mut scene = Scene::at("2026-11-10T09:00:00");
    scene.play("0:00 start, 2:00 talk, 2:00 end, 10:00 start, 13:00 talk, 13:00 end, 20:00 start, 20:30 talk");
    let told = period("2026-11-10T09:05:00", "2026-12-10T09:05:00");
    scene.plan_at("21:00", "a", Some("basic"), Some(told), false);
    let status = scene.status_at("21:00");
    assert_eq!((status.minutes_used.get(), status.period), (4, told));
    scene.play("22:00 talk, 22:30 end");
    assert_eq!(
        scene.ledger.periods_told(),
        [
            "2026-11-01..2026-11-10T09:05:00 free 2/10 archived",
            "2026-11-10T09:05:00..2026-12-10T09:05:00 basic 6/100",
        ]
    );
    // A session that runs over the start is split there, as at the end of any period.
    let mut scene = Scene::at("2026-11-10T09:00:00");
    scene.play("0:00 start, 5:00 talk");
    let told = period("2026-11-10T09:03:30", "2026-12-10T09:03:30");
    scene.plan_at("5:00", "a", Some("basic"), Some(told), false);
    assert_eq!(scene.status_at("5:00").minutes_used.get(), 1);
    assert_eq!(scene.status_at("5:00").seconds_remaining.get(), 55 * 60);
    scene.play("6:00 talk, 6:30 end");
    assert_eq!(
        scene.ledger.periods_told(),
        [
            "2026-11-01..2026-11-10T09:03:30 free 4/10 archived",
            "2026-11-10T09:03:30..2026-12-10T09:03:30 basic 3/100",
        ]
    );
    // A month that ended since then has closed its books.
    let mut scene = Scene::at("2026-11-30T23:50:00");
    scene.play("0:00 start, 4:00 talk, 4:00 end, 12:00 start, 13:00 end");
    let told = period("2026-11-30T23:49:00", "2026-12-30T23:49:00");
    scene.plan_at("14:00", "a", Some("basic"), Some(told), false);
    assert_eq!(scene.status_at("14:00").minutes_used.get(), 1);
    assert_eq!(
        scene.ledger.periods_told(),
        [
            "2026-11-01..2026-12-01 free 4/10 archived",
            "2026-12-01..2026-12-30T23:49:00 basic 1/100",
        ]
    );
}

#[test]
fn free_minutes_follow_the_calendar_once_nothing_is_granted() {
    let fresh_in_december = |first: &str, last: &str, ended: &str| {
        let mut scene = Scene::at("2026-11-01");
        scene.renew("a", "basic", first, last);
        scene.plan_at(ended, "a", None, Some(period(first, last)), false);
        (1..31)
            .map(|day| scene.use_up(&format!("2026-12-{day:02}T12:00:00")))
            .sum::<u32>()
    };
    // A trial of a week, and one of a day.
    let week = fresh_in_december("2026-11-01", "2026-11-08", "2026-11-01T01:00:00");
    let day = fresh_in_december("2026-11-01", "2026-11-02", "2026-11-01T01:00:00");
    assert_eq!((week, day), (10, 10));
    // A year that was cancelled after two days.
    let year = fresh_in_december("2026-11-10", "2027-11-10", "2026-11-12");
    assert_eq!(year, 10);
    let mut scene = Scene::at("2026-11-01");
    scene.renew("a", "basic", "2026-11-10", "2026-12-10");
    scene.plan_at("2026-11-12", "a", None, None, false);
    let seen = ["2026-11-12", "2026-12-01", "2027-04-03"];
    let periods = seen.map(|time| scene.status_at(time).period);
    let expected = [
        period("2026-11-10", "2026-12-01"),
        period("2026-12-01", "2027-01-01"),
        period("2027-04-01", "2027-05-01"),
    ];
    assert_eq!(periods, expected);
}

#[test]
fn a_free_subscription_brings_nothing() {
    let mut scene = Scene::at("2026-11-01");
    assert_eq!(scene.use_up("2026-11-02"), 10);
    scene.renew("a", "free", "2026-11-03", "2026-12-03");
    scene.renew("b", "free", "2026-11-04", "2026-11-05");
    let status = scene.status_at("2026-11-10");
    assert_eq!(status.minutes_remaining.get(), 0);
    assert_eq!(status.period, period("2026-11-01", "2026-12-01"));
}

#[test]
fn nobody_waits_longer_than_a_month_however_the_rhythm_changes_hands() {
    let mut scene = Scene::at("2026-11-01");
    scene.renew("a", "pro", "2026-11-10", "2026-12-10");
    scene.plan_at(
        "2026-11-11",
        "b",
        Some("basic"),
        Some(period("2026-11-05", "2026-12-05")),
        false,
    );
    let mut ends = Vec::new();
    // Each time before the end that the other one set.
    for (time, plan) in [("2026-12-04", "basic"), ("2026-12-04T01:00:00", "pro")] {
        let told = Some(period("2026-11-10", "2026-12-10"));
        scene.plan_at(time, "a", Some(plan), told, false);
        ends.push(short(scene.status_at(time).period.end()));
    }
    assert_eq!(ends, ["2026-12-10", "2026-12-10"]);
    let told = Some(period("2026-12-05", "2027-01-05"));
    scene.plan_at("2026-12-08", "b", Some("pro"), told, false);
    scene.plan_at("2026-12-09", "a", None, None, false);
    assert_eq!(
        scene.status_at("2026-12-09").period,
        period("2026-12-05", "2027-01-05")
    );
}

#[test]
fn a_renewal_brings_its_minutes_though_a_clock_was_ahead() {
    let mut scene = Scene::at("2026-12-09T23:59:00").policy(|policy| policy.session_max = None);
    scene.renew("a", "basic", "2026-11-10", "2026-12-10");
    // Two months ahead, and back. The period that was opened then stays.
    scene.play("2027-01-12 start, 2027-01-12T00:00:30 end");
    let mut running = scene.clone();
    assert_eq!(scene.use_up("2026-11-12"), 99);
    for (start, end) in [("2026-12-10", "2027-01-10"), ("2027-01-10", "2027-02-10")] {
        scene.renew("a", "basic", start, end);
        assert_eq!(scene.use_up(start), 100);
    }
    // In the middle of a session too, which is not for nothing.
    running.play("0:00 start, 1:00 talk");
    running.renew("a", "basic", "2026-12-10", "2027-01-10");
    let status = running.status_at("1:00");
    assert_eq!(
        (status.minutes_used.get(), status.seconds_remaining.get()),
        (0, 6_000)
    );
    running.play("101:00 talk, 101:00 look");
    assert_eq!(
        running.ledger.sessions_told(),
        ["limit_reached 101:00 101", "user_ended 0:30 1"]
    );
}

#[test]
fn an_event_that_comes_again_is_told_apart_from_an_older_one() {
    let mut scene = Scene::at("2026-11-10");
    let outcome = |scene: &mut Scene, command: &Command| match scene.apply(command, scene.origin) {
        Ok(Reply::Plan(outcome)) => outcome,
        other => panic!("{other:?}"),
    };
    let change = scene.change("a", Some("basic"), None, false, Some(5));
    let older = scene.change("a", Some("pro"), None, false, Some(4));
    let roster = scene.roster(6, &[("a", "basic", None)]);
    let behind = Command::PastDue {
        subscription: subscription("a"),
        period: None,
        as_of: order(7),
    };
    for command in [&change, &roster, &behind] {
        assert_eq!(outcome(&mut scene, command), PlanOutcome::Applied);
        assert_eq!(outcome(&mut scene, command), PlanOutcome::Repeated);
    }
    assert_eq!(outcome(&mut scene, &older), PlanOutcome::Outdated);
}

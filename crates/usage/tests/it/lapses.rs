//! Grants that end by themselves: when it is told, or a while after a paid period that is not renewed.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;

use crate::scene::{Scene, day, order, period, subscription};
use talktime_usage::{Catalogue, Command, Period, SessionStart, next_alarm};

/// Pro until 20 November, 9:00, with half an hour of a session before it.
fn ends_in_half_an_hour() -> Scene {
    let mut scene = Scene::at("2026-11-20T08:30:00");
    scene.grant_until("0:00", "a", "pro", None, "30:00");
    scene
}

#[test]
fn a_grant_ends_when_it_is_told_to() {
    let scene = ends_in_half_an_hour();
    let plan = |time| scene.status_at(time).plan.as_str().to_owned();
    assert_eq!(
        (plan("29:59.999"), plan("30:00")),
        ("pro".to_owned(), "free".to_owned())
    );
    // A session shortly before is promised what there is.
    let promised = |used: u32, time: &str| {
        let mut scene = scene.clone();
        if used > 0 {
            scene.play(&format!(
                "0:00 start, 3:00 talk, {used}:00 talk, {used}:00 end"
            ));
        }
        scene.status_at(time).seconds_remaining.get()
    };
    assert_eq!(promised(10, "29:00"), 60);
    assert_eq!(promised(10, "10:00"), 20 * 60);
    assert_eq!(promised(0, "29:00"), 10 * 60);
    assert_eq!(promised(4, "29:00"), 6 * 60);
    assert_eq!(promised(4, "5:00"), 25 * 60);
}

#[test]
fn a_session_that_the_next_plan_has_no_minutes_for_is_stopped_there() {
    let played = |looks: &str| {
        let mut scene = ends_in_half_an_hour();
        scene.play(&format!(
            "5:00 start, 14:00 talk, 23:00 talk, 29:30 beat{looks}"
        ));
        (scene.ledger.sessions_told(), scene.ledger.periods_told())
    };
    let expected = (
        vec!["limit_reached 25:00 25".to_owned()],
        vec!["2026-11-01..2026-12-01 free 25/10".to_owned()],
    );
    for looks in [
        ", 30:00 sweep",
        ", 30:01 talk",
        ", 31:00 talk, 31:00 end",
        ", 29:45 sweep, 90:00 look, 90:00 sweep",
    ] {
        assert_eq!(played(looks), expected, "{looks}");
    }
    // One that has minutes left goes on with them.
    let mut scene = ends_in_half_an_hour();
    scene.play("27:00 start, 29:00 talk, 32:00 talk, 36:55 talk, 40:00 sweep");
    assert_eq!(scene.ledger.sessions_told(), ["limit_reached 10:00 10"]);
    // At the end of the period for which the plan was there, the next one's minutes are there.
    let mut scene = Scene::at("2026-11-20T08:30:00");
    let told = period("2026-10-20T09:00:00", "2026-11-20T09:00:00");
    scene.grant_until("0:00", "a", "pro", Some(told), "30:00");
    scene.play("5:00 start, 14:00 talk, 23:00 talk, 30:30 talk");
    assert_eq!(
        scene.status_at("30:30").seconds_remaining.get(),
        9 * 60 + 30
    );
    scene.play("39:50 talk, 50:00 sweep");
    assert_eq!(scene.ledger.sessions_told(), ["limit_reached 35:00 35"]);
    assert_eq!(
        scene.ledger.periods_told(),
        [
            "2026-10-20T09:00:00..2026-11-20T09:00:00 pro 25/500 archived",
            "2026-11-20T09:00:00..2026-12-01 free 10/10",
        ]
    );
}

/// A token that is asked for moves the state's time on, and what happened until then with it.
#[test]
fn a_grant_that_ends_before_a_token_is_asked_for_has_ended() {
    let check = |story: &str| {
        let mut scene = ends_in_half_an_hour();
        scene.play(story);
        assert_eq!(
            scene.ledger.sessions_told(),
            ["limit_reached 10:00 10"],
            "{story}"
        );
    };
    check("25:00 start, 29:50 talk, 40:00 talk");
    check("25:00 start, 29:50 talk, 30:10 mint, 40:00 talk");
    check("25:00 start, 29:50 talk, 30:10 token, 40:00 talk");
    check("25:00 start, 29:50 talk, 30:10 failedmint, 40:00 talk");
}

#[test]
fn a_grant_that_is_not_renewed_lapses() {
    let told = period("2026-11-10", "2026-12-10");
    let plan_of = |scene: &Scene, time: &str| scene.status_at(time).plan.as_str().to_owned();
    let check = |scene: &Scene, last_day: &str, first_day: &str| {
        assert_eq!(plan_of(scene, &format!("{last_day}T23:59:59")), "basic");
        assert_eq!(plan_of(scene, first_day), "free");
        assert_eq!(plan_of(scene, "2029-11-10"), "free");
    };
    let mut scene = Scene::at("2026-11-10");
    scene.renew("a", "basic", "2026-11-10", "2026-12-10");
    check(&scene, "2026-12-12", "2026-12-13");
    // Renewed.
    let mut renewed = scene.clone();
    renewed.renew("a", "basic", "2026-12-10", "2027-01-10");
    check(&renewed, "2027-01-12", "2027-01-13");
    // After it has lapsed as well.
    let mut late = scene.clone();
    late.play("2026-12-20 sweep");
    let next = Some(period("2026-12-10", "2027-01-10"));
    late.plan_at("2026-12-21", "a", Some("basic"), next, false);
    check(&late, "2027-01-12", "2027-01-13");
    // Listed again, which says that it lives.
    let mut listed = scene.clone();
    let roster = listed.roster(
        day("2026-12-12").unix_millis() * 1_000,
        &[("a", "basic", Some(told))],
    );
    listed.apply(&roster, day("2026-12-12")).expect("heard");
    check(&listed, "2026-12-14", "2026-12-15");
    // Behind with a payment: for the period that is not paid, or where none is told, a while longer.
    for (unpaid, last_day, first_day) in [
        (
            Some(period("2026-12-10", "2027-01-10")),
            "2027-01-12",
            "2027-01-13",
        ),
        (None, "2026-12-14", "2026-12-15"),
    ] {
        let mut behind = scene.clone();
        let past_due = Command::PastDue {
            subscription: subscription("a"),
            period: unpaid,
            as_of: order(day("2026-12-12").unix_millis() * 1_000),
        };
        behind.apply(&past_due, day("2026-12-12")).expect("heard");
        check(&behind, last_day, first_day);
    }
    // No longer than the paid period itself, so that a trial of a day is not four.
    let mut trial = Scene::at("2026-11-10");
    trial.renew("a", "basic", "2026-11-10", "2026-11-11");
    check(&trial, "2026-11-11", "2026-11-12");
    // A grant for no period holds until it is changed.
    let mut manual = Scene::at("2026-11-10");
    manual.plan_at("0:00", "manual", Some("pro"), None, false);
    assert_eq!(plan_of(&manual, "2036-11-10"), "pro");
    // The operator sets the grace.
    let strict = scene.policy(|policy| policy.grant_grace = Duration::ZERO);
    check(&strict, "2026-12-09", "2026-12-10");
}

#[test]
fn what_lapses_leaves_a_row_and_wakes_for_it() {
    let mut scene = Scene::at("2026-11-10");
    scene.renew("a", "basic", "2026-11-10", "2026-12-10");
    scene.play("2026-12-11 sweep, 2026-12-11T00:00:30 sweep");
    let state = scene.state.clone().expect("there");
    let alarm = next_alarm(&state, day("2026-12-11T00:00:30"), &scene.policy);
    assert_eq!(alarm.map(|alarm| alarm.at), Some(day("2026-12-13")));
    scene.play("2026-12-13 sweep");
    let rows = scene.ledger.periods_told();
    let expected = [
        "2026-11-10..2026-12-10 basic 0/100 archived",
        "2026-12-10..2027-01-01 free 0/10",
    ];
    assert_eq!(rows, expected);
    // Seen late it is the same.
    let mut late = Scene::at("2026-11-10");
    late.renew("a", "basic", "2026-11-10", "2026-12-10");
    late.play("2026-12-30 sweep");
    assert_eq!(late.ledger.periods_told(), expected);
    assert_eq!(
        late.status_at("2027-02-02").period,
        period("2027-02-01", "2027-03-01")
    );
    // Another grant takes its place.
    let mut scene = Scene::at("2026-11-10");
    scene.renew("a", "pro", "2026-11-10", "2026-12-10");
    scene.renew("b", "basic", "2026-12-01", "2027-01-01");
    scene.play("2026-12-13 sweep");
    let status = scene.status_at("2026-12-13");
    assert_eq!(
        (status.plan.as_str(), status.period),
        ("basic", period("2026-12-10", "2027-01-01"))
    );
}

/// A told end, or a paid period with its grace, within the hours around a session.
fn grants() -> impl Strategy<Value = Vec<(&'static str, &'static str, Option<Period>, Option<i64>)>>
{
    let minute = |minute: i64| {
        day("2026-11-20T08:00:00").plus(Duration::from_secs(minute.unsigned_abs() * 60))
    };
    let told =
        (0..90_i64, prop_oneof![Just(1_i64), Just(7), Just(30)]).prop_map(move |(end, days)| {
            let end = minute(end);
            let start = end.unix_seconds() - days * 86_400;
            Period::paid(talktime_usage::Timestamp::from_unix_seconds(start), end).expect("a day")
        });
    let grant = (
        select(vec!["a", "b", "manual"]),
        select(vec!["basic", "pro"]),
        proptest::option::of(told),
        proptest::option::of(20..120_i64),
    );
    proptest::collection::vec(grant, 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// What is promised comes true to the second, whatever ends meanwhile, and whoever looked how often.
    #[test]
    fn the_time_that_is_promised_is_there(
        grants in grants(),
        used in 0..9_i64,
        start in 20..100_i64,
        grace in select(vec![0_u64, 1, 3]),
        looks in proptest::collection::vec(0..7_200_i64, 0..4),
    ) {
        let mut scene = Scene::at("2026-11-20T08:00:00").policy(|policy| {
            policy.grant_grace = Duration::from_hours(24 * grace);
            let json = r#"{"free": {"minutes": 10}, "basic": {"minutes": 20}, "pro": {"minutes": 45}}"#;
            policy.catalogue = Catalogue::parse(json).expect("valid");
        });
        for (by, plan, told, until) in &grants {
            let mut change = scene.change(by, Some(plan), *told, false, None);
            if let Command::ChangePlan { ends_at, .. } = &mut change {
                *ends_at = until.map(|minute| scene.when(&format!("{minute}:00")));
            }
            scene.apply(&change, scene.origin).expect("heard");
        }
        if used > 0 {
            scene.play(&format!("0:00 start, {used}:30 talk, {used}:30 end"));
        }
        let mut start_at = scene.when(&format!("{start}:00"));
        let status = scene.status(start_at);
        prop_assume!(status.minutes_remaining.get() > 0);
        let promised = status.seconds_remaining.get();
        let session = scene.draw();
        let command = Command::Start(SessionStart { session, topic: None, difficulty: None, takeover: false, awaits_call: false,});
        scene.apply(&command, start_at).expect("started");
        let end = start_at.plus(Duration::from_secs(promised));
        while start_at < end {
            prop_assert!(scene.status(start_at).active.is_some(), "over before {promised} s were");
            let left = scene.status(start_at).seconds_remaining.get();
            prop_assert_eq!(start_at.plus(Duration::from_secs(left)), end);
            scene.apply(&Command::Heartbeat { session }, start_at).expect("heard");
            start_at = start_at.plus(Duration::from_secs(30));
        }
        for look in looks {
            let mut looked = scene.clone();
            looked.sweep(end.plus(Duration::from_secs(look.unsigned_abs())));
            let ended = looked.ledger.sessions.get(&session).and_then(|row| row.ended.clone());
            prop_assert_eq!(ended.map(|ended| ended.at), Some(end));
        }
    }
}

//! Plans: who grants what, in whatever order the news comes.

use crate::scene::{Scene, order, subscription};
use talktime_usage::{Command, PlanOutcome, Reply};

/// One piece of news: a source, what it grants (`-` for nothing, `?` for behind with a payment), and when it happened.
type News<'a> = (&'a str, &'a str, i64);

fn tell(scene: &mut Scene, (by, plan, as_of): News<'_>) -> PlanOutcome {
    let command = match plan {
        "?" => Command::PastDue {
            subscription: subscription(by),
            period: None,
            as_of: order(as_of),
        },
        "-" => scene.change(by, None, None, false, Some(as_of)),
        plan => scene.change(by, Some(plan), None, false, Some(as_of)),
    };
    match scene.apply(&command, scene.origin) {
        Ok(Reply::Plan(outcome)) => outcome,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn check(news: &[News<'_>], plan: &str) {
    let mut scene = Scene::known();
    for one in news {
        tell(&mut scene, *one);
    }
    assert_eq!(scene.status_at("0:00").plan.as_str(), plan, "{news:?}");
}

#[test]
fn the_most_minutes_that_anybody_grants_are_in_force() {
    check(&[], "free");
    check(&[("manual", "basic", 1)], "basic");
    check(&[("a", "basic", 1), ("b", "pro", 2)], "pro");
    check(&[("a", "pro", 1), ("b", "basic", 2)], "pro");
    check(&[("a", "pro", 1), ("a", "basic", 2)], "basic");
    check(&[("a", "basic", 1), ("a", "free", 2)], "free");
    check(&[("a", "basic", 1), ("a", "-", 2)], "free");
    // The end of an old subscription takes nothing from a newer one.
    check(
        &[("old", "basic", 1), ("new", "basic", 2), ("old", "-", 3)],
        "basic",
    );
    check(
        &[("old", "pro", 1), ("new", "basic", 2), ("old", "-", 3)],
        "basic",
    );
    // A support grant survives all webhooks.
    check(
        &[("manual", "pro", 1), ("a", "basic", 2), ("a", "-", 3)],
        "pro",
    );
    check(
        &[
            ("a", "basic", 1),
            ("manual", "pro", 2),
            ("a", "-", 3),
            ("manual", "-", 4),
        ],
        "free",
    );
}

#[test]
fn late_news_of_a_subscription_changes_nothing() {
    check(&[("a", "-", 5), ("a", "pro", 4)], "free");
    check(
        &[("a", "basic", 5), ("a", "pro", 4), ("a", "-", 3)],
        "basic",
    );
    // Each subscription has its own order.
    check(&[("a", "basic", 5), ("b", "pro", 4)], "pro");
    let mut scene = Scene::new();
    assert_eq!(tell(&mut scene, ("a", "basic", 5)), PlanOutcome::Applied);
    let before = scene.state.clone();
    for (news, outcome) in [
        (("a", "basic", 5), PlanOutcome::Repeated),
        (("a", "pro", 4), PlanOutcome::Outdated),
        (("a", "-", 5), PlanOutcome::Repeated),
    ] {
        assert_eq!(tell(&mut scene, news), outcome, "{news:?}");
        assert_eq!(scene.state, before);
    }
    // An update that does not say when it happened comes after all that is known.
    scene.plan_at("0:00", "a", Some("pro"), None, false);
    scene.plan_at("0:00", "a", Some("basic"), None, false);
    assert_eq!(scene.status_at("0:00").plan.as_str(), "basic");
}

#[test]
fn being_behind_with_a_payment_keeps_the_plan() {
    check(&[("a", "pro", 1), ("a", "?", 2)], "pro");
    check(&[("a", "?", 2)], "free");
    check(&[("a", "pro", 1), ("a", "?", 2), ("a", "-", 3)], "free");
}

/// News, then a roster of active subscriptions as of 10, in either order.
#[track_caller]
fn check_roster(news: &[News<'_>], active: &[(&str, &str)], plan: &str) {
    let active: Vec<_> = active.iter().map(|(id, plan)| (*id, *plan, None)).collect();
    for roster_first in [false, true] {
        let mut scene = Scene::known();
        let roster = scene.roster(10, &active);
        if roster_first {
            scene.apply(&roster, scene.origin).expect("reconciled");
        }
        for one in news {
            tell(&mut scene, *one);
        }
        let last = scene.apply(&roster, scene.origin);
        let expected = if roster_first {
            PlanOutcome::Repeated
        } else {
            PlanOutcome::Applied
        };
        assert_eq!(last, Ok(Reply::Plan(expected)));
        assert_eq!(
            scene.status_at("0:00").plan.as_str(),
            plan,
            "{news:?} and {active:?}"
        );
    }
}

#[test]
fn a_roster_reconciles_the_subscriptions() {
    check_roster(&[], &[("a", "basic")], "basic");
    check_roster(&[("a", "pro", 5)], &[("a", "basic")], "basic");
    check_roster(&[("a", "pro", 5)], &[], "free");
    check_roster(&[("a", "pro", 5)], &[("b", "basic")], "basic");
    check_roster(&[("a", "pro", 15)], &[("a", "basic")], "pro");
    check_roster(&[("a", "-", 15)], &[("a", "basic")], "free");
    check_roster(&[("a", "-", 5)], &[("a", "basic")], "basic");
    check_roster(&[("a", "pro", 15)], &[], "pro");
    check_roster(&[("manual", "pro", 5)], &[], "pro");
    // It leaves out those that are behind with a payment, which does not end them.
    check_roster(&[("a", "pro", 5), ("a", "?", 7)], &[], "pro");
    check_roster(
        &[("a", "pro", 5), ("a", "?", 7), ("a", "-", 12)],
        &[],
        "free",
    );
    check_roster(&[("a", "?", 3), ("a", "pro", 5)], &[], "free");
}

#[test]
fn a_plan_update_creates_the_user_with_that_plan() {
    let mut scene = Scene::new();
    tell(&mut scene, ("a", "pro", 1));
    let status = scene.status_at("0:00");
    assert_eq!(
        (status.plan.as_str(), status.minutes_limit.get()),
        ("pro", 500)
    );
    assert_eq!(
        scene.ledger.periods_told(),
        ["2026-11-01..2026-12-01 pro 0/500"]
    );
}

#[test]
fn a_plan_below_what_is_used_ends_the_session_at_once() {
    let played = |story: &str| {
        let mut scene = Scene::new();
        scene.play(story);
        assert_eq!(scene.refused, [], "{story}");
        (
            scene.ledger.sessions_told(),
            scene.status_at("20:00").minutes_used.get(),
        )
    };
    let check = |story: &str, session: &str, used| {
        assert_eq!(played(story), (vec![session.to_owned()], used), "{story}");
    };
    check(
        "0:00 basic, 0:00 start, 14:30 talk, 14:30 free",
        "limit_reached 14:30 15",
        15,
    );
    check(
        "0:00 basic, 0:00 start, 10:00 talk, 10:00 free",
        "limit_reached 10:00 10",
        10,
    );
    check(
        "0:00 basic, 0:00 start, 9:59 talk, 9:59.999 free, 18:00 beat",
        "limit_reached 10:00 10",
        10,
    );
    check(
        "0:00 basic, 0:00 start, 15:00 talk, 15:00 pro, 15:30 end",
        "user_ended 15:30 16",
        16,
    );
    // It was silent, or over, before the news came.
    for late in ["14:30 free", "18:30 free"] {
        let story = format!("0:00 basic, 0:00 start, 8:00 talk, {late}");
        check(&story, "stale 8:30 9", 9);
    }
    // And one that goes up goes on.
    check(
        "0:00 start, 9:59 talk, 9:59 basic, 19:30 talk, 19:30 end",
        "user_ended 19:30 20",
        20,
    );
    check(
        "0:00 start, 9:59 talk, 10:00 basic",
        "limit_reached 10:00 10",
        10,
    );
}

#[test]
fn a_new_plan_shows_in_the_ledger_and_the_time_left() {
    let mut scene = Scene::new();
    scene.play("0:00 start, 2:00 talk");
    scene.plan_at("3:00", "a", Some("basic"), None, false);
    assert_eq!(scene.status_at("3:00").seconds_remaining.get(), 57 * 60);
    assert_eq!(
        scene.ledger.periods_told(),
        ["2026-11-01..2026-12-01 basic 3/100"]
    );
    scene.play("3:00 talk, 3:00 end");
    scene.plan_at("4:00", "a", None, None, false);
    assert_eq!(
        scene.ledger.periods_told(),
        ["2026-11-01..2026-12-01 free 3/10"]
    );
    assert_eq!(scene.status_at("4:00").seconds_remaining.get(), 420);
}

#[test]
fn news_that_grants_nothing_creates_nobody() {
    for news in [
        ("a", "-", 1),
        ("a", "?", 1),
        ("manual", "-", 1),
        ("a", "free", 1),
    ] {
        let mut scene = Scene::new();
        assert_eq!(tell(&mut scene, news), PlanOutcome::Applied, "{news:?}");
        assert_eq!(scene.state, None, "{news:?}");
    }
    let mut scene = Scene::new();
    let empty = scene.roster(1, &[]);
    let told = scene.apply(&empty, scene.origin);
    assert_eq!(told, Ok(Reply::Plan(PlanOutcome::Applied)));
    assert_eq!(scene.state, None);
    // Whoever was here keeps what is told.
    let mut scene = Scene::known();
    assert_eq!(tell(&mut scene, ("a", "-", 2)), PlanOutcome::Applied);
    assert_eq!(tell(&mut scene, ("a", "pro", 1)), PlanOutcome::Outdated);
}

#[test]
fn the_same_list_again_may_tell_a_plan_that_nobody_could_tell_before() {
    let mut scene = Scene::new();
    let told = scene.roster(1, &[("a", "basic", None), ("b", "pro", None)]);
    let mut unknown = told.clone();
    if let Command::Reconcile(roster) = &mut unknown {
        let entry = roster.active.get_mut(&subscription("b")).expect("listed");
        entry.plan = None;
    }
    for (list, outcome, plan) in [
        (&unknown, PlanOutcome::Applied, "basic"),
        (&unknown, PlanOutcome::Repeated, "basic"),
        (&told, PlanOutcome::Applied, "pro"),
        (&told, PlanOutcome::Repeated, "pro"),
        // What is known is not unlearnt by it.
        (&unknown, PlanOutcome::Repeated, "pro"),
    ] {
        let reply = scene.apply(list, scene.origin);
        assert_eq!(reply, Ok(Reply::Plan(outcome)));
        assert_eq!(scene.status_at("0:00").plan.as_str(), plan);
    }
    let state = scene.state.as_ref().expect("there");
    assert!(state.grants.tells_plan_of(&subscription("b")));
    assert!(!state.grants.tells_plan_of(&subscription("c")));
    let sources: Vec<_> = state
        .grants
        .sources(&scene.policy, scene.origin)
        .into_iter()
        .map(|(_, plan)| plan.to_string())
        .collect();
    assert_eq!(sources, ["basic", "pro"]);
}

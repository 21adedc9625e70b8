//! What is remembered of who grants what: bounds, customers' lists, updates that do not say when they happened.

use crate::scene::{Scene, day, order, period, session_id, subscription};
use serde_json::{Value, json};
use talktime_usage::SessionEnd;
use talktime_usage::{
    Command, CustomerId, EndReason, EventOrder, LedgerWrite, Minutes, PlanOutcome, Reply,
    SessionRow, State, Timestamp,
};

fn told(scene: &mut Scene, command: &Command, time: &str) -> PlanOutcome {
    let now = scene.when(time);
    match scene.apply(command, now) {
        Ok(Reply::Plan(outcome)) => outcome,
        other => panic!("{other:?}"),
    }
}

/// The subscription ended as of that event.
fn ended(scene: &mut Scene, by: &str, as_of: i64) {
    let change = scene.change(by, None, None, false, Some(as_of));
    told(scene, &change, "0:00");
}

/// Microseconds since the epoch, so many seconds after the scene's origin.
fn stamp(scene: &Scene, seconds: i64) -> i64 {
    scene.origin.unix_millis() * 1_000 + seconds * 1_000_000
}

fn plan(scene: &Scene, time: &str) -> String {
    scene.status_at(time).plan.as_str().to_owned()
}

#[test]
fn a_forgotten_subscription_is_not_revived() {
    let mut scene = Scene::new();
    // Listed, then ended by its own event, then pushed out by others.
    let list = scene.roster(1, &[("first", "pro", None)]);
    told(&mut scene, &list, "0:00");
    ended(&mut scene, "first", 3);
    for number in 0..40 {
        let by = format!("sub{number}");
        ended(&mut scene, &by, 10 + number);
    }
    assert_eq!(plan(&scene, "0:00"), "free");
    let document = serde_json::to_value(&scene.state).expect("JSON");
    let kept = document["grants"]["subscriptions"].as_object();
    assert_eq!(kept.map(serde_json::Map::len), Some(32));
    // What is older than the last word on it comes too late, by whatever way.
    let behind = Command::PastDue {
        subscription: subscription("first"),
        period: None,
        as_of: order(2),
    };
    for old in [
        scene.change("first", Some("pro"), None, false, Some(2)),
        scene.roster(2, &[("first", "pro", None)]),
        behind,
        scene.change("sub1", Some("pro"), None, false, Some(9)),
    ] {
        told(&mut scene, &old, "0:00");
        assert_eq!(plan(&scene, "0:00"), "free", "{old:?}");
    }
    // What is newer is news, and of those that are known the older news of others still is.
    let newer = scene.change("first", Some("pro"), None, false, Some(100));
    assert_eq!(told(&mut scene, &newer, "0:00"), PlanOutcome::Applied);
    assert_eq!(plan(&scene, "0:00"), "pro");
    // Those that grant something are forgotten last.
    for number in 0..40 {
        let by = format!("late{number}");
        ended(&mut scene, &by, 200 + number);
    }
    assert_eq!(plan(&scene, "0:00"), "pro");
}

#[test]
fn the_list_of_one_customer_ends_nothing_of_anothers() {
    let of = |customer: &str| Some(CustomerId::parse(customer).expect("an id"));
    let list = |scene: &Scene, customer: Option<CustomerId>, as_of, active: &[&str]| {
        let active: Vec<_> = active.iter().map(|id| (*id, "basic", None)).collect();
        match scene.roster(as_of, &active) {
            Command::Reconcile(mut roster) => {
                roster.customer = customer;
                Command::Reconcile(roster)
            }
            other => other,
        }
    };
    let bought = |scene: &Scene, by: &str, who: &str, plan: &str, as_of| {
        let mut change = scene.change(by, Some(plan), None, false, Some(as_of));
        if let Command::ChangePlan { customer, .. } = &mut change {
            *customer = of(who);
        }
        change
    };
    let mut scene = Scene::new();
    for command in [
        bought(&scene, "a", "cus_1", "pro", 1),
        bought(&scene, "b", "cus_2", "basic", 2),
        list(&scene, of("cus_2"), 3, &["b"]),
    ] {
        assert_eq!(told(&mut scene, &command, "0:00"), PlanOutcome::Applied);
        assert_ne!(plan(&scene, "0:00"), "free");
    }
    assert_eq!(plan(&scene, "0:00"), "pro");
    // The customer's own does.
    let mut ended = scene.clone();
    told(&mut ended, &list(&scene, of("cus_1"), 4, &[]), "0:00");
    assert_eq!(plan(&ended, "0:00"), "basic");
    // So does one that names nobody, and any where nobody was named for the subscription.
    let mut ended = scene.clone();
    told(&mut ended, &list(&scene, None, 4, &[]), "0:00");
    assert_eq!(plan(&ended, "0:00"), "free");
    let mut unnamed = Scene::new();
    told(
        &mut unnamed,
        &scene.change("a", Some("pro"), None, false, Some(1)),
        "0:00",
    );
    told(&mut unnamed, &list(&scene, of("cus_2"), 2, &[]), "0:00");
    assert_eq!(plan(&unnamed, "0:00"), "free");
    // A list tells whose a subscription is, too.
    let mut listed = Scene::new();
    told(&mut listed, &list(&scene, of("cus_1"), 1, &["a"]), "0:00");
    told(&mut listed, &list(&scene, of("cus_2"), 2, &[]), "0:00");
    assert_eq!(plan(&listed, "0:00"), "basic");
    // The lists of a ninth customer only add.
    for number in 3..20 {
        let customer = of(&format!("cus_{number}"));
        told(
            &mut listed,
            &list(&scene, customer, 10 + number, &[]),
            "0:00",
        );
    }
    let document = serde_json::to_value(&listed.state).expect("JSON");
    assert_eq!(
        document["grants"]["rosters"]
            .as_object()
            .map(serde_json::Map::len),
        Some(8)
    );
}

#[test]
fn an_update_that_does_not_say_when_comes_after_all_that_is_known() {
    // The provider's clock is two seconds ahead of ours.
    let mut scene = Scene::new();
    let ahead = stamp(&scene, 2);
    for news in [
        scene.roster(ahead, &[("a", "pro", None)]),
        scene.change("b", Some("pro"), None, false, Some(ahead)),
    ] {
        told(&mut scene, &news, "0:00");
    }
    for by in ["a", "b"] {
        let update = scene.change(by, None, None, false, None);
        assert_eq!(told(&mut scene, &update, "0:00"), PlanOutcome::Applied);
    }
    assert_eq!(plan(&scene, "0:00"), "free");
    // Each is newer than the last one.
    for expected in ["pro", "basic", "pro"] {
        scene.plan_at("0:00", "a", Some(expected), None, false);
        assert_eq!(plan(&scene, "0:00"), expected);
    }
}

#[test]
fn an_update_that_does_not_say_when_outdates_no_event_under_way() {
    let outcome = |age: i64| {
        let mut scene = Scene::new();
        scene.plan_at("0:00", "a", Some("basic"), None, false);
        let event = scene.change("a", Some("pro"), None, false, Some(stamp(&scene, -age)));
        told(&mut scene, &event, "0:01")
    };
    assert_eq!(outcome(5), PlanOutcome::Applied);
    assert_eq!(outcome(59), PlanOutcome::Applied);
    // One that is older was known to whoever made the update, and may not undo it.
    assert_eq!(outcome(61), PlanOutcome::Outdated);
    assert_eq!(outcome(3_600), PlanOutcome::Outdated);
}

#[test]
fn of_two_updates_of_one_second_without_an_id_the_later_arrival_counts() {
    let mut scene = Scene::new();
    let at = |scene: &Scene, plan, id: &str| {
        let mut change = scene.change("a", Some(plan), None, false, None);
        if let Command::ChangePlan { as_of, .. } = &mut change {
            *as_of = Some(EventOrder::at(scene.origin, id));
        }
        change
    };
    for (expected, id, outcome) in [
        ("basic", "", PlanOutcome::Applied),
        ("pro", "", PlanOutcome::Applied),
        ("pro", "", PlanOutcome::Repeated),
        ("basic", "evt_2", PlanOutcome::Applied),
        ("basic", "evt_2", PlanOutcome::Repeated),
    ] {
        let change = at(&scene, expected, id);
        assert_eq!(
            told(&mut scene, &change, "0:00"),
            outcome,
            "{expected} {id:?}"
        );
        assert_eq!(plan(&scene, "0:00"), expected);
    }
    // Two ids have one order, whichever arrives first.
    let change = at(&scene, "pro", "evt_1");
    assert_eq!(told(&mut scene, &change, "0:00"), PlanOutcome::Outdated);
}

#[test]
fn a_stamp_far_ahead_pins_nothing() {
    let mut scene = Scene::new();
    let year = 365 * 86_400;
    let far = EventOrder {
        unix_micros: stamp(&scene, year),
        event: "evt_far".to_owned(),
    };
    assert!(far.is_far_ahead(scene.origin));
    assert!(!far.is_far_ahead(Timestamp::from_unix_millis(
        scene.origin.unix_millis() + year * 1_000
    )));
    let behind = Command::PastDue {
        subscription: subscription("b"),
        period: None,
        as_of: far.clone(),
    };
    for news in [
        scene.change("a", Some("pro"), None, false, Some(far.unix_micros)),
        scene.roster(far.unix_micros, &[("a", "pro", None)]),
        behind,
    ] {
        assert_eq!(told(&mut scene, &news, "0:00"), PlanOutcome::Applied);
    }
    let ended = scene.change("a", None, None, false, Some(stamp(&scene, 301)));
    assert_eq!(told(&mut scene, &ended, "5:01"), PlanOutcome::Applied);
    assert_eq!(plan(&scene, "5:01"), "free");
}

/// A document of the first layout, in the month of the subscription's own `told` period: basic, 7 minutes used.
fn first_layout(first: &str, told: (&str, &str), cadence: &Value, instant: &str) -> Scene {
    let millis = |text: &str| day(text).unix_millis();
    let mut scene = Scene::at(instant);
    let document = json!({
        "schema": 1, "revision": 5, "user": "ann", "instant": millis(instant),
        "grants": {
            "subscriptions": {"a": {
                "plan": "basic",
                "period": {"start": millis(told.0), "end": millis(told.1)},
                "as_of": {"unix_micros": millis(told.0) * 1_000, "event": "evt_1"},
            }},
            "past_due": {"b": {"unix_micros": 5, "event": "evt_0"}},
            "listed": {"a": {
                "plan": null, "period": null, "as_of": {"unix_micros": 5, "event": "evt_0"},
            }},
            "roster_as_of": {"unix_micros": 5, "event": "evt_0"},
        },
        "period": {
            // The month in which it was told.
            "id": format!("ann:{}", millis(first) / 1_000),
            "bounds": {"start": millis(told.0), "end": millis(told.1)},
            "cadence": cadence,
            "billed_minutes": 7, "billed_millis": 400_000, "recorded": true,
        },
        "writes": [],
    });
    scene.state = Some(serde_json::from_value::<State>(document).expect("a state"));
    scene.ledger.write(&LedgerWrite::Session(SessionRow {
        id: session_id(1_000),
        started_at: scene.origin,
        ended: Some(SessionEnd {
            at: scene.origin,
            reason: EndReason::UserEnded,
        }),
        minutes_used: Minutes::new(7),
        topic: None,
        difficulty: None,
    }));
    scene
}

#[test]
fn a_state_of_the_first_layout_goes_on() {
    // It had moved the period to the subscription's own, and the usage stayed.
    let month = ("2026-11-09", "2026-12-09");
    let monthly = json!({"months": {"count": 1, "day": 9}});
    let mut scene = first_layout("2026-11-01", month, &monthly, "2026-11-20");
    let check = |scene: &Scene, time: &str, used: u32, seen: (&str, &str)| {
        let status = scene.status_at(time);
        assert_eq!(
            (
                status.plan.as_str(),
                status.minutes_used.get(),
                status.period
            ),
            ("basic", used, period(seen.0, seen.1)),
            "{time}"
        );
    };
    check(&scene, "2026-11-20", 7, month);
    // The same told again brings no minutes; the renewal does.
    let again = scene.roster(
        day("2026-11-21").unix_millis() * 1_000,
        &[("a", "basic", Some(period(month.0, month.1)))],
    );
    told(&mut scene, &again, "2026-11-21");
    check(&scene, "2026-11-21", 7, month);
    let document = serde_json::to_value(&scene.state).expect("JSON");
    assert_eq!(document["schema"], 2);
    assert_eq!(document["period"].get("cadence"), None);
    check(&scene, "2026-12-10", 0, ("2026-12-09", "2027-01-09"));
    // A year goes on in months.
    let year = ("2026-03-10", "2027-03-10");
    let yearly = json!({"months": {"count": 12, "day": 10}});
    let scene = first_layout("2026-03-01", year, &yearly, "2026-11-20");
    check(&scene, "2026-11-20", 7, ("2026-03-10", "2026-12-10"));
    check(&scene, "2026-12-10", 0, ("2026-12-10", "2027-01-10"));
    // A mint leaves the layout to whoever comes next.
    let mut scene = first_layout("2026-11-01", month, &json!({"seconds": 5}), "2026-11-20");
    scene.start_at("2026-11-20");
    scene.mint_at("2026-11-20").expect("minted");
    check(&scene, "2026-11-20", 7, month);
}

//! News of subscriptions comes late, twice and in any order, and comes to the same.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::scene::{Scene, order, period, subscription};
use talktime_usage::{Command, Period, Timestamp};

/// A subscription's own periods: running, over, not yet begun, as another subscription could have them.
fn periods() -> impl Strategy<Value = Period> {
    select(vec![
        period("2026-10-25", "2026-11-25"),
        period("2026-11-25", "2026-12-25"),
        period("2026-09-30", "2026-10-31"),
        period("2026-12-01", "2027-01-01"),
        period("2026-11-10T07:00:00", "2026-12-10T07:00:00"),
        period("2026-03-31", "2027-03-31"),
        period("2026-11-01", "2026-11-15"),
    ])
}

#[derive(Clone, Debug)]
enum Event {
    /// Its period is always told, as the billing provider does.
    Grants(&'static str, Option<&'static str>, Period),
    PastDue(&'static str),
    Roster(Vec<(&'static str, &'static str, Option<Period>)>),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let sub = || select(vec!["a", "b", "c"]);
    let plan = || select(vec!["free", "basic", "pro"]);
    let entry = (sub(), plan(), periods().prop_map(Some));
    let event = prop_oneof![
        4 => (sub(), proptest::option::weighted(0.7, plan()), periods())
            .prop_map(|(by, plan, period)| Event::Grants(by, plan, period)),
        1 => sub().prop_map(Event::PastDue),
        2 => proptest::collection::vec(entry, 0..3).prop_map(Event::Roster),
    ];
    proptest::collection::vec(event, 1..7)
}

impl Event {
    /// It happened as the `number`th, whenever it arrives.
    fn command(&self, number: usize, scene: &Scene) -> Command {
        let as_of = i64::try_from(number).expect("few");
        match self {
            Self::Grants(by, plan, period) => {
                scene.change(by, *plan, Some(*period), false, Some(as_of))
            }
            Self::PastDue(by) => Command::PastDue {
                subscription: subscription(by),
                period: None,
                as_of: order(as_of),
            },
            Self::Roster(active) => scene.roster(as_of, active),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// In whatever order and how often the events arrive, the same plan is in force, and for as long.
    #[test]
    fn the_order_of_arrival_does_not_matter(
        events in events(),
        arrivals in proptest::collection::vec(any::<Index>(), 0..12),
        history in histories(),
    ) {
        let mut scene = Scene::new();
        scene.play(history);
        let commands: Vec<Command> =
            events.iter().enumerate().map(|(number, event)| event.command(number, &scene)).collect();
        let plans = |order: &[usize]| {
            let scene = arrive(&scene, &commands, order);
            let (state, now) = (scene.state.clone().expect("there"), scene.when("6:00"));
            let lapse = state.grants.next_lapse(&scene.policy, now);
            (scene.status(now).plan, lapse, scene.status_at("40d").plan)
        };
        let (in_order, any_order) = orders(&commands, &arrivals);
        prop_assert_eq!(plans(&any_order), plans(&in_order));
    }

    /// Of one subscription that renews, the period and what was used in it come to the same too.
    #[test]
    fn the_order_in_which_renewals_arrive_does_not_matter(
        mut told in proptest::collection::vec((proptest::option::weighted(0.7, select(vec!["basic", "pro"])), 0..4_usize), 0..5),
        last in (select(vec!["basic", "pro"]), 1..4_usize),
        arrivals in proptest::collection::vec(any::<Index>(), 0..12),
        history in histories(),
    ) {
        let periods = [
            period("2026-09-30", "2026-10-31"),
            period("2026-10-25", "2026-11-25"),
            period("2026-11-01", "2026-11-15"),
            period("2026-11-10T07:00:00", "2026-12-10T07:00:00"),
        ];
        let mut scene = Scene::new();
        scene.play(history);
        told.sort_by_key(|(_, number)| *number);
        told.retain(|(_, number)| *number <= last.1);
        told.push((Some(last.0), last.1));
        let commands: Vec<Command> = told
            .iter()
            .enumerate()
            .map(|(number, (plan, which))| Event::Grants("a", *plan, periods[*which]).command(number, &scene))
            .collect();
        let seen = |order: &[usize]| {
            let scene = arrive(&scene, &commands, order);
            let status = scene.status_at("6:00");
            (status.plan, status.period, scene.status_at("5:00").minutes_used, scene.status_at("40d").period)
        };
        let (in_order, any_order) = orders(&commands, &arrivals);
        prop_assert_eq!(seen(&any_order), seen(&in_order));
    }
}

/// Of users who were here: of others nothing is kept before something is granted.
fn histories() -> impl Strategy<Value = &'static str> {
    select(vec![
        "0:00 start, 0:10 end",
        "0:00 start, 3:10 talk, 3:10 end",
        "2026-10-20 start, 2026-10-20T00:03:00 talk, 2026-10-20T00:03:00 end, 0:00 start, 4:00 talk, 4:00 end",
        "2026-10-20 start, 2026-10-20T00:03:00 talk, 2026-10-20T00:03:00 end, 2026-11-02 reset",
        "0:00 start, 4:00 talk",
        "0:00 start, 4:00 talk, 4:00 end, 4:00 start",
    ])
}

/// All of them as they happened; and some of them first, in any order and any number of times, then those that are missing,
/// latest first.
fn orders(commands: &[Command], arrivals: &[Index]) -> (Vec<usize>, Vec<usize>) {
    let in_order: Vec<usize> = (0..commands.len()).collect();
    let mut any_order: Vec<usize> = arrivals
        .iter()
        .map(|index| index.index(commands.len()))
        .collect();
    any_order.extend(in_order.iter().rev());
    (in_order, any_order)
}

/// The scene after the commands have arrived in that order, a second after each other.
fn arrive(scene: &Scene, commands: &[Command], order: &[usize]) -> Scene {
    let mut scene = scene.clone();
    let session_runs = scene
        .state
        .as_ref()
        .is_some_and(|state| state.session.is_some());
    for (at, number) in order.iter().enumerate() {
        // A transient downgrade may end a running session, so there all of it happens at one instant.
        let seconds = if session_runs {
            0
        } else {
            i64::try_from(at).expect("few")
        };
        let now = scene.when("5:00").unix_seconds() + seconds;
        scene
            .apply(&commands[*number], Timestamp::from_unix_seconds(now))
            .expect("heard");
    }
    scene
}

#[test]
fn every_order_of_a_real_exchange_comes_to_the_same() {
    // An upgrade by a second subscription, the first one's end and a payment that failed, twice each.
    let scene = Scene::new();
    let old = period("2026-10-25", "2026-11-25");
    let new = period("2026-11-09", "2026-12-09");
    let commands = [
        scene.change("a", Some("basic"), Some(old), false, Some(1)),
        scene.change("b", Some("pro"), Some(new), false, Some(2)),
        scene.roster(3, &[("a", "basic", Some(old)), ("b", "pro", Some(new))]),
        scene.change("a", None, Some(old), false, Some(4)),
        Command::PastDue {
            subscription: subscription("b"),
            period: None,
            as_of: order(5),
        },
        scene.roster(6, &[]),
    ];
    let mut orders = 0;
    for_each_order(
        &mut (0..commands.len()).collect::<Vec<_>>(),
        0,
        &mut |numbers| {
            let mut scene = scene.clone();
            for number in numbers.iter().chain(numbers) {
                scene
                    .apply(&commands[*number], scene.origin)
                    .expect("heard");
            }
            let status = scene.status_at("0:00");
            assert_eq!(
                (status.plan.as_str(), status.period),
                ("pro", new),
                "{numbers:?}"
            );
            orders += 1;
        },
    );
    assert_eq!(orders, 720);
}

#[test]
fn a_roster_does_not_end_what_only_rosters_told_of_and_fell_behind() {
    let mut scene = Scene::new();
    scene.play("0:00 start, 0:10 end");
    let commands = [
        scene.roster(1, &[("a", "pro", None)]),
        Command::PastDue {
            subscription: subscription("a"),
            period: None,
            as_of: order(2),
        },
        scene.roster(3, &[]),
    ];
    for_each_order(&mut vec![0, 1, 2], 0, &mut |numbers| {
        let mut scene = scene.clone();
        for number in numbers {
            scene
                .apply(&commands[*number], scene.origin)
                .expect("heard");
        }
        assert_eq!(scene.status_at("0:00").plan.as_str(), "pro", "{numbers:?}");
        // It paid, was listed again, and then ended.
        for (as_of, active, plan) in [(4, &[("a", "pro", None)][..], "pro"), (5, &[], "free")] {
            scene
                .apply(&scene.roster(as_of, active), scene.origin)
                .expect("heard");
            assert_eq!(scene.status_at("0:00").plan.as_str(), plan, "{numbers:?}");
        }
    });
}

fn for_each_order(items: &mut Vec<usize>, fixed: usize, visit: &mut impl FnMut(&[usize])) {
    if fixed == items.len() {
        visit(items);
    }
    for chosen in fixed..items.len() {
        items.swap(fixed, chosen);
        for_each_order(items, fixed + 1, visit);
        items.swap(fixed, chosen);
    }
}

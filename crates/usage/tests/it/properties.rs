//! What holds for every story: the state machine against a plain model, sweeps at any time, writes in any order.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::Index;
use talktime_usage::{Command, LedgerWrite, Refusal, Reply, SessionId, SessionStart, State};

use crate::model::{Model, No, Rules};
use crate::scene::{Scene, day, ledger::Ledger, order, period, subscription};
use crate::story::{
    Act, Clock, ORIGIN, PLANS, Pause, Settings, act, at, command, month_ends, scene, settings,
    story, subscription_act,
};

fn number(session: SessionId) -> u32 {
    let text = session.to_string();
    u32::from_str_radix(&text[text.len() - 8..], 16).expect("drawn by the scene")
}

fn instant(scene: &Scene) -> i64 {
    scene
        .state
        .as_ref()
        .map_or(0, |state| state.instant.unix_millis())
}

fn agree(model: &Model, scene: &Scene) {
    let status = scene.status(at(model.now));
    let remaining = u64::try_from(model.millis_remaining()).expect("not negative");
    assert_eq!(
        (
            status.minutes_used.get(),
            status.minutes_remaining.get(),
            status.minutes_limit.get(),
            status.active.map(|(session, _)| number(session.id)),
            status.period.end().unix_millis(),
            status.seconds_remaining.get(),
        ),
        (
            model.used(),
            model.remaining(),
            model.limit,
            model.running(),
            model.period_end(),
            remaining.div_ceil(1_000),
        ),
        "used, remaining, limit, session, period's end, seconds"
    );
}

/// Plays a story to the state machine and to the model.
fn play_both(settings: Settings, story: &[(Pause, Act)]) {
    let mut scene = scene(settings);
    let mut clock = Clock::new();
    let rules = Rules {
        stale_after: settings.stale_after,
        heartbeat_interval: 30_000,
        session_max: settings.session_max,
        month_ends: month_ends(),
    };
    let mut model = Model::new(rules, clock.wall, 3);
    let mut used_at_downgrade = 0;
    let mut sessions = Vec::new();
    for (pause, act) in story {
        let told = clock.after(*pause);
        let now = told.max(instant(&scene)).max(day(ORIGIN).unix_millis());
        // Refused or without effect, nothing happened, and the clock may still step back before it.
        let mut next = model.clone();
        next.advance(now);
        if matches!(act, Act::Plan { reset: true, .. }) && !next.can_reset() {
            continue;
        }
        agree(&next, &scene);
        let revision = scene.state.as_ref().map_or(0, |state| state.revision);
        let command = command(act, at(now), &mut scene, &mut sessions);
        let reply = scene.apply(&command, at(told.max(day(ORIGIN).unix_millis())));
        let expected = match &command {
            Command::Start(SessionStart {
                session, takeover, ..
            }) => next.start(number(*session), *takeover),
            Command::Heartbeat { session } => next.heartbeat(number(*session)),
            Command::End { session, reason } => next.end(number(*session), *reason),
            Command::Mint { .. } => {
                assert_eq!(reply.is_ok(), next.running().is_some());
                Ok(())
            }
            Command::HandOut {
                session,
                token_until,
            } => {
                let running = next.hand_out(number(*session), token_until.unix_millis());
                assert_eq!(reply.is_ok(), running);
                Ok(())
            }
            Command::ChangePlan { reset_usage, .. } => {
                let Act::Plan { plan, .. } = act else {
                    unreachable!()
                };
                next.change_plan(PLANS[*plan].1, *reset_usage);
                used_at_downgrade = next.used();
                Ok(())
            }
            _ => Ok(()),
        };
        let refused = match reply {
            Err(Refusal::NoCredits) => Err(No::Credits),
            Err(Refusal::SessionActive(_)) => Err(No::SessionActive),
            Err(Refusal::SessionNotFound) => Err(No::SessionNotFound),
            _ => Ok(()),
        };
        if !matches!(command, Command::Mint { .. } | Command::HandOut { .. }) {
            assert_eq!(refused, expected, "{command:?}");
        }
        if scene.state.as_ref().map_or(0, |state| state.revision) > revision {
            model = next;
            agree(&model, &scene);
            assert!(model.used() <= model.limit.max(used_at_downgrade));
        }
    }
    let end = clock.wall.max(instant(&scene)) + 7_200_000;
    scene.sweep(at(end));
    model.advance(end);
    compare_ledgers(&model, &scene.ledger);
}

fn compare_ledgers(model: &Model, ledger: &Ledger) {
    let sessions: BTreeMap<_, _> = ledger
        .sessions
        .values()
        .map(|row| {
            let ended = row.ended.as_ref().expect("all are over");
            let told = (
                row.started_at.unix_millis(),
                ended.at.unix_millis(),
                ended.reason,
                row.minutes_used.get(),
            );
            (number(row.id), told)
        })
        .collect();
    let talks: BTreeMap<_, _> = model
        .talks
        .iter()
        .map(|talk| {
            (
                talk.session,
                (talk.start, talk.end, talk.reason, talk.minutes),
            )
        })
        .collect();
    assert_eq!(sessions, talks);
    let periods: BTreeMap<_, _> = ledger
        .periods
        .values()
        .filter(|row| row.minutes_used.get() > 0)
        .map(|row| (row.period.end().unix_millis(), row.minutes_used.get()))
        .collect();
    assert_eq!(periods, model.minutes_of_periods());
    assert_eq!(
        ledger.minutes_of_periods(),
        talks.values().map(|talk| talk.3).sum::<u32>()
    );
}

/// Plays a story, with sweeps between its commands where `sweeps` says so, and gives the replies and the end.
fn play_swept(
    settings: Settings,
    story: &[(Pause, Act)],
    sweeps: &[Vec<Index>],
) -> (Vec<Result<Reply, Refusal>>, Scene) {
    let mut scene = scene(settings);
    let mut clock = Clock::new();
    let mut sessions = Vec::new();
    let mut replies = Vec::new();
    for (number, (pause, act)) in story.iter().enumerate() {
        let told = clock.after(*pause).max(day(ORIGIN).unix_millis());
        let before = instant(&scene);
        if before > 0 && told > before {
            let span = usize::try_from(told - before).expect("small") + 1;
            let mut times: Vec<usize> = sweeps
                .get(number)
                .into_iter()
                .flatten()
                .map(|index| index.index(span))
                .collect();
            times.sort_unstable();
            for time in times {
                let time = at(before + i64::try_from(time).expect("small"));
                let status = scene.status(time);
                scene.sweep(time);
                assert_eq!(scene.status(time), status, "a sweep changes what is seen");
            }
        }
        let command = command(act, at(told), &mut scene, &mut sessions);
        replies.push(scene.apply(&command, at(told)));
    }
    let end = clock.wall.max(instant(&scene)) + 7_200_000;
    for _ in 0..3 {
        scene.sweep(at(end));
    }
    (replies, scene)
}

/// Rows without their versions, which count the sweeps too.
fn unversioned(ledger: &Ledger) -> Ledger {
    let mut ledger = ledger.clone();
    for row in ledger.periods.values_mut() {
        row.version = 0;
    }
    ledger
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_state_machine_agrees_with_the_model(settings in settings(), story in story(act())) {
        play_both(settings, &story);
    }

    #[test]
    fn when_and_how_often_sweeps_come_changes_no_bill(
        settings in settings(),
        story in story(prop_oneof![5 => act(), 1 => subscription_act()]),
        sweeps in proptest::collection::vec(proptest::collection::vec(any::<Index>(), 0..3), 25),
    ) {
        // No clock steps back here: what the state takes for the time is what it last stored, sweeps included.
        let story: Vec<_> = story
            .into_iter()
            .filter(|(pause, act)| !matches!(act, Act::Sweep) && !matches!(pause, Pause::Back(_)))
            .collect();
        let (replies, plain) = play_swept(settings, &story, &[]);
        let (swept_replies, swept) = play_swept(settings, &story, &sweeps);
        prop_assert_eq!(replies, swept_replies);
        prop_assert_eq!(unversioned(&plain.ledger), unversioned(&swept.ledger));
        let now = at(instant(&plain).max(instant(&swept)));
        prop_assert_eq!(plain.status(now), swept.status(now));
    }

    #[test]
    fn ledger_writes_may_come_twice_and_in_any_order(
        settings in settings(),
        story in story(prop_oneof![5 => act(), 1 => subscription_act()]),
        order in any::<u64>(),
    ) {
        let (_, scene) = play_swept(settings, &story, &[]);
        let backwards = Ledger::of(scene.log.iter().rev());
        prop_assert_eq!(&backwards, &scene.ledger);
        let mut any_order: Vec<&LedgerWrite> = scene.log.iter().chain(&scene.log).collect();
        let mut random = order;
        for last in (1..any_order.len()).rev() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let chosen = usize::try_from(random >> 33).expect("31 bits") % (last + 1);
            any_order.swap(last, chosen);
        }
        prop_assert_eq!(&Ledger::of(any_order), &scene.ledger);
    }
}

fn past_due(as_of: i64) -> Command {
    Command::PastDue {
        subscription: subscription("a"),
        period: None,
        as_of: order(as_of),
    }
}

#[test]
fn unknown_fields_survive_a_rewrite() {
    let mut scene = Scene::new();
    scene.play("0:00 start, 1:00 beat, 1:10 mint, 1:20 basic");
    let month = period("2026-11-09", "2026-12-09");
    let granted = [
        scene.change("a", Some("pro"), Some(month), false, Some(1)),
        scene.roster(2, &[("a", "pro", Some(month))]),
        past_due(3),
    ];
    for command in &granted {
        scene.apply(command, scene.when("1:30")).expect("heard");
    }
    let mut json = serde_json::to_value(&scene.state).expect("JSON");
    let later = serde_json::json!({"kept": [1, 2, 3]});
    let places = [
        "",
        "/grants",
        "/grants/manual",
        "/grants/subscriptions/a",
        "/grants/listed/a",
        "/grants/past_due/a",
        "/period",
        "/period/rhythm/cycle",
        "/session",
        "/session/terms",
        "/mints",
    ];
    for place in places {
        json.pointer_mut(place).expect("there")["of_a_later_version"] = later.clone();
    }
    scene.state = Some(serde_json::from_value::<State>(json).expect("a state"));
    let told = [
        scene.change("a", Some("pro"), Some(month), false, Some(4)),
        scene.roster(5, &[("a", "pro", Some(month))]),
        past_due(6),
    ];
    for command in &told {
        scene.apply(command, scene.when("1:50")).expect("heard");
    }
    scene.play("2:00 beat, 3:00 sweep, 4:00 basic, 5:00 mint, 6:00 reset, 7:00 sweep");
    let json = serde_json::to_value(&scene.state).expect("JSON");
    for place in places {
        assert_eq!(
            json.pointer(place).expect("there")["of_a_later_version"],
            later,
            "{place}"
        );
    }
}

//! When a user's alarm is to fire.

use crate::scene::Scene;
use talktime_usage::{ARCHIVE_SPREAD, Alarm};
use talktime_usage::{Command, LedgerWrite, State, UserId};
use talktime_usage::{next_alarm, rows_to_write, settle};

/// When the alarm is set after a story, by somebody who looks at `time`.
fn alarm(scene: &Scene, time: &str) -> Option<Alarm> {
    let now = scene.when(time);
    let mut state = scene.state.clone()?;
    settle(&mut state, now, &scene.policy);
    next_alarm(&state, now, &scene.policy)
}

#[track_caller]
fn check(story: &str, time: &str, expected: Option<&str>) {
    let mut scene = Scene::new();
    scene.play(story);
    let alarm = alarm(&scene, time);
    let expected = expected.map(|at| scene.when(at));
    let context = format!("{story}, then {time}: {alarm:?}");
    match alarm.filter(|alarm| !alarm.urgent) {
        // Only to archive: some time after the period's end.
        Some(Alarm { at, .. }) => assert!(
            expected.is_some_and(|end| end <= at && at.since(end) < ARCHIVE_SPREAD),
            "{context}"
        ),
        None => assert_eq!(alarm.map(|alarm| alarm.at), expected, "{context}"),
    }
}

#[test]
fn while_a_session_runs_the_alarm_is_soon_or_when_it_ends() {
    check("0:00 look", "0:00", None);
    check("0:00 start", "0:00", Some("0:30"));
    check("0:00 start", "9:00", Some("9:30"));
    check("0:00 start", "9:45", Some("10:00"));
    check("0:00 basic, 0:00 start, 1:00 talk", "10:50", Some("11:00"));
    check(
        "0:00 basic, 0:00 start, 9:00 talk, 18:00 talk, 27:00 talk, 36:00 talk, 45:00 talk, 54:00 talk",
        "59:50",
        Some("60:00"),
    );
}

#[test]
fn after_a_session_the_alarm_fires_until_all_is_written_and_archived() {
    let month_end = Some("2026-12-01");
    check("0:00 start, 3:00 talk, 3:00 end", "3:00", Some("3:30"));
    check(
        "0:00 start, 3:00 talk, 3:00 end, 3:30 sweep",
        "3:30",
        month_end,
    );
    check(
        "0:00 start, 3:00 talk, 3:00 end, 3:30 sweep, 2026-12-01 sweep",
        "2026-12-01",
        Some("2026-12-01T00:00:30"),
    );
    check(
        "0:00 start, 3:00 talk, 3:00 end, 2026-12-01 sweep, 2026-12-01T00:00:30 sweep",
        "2026-12-02",
        None,
    );
    check("0:00 basic, 1:00 sweep", "1:00", month_end);
    check(
        "0:00 basic, 2026-12-01 sweep, 2026-12-01T00:00:30 sweep",
        "2026-12-02",
        None,
    );
    // It is never in the past, whoever looks when.
    for story in [
        "0:00 start",
        "0:00 basic, 0:00 start, 5:00 talk",
        "0:00 start, 3:00 talk, 3:00 end, 4:00 sweep",
        "0:00 reset",
    ] {
        for time in ["6:00", "10:00", "15:00", "60:00", "2026-12-01", "400d"] {
            let mut scene = Scene::new();
            scene.play(story);
            let alarm = alarm(&scene, time);
            assert!(
                alarm.is_none_or(|alarm| alarm.at > scene.when(time)),
                "{story}, then {time}: {alarm:?}"
            );
        }
    }
}

#[test]
fn alarms_alone_bring_everything_to_rest() {
    for story in [
        "0:00 start",
        "0:00 basic, 0:00 start, 5:00 talk",
        "2026-11-30T23:55:00 start, 2026-11-30T23:59:00 talk",
        "2026-11-30T23:55:00 start, 2026-11-30T23:59:59.999 reset",
        "0:00 start, 1:00 takeover, 2:00 reset",
    ] {
        let mut scene = Scene::new();
        scene.play(story);
        let mut now = scene.state.as_ref().expect("a user").instant;
        let mut fired = 0;
        // A sweep each 30 s of an hour at the most, and a few for the end of the month.
        while let Some(Alarm { at, .. }) =
            next_alarm(scene.state.as_ref().expect("a user"), now, &scene.policy)
        {
            assert!(at > now, "{story}: {at:?} after {now:?}");
            now = at;
            scene.sweep(now);
            fired += 1;
            assert!(fired < 140, "{story}");
        }
        assert!(
            scene.ledger.periods.values().all(|row| row.archived),
            "{story}"
        );
        assert!(
            scene
                .ledger
                .sessions
                .values()
                .all(|row| row.ended.is_some()),
            "{story}"
        );
        assert!(
            scene.state.as_ref().expect("a user").outbox.is_empty(),
            "{story}"
        );
        assert!(fired >= 2, "{story}");
    }
}

#[test]
fn what_a_sweep_did_not_write_stays_in_the_outbox() {
    let mut scene = Scene::new();
    scene.play("0:00 start, 1:00 end, 2:00 start");
    let state = |scene: &Scene| scene.state.clone().expect("a user");
    let rows = |scene: &Scene| state(scene).outbox.len();
    // Two sessions and the period.
    assert_eq!(rows(&scene), 3);
    let swept = |scene: &mut Scene, written_through| {
        let now = scene.when("2:10");
        scene
            .apply(&Command::Sweep { written_through }, now)
            .expect("swept");
    };
    let running = state(&scene);
    swept(&mut scene, running.revision);
    assert_eq!(
        state(&scene),
        running,
        "while a session runs, a sweep changes nothing"
    );
    scene.play("3:00 talk, 3:00 end");
    let revision = state(&scene).revision;
    assert_eq!(rows(&scene), 3);
    swept(&mut scene, 0);
    assert_eq!(rows(&scene), 3);
    swept(&mut scene, revision - 1);
    assert_eq!(rows(&scene), 2);
    swept(&mut scene, revision);
    assert_eq!(rows(&scene), 0);
}

#[test]
fn a_sweep_writes_how_the_running_session_stands_now() {
    let mut scene = Scene::new();
    scene.play("0:00 start, 1:00 end, 2:00 start");
    let state = scene.state.clone().expect("a user");
    let minutes = |at: &str| -> Vec<_> {
        let rows = rows_to_write(&state, scene.when(at), &scene.policy);
        rows.iter()
            .map(|row| match row {
                LedgerWrite::Session(row) => (row.ended.is_some(), row.minutes_used.get()),
                LedgerWrite::Period(row) => (row.archived, row.minutes_used.get()),
            })
            .collect()
    };
    // The ended session's row, the running one's, the period's.
    assert_eq!(minutes("2:10"), [(true, 1), (false, 1), (false, 2)]);
    assert_eq!(minutes("4:10"), [(true, 1), (false, 3), (false, 4)]);
    // It has fallen silent: only what the outbox has is sure.
    assert_eq!(minutes("30:00").len(), 3);
}

#[test]
fn the_end_of_the_month_comes_to_users_one_after_another() {
    let mut scene = Scene::new();
    scene.play("0:00 basic, 1:00 sweep");
    let state = scene.state.clone().expect("a user");
    let mut hours = [0_u32; 6];
    for number in 0..600 {
        let state = State {
            user: UserId::parse(&format!("user-{number}")).expect("an id"),
            ..state.clone()
        };
        let alarm = next_alarm(&state, state.instant, &scene.policy).expect("to archive");
        assert!(!alarm.urgent);
        let after = alarm.at.since(state.period.bounds.end());
        hours[usize::try_from(after.as_secs() / 3_600).expect("small")] += 1;
    }
    assert!(hours.iter().all(|users| *users > 60), "{hours:?}");
}

#[test]
fn a_period_that_only_the_look_of_a_sweep_opens_is_not_written_ahead() {
    let mut scene = Scene::at("2026-11-30T23:50:00");
    scene.play("0:00 basic, 0:00 start, 9:00 beat");
    let state = scene.state.clone().expect("a user");
    let periods = |time: &str| {
        rows_to_write(&state, scene.when(time), &scene.policy)
            .into_iter()
            .filter_map(|row| match row {
                LedgerWrite::Period(row) => Some((row.id, row.minutes_used.get())),
                LedgerWrite::Session(_) => None,
            })
            .collect::<Vec<_>>()
    };
    let november = state.period.id.clone();
    assert_eq!(periods("9:30"), [(november.clone(), 10)]);
    assert_eq!(periods("10:30"), [(november, 0)], "as the outbox has it");
}

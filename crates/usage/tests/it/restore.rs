//! A document that was lost, or put back in time, takes up what the ledger knows.

use crate::scene::{Scene, at};
use talktime_usage::{
    Command, Context, EndReason, LedgerWrite, Minutes, State, Step, WriteId, rows_to_write, take_up,
};
use talktime_usage::{LedgerFacts, PeriodFacts, is_to_be_compared};

/// What the scene's ledger would tell of the user.
fn facts(scene: &Scene) -> LedgerFacts {
    let latest = scene.ledger.periods.values();
    let latest = latest.max_by_key(|row| row.period.start());
    let versions = scene.ledger.periods.values().map(|row| row.version);
    let running = scene
        .state
        .as_ref()
        .and_then(|state| state.session.as_ref());
    let asked = running.map(|session| session.id);
    let mut sessions: Vec<_> = scene.ledger.sessions.values().cloned().collect();
    sessions.retain(|row| row.ended.is_none() || Some(row.id) == asked);
    sessions.sort_by_key(|row| std::cmp::Reverse(row.started_at));
    LedgerFacts {
        alarm_at: None,
        version: versions.max().unwrap_or(0),
        period: latest.map(|row| PeriodFacts {
            id: row.id.clone(),
            period: row.period,
            plan: row.plan.as_str().to_owned(),
            minutes_used: row.minutes_used,
            minutes_limit: row.minutes_limit,
        }),
        sessions,
    }
}

/// The sums of sessions and of periods in the ledger.
fn minutes(scene: &Scene) -> (u32, u32) {
    let ledger = &scene.ledger;
    (ledger.minutes_of_sessions(), ledger.minutes_of_periods())
}

/// The scene's document is gone, or is `older`; somebody notices at `time`.
fn noticed(scene: &mut Scene, older: Option<State>, time: &str) -> Option<State> {
    scene.state = older;
    let facts = facts(scene);
    let write = WriteId::parse("restored").expect("an id");
    let context = Context {
        user: &scene.user,
        now: scene.when(time),
        policy: &scene.policy,
        write: &write,
        repeat: None,
        written_through: None,
    };
    let Some(Step::Changed { next, writes, .. }) = take_up(scene.state.as_ref(), &facts, &context)
    else {
        return None;
    };
    assert!(!facts.is_ahead_of(&next), "once is enough");
    assert!(next.has_write(&write));
    for row in writes {
        scene.ledger.write(&row);
    }
    scene.state = Some(*next.clone());
    Some(*next)
}

#[test]
fn a_lost_document_gives_no_minutes_back() {
    let mut scene = Scene::new();
    scene.play("0:00 start, 9:30 beat, 10:00 end, 11:00 sweep");
    let next = noticed(&mut scene, None, "20:00").expect("taken up");
    assert_eq!(next.period.billed_minutes, Minutes::new(10));
    assert_eq!(minutes(&scene), (10, 10));
    scene.play("21:00 start");
    assert_eq!(scene.refused.len(), 1, "no minutes are left");
}

#[test]
fn a_lost_document_keeps_the_plan_and_the_period_that_were_paid_for() {
    let mut scene = Scene::new();
    scene.play("0:00 basic, 0:00 start, 9:00 beat, 18:00 beat, 19:30 beat, 20:00 end");
    let before = scene.state.clone().expect("a user");
    let next = noticed(&mut scene, None, "30:00").expect("taken up");
    assert_eq!(next.plan(&scene.policy).name.as_str(), "basic");
    assert_eq!(next.period.bounds, before.period.bounds);
    assert_eq!(next.period.id, before.period.id);
    assert_eq!(next.period.billed_minutes, Minutes::new(20));
    assert!(next.revision > before.revision);
}

#[test]
fn a_session_whose_document_was_lost_goes_on() {
    let mut scene = Scene::new();
    scene.play("0:00 basic, 0:00 start, 2:00 beat, 2:00 sweep");
    let next = noticed(&mut scene, None, "2:30").expect("taken up");
    assert_eq!(next.session.as_ref().map(|s| s.id), Some(scene.session));
    assert_eq!(next.minutes_used(scene.when("2:30")), Minutes::new(3));
    scene.play("2:31 beat, 4:00 beat, 5:00 end");
    assert_eq!(scene.refused, []);
    assert_eq!(minutes(&scene), (5, 5));
}

#[test]
fn an_older_document_gets_the_later_minutes_and_a_revision_that_the_ledger_listens_to() {
    let mut scene = Scene::new();
    scene.play("0:00 start, 1:30 beat, 2:00 end, 3:00 sweep");
    let backup = scene.state.clone();
    scene.play("10:00 start, 14:30 beat, 15:00 end, 16:00 start, 17:00 end, 18:00 sweep");
    let next = noticed(&mut scene, backup, "20:00").expect("taken up");
    assert_eq!(next.period.billed_minutes, Minutes::new(8));
    scene.play("20:00 start, 21:00 end, 22:00 sweep");
    assert_eq!(minutes(&scene), (9, 9));
}

#[test]
fn a_session_that_is_over_in_the_ledger_is_over_in_an_older_document() {
    let mut scene = Scene::new();
    scene.play("0:00 basic, 0:00 start, 2:00 beat");
    let backup = scene.state.clone();
    scene.play("4:30 beat, 5:00 end, 6:00 sweep");
    let next = noticed(&mut scene, backup, "7:00").expect("taken up");
    assert_eq!(next.session, None);
    assert_eq!(next.period.billed_minutes, Minutes::new(5));
    let ended = next.ended.iter().next().expect("ended");
    assert_eq!(
        (ended.id, ended.minutes, ended.reason),
        (scene.session, Minutes::new(5), EndReason::UserEnded)
    );
}

#[test]
fn an_older_document_follows_the_ledger_into_the_period_after_its_own() {
    let mut scene = Scene::at("2026-11-30T23:00:00");
    scene.play("0:00 start, 1:30 beat, 2:00 end, 3:00 sweep");
    let backup = scene.state.clone();
    scene.play("2026-12-01T10:00:00 start, 2026-12-01T10:03:30 beat, 2026-12-01T10:04:00 end, 2026-12-01T10:05:00 sweep");
    let next = noticed(&mut scene, backup, "2026-12-01T11:00:00").expect("taken up");
    assert_eq!(next.period.bounds.start(), at("2026-12-01T00:00:00Z"));
    assert_eq!(next.period.billed_minutes, Minutes::new(4));
}

#[test]
fn a_document_that_knows_all_that_the_ledger_does_is_left_alone() {
    let mut scene = Scene::new();
    scene.play("0:00 start, 2:00 end, 3:00 start, 4:00 beat, 4:10 sweep");
    let state = scene.state.clone();
    assert_eq!(noticed(&mut scene, state, "5:00"), None);
    // Nor is anything made up for somebody whom the ledger does not know.
    let mut nobody = Scene::new();
    assert_eq!(noticed(&mut nobody, None, "5:00"), None);
}

#[test]
fn rows_of_sessions_that_nobody_can_go_on_with_are_ended_where_they_were_last_heard_of() {
    let mut scene = Scene::new();
    scene.play("0:00 basic, 0:00 start, 1:00 end, 2:00 sweep");
    let backup = scene.state.clone();
    scene.play("3:00 start, 5:00 beat, 5:00 sweep");
    let orphan = scene.session;
    // In the older document another session was started meanwhile.
    let ledger = std::mem::take(&mut scene.ledger);
    scene.state = backup;
    scene.play("6:00 start");
    // Of what the ledger is told, it takes the session; the period's row has a later version.
    let started = scene.ledger.sessions[&scene.session].clone();
    scene.ledger = ledger;
    scene.ledger.write(&LedgerWrite::Session(started));
    let state = scene.state.clone();
    let next = noticed(&mut scene, state, "6:30").expect("taken up");
    assert_eq!(next.session.as_ref().map(|s| s.id), Some(scene.session));
    let row = &scene.ledger.sessions[&orphan];
    assert_eq!(
        row.ended.as_ref().map(|end| (end.reason, end.at)),
        Some((EndReason::Stale, scene.when("5:00")))
    );
    scene.play("7:00 end, 8:00 sweep");
    assert_eq!(minutes(&scene), (4, 4));
}

#[test]
fn one_heartbeat_in_five_minutes_is_compared_with_the_ledger() {
    let mut scene = Scene::new();
    scene.play("0:00 basic, 0:00 start");
    let mut compared = 0;
    for turn in 1..=60 {
        let before = scene.state.clone().expect("a user");
        let command = Command::Heartbeat {
            session: scene.session,
        };
        let now = scene.origin.plus(std::time::Duration::from_secs(30 * turn));
        scene.apply(&command, now).expect("heard");
        compared += u32::from(is_to_be_compared(
            &before,
            scene.state.as_ref().expect("a user"),
        ));
    }
    assert_eq!(compared, 6);
}

#[test]
fn an_alarm_that_is_missing_or_far_away_is_seen() {
    let mut scene = Scene::new();
    scene.play("0:00 basic, 0:00 start");
    let state = scene.state.clone().expect("a user");
    let now = scene.when("5:00");
    let lacks = |alarm_at| {
        let facts = LedgerFacts {
            alarm_at,
            ..LedgerFacts::default()
        };
        facts.lacks_alarm(&state, now, std::time::Duration::from_mins(15))
    };
    assert!(lacks(None));
    assert!(lacks(Some(scene.when("2026-12-01"))));
    assert!(!lacks(Some(scene.when("5:30"))));
    let rows = rows_to_write(&state, now, &scene.policy);
    assert!(
        matches!(rows[..], [LedgerWrite::Session(_), LedgerWrite::Period(_)]),
        "what the next sweep brings back"
    );
}

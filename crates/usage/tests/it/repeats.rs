//! Requests that come again with the same key.

use crate::scene::{MINT_LIMITS, Scene, session_id};
use talktime_usage::{
    Command, Context, EndReason, Fingerprint, Refusal, Repeat, Reply, SessionId, SessionStart,
    State, Step, WriteId, step,
};

fn keyed(
    scene: &Scene,
    state: Option<&State>,
    command: &Command,
    body: &str,
    time: &str,
) -> Result<Step, Refusal> {
    let write = WriteId::parse(&format!("write-{time}")).expect("an id");
    let repeat = Repeat {
        id: WriteId::parse("key").expect("an id"),
        fingerprint: Some(Fingerprint::parse(body).expect("an id")),
    };
    let context = Context {
        user: &scene.user,
        now: scene.when(time),
        policy: &scene.policy,
        write: &write,
        repeat: Some(&repeat),
        written_through: None,
    };
    step(state, command, &context)
}

fn start(number: u32) -> Command {
    Command::Start(SessionStart {
        session: session_id(number),
        topic: None,
        difficulty: None,
        takeover: true,
    })
}

fn end(session: SessionId) -> Command {
    Command::End {
        session,
        reason: EndReason::UserEnded,
    }
}

#[track_caller]
fn changed(step: Result<Step, Refusal>) -> (Box<State>, Reply) {
    match step {
        Ok(Step::Changed { next, reply, .. }) => (next, reply),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_kept_answer_is_given_again() {
    let scene = Scene::new();
    let (next, reply) = changed(keyed(&scene, None, &start(1), "body", "0:00"));
    for time in ["0:01", "5:00", "40d"] {
        let again = keyed(&scene, Some(&next), &start(2), "body", time);
        assert_eq!(again, Ok(Step::Unchanged(reply.clone())));
    }
}

#[test]
fn another_request_with_the_same_key_is_refused() {
    let mut scene = Scene::new();
    scene.play("0:00 start, 1:00 end, 2:00 start");
    let state = scene.state.clone().expect("a user");
    let (next, _) = changed(keyed(
        &scene,
        Some(&state),
        &end(scene.session),
        "ends-the-second",
        "3:00",
    ));
    let other = keyed(
        &scene,
        Some(&next),
        &end(session_id(1)),
        "ends-the-first",
        "4:00",
    );
    assert_eq!(other, Err(Refusal::KeyReused));
}

#[test]
fn a_heartbeat_is_answered_anew() {
    let mut scene = Scene::new();
    scene.play("0:00 start");
    let beat = Command::Heartbeat {
        session: scene.session,
    };
    let (next, _) = changed(keyed(&scene, scene.state.as_ref(), &beat, "body", "1:00"));
    scene.state = Some(*next);
    scene.play("1:10 end");
    let again = keyed(&scene, scene.state.as_ref(), &beat, "body", "1:20");
    let Ok(Step::Unchanged(Reply::Heard(heard))) = again else {
        panic!("{again:?}")
    };
    assert!(heard.ended.is_some());
}

#[test]
fn a_token_is_asked_for_anew() {
    let mut scene = Scene::new();
    scene.play("0:00 start, 1:00 mint");
    let hand_out = Command::HandOut {
        session: scene.session,
        token_until: scene.when("5:00"),
    };
    let (next, _) = changed(keyed(
        &scene,
        scene.state.as_ref(),
        &hand_out,
        "body",
        "1:01",
    ));
    let mint = Command::Mint {
        session: None,
        limits: MINT_LIMITS,
    };
    let (_, reply) = changed(keyed(&scene, Some(&next), &mint, "body", "1:10"));
    assert!(matches!(reply, Reply::Minted(minted) if minted.at == scene.when("1:10")));
    let other = keyed(&scene, Some(&next), &mint, "another", "1:20");
    assert_eq!(other, Err(Refusal::KeyReused));
}

#[test]
fn a_key_takes_one_place_however_often_it_is_carried_out() {
    let mut scene = Scene::new();
    let (next, _) = changed(keyed(&scene, None, &start(1), "body", "0:00"));
    scene.state = Some(*next);
    let mint = Command::Mint {
        session: None,
        limits: MINT_LIMITS,
    };
    for time in ["1:00", "2:10", "3:20"] {
        let (next, _) = changed(keyed(&scene, scene.state.as_ref(), &mint, "body", time));
        let keys = next
            .answers
            .iter()
            .filter(|answer| answer.write.as_str() == "key");
        assert_eq!(keys.count(), 1);
        scene.state = Some(*next);
    }
}

#[test]
fn plan_updates_push_out_no_answer_of_a_session() {
    let scene = Scene::new();
    let (mut state, first) = changed(keyed(&scene, None, &start(1), "start", "0:00"));
    for number in 0..20 {
        let write = WriteId::parse(&format!("update-{number}")).expect("an id");
        let repeat = Repeat {
            id: write.clone(),
            fingerprint: None,
        };
        let context = Context {
            user: &scene.user,
            now: scene.when("0:30"),
            policy: &scene.policy,
            write: &write,
            repeat: Some(&repeat),
            written_through: None,
        };
        let update = scene.change("manual", Some("pro"), None, false, None);
        let step = step(Some(&state), &update, &context);
        state = changed(step).0;
    }
    assert_eq!(state.answers.len(), 1 + 8, "they have places of their own");
    let again = keyed(&scene, Some(&state), &start(2), "start", "0:40");
    let Ok(Step::Unchanged(reply)) = again else {
        panic!("{again:?}");
    };
    assert_eq!(reply, first);
}

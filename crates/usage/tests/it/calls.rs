//! Calls at a voice provider: what is billed of them, and when they are to be hung up.

use talktime_usage::{
    Call, CallId, CallProvider, Command, Refusal, Reply, Seconds, next_look_at_calls,
};

use crate::scene::Scene;
use crate::scene::play::{check, check_with};

#[test]
fn the_first_billed_second_is_the_providers_answer() {
    // A minute of looking for the microphone, and 61 seconds of talk.
    check(
        "0:00 dial, 1:00 call, 1:30 beat, 2:01 end",
        &["user_ended 1:01 2"],
    );
    // A heartbeat is no talk: while the provider is asked nothing is billed.
    check(
        "0:00 dial, 0:30 beat, 1:00 beat, 1:40 call, 2:00 end",
        &["user_ended 0:20 1"],
    );
    // A token can be talked with as well.
    check("0:00 dial, 1:00 token, 1:30 end", &["user_ended 0:30 1"]);
    // Without the word of its client a session is billed from its start.
    check("0:00 start, 1:00 call, 1:30 end", &["user_ended 1:30 2"]);
}

#[test]
fn what_is_talked_while_the_store_writes_is_billed() {
    let mut scene = Scene::new();
    scene.play("0:00 dial");
    let offered = scene.offer_at("0:08").expect("offered").at;
    let id = CallId::parse("call-1").expect("an id");
    // The provider has answered at 0:10, which is written down two seconds later.
    let call = Call::new(CallProvider::OpenAi, id, scene.session, scene.when("0:10"));
    let open = Command::OpenCall { call, offered };
    let opened = scene.apply(&open, scene.when("0:12"));
    assert!(matches!(opened, Ok(Reply::Opened(Ok(_)))), "{opened:?}");
    scene.play("1:11 end");
    assert_eq!(scene.ledger.sessions_told(), ["user_ended 1:01 2"]);
}

#[test]
fn a_call_that_never_came_about_costs_nothing() {
    check("0:00 dial, 0:20 fail", &["error 0:20 0"]);
    check("0:00 dial, 0:20 end", &["user_ended 0:20 0"]);
    check(
        "0:00 dial, 0:05 redial, 0:10 end",
        &["user_ended 0:05 0", "user_ended 0:05 0"],
    );
    // The page was closed.
    check("0:00 dial, 30:00 look", &["error 2:00 0"]);
    check("0:00 dial, 1:59 beat, 30:00 look", &["error 2:00 0"]);
    // Not even in the next period.
    let mut scene = Scene::at("2026-11-30T23:59:00");
    scene.play("0:00 dial, 1:30 call, 2:00 end, 3:00 sweep");
    assert_eq!(scene.ledger.sessions_told(), ["user_ended 0:30 1"]);
    assert_eq!(scene.status_at("3:00").minutes_used.get(), 1);
}

#[test]
fn sessions_without_a_call_are_no_way_to_make_rows_without_end() {
    let mut scene = Scene::new();
    for _ in 0..100 {
        scene.play("0:00 dial, 0:00 end");
    }
    assert_eq!(scene.status_at("0:00").minutes_used.get(), 0);
    scene.play("0:00 dial, 0:30 end");
    assert_eq!(scene.status_at("0:30").minutes_used.get(), 1);
}

#[test]
fn an_open_call_is_billed_until_it_is_hung_up() {
    // Silence of three intervals: the provider talked on until then.
    check("0:00 dial, 0:10 call, 30:00 look", &["stale 1:30 2"]);
    check(
        "0:00 dial, 0:10 call, 1:00 beat, 30:00 look",
        &["stale 2:20 3"],
    );
    // Without heartbeats, but not that silent, nothing is counted back.
    check("0:00 dial, 0:10 call, 1:30 end", &["user_ended 1:20 2"]);
    check(
        "0:00 dial, 0:00 call, 10:00 talk, 30:00 look",
        &["limit_reached 10:00 10"],
    );
    check_with(
        "0:00 dial, 0:00 call, 5:00 talk, 30:00 look",
        |policy| policy.session_max = Some(std::time::Duration::from_mins(4)),
        &["timeout 4:00 4"],
    );
}

#[test]
fn what_was_given_is_billed_although_it_is_hung_up() {
    // For a silence, before anybody else has noticed that the session is over.
    check(
        "0:00 dial, 0:10 call, 1:40 hangup, 30:00 look",
        &["stale 1:30 2"],
    );
    check(
        "0:00 dial, 0:10 call, 1:41 hangup, 1:45 beat, 30:00 look",
        &["stale 1:30 2"],
    );
    // For another call, which the provider then did not give: who asked for it was there.
    let close_at = |time: &str| {
        let mut scene = Scene::new();
        scene.play("0:00 dial, 0:10 call");
        let close = Command::CloseCall(CallId::parse("call-1").expect("an id"));
        let closed = scene.apply(&close, scene.when(time));
        assert_eq!(closed, Ok(Reply::Closed));
        scene.play("30:00 sweep");
        scene.ledger.sessions_told()
    };
    assert_eq!(close_at("1:20"), ["stale 1:40 2"]);
    assert_eq!(close_at("0:20"), ["stale 0:40 1"]);
}

#[test]
fn whatever_ends_a_session_ends_its_call() {
    let check = |story: &str, last: &str, calls: &[&str]| {
        let mut scene = Scene::new();
        scene.play(story);
        assert_eq!(scene.refused, [], "{story}");
        assert_eq!(scene.to_hang_up_at(last), calls, "{story}");
        let state = scene.state.as_ref().expect("a user");
        let look = next_look_at_calls(state, scene.when(last), &scene.policy);
        assert_eq!(look == Some(scene.when(last)), !calls.is_empty(), "{story}");
        scene.hang_up_at(last);
        assert_eq!(scene.to_hang_up_at(last), Vec::<String>::new(), "{story}");
    };
    check("0:00 dial, 0:10 call", "1:00", &[]);
    check("0:00 dial, 0:10 call, 0:30 end", "0:30", &["call-1"]);
    check("0:00 dial, 0:10 call, 0:30 fail", "0:30", &["call-1"]);
    check("0:00 dial, 0:10 call, 0:30 redial", "0:30", &["call-1"]);
    check(
        "0:00 dial, 0:10 call, 0:30 redial, 0:40 call",
        "0:40",
        &["call-1"],
    );
    // A second call of a session replaces the first.
    check("0:00 dial, 0:10 call, 0:20 call", "0:30", &["call-1"]);
    check(
        "0:00 dial, 0:10 call, 0:20 call, 0:30 end",
        "0:30",
        &["call-1", "call-2"],
    );
    // Nobody has looked: the limit, and silence.
    check("0:00 dial, 0:00 call, 9:59 talk", "9:59.999", &[]);
    check("0:00 dial, 0:00 call, 9:59 talk", "10:00", &["call-1"]);
    check("0:00 dial, 0:10 call", "1:39.999", &[]);
    check("0:00 dial, 0:10 call", "1:40", &["call-1"]);
    // Another plan: its limit, or none that is left.
    check("0:00 pro, 0:00 dial, 0:00 call, 15:00 talk", "15:00", &[]);
    check(
        "0:00 pro, 0:00 dial, 0:00 call, 15:00 talk, 15:00 free",
        "15:00",
        &["call-1"],
    );
}

#[test]
fn somebody_looks_when_the_session_ends_by_itself() {
    let check = |story: &str, now: &str, expected: &str| {
        let mut scene = Scene::new();
        scene.play(story);
        let state = scene.state.as_ref().expect("a user");
        let look = next_look_at_calls(state, scene.when(now), &scene.policy);
        assert_eq!(look, Some(scene.when(expected)), "{story}");
    };
    check("0:00 dial, 0:10 call", "0:10", "1:40");
    check("0:00 dial, 0:10 call, 0:40 beat", "0:50", "2:10");
    check("0:00 dial, 0:10 call, 10:00 talk", "10:00", "10:10");
    let mut scene = Scene::new();
    scene.play("0:00 start, 0:10 end");
    let state = scene.state.as_ref().expect("a user");
    assert_eq!(
        next_look_at_calls(state, scene.when("1:00"), &scene.policy),
        None
    );
}

#[test]
fn a_call_of_a_session_that_is_over_is_refused() {
    let mut scene = Scene::new();
    scene.play("0:00 dial, 0:30 end");
    assert_eq!(scene.call_at("0:31"), Err(Refusal::NoActiveSession));
    let before = scene.session;
    scene.play("1:00 dial");
    let after = std::mem::replace(&mut scene.session, before);
    assert_eq!(scene.call_at("1:10"), Err(Refusal::NoActiveSession));
    scene.session = after;
    // Nobody waits that long for a call.
    assert_eq!(scene.call_at("3:01"), Err(Refusal::NoActiveSession));
    // One that is answered too late is kept until it is hung up.
    scene.play("4:00 dial");
    let offered = scene.offer_at("4:01").expect("offered").at;
    scene.play("4:02 end");
    assert_eq!(
        scene.answer_at("4:03", offered),
        Err(Refusal::NoActiveSession)
    );
    assert_eq!(scene.to_hang_up_at("4:03"), ["call-1"]);
}

#[test]
fn what_cannot_be_hung_up_is_kept_and_bounded() {
    let mut scene = Scene::new().on("pro");
    scene.play("0:00 dial");
    for minute in 0..8 {
        scene.call_at(&format!("{minute}:10")).expect("opened");
    }
    let refused = scene
        .call_at("8:10")
        .expect_err("too many that nobody hangs up");
    assert!(
        matches!(refused, Refusal::TooManyMints { .. }),
        "{refused:?}"
    );
    assert_eq!(scene.to_hang_up_at("8:11").len(), 7);
    scene.play("8:20 end, 8:30 hangup");
    let state = scene.state.as_ref().expect("a user");
    assert!(state.calls.is_empty());
}

#[test]
fn one_call_of_a_user_is_offered_at_a_time() {
    let mut scene = Scene::new();
    scene.play("0:00 dial");
    let first = scene.offer_at("0:10").expect("offered").at;
    let pending = |seconds| Refusal::CallPending {
        retry_after: Seconds::rounded_up(std::time::Duration::from_secs(seconds)),
    };
    assert_eq!(scene.offer_at("0:11"), Err(pending(29)));
    // Not even by another session: the first call may be answered yet.
    let before = scene.session;
    scene.play("0:12 redial");
    assert_eq!(scene.offer_at("0:20"), Err(pending(20)));
    let after = std::mem::replace(&mut scene.session, before);
    assert_eq!(
        scene.answer_at("0:21", first),
        Err(Refusal::NoActiveSession)
    );
    scene.session = after;
    // It has come to nothing, and its sender says so.
    let failed = Command::MintFailed { mint: first };
    assert_eq!(
        scene.apply(&failed, scene.when("0:22")),
        Ok(Reply::GivenBack)
    );
    let second = scene.offer_at("0:22").expect("offered").at;
    scene.answer_at("0:23", second).expect("opened");
    // Its sender has died, and comes back when nobody believes in it any more.
    let lost = scene.offer_at("0:30").expect("offered").at;
    assert_eq!(scene.offer_at("0:59.999"), Err(pending(1)));
    let next = scene.offer_at("1:00").expect("offered").at;
    assert_eq!(scene.answer_at("1:01", lost), Err(Refusal::NoActiveSession));
    assert!(scene.to_hang_up_at("1:01").contains(&"call-3".to_owned()));
    scene.answer_at("1:01", next).expect("opened");
}

#[test]
fn a_call_that_is_being_taken_is_hung_up_unless_it_is_opened() {
    let open = |scene: &mut Scene, time: &str, offered| {
        let id = CallId::parse("rtc-1").expect("an id");
        let call = Call::new(CallProvider::OpenAi, id, scene.session, scene.when(time));
        scene.apply(&Command::OpenCall { call, offered }, scene.when(time))
    };
    let look = |scene: &Scene, time: &str| {
        let state = scene.state.as_ref().expect("a user");
        next_look_at_calls(state, scene.when(time), &scene.policy)
    };
    // Whoever takes it dies.
    let mut scene = Scene::new();
    scene.play("0:00 dial");
    scene.take_at("0:10", "rtc-1").expect("offered");
    assert_eq!(scene.to_hang_up_at("0:39.999"), Vec::<String>::new());
    assert_eq!(look(&scene, "0:11"), Some(scene.when("0:40")));
    assert_eq!(scene.to_hang_up_at("0:40"), ["rtc-1"]);
    scene.play("0:50 sweep");
    assert_eq!(scene.status_at("0:50").minutes_used.get(), 0);

    // It is taken, and billed from then on.
    let mut scene = Scene::new();
    scene.play("0:00 dial");
    let offered = scene.take_at("0:10", "rtc-1").expect("offered").at;
    assert!(matches!(
        open(&mut scene, "0:12", offered),
        Ok(Reply::Opened(Ok(_)))
    ));
    assert_eq!(scene.to_hang_up_at("0:50"), Vec::<String>::new());
    scene.play("1:12 end");
    assert_eq!(scene.to_hang_up_at("1:12"), ["rtc-1"]);
    assert_eq!(scene.ledger.sessions_told(), ["user_ended 1:00 1"]);

    // The session ends, or nobody is there to take it: it is hung up at once.
    let mut scene = Scene::new();
    scene.play("0:00 dial");
    let offered = scene.take_at("0:10", "rtc-1").expect("offered").at;
    scene.play("0:11 end");
    assert!(matches!(
        open(&mut scene, "0:12", offered),
        Ok(Reply::Opened(Err(_)))
    ));
    assert_eq!(scene.to_hang_up_at("0:12"), ["rtc-1"]);
    let mut scene = Scene::new();
    scene.play("0:00 dial");
    let offered = scene.take_at("0:10", "rtc-1").expect("offered").at;
    let failed = Command::MintFailed { mint: offered };
    assert_eq!(
        scene.apply(&failed, scene.when("0:12")),
        Ok(Reply::GivenBack)
    );
    assert_eq!(scene.to_hang_up_at("0:12"), ["rtc-1"]);
    assert_eq!(look(&scene, "0:12"), Some(scene.when("0:12")));
}

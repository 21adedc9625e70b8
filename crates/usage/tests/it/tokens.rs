//! Realtime tokens: who may ask for one, what counts, and who gets it.

use std::time::Duration;

use crate::scene::{MINT_LIMITS, Scene};
use talktime_usage::{Refusal, Seconds};

fn too_many(seconds: u64) -> Refusal {
    Refusal::TooManyMints {
        retry_after: Seconds::rounded_up(Duration::from_secs(seconds)),
    }
}

#[test]
fn tokens_are_minted_only_while_a_session_runs() {
    let mut scene = Scene::new();
    assert_eq!(scene.mint_at("0:00"), Err(Refusal::NoActiveSession));
    scene.start();
    let minted = scene.mint_at("1:00").expect("minted");
    assert_eq!(minted.until, scene.when("10:00"));
    assert_eq!(minted.seconds_remaining.get(), 540);
    scene.play("9:30 talk");
    assert_eq!(scene.mint_at("10:00"), Err(Refusal::NoCredits));
    // It neither ends nor bills.
    assert_eq!(scene.ledger.sessions_told(), ["running"]);
    let mut scene = Scene::new().on("basic");
    scene.start();
    assert_eq!(scene.mint_at("10:00"), Err(Refusal::NoActiveSession));
}

#[test]
fn the_bound_is_the_users_whatever_session_they_are_for() {
    let mut scene = Scene::new().on("pro");
    scene.play("0:00 start, 0:10 token, 0:20 token, 0:25 takeover, 0:30 token");
    assert_eq!(scene.refused, []);
    assert_eq!(scene.mint_at("0:40"), Err(too_many(30)));
    scene.play("0:41 takeover");
    assert_eq!(scene.mint_at("0:42"), Err(too_many(28)));
    assert!(scene.mint_at("1:10").is_ok());
}

#[test]
fn what_the_provider_did_not_give_locks_nobody_out() {
    let mut scene = Scene::new().on("pro");
    scene.play("0:00 start");
    for second in 1..=MINT_LIMITS.tries_per_minute_max {
        assert_eq!(scene.failed_mint_at(&format!("0:{second:02}")), Ok(()));
    }
    // But it is not asked without end either.
    assert_eq!(scene.mint_at("0:21"), Err(too_many(40)));
    assert!(scene.token_at("1:01").is_ok());
}

#[test]
fn a_session_that_is_over_when_the_provider_answers_gets_no_token() {
    let until = |scene: &Scene| scene.when("5:00");
    let mut scene = Scene::new().on("pro");
    scene.play("0:00 start, 1:00 mint, 1:01 end");
    assert_eq!(
        scene.hand_out_at("1:03", until(&scene)),
        Err(Refusal::NoActiveSession)
    );
    let mut scene = Scene::new().on("pro");
    scene.play("0:00 start, 1:00 mint");
    let first = scene.session;
    scene.play("1:01 takeover");
    scene.session = first;
    assert_eq!(
        scene.hand_out_at("1:03", until(&scene)),
        Err(Refusal::NoActiveSession)
    );
    let mut scene = Scene::new();
    scene.play("0:00 start, 9:50 talk, 9:59 mint");
    assert_eq!(
        scene.hand_out_at("10:01", until(&scene)),
        Err(Refusal::NoCredits)
    );
    // Who gets one is told what is left then.
    let mut scene = Scene::new();
    scene.play("0:00 start, 1:00 mint");
    let handed = scene.hand_out_at("1:03", until(&scene)).expect("running");
    assert_eq!(handed.seconds_remaining.get(), 537);
    assert_eq!(handed.until, scene.when("10:00"));
}

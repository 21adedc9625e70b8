//! What happens to the session while the provider takes its time.

use std::time::Duration;

use serde_json::{Value, json};
use talktime_tests::provider_stand_in::{Behaviour, ProviderStandIn};
use talktime_tests::{Answer, Bench};

use super::accounts::{USER, assert_nothing_leaks, bench, mint};

/// Asks for a token; once the provider has been asked, three seconds pass, `meanwhile` happens, and the provider answers.
async fn mint_while(
    bench: &Bench,
    provider: &ProviderStandIn,
    body: Value,
    meanwhile: impl AsyncFnOnce(),
) -> Answer {
    provider.behave(Behaviour::Held);
    let asked = provider.requests().len() + 1;
    let other = async {
        provider.asked(asked).await;
        bench.advance(Duration::from_secs(3));
        meanwhile().await;
        provider.release();
    };
    let (answer, ()) = tokio::join!(mint(bench, USER, body), other);
    provider.behave(Behaviour::Ok);
    assert_nothing_leaks(bench, &answer);
    answer
}

/// A refusal has no token in it, in whatever member.
#[track_caller]
fn assert_no_token(answer: &Answer, code: &str) {
    let _ = answer.refused(403, code);
    for token in ["ek_", "auth_tokens/"] {
        assert!(!answer.body.contains(token), "{}", answer.body);
    }
}

#[tokio::test]
async fn a_slow_provider_still_gives_a_token() {
    let (bench, provider) = bench().await;
    bench.start(USER).await;
    let answer = mint_while(&bench, &provider, json!({}), async || {}).await;
    assert_eq!(answer.ok()["secondsRemaining"], 597);
}

#[tokio::test]
async fn a_session_that_ends_gets_no_token() {
    for name in ["openai", "gemini"] {
        let (bench, provider) = bench().await;
        bench.plan(USER, "pro", "upgrade").await;
        let session = bench.start(USER).await;
        let body = json!({"provider": name});
        let answer = mint_while(&bench, &provider, body, async || {
            let ended = bench.end(USER, &session).await.ok();
            assert_eq!(ended["endReason"], "user_ended");
        })
        .await;
        assert_no_token(&answer, "no_active_session");

        // What was not handed out does not count: all of a minute's tokens are still there.
        bench.start(USER).await;
        for _ in 0..6 {
            let _ = mint(&bench, USER, json!({})).await.ok();
        }
    }
}

#[tokio::test]
async fn a_session_that_is_taken_over_gets_no_token() {
    let (bench, provider) = bench().await;
    let first = bench.start(USER).await;
    // Also where the page does not say which session it means: it is the one that ran when it asked.
    for told in [Some(first), None] {
        let body = json!({"sessionId": told});
        let answer = mint_while(&bench, &provider, body, async || {
            let takeover = json!({"takeover": true});
            let _ = bench.post(USER, "/api/session/start", takeover).await.ok();
        })
        .await;
        assert_no_token(&answer, "no_active_session");
    }
    // The new one gets its own.
    let _ = mint(&bench, USER, json!({})).await.ok();
}

#[tokio::test]
async fn a_session_whose_minutes_are_taken_away_gets_no_token() {
    let (bench, provider) = bench().await;
    bench.plan(USER, "basic", "upgrade").await;
    let session = bench.start(USER).await;
    bench.talk(USER, &session, 1_200).await;
    let answer = mint_while(&bench, &provider, json!({}), async || {
        bench.plan(USER, "free", "cancel").await;
    })
    .await;
    assert_no_token(&answer, "no_credits");
}

/// The token was asked for with ten minutes before it, and five are left.
#[tokio::test]
async fn a_token_that_would_outlive_what_is_left_now_is_dropped() {
    let (bench, provider) = bench().await;
    bench.plan(USER, "basic", "upgrade").await;
    let session = bench.start(USER).await;
    bench.talk(USER, &session, 300).await;
    let body = json!({"provider": "gemini"});
    let answer = mint_while(&bench, &provider, body.clone(), async || {
        bench.plan(USER, "free", "cancel").await;
    })
    .await;
    let _ = answer.refused(503, "busy");
    assert!(!answer.body.contains("auth_tokens/"), "{}", answer.body);
    let _ = mint(&bench, USER, body).await.ok();
    assert_eq!(
        provider.requests()[1].body["expireTime"],
        "2026-11-10T12:10:00Z"
    );
}

#[tokio::test]
async fn a_session_whose_time_is_up_by_then_gets_no_token() {
    let (bench, provider) = bench().await;
    let session = bench.start(USER).await;
    bench.talk(USER, &session, 588).await;
    let answer = mint_while(&bench, &provider, json!({}), async || {}).await;
    // Ten seconds of life were asked for, and nine are left of the user's time.
    assert_eq!(answer.refused(403, "session_ending")["secondsRemaining"], 9);

    // Four seconds are left, and the provider takes five.
    bench.seconds(5);
    let answer = mint_while(
        &bench,
        &provider,
        json!({"provider": "gemini"}),
        async || {
            bench.seconds(2);
        },
    )
    .await;
    assert_no_token(&answer, "no_credits");
}

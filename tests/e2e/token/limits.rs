//! How many tokens a user gets in a minute, and how often the provider is asked for one.

use serde_json::json;
use talktime_tests::Answer;
use talktime_tests::provider_stand_in::Behaviour;

use super::accounts::{USER, bench, mint};

/// What `limits.rs` of the component allows.
const TOKENS_PER_MINUTE: usize = 6;
const TRIES_PER_MINUTE: usize = 20;

#[tokio::test]
async fn six_tokens_a_minute_are_enough() {
    let (bench, provider) = bench().await;
    bench.start(USER).await;
    for _ in 0..2 {
        let _ = mint(&bench, USER, json!({})).await.ok();
    }
    bench.seconds(20);

    // Many at once are no way around it.
    let ten = futures_of(10, || mint(&bench, USER, json!({}))).await;
    let ok = ten.iter().filter(|answer| answer.status == 200).count();
    let refused: Vec<_> = ten.iter().filter(|answer| answer.status == 429).collect();
    // Under contention some may be told to come again (503), which costs no mint.
    assert!(ok <= 4, "{ten:?}");
    for answer in refused {
        let _ = answer.refused(429, "rate_limited");
        assert_eq!(answer.header("retry-after"), Some("40"));
    }
    for _ in ok..4 {
        let _ = mint(&bench, USER, json!({})).await.ok();
    }
    let _ = mint(&bench, USER, json!({}))
        .await
        .refused(429, "rate_limited");
    assert_eq!(provider.requests().len(), 6);

    bench.seconds(40);
    let _ = mint(&bench, USER, json!({})).await.ok();
    // Another user has a limit of their own.
    bench.start("bert").await;
    let _ = mint(&bench, "bert", json!({})).await.ok();
}

#[tokio::test]
async fn another_session_brings_no_new_tokens() {
    let (bench, provider) = bench().await;
    bench.plan(USER, "pro", "upgrade").await;
    bench.start(USER).await;
    let mut given = 0;
    for _ in 0..5 {
        for _ in 0..3 {
            given += usize::from(mint(&bench, USER, json!({})).await.status == 200);
        }
        let takeover = json!({"takeover": true});
        let _ = bench.post(USER, "/api/session/start", takeover).await.ok();
    }
    assert_eq!(given, TOKENS_PER_MINUTE);
    let running = bench.status(USER).await["activeSession"]["sessionId"].clone();
    let running = running.as_str().expect("a session").to_owned();
    let _ = bench.end(USER, &running).await.ok();
    bench.start(USER).await;
    let _ = mint(&bench, USER, json!({}))
        .await
        .refused(429, "rate_limited");
    assert_eq!(provider.requests().len(), TOKENS_PER_MINUTE);
}

#[tokio::test]
async fn what_the_provider_failed_to_give_is_no_token() {
    let (bench, provider) = bench().await;
    bench.start(USER).await;
    provider.behave(Behaviour::Status(500));
    for _ in 0..10 {
        let _ = mint(&bench, USER, json!({}))
            .await
            .refused(502, "provider_error");
    }
    provider.behave(Behaviour::Ok);
    for _ in 0..TOKENS_PER_MINUTE {
        let _ = mint(&bench, USER, json!({})).await.ok();
    }
    let _ = mint(&bench, USER, json!({}))
        .await
        .refused(429, "rate_limited");
}

#[tokio::test]
async fn a_provider_that_is_down_is_not_asked_without_end() {
    let (bench, provider) = bench().await;
    bench.start(USER).await;
    provider.behave(Behaviour::Status(500));
    for _ in 0..TRIES_PER_MINUTE {
        let _ = mint(&bench, USER, json!({}))
            .await
            .refused(502, "provider_error");
    }
    bench.seconds(15);
    provider.behave(Behaviour::Ok);
    let answer = mint(&bench, USER, json!({})).await;
    let _ = answer.refused(429, "rate_limited");
    assert_eq!(answer.header("retry-after"), Some("45"));
    assert_eq!(provider.requests().len(), TRIES_PER_MINUTE);
    bench.seconds(45);
    let _ = mint(&bench, USER, json!({})).await.ok();
}

/// What is left is too short for a token of `OpenAI`'s; that is no reason to refuse one of Google's.
#[tokio::test]
async fn what_was_too_late_is_no_token() {
    let (bench, provider) = bench().await;
    let session = bench.start(USER).await;
    bench.talk(USER, &session, 592).await;
    for _ in 0..=TOKENS_PER_MINUTE {
        let _ = mint(&bench, USER, json!({"provider": "openai"}))
            .await
            .refused(403, "session_ending");
    }
    assert_eq!(provider.requests().len(), 0);
    let _ = mint(&bench, USER, json!({"provider": "gemini"})).await.ok();
}

async fn futures_of<F: Future<Output = Answer>>(count: usize, make: impl Fn() -> F) -> Vec<Answer> {
    use std::pin::Pin;
    use std::task::Poll;

    let mut running: Vec<Pin<Box<F>>> = (0..count).map(|_| Box::pin(make())).collect();
    let mut answers = Vec::new();
    std::future::poll_fn(|context| {
        running.retain_mut(|future| match future.as_mut().poll(context) {
            Poll::Ready(answer) => {
                answers.push(answer);
                false
            }
            Poll::Pending => true,
        });
        if running.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    answers
}

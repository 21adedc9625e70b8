//! Requests that come again, and tabs that ask beside each other.

use serde_json::{Value, json};
use talktime_tests::bench::{keyed, request};
use talktime_tests::provider_stand_in::Behaviour;
use talktime_tests::{Answer, Bench};

use super::accounts::{TOKEN, USER, bench, mint};

#[tokio::test]
async fn two_tabs_cannot_mint_for_two_sessions() {
    let (bench, provider) = bench().await;
    let first = bench.start(USER).await;
    let _ = mint(&bench, USER, json!({"sessionId": first})).await.ok();
    let takeover = json!({"takeover": true});
    let second = bench.post(USER, "/api/session/start", takeover).await.ok();

    let _ = mint(&bench, USER, json!({"sessionId": first}))
        .await
        .refused(403, "no_active_session");
    let _ = mint(&bench, USER, json!({"sessionId": second["sessionId"]}))
        .await
        .ok();
    assert_eq!(provider.requests().len(), 2);
}

async fn mint_with_key(bench: &Bench, key: &str, body: Value) -> Answer {
    let request = request("POST", TOKEN, Some(USER), Some(&body));
    bench.send(keyed(request, key)).await
}

/// A token is kept nowhere, so a retry cannot get the first one again.
#[tokio::test]
async fn a_retry_with_the_same_key_gets_a_token_of_its_own() {
    let (bench, provider) = bench().await;
    let session = bench.start(USER).await;
    let _ = mint_with_key(&bench, "k1", json!({})).await.ok();
    bench.seconds(5);
    let again = mint_with_key(&bench, "k1", json!({})).await.ok();
    assert_eq!(again["secondsRemaining"], 595);
    assert_eq!(again["expiresAt"], "2026-11-10T12:01:05Z");
    assert_eq!(provider.requests().len(), 2);

    let _ = bench.end(USER, &session).await;
    let _ = mint_with_key(&bench, "k1", json!({}))
        .await
        .refused(403, "no_active_session");
    assert_eq!(provider.requests().len(), 2);
}

#[tokio::test]
async fn retries_count_among_the_tokens_of_a_minute() {
    let (bench, _provider) = bench().await;
    bench.start(USER).await;
    for _ in 0..6 {
        let _ = mint_with_key(&bench, "k1", json!({})).await.ok();
    }
    let _ = mint_with_key(&bench, "k1", json!({}))
        .await
        .refused(429, "rate_limited");
}

#[tokio::test]
async fn a_key_that_came_with_another_body_is_refused() {
    let (bench, provider) = bench().await;
    bench.start(USER).await;
    let _ = mint_with_key(&bench, "k1", json!({"voice": "marin"}))
        .await
        .ok();
    let _ = mint_with_key(&bench, "k1", json!({"voice": "cedar"}))
        .await
        .refused(422, "idempotency_key_reused");
    assert_eq!(provider.requests().len(), 1);
    // Another key, and the first request once more.
    let _ = mint_with_key(&bench, "k2", json!({"voice": "cedar"}))
        .await
        .ok();
    let _ = mint_with_key(&bench, "k1", json!({"voice": "marin"}))
        .await
        .ok();
}

#[tokio::test]
async fn a_retry_after_the_providers_failure_gets_a_token() {
    let (bench, provider) = bench().await;
    bench.start(USER).await;
    provider.behave(Behaviour::Status(500));
    let _ = mint_with_key(&bench, "k1", json!({}))
        .await
        .refused(502, "provider_error");
    provider.behave(Behaviour::Ok);
    let _ = mint_with_key(&bench, "k1", json!({})).await.ok();
}

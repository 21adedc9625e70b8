//! Offers: what a browser gets for one, and what it costs.

use std::time::Duration;

use serde_json::{Value, json};
use talktime_tests::provider_stand_in::{CallFault, CallRequest, OFFER};

use super::accounts::{CALL, USER, bench, hang_ups, offer, offer_while, offer_with, start};

#[tokio::test]
async fn an_offer_is_answered_by_the_provider() {
    let (bench, provider) = bench().await;
    for (name, model) in [
        ("openai", "gpt-realtime-2.1"),
        ("openai-live", "gpt-live-1"),
    ] {
        let session = start(&bench, name).await;
        let more = json!({"provider": name, "model": model, "voice": "marin"});
        let answer = offer_with(&bench, name, &session, more).await.ok();
        let books = provider.calls();
        let call = books.all().last().expect("a call");
        assert_eq!(call.model, model);
        assert!(call.user.as_ref().is_some_and(|user| !user.contains(name)));
        assert_eq!(
            (&answer["provider"], &answer["model"], &answer["callId"]),
            (&json!(name), &json!(model), &json!(call.id))
        );
        assert!(
            answer["sdp"]
                .as_str()
                .is_some_and(|sdp| sdp.contains(&call.id))
        );
        assert_eq!(
            (&answer["minutesRemaining"], &answer["secondsRemaining"]),
            (&json!(10), &json!(600))
        );
        assert!(answer["heartbeatIntervalSeconds"].is_u64());
    }
    assert_eq!(provider.calls().users().len(), 2);
}

#[tokio::test]
async fn nothing_is_billed_before_the_provider_answers() {
    let (bench, provider) = bench().await;
    let session = start(&bench, USER).await;
    bench.seconds(15);
    let answer = offer_while(&bench, &provider, &session, async || {}).await;
    assert_eq!(answer.ok()["secondsRemaining"], 600);
    bench.seconds(60);
    let ended = bench.end(USER, &session).await.ok();
    assert_eq!(ended["sessionMinutes"], 1);
}

#[tokio::test]
async fn a_call_that_did_not_come_about_costs_nothing() {
    let (bench, provider) = bench().await;
    for (number, fault) in [
        CallFault::Status(400),
        CallFault::Status(401),
        CallFault::Status(500),
        CallFault::RetryAfter(429, "3"),
        CallFault::Redirect,
        CallFault::Cut,
        CallFault::DoneThenCut,
        CallFault::DoneThenStatus(500),
        CallFault::NoLocation,
        CallFault::NotSdp,
        CallFault::TooLong,
    ]
    .into_iter()
    .enumerate()
    {
        let user = format!("user-{number}");
        let session = start(&bench, &user).await;
        provider.spoil(CallRequest::Offer, 1, fault);
        let answer = offer(&bench, &user, &session).await;
        let is_failure = matches!(answer.status.as_u16(), 502 | 503);
        assert!(is_failure, "{fault:?}: {}", answer.body);
        bench.seconds(20);
        let ended = bench.end(&user, &session).await.ok();
        assert_eq!(ended["sessionMinutes"], 0, "{fault:?}");
    }
    bench.advance(Duration::from_mins(1));
    assert_eq!(hang_ups(&bench).await["open"], 0);
    let books = provider.calls();
    assert!(
        books.all().iter().all(|call| call.closed.is_some()),
        "{books:?}"
    );
}

#[tokio::test]
async fn what_is_no_offer_does_not_reach_the_provider() {
    let (bench, provider) = bench().await;
    let session = start(&bench, USER).await;
    let long = format!("{OFFER}{}", "a=x\r\n".repeat(4_000));
    for sdp in [
        json!(""),
        json!("o=-\r\n"),
        json!(long),
        json!(1),
        Value::Null,
    ] {
        let body = json!({"sessionId": session, "sdp": sdp});
        let answer = bench.post(USER, CALL, body).await;
        assert_eq!(answer.status, 400, "{}", answer.body);
    }
    assert!(provider.requests().is_empty());
}

#[tokio::test]
async fn without_a_session_or_credit_there_is_no_call() {
    let (bench, provider) = bench().await;
    let nobodys = "00000000-0000-4000-8000-000000000000";
    let answer = offer(&bench, USER, nobodys).await;
    let _ = answer.refused(403, "no_active_session");
    assert!(provider.requests().is_empty());

    let session = start(&bench, USER).await;
    let _ = offer(&bench, USER, &session).await.ok();
    bench.talk(USER, &session, 600).await;
    let refused = bench.try_start(USER).await;
    let _ = refused.refused(403, "no_credits");
}

#[tokio::test]
async fn one_offer_of_a_user_is_answered_at_a_time() {
    let (bench, provider) = bench().await;
    let session = start(&bench, USER).await;
    let answer = offer_while(&bench, &provider, &session, async || {
        let second = offer(&bench, USER, &session).await;
        assert_eq!(second.status, 429, "{}", second.body);
    })
    .await;
    let _ = answer.ok();
    assert_eq!(provider.calls().all().len(), 1);
}

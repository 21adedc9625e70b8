//! Whatever ends a session hangs up its call.

use serde_json::json;
use talktime_tests::provider_stand_in::{CallFault, CallRequest};

use super::accounts::{USER, assert_hung_up, bench, hang_ups, offer, offer_while, start};

#[tokio::test]
async fn the_user_who_ends_hangs_up() {
    let (bench, provider) = bench().await;
    let session = start(&bench, USER).await;
    let _ = offer(&bench, USER, &session).await.ok();
    bench.seconds(61);
    assert_eq!(bench.end(USER, &session).await.ok()["sessionMinutes"], 2);
    let made = hang_ups(&bench).await;
    assert_eq!(made, json!({"hungUp": 1, "open": 0, "failed": 0}));
    assert_hung_up(&provider, 1, 61);
    assert_eq!(hang_ups(&bench).await["hungUp"], 0);
}

#[tokio::test]
async fn the_limit_hangs_up_within_a_second() {
    let (bench, provider) = bench().await;
    let session = start(&bench, USER).await;
    let _ = offer(&bench, USER, &session).await.ok();
    bench.talk(USER, &session, 599).await;
    assert_eq!(hang_ups(&bench).await["hungUp"], 0);
    bench.seconds(2);
    assert_eq!(hang_ups(&bench).await["hungUp"], 1);
    assert_hung_up(&provider, 1, 601);
    assert_eq!(bench.status(USER).await["minutesUsed"], 10);
}

#[tokio::test]
async fn silence_hangs_up() {
    let (bench, provider) = bench().await;
    let session = start(&bench, USER).await;
    let _ = offer(&bench, USER, &session).await.ok();
    for _ in 0..30 {
        bench.seconds(10);
        bench.tick().await;
        hang_ups(&bench).await;
    }
    let books = provider.calls();
    let call = &books.all()[0];
    assert!(call.closed.is_some(), "{books:?}");
    // What the provider gave was billed.
    let user = call.user.as_deref().unwrap_or_default();
    let billed = bench.status(USER).await["minutesUsed"].as_u64();
    assert!(
        books.seconds_given(user) <= billed.unwrap_or(0) * 60 + 10,
        "{books:?}"
    );
}

#[tokio::test]
async fn a_takeover_hangs_up() {
    let (bench, provider) = bench().await;
    let session = start(&bench, USER).await;
    let _ = offer(&bench, USER, &session).await.ok();
    bench.seconds(30);
    let body = json!({"takeover": true, "awaitsCall": true});
    let _ = bench.post(USER, "/api/session/start", body).await.ok();
    assert_eq!(hang_ups(&bench).await["hungUp"], 1);
    assert_hung_up(&provider, 1, 30);
}

#[tokio::test]
async fn a_session_that_ends_before_the_answer_has_no_call() {
    let (bench, provider) = bench().await;
    let session = start(&bench, USER).await;
    let answer = offer_while(&bench, &provider, &session, async || {
        let _ = bench.end(USER, &session).await.ok();
    })
    .await;
    let _ = answer.refused(403, "no_active_session");
    assert!(!answer.body.contains("v=0"), "{}", answer.body);
    // At once: nobody else has asked for it.
    assert_hung_up(&provider, 1, 0);
    assert_eq!(bench.status(USER).await["minutesUsed"], 0);
}

#[tokio::test]
async fn a_hang_up_that_fails_is_made_again() {
    let (bench, provider) = bench().await;
    let session = start(&bench, USER).await;
    let _ = offer(&bench, USER, &session).await.ok();
    bench.seconds(10);
    let _ = bench.end(USER, &session).await.ok();
    provider.spoil(CallRequest::HangUp, 1, CallFault::Status(500));
    assert_eq!(
        hang_ups(&bench).await,
        json!({"hungUp": 0, "open": 1, "failed": 1})
    );
    // Done, and not known to be: the provider then says that the call is over, which is as good.
    provider.spoil(CallRequest::HangUp, 1, CallFault::DoneThenStatus(500));
    let mut open = json!(1);
    for _ in 0..60 {
        bench.seconds(1);
        open = hang_ups(&bench).await["open"].clone();
    }
    assert_eq!(open, 0);
    let hang_ups = provider.requests().len() - 1;
    assert!((3..10).contains(&hang_ups), "{hang_ups}");
    assert!(provider.calls().all()[0].closed.is_some());
}

#[tokio::test]
async fn the_cron_trigger_hangs_up_by_itself() {
    let (bench, provider) = bench().await;
    let session = start(&bench, USER).await;
    let _ = offer(&bench, USER, &session).await.ok();
    bench.seconds(61);
    let _ = bench.end(USER, &session).await.ok();
    let now = u64::try_from(bench.clock.now_millis() / 1_000).expect("after 1970");
    let ticked = bench.host.cron_tick("hang-ups", now).await;
    ticked.expect("it looks");
    assert_hung_up(&provider, 1, 61);
}

//! Calls that come in by telephone: taken for whoever may talk, metered, and hung up like any other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use talktime_host::{CallKind, FaultAction, Faults, HostCall};
use talktime_tests::provider_stand_in::{
    CallFault, CallRequest, ClosedBy, OPENAI_KEY, ProviderStandIn,
};
use talktime_tests::webhooks::signature;
use talktime_tests::{Answer, Bench};

use super::accounts::{USER, assert_hung_up, assert_nothing_leaks, hang_ups};

const KEY: &[u8] = b"the key of the phone tests, 32 b";
const NUMBER: &str = "+14155550123";
const FROM: &str = "\"Anna\" <sip:+14155550123@carrier.test;user=phone>;tag=1";

async fn bench() -> (Bench, ProviderStandIn) {
    bench_with(None).await
}

async fn bench_with(faults: Option<Arc<dyn Faults>>) -> (Bench, ProviderStandIn) {
    let provider = ProviderStandIn::start().await;
    let mut setup = Bench::setup()
        .variable("openai_api_key", OPENAI_KEY)
        .variable("openai_base_url", &provider.base_url())
        .variable("openai_webhook_secret", &secret())
        .variable("phone_user_header", "X-Talktime-User")
        .variable("phone_instructions", "Speak slowly.");
    if let Some(faults) = faults {
        setup = setup.faults(faults);
    }
    let bench = setup.build().await;
    provider.follow(&bench.clock);
    (bench, provider)
}

fn secret() -> String {
    format!("whsec_{}", STANDARD.encode(KEY))
}

/// The number is that user's.
async fn assign(bench: &Bench, user: Option<&str>) {
    let body = json!({"phoneNumber": "+1 (415) 555-0123", "userId": user});
    let assigned = bench.internal("/api/internal/phones", body).await.ok();
    assert_eq!(assigned, json!({"phoneNumber": NUMBER, "userId": user}));
}

/// The provider tells of a call, signed with that key.
async fn tell_signed(bench: &Bench, call: &str, headers: &[(&str, &str)], key: &[u8]) -> Answer {
    let header = |(name, value): &(&str, &str)| json!({"name": name, "value": value});
    let headers: Vec<_> = headers.iter().map(header).collect();
    let event = json!({
        "object": "event", "id": "evt_1", "type": "realtime.call.incoming", "created_at": 1_750_287_018,
        "data": {"call_id": call, "sip_headers": headers},
    });
    let body = event.to_string();
    let seconds = (bench.clock.now_millis() / 1_000).to_string();
    let request = Request::post("/api/webhooks/openai")
        .header("host", "talktime.test")
        .header(
            "user-agent",
            "OpenAI/1.0 (+https://platform.openai.com/docs/webhooks)",
        )
        .header("content-type", "application/json")
        .header("webhook-id", format!("wh_{call}"))
        .header("webhook-timestamp", &seconds)
        .header(
            "webhook-signature",
            signature(key, &format!("wh_{call}"), &seconds, body.as_bytes()),
        )
        .body(Bytes::from(body));
    let answer = bench.send(request.expect("a request")).await;
    assert_nothing_leaks(bench, &answer);
    answer
}

/// It rings, and the provider tells.
async fn ring(
    bench: &Bench,
    provider: &ProviderStandIn,
    call: &str,
    headers: &[(&str, &str)],
) -> Answer {
    provider.ring(call);
    tell_signed(bench, call, headers, KEY).await
}

#[tokio::test]
async fn a_known_number_is_taken_and_metered_to_the_limit() {
    let (bench, provider) = bench().await;
    assign(&bench, Some(USER)).await;
    let taken = ring(&bench, &provider, "rtc_1", &[("From", FROM)])
        .await
        .ok();
    let session = taken["sessionId"].as_str().expect("an id");
    assert_eq!(
        taken,
        json!({"outcome": "accepted", "userId": USER, "sessionId": session, "callId": "rtc_1"})
    );
    let accept = provider.only_request();
    assert_eq!(accept.path, "/v1/realtime/calls/rtc_1/accept");
    assert_eq!(
        accept.body,
        json!({"type": "realtime", "model": "gpt-realtime-2.1", "instructions": "Speak slowly."})
    );
    bench.talk(USER, session, 599).await;
    assert_eq!(hang_ups(&bench).await["hungUp"], 0);
    bench.seconds(2);
    assert_eq!(hang_ups(&bench).await["hungUp"], 1);
    assert_hung_up(&provider, 1, 601);
    assert_eq!(bench.status(USER).await["minutesUsed"], 10);
    // No minutes are left.
    let refused = ring(&bench, &provider, "rtc_2", &[("From", FROM)]).await;
    assert_eq!(
        refused.ok(),
        json!({"outcome": "rejected", "reason": "no_credits"})
    );
    assert_eq!(provider.calls().rejected(), [("rtc_2".to_owned(), 603)]);
}

#[tokio::test]
async fn who_ends_the_session_ends_the_call_and_silence_does() {
    let (bench, provider) = bench().await;
    let trunk = [("From", FROM), ("X-Talktime-User", USER)];
    let taken = ring(&bench, &provider, "rtc_1", &trunk).await.ok();
    let session = taken["sessionId"].as_str().expect("an id");
    bench.seconds(61);
    assert_eq!(bench.end(USER, session).await.ok()["sessionMinutes"], 2);
    assert_eq!(hang_ups(&bench).await["hungUp"], 1);
    assert_hung_up(&provider, 1, 61);
    // A server that has died no longer says that the caller is there.
    let _ = ring(&bench, &provider, "rtc_2", &trunk).await.ok();
    bench.seconds(91);
    assert_eq!(hang_ups(&bench).await["hungUp"], 1);
    assert_eq!(bench.status(USER).await["minutesUsed"], 4);
}

#[tokio::test]
async fn strangers_and_users_who_talk_already_are_turned_away() {
    let (bench, provider) = bench().await;
    let rejected = |reason| json!({"outcome": "rejected", "reason": reason});
    for headers in [
        &[][..],
        &[("From", FROM)],
        &[("From", "sip:anonymous@x.test")],
    ] {
        let call = format!("rtc_{}", headers.len());
        let answer = ring(&bench, &provider, &call, headers).await;
        assert_eq!(answer.ok(), rejected("unknown_caller"));
    }
    assign(&bench, Some(USER)).await;
    assign(&bench, None).await;
    let answer = ring(&bench, &provider, "rtc_7", &[("From", FROM)]).await;
    assert_eq!(answer.ok(), rejected("unknown_caller"));
    assign(&bench, Some(USER)).await;
    let session = bench.start(USER).await;
    let answer = ring(&bench, &provider, "rtc_8", &[("From", FROM)]).await;
    assert_eq!(answer.ok(), rejected("session_active"));
    let books = provider.calls();
    assert_eq!(books.rejected().last(), Some(&("rtc_8".to_owned(), 486)));
    assert!(books.all().is_empty());
    // It goes on.
    let _ = bench.heartbeat(USER, &session).await.ok();
}

#[tokio::test]
async fn an_event_that_comes_again_takes_its_call_once() {
    let (bench, provider) = bench().await;
    assign(&bench, Some(USER)).await;
    let first = ring(&bench, &provider, "rtc_1", &[("From", FROM)])
        .await
        .ok();
    bench.seconds(10);
    let tell = async || tell_signed(&bench, "rtc_1", &[("From", FROM)], KEY).await;
    assert_eq!(tell().await.ok(), first);
    assert_eq!(provider.requests().len(), 1);
    let session = first["sessionId"].as_str().expect("an id");
    let _ = bench.end(USER, session).await.ok();
    assert_eq!(hang_ups(&bench).await["hungUp"], 1);
    // It is over, which no event brings back.
    let again = tell().await;
    assert_eq!(again.ok()["outcome"], "rejected");
    assert_eq!(provider.calls().all().len(), 1);
    assert_eq!(bench.status(USER).await["hasActiveSession"], false);
}

#[tokio::test]
async fn an_event_that_nobody_signed_does_nothing() {
    let (bench, provider) = bench().await;
    assign(&bench, Some(USER)).await;
    provider.ring("rtc_1");
    let forged = tell_signed(&bench, "rtc_1", &[("From", FROM)], b"another").await;
    let _ = forged.refused(401, "unauthorized");
    assert!(provider.requests().is_empty());
    assert_eq!(bench.status(USER).await["hasActiveSession"], false);
}

#[tokio::test]
async fn a_call_that_the_provider_does_not_give_costs_nothing() {
    let (bench, provider) = bench().await;
    assign(&bench, Some(USER)).await;
    for (number, fault) in [
        CallFault::Status(500),
        // It is taken, and nobody knows: it is hung up.
        CallFault::DoneThenCut,
        CallFault::DoneThenStatus(500),
    ]
    .into_iter()
    .enumerate()
    {
        provider.spoil(CallRequest::Accept, 1, fault);
        let call = format!("rtc_{number}");
        let answer = ring(&bench, &provider, &call, &[("From", FROM)]).await;
        let _ = answer.refused(502, "provider_error");
        assert_eq!(bench.status(USER).await["hasActiveSession"], false);
        let books = provider.calls();
        assert!(
            books.all().iter().all(|call| call.closed.is_some()),
            "{books:?}"
        );
        // Where the provider did not answer, the line is kept until nobody believes in the call any more.
        bench.seconds(31);
        hang_ups(&bench).await;
    }
    assert_eq!(hang_ups(&bench).await["open"], 0);
    assert_eq!(bench.status(USER).await["minutesUsed"], 0);
    let answer = ring(&bench, &provider, "rtc_9", &[("From", FROM)]).await;
    assert_eq!(answer.ok()["outcome"], "accepted");
}

/// Lets the component that holds the keys die once, right after the provider has answered.
#[derive(Default)]
struct DiesAfterAccept(AtomicBool);

impl Faults for DiesAfterAccept {
    fn after(&self, call: &HostCall) -> FaultAction {
        let is_accept = call.kind == CallKind::HttpSend && call.detail.ends_with("/accept");
        if is_accept && !self.0.swap(true, Ordering::Relaxed) {
            return FaultAction::Crash;
        }
        FaultAction::None
    }
}

#[tokio::test]
async fn a_call_whose_taker_dies_is_hung_up() {
    let (bench, provider) = bench_with(Some(Arc::new(DiesAfterAccept::default()))).await;
    assign(&bench, Some(USER)).await;
    let answer = ring(&bench, &provider, "rtc_1", &[("From", FROM)]).await;
    assert!(answer.status.is_server_error(), "{answer:?}");
    assert_eq!(provider.calls().all().len(), 1);
    // The provider tells again, and must not find it taken.
    bench.seconds(5);
    let again = tell_signed(&bench, "rtc_1", &[("From", FROM)], KEY).await;
    let _ = again.refused(429, "rate_limited");
    for _ in 0..30 {
        bench.seconds(1);
        hang_ups(&bench).await;
    }
    let books = provider.calls();
    let closed = books.all()[0].closed.expect("hung up");
    assert_eq!(closed.by, ClosedBy::HangUp);
    assert_eq!(bench.status(USER).await["minutesUsed"], 0);
    assert_eq!(hang_ups(&bench).await["open"], Value::from(0));
}

//! The stand-in itself, asked over HTTP: what it lets pass proves nothing.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use talktime_host::VirtualClock;

use super::{
    CANARY, CallFault, CallRequest, ClosedBy, OFFER, OPENAI_KEY, ProviderStandIn, UNDELIVERED_LIFE,
};
use crate::Answer;

const CALLS: &str = "/v1/realtime/calls";
const LIVE: &str = "/v1/live/sessions";
const USER: &str = "5d41402abc4b2a76";
const BOUNDARY: &str = "----9f2c";

struct Caller {
    provider: ProviderStandIn,
    clock: VirtualClock,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Caller {
    async fn new() -> Self {
        let provider = ProviderStandIn::start().await;
        let clock = VirtualClock::new(1_700_000_000_000);
        provider.follow(&clock);
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self {
            provider,
            clock,
            client,
        }
    }

    /// `None` where the connection breaks.
    async fn try_send(&self, request: Request<String>) -> Option<Answer> {
        let (mut parts, body) = request.into_parts();
        let uri = format!("{}{}", self.provider.base_url(), parts.uri);
        parts.uri = uri.parse().expect("an address");
        let request = Request::from_parts(parts, Full::from(body));
        let (parts, body) = self.client.request(request).await.ok()?.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        Some(Answer::new(http::Response::from_parts(parts, body)))
    }

    async fn send(&self, request: Request<String>) -> Answer {
        self.try_send(request).await.expect("an answer")
    }

    async fn hang_up(&self, path: &str) -> u16 {
        let request = post(&format!("{path}/hangup"), &Value::Null);
        self.send(request).await.status.as_u16()
    }

    /// Opens a call and gives its path.
    async fn open(&self) -> String {
        let answer = self.send(offer()).await;
        answer.header("location").expect("a place").to_owned()
    }
}

fn post(path: &str, body: &Value) -> Request<String> {
    let builder = Request::post(path)
        .header("authorization", format!("Bearer {OPENAI_KEY}"))
        .header("openai-safety-identifier", USER);
    let request = if body.is_null() {
        builder.body(String::new())
    } else {
        let builder = builder.header("content-type", "application/json");
        builder.body(body.to_string())
    };
    request.expect("a request")
}

fn form(sdp: &str, session: &Value) -> Request<String> {
    let mut request = post(CALLS, &Value::Null);
    let headers = request.headers_mut();
    headers.insert("accept", "application/sdp".parse().expect("a header"));
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    headers.insert("content-type", content_type.parse().expect("a header"));
    let part = |name: &str, value: &str| {
        format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        )
    };
    let (sdp, session) = (part("sdp", sdp), part("session", &session.to_string()));
    *request.body_mut() = format!("{sdp}{session}--{BOUNDARY}--\r\n");
    request
}

fn offer() -> Request<String> {
    let voice = json!({"output": {"voice": "marin"}});
    let session = json!({"type": "realtime", "model": "gpt-realtime-2.1", "audio": voice});
    form(OFFER, &session)
}

fn live_offer() -> Value {
    json!({
        "session": {"model": "gpt-live-1", "store": false, "audio": {"output": {"voice": "marin"}}},
        "transport": {"type": "webrtc", "sdp": OFFER},
    })
}

#[tokio::test]
async fn an_offer_opens_a_call_until_it_is_hung_up() {
    let caller = Caller::new().await;
    let answer = caller.send(offer()).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert_eq!(answer.header("content-type"), Some("application/sdp"));
    assert!(answer.body.starts_with("v=0\r\n"), "{}", answer.body);
    let path = answer.header("location").expect("a place").to_owned();
    let id = path.rsplit('/').next().expect("an id");
    assert!(answer.body.contains(&format!("s={id}\r\n")));

    caller.clock.advance(Duration::from_secs(75));
    let books = caller.provider.calls();
    let call = books.call(id).expect("a call");
    assert_eq!(
        (call.model.as_str(), call.user.as_deref()),
        ("gpt-realtime-2.1", Some(USER))
    );
    assert_eq!(books.open_calls(USER), [call]);
    assert_eq!(books.seconds_given(USER), 75);

    assert_eq!(caller.hang_up(&path).await, 200);
    assert_eq!(caller.hang_up(&path).await, 410);
    assert_eq!(caller.hang_up(&format!("{CALLS}/rtc_other")).await, 404);
    assert_eq!(caller.hang_up(&format!("{LIVE}/{id}")).await, 404);
    caller.clock.advance(Duration::from_secs(75));
    let books = caller.provider.calls();
    assert!(books.open_calls(USER).is_empty());
    assert_eq!(books.seconds_given(USER), 75);
    assert_eq!(books.most_open_at_once(USER), 1);
}

#[tokio::test]
async fn a_live_session_opens_a_call() {
    let caller = Caller::new().await;
    let answer = caller.send(post(LIVE, &live_offer())).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let body = answer.json();
    let id = body["session"]["id"].as_str().expect("an id");
    assert!(id.starts_with("live_"), "{id}");
    assert_eq!(body["transport"]["type"], "webrtc");
    assert_eq!(
        caller.provider.calls().open_calls(USER)[0].model,
        "gpt-live-1"
    );
    assert_eq!(caller.hang_up(&format!("{LIVE}/{id}")).await, 200);
}

#[tokio::test]
async fn an_offer_that_is_not_quite_right_is_refused() {
    let caller = Caller::new().await;
    let check = async |request: Request<String>, status: u16, about: &str| {
        let answer = caller.send(request).await;
        assert_eq!(answer.status, status, "{about}");
        assert!(answer.body.contains(about), "{}", answer.body);
    };
    let without = |name: &str| {
        let mut request = offer();
        request.headers_mut().remove(name);
        request
    };
    check(without("authorization"), 401, "authorization").await;
    check(without("accept"), 400, "accept").await;
    check(without("content-type"), 400, "form").await;
    let identifier = "openai-safety-identifier";
    check(without(identifier), 400, identifier).await;
    let mut long = offer();
    let value = "a".repeat(65).parse().expect("a header");
    long.headers_mut().insert(identifier, value);
    check(long, 400, identifier).await;

    let session = json!({"type": "realtime", "model": "m"});
    check(form(OFFER.trim_end(), &session), 400, "sdp").await;
    check(form("o=-\r\n", &session), 400, "sdp").await;
    check(form(OFFER, &json!({"model": "m"})), 400, "session.type").await;
    let no_model = json!({"type": "realtime"});
    check(form(OFFER, &no_model), 400, "session.model").await;
    let voice = json!({"type": "realtime", "model": "m", "voice": "marin"});
    check(form(OFFER, &voice), 400, "unknown field").await;
    let audio = json!({"type": "realtime", "model": "m", "audio": {"output": {"voice": null}}});
    check(form(OFFER, &audio), 400, "session.audio").await;

    for (pointer, value, about) in [
        ("/session/store", json!(true), "session.store"),
        ("/session/model", json!(1), "session.model"),
        ("/session/audio", json!({"voice": "marin"}), "session.audio"),
        ("/session", json!({"type": "live"}), "session"),
        ("/transport/type", json!("websocket"), "transport.type"),
        ("/transport/sdp", Value::Null, "sdp"),
        (
            "/transport",
            json!({"type": "webrtc", "sdp": OFFER, "x": 1}),
            "unknown field",
        ),
    ] {
        let mut body = live_offer();
        *body.pointer_mut(pointer).expect("a member") = value;
        check(post(LIVE, &body), 400, about).await;
    }
    assert!(caller.provider.calls().all().is_empty());
}

#[tokio::test]
async fn a_phone_call_is_accepted_or_rejected_once() {
    let caller = Caller::new().await;
    let ask = async |id: &str, action: &str, body: Value| {
        let request = post(&format!("{CALLS}/{id}/{action}"), &body);
        caller.send(request).await.status.as_u16()
    };
    let accept = || json!({"type": "realtime", "model": "gpt-realtime-2.1", "instructions": "Hi"});
    let reject = || json!({"status_code": 603});
    assert_eq!(ask("rtc_a", "accept", accept()).await, 404);
    caller.provider.ring("rtc_a");
    caller.provider.ring("rtc_b");
    assert_eq!(ask("rtc_a", "accept", json!({"model": "m"})).await, 400);
    assert_eq!(ask("rtc_a", "accept", accept()).await, 200);
    assert_eq!(ask("rtc_a", "accept", accept()).await, 409);
    assert_eq!(ask("rtc_b", "reject", json!({"status": 603})).await, 400);
    assert_eq!(ask("rtc_b", "reject", reject()).await, 200);
    assert_eq!(ask("rtc_b", "accept", accept()).await, 409);
    let books = caller.provider.calls();
    assert_eq!(books.rejected(), [("rtc_b".to_owned(), 603)]);
    assert_eq!(books.open_calls(USER)[0].id, "rtc_a");
    assert_eq!(caller.hang_up(&format!("{CALLS}/rtc_a")).await, 200);
}

#[tokio::test]
async fn an_offer_that_is_spoilt_opens_no_call_that_anybody_has() {
    let caller = Caller::new().await;
    let spoilt = async |fault| {
        caller.provider.spoil(CallRequest::Offer, 1, fault);
        caller.try_send(offer()).await
    };
    let busy = spoilt(CallFault::RetryAfter(429, "3")).await;
    let busy = busy.expect("an answer");
    assert_eq!(
        (busy.status.as_u16(), busy.header("retry-after")),
        (429, Some("3"))
    );
    assert!(busy.body.contains(CANARY));
    assert!(spoilt(CallFault::Cut).await.is_none());
    assert_eq!(caller.provider.calls().all().len(), 0);

    assert!(spoilt(CallFault::DoneThenCut).await.is_none());
    let failed = spoilt(CallFault::DoneThenStatus(500)).await;
    assert_eq!(failed.expect("an answer").status, 500);
    let nameless = spoilt(CallFault::NoLocation).await.expect("an answer");
    assert_eq!(nameless.header("location"), None);
    let page = spoilt(CallFault::NotSdp).await.expect("an answer");
    assert!(page.body.contains(CANARY));
    let long = spoilt(CallFault::TooLong).await.expect("an answer");
    assert!(long.body.len() > 64 * 1024 && long.body.starts_with("v=0"));
    let books = caller.provider.calls();
    assert_eq!(books.all().len(), 5);
    assert!(books.all().iter().all(|call| call.undelivered));
    assert!(books.open_calls(USER).is_empty());

    caller.clock.advance(UNDELIVERED_LIFE);
    for call in caller.provider.calls().all() {
        let closed = call.closed.expect("closed by itself");
        assert_eq!(closed.by, ClosedBy::NobodyCame);
    }
    // The plan is used up.
    caller.open().await;
}

#[tokio::test]
async fn a_hang_up_that_is_spoilt_may_be_done_or_not() {
    let caller = Caller::new().await;
    let path = caller.open().await;
    let is_open = || caller.provider.calls().open_calls(USER).len() == 1;
    let spoil = |fault| caller.provider.spoil(CallRequest::HangUp, 1, fault);
    spoil(CallFault::Status(500));
    assert_eq!(caller.hang_up(&path).await, 500);
    assert!(is_open());
    spoil(CallFault::DoneThenStatus(500));
    assert_eq!(caller.hang_up(&path).await, 500);
    assert!(!is_open());
    assert_eq!(caller.hang_up(&path).await, 410);
}

#[tokio::test]
async fn faults_can_be_chosen_by_request() {
    let caller = Caller::new().await;
    let mut count = 0;
    caller.provider.spoil_by(move |kind, request| {
        assert!(request.body["sdp"].is_string());
        count += 1;
        (kind == CallRequest::Offer && count == 2).then_some(CallFault::Status(401))
    });
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(caller.send(offer()).await.status.as_u16());
    }
    assert_eq!(statuses, [201, 401, 201]);
    caller
        .provider
        .spoil_by(|_, _| Some(CallFault::Status(500)));
    caller.provider.spoil_nothing();
    caller.open().await;
}

#[tokio::test]
async fn a_call_whose_asker_has_gone_is_open_and_nobodys() {
    let caller = Caller::new().await;
    for fault in [CallFault::Held, CallFault::Late(Duration::from_mins(1))] {
        caller.provider.spoil(CallRequest::Offer, 1, fault);
        let patience = Duration::from_millis(100);
        let asked = tokio::time::timeout(patience, caller.try_send(offer()));
        assert!(asked.await.is_err());
    }
    while caller.provider.calls().all().len() < 2 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(
        caller
            .provider
            .calls()
            .all()
            .iter()
            .all(|call| call.undelivered)
    );
}

#[tokio::test]
async fn a_call_begins_when_its_offer_is_answered() {
    let caller = Caller::new().await;
    caller
        .provider
        .spoil(CallRequest::Offer, 1, CallFault::Held);
    let other = async {
        caller.provider.asked(1).await;
        caller.clock.advance(Duration::from_secs(4));
        assert!(caller.provider.calls().all().is_empty());
        caller.provider.release();
    };
    let (answer, ()) = tokio::join!(caller.send(offer()), other);
    assert_eq!(answer.status, 201);
    assert_eq!(caller.provider.calls().seconds_given(USER), 0);
    caller.clock.advance(Duration::from_hours(2));
    let books = caller.provider.calls();
    assert_eq!(books.seconds_given(USER), 3_600);
    let closed = books.all()[0].closed.expect("closed by itself");
    assert_eq!(closed.by, ClosedBy::Maximum);
}

#[tokio::test]
async fn a_test_can_answer_and_lose_what_it_was_answered() {
    let caller = Caller::new().await;
    caller.provider.answer_offers_by(|offer| async move {
        tokio::task::yield_now().await;
        format!("{offer}a=answer\r\n")
    });
    let answer = caller.send(offer()).await;
    assert_eq!(answer.body, format!("{OFFER}a=answer\r\n"));
    let id = caller.provider.calls().all()[0].id.clone();
    caller.provider.lose(&id);
    assert!(caller.provider.calls().open_calls(USER).is_empty());
}

//! A bench with an account at `OpenAI`, and calls by it.

use serde_json::{Value, json};
use talktime_tests::provider_stand_in::{
    CANARY, CallFault, CallRequest, ClosedBy, OFFER, OPENAI_KEY, ProviderStandIn,
};
use talktime_tests::{Answer, Bench, INTERNAL_SECRET, JWT_SECRET};

pub(super) const CALL: &str = "/api/realtime-call";
pub(super) const USER: &str = "anna";

pub(super) async fn bench() -> (Bench, ProviderStandIn) {
    let provider = ProviderStandIn::start().await;
    let bench = Bench::setup()
        .variable("openai_api_key", OPENAI_KEY)
        .variable("openai_base_url", &provider.base_url())
        .variable("openai_live_models", "gpt-live-1")
        .build()
        .await;
    provider.follow(&bench.clock);
    (bench, provider)
}

/// Starts a session that is billed from its call on.
pub(super) async fn start(bench: &Bench, user: &str) -> String {
    let body = json!({"awaitsCall": true});
    let answer = bench.post(user, "/api/session/start", body).await.ok();
    answer["sessionId"].as_str().expect("an id").to_owned()
}

/// Sends an offer for a session.
pub(super) async fn offer(bench: &Bench, user: &str, session: &str) -> Answer {
    offer_with(bench, user, session, json!({})).await
}

/// The same, with more in the request.
pub(super) async fn offer_with(bench: &Bench, user: &str, session: &str, more: Value) -> Answer {
    let mut body = json!({"sessionId": session, "sdp": OFFER});
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    let answer = bench.post(user, CALL, body).await;
    assert_nothing_leaks(bench, &answer);
    answer
}

/// Sends an offer; once the provider has it, three seconds pass, `meanwhile` happens, and the provider answers.
pub(super) async fn offer_while(
    bench: &Bench,
    provider: &ProviderStandIn,
    session: &str,
    meanwhile: impl AsyncFnOnce(),
) -> Answer {
    provider.spoil(CallRequest::Offer, 1, CallFault::Held);
    let asked = provider.requests().len() + 1;
    let other = async {
        provider.asked(asked).await;
        bench.seconds(3);
        meanwhile().await;
        provider.release();
    };
    let (answer, ()) = tokio::join!(offer(bench, USER, session), other);
    answer
}

/// Makes the hang-ups that are due, and says how it went.
pub(super) async fn hang_ups(bench: &Bench) -> Value {
    bench
        .internal("/api/internal/hang-ups", json!({}))
        .await
        .ok()
}

/// All calls are over, by hang-ups, and this is how many seconds of talk they were.
#[track_caller]
pub(super) fn assert_hung_up(provider: &ProviderStandIn, calls: usize, seconds: u64) {
    let books = provider.calls();
    assert_eq!(books.all().len(), calls, "{books:?}");
    for call in books.all() {
        let closed = call.closed.expect("hung up");
        assert_eq!(closed.by, ClosedBy::HangUp, "{books:?}");
    }
    let given: u64 = books.users().iter().map(|u| books.seconds_given(u)).sum();
    assert_eq!(given, seconds, "{books:?}");
}

/// Neither an answer nor a log has a key or a word of the provider's.
#[track_caller]
pub(super) fn assert_nothing_leaks(bench: &Bench, answer: &Answer) {
    let seen = format!("{answer:?}\n{}", bench.host.logs().join("\n"));
    for secret in [OPENAI_KEY, CANARY, INTERNAL_SECRET, JWT_SECRET] {
        assert!(!seen.contains(secret), "{secret} in {seen}");
    }
}

//! A bench with accounts at both providers.

use serde_json::Value;
use talktime_tests::provider_stand_in::{CANARY, GEMINI_KEY, OPENAI_KEY, ProviderStandIn};
use talktime_tests::{Answer, Bench, INTERNAL_SECRET, JWT_SECRET, Setup};

pub(super) const TOKEN: &str = "/api/realtime-token";
pub(super) const USER: &str = "anna";

pub(super) fn setup_for(base_url: &str) -> Setup {
    Bench::setup()
        .variable("openai_api_key", OPENAI_KEY)
        .variable("openai_base_url", base_url)
        .variable("gemini_api_key", GEMINI_KEY)
        .variable("gemini_base_url", base_url)
}

/// A bench that has accounts with both providers, and their stand-in.
pub(super) async fn bench() -> (Bench, ProviderStandIn) {
    let provider = ProviderStandIn::start().await;
    let bench = setup_for(&provider.base_url()).build().await;
    provider.follow(&bench.clock);
    (bench, provider)
}

pub(super) async fn mint(bench: &Bench, user: &str, body: Value) -> Answer {
    bench.post(user, TOKEN, body).await
}

/// Neither an answer nor a log has a key or a word of the provider's.
#[track_caller]
pub(super) fn assert_nothing_leaks(bench: &Bench, answer: &Answer) {
    let seen = format!("{answer:?}\n{}", bench.host.logs().join("\n"));
    for secret in [OPENAI_KEY, GEMINI_KEY, CANARY, INTERNAL_SECRET, JWT_SECRET] {
        assert!(!seen.contains(secret), "{secret} in {seen}");
    }
}

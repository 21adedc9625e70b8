//! Providers that fail or are not set up, and requests that are wrong.

use std::time::Duration;

use serde_json::{Value, json};
use talktime_host::{HostBuilder, VirtualClock};
use talktime_tests::bench::request;
use talktime_tests::provider_stand_in::{Behaviour, GEMINI_KEY, OPENAI_KEY, ProviderStandIn};
use talktime_tests::{Bench, INTERNAL_SECRET, built};
use tokio::net::TcpListener;

use super::{TOKEN, USER, assert_nothing_leaks, bench, mint, setup_for};

#[tokio::test]
async fn a_providers_failure_is_502_and_tells_nothing() {
    let (bench, provider) = bench().await;
    let check = async |behaviour, name: &str, detail: &str| {
        provider.behave(behaviour);
        let user = format!("{name}-{behaviour:?}").replace(['(', ')'], "");
        bench.start(&user).await;
        let asked_before = provider.requests().len();
        let start = std::time::Instant::now();
        let answer = mint(&bench, &user, json!({"provider": name})).await;
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "{behaviour:?} took {:?}",
            start.elapsed()
        );
        assert_eq!(
            answer.refused(502, "provider_error"),
            json!({
                "type": "urn:talktime:problem:provider_error",
                "title": "Provider failed",
                "status": 502,
                "code": "provider_error",
                "error": format!("The voice provider {name} did not give a token; try again"),
                "detail": detail,
            })
        );
        assert_nothing_leaks(&bench, &answer);
        let log = format!("provider_error: {name}: {detail}");
        assert!(
            bench.host.logs().iter().any(|line| line.ends_with(&log)),
            "{log}"
        );
        // Tried once, and no redirect followed.
        assert_eq!(provider.requests().len(), asked_before + 1);
    };
    for name in ["openai", "gemini"] {
        check(Behaviour::Status(400), name, "the provider answered 4xx").await;
        check(Behaviour::Status(401), name, "the provider answered 4xx").await;
        check(Behaviour::Status(429), name, "the provider answered 4xx").await;
        check(Behaviour::Status(500), name, "the provider answered 5xx").await;
        check(Behaviour::Status(503), name, "the provider answered 5xx").await;
        check(Behaviour::Redirect, name, "the provider answered 3xx").await;
        check(
            Behaviour::NotJson,
            name,
            "the provider's answer cannot be read",
        )
        .await;
        check(
            Behaviour::OtherJson,
            name,
            "the provider's answer cannot be read",
        )
        .await;
        check(
            Behaviour::TooLong,
            name,
            "the provider's answer is too long",
        )
        .await;
    }
    check(
        Behaviour::HangInBody,
        "openai",
        "the provider did not answer in time",
    )
    .await;
    check(
        Behaviour::Hang,
        "gemini",
        "the provider did not answer in time",
    )
    .await;

    // All is well again, and the failed one counts as a mint.
    provider.behave(Behaviour::Ok);
    for _ in 0..5 {
        let _ = mint(&bench, "gemini-Hang", json!({})).await.ok();
    }
    let _ = mint(&bench, "gemini-Hang", json!({}))
        .await
        .refused(429, "rate_limited");
}

/// With a clock that goes: a provider that keeps sending is cut off in all, not for each byte.
#[tokio::test]
async fn a_provider_that_drips_is_cut_off() {
    let provider = ProviderStandIn::start().await;
    provider.behave(Behaviour::Drip);
    let host = HostBuilder::from_manifest(built::manifest().await)
        .expect("spin.toml is valid")
        .variable("internal_api_secret", INTERNAL_SECRET)
        .variable("openai_api_key", OPENAI_KEY)
        .variable("openai_base_url", &provider.base_url())
        .build()
        .await
        .expect("the components link");
    // Not read by anybody.
    let clock = VirtualClock::new(0);
    let bench = Bench { host, clock };
    bench.start(USER).await;
    let start = std::time::Instant::now();
    let answer = mint(&bench, USER, json!({})).await;
    let body = answer.refused(502, "provider_error");
    assert_eq!(body["detail"], "the provider did not answer in time");
    let took = start.elapsed();
    assert!(
        Duration::from_secs(8) <= took && took < Duration::from_secs(10),
        "{took:?}"
    );
    assert_nothing_leaks(&bench, &answer);
}

#[tokio::test]
async fn a_closed_port_is_502() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        listener.local_addr().expect("an address").port()
    };
    let bench = setup_for(&format!("http://127.0.0.1:{port}")).build().await;
    bench.start(USER).await;
    let answer = mint(&bench, USER, json!({})).await;
    let body = answer.refused(502, "provider_error");
    assert_eq!(body["detail"], "the provider could not be reached");
    assert_nothing_leaks(&bench, &answer);
}

#[tokio::test]
async fn a_provider_that_is_not_set_up_is_named_with_its_variable() {
    let provider = ProviderStandIn::start().await;
    let none = Bench::new().await;
    let openai = Bench::setup().variable("openai_api_key", OPENAI_KEY);
    let openai = openai
        .variable("openai_base_url", &provider.base_url())
        .build()
        .await;
    let gemini = Bench::setup().variable("gemini_api_key", GEMINI_KEY);
    let gemini = gemini
        .variable("gemini_base_url", &provider.base_url())
        .build()
        .await;
    provider.follow(&gemini.clock);
    for bench in [&none, &openai, &gemini] {
        bench.start(USER).await;
    }
    let check = async |bench: &Bench, asked: Value, detail: &str| {
        let answer = mint(bench, USER, json!({"provider": asked})).await;
        assert_eq!(
            answer.refused(503, "provider_not_configured")["detail"],
            detail
        );
    };
    let (a, b) = ("openai_api_key", "gemini_api_key");
    check(
        &none,
        Value::Null,
        &format!("The operator can set the variable {a} or {b}"),
    )
    .await;
    check(
        &none,
        json!("openai"),
        &format!("The operator can set the variable {a}"),
    )
    .await;
    check(
        &openai,
        json!("gemini"),
        &format!("The operator can set the variable {b}"),
    )
    .await;
    check(
        &gemini,
        json!("openai"),
        &format!("The operator can set the variable {a}"),
    )
    .await;
    assert_eq!(provider.requests().len(), 0);

    assert_eq!(
        mint(&openai, USER, json!({})).await.ok()["provider"],
        "openai"
    );
    assert_eq!(
        mint(&gemini, USER, json!({})).await.ok()["provider"],
        "gemini"
    );
}

#[tokio::test]
async fn a_wrong_request_is_refused_before_anything_happens() {
    let (bench, provider) = bench().await;
    bench.start(USER).await;
    let before = bench.host.kv_get("default", "user:anna");
    let check = async |body: Value, field: &str| {
        assert_eq!(
            mint(&bench, USER, body).await.refused(400, "invalid_field")["field"],
            field
        );
    };
    check(json!({"provider": "acme"}), "provider").await;
    check(json!({"provider": "OpenAI"}), "provider").await;
    check(json!({"provider": 1}), "provider").await;
    check(json!({"model": ""}), "model").await;
    check(json!({"model": "m".repeat(65)}), "model").await;
    check(json!({"model": "../keys"}), "model").await;
    check(json!({"voice": "a b"}), "voice").await;
    check(json!({"voice": ["a"]}), "voice").await;
    check(json!({"sessionId": "x"}), "sessionId").await;

    let mut nobody = request("POST", TOKEN, Some(USER), Some(&json!({})));
    nobody.headers_mut().remove("x-internal-secret");
    let _ = bench.send(nobody).await.refused(401, "unauthorized");
    let _ = bench
        .get(USER, TOKEN)
        .await
        .refused(405, "method_not_allowed");
    assert_eq!(bench.host.kv_get("default", "user:anna"), before);
    assert_eq!(provider.requests().len(), 0);
}

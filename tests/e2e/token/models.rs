//! Which models can be had, and in which version of an API.

use serde_json::{Value, json};
use talktime_tests::provider_stand_in::ProviderStandIn;
use talktime_tests::{Bench, Setup};

use super::accounts::{USER, mint, setup_for};

async fn bench(set: impl FnOnce(Setup) -> Setup) -> (Bench, ProviderStandIn) {
    let provider = ProviderStandIn::start().await;
    let bench = set(setup_for(&provider.base_url())).build().await;
    provider.follow(&bench.clock);
    bench.start(USER).await;
    (bench, provider)
}

#[tokio::test]
async fn only_the_operators_models_can_be_had() {
    let (bench, provider) = bench(|setup| {
        setup
            .variable("openai_models", "gpt-a, gpt-b")
            .variable("gemini_models", "models/gemini-a gemini-b")
    })
    .await;
    let check = async |body: Value, expected: &str, asked: &str| {
        assert_eq!(mint(&bench, USER, body).await.ok()["model"], expected);
        let request = provider.requests().pop().expect("a request");
        assert!(request.body.to_string().contains(asked), "{request:?}");
    };
    check(json!({}), "gpt-a", r#""model":"gpt-a""#).await;
    check(json!({"model": "gpt-b"}), "gpt-b", r#""model":"gpt-b""#).await;
    check(
        json!({"provider": "gemini"}),
        "gemini-a",
        r#""model":"models/gemini-a""#,
    )
    .await;
    check(
        json!({"provider": "gemini", "model": "gemini-b"}),
        "gemini-b",
        r#""model":"models/gemini-b""#,
    )
    .await;

    let before = bench.document("anna");
    let asked_before = provider.requests().len();
    for model in ["gpt-the-most-expensive", "gemini-a", "GPT-A", "gpt"] {
        let refusal = mint(&bench, USER, json!({"model": model}))
            .await
            .refused(400, "invalid_field");
        assert_eq!(refusal["field"], "model");
        assert_eq!(
            refusal["error"],
            "model: must be one of those that are offered here: gpt-a, gpt-b"
        );
    }
    assert_eq!(provider.requests().len(), asked_before);
    assert_eq!(bench.document("anna"), before);
}

#[tokio::test]
async fn googles_version_stands_in_both_addresses() {
    let (bench, provider) = bench(|setup| setup.variable("gemini_api_version", "v1beta")).await;
    let answer = mint(&bench, USER, json!({"provider": "gemini"})).await.ok();
    assert_eq!(provider.only_request().path, "/v1beta/auth_tokens");
    let url = answer["connect"]["url"].as_str().unwrap_or_default();
    assert!(
        url.ends_with(
            "google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContentConstrained"
        ),
        "{url}"
    );
}

#[tokio::test]
async fn a_version_that_is_gone_is_seen_by_the_operator() {
    let (bench, _provider) = bench(|setup| setup.variable("gemini_api_version", "v0")).await;
    let answer = mint(&bench, USER, json!({"provider": "gemini"})).await;
    let refusal = answer.refused(502, "provider_error");
    assert_eq!(refusal["detail"], "the provider answered 4xx");
    let logs = bench.host.logs();
    let line = logs.iter().find(|line| line.contains("answered 404"));
    assert!(
        line.is_some_and(
            |line| line.ends_with("gemini_models, gemini_api_version, gemini_base_url")
        ),
        "{logs:?}"
    );
}

#[tokio::test]
async fn a_list_that_cannot_be_used_names_its_variable() {
    for (variable, value) in [
        ("openai_models", "a;b"),
        ("gemini_models", ","),
        ("gemini_api_version", "beta"),
    ] {
        let (bench, _provider) = bench(|setup| setup.variable(variable, value)).await;
        let refusal = mint(&bench, USER, json!({}))
            .await
            .refused(500, "misconfigured");
        let error = refusal["error"].as_str().unwrap_or_default();
        assert!(error.contains(variable), "{error}");
    }
}

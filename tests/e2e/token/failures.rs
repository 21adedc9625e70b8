//! Providers that fail or are not set up, and requests that are wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use talktime_host::{CallKind, FaultAction, Faults, HostCall, VirtualClock};
use talktime_tests::bench::request;
use talktime_tests::provider_stand_in::{Behaviour, GEMINI_KEY, OPENAI_KEY, ProviderStandIn};
use talktime_tests::{Bench, built, ports};

use super::accounts::{TOKEN, USER, assert_nothing_leaks, bench, mint, setup_for};

/// Everything that a provider can do instead of giving a token, what callers are told of it, and what the log says.
const FAILURES: [(Behaviour, &str, &str); 18] = [
    (
        Behaviour::Status(400),
        "the provider answered 4xx",
        "the provider answered 400: it does not take the request; look at the variables openai_models and \
         openai_api_key, and at the voice that was asked for",
    ),
    (
        Behaviour::Status(401),
        "the provider answered 4xx",
        "the provider answered 401: it does not take the key; look at the variable openai_api_key",
    ),
    (
        Behaviour::Status(403),
        "the provider answered 4xx",
        "the provider answered 403: it does not let the key do this; look at the variable openai_api_key and at what \
         its account may use",
    ),
    (
        Behaviour::Status(404),
        "the provider answered 4xx",
        "the provider answered 404: it has no such model, or nothing at this address; look at the variables \
         openai_models, openai_base_url",
    ),
    (
        Behaviour::Status(409),
        "the provider answered 4xx",
        "the provider answered 409",
    ),
    (
        Behaviour::Status(429),
        "the provider is busy",
        "the provider answered 429: its limit is reached or the account has no credit; look at the account of \
         openai_api_key",
    ),
    (
        Behaviour::Status(500),
        "the provider answered 5xx",
        "the provider answered 500",
    ),
    (
        Behaviour::Status(502),
        "the provider answered 5xx",
        "the provider answered 502",
    ),
    (
        Behaviour::Status(503),
        "the provider is busy",
        "the provider answered 503",
    ),
    (
        Behaviour::Redirect,
        "the provider answered 3xx",
        "the provider answered 307: it has moved; look at the variable openai_base_url",
    ),
    (Behaviour::NoContent, UNREADABLE, UNREADABLE),
    (Behaviour::NotJson, UNREADABLE, UNREADABLE),
    (Behaviour::OtherJson, UNREADABLE, UNREADABLE),
    (
        Behaviour::TooLong,
        "the provider's answer is too long",
        "the provider's answer is too long",
    ),
    (Behaviour::Cut, UNREACHABLE, UNREACHABLE_LOG),
    (Behaviour::CutInBody, UNREACHABLE, UNREACHABLE_LOG),
    (Behaviour::HangInBody, TIMED_OUT, TIMED_OUT),
    (Behaviour::Hang, TIMED_OUT, TIMED_OUT),
];
const UNREADABLE: &str = "the provider's answer cannot be read";
const UNREACHABLE: &str = "the provider could not be reached";
const UNREACHABLE_LOG: &str =
    "the provider could not be reached: if it lasts, look at the variable openai_base_url";
const TIMED_OUT: &str = "the provider did not answer in time";

#[tokio::test]
async fn a_providers_failure_tells_nothing_and_costs_nothing() {
    let (bench, provider) = bench().await;
    for (number, (behaviour, detail, log)) in FAILURES.into_iter().enumerate() {
        let user = format!("user-{number}");
        let session = bench.start(&user).await;
        provider.behave(behaviour);
        let asked_before = provider.requests().len();
        let start = std::time::Instant::now();
        let answer = mint(&bench, &user, json!({})).await;
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "{behaviour:?} took {:?}",
            start.elapsed()
        );
        let (status, code, title, error) = if detail == "the provider is busy" {
            let error = "The voice provider openai is busy right now; try again in a moment";
            (503, "provider_busy", "Provider busy", error)
        } else {
            let error = "The voice provider openai did not answer as it should; try again";
            (502, "provider_error", "Provider failed", error)
        };
        assert_eq!(
            answer.refused(status, code),
            json!({
                "type": format!("urn:talktime:problem:{code}"),
                "title": title,
                "status": status,
                "code": code,
                "error": error,
                "detail": detail,
            })
        );
        assert_eq!(answer.header("retry-after"), (status == 503).then_some("5"));
        assert_nothing_leaks(&bench, &answer);
        let log = format!("{code}: openai: {log}");
        assert!(
            bench.host.logs().iter().any(|line| line.ends_with(&log)),
            "{log}"
        );
        // Tried once, and no redirect followed.
        assert_eq!(provider.requests().len(), asked_before + 1);

        // Nobody could talk.
        bench.seconds(20);
        let body = json!({"sessionId": session, "reason": "error"});
        let ended = bench.post(&user, "/api/session/end", body).await.ok();
        assert_eq!(ended["sessionMinutes"], 0, "{behaviour:?}");
        assert_eq!(bench.status(&user).await["minutesUsed"], 0, "{behaviour:?}");

        // All is well again.
        provider.behave(Behaviour::Ok);
        bench.start(&user).await;
        let _ = mint(&bench, &user, json!({})).await.ok();
    }
}

#[tokio::test]
async fn googles_failures_are_those_of_its_variables() {
    let (bench, provider) = bench().await;
    bench.start(USER).await;
    let check = async |behaviour, status: u16, code: &str, log: &str| {
        provider.behave(behaviour);
        let answer = mint(&bench, USER, json!({"provider": "gemini"})).await;
        let _ = answer.refused(status, code);
        assert_nothing_leaks(&bench, &answer);
        let line = bench.host.logs().pop().unwrap_or_default();
        assert!(line.ends_with(log), "{line}");
    };
    let key = "look at the variable gemini_api_key";
    check(Behaviour::Status(401), 502, "provider_error", key).await;
    // Google's answer to a key that it does not know.
    let request = "look at the variables gemini_models and gemini_api_key, and at the voice that was asked for";
    check(Behaviour::Status(400), 502, "provider_error", request).await;
    let address = "look at the variables gemini_models, gemini_api_version, gemini_base_url";
    check(Behaviour::Status(404), 502, "provider_error", address).await;
    let account = "look at the account of gemini_api_key";
    check(Behaviour::Status(429), 503, "provider_busy", account).await;
    check(Behaviour::Cut, 502, "provider_error", "gemini_base_url").await;
}

#[tokio::test]
async fn a_busy_provider_says_when_to_come_back() {
    let (bench, provider) = bench().await;
    bench.start(USER).await;
    for (told, expected) in [("3", "3"), ("0", "1"), ("7200", "30"), ("soon", "5")] {
        for status in [429, 503] {
            provider.behave(Behaviour::RetryAfter(status, told));
            let answer = mint(&bench, USER, json!({})).await;
            let _ = answer.refused(503, "provider_busy");
            assert_eq!(answer.header("retry-after"), Some(expected), "{told}");
        }
    }
}

/// The session's state cannot be written once the provider has answered: a token that nobody knows of would be free.
#[tokio::test]
async fn a_token_that_cannot_be_recorded_is_not_given() {
    let provider = ProviderStandIn::start().await;
    let stuck = Arc::new(StuckAfterProvider::default());
    let setup = setup_for(&provider.base_url()).faults(Arc::clone(&stuck) as Arc<dyn Faults>);
    let bench = setup.build().await;
    provider.follow(&bench.clock);
    bench.start(USER).await;
    stuck.armed.store(true, Ordering::SeqCst);
    let answer = mint(&bench, USER, json!({})).await;
    let _ = answer.refused(503, "busy");
    assert!(!answer.body.contains("ek_"), "{}", answer.body);
    assert_eq!(provider.requests().len(), 1);

    stuck.armed.store(false, Ordering::SeqCst);
    stuck.asked.store(false, Ordering::SeqCst);
    let _ = mint(&bench, USER, json!({})).await.ok();
}

/// Lets every key-value write fail from the moment on at which the provider has answered.
#[derive(Default)]
struct StuckAfterProvider {
    armed: AtomicBool,
    asked: AtomicBool,
}

impl Faults for StuckAfterProvider {
    fn before(&self, call: &HostCall) -> FaultAction {
        let is_stuck = self.armed.load(Ordering::SeqCst) && self.asked.load(Ordering::SeqCst);
        if is_stuck && call.kind == CallKind::KvSwap {
            FaultAction::Fail("too many requests".to_owned())
        } else {
            FaultAction::None
        }
    }

    fn after(&self, call: &HostCall) -> FaultAction {
        if call.kind == CallKind::HttpSend {
            self.asked.store(true, Ordering::SeqCst);
        }
        FaultAction::None
    }
}

/// With a clock that goes: a provider that keeps sending is cut off in all, not for each byte.
#[tokio::test]
async fn a_provider_that_drips_is_cut_off() {
    let provider = ProviderStandIn::start().await;
    provider.behave(Behaviour::Drip);
    let host = built::host()
        .await
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
    let port = ports::free().await;
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
    let before = bench.document("anna");
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
    assert_eq!(bench.document("anna"), before);
    assert_eq!(provider.requests().len(), 0);
}

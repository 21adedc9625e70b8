//! CORS: pages of allowed origins may call with credentials, others may not, and refusals tell as much.

use talktime_tests::bench::bare;
use talktime_tests::{Answer, Bench};

const APP: &str = "https://app.example.test";

async fn ask(bench: &Bench, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    bench.send(bare(method, path, headers)).await
}

async fn bench() -> Bench {
    Bench::setup()
        .variable(
            "cors_allowed_origins",
            &format!("{APP}, http://localhost:5173"),
        )
        .build()
        .await
}

#[tokio::test]
async fn every_answer_tells_allowed_origins_that_they_may() {
    let bench = bench().await;
    for origin in [APP, "http://localhost:5173"] {
        for (method, path, status) in [
            ("GET", "/api/session/status", 401),
            ("GET", "/api/session/start", 405),
            ("GET", "/api/session/nothing", 404),
            ("GET", "/api/nothing", 404),
            ("POST", "/api/session", 404),
            ("GET", "/api/", 404),
            ("GET", "/api/openapi.json", 200),
            ("POST", "/api/openapi.json", 405),
            ("GET", "/api/openapi.json/", 404),
        ] {
            let answer = ask(&bench, method, path, &[("origin", origin)]).await;
            assert_eq!(answer.status, status);
            assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
            assert_eq!(
                answer.header("access-control-allow-credentials"),
                Some("true")
            );
            assert_eq!(answer.header("vary"), Some("Origin"));
        }
    }
}

#[tokio::test]
async fn other_origins_are_told_nothing() {
    let bench = bench().await;
    for origin in [
        "https://evil.example.test",
        "null",
        "https://app.example.test.evil.test",
    ] {
        let answer = ask(&bench, "GET", "/api/session/status", &[("origin", origin)]).await;
        assert_eq!(
            answer.header("access-control-allow-origin"),
            None,
            "{origin}"
        );
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        assert_eq!(answer.header("vary"), Some("Origin"));
    }
}

#[tokio::test]
async fn a_preflight_is_answered_before_authentication() {
    let bench = bench().await;
    let preflight = |origin| {
        [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            (
                "access-control-request-headers",
                "authorization, content-type, idempotency-key",
            ),
        ]
    };
    let answer = ask(&bench, "OPTIONS", "/api/session/start", &preflight(APP)).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (204, ""));
    assert_eq!(answer.header("access-control-allow-origin"), Some(APP));
    let allowed = answer
        .header("access-control-allow-headers")
        .unwrap_or_default()
        .to_ascii_lowercase();
    for header in ["authorization", "content-type", "idempotency-key"] {
        assert!(allowed.contains(header), "{allowed}");
    }
    assert!(
        answer
            .header("access-control-allow-methods")
            .is_some_and(|methods| methods.contains("POST"))
    );

    let answer = ask(
        &bench,
        "OPTIONS",
        "/api/session/start",
        &preflight("https://evil.example.test"),
    )
    .await;
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-allow-origin"), None);
    assert_eq!(answer.header("access-control-allow-methods"), None);
}

#[tokio::test]
async fn every_answer_is_strict_about_what_a_browser_makes_of_it() {
    let bench = bench().await;
    for (method, path) in [
        ("GET", "/api/session/status"),
        ("GET", "/api/openapi.json"),
        ("POST", "/api/internal/update-plan"),
        ("GET", "/api/internal/nothing"),
        ("POST", "/api/webhooks/polar"),
        ("POST", "/api/realtime-token"),
        ("GET", "/api/nothing"),
    ] {
        let answer = ask(&bench, method, path, &[]).await;
        for (header, value) in [
            ("x-content-type-options", "nosniff"),
            (
                "content-security-policy",
                "default-src 'none'; frame-ancestors 'none'",
            ),
            ("cross-origin-resource-policy", "same-origin"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(answer.header(header), Some(value), "{path} {header}");
        }
    }
}

#[tokio::test]
async fn nothing_is_refused_in_one_form_wherever_it_is_looked_for() {
    let bench = bench().await;
    let at = async |path| {
        let answer = ask(&bench, "GET", path, &[("origin", APP)]).await;
        answer.refused(404, "not_found")
    };
    let expected = at("/api/session/nothing").await;
    assert_eq!(expected["type"], "urn:talktime:problem:not_found");
    for path in [
        "/api/nothing",
        "/api/webhooks/nothing",
        "/api/realtime-token/",
        "/nothing",
    ] {
        assert_eq!(at(path).await, expected, "{path}");
    }
}

#[tokio::test]
async fn an_origin_with_its_default_port_is_the_one_that_browsers_send() {
    let bench = Bench::setup()
        .variable("cors_allowed_origins", "https://app.example.test:443")
        .build()
        .await;
    let answer = ask(&bench, "GET", "/api/session/status", &[("origin", APP)]).await;
    assert_eq!(answer.header("access-control-allow-origin"), Some(APP));
}

#[tokio::test]
async fn pages_may_connect_to_gemini_as_it_is_configured_and_to_nobody_else() {
    let policy = async |gemini: &str| {
        let bench = Bench::setup()
            .variable("openai_base_url", "https://eu.api.openai.com")
            .variable("gemini_base_url", gemini)
            .build()
            .await;
        let answer = ask(&bench, "GET", "/practice", &[]).await;
        assert_eq!(answer.status, 200);
        let policy = answer.header("content-security-policy").unwrap_or_default();
        policy.to_owned()
    };
    let own = policy("http://127.0.0.1:4000/").await;
    let expected = "; connect-src 'self' http://127.0.0.1:4000 ws://127.0.0.1:4000; ";
    assert!(own.contains(expected), "{own}");
    let default = policy("https://generativelanguage.googleapis.com").await;
    let expected = "; connect-src 'self' https://generativelanguage.googleapis.com \
                    wss://generativelanguage.googleapis.com; ";
    assert!(default.contains(expected), "{default}");
}

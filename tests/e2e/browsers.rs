//! CORS: pages of allowed origins may call with credentials, others may not, and refusals tell as much.

use http::Request;
use talktime_tests::{Answer, Bench};

const APP: &str = "https://app.example.test";

async fn ask(bench: &Bench, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    bench
        .send(request.body(bytes::Bytes::new()).expect("a request"))
        .await
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

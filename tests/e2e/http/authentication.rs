//! Who is let in: tokens, cookies, the trusted server, and nobody else.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Request;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use talktime_tests::bench::bare;
use talktime_tests::tokens::{signed, token, token_by, token_for};
use talktime_tests::{Answer, Bench, INTERNAL_SECRET, JWT_SECRET};

const STATUS: &str = "/api/session/status";

/// 2026-11-10T12:00:00Z, when a bench starts.
pub(super) const NOW: i64 = 1_794_312_000;

async fn status(bench: &Bench, headers: &[(&str, &str)]) -> Answer {
    bench.send(bare("GET", STATUS, headers)).await
}

pub(super) async fn bearer(bench: &Bench, token: &str) -> Answer {
    status(bench, &[("authorization", &format!("Bearer {token}"))]).await
}

#[tokio::test]
async fn a_token_lets_its_user_in_and_nothing_else_does() {
    let bench = Bench::new().await;
    let _ = bearer(&bench, &token_for("anna", NOW + 60)).await.ok();

    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({"sub": "anna", "exp": NOW + 60});
    let none = format!(
        "{}.{}.",
        part(&json!({"alg": "none", "typ": "JWT"})),
        part(&claims)
    );
    let key = EncodingKey::from_secret(JWT_SECRET.as_bytes());
    let hs384 = signed(&Header::new(Algorithm::HS384), &claims, &key);
    let other_key = token_by("another secret, as long as it needs", &claims);
    for (what, token) in [
        ("nothing", String::new()),
        ("nonsense", "a.b.c".to_owned()),
        ("expired", token_for("anna", NOW - 60)),
        ("no expiry", token(&json!({"sub": "anna"}))),
        (
            "not yet valid",
            token(&json!({"sub": "anna", "exp": NOW + 900, "nbf": NOW + 600})),
        ),
        ("no user", token(&json!({"exp": NOW + 60}))),
        ("a hostile user", token_for("../../etc/passwd\n", NOW + 60)),
        ("no algorithm", none),
        ("another algorithm", hs384),
        ("another key", other_key),
    ] {
        let answer = bearer(&bench, &token).await;
        let refused = answer.refused(401, "unauthorized");
        assert!(answer.header("www-authenticate").is_some(), "{what}");
        assert!(
            token.is_empty() || !refused.to_string().contains(&token),
            "{what}"
        );
        assert!(
            !bench
                .host
                .logs()
                .iter()
                .any(|line| !token.is_empty() && line.contains(&token)),
            "{what}"
        );
    }
    let _ = status(&bench, &[]).await.refused(401, "unauthorized");
    let _ = status(&bench, &[("authorization", "Basic YTpi")])
        .await
        .refused(401, "unauthorized");
}

#[tokio::test]
async fn issuer_audience_and_cookie_are_checked_as_configured() {
    let bench = Bench::setup()
        .variable("auth_issuer", "https://id.example.test")
        .variable("auth_audience", "talktime")
        .variable("auth_cookie", "session_token")
        .build()
        .await;
    let claims = |issuer: &str, audience: &Value| {
        token(&json!({"sub": "anna", "exp": NOW + 60, "iss": issuer, "aud": audience}))
    };
    let good = claims("https://id.example.test", &json!("talktime"));
    let _ = bearer(&bench, &good).await.ok();
    let list = claims("https://id.example.test", &json!(["other", "talktime"]));
    let _ = bearer(&bench, &list).await.ok();
    for bad in [
        claims("https://evil.example.test", &json!("talktime")),
        claims("https://id.example.test", &json!("other")),
        token_for("anna", NOW + 60),
    ] {
        let _ = bearer(&bench, &bad).await.refused(401, "unauthorized");
    }
    let cookie = format!("theme=dark; session_token={good}");
    let _ = status(&bench, &[("cookie", &cookie)]).await.ok();
    let _ = status(&bench, &[("cookie", "session_token=nonsense")])
        .await
        .refused(401, "unauthorized");
}

#[tokio::test]
async fn the_trusted_server_names_its_user() {
    let bench = Bench::new().await;
    let ask = |secret: &'static str, user: &'static str| {
        let bench = &bench;
        async move { status(bench, &[("x-internal-secret", secret), ("x-user-id", user)]).await }
    };
    let _ = ask(INTERNAL_SECRET, "anna").await.ok();
    let _ = ask("wrong", "anna").await.refused(401, "unauthorized");
    let _ = ask("", "anna").await.refused(401, "unauthorized");
    let _ = status(&bench, &[("x-user-id", "anna")])
        .await
        .refused(401, "unauthorized");
    for hostile in ["a/b", "<script>", "a b", "", ".", ".."] {
        let answer = ask(INTERNAL_SECRET, hostile).await;
        assert_eq!(answer.status, 400, "{hostile:?}: {}", answer.body);
    }
    let long: &'static str = "x".repeat(129).leak();
    assert_eq!(ask(INTERNAL_SECRET, long).await.status, 400);
}

#[tokio::test]
async fn a_neighbours_cookie_may_hold_any_bytes() {
    let bench = Bench::setup()
        .variable("auth_cookie", "session_token")
        .build()
        .await;
    let cookie = format!("name=Jürgen; session_token={}", token_for("anna", NOW + 60));
    let cookie = http::HeaderValue::from_bytes(cookie.as_bytes()).expect("a header");
    let request = Request::builder().uri(STATUS).header("cookie", cookie);
    let request = request.body(bytes::Bytes::new()).expect("a request");
    let _ = bench.send(request).await.ok();
}

#[tokio::test]
async fn refused_credentials_leave_a_few_lines_that_do_not_show_them() {
    let bench = Bench::new().await;
    for guess in 0..20 {
        let guess = format!("guess-{guess}");
        let _ = status(
            &bench,
            &[("x-internal-secret", &guess), ("x-user-id", "anna")],
        )
        .await
        .refused(401, "unauthorized");
        let _ = bearer(&bench, &guess).await.refused(401, "unauthorized");
        let headers = [("x-internal-secret", guess.as_str())];
        let overview = bare("GET", "/api/internal/overview", &headers);
        let _ = bench.send(overview).await.refused(401, "unauthorized");
    }
    let lines = bench.host.logs();
    let about = |what: &str| lines.iter().filter(|line| line.contains(what)).count();
    for what in [
        "/api/session/status unauthorized: a wrong X-Internal-Secret (from 127.0.0.1)",
        "/api/session/status unauthorized: a bad token",
        "/api/internal/overview unauthorized: a wrong X-Internal-Secret (from 127.0.0.1)",
    ] {
        assert!((1..=6).contains(&about(what)), "{what}: {lines:#?}");
    }
    assert_eq!(about("guess-"), 0, "{lines:#?}");
}

#[tokio::test]
async fn a_weak_secret_lets_nobody_in_and_the_log_says_so_once() {
    for (variable, value) in [
        ("internal_api_secret", "replace-me"),
        ("internal_api_secret", "thirty-one-bytes-are-one-short!"),
        ("auth_jwt_secret", "replace-me"),
        (
            "auth_jwt_secret",
            "test-jwt-secret-0123456789abcdef0123456789\n",
        ),
    ] {
        let bench = Bench::setup().variable(variable, value).build().await;
        let token = token_by(value, &json!({"sub": "anna", "exp": NOW + 60}));
        for _ in 0..3 {
            for answer in [
                status(
                    &bench,
                    &[("x-internal-secret", value.trim()), ("x-user-id", "anna")],
                )
                .await,
                bearer(&bench, &token).await,
            ] {
                let refused = answer.refused(500, "misconfigured");
                assert!(
                    refused["error"]
                        .as_str()
                        .is_some_and(|text| text.contains(variable))
                );
                assert!(!answer.body.contains(value.trim()));
            }
        }
        let lines = bench.host.logs();
        let about = lines.iter().filter(|line| line.contains(variable)).count();
        // Each instance says it once.
        assert!((1..=2).contains(&about), "{lines:#?}");
        assert!(!lines.iter().any(|line| line.contains(value.trim())));
    }
}

#[tokio::test]
async fn without_secrets_nobody_is_let_in() {
    let bench = Bench::setup()
        .variable("internal_api_secret", "")
        .variable("auth_jwt_secret", "")
        .build()
        .await;
    let _ = status(&bench, &[("x-internal-secret", ""), ("x-user-id", "anna")])
        .await
        .refused(401, "unauthorized");
    let empty_key = token_by("", &json!({"sub": "anna", "exp": NOW + 60}));
    let _ = bearer(&bench, &empty_key)
        .await
        .refused(401, "unauthorized");
}

#[tokio::test]
async fn a_cookie_works_for_our_own_pages_and_for_no_other_sites() {
    let bench = Bench::setup()
        .variable("auth_cookie", "session_token")
        .build()
        .await;
    let cookie = format!("session_token={}", token_for("anna", NOW + 60));
    let start = async |headers: &[(&str, &str)]| {
        let of_browser = [("host", "talktime.test"), ("cookie", cookie.as_str())];
        let headers = [&of_browser, headers].concat();
        let mut request = bare("POST", "/api/session/start", &headers);
        *request.body_mut() = r#"{"takeover": true}"#.into();
        bench.send(request).await
    };
    // What a browser adds by itself for a gate in front of the application.
    let gate = ("authorization", "Basic Z2F0ZTpnYXRl");
    for own in [
        &[("origin", "http://talktime.test")][..],
        &[
            ("origin", "http://talktime.test"),
            ("sec-fetch-site", "same-origin"),
        ],
        &[("origin", "http://talktime.test"), gate],
        // A server that passes on what its browser sent.
        &[
            ("origin", "https://app.example.test"),
            ("x-internal-secret", INTERNAL_SECRET),
        ],
        // No browser: a browser says where its request is from.
        &[],
    ] {
        let _ = start(own).await.ok();
    }
    for other in [
        &[("origin", "https://evil.example.test")][..],
        &[("origin", "https://evil.example.test"), gate],
        &[("sec-fetch-site", "cross-site"), gate],
        &[("origin", "null")],
        // A proxy that ends TLS says so: then a page that came without it is not our own.
        &[
            ("origin", "http://talktime.test"),
            ("x-forwarded-proto", "https"),
        ],
        &[("origin", "http://talktime.test.evil.example.test")],
        &[
            ("origin", "http://talktime.test"),
            ("sec-fetch-site", "cross-site"),
        ],
    ] {
        let _ = start(other).await.refused(403, "origin_not_allowed");
    }
}

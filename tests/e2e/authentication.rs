//! Who is let in: tokens by secret and by key set, cookies, the trusted server, and nobody else.

use http::Request;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use talktime_tests::tokens::{token, token_for};
use talktime_tests::{Answer, Bench, INTERNAL_SECRET};

const STATUS: &str = "/api/session/status";

/// 2026-11-10T12:00:00Z, when a bench starts.
const NOW: i64 = 1_794_312_000;

async fn status(bench: &Bench, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().uri(STATUS);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    bench
        .send(request.body(bytes::Bytes::new()).expect("a request"))
        .await
}

async fn bearer(bench: &Bench, token: &str) -> Answer {
    status(bench, &[("authorization", &format!("Bearer {token}"))]).await
}

#[tokio::test]
async fn a_token_lets_its_user_in_and_nothing_else_does() {
    let bench = Bench::new().await;
    let _ = bearer(&bench, &token_for("anna", NOW + 60)).await.ok();

    let part = |value: &Value| {
        use jsonwebtoken::{DecodingKey, Validation};
        let _ = (DecodingKey::from_secret(b""), Validation::default());
        base64_url(value.to_string().as_bytes())
    };
    let claims = json!({"sub": "anna", "exp": NOW + 60});
    let none = format!(
        "{}.{}.",
        part(&json!({"alg": "none", "typ": "JWT"})),
        part(&claims)
    );
    let hs384 = encode(
        &Header::new(Algorithm::HS384),
        &claims,
        &EncodingKey::from_secret(talktime_tests::JWT_SECRET.as_bytes()),
    )
    .expect("a token");
    let other_key = encode(
        &Header::default(),
        &claims,
        &EncodingKey::from_secret(b"another secret, as long as it needs"),
    )
    .expect("a token");
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
    for hostile in ["a/b", "<script>", "a b", ""] {
        let answer = ask(INTERNAL_SECRET, hostile).await;
        assert_eq!(answer.status, 400, "{hostile:?}: {}", answer.body);
    }
    let long: &'static str = "x".repeat(129).leak();
    assert_eq!(ask(INTERNAL_SECRET, long).await.status, 400);
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
    let empty_key = encode(
        &Header::default(),
        &json!({"sub": "anna", "exp": NOW + 60}),
        &EncodingKey::from_secret(b""),
    )
    .expect("a token");
    let _ = bearer(&bench, &empty_key)
        .await
        .refused(401, "unauthorized");
}

fn base64_url(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk
            .iter()
            .fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for index in 0..=chunk.len() {
            let sextet = usize::try_from(bits >> (18 - 6 * index) & 63).unwrap_or(0);
            let _ = write!(text, "{}", char::from(ALPHABET[sextet]));
        }
    }
    text
}

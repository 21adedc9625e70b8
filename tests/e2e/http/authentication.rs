//! Who is let in: tokens by secret and by key set, cookies, the trusted server, and nobody else.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Request;
use jsonwebtoken::jwk::Jwk;
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

    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
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
        let _ = bench
            .send(
                Request::get("/api/internal/overview")
                    .header("x-internal-secret", &guess)
                    .body(bytes::Bytes::new())
                    .expect("a request"),
            )
            .await
            .refused(401, "unauthorized");
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
        let key = EncodingKey::from_secret(value.as_bytes());
        let claims = json!({"sub": "anna", "exp": NOW + 60});
        let token = encode(&Header::default(), &claims, &key).expect("a token");
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
async fn a_key_set_alone_does_not_say_for_whom_its_tokens_are() {
    let bench = Bench::setup()
        .variable("auth_jwt_secret", "")
        .variable("auth_jwks", &key_set())
        .build()
        .await;
    let mut header = Header::new(Algorithm::RS256);
    header.kid = Some("rsa".to_owned());
    let claims = json!({"sub": "anna", "exp": NOW + 60, "aud": "another application"});
    let token = encode(&header, &claims, &rsa()).expect("a token");
    let refused = bearer(&bench, &token).await.refused(500, "misconfigured");
    assert!(
        refused["error"]
            .as_str()
            .is_some_and(|text| text.contains("auth_jwks"))
    );
    assert!(
        bench
            .host
            .logs()
            .iter()
            .any(|line| line.contains("auth_audience"))
    );
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

/// The public halves of the keys, as a JSON Web Key Set with the ids `rsa`, `ec` and `ed`.
fn key_set() -> String {
    let keys = [
        (rsa(), Algorithm::RS256, "rsa"),
        (ec(), Algorithm::ES256, "ec"),
        (ed(), Algorithm::EdDSA, "ed"),
    ]
    .map(|(key, algorithm, id)| {
        let mut public = Jwk::from_encoding_key(&key, algorithm).expect("a public half");
        public.common.key_id = Some(id.to_owned());
        public
    });
    json!({"keys": keys}).to_string()
}

// Keys that everybody can read: see the README beside them.
fn rsa() -> EncodingKey {
    EncodingKey::from_rsa_der(include_bytes!("../../crates/http/testdata/rsa.der"))
}

fn ec() -> EncodingKey {
    EncodingKey::from_ec_der(include_bytes!("../../crates/http/testdata/ec-a.der"))
}

fn other_ec() -> EncodingKey {
    EncodingKey::from_ec_der(include_bytes!("../../crates/http/testdata/ec-b.der"))
}

fn ed() -> EncodingKey {
    EncodingKey::from_ed_der(include_bytes!("../../crates/http/testdata/ed25519.der"))
}

#[tokio::test]
async fn a_key_set_verifies_tokens_by_the_id_of_their_key() {
    let bench = Bench::setup()
        .variable("auth_jwt_secret", "")
        .variable("auth_jwks", &key_set())
        .variable("auth_issuer", "*")
        .build()
        .await;
    let signed = |key: &EncodingKey, algorithm, id: Option<&str>| {
        let mut header = Header::new(algorithm);
        header.kid = id.map(ToOwned::to_owned);
        encode(&header, &json!({"sub": "anna", "exp": NOW + 60}), key).expect("a token")
    };
    for good in [
        signed(&rsa(), Algorithm::RS256, Some("rsa")),
        signed(&ec(), Algorithm::ES256, Some("ec")),
        signed(&ed(), Algorithm::EdDSA, Some("ed")),
        // Without an id it is the only key of its algorithm.
        signed(&ec(), Algorithm::ES256, None),
    ] {
        let _ = bearer(&bench, &good).await.ok();
    }
    let public = key_set();
    for (what, bad) in [
        (
            "unknown key id",
            signed(&ec(), Algorithm::ES256, Some("gone")),
        ),
        (
            "another key of that id",
            signed(&other_ec(), Algorithm::ES256, Some("ec")),
        ),
        (
            "a key of another algorithm",
            signed(&ec(), Algorithm::ES256, Some("rsa")),
        ),
        ("a public key as secret", {
            let key = EncodingKey::from_secret(public.as_bytes());
            signed(&key, Algorithm::HS256, Some("rsa"))
        }),
        (
            "a secret that is not configured",
            token_for("anna", NOW + 60),
        ),
    ] {
        let refused = bearer(&bench, &bad).await.refused(401, "unauthorized");
        assert!(!refused.to_string().contains(&bad), "{what}");
    }
}

#[tokio::test]
async fn a_cookie_works_for_our_own_pages_and_for_no_other_sites() {
    let bench = Bench::setup()
        .variable("auth_cookie", "session_token")
        .build()
        .await;
    let cookie = format!("session_token={}", token_for("anna", NOW + 60));
    let start = async |headers: &[(&str, &str)]| {
        let mut request = Request::post("/api/session/start")
            .header("host", "talktime.test")
            .header("cookie", &cookie);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = r#"{"takeover": true}"#.into();
        bench.send(request.body(body).expect("a request")).await
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

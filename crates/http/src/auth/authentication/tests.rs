//! Who gets in, and with which words the others stay out. The time is pinned; the keys are in `testdata`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::WWW_AUTHENTICATE;
use http::{HeaderName, HeaderValue};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::*;

mod cookies;
mod settings;
mod tokens;

const JWT_SECRET: &str = "a-shared-secret-of-at-least-32-bytes";
const INTERNAL_SECRET: &str = "internal-secret-of-the-tests-0123";
/// 2026-11-25T09:00:00Z.
const NOW: i64 = 1_795_597_200;

const MALFORMED: &str = "The token cannot be read";
const ALGORITHM: &str = "The token is signed by an algorithm that is not accepted";
const UNKNOWN_KEY: &str = "The token is signed by a key that is not known";
const SIGNATURE: &str = "The token's signature is wrong";
const NO_EXPIRY: &str = "The token has no expiry";
const EXPIRED: &str = "The token has expired";
const NOT_YET: &str = "The token is not valid yet";
const ISSUER: &str = "The token is from another issuer";
const AUDIENCE: &str = "The token is for another audience";
const SUBJECT: &str = "The token names no usable user";
const NOT_ACCEPTED: &str = "Tokens are not accepted here";
const WRONG_SECRET: &str = "The internal secret is wrong";
const NOBODY: &str = "Nobody is signed in";
const FORGED: &str = "Pages of this site may not use the user's cookie here";

fn hmac() -> EncodingKey {
    EncodingKey::from_secret(JWT_SECRET.as_bytes())
}

fn rsa() -> EncodingKey {
    EncodingKey::from_rsa_der(include_bytes!("../../../testdata/rsa.der"))
}

fn ec_a() -> EncodingKey {
    EncodingKey::from_ec_der(include_bytes!("../../../testdata/ec-a.der"))
}

fn ec_b() -> EncodingKey {
    EncodingKey::from_ec_der(include_bytes!("../../../testdata/ec-b.der"))
}

fn ed25519() -> EncodingKey {
    EncodingKey::from_ed_der(include_bytes!("../../../testdata/ed25519.der"))
}

/// The public part of a key, as an issuer publishes it.
fn public(key: &EncodingKey, algorithm: Algorithm, id: Option<&str>) -> Value {
    let mut jwk = Jwk::from_encoding_key(key, algorithm).expect("a key");
    jwk.common.key_id = id.map(str::to_owned);
    json!(jwk)
}

/// A set of every kind, with two EC keys.
fn all_keys() -> String {
    json!({"keys": [
        public(&rsa(), Algorithm::RS256, Some("rsa")),
        public(&ec_a(), Algorithm::ES256, Some("ec-a")),
        public(&ec_b(), Algorithm::ES256, Some("ec-b")),
        public(&ed25519(), Algorithm::EdDSA, Some("ed")),
    ]})
    .to_string()
}

fn claims() -> Value {
    json!({"sub": "ada", "exp": NOW + 600})
}

/// The usual claims and `more`; `null` takes a claim away.
fn claims_with(more: Value) -> Value {
    let mut claims = claims();
    let (Value::Object(all), Value::Object(more)) = (&mut claims, more) else {
        panic!("claims are an object");
    };
    all.extend(more);
    all.retain(|_, value| !value.is_null());
    claims
}

fn signed(algorithm: Algorithm, id: Option<&str>, key: &EncodingKey, claims: &Value) -> String {
    let mut header = Header::new(algorithm);
    header.kid = id.map(str::to_owned);
    jsonwebtoken::encode(&header, claims, key).expect("a token")
}

fn hs256(claims: &Value) -> String {
    signed(Algorithm::HS256, None, &hmac(), claims)
}

/// A token with any header at all, signed by HMAC with `key`.
fn forged(header: &Value, key: &[u8]) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(&claims()));
    let key = EncodingKey::from_secret(key);
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256)
        .expect("a signature");
    format!("{message}.{signature}")
}

fn with_secret() -> AuthSettings {
    AuthSettings {
        auth_jwt_secret: Some(JWT_SECRET.to_owned()),
        ..AuthSettings::default()
    }
}

fn with_keys(jwks: String) -> AuthSettings {
    AuthSettings {
        auth_jwks: Some(jwks),
        auth_issuer: Some("*".to_owned()),
        ..AuthSettings::default()
    }
}

fn with_everything() -> AuthSettings {
    AuthSettings {
        internal_api_secret: Some(INTERNAL_SECRET.to_owned()),
        auth_jwt_secret: Some(JWT_SECRET.to_owned()),
        auth_jwks: Some(all_keys()),
        auth_audience: Some("*".to_owned()),
        auth_cookie: Some("session".to_owned()),
        ..AuthSettings::default()
    }
}

fn ask(
    settings: &AuthSettings,
    headers: &[(&str, &str)],
    now: Timestamp,
) -> Result<UserId, Problem> {
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_bytes()))
        .collect();
    ask_with(settings, &headers, CookieUse::Allowed, now)
}

fn ask_with(
    settings: &AuthSettings,
    headers: &[(&str, &[u8])],
    cookies: CookieUse,
    now: Timestamp,
) -> Result<UserId, Problem> {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| {
            (
                HeaderName::from_bytes(name.as_bytes()).expect("a name"),
                HeaderValue::from_bytes(value).expect("a value"),
            )
        })
        .collect();
    Authenticator::from_settings(settings)
        .expect("usable settings")
        .user(&headers, cookies, now)
}

/// What a request with these headers gets: the user, or the status and the sentence.
fn check(settings: &AuthSettings, headers: &[(&str, &str)], expected: Result<&str, (u16, &str)>) {
    let outcome = ask(settings, headers, Timestamp::from_unix_seconds(NOW));
    let outcome = match &outcome {
        Ok(user) => Ok(user.as_str()),
        Err(problem) => Err((problem.status().as_u16(), problem.details().error.as_str())),
    };
    assert_eq!(outcome, expected, "{headers:?}");
}

fn check_token(settings: &AuthSettings, token: &str, expected: Result<&str, &str>) {
    let bearer = format!("Bearer {token}");
    check(
        settings,
        &[("authorization", &bearer)],
        expected.map_err(|sentence| (401, sentence)),
    );
}

#[test]
fn a_refusal_says_how_to_sign_in_and_nothing_of_the_token() {
    let challenge = |headers: &[(&str, &str)]| {
        let problem =
            ask(&with_secret(), headers, Timestamp::from_unix_seconds(NOW)).expect_err("nobody");
        (problem.headers().to_vec(), problem)
    };
    let (headers, _) = challenge(&[]);
    assert_eq!(
        headers,
        [(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))]
    );
    let bearer = format!("Bearer {}", hs256(&claims_with(json!({"sub": "s3cret/"}))));
    let (headers, problem) = challenge(&[("authorization", &bearer)]);
    assert_eq!(
        headers,
        [(
            WWW_AUTHENTICATE,
            HeaderValue::from_static(r#"Bearer error="invalid_token""#)
        )]
    );
    assert!(!format!("{problem:?}").contains("s3cret"));
}

#[test]
fn refused_credentials_leave_a_line_for_the_log_without_them() {
    let expired = format!("Bearer {}", hs256(&json!({"sub": "s3cret", "exp": 1})));
    for (headers, expected) in [
        (
            &[("x-internal-secret", "s3cret")][..],
            Some("unauthorized: a wrong X-Internal-Secret"),
        ),
        (
            &[("authorization", expired.as_str())],
            Some("unauthorized: a bad token: The token has expired"),
        ),
        (
            &[("authorization", "Bearer s3cret")],
            Some("unauthorized: a bad token: The token cannot be read"),
        ),
        // Nobody has tried anything.
        (&[], None),
    ] {
        let problem = ask(
            &with_everything(),
            headers,
            Timestamp::from_unix_seconds(NOW),
        );
        let line = problem.expect_err("nobody").log_line();
        assert_eq!(line.as_deref(), expected);
    }
}

#[test]
fn authorization_is_read_leniently_and_only_once() {
    let token = hs256(&claims());
    let check = |values: &[&str], expected| {
        let headers: Vec<_> = values
            .iter()
            .map(|value| ("authorization", *value))
            .collect();
        check(&with_secret(), &headers, expected);
    };
    check(&[&format!("bearer {token}")], Ok("ada"));
    check(&[&format!("BEARER   {token} ")], Ok("ada"));
    check(&["Bearer"], Err((401, MALFORMED)));
    check(&["Basic YTpi"], Err((401, NOBODY)));
    check(&[&token], Err((401, NOBODY)));
    let bearer = format!("Bearer {token}");
    check(
        &[&bearer, &bearer],
        Err((401, "The header Authorization cannot be read")),
    );
}

#[test]
fn the_trusted_server_speaks_for_a_user() {
    let settings = with_everything();
    let secret = ("x-internal-secret", INTERNAL_SECRET);
    let bad = |sentence| Err((400, sentence));
    check(&settings, &[secret, ("x-user-id", "eve")], Ok("eve"));
    check(&settings, &[secret], bad("X-User-Id: must name the user"));
    check(
        &settings,
        &[secret, ("x-user-id", "")],
        bad("X-User-Id: must have 1 to 128 characters"),
    );
    check(
        &settings,
        &[secret, ("x-user-id", "a/b")],
        bad("X-User-Id: may hold only letters, digits and . _ - @ : | + = ~"),
    );
    check(
        &settings,
        &[secret, ("x-user-id", "ü")],
        bad("X-User-Id: must be ASCII"),
    );
    check(
        &settings,
        &[secret, ("x-user-id", "a"), ("x-user-id", "b")],
        bad("X-User-Id: must name one user"),
    );
    check(&settings, &[("x-user-id", "eve")], Err((401, NOBODY)));
    let wrong = ("x-internal-secret", "internal-secret-of-the-tests-0124");
    check(
        &settings,
        &[wrong, ("x-user-id", "eve")],
        Err((401, WRONG_SECRET)),
    );

    // A token decides before the server's word does; a wrong secret spoils a good token.
    let good = format!("Bearer {}", hs256(&claims()));
    let good = ("authorization", good.as_str());
    check(&settings, &[good, secret, ("x-user-id", "eve")], Ok("ada"));
    check(&settings, &[good, wrong], Err((401, WRONG_SECRET)));
    let bad = ("authorization", "Bearer x.y.z");
    check(
        &settings,
        &[bad, secret, ("x-user-id", "eve")],
        Err((401, MALFORMED)),
    );
}

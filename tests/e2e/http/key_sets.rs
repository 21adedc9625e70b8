//! Tokens that are verified by a key set.

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;
use talktime_tests::Bench;
use talktime_tests::tokens::{signed, token_for};

use super::authentication::{NOW, bearer};

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
    EncodingKey::from_rsa_der(include_bytes!("../../../crates/http/testdata/rsa.der"))
}

fn ec() -> EncodingKey {
    EncodingKey::from_ec_der(include_bytes!("../../../crates/http/testdata/ec-a.der"))
}

fn other_ec() -> EncodingKey {
    EncodingKey::from_ec_der(include_bytes!("../../../crates/http/testdata/ec-b.der"))
}

fn ed() -> EncodingKey {
    EncodingKey::from_ed_der(include_bytes!("../../../crates/http/testdata/ed25519.der"))
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
    let token = signed(&header, &claims, &rsa());
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
async fn a_key_set_verifies_tokens_by_the_id_of_their_key() {
    let bench = Bench::setup()
        .variable("auth_jwt_secret", "")
        .variable("auth_jwks", &key_set())
        .variable("auth_issuer", "*")
        .build()
        .await;
    let by = |key: &EncodingKey, algorithm, id: Option<&str>| {
        let mut header = Header::new(algorithm);
        header.kid = id.map(ToOwned::to_owned);
        signed(&header, &json!({"sub": "anna", "exp": NOW + 60}), key)
    };
    for good in [
        by(&rsa(), Algorithm::RS256, Some("rsa")),
        by(&ec(), Algorithm::ES256, Some("ec")),
        by(&ed(), Algorithm::EdDSA, Some("ed")),
        // Without an id it is the only key of its algorithm.
        by(&ec(), Algorithm::ES256, None),
    ] {
        let _ = bearer(&bench, &good).await.ok();
    }
    let public = key_set();
    for (what, bad) in [
        ("unknown key id", by(&ec(), Algorithm::ES256, Some("gone"))),
        (
            "another key of that id",
            by(&other_ec(), Algorithm::ES256, Some("ec")),
        ),
        (
            "a key of another algorithm",
            by(&ec(), Algorithm::ES256, Some("rsa")),
        ),
        ("a public key as secret", {
            let key = EncodingKey::from_secret(public.as_bytes());
            by(&key, Algorithm::HS256, Some("rsa"))
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

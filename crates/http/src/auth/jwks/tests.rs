//! Key sets and shared secrets: what is used, what is passed over, what is an error.

use super::*;

const ED25519: &str =
    r#"{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

const NONE: &str = "has no usable key for RS256, ES256 or EdDSA signatures";

/// How many keys can be used and what is said of the others, or what is wrong with the set.
fn check(jwks: &str, expected: Result<(usize, &[&str]), &str>) {
    let outcome = Keys::parse(None, Some(jwks));
    let outcome = outcome.as_ref().map_err(|error| {
        assert_eq!(error.variable, "auth_jwks");
        error.reason.as_str()
    });
    let outcome = outcome.map(|keys| {
        let remarks: Vec<&str> = keys.remarks.iter().map(String::as_str).collect();
        (keys.keys.len(), remarks)
    });
    let expected = expected.map(|(keys, remarks)| (keys, remarks.to_vec()));
    assert_eq!(outcome, expected, "{jwks}");
}

#[test]
fn a_set_that_cannot_be_read_says_where() {
    check(
        "not a set",
        Err("is not a JSON Web Key Set: see line 1, column 2"),
    );
    check(
        ED25519,
        Err("is not a JSON Web Key Set: see line 1, column 89"),
    );
    let many = vec![ED25519; KEYS_MAX + 1].join(",");
    check(
        &format!(r#"{{"keys":[{many}]}}"#),
        Err("has more than 64 keys"),
    );
}

#[test]
fn keys_for_something_else_are_passed_over_in_silence() {
    for other in [
        r#"{"kty":"oct","k":"c2VjcmV0"}"#,
        r#"{"kty":"OKP","crv":"Ed25519","use":"enc","x":"AA"}"#,
        r#"{"kty":"RSA","alg":"RSA-OAEP","n":"AQAB","e":"AQAB"}"#,
    ] {
        check(&format!(r#"{{"keys":[{other},{ED25519}]}}"#), Ok((1, &[])));
        check(&format!(r#"{{"keys":[{other}]}}"#), Err(NONE));
    }
    check(r#"{"keys":[]}"#, Err(NONE));
}

#[test]
fn a_key_that_cannot_be_used_does_not_spoil_the_others() {
    let large = "_".repeat(700);
    let large = format!(r#"{{"kty":"RSA","n":"{large}","e":"AQAB"}}"#);
    for (key, why) in [
        (
            r#"{"kty":"OKP","crv":"Ed25519","x":"AA"}"#,
            "has coordinates of a wrong length",
        ),
        (
            r#"{"kty":"OKP","crv":"Ed25519","x":"!"}"#,
            "is not base64url",
        ),
        (
            r#"{"kty":"OKP","crv":"Ed25519","x":"AA","d":"AA"}"#,
            "holds a private key; give only the public part",
        ),
        (
            r#"{"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#,
            "is not a point on its curve",
        ),
        (
            r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#,
            "must have 2048 to 4096 bits",
        ),
        (&large, "must have 2048 to 4096 bits"),
        (
            r#"{"kty":"RSA","x5c":["MIIC"],"e":"AQAB"}"#,
            "has no member n",
        ),
        (r#"{"kid":5}"#, "is not a JSON Web Key"),
        ("null", "is not a JSON Web Key"),
    ] {
        let remark = format!("key 1 {why}");
        check(
            &format!(r#"{{"keys":[{ED25519},{key}]}}"#),
            Ok((1, &[&remark])),
        );
        check(
            &format!(r#"{{"keys":[{key}]}}"#),
            Err(&format!("{NONE}: key 0 {why}")),
        );
    }
}

#[test]
fn a_repeated_kid_is_a_few_keys() {
    let set = |count: usize| format!(r#"{{"keys":[{}]}}"#, vec![ED25519; count].join(","));
    check(&set(2), Ok((2, &[])));
    check(&set(4), Ok((4, &[])));
    check(
        &set(6),
        Ok((
            4,
            &[
                "key 4 has the kid of 4 others",
                "key 5 has the kid of 4 others",
            ],
        )),
    );
}

#[test]
fn an_empty_secret_is_none_and_a_weak_one_is_an_error() {
    assert!(Keys::parse(Some(""), Some(" ")).expect("unset").is_empty());
    for weak in ["s3cret", "s3cret-of-the-tests-0123456789ab\n", "replace-me"] {
        let error = Keys::parse(Some(weak), None).expect_err(weak);
        assert_eq!(error.variable, "auth_jwt_secret");
        assert!(!error.reason.contains("s3cret"));
    }
}

#[test]
fn keys_do_not_show_themselves() {
    let keys = Keys::parse(Some("s3cret-of-the-tests-0123456789ab"), None).expect("usable");
    assert_eq!(
        format!("{keys:?}"),
        "Keys { keys: [Key { id: None, algorithm: HS256, .. }], remarks: [] }"
    );
}

//! What settings let nobody in, and what they are told.

use super::*;

#[test]
fn what_is_not_configured_lets_nobody_in() {
    let empty = AuthSettings {
        internal_api_secret: Some(String::new()),
        auth_jwt_secret: Some(String::new()),
        auth_jwks: Some(String::new()),
        auth_issuer: Some(String::new()),
        auth_audience: Some(String::new()),
        auth_cookie: Some(String::new()),
    };
    let unsigned_by_nothing = forged(&json!({"alg": "HS256"}), b"");
    let bearer = format!("Bearer {unsigned_by_nothing}");
    for settings in [AuthSettings::default(), empty] {
        check(&settings, &[], Err((401, NOBODY)));
        check(
            &settings,
            &[("authorization", &bearer)],
            Err((401, NOT_ACCEPTED)),
        );
        check(
            &settings,
            &[("cookie", &format!("={unsigned_by_nothing}"))],
            Err((401, NOBODY)),
        );
        for secret in ["", "undefined", INTERNAL_SECRET] {
            check(
                &settings,
                &[("x-internal-secret", secret), ("x-user-id", "eve")],
                Err((401, WRONG_SECRET)),
            );
        }
    }
}

#[test]
fn a_setting_that_cannot_be_used_is_named_and_not_quoted() {
    let check = |settings: AuthSettings, variable: &str| {
        let error = Authenticator::from_settings(&settings).expect_err(variable);
        assert_eq!(error.variable, variable);
        assert!(!error.reason.contains("s3cret"), "{error}");
    };
    let some = |value: &str| Some(value.to_owned());
    for jwks in ["s3cret", r#"{"keys":"s3cret"}"#, r#"{"keys":["s3cret"]}"#] {
        check(with_keys(jwks.to_owned()), "auth_jwks");
    }
    for secret in ["s3cret", "s3cret-of-the-tests-0123456789ab\n", "replace-me"] {
        check(
            AuthSettings {
                internal_api_secret: some(secret),
                ..with_everything()
            },
            "internal_api_secret",
        );
        check(
            AuthSettings {
                auth_jwt_secret: some(secret),
                ..with_everything()
            },
            "auth_jwt_secret",
        );
    }
    check(
        AuthSettings {
            auth_cookie: some("a b"),
            ..AuthSettings::default()
        },
        "auth_cookie",
    );
    check(
        AuthSettings {
            auth_audience: some("s3cret *"),
            ..with_everything()
        },
        "auth_audience",
    );
}

#[test]
fn a_key_set_counts_only_for_a_named_issuer_or_audience() {
    let with = |issuer: Option<&str>, audience: Option<&str>| AuthSettings {
        auth_jwks: Some(all_keys()),
        auth_issuer: issuer.map(str::to_owned),
        auth_audience: audience.map(str::to_owned),
        ..AuthSettings::default()
    };
    for settings in [with(None, None), with(Some(" \n"), Some(""))] {
        let error = Authenticator::from_settings(&settings).expect_err("anybody's tokens");
        assert_eq!(error.variable, "auth_jwks");
        assert!(error.reason.contains("auth_audience"), "{error}");
    }
    // The issuer's token for somebody else's application.
    let theirs = claims_with(json!({"iss": "https://id.example/theirs", "aud": "theirs"}));
    let theirs = signed(Algorithm::RS256, Some("rsa"), &rsa(), &theirs);
    let ours = claims_with(json!({"iss": "https://id.example/ours", "aud": "ours"}));
    let ours = signed(Algorithm::RS256, Some("rsa"), &rsa(), &ours);
    let by_issuer = with(Some("https://id.example/ours\n"), None);
    check_token(&by_issuer, &ours, Ok("ada"));
    check_token(&by_issuer, &theirs, Err(ISSUER));
    let by_audience = with(None, Some("ours"));
    check_token(&by_audience, &ours, Ok("ada"));
    check_token(&by_audience, &theirs, Err(AUDIENCE));
    for any in [
        with(Some("*"), None),
        with(None, Some(" * ")),
        with(Some("*"), Some("*")),
    ] {
        check_token(&any, &theirs, Ok("ada"));
    }
    check_token(&with(Some("*"), Some("ours")), &theirs, Err(AUDIENCE));
}

#[test]
fn an_authenticator_does_not_show_its_secrets() {
    let text = format!(
        "{:?}",
        Authenticator::from_settings(&with_everything()).expect("usable settings")
    );
    assert!(
        !text.contains(JWT_SECRET) && !text.contains(INTERNAL_SECRET),
        "{text}"
    );
}

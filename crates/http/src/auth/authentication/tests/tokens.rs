//! Tokens: algorithm, key, times, issuer, audience and subject.

use super::*;

#[test]
fn every_configured_algorithm_is_verified() {
    let both = with_everything();
    check_token(&both, &hs256(&claims()), Ok("ada"));
    for (algorithm, id, key) in [
        (Algorithm::RS256, "rsa", rsa()),
        (Algorithm::ES256, "ec-a", ec_a()),
        (Algorithm::ES256, "ec-b", ec_b()),
        (Algorithm::EdDSA, "ed", ed25519()),
    ] {
        let token = signed(algorithm, Some(id), &key, &claims());
        check_token(&both, &token, Ok("ada"));
        check_token(&with_keys(all_keys()), &token, Ok("ada"));
        check_token(&with_secret(), &token, Err(ALGORITHM));
        check_token(&AuthSettings::default(), &token, Err(NOT_ACCEPTED));

        // One character of the claims changed: another user under the same signature.
        let other = token.replace(
            &URL_SAFE_NO_PAD.encode(claims().to_string()),
            &URL_SAFE_NO_PAD.encode(claims_with(json!({"sub": "eve"})).to_string()),
        );
        assert_ne!(other, token);
        check_token(&both, &other, Err(SIGNATURE));
    }
}

#[test]
fn the_algorithm_is_the_keys_and_never_the_tokens() {
    let (keys, both) = (with_keys(all_keys()), with_everything());
    check_token(&keys, &hs256(&claims()), Err(ALGORITHM));

    // An attacker knows the public key, and uses it as an HMAC secret, in each form that a server might hold it.
    let jwk = public(&rsa(), Algorithm::RS256, Some("rsa"));
    let modulus = jwk["n"].as_str().expect("a modulus");
    let decoded = URL_SAFE_NO_PAD.decode(modulus).expect("base64url");
    for secret in [
        decoded.as_slice(),
        modulus.as_bytes(),
        jwk.to_string().as_bytes(),
        all_keys().as_bytes(),
    ] {
        let hs = forged(&json!({"alg": "HS256", "kid": "rsa"}), secret);
        check_token(&keys, &hs, Err(ALGORITHM));
        check_token(&both, &hs, Err(SIGNATURE));
    }

    // The shared secret says nothing about tokens of another algorithm.
    for (algorithm, id) in [("RS256", "rsa"), ("ES256", "ec-a"), ("EdDSA", "ed")] {
        let header = json!({"alg": algorithm, "kid": id});
        let token = forged(&header, JWT_SECRET.as_bytes());
        check_token(&both, &token, Err(SIGNATURE));
        check_token(&with_secret(), &token, Err(ALGORITHM));
    }
    for algorithm in ["HS384", "HS512", "RS384", "PS256", "ES384"] {
        let token = forged(&json!({ "alg": algorithm }), JWT_SECRET.as_bytes());
        check_token(&both, &token, Err(ALGORITHM));
    }
    for algorithm in ["none", "None", "NONE", "", "ES256K"] {
        let token = forged(&json!({ "alg": algorithm }), JWT_SECRET.as_bytes());
        check_token(&both, &token, Err(MALFORMED));
        let (unsigned, _) = token.rsplit_once('.').expect("three parts");
        check_token(&both, &format!("{unsigned}."), Err(MALFORMED));
    }
}

#[test]
fn a_key_in_the_token_is_not_used() {
    let own = json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode("k".repeat(32))});
    let token = forged(
        &json!({"alg": "HS256", "jwk": own}),
        "k".repeat(32).as_bytes(),
    );
    check_token(&with_everything(), &token, Err(SIGNATURE));
    let token = forged(
        &json!({"alg": "HS256", "crit": ["b64"], "b64": false}),
        JWT_SECRET.as_bytes(),
    );
    check_token(&with_everything(), &token, Err(MALFORMED));
}

#[test]
fn the_key_id_picks_among_the_keys() {
    let keys = with_keys(all_keys());
    let token = |id| signed(Algorithm::ES256, id, &ec_a(), &claims());
    check_token(&keys, &token(Some("ec-a")), Ok("ada"));
    check_token(&keys, &token(Some("ec-b")), Err(SIGNATURE));
    check_token(&keys, &token(Some("ec-c")), Err(UNKNOWN_KEY));
    check_token(&keys, &token(Some("rsa")), Err(UNKNOWN_KEY));
    check_token(&keys, &token(None), Err(UNKNOWN_KEY));

    // Without a kid only where there is no choice: one EdDSA key, two EC keys.
    let token = signed(Algorithm::EdDSA, None, &ed25519(), &claims());
    check_token(&keys, &token, Ok("ada"));
    let lone = json!({"keys": [public(&ec_a(), Algorithm::ES256, None)]}).to_string();
    let lone = with_keys(lone);
    let token = |id| signed(Algorithm::ES256, id, &ec_a(), &claims());
    check_token(&lone, &token(None), Ok("ada"));
    check_token(&lone, &token(Some("ec-a")), Err(UNKNOWN_KEY));

    // An issuer that gives two keys one id: each of them counts.
    let twins = json!({"keys": [
        public(&ec_a(), Algorithm::ES256, Some("ec")),
        public(&ec_b(), Algorithm::ES256, Some("ec")),
    ]});
    let twins = with_keys(twins.to_string());
    for key in [ec_a(), ec_b()] {
        let token = signed(Algorithm::ES256, Some("ec"), &key, &claims());
        check_token(&twins, &token, Ok("ada"));
        let late = claims_with(json!({"exp": 1}));
        let token = signed(Algorithm::ES256, Some("ec"), &key, &late);
        check_token(&twins, &token, Err(EXPIRED));
    }
    let lone =
        with_keys(json!({"keys": [public(&ec_a(), Algorithm::ES256, Some("ec"))]}).to_string());
    let token = signed(Algorithm::ES256, Some("ec"), &ec_b(), &claims());
    check_token(&lone, &token, Err(SIGNATURE));

    // A shared secret has no id.
    let token = signed(Algorithm::HS256, Some("any"), &hmac(), &claims());
    check_token(&with_secret(), &token, Ok("ada"));
}

#[test]
fn a_token_counts_between_its_times_and_thirty_seconds_around_them() {
    let check = |more: Value, expected| {
        check_token(&with_secret(), &hs256(&claims_with(more)), expected);
    };
    check(json!({"exp": NOW + 1}), Ok("ada"));
    check(json!({"exp": NOW - 29}), Ok("ada"));
    check(json!({"exp": NOW - 30}), Err(EXPIRED));
    check(json!({"exp": 0}), Err(EXPIRED));
    check(json!({"exp": null}), Err(NO_EXPIRY));
    check(json!({"exp": "tomorrow"}), Err(MALFORMED));
    check(json!({"exp": -1}), Err(MALFORMED));
    check(json!({"exp": 1e300}), Err(MALFORMED));
    check(json!({"nbf": NOW}), Ok("ada"));
    check(json!({"nbf": NOW + 30}), Ok("ada"));
    check(json!({"nbf": NOW + 31}), Err(NOT_YET));
    check(json!({"nbf": "soon"}), Err(MALFORMED));

    // To the millisecond, and with a fraction of a second.
    let at = |millis: i64, exp: f64| {
        let bearer = format!("Bearer {}", hs256(&json!({"sub": "ada", "exp": exp})));
        let now = Timestamp::from_unix_millis(NOW * 1_000 + millis);
        ask(&with_secret(), &[("authorization", &bearer)], now).is_ok()
    };
    let expiry = 1_795_597_200.5;
    assert!(at(30_499, expiry));
    assert!(!at(30_500, expiry));
}

#[test]
fn issuer_and_audience_are_checked_when_they_are_configured() {
    let strict = AuthSettings {
        auth_issuer: Some("https://id.example".to_owned()),
        auth_audience: Some("talktime".to_owned()),
        ..with_secret()
    };
    let good = json!({"iss": "https://id.example", "aud": "talktime"});
    let check = |settings: &AuthSettings, more: Value, expected| {
        check_token(settings, &hs256(&claims_with(more)), expected);
    };
    let and = |more: Value| {
        let mut all = good.clone();
        all.as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        all
    };
    check(&strict, good.clone(), Ok("ada"));
    check(
        &strict,
        and(json!({"aud": ["other", "talktime"]})),
        Ok("ada"),
    );
    check(&strict, and(json!({"aud": "other"})), Err(AUDIENCE));
    check(&strict, and(json!({"aud": []})), Err(AUDIENCE));
    check(&strict, and(json!({"aud": null})), Err(AUDIENCE));
    check(&strict, and(json!({"aud": 5})), Err(AUDIENCE));
    check(
        &strict,
        and(json!({"iss": "https://id.example/"})),
        Err(ISSUER),
    );
    check(&strict, and(json!({"iss": null})), Err(ISSUER));
    // What a file's last line break or a list adds.
    for audiences in [
        "web,talktime",
        "web talktime",
        " talktime \n",
        "web, mobile,\n talktime",
    ] {
        let listed = AuthSettings {
            auth_issuer: Some(" https://id.example\n".to_owned()),
            auth_audience: Some(audiences.to_owned()),
            ..with_secret()
        };
        check(&listed, good.clone(), Ok("ada"));
        check(&listed, and(json!({"aud": "other"})), Err(AUDIENCE));
        check(&listed, and(json!({ "aud": audiences })), Err(AUDIENCE));
    }
    // Not configured: not looked at.
    check(&with_secret(), json!({"iss": "x", "aud": "y"}), Ok("ada"));
    check(&with_secret(), json!({"iss": 1, "aud": {}}), Ok("ada"));
}

#[test]
fn a_hostile_subject_is_nobody() {
    let check = |subject: Value, expected| {
        check_token(
            &with_secret(),
            &hs256(&claims_with(json!({"sub": subject}))),
            expected,
        );
    };
    check(
        json!("auth0|5f7c8ec7c33c6c004bbafe82"),
        Ok("auth0|5f7c8ec7c33c6c004bbafe82"),
    );
    check(json!(null), Err(SUBJECT));
    check(json!(""), Err(SUBJECT));
    check(json!("a/../b"), Err(SUBJECT));
    check(json!("a\nb"), Err(SUBJECT));
    check(json!("a\u{0}"), Err(SUBJECT));
    check(json!("x".repeat(129)), Err(SUBJECT));
    check(json!(5), Err(MALFORMED));
    check(json!(["ada"]), Err(MALFORMED));
}

#[test]
fn garbage_is_no_token() {
    let good = hs256(&claims());
    for token in [
        "",
        "x",
        "a.b.c",
        "..",
        "ü.ü.ü",
        &good[1..],
        &format!("{good}.x"),
        &format!("{good} x"),
        &format!("{good}, Bearer {good}"),
        &"x".repeat(9_000),
    ] {
        let bearer = format!("Bearer {token}");
        let outcome = ask(
            &with_secret(),
            &[("authorization", &bearer)],
            Timestamp::from_unix_seconds(NOW),
        );
        assert_eq!(
            outcome.map_err(|problem| problem.status().as_u16()),
            Err(401),
            "{token}"
        );
    }
    check_token(&with_secret(), &good[..good.len() - 3], Err(SIGNATURE));
}

//! Tokens in cookies.

use super::*;

#[test]
fn a_cookie_carries_a_token_where_one_is_named() {
    let (token, expired) = (hs256(&claims()), hs256(&json!({"sub": "ada", "exp": 1})));
    let settings = with_everything();
    let cookie = |value: &str, expected| check(&settings, &[("cookie", value)], expected);
    cookie(&format!("session={token}"), Ok("ada"));
    cookie(&format!("theme=dark; session={token}; x=y"), Ok("ada"));
    cookie(&format!("session=\"{token}\""), Ok("ada"));
    cookie(&format!("session={token}; session={expired}"), Ok("ada"));
    cookie(
        &format!("session={expired}; session={token}"),
        Err((401, EXPIRED)),
    );
    cookie(&format!("xsession={token}"), Err((401, NOBODY)));
    cookie(&format!("Session={token}"), Err((401, NOBODY)));
    cookie("session=", Err((401, NOBODY)));
    cookie("session", Err((401, NOBODY)));
    check(
        &with_secret(),
        &[("cookie", &format!("session={token}"))],
        Err((401, NOBODY)),
    );

    // The header comes first, even when it is the bad one.
    let session = format!("session={token}");
    let bearer = format!("Bearer {expired}");
    check(
        &settings,
        &[("authorization", &bearer), ("cookie", &session)],
        Err((401, EXPIRED)),
    );
    check(
        &settings,
        &[("authorization", "Basic YTpi"), ("cookie", &session)],
        Ok("ada"),
    );
}

#[test]
fn cookies_of_other_applications_need_not_be_ascii() {
    let token = hs256(&claims());
    let check = |value: &[u8], expected: Result<&str, &str>| {
        let now = Timestamp::from_unix_seconds(NOW);
        let headers = [("cookie", value)];
        let outcome = ask_with(&with_everything(), &headers, CookieUse::Allowed, now);
        let outcome = match &outcome {
            Ok(user) => Ok(user.as_str()),
            Err(problem) => Err(problem.details().error.as_str()),
        };
        assert_eq!(outcome, expected, "{value:?}");
    };
    let beside = |start: &[u8], end: &[u8]| [start, b"session=", token.as_bytes(), end].concat();
    check(&beside("name=Jürgen; ".as_bytes(), b""), Ok("ada"));
    check(&beside(b"name=J\xfcrgen; ", b""), Ok("ada"));
    check(&beside(b"", b"; name=J\xfcrgen"), Ok("ada"));
    check(b"name=J\xfcrgen", Err(NOBODY));
    check(b"session=J\xfcrgen", Err(MALFORMED));
    check("session=Jürgen".as_bytes(), Err(MALFORMED));
}

#[test]
fn a_cookie_that_another_site_may_be_using_proves_nothing() {
    let token = hs256(&claims());
    let cookie = format!("session={token}");
    let cookie = ("cookie", cookie.as_bytes());
    let check = |more: &[(&str, &[u8])], expected: Result<&str, (u16, &str)>| {
        let headers: Vec<_> = std::iter::once(cookie)
            .chain(more.iter().copied())
            .collect();
        let now = Timestamp::from_unix_seconds(NOW);
        let outcome = ask_with(&with_everything(), &headers, CookieUse::Forged, now);
        let outcome = match &outcome {
            Ok(user) => Ok(user.as_str()),
            Err(problem) => Err((problem.status().as_u16(), problem.details().error.as_str())),
        };
        assert_eq!(outcome, expected, "{headers:?}");
    };
    check(&[], Err((403, FORGED)));
    // What a browser adds by itself to a form of another site, for a gate in front of us.
    check(
        &[("authorization", b"Basic Z2F0ZTpnYXRl")],
        Err((403, FORGED)),
    );
    check(&[("authorization", b"Negotiate YII=")], Err((403, FORGED)));
    let bearer = format!("Bearer {token}");
    check(&[("authorization", bearer.as_bytes())], Ok("ada"));
    // A server that passes its browser's headers on.
    let secret = ("x-internal-secret", INTERNAL_SECRET.as_bytes());
    check(&[secret, ("x-user-id", b"eve")], Ok("ada"));
    let wrong = ("x-internal-secret", &b"wrong"[..]);
    check(&[wrong], Err((401, WRONG_SECRET)));

    let now = Timestamp::from_unix_seconds(NOW);
    let other = [("cookie", &b"theme=dark"[..])];
    let outcome = ask_with(&with_everything(), &other, CookieUse::Forged, now);
    assert_eq!(
        outcome.map_err(|problem| problem.status().as_u16()),
        Err(401)
    );
}

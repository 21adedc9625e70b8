use base64::engine::general_purpose::STANDARD;

use super::*;

const BODY: &[u8] = br#"{"type":"subscription.active"}"#;
const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3";
const SENT: i64 = 1_760_000_000;
const BY_TEXT: &str = "v1,db5Dbnd5Jfz0rN3Qlqe2PAWkp+/3qAaze1Iz8ClBJsE=";
const BY_BASE64: &str = "v1,y5HzdghGDhBL2uA1R9I0Yfitkh5FkDzG6I56D4py5MA=";

const GENUINE: Headers<'static> = Headers {
    id: Some("msg_1"),
    timestamp: Some("1760000000"),
    signature: Some(BY_TEXT),
};

fn keys(secret: &str) -> Keys {
    Keys::of(Some(secret)).unwrap_or_else(|error| panic!("{error}"))
}

fn verify_at(secret: &str, headers: Headers<'_>, body: &[u8], seconds: i64) -> Result<(), Refused> {
    let now = Timestamp::from_unix_seconds(seconds);
    let keys = keys(secret);
    keys.examine(headers, now)?.verify(body).map(|_| ())
}

fn verify(headers: Headers<'_>) -> Result<(), Refused> {
    verify_at(SECRET, headers, BODY, SENT)
}

fn signed(key: impl AsRef<[u8]>, id: &str, timestamp: &str, body: &[u8]) -> String {
    let mac = sign(key.as_ref(), id, timestamp, body).expect("any key will do");
    format!("v1,{}", STANDARD.encode(mac))
}

#[test]
fn both_keys_of_a_secret_are_tried() {
    let check = |signature: &str, expected| {
        let headers = Headers {
            signature: Some(signature),
            ..GENUINE
        };
        assert_eq!(verify(headers), expected, "{signature}");
    };
    check(BY_TEXT, Ok(()));
    check(BY_BASE64, Ok(()));
    check(&format!("{BY_BASE64} {BY_TEXT}"), Ok(()));
    check(&format!("v1a,AAAA v2,AAAA {BY_TEXT}"), Ok(()));
    check(&format!("v1,AAAA v1,not/base64! v1, , {BY_TEXT}"), Ok(()));
    check(&format!("v1,{} {BY_BASE64}", "A".repeat(43)), Ok(()));
    check("", Err(Refused::Mismatch));
    check("v1,", Err(Refused::Mismatch));
    check(&BY_TEXT.replace("v1,", "v2,"), Err(Refused::Mismatch));
    check(&BY_TEXT.replace("v1,", "V1,"), Err(Refused::Mismatch));
    check(&BY_TEXT.replace("v1,", ""), Err(Refused::Mismatch));
    check(&BY_TEXT.replace("v1,", "v1 "), Err(Refused::Mismatch));
    check(&BY_TEXT[..20], Err(Refused::Mismatch));
    check(&BY_TEXT.replace("db5D", "db5E"), Err(Refused::Mismatch));
    check(
        &format!("{}{BY_TEXT}", "v1,AAAA ".repeat(100)),
        Err(Refused::Mismatch),
    );
}

#[test]
fn the_vector_of_the_standard_fits() {
    let headers = Headers {
        id: Some("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk"),
        timestamp: Some("1649367553"),
        signature: Some("v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="),
    };
    let body = br#"{"email":"test@example.com","username":"test_user"}"#;
    let check = |secret, expected| {
        assert_eq!(
            verify_at(secret, headers, body, 1_649_367_553),
            expected,
            "{secret}"
        );
    };
    check("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", Ok(()));
    // The standard's libraries take the base64 without its prefix too.
    check("C2FVsBQIhrscChlQIMV+b5sSYspob7oD", Ok(()));
    check(
        "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oE",
        Err(Refused::Mismatch),
    );
}

#[test]
fn a_secret_that_is_no_base64_is_a_key_by_its_text() {
    let secret = "polar_whs_u4gZTGAhBpQfxkMyXJ0YWDTr3PrBpUvCgBL2k0Vbqns";
    let signature = signed(secret, "e1", "1760000000", BODY);
    let headers = Headers {
        id: Some("e1"),
        signature: Some(&signature),
        ..GENUINE
    };
    assert_eq!(verify_at(secret, headers, BODY, SENT), Ok(()));
}

#[test]
fn what_decodes_to_less_than_a_key_is_a_key_by_its_text_alone() {
    let check = |decoded: &[u8], is_key: bool| {
        let secret = format!("whsec_{}", STANDARD.encode(decoded));
        let by = |key: &[u8]| {
            let signature = signed(key, "msg_1", "1760000000", BODY);
            let headers = Headers {
                signature: Some(&signature),
                ..GENUINE
            };
            verify_at(&secret, headers, BODY, SENT)
        };
        assert_eq!(by(secret.as_bytes()), Ok(()));
        assert_eq!(by(decoded).is_ok(), is_key, "{} bytes", decoded.len());
    };
    check(b"0123456789abcdef01234567", true);
    check(b"0123456789abcdef0123456", false);
    check(b"0123456789abcdef012", false);
}

#[test]
fn what_cannot_be_a_secret_is_named_and_never_quoted() {
    let check = |secret: &str, expected: SecretError| {
        let error = Keys::of(Some(secret)).err().expect(secret);
        assert_eq!(error, expected, "{secret}");
        assert!(!error.to_string().contains(secret), "{error}");
    };
    check("whsec_", SecretError::Prefix);
    let signature = SecretError::Signature;
    check("v1,whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3", signature);
    check("v1,y5HzdghGDhBL2uA1R9I0Yfitkh5FkDzG6I56D4py5MA=", signature);
}

#[test]
fn base64_may_lack_its_padding() {
    let key = [7; 32];
    let padded = signed(key, "msg_1", "1760000000", BODY);
    let secret = format!("whsec_{}", STANDARD.encode(key));
    assert!(padded.ends_with('=') && secret.ends_with('='));
    let check = |secret: &str, signature: &str| {
        let headers = Headers {
            signature: Some(signature),
            ..GENUINE
        };
        let verified = verify_at(secret, headers, BODY, SENT);
        assert_eq!(verified, Ok(()), "{secret} {signature}");
    };
    for secret in [secret.as_str(), secret.trim_end_matches('=')] {
        check(secret, &padded);
        check(secret, padded.trim_end_matches('='));
    }
}

#[test]
fn an_unset_secret_accepts_nothing() {
    for secret in [None, Some("")] {
        let keys = Keys::of(secret).unwrap_or_else(|error| panic!("{error}"));
        let now = Timestamp::from_unix_seconds(SENT);
        // Not even what is signed with the empty key.
        let empty = signed("", "msg_1", "1760000000", BODY);
        let signed_so = Headers {
            signature: Some(&empty),
            ..GENUINE
        };
        for headers in [GENUINE, signed_so] {
            let refused = keys.examine(headers, now).map(|_| ());
            assert_eq!(refused, Err(Refused::NoSecret));
        }
    }
}

#[test]
fn the_body_is_signed_to_the_byte() {
    let check = |body: &[u8], expected| {
        assert_eq!(verify_at(SECRET, GENUINE, body, SENT), expected, "{body:?}");
    };
    check(BODY, Ok(()));
    check(b"", Err(Refused::Mismatch));
    check(
        br#"{"type": "subscription.active"}"#,
        Err(Refused::Mismatch),
    );
    check(
        b"{\"type\":\"subscription.active\"}\n",
        Err(Refused::Mismatch),
    );
    for at in 0..BODY.len() {
        let mut flipped = BODY.to_vec();
        flipped[at] ^= 1;
        check(&flipped, Err(Refused::Mismatch));
    }

    let odd = b"\n {\t\"type\" :\r\n\"x\" }  \n";
    let signature = signed(SECRET, "msg_1", "1760000000", odd);
    let headers = Headers {
        signature: Some(&signature),
        ..GENUINE
    };
    assert_eq!(verify_at(SECRET, headers, odd, SENT), Ok(()));
    assert_eq!(
        verify_at(SECRET, headers, odd.trim_ascii(), SENT),
        Err(Refused::Mismatch)
    );
}

#[test]
fn a_delivery_is_recent_for_five_minutes_each_way() {
    let check = |seconds, expected| {
        assert_eq!(
            verify_at(SECRET, GENUINE, BODY, SENT + seconds),
            expected,
            "{seconds} s"
        );
    };
    check(0, Ok(()));
    check(300, Ok(()));
    check(-300, Ok(()));
    check(301, Err(Refused::Stale));
    check(-301, Err(Refused::Stale));
}

#[test]
fn a_timestamp_is_a_number_of_seconds() {
    let check = |timestamp: &str, expected| {
        // Signed as it stands, so that nothing but its form is wrong.
        let signature = signed(SECRET, "msg_1", timestamp, BODY);
        let headers = Headers {
            timestamp: Some(timestamp),
            signature: Some(&signature),
            ..GENUINE
        };
        assert_eq!(verify(headers), expected, "{timestamp:?}");
    };
    check("1760000000", Ok(()));
    check("1760000000000", Err(Refused::Stale));
    check("0", Err(Refused::Stale));
    check("9223372036854775807", Err(Refused::Stale));
    check("9223372036854775808", Err(Refused::Rfc3339));
    check("-1760000000", Err(Refused::Rfc3339));
    check("+1760000000", Err(Refused::Rfc3339));
    check("1760000000.0", Err(Refused::Rfc3339));
    check(" 1760000000", Err(Refused::Rfc3339));
    check("1.76e9", Err(Refused::Rfc3339));
    check("2025-10-09T08:53:20Z", Err(Refused::Rfc3339));
    check("now", Err(Refused::Rfc3339));
    check("", Err(Refused::Rfc3339));
}

#[test]
fn an_id_leaves_one_way_to_cut_what_is_signed() {
    let check = |id: &str, expected| {
        let signature = signed(SECRET, id, "1760000000", BODY);
        let headers = Headers {
            id: Some(id),
            signature: Some(&signature),
            ..GENUINE
        };
        assert_eq!(verify(headers), expected, "{id:?}");
    };
    check("msg_1", Ok(()));
    check("01980c6f-5e1c-7b8e-9c55-0a4de1f3a111", Ok(()));
    check(&"x".repeat(256), Ok(()));
    check(&"x".repeat(257), Err(Refused::Id));
    check("", Err(Refused::Id));
    check("subscription.active.1", Ok(()));
    check("a.1760000000.{}", Err(Refused::Id));
    check("a b", Err(Refused::Id));
    check("ü", Err(Refused::Id));
}

#[test]
fn every_header_is_needed_and_every_part_is_signed() {
    let check = |headers: Headers<'_>, expected| {
        assert_eq!(verify(headers), expected, "{headers:?}");
    };
    let without_id = Headers {
        id: None,
        ..GENUINE
    };
    check(without_id, Err(Refused::Missing("webhook-id")));
    let without_timestamp = Headers {
        timestamp: None,
        ..GENUINE
    };
    check(
        without_timestamp,
        Err(Refused::Missing("webhook-timestamp")),
    );
    let without_signature = Headers {
        signature: None,
        ..GENUINE
    };
    check(
        without_signature,
        Err(Refused::Missing("webhook-signature")),
    );
    let other_id = Headers {
        id: Some("msg_2"),
        ..GENUINE
    };
    check(other_id, Err(Refused::Mismatch));
    let other_time = Headers {
        timestamp: Some("1760000001"),
        ..GENUINE
    };
    check(other_time, Err(Refused::Mismatch));
}

#[test]
fn what_the_headers_alone_show_needs_no_body() {
    let keys = keys(SECRET);
    let now = Timestamp::from_unix_seconds(SENT);
    let check = |headers: Headers<'_>, expected: Result<(), Refused>| {
        assert_eq!(keys.examine(headers, now).map(|_| ()), expected);
    };
    check(GENUINE, Ok(()));
    let forged = Headers {
        signature: Some("v1,AAAA"),
        ..GENUINE
    };
    check(forged, Ok(()));
    let old = Headers {
        timestamp: Some("1759999699"),
        ..GENUINE
    };
    check(old, Err(Refused::Stale));
    let nameless = Headers {
        id: Some(""),
        ..GENUINE
    };
    check(nameless, Err(Refused::Id));
    check(Headers::default(), Err(Refused::Missing("webhook-id")));
}

#[test]
fn a_genuine_delivery_tells_its_id_and_time() {
    let keys = keys(SECRET);
    let delivery = keys
        .examine(GENUINE, Timestamp::from_unix_seconds(SENT))
        .and_then(|claim| claim.verify(BODY));
    let expected = Delivery {
        id: "msg_1",
        sent_at_seconds: SENT,
    };
    assert_eq!(delivery, Ok(expected));
}

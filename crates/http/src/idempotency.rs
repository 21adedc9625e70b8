//! The mark of a write: the same for a retry with the same `Idempotency-Key`, else random.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::HeaderValue;
use serde_json::Value;
use sha2::{Digest, Sha256};
use talktime_spin::HOST;
use talktime_store::{Environment, WriteMark};
use talktime_usage::{Fingerprint, Repeat, UserId, WriteId};
use talktime_wire::problem::Code;

use crate::body::parse_json;
use crate::problem::Problem;

/// The header that makes a retry safe.
pub(crate) const HEADER: &str = "idempotency-key";

/// The most characters that a key may have.
const KEY_CHARACTERS_MAX: usize = 128;
/// 128 bits of a digest: nobody finds two keys with the same mark.
const DIGEST_CHARACTERS: usize = 32;

/// What makes a retry known.
pub(crate) struct Idempotency {
    /// The values of the header.
    pub(crate) keys: Vec<HeaderValue>,
    /// The route's path, as the table has it.
    pub(crate) route: &'static str,
    /// By it another request with the same key is known.
    pub(crate) body: Bytes,
}

impl Idempotency {
    /// The mark of the write that the request asks for. A key counts for its route and its user alone.
    ///
    /// # Errors
    /// 400 when the key has another form than 1 to 128 printable ASCII characters, bare or as a quoted string (the form
    /// of the IETF's draft).
    pub(crate) fn mark(&self, user: &UserId) -> Result<WriteMark, Problem> {
        let value = match self.keys.as_slice() {
            [] => return Ok(WriteMark::Once(WriteId::from_bits(HOST.random()))),
            [value] => Some(value),
            _ => None,
        };
        let key = value
            .and_then(|value| value.to_str().ok())
            .and_then(unquoted)
            .filter(|key| (1..=KEY_CHARACTERS_MAX).contains(&key.len()))
            .filter(|key| key.bytes().all(|byte| matches!(byte, b' '..=b'~')))
            .ok_or_else(|| {
                Problem::new(
                    Code::IdempotencyKeyInvalid,
                    format!(
                        "Idempotency-Key must have 1 to {KEY_CHARACTERS_MAX} printable ASCII characters"
                    ),
                )
            })?;
        Ok(WriteMark::Repeatable(Repeat {
            id: write_id_from(&[self.route, user.as_str(), &key]),
            fingerprint: Some(fingerprint(&self.body)),
        }))
    }
}

/// A mark that is the same for the same parts, such as the id of an event.
pub fn write_id_from(parts: &[&str]) -> WriteId {
    let mut hash = Sha256::new();
    for part in parts {
        // With its length before it, no part can be mistaken for two.
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut digits = format!("{:x}", hash.finalize());
    digits.truncate(DIGEST_CHARACTERS);
    hexadecimal(&digits)
}

#[expect(clippy::expect_used, reason = "32 hexadecimal digits are always an id")]
fn hexadecimal(digits: &str) -> WriteId {
    WriteId::parse(digits).expect("hexadecimal digits")
}

/// What tells a request from another one with the same key: what its body says, however it is written. A retry may be
/// written anew, with other spaces or its fields in another order.
fn fingerprint(body: &[u8]) -> Fingerprint {
    let written = match parse_json::<BTreeMap<String, Value>>(body) {
        Ok(fields) => serde_json::to_vec(&fields).unwrap_or_default(),
        Err(_) => body.to_vec(),
    };
    let digest = Sha256::digest(written);
    let leading = digest.iter().take(16);
    Fingerprint::from_digest(leading.fold(0, |bits, byte| (bits << 8) | u128::from(*byte)))
}

/// The text of a quoted string (RFC 8941, section 3.3.3), or the bare text.
fn unquoted(text: &str) -> Option<String> {
    let Some(rest) = text.strip_prefix('"') else {
        return Some(text.to_owned());
    };
    let mut key = String::new();
    let mut characters = rest.chars();
    loop {
        match characters.next()? {
            '"' => return characters.next().is_none().then_some(key),
            '\\' => key.push(
                characters
                    .next()
                    .filter(|escaped| matches!(escaped, '"' | '\\'))?,
            ),
            character => key.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(route: &'static str, user: &str, keys: &[&[u8]]) -> Result<WriteMark, Problem> {
        let keys = keys.iter().map(|key| HeaderValue::from_bytes(key));
        let idempotency = Idempotency {
            keys: keys.collect::<Result<_, _>>().expect("headers"),
            route,
            body: Bytes::new(),
        };
        idempotency.mark(&UserId::parse(user).expect("a user"))
    }

    fn outcome(route: &'static str, user: &str, key: &[u8]) -> Result<String, Code> {
        match mark(route, user, &[key]) {
            Ok(WriteMark::Repeatable(Repeat { id, fingerprint })) => {
                assert!(fingerprint.is_some(), "another body is another request");
                Ok(id.as_str().to_owned())
            }
            Ok(WriteMark::Once(id)) => panic!("a key is not heard, but {id} drawn"),
            Err(problem) => Err(problem.code()),
        }
    }

    #[test]
    fn the_same_key_of_the_same_user_and_route_is_the_same_write() {
        let first = outcome("/start", "ada", b"k1").expect("a key");
        assert_eq!(first.len(), 32);
        assert_eq!(
            outcome("/start", "ada", b"k1").as_deref(),
            Ok(first.as_str())
        );
        assert_eq!(
            outcome("/start", "ada", b"\"k1\"").as_deref(),
            Ok(first.as_str())
        );
        for (route, user, key) in [
            ("/end", "ada", "k1"),
            ("/start", "eve", "k1"),
            ("/start", "ada", "k2"),
        ] {
            assert_ne!(
                outcome(route, user, key.as_bytes()).as_deref(),
                Ok(first.as_str())
            );
        }
        assert_ne!(write_id_from(&["a", "bc"]), write_id_from(&["ab", "c"]));
    }

    #[test]
    fn a_write_id_is_pinned_so_that_a_new_version_knows_the_old_ones() {
        assert_eq!(
            write_id_from(&["polar", "evt_1"]).as_str(),
            "a72032218e9db33c2557f8ba4a9ea3cd"
        );
    }

    #[test]
    fn a_fingerprint_is_of_what_the_body_says() {
        let check = |one: &str, other: &str, same: bool| {
            assert_eq!(
                fingerprint(one.as_bytes()) == fingerprint(other.as_bytes()),
                same,
                "{one} {other}"
            );
        };
        let body = r#"{"sessionId":"a","reason":"error"}"#;
        check(body, body, true);
        check(body, r#" { "reason": "error", "sessionId": "a" } "#, true);
        check("", "{}", true);
        check(body, r#"{"sessionId":"b","reason":"error"}"#, false);
        check(body, r#"{"sessionId":"a"}"#, false);
        check(body, "", false);
        check("a", "b", false);
        // The same in the next version: retries come across an update.
        assert_eq!(
            fingerprint(b"{}").as_str(),
            "44136fa355b3678a1146ad16f7e8649e"
        );
    }

    #[test]
    fn keys_have_1_to_128_printable_ascii_characters() {
        let check = |key: &[u8], good: bool| {
            let expected = if good {
                Ok(())
            } else {
                Err(Code::IdempotencyKeyInvalid)
            };
            assert_eq!(
                outcome("/start", "ada", key).map(|_| ()),
                expected,
                "{key:?}"
            );
        };
        check(b"a", true);
        check(b"a b/{}~", true);
        check(&[b'x'; 128], true);
        check(br#""a \"quoted\" \\ key""#, true);
        check(b"", false);
        check(&[b'x'; 129], false);
        check("ü".as_bytes(), false);
        check(b"a\tb", false);
        check(b"\"\"", false);
        check(b"\"open", false);
        check(b"\"a\";q=1", false);
        check(br#""bad \escape""#, false);
    }

    #[test]
    fn two_keys_are_none_and_no_key_is_random() {
        let drawn = || match mark("/start", "ada", &[]) {
            Ok(WriteMark::Once(id)) => id,
            other => panic!("no mark of its own: {other:?}"),
        };
        let (one, two) = (drawn(), drawn());
        assert_eq!(one.as_str().len(), 16);
        assert_ne!(one, two);
        assert!(mark("/start", "ada", &[b"a", b"a"]).is_err());
    }
}

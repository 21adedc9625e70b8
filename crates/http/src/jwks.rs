//! The keys that verify tokens, from configuration alone: a shared secret, or a JSON Web Key Set (RFC 7517).
//!
//! A key belongs to exactly one algorithm. The token's header only picks among the keys; it never says how one is used.

use std::fmt;

use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use serde::Deserialize;
use serde::de::IgnoredAny;

use talktime_config::Misconfigured;

/// The variable that holds the shared secret of HS256.
pub const SECRET_VARIABLE: &str = "auth_jwt_secret";
/// The variable that holds the JSON Web Key Set.
pub const JWKS_VARIABLE: &str = "auth_jwks";

/// RFC 7518, section 3.2: an HMAC key has at least the size of the hash.
const HMAC_SECRET_BYTES_MIN: usize = 32;
/// RFC 7518, section 3.3: RSA keys of 2048 bits or more. The upper bound is that of the `rsa` crate.
const RSA_MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=512;
/// More keys than any issuer publishes; a bound for the search.
const KEYS_MAX: usize = 64;

/// A key and the one algorithm that it is for.
#[derive(Clone)]
pub struct Key {
    id: Option<String>,
    pub(crate) algorithm: Algorithm,
    pub(crate) decoding: DecodingKey,
}

/// All keys that verify tokens.
#[derive(Clone, Debug, Default)]
pub struct Keys(Vec<Key>);

/// Why no key fits a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoKey {
    /// No key is for the token's algorithm.
    Algorithm,
    /// There are keys for the algorithm, and the token does not name one of them.
    Id,
}

impl Keys {
    /// From the two variables; either may be absent.
    ///
    /// # Errors
    /// When the set has no usable key or a broken one.
    pub fn parse(secret: Option<&str>, jwks: Option<&str>) -> Result<Self, Misconfigured> {
        let mut keys = Vec::new();
        if let Some(secret) = secret.filter(|secret| !secret.is_empty()) {
            keys.push(shared_secret(secret));
        }
        if let Some(jwks) = jwks.filter(|jwks| !jwks.trim().is_empty()) {
            keys.extend(key_set(jwks).map_err(|why| Misconfigured::new(JWKS_VARIABLE, why))?);
        }
        Ok(Self(keys))
    }

    /// Whether no token can be verified.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The key for a token of this algorithm and key id.
    ///
    /// The shared secret has no id: any token of its algorithm is for it. Of the set's keys, the one of that id; a token
    /// without an id fits only where there is no choice.
    ///
    /// # Errors
    /// When there is none.
    pub fn find(&self, algorithm: Algorithm, id: Option<&str>) -> Result<&Key, NoKey> {
        let mut fitting = self.0.iter().filter(|key| key.algorithm == algorithm);
        let first = fitting.clone().next().ok_or(NoKey::Algorithm)?;
        if algorithm == Algorithm::HS256 {
            return Ok(first);
        }
        match id {
            Some(id) => fitting
                .find(|key| key.id.as_deref() == Some(id))
                .ok_or(NoKey::Id),
            None if fitting.count() == 1 => Ok(first),
            None => Err(NoKey::Id),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// A short secret is used as it is, with a word in the log: the issuer chose it, and refusing it here would lock all of
/// the issuer's users out without making one token safer.
fn shared_secret(secret: &str) -> Key {
    if secret.len() < HMAC_SECRET_BYTES_MIN {
        eprintln!(
            "auth_jwt_secret has fewer than {HMAC_SECRET_BYTES_MIN} bytes (RFC 7518, section 3.2): choose a longer one"
        );
    }
    Key {
        id: None,
        algorithm: Algorithm::HS256,
        decoding: DecodingKey::from_secret(secret.as_bytes()),
    }
}

/// A JSON Web Key Set, of which only what verifies signatures is read.
#[derive(Deserialize)]
struct Set {
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    /// The private part.
    d: Option<IgnoredAny>,
}

fn key_set(text: &str) -> Result<Vec<Key>, String> {
    let set: Set = serde_json::from_str(text).map_err(|error| {
        // Only the place: serde's own message may quote the value.
        format!(
            "is not a JSON Web Key Set: see line {}, column {}",
            error.line(),
            error.column()
        )
    })?;
    if set.keys.len() > KEYS_MAX {
        return Err(format!("has more than {KEYS_MAX} keys"));
    }
    let mut keys: Vec<Key> = Vec::new();
    for (index, jwk) in set.keys.iter().enumerate() {
        let Some(algorithm) = jwk.algorithm() else {
            continue;
        };
        let decoding = jwk
            .decoding_key(algorithm)
            .map_err(|why| format!("key {index} {why}"))?;
        let id = jwk.kid.clone();
        if id.is_some()
            && keys
                .iter()
                .any(|key| key.algorithm == algorithm && key.id == id)
        {
            return Err(format!("key {index} has the kid of another key"));
        }
        keys.push(Key {
            id,
            algorithm,
            decoding,
        });
    }
    if keys.is_empty() {
        return Err("has no key for RS256, ES256 or EdDSA signatures".to_owned());
    }
    Ok(keys)
}

impl Jwk {
    /// The algorithm that it verifies, or `None` for a key that is for something else and is passed over, as RFC 7517
    /// asks. Symmetric keys are passed over too: a set of public keys is no place for a secret.
    fn algorithm(&self) -> Option<Algorithm> {
        let verifies = self
            .key_ops
            .as_ref()
            .is_none_or(|operations| operations.iter().any(|operation| operation == "verify"));
        if !verifies || self.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return None;
        }
        match (self.kty.as_str(), self.crv.as_deref(), self.alg.as_deref()) {
            ("RSA", _, None | Some("RS256")) => Some(Algorithm::RS256),
            ("EC", Some("P-256"), None | Some("ES256")) => Some(Algorithm::ES256),
            ("OKP", Some("Ed25519"), None | Some("EdDSA" | "Ed25519")) => Some(Algorithm::EdDSA),
            _ => None,
        }
    }

    fn decoding_key(&self, algorithm: Algorithm) -> Result<DecodingKey, String> {
        if self.d.is_some() {
            return Err("holds a private key; give only the public part".to_owned());
        }
        let part = |name: &str, value: &Option<String>| {
            value.clone().ok_or_else(|| format!("has no member {name}"))
        };
        let key = match algorithm {
            Algorithm::RS256 => {
                DecodingKey::from_rsa_components(&part("n", &self.n)?, &part("e", &self.e)?)
            }
            Algorithm::ES256 => {
                DecodingKey::from_ec_components(&part("x", &self.x)?, &part("y", &self.y)?)
            }
            _ => DecodingKey::from_ed_components(&part("x", &self.x)?),
        }
        .map_err(|_| "is not base64url".to_owned())?;
        check_size(algorithm, key.kind())?;
        // A trial shows whether the point lies on the curve: a broken key is an error, a wrong signature is not.
        jsonwebtoken::crypto::verify("", b"", &key, algorithm)
            .map_err(|_| "is not a point on its curve".to_owned())?;
        Ok(key)
    }
}

fn check_size(algorithm: Algorithm, key: &DecodingKeyKind) -> Result<(), String> {
    match key {
        DecodingKeyKind::RsaModulusExponent { n, e } => {
            let significant = n.len() - n.iter().take_while(|byte| **byte == 0).count();
            if !RSA_MODULUS_BYTES.contains(&significant) {
                return Err("must have 2048 to 4096 bits".to_owned());
            }
            let exponent_is_odd = e.last().is_some_and(|byte| byte % 2 == 1);
            let exponent_is_one = e.iter().rev().skip(1).all(|byte| *byte == 0)
                && e.last().is_some_and(|byte| *byte == 1);
            if !exponent_is_odd || exponent_is_one {
                return Err("has an exponent that is even or one".to_owned());
            }
        }
        // The library cuts an Ed25519 key to 32 bytes and panics on a shorter one; an EC point has a mark before
        // its two coordinates.
        DecodingKeyKind::SecretOrDer(bytes) => {
            let expected = if algorithm == Algorithm::ES256 {
                65
            } else {
                32
            };
            if bytes.len() != expected {
                return Err("has coordinates of a wrong length".to_owned());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED25519: &str = r#"{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

    fn check(jwks: &str, expected: Result<usize, &str>) {
        let outcome = Keys::parse(None, Some(jwks)).map(|keys| keys.0.len());
        let outcome = outcome.as_ref().map_err(|error| {
            assert_eq!(error.variable, "auth_jwks");
            error.reason.as_str()
        });
        assert_eq!(
            outcome,
            expected.as_ref().map_err(|reason| *reason),
            "{jwks}"
        );
    }

    #[test]
    fn a_set_is_checked_when_it_is_read() {
        check(&format!(r#"{{"keys":[{ED25519}]}}"#), Ok(1));
        check(
            "not a set",
            Err("is not a JSON Web Key Set: see line 1, column 2"),
        );
        check(
            ED25519,
            Err("is not a JSON Web Key Set: see line 1, column 89"),
        );
        check(
            r#"{"keys":[]}"#,
            Err("has no key for RS256, ES256 or EdDSA signatures"),
        );
        check(
            r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#,
            Err("has no key for RS256, ES256 or EdDSA signatures"),
        );
        check(
            r#"{"keys":[{"kty":"OKP","crv":"Ed25519","use":"enc","x":"AA"}]}"#,
            Err("has no key for RS256, ES256 or EdDSA signatures"),
        );
        check(
            r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AA"}]}"#,
            Err("key 0 has coordinates of a wrong length"),
        );
        check(
            r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"!"}]}"#,
            Err("key 0 is not base64url"),
        );
        check(
            r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AA","d":"AA"}]}"#,
            Err("key 0 holds a private key; give only the public part"),
        );
        check(
            r#"{"keys":[{"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}"#,
            Err("key 0 is not a point on its curve"),
        );
        check(
            r#"{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}"#,
            Err("key 0 must have 2048 to 4096 bits"),
        );
        check(
            r#"{"keys":[{"kty":"RSA","e":"AQAB"}]}"#,
            Err("key 0 has no member n"),
        );
        check(
            &format!(r#"{{"keys":[{ED25519},{ED25519}]}}"#),
            Err("key 1 has the kid of another key"),
        );
    }

    #[test]
    fn a_short_secret_is_used_and_an_empty_one_is_none() {
        assert!(!Keys::parse(Some("short"), None).expect("used").is_empty());
        assert!(Keys::parse(Some(""), Some(" ")).expect("unset").is_empty());
    }

    #[test]
    fn keys_do_not_show_themselves() {
        let keys = Keys::parse(Some(&"s".repeat(32)), None).expect("usable");
        assert_eq!(
            format!("{keys:?}"),
            "Keys([Key { id: None, algorithm: HS256, .. }])"
        );
    }
}

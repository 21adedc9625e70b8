//! The keys that verify tokens, from configuration alone: a shared secret, or a JSON Web Key Set (RFC 7517).
//!
//! A key belongs to exactly one algorithm. The token's header only picks among the keys; it never says how one is used.

use std::fmt;

use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use talktime_spin::{Misconfigured, check_secret};

/// The variable that holds the shared secret of HS256.
pub const SECRET_VARIABLE: &str = "auth_jwt_secret";
/// The variable that holds the JSON Web Key Set.
pub const JWKS_VARIABLE: &str = "auth_jwks";

/// RFC 7518, section 3.3: RSA keys of 2048 bits or more. The upper bound is that of the `rsa` crate.
const RSA_MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=512;
/// More keys than any issuer publishes; a bound for the search.
const KEYS_MAX: usize = 64;
/// More than any issuer publishes under one id; each may cost a token that nobody signed one verification.
const KEYS_OF_AN_ID_MAX: usize = 4;

/// A key and the one algorithm that it is for.
#[derive(Clone)]
pub struct Key {
    id: Option<String>,
    pub(crate) algorithm: Algorithm,
    pub(crate) decoding: DecodingKey,
}

/// All keys that verify tokens.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    keys: Vec<Key>,
    remarks: Vec<String>,
}

/// Why no key fits a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoKey {
    /// No key is for the token's algorithm.
    Algorithm,
    /// There are keys for the algorithm, and the token does not name one of them.
    Id,
}

impl Keys {
    /// From the two variables; either may be absent. A key of the set that cannot be used is passed over with a remark:
    /// whoever publishes it must not lock out the users of all others.
    ///
    /// # Errors
    /// When the secret is weak, or the set cannot be read or has no usable key.
    pub fn parse(secret: Option<&str>, jwks: Option<&str>) -> Result<Self, Misconfigured> {
        let mut all = Self::default();
        if let Some(secret) = secret.filter(|secret| !secret.is_empty()) {
            check_secret(SECRET_VARIABLE, secret)?;
            all.keys.push(Key {
                id: None,
                algorithm: Algorithm::HS256,
                decoding: DecodingKey::from_secret(secret.as_bytes()),
            });
        }
        if let Some(jwks) = jwks.filter(|jwks| !jwks.trim().is_empty()) {
            let set = key_set(jwks).map_err(|why| Misconfigured::new(JWKS_VARIABLE, why))?;
            all.keys.extend(set.keys);
            all.remarks = set.remarks;
        }
        Ok(all)
    }

    /// Whether no token can be verified.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// What was passed over, each a line for the log.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// The keys that may have signed a token of this algorithm and key id.
    ///
    /// The shared secret has no id: any token of its algorithm is for it. Of the set's keys, those of that id, which are
    /// one unless the issuer made a mistake; a token without an id fits only where there is no choice.
    ///
    /// # Errors
    /// When there is none.
    pub fn find(&self, algorithm: Algorithm, id: Option<&str>) -> Result<Vec<&Key>, NoKey> {
        let mut fitting: Vec<&Key> = self
            .keys
            .iter()
            .filter(|key| key.algorithm == algorithm)
            .collect();
        if fitting.is_empty() {
            return Err(NoKey::Algorithm);
        }
        if algorithm == Algorithm::HS256 {
            return Ok(fitting);
        }
        match id {
            Some(id) => fitting.retain(|key| key.id.as_deref() == Some(id)),
            None if fitting.len() == 1 => {}
            None => return Err(NoKey::Id),
        }
        if fitting.is_empty() {
            return Err(NoKey::Id);
        }
        Ok(fitting)
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

/// A JSON Web Key Set, of which only what verifies signatures is read.
#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
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

fn key_set(text: &str) -> Result<Keys, String> {
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
    let mut usable = Keys::default();
    for (index, jwk) in set.keys.into_iter().enumerate() {
        match key(jwk) {
            Ok(Some(key)) => {
                let of_that_id = usable.keys.iter().filter(|other| {
                    key.id.is_some() && other.algorithm == key.algorithm && other.id == key.id
                });
                if of_that_id.count() < KEYS_OF_AN_ID_MAX {
                    usable.keys.push(key);
                } else {
                    usable.remarks.push(format!(
                        "key {index} has the kid of {KEYS_OF_AN_ID_MAX} others"
                    ));
                }
            }
            Ok(None) => {}
            Err(why) => usable.remarks.push(format!("key {index} {why}")),
        }
    }
    if usable.keys.is_empty() {
        let none = "has no usable key for RS256, ES256 or EdDSA signatures";
        return Err(match usable.remarks.as_slice() {
            [] => none.to_owned(),
            remarks => format!("{none}: {}", remarks.join("; ")),
        });
    }
    Ok(usable)
}

/// One key of a set; `None` where it is for something else.
fn key(jwk: Value) -> Result<Option<Key>, String> {
    // serde's own message may quote the value.
    let jwk: Jwk = serde_json::from_value(jwk).map_err(|_| "is not a JSON Web Key".to_owned())?;
    let Some(algorithm) = jwk.algorithm() else {
        return Ok(None);
    };
    Ok(Some(Key {
        decoding: jwk.decoding_key(algorithm)?,
        algorithm,
        id: jwk.kid,
    }))
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
mod tests;

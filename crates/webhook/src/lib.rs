//! Standard Webhooks signatures, <https://www.standardwebhooks.com>: whether a delivery is its sender's, untouched and recent.
//! The billing provider signs so, and the voice provider.
//!
//! The `standardwebhooks` crate reads the clock by itself, so a test could not pin it; the rule is small enough to stand
//! here on the HMAC crates.

use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, Engine};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};
use talktime_usage::Timestamp;

/// How far the sender's clock and ours may be apart, both ways: what Standard Webhooks asks for.
const TOLERANCE_SECONDS: u64 = 300;

/// More than any id that a provider gives; an id is kept in the user's state.
const ID_LENGTH_MAX: usize = 256;

/// More than a provider sends while it changes over from one secret to the next.
const SIGNATURES_MAX: usize = 32;

const PREFIX: &str = "whsec_";

const SIGNATURE_PREFIX: &str = "v1,";

/// Standard Webhooks asks for keys of 24 to 64 bytes. A shorter one is no key: the secret's text happens to be base64.
const DECODED_BYTES_MIN: usize = 24;

/// As lenient about missing padding as the provider's own library, which would otherwise take a secret that this does not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The headers of a delivery that its signature depends on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Headers<'a> {
    /// `webhook-id`.
    pub id: Option<&'a str>,
    /// `webhook-timestamp`.
    pub timestamp: Option<&'a str>,
    /// `webhook-signature`.
    pub signature: Option<&'a str>,
}

/// What the headers of a genuine delivery say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery<'a> {
    /// The event's id, the same each time that it is delivered.
    pub id: &'a str,
    /// When this delivery was sent, in seconds since the epoch.
    pub sent_at_seconds: i64,
}

/// Why a delivery is not taken. For the log: the sender is told nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nobody can be genuine.
    #[error("its secret is not set, so no webhook is accepted")]
    NoSecret,
    /// A header is not there.
    #[error("the header {0} is missing")]
    Missing(&'static str),
    /// The id is empty, too long, or holds a brace or something unprintable.
    #[error("webhook-id is not an id")]
    Id,
    /// Not a number of seconds.
    #[error("webhook-timestamp is not a number of seconds")]
    Rfc3339,
    /// Too old, or from the future: a replay, or one of the clocks is wrong.
    #[error("webhook-timestamp is more than {TOLERANCE_SECONDS} s from this clock")]
    Stale,
    /// No signature is made with the secret over this id, time and body.
    #[error("no signature fits: the secret is another one, or the body was changed on its way")]
    Mismatch,
}

/// Why a text is no secret of the provider's. It never quotes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Nothing stands behind the prefix.
    #[error("is only the beginning that all secrets of the provider have")]
    Prefix,
    /// It was copied from a delivery.
    #[error("begins as a signature does: the secret is what stands after the comma")]
    Signature,
}

/// The keys that a secret stands for.
pub struct Keys(Vec<Vec<u8>>);

/// What the headers of a delivery claim, before its body is there to prove it.
#[derive(Clone, Copy)]
pub struct Claim<'a> {
    keys: &'a Keys,
    id: &'a str,
    timestamp: &'a str,
    sent_at_seconds: i64,
    signature: &'a str,
}

impl Keys {
    /// The keys of the configured secret, none where it is not set. Polar changed its own rule in September 2026, and a
    /// secret does not show from which side of that it comes: so there are two keys, the text itself and, where it decodes
    /// to one that is long enough, the base64 in it.
    ///
    /// Whether others could guess it is for the caller to judge, as with every other secret.
    ///
    /// # Errors
    /// When it is not a secret of the provider's at all.
    pub fn of(secret: Option<&str>) -> Result<Self, SecretError> {
        let Some(secret) = secret.filter(|secret| !secret.is_empty()) else {
            return Ok(Self(Vec::new()));
        };
        let encoded = secret.strip_prefix(PREFIX).unwrap_or(secret);
        if encoded.is_empty() {
            return Err(SecretError::Prefix);
        }
        if secret.starts_with(SIGNATURE_PREFIX) {
            return Err(SecretError::Signature);
        }
        let decoded = BASE64
            .decode(encoded)
            .ok()
            .filter(|key| key.len() >= DECODED_BYTES_MIN);
        Ok(Self(
            std::iter::once(secret.as_bytes().to_vec())
                .chain(decoded)
                .collect(),
        ))
    }

    /// Looks at all that can be judged without the body, so that nobody makes us wait for one in vain.
    ///
    /// # Errors
    /// When the delivery cannot be genuine, or is not recent.
    pub fn examine<'a>(
        &'a self,
        headers: Headers<'a>,
        now: Timestamp,
    ) -> Result<Claim<'a>, Refused> {
        if self.0.is_empty() {
            return Err(Refused::NoSecret);
        }
        let id = headers.id.ok_or(Refused::Missing("webhook-id"))?;
        let timestamp = headers
            .timestamp
            .ok_or(Refused::Missing("webhook-timestamp"))?;
        let signature = headers
            .signature
            .ok_or(Refused::Missing("webhook-signature"))?;
        // What is signed is joined by dots. Without a brace in the id, and with a body that is a JSON object, there is
        // one way only to cut it: nobody can pass a part of a genuine event off as another one.
        let is_id = (1..=ID_LENGTH_MAX).contains(&id.len())
            && id
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b'{');
        if !is_id {
            return Err(Refused::Id);
        }
        // Digits only: the number would read a sign too, which then is not in what was signed.
        let sent_at_seconds: i64 = timestamp
            .parse()
            .ok()
            .filter(|_| timestamp.bytes().all(|byte| byte.is_ascii_digit()))
            .ok_or(Refused::Rfc3339)?;
        if sent_at_seconds.abs_diff(now.unix_seconds()) > TOLERANCE_SECONDS {
            return Err(Refused::Stale);
        }
        Ok(Claim {
            keys: self,
            id,
            timestamp,
            sent_at_seconds,
            signature,
        })
    }
}

impl<'a> Claim<'a> {
    /// Checks the body against the signatures.
    ///
    /// # Errors
    /// When none fits.
    pub fn verify(self, body: &[u8]) -> Result<Delivery<'a>, Refused> {
        let given: Vec<Vec<u8>> = self
            .signature
            .split(' ')
            .filter_map(|signature| signature.strip_prefix(SIGNATURE_PREFIX))
            .take(SIGNATURES_MAX)
            .filter_map(|signature| BASE64.decode(signature).ok())
            .collect();
        let mut genuine = Choice::from(0);
        for key in &self.keys.0 {
            let expected = sign(key, self.id, self.timestamp, body).ok_or(Refused::Mismatch)?;
            for given in &given {
                // Every one is compared, so that the time does not tell which fits.
                genuine |= given.as_slice().ct_eq(&expected);
            }
        }
        if bool::from(genuine) {
            Ok(Delivery {
                id: self.id,
                sent_at_seconds: self.sent_at_seconds,
            })
        } else {
            Err(Refused::Mismatch)
        }
    }
}

/// The signature of `id.timestamp.body`. An HMAC takes a key of any length, so there always is one.
fn sign(key: &[u8], id: &str, timestamp: &str, body: &[u8]) -> Option<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    Some(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests;

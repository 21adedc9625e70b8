//! JSON Web Tokens: signature, time, issuer and audience, and the user that a token is about.

use std::collections::HashSet;
use std::time::Duration;

use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Validation, decode, decode_header};
use serde::Deserialize;
use talktime_usage::{Timestamp, UserId};

use super::jwks::{Key, Keys, NoKey};
use talktime_spin::Misconfigured;

/// The variable that names the issuer.
pub const ISSUER_VARIABLE: &str = "auth_issuer";
/// The variable that lists the audiences.
pub const AUDIENCE_VARIABLE: &str = "auth_audience";
/// The value by which an operator says that any issuer or audience will do.
const ANY: &str = "*";

/// How far the issuer's clock may be from ours.
pub const LEEWAY: Duration = Duration::from_secs(30);

/// Longer than any access token in use, and well below what servers take as headers.
const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// Why a token proves nothing. The sentences say nothing of what the token holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// No key is configured.
    #[error("Tokens are not accepted here")]
    NotAccepted,
    /// Not a JWT, or with an algorithm, a header or claims that are not read.
    #[error("The token cannot be read")]
    Malformed,
    /// An algorithm that the configured keys are not for.
    #[error("The token is signed by an algorithm that is not accepted")]
    Algorithm,
    /// No configured key fits the token's `kid`, or it names none where there are several.
    #[error("The token is signed by a key that is not known")]
    UnknownKey,
    /// The signature is wrong.
    #[error("The token's signature is wrong")]
    Signature,
    /// No `exp`.
    #[error("The token has no expiry")]
    NoExpiry,
    /// `exp` is past.
    #[error("The token has expired")]
    Expired,
    /// `nbf` is ahead.
    #[error("The token is not valid yet")]
    NotYet,
    /// `iss` is missing or another one.
    #[error("The token is from another issuer")]
    Issuer,
    /// `aud` is missing or another one.
    #[error("The token is for another audience")]
    Audience,
    /// `sub` is missing or no id of a user.
    #[error("The token names no usable user")]
    Subject,
}

/// The claims that are read here; issuer and audience are checked by the library.
#[derive(Deserialize)]
struct Claims {
    exp: Option<f64>,
    nbf: Option<f64>,
    sub: Option<String>,
}

/// What verifies tokens.
#[derive(Clone, Debug)]
pub struct TokenVerifier {
    keys: Keys,
    issuer: Option<String>,
    /// A token must be for one of them; none means any.
    audiences: Vec<String>,
}

/// The issuer that a variable names; none where it is unset, or [`ANY`].
pub fn issuer(value: Option<&str>) -> Option<String> {
    value
        .map(str::trim)
        .filter(|issuer| !issuer.is_empty() && *issuer != ANY)
        .map(str::to_owned)
}

/// The audiences that a variable lists; none where it is unset, or [`ANY`].
///
/// # Errors
/// When [`ANY`] stands among others.
pub fn audiences(value: Option<&str>) -> Result<Vec<String>, Misconfigured> {
    let list: Vec<String> = value
        .unwrap_or_default()
        .split(|character: char| character == ',' || character.is_whitespace())
        .filter(|entry| !entry.is_empty())
        .map(str::to_owned)
        .collect();
    match list.iter().any(|entry| entry == ANY) {
        true if list.len() > 1 => Err(Misconfigured::new(
            AUDIENCE_VARIABLE,
            "has * beside other audiences: either any will do, or those",
        )),
        true => Ok(Vec::new()),
        false => Ok(list),
    }
}

impl TokenVerifier {
    /// From the keys and, when they are to be checked, the issuer and the audiences.
    pub fn new(keys: Keys, issuer: Option<String>, audiences: Vec<String>) -> Self {
        Self {
            keys,
            issuer,
            audiences,
        }
    }

    /// What was left out of the keys, each a line for the log.
    pub fn remarks(&self) -> &[String] {
        self.keys.remarks()
    }

    /// The user that a valid token is about.
    ///
    /// # Errors
    /// When it is not valid at `now`.
    pub fn user(&self, token: &str, now: Timestamp) -> Result<UserId, TokenError> {
        if self.keys.is_empty() {
            return Err(TokenError::NotAccepted);
        }
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Malformed);
        }
        let header = decode_header(token).map_err(|_| TokenError::Malformed)?;
        // RFC 7515, section 4.1.11: what is critical must be understood, and nothing is.
        if header.crit.is_some() {
            return Err(TokenError::Malformed);
        }
        let keys = self
            .keys
            .find(header.alg, header.kid.as_deref())
            .map_err(|why| match why {
                NoKey::Algorithm => TokenError::Algorithm,
                NoKey::Id => TokenError::UnknownKey,
            })?;
        let claims = self.claims(token, &keys)?;
        check_time(&claims, now)?;
        claims
            .sub
            .and_then(|subject| UserId::parse(&subject).ok())
            .ok_or(TokenError::Subject)
    }

    /// The claims of a token that one of the keys has signed.
    fn claims(&self, token: &str, keys: &[&Key]) -> Result<Claims, TokenError> {
        let mut outcome = Err(TokenError::UnknownKey);
        for key in keys {
            outcome = decode::<Claims>(token, &key.decoding, &self.validation(key.algorithm))
                .map(|data| data.claims)
                .map_err(|error| reason(&error));
            // Another key of that id may have signed it; what else is wrong with it is wrong by every key.
            if outcome.as_ref().err() != Some(&TokenError::Signature) {
                break;
            }
        }
        outcome
    }

    /// What the library checks: the key's own algorithm, and issuer and audience where they are configured. Time is
    /// checked by [`check_time`], because the library reads the system's clock.
    fn validation(&self, algorithm: jsonwebtoken::Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.required_spec_claims = HashSet::new();
        if let Some(issuer) = &self.issuer {
            validation.set_issuer(&[issuer]);
            validation.required_spec_claims.insert("iss".to_owned());
        }
        if self.audiences.is_empty() {
            validation.validate_aud = false;
        } else {
            validation.set_audience(&self.audiences);
            validation.required_spec_claims.insert("aud".to_owned());
        }
        validation
    }
}

fn check_time(claims: &Claims, now: Timestamp) -> Result<(), TokenError> {
    let expires = numeric_date(claims.exp.ok_or(TokenError::NoExpiry)?)?;
    if now >= expires.plus(LEEWAY) {
        return Err(TokenError::Expired);
    }
    if let Some(begins) = claims.nbf
        && numeric_date(begins)? > now.plus(LEEWAY)
    {
        return Err(TokenError::NotYet);
    }
    Ok(())
}

/// A `NumericDate` of RFC 7519: seconds since 1970, with or without a fraction.
fn numeric_date(seconds: f64) -> Result<Timestamp, TokenError> {
    Duration::try_from_secs_f64(seconds)
        .map(|since| Timestamp::from_unix_millis(0).plus(since))
        .map_err(|_| TokenError::Malformed)
}

fn reason(error: &Error) -> TokenError {
    match error.kind() {
        ErrorKind::InvalidSignature => TokenError::Signature,
        ErrorKind::InvalidAlgorithm => TokenError::Algorithm,
        ErrorKind::InvalidIssuer => TokenError::Issuer,
        ErrorKind::InvalidAudience => TokenError::Audience,
        ErrorKind::MissingRequiredClaim(claim) if claim == "iss" => TokenError::Issuer,
        ErrorKind::MissingRequiredClaim(claim) if claim == "aud" => TokenError::Audience,
        _ => TokenError::Malformed,
    }
}

//! The secret by which the web app's own server proves itself.

use std::fmt;

use http::{HeaderMap, HeaderValue};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::problem::Problem;
use talktime_config::Misconfigured;

/// The variable that holds it.
pub const VARIABLE: &str = "internal_api_secret";
/// The header that carries it.
pub const HEADER: &str = "x-internal-secret";

/// The internal secret, or its absence, which lets nobody in.
///
/// Only its digest is kept: digests have one length, so that comparing them tells nothing about the secret's.
#[derive(Clone)]
pub struct InternalSecret(Option<[u8; 32]>);

/// What a request says about the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Nothing.
    Nothing,
    /// The right one.
    Right,
    /// A wrong one, or any one where none is configured.
    Wrong,
}

impl InternalSecret {
    /// From the variable's value; `None` and `""` let nobody in.
    ///
    /// # Errors
    /// When it holds characters or outer spaces that no header can carry, so that it could never match.
    pub fn parse(value: Option<&str>) -> Result<Self, Misconfigured> {
        let Some(secret) = value.filter(|value| !value.is_empty()) else {
            return Ok(Self(None));
        };
        if secret.trim() != secret || HeaderValue::from_str(secret).is_err() {
            return Err(Misconfigured::new(
                VARIABLE,
                "begins or ends with white space, or holds a character that no header can carry",
            ));
        }
        Ok(Self(Some(Sha256::digest(secret).into())))
    }

    /// What the headers show.
    #[must_use]
    pub fn shown(&self, headers: &HeaderMap) -> Shown {
        let mut values = headers.get_all(HEADER).iter();
        let Some(value) = values.next() else {
            return Shown::Nothing;
        };
        let given: [u8; 32] = Sha256::digest(value.as_bytes()).into();
        let right = self.0.is_some_and(|own| bool::from(own.ct_eq(&given)));
        if right && values.next().is_none() {
            Shown::Right
        } else {
            Shown::Wrong
        }
    }

    /// Lets only requests with the right secret pass.
    ///
    /// # Errors
    /// 401 for all others.
    pub fn require(&self, headers: &HeaderMap) -> Result<(), Problem> {
        match self.shown(headers) {
            Shown::Right => Ok(()),
            Shown::Nothing => Err(Problem::unauthorized(
                "The header X-Internal-Secret is missing",
            )),
            Shown::Wrong => Err(wrong()),
        }
    }
}

/// The refusal of a wrong secret; the same when none is configured.
pub(crate) fn wrong() -> Problem {
    Problem::unauthorized("The internal secret is wrong")
}

impl fmt::Debug for InternalSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "InternalSecret(set)"
        } else {
            "InternalSecret(unset)"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_right_secret_passes() {
        let check = |own: Option<&str>, shown: &[&'static str], expected: Shown| {
            let secret = InternalSecret::parse(own).expect("usable");
            let mut headers = HeaderMap::new();
            for value in shown {
                headers.append(HEADER, HeaderValue::from_static(value));
            }
            assert_eq!(secret.shown(&headers), expected, "{own:?} {shown:?}");
            assert_eq!(secret.require(&headers).is_ok(), expected == Shown::Right);
        };
        check(Some("s3cret"), &["s3cret"], Shown::Right);
        check(Some("s3cret"), &["S3cret"], Shown::Wrong);
        check(Some("s3cret"), &["s3cre"], Shown::Wrong);
        check(Some("s3cret"), &[""], Shown::Wrong);
        check(Some("s3cret"), &["s3cret", "s3cret"], Shown::Wrong);
        check(Some("s3cret"), &[], Shown::Nothing);
        check(None, &[""], Shown::Wrong);
        check(None, &["s3cret"], Shown::Wrong);
        check(None, &[], Shown::Nothing);
        check(Some(""), &[""], Shown::Wrong);
    }

    #[test]
    fn a_secret_that_no_header_can_carry_is_an_error() {
        for value in ["s3cret\n", " s3cret", "a\u{7}b"] {
            let error = InternalSecret::parse(Some(value)).expect_err(value);
            assert_eq!(error.variable, VARIABLE);
            assert!(!error.reason.contains("s3cret"));
        }
    }

    #[test]
    fn it_does_not_show_itself() {
        let secret = InternalSecret::parse(Some("s3cret")).expect("usable");
        assert_eq!(format!("{secret:?}"), "InternalSecret(set)");
    }
}

//! The secret by which the web app's own server proves itself.

use std::fmt;

use http::{HeaderMap, HeaderValue};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::problem::Problem;
use talktime_spin::{Misconfigured, check_secret};

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
    /// When it is too weak ([`check_secret`]), or holds a character that no header can carry, so that it could never match.
    pub fn parse(value: Option<&str>) -> Result<Self, Misconfigured> {
        let Some(secret) = value.filter(|value| !value.is_empty()) else {
            return Ok(Self(None));
        };
        check_secret(VARIABLE, secret)?;
        if HeaderValue::from_str(secret).is_err() {
            return Err(Misconfigured::new(
                VARIABLE,
                "holds a character that no header can carry",
            ));
        }
        Ok(Self(Some(Sha256::digest(secret).into())))
    }

    /// What the headers show.
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
        .internal_message("a wrong X-Internal-Secret")
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

    const SECRET: &str = "s3cret-of-the-tests-0123456789ab";

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
        check(Some(SECRET), &[SECRET], Shown::Right);
        check(
            Some(SECRET),
            &["S3cret-of-the-tests-0123456789ab"],
            Shown::Wrong,
        );
        check(Some(SECRET), &[&SECRET[1..]], Shown::Wrong);
        check(Some(SECRET), &[""], Shown::Wrong);
        check(Some(SECRET), &[SECRET, SECRET], Shown::Wrong);
        check(Some(SECRET), &[], Shown::Nothing);
        check(None, &[""], Shown::Wrong);
        check(None, &[SECRET], Shown::Wrong);
        check(None, &[], Shown::Nothing);
        check(Some(""), &[""], Shown::Wrong);
    }

    #[test]
    fn a_secret_that_is_weak_or_that_no_header_can_carry_is_an_error() {
        for value in [
            "s3cret".to_owned(),
            "replace-me".to_owned(),
            format!("{SECRET}\n"),
            format!(" {SECRET}"),
            format!("{SECRET}\u{7}{SECRET}"),
        ] {
            let error = InternalSecret::parse(Some(&value)).expect_err(&value);
            assert_eq!(error.variable, VARIABLE);
            assert!(!error.reason.contains("s3cret"));
        }
    }

    #[test]
    fn it_does_not_show_itself() {
        let secret = InternalSecret::parse(Some(SECRET)).expect("usable");
        assert_eq!(format!("{secret:?}"), "InternalSecret(set)");
    }
}

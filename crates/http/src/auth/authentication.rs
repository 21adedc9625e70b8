//! Who is asking: a user with a token, or the web app's own server in a user's name.
//!
//! In this order:
//! 1. A request that shows a wrong internal secret is refused, whatever else it carries.
//! 2. A bearer token (`Authorization`, else the configured cookie) decides alone: a bad one is refused and never falls
//!    through to what follows. A cookie that a page of another site may be using is refused as well.
//! 3. The right internal secret together with `X-User-Id` is that user.

use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE};
use talktime_usage::{Timestamp, UserId};

use super::jwks::{self, Keys};
use super::jwt::{TokenVerifier, audiences, issuer};
use super::secret::{self, InternalSecret, Shown};
use crate::csrf::CookieUse;
use crate::problem::Problem;
use talktime_spin::Misconfigured;

/// The header in which a trusted server names the user.
const USER_HEADER: &str = "x-user-id";
/// Also what the refusal of a bad one calls it.
const USER_HEADER_NAME: &str = "X-User-Id";
/// The variable that holds the name of the cookie with the token.
pub(crate) const COOKIE_VARIABLE: &str = "auth_cookie";

/// The variables that decide who is let in, as they are set; `None` or empty is unset.
#[derive(Clone, Default)]
pub struct AuthSettings {
    /// What the trusted server shows in `X-Internal-Secret`.
    pub internal_api_secret: Option<String>,
    /// The shared secret of HS256 tokens.
    pub auth_jwt_secret: Option<String>,
    /// The JSON Web Key Set of RS256, ES256 and `EdDSA` tokens.
    pub auth_jwks: Option<String>,
    /// The `iss` that tokens must have.
    pub auth_issuer: Option<String>,
    /// The `aud` that tokens must have: one of these, separated by commas or white space.
    pub auth_audience: Option<String>,
    /// The cookie that may carry the token.
    pub auth_cookie: Option<String>,
}

/// Tells who is asking. Parsed once for each instance.
#[derive(Clone, Debug)]
pub struct Authenticator {
    secret: InternalSecret,
    tokens: TokenVerifier,
    cookie: Option<String>,
}

impl Authenticator {
    /// Checks the settings.
    ///
    /// # Errors
    /// When one of them cannot be used; the error names it.
    pub fn from_settings(settings: &AuthSettings) -> Result<Self, Misconfigured> {
        let keys = Keys::parse(
            settings.auth_jwt_secret.as_deref(),
            settings.auth_jwks.as_deref(),
        )?;
        let is_bound =
            is_set(settings.auth_issuer.as_ref()) || is_set(settings.auth_audience.as_ref());
        if is_set(settings.auth_jwks.as_ref()) && !is_bound {
            return Err(Misconfigured::new(
                jwks::JWKS_VARIABLE,
                "needs auth_audience or auth_issuer beside it: the issuer signs tokens for other applications with the same \
                 keys. Set one of them to * if these keys sign for nobody else",
            ));
        }
        let cookie = settings.auth_cookie.clone().filter(|name| !name.is_empty());
        if cookie.as_deref().is_some_and(|name| !is_cookie_name(name)) {
            return Err(Misconfigured::new(
                COOKIE_VARIABLE,
                "is not the name of a cookie",
            ));
        }
        Ok(Self {
            secret: InternalSecret::parse(settings.internal_api_secret.as_deref())?,
            tokens: TokenVerifier::new(
                keys,
                issuer(settings.auth_issuer.as_deref()),
                audiences(settings.auth_audience.as_deref())?,
            ),
            cookie,
        })
    }

    /// What was left out of the settings, each a line for the log.
    pub fn remarks(&self) -> &[String] {
        self.tokens.remarks()
    }

    /// The user in whose name the request is made. `cookies` says whether a cookie counts; beside the right internal
    /// secret it does always, because no page knows that.
    ///
    /// # Errors
    /// 401 when nobody proved it, 403 when only a cookie does and it does not count, 400 when a trusted server names no
    /// usable user.
    pub fn user(
        &self,
        headers: &HeaderMap,
        cookies: CookieUse,
        now: Timestamp,
    ) -> Result<UserId, Problem> {
        let shown = self.secret.shown(headers);
        if shown == Shown::Wrong {
            return Err(secret::wrong());
        }
        let token = match bearer(headers)? {
            Some(token) => Some(token),
            None => self.cookie(headers, cookies, shown)?,
        };
        if let Some(token) = token {
            return self.tokens.user(token, now).map_err(|error| {
                Problem::invalid_token(error.to_string())
                    .internal_message(format!("a bad token: {error}"))
            });
        }
        if shown == Shown::Right {
            named_user(headers)
        } else {
            Err(Problem::unauthorized("Nobody is signed in"))
        }
    }

    fn cookie<'a>(
        &self,
        headers: &'a HeaderMap,
        cookies: CookieUse,
        shown: Shown,
    ) -> Result<Option<&'a str>, Problem> {
        let value = self
            .cookie
            .as_deref()
            .and_then(|name| cookie(headers, name));
        let Some(value) = value else {
            return Ok(None);
        };
        if cookies == CookieUse::Forged && shown != Shown::Right {
            return Err(Problem::origin_not_allowed());
        }
        std::str::from_utf8(value)
            .map(Some)
            .map_err(|_| Problem::invalid_token("The token cannot be read"))
    }
}

fn is_set(value: Option<&String>) -> bool {
    value.is_some_and(|value| !value.trim().is_empty())
}

/// The token of `Authorization: Bearer`. Other schemes are not ours to judge: a browser adds them by itself for a gate in
/// front of us.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let unreadable = || Problem::invalid_token("The header Authorization cannot be read");
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(unreadable());
    }
    let value = value.to_str().map_err(|_| unreadable())?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(Some(token.trim()))
    } else {
        Ok(None)
    }
}

/// The first cookie of that name; browsers send the one of the closest path first. An empty one is a cookie that a
/// sign-out cleared. Bytes, because browsers send the cookies of other applications as they were set, in whatever encoding.
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b';'))
        .find_map(|pair| {
            let rest = pair.trim_ascii().strip_prefix(name.as_bytes())?;
            rest.strip_prefix(b"=")
        })
        .map(unquoted)
        .filter(|value| !value.is_empty())
}

fn unquoted(value: &[u8]) -> &[u8] {
    value
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""))
        .unwrap_or(value)
}

/// A `token` of RFC 9110, which is what RFC 6265 lets a cookie be called.
fn is_cookie_name(name: &str) -> bool {
    name.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn named_user(headers: &HeaderMap) -> Result<UserId, Problem> {
    let mut values = headers.get_all(USER_HEADER).iter();
    let refuse = |why: &str| Problem::invalid_field(USER_HEADER_NAME, why);
    let value = values
        .next()
        .ok_or_else(|| refuse("must name the user"))?
        .to_str()
        .map_err(|_| refuse("must be ASCII"))?;
    if values.next().is_some() {
        return Err(refuse("must name one user"));
    }
    UserId::parse(value).map_err(|error| refuse(&error.to_string()))
}

#[cfg(test)]
mod tests;

//! Refusals, as a component gives them.
//!
//! A [`Problem`] has two faces. The caller sees [`ProblemDetails`] and the headers; the log gets the internal message,
//! if there is one. Nothing internal ever crosses over.

use std::fmt::{self, Display};
use std::time::Duration;

use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use talktime_spin::Misconfigured;
use talktime_usage::{Seconds, SessionId};
use talktime_wire::problem::{Code, ProblemDetails};

/// A refusal: what the caller is told, and what only the log is told. Boxed, so that a `Result` stays small.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem(Box<Parts>);

#[derive(Clone, Debug, PartialEq)]
struct Parts {
    details: ProblemDetails,
    headers: Vec<(HeaderName, HeaderValue)>,
    internal: Option<String>,
}

impl Problem {
    /// A refusal with a sentence for people: what happened and what to do next, without a period.
    pub fn new(code: Code, error: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            details: ProblemDetails::new(code, error),
            headers: Vec::new(),
            internal: None,
        }))
    }

    /// Adds more about this occurrence.
    #[must_use]
    pub fn detail(mut self, text: impl Into<String>) -> Self {
        self.0.details.detail = Some(text.into());
        self
    }

    /// Adds a member. A value that cannot be written as JSON becomes `null`.
    #[must_use]
    pub fn member(mut self, name: &'static str, value: impl Serialize) -> Self {
        let value = serde_json::to_value(value).unwrap_or_default();
        self.0.details.members.insert(name, value);
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// Adds `Retry-After`.
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        self.header(RETRY_AFTER, seconds.into())
    }

    /// Adds what the log, and only the log, is told. It must hold no secret and no token.
    #[must_use]
    pub fn internal_message(mut self, message: impl Display) -> Self {
        self.0.internal = Some(message.to_string());
        self
    }

    /// What callers go by.
    pub fn code(&self) -> Code {
        self.0.details.code
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.code().status()
    }

    /// What the caller sees.
    pub fn details(&self) -> &ProblemDetails {
        &self.0.details
    }

    /// The headers that it adds to the answer.
    pub fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.0.headers
    }

    /// The line for the log, if this refusal is worth one: on one line, whatever the message holds.
    pub fn log_line(&self) -> Option<String> {
        let message = self.0.internal.as_deref()?;
        let message: String = message
            .chars()
            .map(|character| {
                if character.is_control() {
                    ' '
                } else {
                    character
                }
            })
            .collect();
        Some(format!("{}: {message}", self.code().as_str()))
    }
}

/// The refusals that more than one component gives.
impl Problem {
    /// 400: the request cannot be read.
    pub fn bad_request(error: impl Into<String>) -> Self {
        Self::new(Code::BadRequest, error)
    }

    /// 400: `field` cannot have this value, and why.
    pub fn invalid_field(field: impl Into<String>, error: impl Display) -> Self {
        let field = field.into();
        let mut problem = Self::new(Code::InvalidField, format!("{field}: {error}"));
        problem.0.details.field = Some(field);
        problem
    }

    /// 401: no proof of who is asking.
    pub fn unauthorized(error: impl Into<String>) -> Self {
        Self::new(Code::Unauthorized, error)
            .header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    /// 401: a token that proves nothing (RFC 6750).
    pub fn invalid_token(error: impl Into<String>) -> Self {
        Self::new(Code::Unauthorized, error).header(
            WWW_AUTHENTICATE,
            HeaderValue::from_static(r#"Bearer error="invalid_token""#),
        )
    }

    /// 403: the minutes are used up.
    #[must_use]
    pub fn no_credits() -> Self {
        Self::new(
            Code::NoCredits,
            "No minutes are left in this period; upgrade the plan to go on talking",
        )
    }

    /// 403: there is no running session.
    #[must_use]
    pub fn no_active_session() -> Self {
        Self::new(
            Code::NoActiveSession,
            "No session is running; start one first",
        )
    }

    /// 403: too little is left of the running session for what is asked.
    #[must_use]
    pub fn session_ending(left: Seconds) -> Self {
        Self::new(
            Code::SessionEnding,
            "The session ends in a few seconds: too soon to connect in it",
        )
        .member("secondsRemaining", left)
    }

    /// 404: nothing at this path.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(Code::NotFound, "There is nothing here")
    }

    /// 404: the user has no such session.
    #[must_use]
    pub fn session_not_found() -> Self {
        Self::new(Code::SessionNotFound, "You have no session of this id")
    }

    /// 409: a session runs already.
    #[must_use]
    pub fn session_active(session: SessionId) -> Self {
        let mut problem = Self::new(
            Code::SessionActive,
            "A session is running already; end it, or start with takeover",
        );
        problem.0.details.session_id = Some(session);
        problem
    }

    /// 403: a page of another site used the user's cookie for a change.
    #[must_use]
    pub fn origin_not_allowed() -> Self {
        Self::new(
            Code::OriginNotAllowed,
            "Pages of this site may not use the user's cookie here",
        )
    }

    /// 408: the body took longer than `time_max`.
    #[must_use]
    pub fn body_timeout(time_max: Duration) -> Self {
        Self::new(
            Code::BodyTimeout,
            format!(
                "The body did not arrive within {} seconds; send it again",
                time_max.as_secs()
            ),
        )
    }

    /// 413: over the limit of the route.
    #[must_use]
    pub fn body_too_large(bytes_max: usize) -> Self {
        Self::new(
            Code::BodyTooLarge,
            format!("The body has more than {} KiB", bytes_max / 1024),
        )
    }

    /// 429: too often.
    #[must_use]
    pub fn rate_limited(retry_after_seconds: u32) -> Self {
        Self::new(Code::RateLimited, "Too many requests; try again later")
            .retry_after(retry_after_seconds)
    }

    /// 500: something failed that should not. `log` goes to the log alone.
    pub fn internal(log: impl Display) -> Self {
        Self::new(
            Code::Internal,
            "Something went wrong on our side; try again",
        )
        .internal_message(log)
    }

    /// 502: `provider` failed. `log` goes to the log alone.
    #[must_use]
    pub fn provider_error(provider: &str, log: impl Display) -> Self {
        Self::new(
            Code::ProviderError,
            format!("The voice provider {provider} did not answer as it should; try again"),
        )
        .internal_message(log)
    }

    /// 503: `provider` has too much to do. `log` goes to the log alone.
    #[must_use]
    pub fn provider_busy(provider: &str, retry_after_seconds: u32, log: impl Display) -> Self {
        Self::new(
            Code::ProviderBusy,
            format!("The voice provider {provider} is busy right now; try again in a moment"),
        )
        .retry_after(retry_after_seconds)
        .internal_message(log)
    }

    /// 503: no key for `provider`.
    #[must_use]
    pub fn provider_not_configured(provider: &str) -> Self {
        Self::new(
            Code::ProviderNotConfigured,
            format!("The voice provider {provider} is not set up here"),
        )
    }

    /// 503: try again in a moment.
    #[must_use]
    pub fn busy(retry_after_seconds: u32) -> Self {
        Self::new(Code::Busy, "Busy right now; try again in a moment")
            .retry_after(retry_after_seconds)
    }
}

impl From<Misconfigured> for Problem {
    fn from(error: Misconfigured) -> Self {
        Self::new(
            Code::Misconfigured,
            format!(
                "The variable {} of this service has a value that cannot be used; the log says why",
                error.variable
            ),
        )
        .internal_message(error)
    }
}

impl Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code().as_str(), self.0.details.error)
    }
}

impl std::error::Error for Problem {}

mod failures;

#[cfg(test)]
mod tests;

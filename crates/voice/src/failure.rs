//! How a provider fails: what callers are told, and what the operator is told to look at.

use std::fmt::{self, Display, Formatter};

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};

use crate::accounts::{Account, Variables};
use crate::limits::{RETRY_AFTER_DEFAULT_SECONDS, RETRY_AFTER_MAX_SECONDS};

/// Why there is no answer. Its text is what callers are told: nothing that is between the operator and the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The operator has no account with it, or none any more.
    NotSetUp,
    /// The host refuses to connect: `spin.toml` does not allow it.
    NotAllowed,
    /// There was no connection, or it broke off.
    Unreachable,
    /// It took too long.
    TimedOut,
    /// It has too much to do, or enough of us: 429 or 503.
    Busy {
        /// Which of the two.
        status: StatusCode,
        /// When to come back, in seconds.
        retry_after_seconds: u32,
    },
    /// Another status than 2xx. A redirect is one: a key is sent nowhere but where the operator said.
    Status(StatusCode),
    /// The answer is longer than any real one.
    TooLong,
    /// The answer is not what it should be.
    Unreadable,
}

impl Failure {
    /// What a status says; `None` for 2xx.
    pub fn of_status(status: StatusCode, headers: &HeaderMap) -> Option<Self> {
        match status {
            status if status.is_success() => None,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Some(Self::Busy {
                status,
                retry_after_seconds: retry_after_seconds(headers),
            }),
            status => Some(Self::Status(status)),
        }
    }

    /// Whether the provider was asked and has not answered: it may do what it was asked all the same, also later.
    pub(crate) fn is_without_answer(self) -> bool {
        matches!(self, Self::TimedOut | Self::Unreachable)
    }

    /// For the log: what happened, and what the operator can look at.
    pub fn for_operator(self, account: &Account) -> String {
        let log = format!("{}: {}", account.name(), self.exactly());
        match self.advice(account.variables) {
            Some(advice) => format!("{log}: {advice}"),
            None => log,
        }
    }

    /// For the log: the status itself, of which callers are told the class.
    fn exactly(self) -> String {
        match self {
            Self::Busy { status, .. } | Self::Status(status) => {
                format!("the provider answered {}", status.as_u16())
            }
            other => other.to_string(),
        }
    }

    /// What the operator can look at, by the names of the variables.
    fn advice(self, variables: &Variables) -> Option<String> {
        let Variables {
            key,
            base_url,
            models,
            version,
            ..
        } = *variables;
        let version = version.map_or_else(String::new, |version| format!("{version}, "));
        let advice = match self {
            Self::NotSetUp => format!("look at the variables {key} and {models}"),
            Self::NotAllowed => {
                format!("look at the variable {base_url} and at allowed_outbound_hosts")
            }
            Self::Unreachable => format!("if it lasts, look at the variable {base_url}"),
            Self::Busy { status, .. } if status == StatusCode::TOO_MANY_REQUESTS => format!(
                "its limit is reached or the account has no credit; look at the account of {key}"
            ),
            Self::Status(StatusCode::BAD_REQUEST) => format!(
                "it does not take the request; look at the variables {models} and {key}, and at the voice that was \
                 asked for"
            ),
            Self::Status(StatusCode::UNAUTHORIZED) => {
                format!("it does not take the key; look at the variable {key}")
            }
            Self::Status(StatusCode::FORBIDDEN) => format!(
                "it does not let the key do this; look at the variable {key} and at what its account may use"
            ),
            Self::Status(StatusCode::NOT_FOUND) => format!(
                "it has no such model, or nothing at this address; look at the variables {models}, {version}{base_url}"
            ),
            Self::Status(status) if status.is_redirection() => {
                format!("it has moved; look at the variable {base_url}")
            }
            _ => return None,
        };
        Some(advice)
    }
}

impl std::error::Error for Failure {}

impl Display for Failure {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSetUp => f.write_str("the provider is not set up"),
            Self::NotAllowed => {
                f.write_str("spin.toml does not allow a connection to the provider")
            }
            Self::Unreachable => f.write_str("the provider could not be reached"),
            Self::TimedOut => f.write_str("the provider did not answer in time"),
            Self::Busy { .. } => f.write_str("the provider is busy"),
            Self::Status(status) => write!(f, "the provider answered {}xx", status.as_u16() / 100),
            Self::TooLong => f.write_str("the provider's answer is too long"),
            Self::Unreadable => f.write_str("the provider's answer cannot be read"),
        }
    }
}

/// The provider's own wish, bounded: a client that is told to come back in an hour has lost its user. The form with a date
/// is not read: it needs clocks that agree.
fn retry_after_seconds(headers: &HeaderMap) -> u32 {
    headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.trim().parse::<u64>().ok())
        .map_or(RETRY_AFTER_DEFAULT_SECONDS, |seconds| {
            let bounded = seconds.clamp(1, RETRY_AFTER_MAX_SECONDS.into());
            u32::try_from(bounded).unwrap_or(RETRY_AFTER_MAX_SECONDS)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::{GEMINI, OPENAI, OPENAI_LIVE, Values};

    fn account(variables: &'static Variables) -> Account {
        variables
            .account(Values {
                key: Some("key-7e1d"),
                models: Some("m-1"),
                ..Values::default()
            })
            .expect("valid")
            .expect("there is a key")
    }

    fn of_status(status: u16, retry_after: Option<&str>) -> Option<Failure> {
        let mut headers = HeaderMap::new();
        if let Some(text) = retry_after {
            headers.insert(RETRY_AFTER, text.parse().expect("a header"));
        }
        Failure::of_status(StatusCode::from_u16(status).expect("a status"), &headers)
    }

    #[test]
    fn only_2xx_is_an_answer() {
        for status in [200, 201, 204] {
            assert_eq!(of_status(status, None), None, "{status}");
        }
        let check = |status: u16, expected: &str| {
            let failure = of_status(status, None).map(|failure| failure.to_string());
            assert_eq!(failure.as_deref(), Some(expected), "{status}");
        };
        check(101, "the provider answered 1xx");
        check(307, "the provider answered 3xx");
        check(400, "the provider answered 4xx");
        check(401, "the provider answered 4xx");
        check(429, "the provider is busy");
        check(500, "the provider answered 5xx");
        check(503, "the provider is busy");
    }

    #[test]
    fn when_to_come_back_is_the_providers_wish_within_bounds() {
        let check = |status: u16, told: Option<&str>, seconds: u32| {
            let expected = Failure::Busy {
                status: StatusCode::from_u16(status).expect("a status"),
                retry_after_seconds: seconds,
            };
            assert_eq!(of_status(status, told), Some(expected), "{told:?}");
        };
        check(429, Some("2"), 2);
        check(503, Some(" 7 "), 7);
        check(429, Some("30"), 30);
        check(429, Some("86400"), 30);
        check(503, Some("18446744073709551615"), 30);
        check(503, Some("0"), 1);
        check(429, None, 5);
        check(429, Some("1.5"), 5);
        check(429, Some("-3"), 5);
        check(429, Some("Wed, 21 Oct 2026 07:28:00 GMT"), 5);
    }

    #[test]
    fn callers_are_told_little_and_the_operator_what_to_look_at() {
        let check = |variables, failure: Failure, told: &str, log: &str| {
            let logged = failure.for_operator(&account(variables));
            assert_eq!((failure.to_string().as_str(), logged.as_str()), (told, log));
            assert!(!logged.contains("key-7e1d"), "{logged}");
            for variable in ["_api_key", "_models", "_base_url", "_api_version"] {
                assert!(!told.contains(variable), "{told}");
            }
        };
        let status = |code: u16| of_status(code, None).expect("a failure");
        check(
            &OPENAI,
            status(401),
            "the provider answered 4xx",
            "openai: the provider answered 401: it does not take the key; look at the variable openai_api_key",
        );
        check(
            &GEMINI,
            status(403),
            "the provider answered 4xx",
            "gemini: the provider answered 403: it does not let the key do this; look at the variable \
             gemini_api_key and at what its account may use",
        );
        check(
            &OPENAI,
            status(404),
            "the provider answered 4xx",
            "openai: the provider answered 404: it has no such model, or nothing at this address; look \
             at the variables openai_models, openai_base_url",
        );
        check(
            &GEMINI,
            status(404),
            "the provider answered 4xx",
            "gemini: the provider answered 404: it has no such model, or nothing at this address; look \
             at the variables gemini_models, gemini_api_version, gemini_base_url",
        );
        check(
            &OPENAI,
            status(429),
            "the provider is busy",
            "openai: the provider answered 429: its limit is reached or the account has no credit; look \
             at the account of openai_api_key",
        );
        check(
            &GEMINI,
            status(503),
            "the provider is busy",
            "gemini: the provider answered 503",
        );
        check(
            &OPENAI_LIVE,
            status(404),
            "the provider answered 4xx",
            "openai-live: the provider answered 404: it has no such model, or nothing at this address; look \
             at the variables openai_live_models, openai_base_url",
        );
        check(
            &OPENAI,
            status(500),
            "the provider answered 5xx",
            "openai: the provider answered 500",
        );
        check(
            &GEMINI,
            Failure::NotAllowed,
            "spin.toml does not allow a connection to the provider",
            "gemini: spin.toml does not allow a connection to the provider: look at the variable \
             gemini_base_url and at allowed_outbound_hosts",
        );
    }
}

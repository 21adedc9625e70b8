//! The one place that talks to a provider: in bounded time, with a bounded answer, and without a word of what the
//! provider says in an error. Its body may quote the key or the user's data, so it is not even read.

use std::fmt::{self, Display, Formatter};
use std::pin::pin;

use bytes::Bytes;
use futures_util::future::{Either, select};
use http::StatusCode;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use spin_sdk::wasip3::clocks::monotonic_clock;
use spin_sdk::wasip3::http::types::{ErrorCode, RequestOptions};
use spin_sdk::wasip3::http_compat::RequestOptionsExtension;

use crate::limits::{ANSWER_BYTES_MAX, BETWEEN_BYTES_MAX, EXCHANGE_MAX, FIRST_BYTE_MAX};

/// Why there is no answer. Its text is fit for callers and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The host refuses to connect: `spin.toml` does not allow it.
    NotAllowed,
    /// There was no connection, or it broke off.
    Unreachable,
    /// It took too long.
    TimedOut,
    /// Another status than 2xx, by its first digit. A redirect is one: a key is sent nowhere but where the operator said.
    Status(u16),
    /// The answer is over [`ANSWER_BYTES_MAX`].
    TooLong,
    /// The answer is not what it should be.
    Unreadable,
}

impl Display for Failure {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAllowed => {
                f.write_str("spin.toml does not allow a connection to the provider")
            }
            Self::Unreachable => f.write_str("the provider could not be reached"),
            Self::TimedOut => f.write_str("the provider did not answer in time"),
            Self::Status(class) => write!(f, "the provider answered {class}xx"),
            Self::TooLong => f.write_str("the provider's answer is too long"),
            Self::Unreadable => f.write_str("the provider's answer cannot be read"),
        }
    }
}

/// Sends a request and reads the body of a 2xx answer.
///
/// # Errors
/// When there is no such answer.
pub async fn send(request: http::Request<Bytes>) -> Result<Bytes, Failure> {
    let exchange = pin!(exchange(request));
    match select(exchange, pin!(time_out())).await {
        Either::Left((outcome, _)) => outcome,
        Either::Right(((), _)) => Err(Failure::TimedOut),
    }
}

async fn exchange(request: http::Request<Bytes>) -> Result<Bytes, Failure> {
    let mut request = request.map(Full::new);
    // Where the host keeps these limits, a hung connection is closed there too, and one that only drips is noticed by
    // the time-out below.
    if let Some(options) = host_limits() {
        request
            .extensions_mut()
            .insert(RequestOptionsExtension(options));
    }
    let response = spin_sdk::http::send(request)
        .await
        .map_err(|error| of_host(&error))?;
    check_status(response.status())?;
    match Limited::new(response.into_body(), ANSWER_BYTES_MAX)
        .collect()
        .await
    {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Failure::TooLong),
        Err(error) => Err(error.downcast_ref().map_or(Failure::Unreachable, of_host)),
    }
}

/// Waits until the exchange has had all of its time. A host's timer that fires early, such as that of a test whose clock
/// stands still, does not count: then the host's own limits are what bounds the exchange.
async fn time_out() {
    let start = monotonic_clock::now();
    spin_sdk::time::sleep(EXCHANGE_MAX).await;
    if u128::from(monotonic_clock::now().saturating_sub(start)) < EXCHANGE_MAX.as_nanos() {
        std::future::pending::<()>().await;
    }
}

/// `None` where the host does not know such limits.
fn host_limits() -> Option<RequestOptions> {
    let nanos = |span: std::time::Duration| u64::try_from(span.as_nanos()).ok();
    let options = RequestOptions::new();
    options.set_connect_timeout(nanos(FIRST_BYTE_MAX)).ok()?;
    options.set_first_byte_timeout(nanos(FIRST_BYTE_MAX)).ok()?;
    options
        .set_between_bytes_timeout(nanos(BETWEEN_BYTES_MAX))
        .ok()?;
    Some(options)
}

fn check_status(status: StatusCode) -> Result<(), Failure> {
    if status.is_success() {
        Ok(())
    } else {
        Err(Failure::Status(status.as_u16() / 100))
    }
}

fn of_host(error: &ErrorCode) -> Failure {
    match error {
        ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited => Failure::NotAllowed,
        ErrorCode::DnsTimeout
        | ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => Failure::TimedOut,
        ErrorCode::HttpResponseBodySize(_) => Failure::TooLong,
        _ => Failure::Unreachable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_2xx_is_an_answer() {
        let check = |status: u16, expected: Result<(), &str>| {
            let status = StatusCode::from_u16(status).expect("a status");
            let outcome = check_status(status).map_err(|failure| failure.to_string());
            assert_eq!(outcome, expected.map_err(str::to_owned), "{status}");
        };
        check(200, Ok(()));
        check(201, Ok(()));
        check(101, Err("the provider answered 1xx"));
        check(307, Err("the provider answered 3xx"));
        check(401, Err("the provider answered 4xx"));
        check(429, Err("the provider answered 4xx"));
        check(503, Err("the provider answered 5xx"));
    }

    #[test]
    fn the_hosts_errors_are_told_apart_without_their_texts() {
        let check = |error: ErrorCode, expected| assert_eq!(of_host(&error), expected, "{error:?}");
        check(ErrorCode::HttpRequestDenied, Failure::NotAllowed);
        check(ErrorCode::ConnectionRefused, Failure::Unreachable);
        check(
            ErrorCode::InternalError(Some("sk-1".to_owned())),
            Failure::Unreachable,
        );
        check(ErrorCode::ConnectionReadTimeout, Failure::TimedOut);
    }
}

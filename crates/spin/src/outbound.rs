//! The one place that sends requests: to a voice provider, with a bounded answer, and without a word of what the provider says
//! in an error. Its body may quote the key or the user's data, so it is not even read.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use spin_sdk::wasip3::http::types::{ErrorCode, RequestOptions};
use spin_sdk::wasip3::http_compat::RequestOptionsExtension;
use talktime_voice::Failure;
use talktime_voice::limits::{ANSWER_BYTES_MAX, BETWEEN_BYTES_MAX, FIRST_BYTE_MAX};

/// Sends a request and reads a 2xx answer.
///
/// # Errors
/// When there is no such answer.
pub async fn send(request: http::Request<Bytes>) -> Result<http::Response<Bytes>, Failure> {
    let response = exchange(request).await?;
    if let Some(failure) = Failure::of_status(response.status(), response.headers()) {
        return Err(failure);
    }
    read(response).await
}

/// Asks another component of the application, `http://<component>.spin.internal`, and reads its answer, also a refusal.
///
/// # Errors
/// When there is no answer.
pub async fn ask(request: http::Request<Bytes>) -> Result<http::Response<Bytes>, Failure> {
    read(exchange(request).await?).await
}

async fn exchange(request: http::Request<Bytes>) -> Result<spin_sdk::http::Response, Failure> {
    let mut request = request.map(Full::new);
    // Where the host keeps these limits, a hung connection is closed there too, and one that only drips is noticed by the
    // bound on the whole exchange, which `talktime-voice` keeps.
    if let Some(options) = host_limits() {
        request
            .extensions_mut()
            .insert(RequestOptionsExtension(options));
    }
    spin_sdk::http::send(request)
        .await
        .map_err(|error| of_host(&error))
}

async fn read(response: spin_sdk::http::Response) -> Result<http::Response<Bytes>, Failure> {
    let (head, body) = response.into_parts();
    match Limited::new(body, ANSWER_BYTES_MAX).collect().await {
        Ok(body) => Ok(http::Response::from_parts(head, body.to_bytes())),
        Err(error) if error.is::<LengthLimitError>() => Err(Failure::TooLong),
        Err(error) => Err(error.downcast_ref().map_or(Failure::Unreachable, of_host)),
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

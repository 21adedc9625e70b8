//! Bodies: bounded in size and time, and JSON whatever the content type says, because an unload beacon sends `text/plain`.

use std::fmt::Display;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;

use crate::deadline;
use crate::problem::Problem;

/// The most bytes that a body may have where a route asks for no other bound. Real ones have a few hundred; the largest, a
/// browser's offer of a call, some ten thousand.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// The longest that a body may take to arrive. On the slowest connection on which anybody can talk, the largest one takes
/// about three seconds; without a bound, a client that sends a byte a second holds a place in the instance for ever.
pub(crate) const ARRIVAL_MAX: Duration = Duration::from_secs(10);

/// How much longer a body is waited for that may have arrived while the instance stood still.
pub(crate) const GRACE: Duration = Duration::from_millis(100);

/// How much of a parser's message is repeated to the caller, because it may quote what the caller sent.
const MESSAGE_CHARACTERS_MAX: usize = 200;

/// Reads a body to its end, or to the deadline and the grace after it.
///
/// # Errors
/// 413 as soon as it is known to have more than `bytes_max`, 408 at the deadline, 400 when it breaks off.
pub(crate) async fn read<B>(
    headers: &HeaderMap,
    body: B,
    bytes_max: usize,
    deadline: impl Future<Output = ()>,
    grace: impl Future<Output = ()>,
) -> Result<Bytes, Problem>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<u64>().ok());
    if announced.is_some_and(|length| length > bytes_max as u64) {
        return Err(Problem::body_too_large(bytes_max));
    }
    let whole = Box::pin(Limited::new(body, bytes_max)).collect();
    match deadline::before(whole, deadline, grace).await {
        None => Err(Problem::body_timeout(ARRIVAL_MAX)),
        Some(Ok(collected)) => Ok(collected.to_bytes()),
        Some(Err(error)) if error.is::<LengthLimitError>() => {
            Err(Problem::body_too_large(bytes_max))
        }
        Some(Err(_)) => Err(Problem::bad_request("The body broke off")),
    }
}

/// Reads a JSON object as a `T`. An empty body is an empty object, so it will do where every field is optional. Unknown
/// fields are passed over.
///
/// # Errors
/// 400 `bad_request` when it is no JSON object, 400 `invalid_field` when a field is missing or has a wrong type.
pub fn parse_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let body = body.trim_ascii();
    let body = if body.is_empty() { b"{}" } else { body };
    // A struct could be read from a JSON array too; only objects are meant.
    if body.first() != Some(&b'{') {
        return Err(Problem::bad_request("The body must be a JSON object"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| refusal(body, &error.path().to_string(), error.inner()))?;
    deserializer
        .end()
        .map_err(|error| refusal(body, ".", &error))?;
    Ok(value)
}

/// `path` is `.` where the object itself is wrong.
fn refusal(body: &[u8], path: &str, error: &serde_json::Error) -> Problem {
    let place = format!("line {} column {}", error.line(), error.column());
    // Where an enum is wanted, serde_json takes another type for broken JSON.
    let is_json = || serde_json::from_slice::<IgnoredAny>(body).is_ok();
    if error.classify() != Category::Data {
        return if path != "." && is_json() {
            Problem::invalid_field(path, "has a wrong type")
        } else {
            Problem::bad_request(format!("The body is not JSON: see {place}"))
        };
    }
    let message = error.to_string();
    let message = message
        .strip_suffix(&format!(" at {place}"))
        .unwrap_or(&message);
    let parent = if path == "." { "" } else { path };
    // serde names a missing or repeated field in its message only, in these words.
    for (start, why) in [
        ("missing field `", "is missing"),
        ("duplicate field `", "is given twice"),
    ] {
        if let Some(field) = message
            .strip_prefix(start)
            .and_then(|rest| rest.strip_suffix('`'))
        {
            return Problem::invalid_field(join(parent, field), why);
        }
    }
    let message = shortened(message);
    if parent.is_empty() {
        Problem::bad_request(format!("The body has a wrong shape: {message}"))
    } else {
        Problem::invalid_field(parent, message)
    }
}

fn join(parent: &str, field: &str) -> String {
    if parent.is_empty() || parent.ends_with(field) {
        field.to_owned()
    } else {
        format!("{parent}.{field}")
    }
}

fn shortened(message: &str) -> impl Display {
    match message.char_indices().nth(MESSAGE_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use futures_executor::block_on;
    use http_body_util::{Full, StreamBody};
    use serde::Deserialize;
    use talktime_usage::UserId;
    use talktime_wire::problem::Code;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize, Default)]
    #[serde(rename_all = "camelCase")]
    struct Start {
        topic: Option<String>,
        takeover: Option<bool>,
        inner: Option<Inner>,
        user_id: Option<UserId>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Inner {
        minutes: u32,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Heartbeat {
        session_id: String,
    }

    #[test]
    fn json_is_read_leniently_where_nothing_is_lost() {
        let check = |body: &str, expected: Start| {
            assert_eq!(parse_json(body.as_bytes()), Ok(expected), "{body}");
        };
        check("", Start::default());
        check(" \r\n", Start::default());
        check("{}", Start::default());
        check(r#"{"unknown":[1,{"a":null}]}"#, Start::default());
        check(
            r#" {"topic":"tea","takeover":true} "#,
            Start {
                topic: Some("tea".to_owned()),
                takeover: Some(true),
                ..Start::default()
            },
        );
    }

    fn check<T: DeserializeOwned + std::fmt::Debug>(body: &str, field: Option<&str>, error: &str) {
        let problem = parse_json::<T>(body.as_bytes()).expect_err(body);
        let details = problem.details();
        let code = if field.is_some() {
            Code::InvalidField
        } else {
            Code::BadRequest
        };
        assert_eq!(
            (
                details.code,
                details.field.as_deref(),
                details.error.as_str()
            ),
            (code, field, error),
            "{body}"
        );
    }

    #[test]
    fn a_wrong_type_names_the_field() {
        check::<Start>(
            r#"{"topic":5}"#,
            Some("topic"),
            "topic: invalid type: integer `5`, expected a string",
        );
        check::<Start>(
            r#"{"inner":{"minutes":-1}}"#,
            Some("inner.minutes"),
            "inner.minutes: invalid value: integer `-1`, expected u32",
        );
        check::<Start>(
            r#"{"inner":{}}"#,
            Some("inner.minutes"),
            "inner.minutes: is missing",
        );
        check::<Start>(
            r#"{"userId":"a/b"}"#,
            Some("userId"),
            "userId: may hold only letters, digits and . _ - @ : | + = ~",
        );
        check::<Start>(
            r#"{"topic":null,"topic":null}"#,
            Some("topic"),
            "topic: is given twice",
        );
        check::<Heartbeat>("", Some("sessionId"), "sessionId: is missing");
    }

    #[test]
    fn what_is_no_json_object_says_where() {
        let object = "The body must be a JSON object";
        for body in [
            "[]",
            r#"["tea"]"#,
            "null",
            "5",
            r#""x""#,
            "nonsense",
            "\u{feff}{}",
        ] {
            check::<Start>(body, None, object);
        }
        check::<Start>(
            "{\n\"topic\":}",
            None,
            "The body is not JSON: see line 2 column 9",
        );
        check::<Start>("{", None, "The body is not JSON: see line 1 column 1");
        check::<Start>("{} {}", None, "The body is not JSON: see line 1 column 4");
        let deep = format!("{{\"a\":{}", "[".repeat(10_000));
        check::<Start>(&deep, None, "The body is not JSON: see line 1 column 10005");
    }

    #[test]
    fn what_the_caller_sent_is_not_repeated_at_length() {
        let body = format!(r#"{{"takeover":"{}"}}"#, "ü".repeat(20_000));
        let problem = parse_json::<Start>(body.as_bytes()).expect_err("a text");
        assert!(problem.details().error.chars().count() < 250);
    }

    #[test]
    fn a_body_has_at_most_64_kib() {
        let check =
            |announced: Option<&'static str>, sizes: &[usize], expected: Result<usize, Code>| {
                let mut headers = HeaderMap::new();
                if let Some(length) = announced {
                    headers.insert(CONTENT_LENGTH, http::HeaderValue::from_static(length));
                }
                let frames: Vec<Result<_, std::io::Error>> = sizes
                    .iter()
                    .map(|size| Ok(http_body::Frame::data(Bytes::from(vec![b' '; *size]))))
                    .collect();
                let body = StreamBody::new(Frames(frames.into_iter()));
                let outcome = block_on(read(&headers, body, BODY_BYTES_MAX, pending(), ready(())));
                assert_eq!(
                    outcome
                        .map(|bytes| bytes.len())
                        .map_err(|problem| problem.code()),
                    expected,
                    "{announced:?} {sizes:?}"
                );
            };
        check(None, &[], Ok(0));
        check(None, &[BODY_BYTES_MAX], Ok(65_536));
        check(None, &[BODY_BYTES_MAX, 1], Err(Code::BodyTooLarge));
        check(None, &[BODY_BYTES_MAX + 1], Err(Code::BodyTooLarge));
        check(Some("65536"), &[3], Ok(3));
        check(Some("65537"), &[], Err(Code::BodyTooLarge));
        check(Some("99999999999999999999999"), &[], Ok(0));
    }

    #[test]
    fn a_body_that_breaks_off_is_a_bad_request() {
        let frames = vec![
            Ok(http_body::Frame::data(Bytes::from_static(b"{"))),
            Err(std::io::Error::other("reset")),
        ];
        let outcome = block_on(read(
            &HeaderMap::new(),
            StreamBody::new(Frames(frames.into_iter())),
            BODY_BYTES_MAX,
            pending(),
            ready(()),
        ));
        assert_eq!(
            outcome.map_err(|problem| problem.code()),
            Err(Code::BadRequest)
        );
        let whole = Full::new(Bytes::from_static(b"{}"));
        assert_eq!(
            block_on(read(
                &HeaderMap::new(),
                whole,
                BODY_BYTES_MAX,
                ready(()),
                ready(())
            )),
            Ok(Bytes::from_static(b"{}")),
            "what is there already needs no time"
        );
    }

    #[test]
    fn a_route_may_take_larger_bodies() {
        let check = |size: usize, bytes_max: usize, expected: Result<usize, &str>| {
            let body = Full::new(Bytes::from(vec![b' '; size]));
            let outcome = block_on(read(
                &HeaderMap::new(),
                body,
                bytes_max,
                pending(),
                ready(()),
            ));
            let outcome = outcome
                .map(|bytes| bytes.len())
                .map_err(|problem| problem.details().error.clone());
            assert_eq!(outcome, expected.map_err(str::to_owned), "{size}");
        };
        let (small, large) = (BODY_BYTES_MAX, 256 * 1024);
        check(70_000, small, Err("The body has more than 64 KiB"));
        check(70_000, large, Ok(70_000));
        check(large, large, Ok(large));
        check(large + 1, large, Err("The body has more than 256 KiB"));
    }

    #[test]
    fn a_body_that_does_not_arrive_is_given_up() {
        // One byte, and then nothing.
        let byte = std::iter::once(Ok(http_body::Frame::data(Bytes::from_static(b"{"))));
        let drip = StreamBody::new(ThenNothing(byte));
        let headers = HeaderMap::from_iter([(CONTENT_LENGTH, 64.into())]);
        let outcome = block_on(read(&headers, drip, BODY_BYTES_MAX, ready(()), ready(())));
        let problem = outcome.expect_err("a time-out");
        assert_eq!(
            (problem.status().as_u16(), problem.details().error.as_str()),
            (
                408,
                "The body did not arrive within 10 seconds; send it again"
            )
        );
    }

    /// An iterator as a stream, always ready.
    struct Frames<I>(I);

    impl<I: Iterator + Unpin> futures_core::Stream for Frames<I> {
        type Item = I::Item;
        fn poll_next(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<I::Item>> {
            std::task::Poll::Ready(self.0.next())
        }
    }

    /// An iterator as a stream that never ends.
    struct ThenNothing<I>(I);

    impl<I: Iterator<Item = Result<http_body::Frame<Bytes>, std::io::Error>> + Unpin>
        futures_core::Stream for ThenNothing<I>
    {
        type Item = I::Item;
        fn poll_next(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<I::Item>> {
            match self.0.next() {
                Some(item) => std::task::Poll::Ready(Some(item)),
                None => std::task::Poll::Pending,
            }
        }
    }
}

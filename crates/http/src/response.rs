//! From an outcome to what the host gets: the headers of every answer, the line in the log.

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body_util::Full;

use crate::answer::Answer;
use crate::log::{self, Client};
use crate::problem::Problem;

/// What the host gets.
pub type Response = http::Response<Full<Bytes>>;

/// On every answer, unless the answer itself says otherwise: whatever a browser takes it for, it runs nothing, is framed
/// by nobody, and no page of another origin can embed it. (Pages that CORS allows fetch it all the same.)
const DEFAULT_HEADERS: [(&str, &str); 5] = [
    ("cache-control", "no-store"),
    (
        "content-security-policy",
        "default-src 'none'; frame-ancestors 'none'",
    ),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
];

/// The response to the outcome of a request, and the line in the log where there is something to say. `route` is what the
/// log calls the path, `cors` are the headers that tell a browser who may read the answer.
///
/// A `HEAD` request gets what `GET` would get, body included: the HTTP server leaves the body out on the wire, and the
/// host checks that what it is given has the announced length.
pub fn respond(
    outcome: Result<Answer, Problem>,
    route: &str,
    client: &Client,
    cors: HeaderMap,
) -> Response {
    let answer = outcome.unwrap_or_else(|problem| {
        log::refusal(&problem, route, client);
        Answer::from(&problem)
    });
    let mut response = http::Response::new(Full::new(answer.body.clone()));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    for (name, value) in DEFAULT_HEADERS {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    // RFC 9110, section 8.6: an answer without content has no length either.
    if has_length(answer.status) {
        headers.insert(CONTENT_LENGTH, answer.body.len().into());
    }
    headers.extend(cors);
    headers.extend(answer.headers);
    response
}

fn has_length(status: StatusCode) -> bool {
    status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED
}

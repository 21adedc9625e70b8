//! How a provider answers, well or badly.

use std::io;
use std::time::Duration;

use http::{Response, StatusCode};
use serde_json::{Value, json};
use talktime_usage::Timestamp;

use super::bodies::{Body, cut_off, endless, full};
use super::providers::{Complaint, error_document, provider_answer};
use super::{CANARY, RecordedRequest};

/// How a stand-in answers who asks for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// As the provider does when all is well, and with 400 to a request that the provider would refuse.
    Ok,
    /// As above, but only once [`ProviderStandIn::release`] is called.
    Held,
    /// With this status and the provider's error document.
    Status(u16),
    /// The same, with that `Retry-After`.
    RetryAfter(u16, &'static str),
    /// With 204, hence without a body.
    NoContent,
    /// Not at all: the connection stays open.
    Hang,
    /// With 200 and half a body, after which the connection stays open.
    HangInBody,
    /// With 200 and a byte every half a second, for ever.
    Drip,
    /// With 200 and a page.
    NotJson,
    /// With 200 and a JSON document without a token.
    OtherJson,
    /// With 200 and a right answer behind 128 KiB of nothing.
    TooLong,
    /// Not at all: the connection is closed.
    Cut,
    /// With 200 and half a body, after which the connection is closed.
    CutInBody,
    /// With 307 to another path of its own, where it would answer well.
    Redirect,
}

/// The answer to a request that came at `now`. An error closes the connection.
pub(super) async fn behave(
    behaviour: Behaviour,
    request: &RecordedRequest,
    now: Timestamp,
) -> io::Result<Response<Body>> {
    Ok(match behaviour {
        Behaviour::Ok | Behaviour::Held => match provider_answer(request, now) {
            Ok(body) => json_response(200, &body),
            Err(complaint) => refusal(&complaint),
        },
        Behaviour::Status(status) => json_response(status, &error_document(status, CANARY)),
        Behaviour::RetryAfter(status, told) => {
            let mut busy = json_response(status, &error_document(status, CANARY));
            busy.headers_mut()
                .insert("retry-after", http::HeaderValue::from_static(told));
            busy
        }
        Behaviour::NoContent => response(204, "application/json", full(String::new())),
        Behaviour::Hang => std::future::pending().await,
        Behaviour::Cut => return Err(io::ErrorKind::ConnectionReset.into()),
        Behaviour::CutInBody => {
            let half = format!("{{\"value\":\"ek_{CANARY}");
            response(200, "application/json", cut_off(half))
        }
        Behaviour::HangInBody => {
            let half = format!("{{\"value\":\"ek_{CANARY}");
            response(
                200,
                "application/json",
                endless(half, Duration::from_hours(1)),
            )
        }
        Behaviour::Drip => {
            let body = endless(" ".to_owned(), Duration::from_millis(500));
            response(200, "application/json", body)
        }
        Behaviour::NotJson => {
            let page = format!("<html><body>{CANARY} {:?}</body></html>", request.headers);
            response(200, "text/html", full(page))
        }
        Behaviour::OtherJson => {
            json_response(200, &json!({"note": CANARY, "value": null, "name": ["x"]}))
        }
        Behaviour::TooLong => {
            let right = provider_answer(request, now).unwrap_or_default();
            response(
                200,
                "application/json",
                full(format!("{}{right}", " ".repeat(128 * 1024))),
            )
        }
        Behaviour::Redirect => {
            let mut redirect = json_response(307, &json!({"note": CANARY}));
            if let Ok(location) = format!("/{CANARY}{}", request.path).parse() {
                redirect.headers_mut().insert("location", location);
            }
            redirect
        }
    })
}

/// What a provider says to a request that it does not take.
pub(super) fn refusal(complaint: &Complaint) -> Response<Body> {
    let document = error_document(complaint.status, complaint.about);
    json_response(complaint.status, &document)
}

pub(super) fn json_response(status: u16, body: &Value) -> Response<Body> {
    response(status, "application/json", full(body.to_string()))
}

pub(super) fn response(status: u16, content_type: &str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in [("content-type", content_type), ("x-request-id", CANARY)] {
        if let Ok(value) = value.parse() {
            response
                .headers_mut()
                .insert(http::HeaderName::from_static(name), value);
        }
    }
    response
}

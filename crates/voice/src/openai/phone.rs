//! Calls that come in by telephone, over SIP: taken or turned away by the id that the webhook gave.
//!
//! The requests are those of <https://platform.openai.com/docs/guides/realtime-sip>.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, request};
use serde_json::{Value, json};

/// Takes a call, completed from its first lines.
pub(crate) fn accept(
    to: request::Builder,
    model: &str,
    instructions: Option<&str>,
) -> Option<http::Request<Bytes>> {
    let mut session = json!({"type": "realtime", "model": model});
    if let Some(instructions) = instructions {
        session["instructions"] = json!(instructions);
    }
    as_json(to, &session)
}

/// Turns a call away with that status of SIP.
pub(crate) fn reject(to: request::Builder, status: u16) -> Option<http::Request<Bytes>> {
    as_json(to, &json!({"status_code": status}))
}

fn as_json(to: request::Builder, body: &Value) -> Option<http::Request<Bytes>> {
    to.header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .body(Bytes::from(body.to_string()))
        .ok()
}

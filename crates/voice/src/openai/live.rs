//! GPT-Live: calls that are billed by the second, and that only a server can open.
//!
//! The requests are those of `OpenAI`'s reference for `/v1/live/sessions`. Two things only a live key can confirm. The
//! hang-up is documented for calls over SIP, and said by others to end those over WebRTC too; should it answer 404 for them,
//! such a call would count as over while it goes on, so one has to be watched ending before this is offered to users.
//! And `OpenAI-Safety-Identifier` is documented for the Realtime API; here, where unknown *fields* are refused, it is
//! taken that an unknown header is not.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, request};
use serde_json::{Value, json};

use crate::calls::CallWish;
use crate::sdp::check_answer;

/// Where a call is opened.
pub(crate) const PATH: &str = "/v1/live/sessions";

/// The offer of a call, completed from its first lines. Nothing of it is stored at the provider.
pub(crate) fn offer(to: request::Builder, wish: &CallWish<'_>) -> Option<http::Request<Bytes>> {
    let mut session = json!({"model": wish.model, "store": false});
    if let Some(voice) = wish.voice {
        session["audio"] = json!({"output": {"voice": voice}});
    }
    let body = json!({
        "session": session,
        "transport": {"type": "webrtc", "sdp": wish.offer.as_str()},
    });
    let json = HeaderValue::from_static("application/json");
    to.header(CONTENT_TYPE, &json)
        .header(ACCEPT, &json)
        .body(Bytes::from(body.to_string()))
        .ok()
}

/// The call's id.
pub(crate) fn id(answer: &Value) -> Option<&str> {
    answer["session"]["id"].as_str()
}

/// The provider's description of its end.
pub(crate) fn sdp(answer: &Value) -> Option<String> {
    let text = answer["transport"]["sdp"].as_str()?;
    check_answer(text).then(|| text.to_owned())
}

//! Calls of the Realtime API that the server opens in the browser's name: the browser never holds a credential, and whoever
//! knows the id can hang up. Others have copied these two requests, so the account's address decides who carries the call.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderValue, request};
use serde_json::json;

use crate::calls::CallWish;
use crate::sdp::check_answer;

/// Where a call is offered over WebRTC: by us, or by the browser itself with a client secret.
pub(crate) const PATH: &str = "/v1/realtime/calls";

/// What stands between the parts of a body.
const BOUNDARY: &str = "talktime-part";

/// The offer of a call, completed from its first lines.
pub(crate) fn offer(to: request::Builder, wish: &CallWish<'_>) -> Option<http::Request<Bytes>> {
    let mut session = json!({"type": "realtime", "model": wish.model});
    if let Some(voice) = wish.voice {
        session["audio"] = json!({"output": {"voice": voice}});
    }
    let parts = [
        ("sdp", wish.offer.as_str()),
        ("session", &session.to_string()),
    ];
    to.header(
        CONTENT_TYPE,
        format!("multipart/form-data; boundary={BOUNDARY}"),
    )
    .header(ACCEPT, HeaderValue::from_static("application/sdp"))
    .body(Bytes::from(form(&parts)))
    .ok()
}

/// A form of texts, RFC 7578. The boundary must not occur in a text (section 4.1), and it does not: it counts only at the
/// beginning of a line and after `--`, while each line of an offer begins with a letter and `=`, and JSON as it is written
/// here is a single line that begins with `{`.
fn form(parts: &[(&str, &str)]) -> String {
    let part = |(name, text): &(&str, &str)| {
        format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n")
    };
    let end = format!("--{BOUNDARY}--\r\n");
    parts.iter().map(part).chain([end]).collect()
}

/// The call's id, which stands only in the address of what was made: `/v1/realtime/calls/rtc_…`, or a whole URL.
pub(crate) fn id(headers: &HeaderMap) -> Option<&str> {
    let location = headers.get(LOCATION)?.to_str().ok()?;
    let (folder, id) = location.rsplit_once('/')?;
    folder.ends_with("/calls").then_some(id)
}

/// The provider's description of its end.
pub(crate) fn sdp(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    check_answer(text).then(|| text.to_owned())
}

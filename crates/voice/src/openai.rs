//! `OpenAI`: the Realtime API.

pub mod client_secrets;

use http::HeaderName;
use http::header::AUTHORIZATION;
use talktime_wire::token::{Connect, ConnectMethod};

use crate::base_url::BaseUrl;

/// Where the key goes.
pub const KEY_HEADER: HeaderName = AUTHORIZATION;

/// Where a call is offered over WebRTC: by the browser itself, with a client secret.
const CALLS_PATH: &str = "/v1/realtime/calls";

/// How to connect with a client secret.
pub fn connect(base_url: &BaseUrl) -> Connect {
    Connect {
        url: base_url.http(CALLS_PATH),
        method: ConnectMethod::Webrtc,
    }
}

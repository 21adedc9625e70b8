//! `OpenAI`: the Realtime API, and GPT-Live.

pub(crate) mod calls;
pub mod client_secrets;
pub(crate) mod live;
pub(crate) mod phone;

use http::HeaderName;
use http::header::AUTHORIZATION;
use talktime_wire::token::{Connect, ConnectMethod};

use crate::base_url::BaseUrl;

/// Where the key goes.
pub const KEY_HEADER: HeaderName = AUTHORIZATION;

/// How to connect with a client secret.
pub fn connect(base_url: &BaseUrl) -> Connect {
    Connect {
        url: base_url.http(calls::PATH),
        method: ConnectMethod::Webrtc,
    }
}

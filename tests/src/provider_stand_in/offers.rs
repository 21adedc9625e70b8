//! What OpenAI takes as an offer, and as any other request about a call. Strictly: what it would ignore is a mistake too.

use serde_json::Value;

use super::providers::{Complaint, header};
use super::{OPENAI_KEY, RecordedRequest};

/// Which of `OpenAI`'s two ways a call goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Api {
    /// `/v1/realtime/calls`.
    Realtime,
    /// `/v1/live/sessions`.
    Live,
}

impl Api {
    /// How the ids of its calls begin.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Realtime => "rtc_",
            Self::Live => "live_",
        }
    }
}

/// An offer that is in order.
#[derive(Debug, Clone)]
pub(super) struct Offer {
    pub(super) api: Api,
    pub(super) sdp: String,
    pub(super) model: String,
    pub(super) user: String,
}

/// The longest safety identifier.
const IDENTIFIER_MAX: usize = 64;

/// Whether the key is the account's.
pub(super) fn check_key(request: &RecordedRequest) -> Result<(), Complaint> {
    if header(request, "authorization") == Some(&format!("Bearer {OPENAI_KEY}")) {
        Ok(())
    } else {
        Err(Complaint {
            status: 401,
            about: "authorization",
        })
    }
}

/// By which the provider knows the user, if it is told.
pub(super) fn safety_identifier(request: &RecordedRequest) -> Result<Option<String>, Complaint> {
    let Some(told) = request.headers.get("openai-safety-identifier") else {
        return Ok(None);
    };
    let told = told.to_str().unwrap_or_default();
    let is_one = (1..=IDENTIFIER_MAX).contains(&told.len())
        && told.bytes().all(|byte| byte.is_ascii_graphic());
    if is_one {
        Ok(Some(told.to_owned()))
    } else {
        Err("openai-safety-identifier".into())
    }
}

/// Whether the body is said to be JSON.
pub(super) fn check_json(request: &RecordedRequest) -> Result<(), Complaint> {
    if header(request, "content-type") == Some("application/json") {
        Ok(())
    } else {
        Err("content-type".into())
    }
}

/// Reads an offer.
pub(super) fn check(api: Api, request: &RecordedRequest) -> Result<Offer, Complaint> {
    check_key(request)?;
    let user = safety_identifier(request)?.ok_or("openai-safety-identifier")?;
    let body = &request.body;
    let (session, sdp) = match api {
        Api::Realtime => {
            if header(request, "accept") != Some("application/sdp") {
                return Err("accept".into());
            }
            // A body that is no form has been read as nothing.
            if !has_only(body, &["sdp", "session"]) {
                return Err("form".into());
            }
            if body["session"]["type"] != "realtime" {
                return Err("session.type".into());
            }
            (&body["session"], &body["sdp"])
        }
        Api::Live => {
            check_json(request)?;
            let transport = &body["transport"];
            if !has_only(body, &["session", "transport"]) || !has_only(transport, &["type", "sdp"])
            {
                return Err("unknown field".into());
            }
            if transport["type"] != "webrtc" {
                return Err("transport.type".into());
            }
            if body["session"]["store"] != false {
                return Err("session.store".into());
            }
            (&body["session"], &transport["sdp"])
        }
    };
    Ok(Offer {
        api,
        sdp: check_sdp(sdp)?,
        model: check_session(api, session)?,
        user,
    })
}

fn check_sdp(sdp: &Value) -> Result<String, Complaint> {
    // Every line of an SDP has an end, also the last: who trims it spoils it.
    let sdp = sdp
        .as_str()
        .filter(|sdp| sdp.starts_with("v=0\r\n") && sdp.ends_with("\r\n"));
    sdp.map(str::to_owned).ok_or_else(|| "sdp".into())
}

fn check_session(api: Api, session: &Value) -> Result<String, Complaint> {
    let known: &[&str] = match api {
        Api::Realtime => &["type", "model", "instructions", "audio"],
        Api::Live => &[
            "model",
            "instructions",
            "store",
            "audio",
            "client",
            "delegation",
        ],
    };
    if !has_only(session, known) {
        return Err("session: unknown field".into());
    }
    // Where no voice is asked for, the provider has one.
    if let Some(audio) = session.get("audio")
        && !(has_only(audio, &["output"])
            && has_only(&audio["output"], &["voice"])
            && audio["output"]["voice"].is_string())
    {
        return Err("session.audio".into());
    }
    let model = session["model"].as_str().filter(|model| !model.is_empty());
    Ok(model.ok_or("session.model")?.to_owned())
}

/// Whether it is an object without other fields than these.
pub(super) fn has_only(value: &Value, known: &[&str]) -> bool {
    let fields = value.as_object();
    fields.is_some_and(|fields| fields.keys().all(|name| known.contains(&name.as_str())))
}

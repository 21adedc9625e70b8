//! What each provider takes, and what it answers to it.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use talktime_usage::Timestamp;

use super::{CANARY, GEMINI_KEY, OPENAI_KEY, RecordedRequest};

/// A refusal: the status, and what is wrong.
pub(super) struct Complaint {
    pub(super) status: u16,
    pub(super) about: &'static str,
}

impl From<&'static str> for Complaint {
    fn from(about: &'static str) -> Self {
        Self { status: 400, about }
    }
}

/// What the provider whose path it is answers.
pub(super) fn provider_answer(
    request: &RecordedRequest,
    now: Timestamp,
) -> Result<Value, Complaint> {
    if request.method != Method::POST {
        return Err("method".into());
    }
    if request
        .headers
        .get("content-type")
        .is_none_or(|value| value != "application/json")
    {
        return Err("content-type".into());
    }
    match request.path.as_str() {
        "/v1/realtime/client_secrets" => openai_answer(request, now).map_err(Complaint::from),
        "/v1alpha/auth_tokens" | "/v1beta/auth_tokens" => {
            gemini_answer(request, now).map_err(Complaint::from)
        }
        _ => Err(Complaint {
            status: 404,
            about: "path",
        }),
    }
}

fn openai_answer(request: &RecordedRequest, now: Timestamp) -> Result<Value, &'static str> {
    let body = &request.body;
    let seconds = &body["expires_after"]["seconds"];
    let seconds = seconds
        .as_u64()
        .filter(|seconds| (10..=7200).contains(seconds));
    let seconds = seconds.ok_or("expires_after.seconds")?;
    if header(request, "authorization") != Some(&format!("Bearer {OPENAI_KEY}")) {
        return Err("authorization");
    }
    if body["expires_after"]["anchor"] != "created_at" {
        return Err("expires_after.anchor");
    }
    if body["session"]["type"] != "realtime" || !body["session"]["model"].is_string() {
        return Err("session");
    }
    Ok(json!({
        "value": "ek_68af296e8e408191a1120ab6383263c2",
        "expires_at": now.plus(Duration::from_secs(seconds)).unix_seconds(),
        "session": {
            "type": "realtime",
            "object": "realtime.session",
            "id": "sess_C9CiUVUzUzYIssh3ELY1d",
            "model": body["session"]["model"],
            "output_modalities": ["audio"],
            "audio": {"output": {"voice": body["session"]["audio"]["output"]["voice"]}},
        },
    }))
}

fn gemini_answer(request: &RecordedRequest, now: Timestamp) -> Result<Value, &'static str> {
    const LIFE_MAX: Duration = Duration::from_hours(20);

    let body = &request.body;
    let time = |field: &str| {
        body[field]
            .as_str()
            .and_then(|text| Timestamp::parse_rfc3339(text).ok())
    };
    let expires = time("expireTime").ok_or("expireTime")?;
    let connect_until = time("newSessionExpireTime").ok_or("newSessionExpireTime")?;
    if header(request, "x-goog-api-key") != Some(GEMINI_KEY) {
        return Err("x-goog-api-key");
    }
    if expires <= now || expires > now.plus(LIFE_MAX) {
        return Err("expireTime");
    }
    if connect_until <= now || connect_until > expires {
        return Err("newSessionExpireTime");
    }
    let setup = &body["bidiGenerateContentSetup"];
    let has_model = setup["model"]
        .as_str()
        .is_some_and(|model| model.starts_with("models/"));
    // What else a setup can hold is not the same for all models; these three fields they have in common.
    let known = [
        "model",
        "generationConfig",
        "responseModalities",
        "speechConfig",
    ];
    let is_known = |value: &Value| {
        let fields = value.as_object();
        fields.is_some_and(|fields| fields.keys().all(|name| known.contains(&name.as_str())))
    };
    if body["uses"] != 1 || !has_model || !is_known(setup) || !is_known(&setup["generationConfig"])
    {
        return Err("bidiGenerateContentSetup");
    }
    Ok(json!({
        "name": "auth_tokens/3f1c6a9b0e7d",
        "uses": 1,
        "expireTime": body["expireTime"],
        "newSessionExpireTime": body["newSessionExpireTime"],
    }))
}

pub(super) fn header<'a>(request: &'a RecordedRequest, name: &str) -> Option<&'a str> {
    request
        .headers
        .get(name)
        .and_then(|value| value.to_str().ok())
}

/// An error in a form that holds both providers' fields, with the canary where they quote the request.
pub(super) fn error_document(status: u16, message: &str) -> Value {
    json!({
        "error": {
            "code": status,
            "type": "invalid_request_error",
            "status": "UNAUTHENTICATED",
            "message": format!("{message}: incorrect API key provided: {OPENAI_KEY} {GEMINI_KEY} ({CANARY})"),
        },
    })
}

//! `/api/realtime-call`: a call at the voice provider, opened in the browser's name and hung up when the minutes are gone.

use serde::{Deserialize, Serialize};
use talktime_usage::{CallId, Minutes, Seconds, SessionId};
use utoipa::ToSchema;

use crate::schema;
use crate::session::session_id;
use crate::token::name;

/// Who carries a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
// From a text, as with the provider of a token.
#[serde(try_from = "String")]
pub enum CallProvider {
    /// `OpenAI`'s Realtime API, or another that has the same calls.
    #[serde(rename = "openai")]
    OpenAi,
    /// `OpenAI`'s GPT-Live.
    #[serde(rename = "openai-live")]
    OpenAiLive,
}

impl CallProvider {
    /// Its name on the wire and in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::OpenAiLive => "openai-live",
        }
    }
}

impl TryFrom<String> for CallProvider {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        [Self::OpenAi, Self::OpenAiLive]
            .into_iter()
            .find(|provider| provider.as_str() == name)
            .ok_or("must be openai or openai-live")
    }
}

impl From<talktime_usage::CallProvider> for CallProvider {
    fn from(provider: talktime_usage::CallProvider) -> Self {
        match provider {
            talktime_usage::CallProvider::OpenAi => Self::OpenAi,
            talktime_usage::CallProvider::OpenAiLive => Self::OpenAiLive,
        }
    }
}

impl From<CallProvider> for talktime_usage::CallProvider {
    fn from(provider: CallProvider) -> Self {
        match provider {
            CallProvider::OpenAi => Self::OpenAi,
            CallProvider::OpenAiLive => Self::OpenAiLive,
        }
    }
}

/// The body of `POST /api/realtime-call`.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(examples(json!({
    "sessionId": "019a6d3c-5f2a-7b11-9d4e-0c8f5a2b7e61",
    "sdp": "v=0\r\no=- 46117317 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n…",
    "provider": "openai",
    "model": "gpt-realtime-2.1",
    "voice": "marin",
})))]
pub struct CallBody {
    /// The session that the call is for.
    #[serde(deserialize_with = "session_id")]
    #[schema(value_type = schema::SessionId)]
    pub session_id: SessionId,
    /// The browser's offer of a WebRTC connection, as `RTCPeerConnection` writes it: SDP with a medium `audio`.
    #[schema(max_length = 16384)]
    pub sdp: String,
    /// Who is to carry it; `openai` if not told.
    #[serde(default)]
    pub provider: Option<CallProvider>,
    /// The model, one of those that the operator offers; if not told, the first of them.
    #[serde(default, deserialize_with = "name")]
    #[schema(max_length = 64)]
    pub model: Option<String>,
    /// The voice; if not told, the provider chooses.
    #[serde(default, deserialize_with = "name")]
    #[schema(max_length = 64)]
    pub voice: Option<String>,
}

/// `POST /api/realtime-call`.
#[derive(Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(examples(json!({
    "sdp": "v=0\r\no=- 8077154 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n…",
    "callId": "rtc_u1_9c6532f1d4",
    "provider": "openai",
    "model": "gpt-realtime-2.1",
    "minutesRemaining": 10,
    "secondsRemaining": 600,
    "heartbeatIntervalSeconds": 30,
})))]
pub struct CallAnswer {
    /// The provider's answer to the offer, for `setRemoteDescription`. The call begins with it.
    pub sdp: String,
    /// The provider's id of the call.
    #[schema(value_type = String)]
    pub call_id: CallId,
    /// Who carries it.
    pub provider: CallProvider,
    /// The model that speaks.
    pub model: String,
    /// Minutes left.
    #[schema(value_type = schema::Minutes)]
    pub minutes_remaining: Minutes,
    /// Seconds until the call is hung up.
    #[schema(value_type = schema::Seconds)]
    pub seconds_remaining: Seconds,
    /// How often a heartbeat is wanted.
    pub heartbeat_interval_seconds: u64,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const SESSION: &str = "0191d1a6-6f2b-7c3f-8a55-111111111111";

    fn body(change: &Value) -> Value {
        let mut body = json!({"sessionId": SESSION, "sdp": "v=0\r\n"});
        let members = change.as_object().expect("an object").clone();
        body.as_object_mut().expect("an object").extend(members);
        body
    }

    #[test]
    fn a_body_is_read_or_refused_in_words() {
        let check = |body: Value, expected: Result<CallBody, &str>| {
            let read = serde_json::from_value::<CallBody>(body.clone());
            let expected = expected.map_err(str::to_owned);
            assert_eq!(read.map_err(|error| error.to_string()), expected, "{body}");
        };
        let least = CallBody {
            session_id: SessionId::parse(SESSION).expect("an id"),
            sdp: "v=0\r\n".to_owned(),
            provider: None,
            model: None,
            voice: None,
        };
        check(body(&json!({})), Ok(least.clone()));
        check(
            body(&json!({"provider": null, "model": null, "voice": null, "other": 1})),
            Ok(least.clone()),
        );
        check(
            body(&json!({"provider": "openai-live", "model": "gpt-live-1", "voice": "marin"})),
            Ok(CallBody {
                provider: Some(CallProvider::OpenAiLive),
                model: Some("gpt-live-1".to_owned()),
                voice: Some("marin".to_owned()),
                ..least
            }),
        );
        check(json!({"sdp": "v=0"}), Err("missing field `sessionId`"));
        check(json!({"sessionId": SESSION}), Err("missing field `sdp`"));
        check(
            body(&json!({"sessionId": "x"})),
            Err("must be a session id that start gave"),
        );
        for bad in ["gemini", "OpenAI", "openai_live", ""] {
            check(
                body(&json!({"provider": bad})),
                Err("must be openai or openai-live"),
            );
        }
        check(
            body(&json!({"provider": 1})),
            Err("invalid type: integer `1`, expected a string"),
        );
        check(
            body(&json!({"model": "m".repeat(65)})),
            Err("must have 1 to 64 characters"),
        );
        check(
            body(&json!({"voice": "a\r\nb"})),
            Err("may hold only letters, digits and . _ - :"),
        );
    }

    #[test]
    fn an_answer_is_written_with_the_names_of_the_wire() {
        let answer = CallAnswer {
            sdp: "v=0\r\n".to_owned(),
            call_id: CallId::parse("rtc_u1_9c65").expect("an id"),
            provider: CallProvider::OpenAi,
            model: "gpt-realtime-2.1".to_owned(),
            minutes_remaining: Minutes::new(3),
            seconds_remaining: serde_json::from_value(json!(170)).expect("a number"),
            heartbeat_interval_seconds: 30,
        };
        assert_eq!(
            json!(answer),
            json!({
                "sdp": "v=0\r\n",
                "callId": "rtc_u1_9c65",
                "provider": "openai",
                "model": "gpt-realtime-2.1",
                "minutesRemaining": 3,
                "secondsRemaining": 170,
                "heartbeatIntervalSeconds": 30,
            })
        );
    }

    #[test]
    fn a_provider_has_one_name_on_the_wire_in_logs_and_in_the_state() {
        for provider in [CallProvider::OpenAi, CallProvider::OpenAiLive] {
            let known = talktime_usage::CallProvider::from(provider);
            assert_eq!(json!(provider), json!(provider.as_str()));
            assert_eq!(json!(known), json!(provider.as_str()));
            assert_eq!(CallProvider::from(known), provider);
        }
    }
}

//! `/api/realtime-token`: a short-lived token with which a browser connects to the voice provider.

use serde::{Deserialize, Deserializer, Serialize, de::Error};
use talktime_usage::{Minutes, Seconds, SessionId};
use utoipa::ToSchema;

use crate::rfc3339::Rfc3339;
use crate::schema;
use crate::session::session_id;

/// The most characters of a model's or a voice's name. The providers' own have up to about 50.
pub const NAME_LENGTH_MAX: usize = 64;

/// A provider of realtime voices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
// From a text, because serde_json takes a number in place of an enum for broken JSON, and names no field.
#[serde(rename_all = "lowercase", try_from = "String")]
pub enum Provider {
    /// `OpenAI`'s Realtime API, over WebRTC.
    OpenAi,
    /// Google's Gemini Live API, over a socket.
    Gemini,
}

impl Provider {
    /// Its name on the wire and in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Gemini => "gemini",
        }
    }
}

impl TryFrom<String> for Provider {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        [Self::OpenAi, Self::Gemini]
            .into_iter()
            .find(|provider| provider.as_str() == name)
            .ok_or("must be openai or gemini")
    }
}

/// The body of `POST /api/realtime-token`. An empty one will do.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenBody {
    /// Whose token; if not told, that of the provider that is set up, `openai` before `gemini`.
    #[serde(default)]
    pub provider: Option<Provider>,
    /// The model, one of those that the operator offers; if not told, the first of them.
    #[serde(default, deserialize_with = "name")]
    #[schema(max_length = 64)]
    pub model: Option<String>,
    /// The voice; if not told, the provider chooses.
    #[serde(default, deserialize_with = "name")]
    #[schema(max_length = 64)]
    pub voice: Option<String>,
    /// The session that the token is for. A page should tell it: then a token is refused where another tab has taken
    /// over meanwhile. If not told, it is for the session that runs.
    #[serde(default, deserialize_with = "optional_session_id")]
    #[schema(value_type = Option<schema::SessionId>)]
    pub session_id: Option<SessionId>,
}

/// `POST /api/realtime-token`.
// Without `Debug`, so that no log can show the token by mistake.
#[derive(Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenAnswer {
    /// The token.
    pub token: String,
    /// Whose it is.
    pub provider: Provider,
    /// The model that it is for.
    pub model: String,
    /// Until when a connection can be opened with it: a minute at most, and never after the user's time is up.
    pub expires_at: Rfc3339,
    /// Minutes left.
    #[schema(value_type = schema::Minutes)]
    pub minutes_remaining: Minutes,
    /// Seconds until the session will be stopped.
    #[schema(value_type = schema::Seconds)]
    pub seconds_remaining: Seconds,
    /// How to connect with it.
    pub connect: Connect,
}

/// Where and how a token is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Connect {
    /// The provider's address.
    pub url: String,
    /// What to do there.
    pub method: ConnectMethod,
}

/// How a token is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConnectMethod {
    /// POST the SDP offer of a WebRTC connection to the URL, with the token as bearer.
    Webrtc,
    /// Open a socket to the URL, with the token as the query parameter `access_token`.
    AccessTokenQuery,
}

/// Checks the name of a model or a voice, whoever gives it. It goes into a JSON body only, so this is not about
/// escaping: it keeps nonsense from costing a call to the provider.
///
/// # Errors
/// A sentence about what is wrong with it, which does not quote it.
pub fn check_name(name: &str) -> Result<(), String> {
    let is_safe = |character: char| character.is_ascii_alphanumeric() || "._-:".contains(character);
    if name.is_empty() || name.chars().count() > NAME_LENGTH_MAX {
        Err(format!("must have 1 to {NAME_LENGTH_MAX} characters"))
    } else if name.chars().all(is_safe) {
        Ok(())
    } else {
        Err("may hold only letters, digits and . _ - :".to_owned())
    }
}

fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let name = Option::<String>::deserialize(deserializer)?;
    if let Some(name) = &name {
        check_name(name).map_err(D::Error::custom)?;
    }
    Ok(name)
}

fn optional_session_id<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SessionId>, D::Error> {
    /// A session id that says in words what is wrong with another text.
    #[derive(Deserialize)]
    struct Id(#[serde(deserialize_with = "session_id")] SessionId);

    Ok(Option::<Id>::deserialize(deserializer)?.map(|id| id.0))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use talktime_usage::Timestamp;

    use super::*;

    const SESSION: &str = "0191d1a6-6f2b-7c3f-8a55-111111111111";

    #[test]
    fn a_body_is_read_or_refused_in_words() {
        let check = |body: Value, expected: Result<TokenBody, &str>| {
            let read = serde_json::from_value::<TokenBody>(body.clone());
            let expected = expected.map_err(str::to_owned);
            assert_eq!(read.map_err(|error| error.to_string()), expected, "{body}");
        };
        check(json!({}), Ok(TokenBody::default()));
        check(
            json!({"provider": null, "model": null, "voice": null, "sessionId": null}),
            Ok(TokenBody::default()),
        );
        check(
            json!({"provider": "gemini", "model": "m-1.5", "voice": "Puck", "sessionId": SESSION, "other": 1}),
            Ok(TokenBody {
                provider: Some(Provider::Gemini),
                model: Some("m-1.5".to_owned()),
                voice: Some("Puck".to_owned()),
                session_id: SessionId::parse(SESSION).ok(),
            }),
        );
        check(json!({"provider": "acme"}), Err("must be openai or gemini"));
        check(
            json!({"provider": "OpenAI"}),
            Err("must be openai or gemini"),
        );
        check(
            json!({"provider": 1}),
            Err("invalid type: integer `1`, expected a string"),
        );
        check(json!({"model": ""}), Err("must have 1 to 64 characters"));
        check(
            json!({"model": "m".repeat(65)}),
            Err("must have 1 to 64 characters"),
        );
        for bad in ["a b", "a/b", "a\nb", "ü", "\"", "a\u{0}"] {
            check(
                json!({"voice": bad}),
                Err("may hold only letters, digits and . _ - :"),
            );
        }
        check(
            json!({"sessionId": "x"}),
            Err("must be a session id that start gave"),
        );
    }

    #[test]
    fn names_have_up_to_64_safe_characters() {
        for good in [
            "a",
            "gpt-realtime-2.1",
            "ft:gpt-realtime:acme",
            "gemini-2.5_x",
            &"m".repeat(64),
        ] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn an_answer_is_written_with_the_names_of_the_wire() {
        let answer = TokenAnswer {
            token: "ek_1".to_owned(),
            provider: Provider::OpenAi,
            model: "gpt-realtime-2.1".to_owned(),
            expires_at: Timestamp::from_unix_seconds(1_791_000_060).into(),
            minutes_remaining: Minutes::new(3),
            seconds_remaining: serde_json::from_value(json!(170)).expect("a number"),
            connect: Connect {
                url: "https://api.openai.com/v1/realtime/calls".to_owned(),
                method: ConnectMethod::Webrtc,
            },
        };
        assert_eq!(
            json!(answer),
            json!({
                "token": "ek_1",
                "provider": "openai",
                "model": "gpt-realtime-2.1",
                "expiresAt": "2026-10-03T04:01:00Z",
                "minutesRemaining": 3,
                "secondsRemaining": 170,
                "connect": {"url": "https://api.openai.com/v1/realtime/calls", "method": "webrtc"},
            })
        );
        assert_eq!(
            json!(ConnectMethod::AccessTokenQuery),
            json!("access_token_query")
        );
        assert_eq!(json!(Provider::Gemini), json!(Provider::Gemini.as_str()));
    }
}

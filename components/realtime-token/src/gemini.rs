//! Gemini: ephemeral tokens for the Live API, which Google itself ends with the user's time.

use std::time::Duration;

use http::HeaderName;
use serde_json::{Value, json};
use talktime_api::token::{Connect, ConnectMethod};

use crate::accounts::BaseUrl;
use crate::limits::CONNECT_WITHIN;
use crate::provider::{Expiry, Terms, Wish};

/// Where tokens are made: a preview that exists in this version only.
pub const PATH: &str = "/v1alpha/auth_tokens";

/// Where the key goes. Google takes it in the query as well, where logs would show it.
pub const KEY_HEADER: HeaderName = HeaderName::from_static("x-goog-api-key");

/// The socket that takes such tokens; the usual one takes keys only.
const SOCKET_PATH: &str =
    "/ws/google.ai.generativelanguage.v1alpha.GenerativeService.BidiGenerateContentConstrained";

/// A token's longest life at the provider.
const LIFE_MAX: Duration = Duration::from_hours(20);

/// What to ask for. `expireTime` ends the connection too, so it is the very end of the user's time; going back to a
/// broken connection until then is no second use. Times are cut to the second, towards the earlier.
///
/// What is given of the setup is locked: the model, sound as the answer, and the voice if one is wished for. The page
/// adds the rest.
pub fn terms(wish: &Wish<'_>) -> Option<Terms> {
    let expires = wish.until.min(wish.now.plus(LIFE_MAX)).floor_to_second();
    let connect_until = expires.min(wish.now.plus(CONNECT_WITHIN)).floor_to_second();
    if connect_until <= wish.now {
        return None;
    }
    let mut generation = json!({"responseModalities": ["AUDIO"]});
    if let Some(voice) = wish.voice {
        generation["speechConfig"] =
            json!({"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": voice}}});
    }
    Some(Terms {
        body: json!({
            "uses": 1,
            "expireTime": expires.to_rfc3339(),
            "newSessionExpireTime": connect_until.to_rfc3339(),
            "bidiGenerateContentSetup": {
                "model": format!("models/{}", wish.model),
                "generationConfig": generation,
            },
        }),
        expiry: Expiry::At(expires),
        connect_until,
    })
}

/// The token in an answer: its name is the credential.
pub fn token(answer: &Value) -> Option<&str> {
    answer["name"].as_str()
}

/// How to connect.
pub fn connect(base_url: &BaseUrl) -> Connect {
    Connect {
        url: base_url.socket(SOCKET_PATH),
        method: ConnectMethod::AccessTokenQuery,
    }
}

#[cfg(test)]
mod tests {
    use talktime_usage::Instant;

    use super::*;

    fn wish<'a>(voice: Option<&'a str>, now: &str, until: &str) -> Wish<'a> {
        let at = |text: &str| Instant::parse_rfc3339(text).expect("a date and time");
        Wish {
            model: "gemini-live-2.5-flash-preview",
            voice,
            now: at(now),
            until: at(until),
        }
    }

    #[test]
    fn asks_as_the_provider_wants_to_be_asked() {
        let body = |voice| {
            terms(&wish(
                voice,
                "2026-10-01T09:00:00.900Z",
                "2026-10-01T09:30:00.100Z",
            ))
            .expect("there is time")
            .body
        };
        assert_eq!(
            body(None),
            json!({
                "uses": 1,
                "expireTime": "2026-10-01T09:30:00Z",
                "newSessionExpireTime": "2026-10-01T09:01:00Z",
                "bidiGenerateContentSetup": {
                    "model": "models/gemini-live-2.5-flash-preview",
                    "generationConfig": {"responseModalities": ["AUDIO"]},
                },
            })
        );
        assert_eq!(
            body(Some("Puck"))["bidiGenerateContentSetup"]["generationConfig"],
            json!({
                "responseModalities": ["AUDIO"],
                "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Puck"}}},
            })
        );
    }

    #[test]
    fn no_token_outlives_the_users_time() {
        let check = |now: &str, until: &str, expected: Option<(&str, &str)>| {
            let wish = wish(None, now, until);
            let terms = terms(&wish);
            let told = terms.as_ref().map(|terms| {
                let text = |field: &str| terms.body[field].as_str().expect("a text").to_owned();
                (text("newSessionExpireTime"), text("expireTime"))
            });
            let expected = expected.map(|(connect, end)| (connect.to_owned(), end.to_owned()));
            assert_eq!(told, expected, "{now} to {until}");
            if let Some(terms) = terms {
                assert!(terms.expiry.latest(wish.until) <= wish.until);
                assert!(terms.connect_until <= wish.until);
            }
        };
        let noon = "2026-10-01T12:00:00Z";
        check(
            noon,
            "2026-10-01T12:00:10Z",
            Some(("2026-10-01T12:00:10Z", "2026-10-01T12:00:10Z")),
        );
        check(
            noon,
            "2026-10-01T12:00:10.999Z",
            Some(("2026-10-01T12:00:10Z", "2026-10-01T12:00:10Z")),
        );
        check(
            noon,
            "2026-10-01T12:02:00Z",
            Some(("2026-10-01T12:01:00Z", "2026-10-01T12:02:00Z")),
        );
        check(
            noon,
            "2026-10-03T12:00:00Z",
            Some(("2026-10-01T12:01:00Z", "2026-10-02T08:00:00Z")),
        );
        check(
            noon,
            "2026-10-01T12:00:01Z",
            Some(("2026-10-01T12:00:01Z", "2026-10-01T12:00:01Z")),
        );
        check(noon, "2026-10-01T12:00:00.999Z", None);
        check(noon, noon, None);
        check(noon, "2026-10-01T11:00:00Z", None);
    }

    #[test]
    fn the_name_is_the_token() {
        let check = |answer: Value, expected: Option<&str>| {
            assert_eq!(token(&answer), expected, "{answer}");
        };
        check(
            json!({"name": "auth_tokens/abc", "uses": 1}),
            Some("auth_tokens/abc"),
        );
        check(json!({"token": "auth_tokens/abc"}), None);
        check(json!({"name": null}), None);
    }
}

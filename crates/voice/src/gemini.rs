//! Gemini: ephemeral tokens for the Live API, which Google itself ends with the user's time.

use std::borrow::Cow;
use std::time::Duration;

use http::HeaderName;
use serde_json::{Value, json};
use talktime_wire::token::{Connect, ConnectMethod};

use crate::base_url::BaseUrl;
use crate::limits::CONNECT_WITHIN;
use crate::terms::{Expiry, Terms, Wish};

/// Where the key goes. Google takes it in the query as well, where logs would show it.
pub const KEY_HEADER: HeaderName = HeaderName::from_static("x-goog-api-key");

/// A token's longest life. Nobody can hang up at Google, so a session that ends early can be talked on in for as long as its
/// token lives. About as long as one of Google's connections: the page comes for the next token when Google tells it to
/// connect anew, and each time is a sign of life.
const LIFE_MAX: Duration = Duration::from_mins(10);

/// The version of Google's API, which stands in its paths. Tokens are a preview, and move from one to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiVersion(Cow<'static, str>);

impl ApiVersion {
    /// The one to use where none is set.
    pub const DEFAULT: Self = Self(Cow::Borrowed("v1alpha"));

    /// Reads a version as Google writes them.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let is_number =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let text = text.trim();
        let is_version = text.strip_prefix('v').is_some_and(|number| {
            let stage = ["alpha", "beta"]
                .iter()
                .find_map(|stage| number.split_once(stage));
            match stage {
                Some((number, turn)) => is_number(number) && (turn.is_empty() || is_number(turn)),
                None => is_number(number),
            }
        });
        if is_version {
            Ok(Self(Cow::Owned(text.to_owned())))
        } else {
            Err("must be a version such as v1alpha or v1beta")
        }
    }
}

/// Where tokens are made.
pub fn path(version: &ApiVersion) -> String {
    format!("/{}/auth_tokens", version.0)
}

/// What to ask for. `expireTime` ends the connection too, so it is the very end of the user's time if that is near; going
/// back to a broken connection until then is no second use. Times are cut to the second, towards the earlier.
///
/// What is given of the setup is locked: the model, sound as the answer, and the voice if one is wished for. The page
/// adds the rest: `contextWindowCompression` too, without which Google ends a call after a quarter of an hour. Nothing
/// else is given, for the models differ in what they take: 3.8 has no affective dialogue and no level of thinking, and
/// there even the value that switches proactive audio off is an error.
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
        talk_until: expires,
    })
}

/// The token in an answer: its name is the credential.
pub fn token(answer: &Value) -> Option<&str> {
    answer["name"].as_str()
}

/// How to connect: at the socket that takes such tokens, for the usual one takes keys only.
pub fn connect(base_url: &BaseUrl, version: &ApiVersion) -> Connect {
    let service = format!(
        "google.ai.generativelanguage.{}.GenerativeService",
        version.0
    );
    Connect {
        url: base_url.socket(&format!("/ws/{service}.BidiGenerateContentConstrained")),
        method: ConnectMethod::AccessTokenQuery,
    }
}

#[cfg(test)]
mod tests {
    use talktime_usage::Timestamp;

    use super::*;

    fn wish<'a>(voice: Option<&'a str>, now: &str, until: &str) -> Wish<'a> {
        let at = |text: &str| Timestamp::parse_rfc3339(text).expect("a date and time");
        Wish {
            model: "gemini-3.8-live",
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
                "expireTime": "2026-10-01T09:10:00Z",
                "newSessionExpireTime": "2026-10-01T09:01:00Z",
                "bidiGenerateContentSetup": {
                    "model": "models/gemini-3.8-live",
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
                // A connected user talks to the end of the token's life, and no longer.
                assert_eq!(terms.expiry, Expiry::At(terms.talk_until));
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
            "2026-10-01T12:30:00Z",
            Some(("2026-10-01T12:01:00Z", "2026-10-01T12:10:00Z")),
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
    fn the_version_stands_in_both_paths() {
        let base_url = BaseUrl::parse("https://google.example").expect("a URL");
        let check = |text: &str, expected: Result<&str, &str>| {
            let version = ApiVersion::parse(text);
            let paths = version.map(|version| (path(&version), connect(&base_url, &version).url));
            let expected = expected.map(|version| {
                (
                    format!("/{version}/auth_tokens"),
                    format!(
                        "wss://google.example/ws/google.ai.generativelanguage.{version}.GenerativeService.\
                         BidiGenerateContentConstrained"
                    ),
                )
            });
            assert_eq!(paths, expected, "{text:?}");
        };
        check("v1alpha", Ok("v1alpha"));
        check(" v1beta\n", Ok("v1beta"));
        check("v1", Ok("v1"));
        check("v2beta3", Ok("v2beta3"));
        let wrong = Err("must be a version such as v1alpha or v1beta");
        for text in [
            "",
            "1",
            "v",
            "valpha",
            "v1gamma",
            "v1alpha/x",
            "v1/../v2",
            "V1",
            "v1betaalpha",
        ] {
            check(text, wrong);
        }
        assert_eq!(ApiVersion::parse("v1alpha"), Ok(ApiVersion::DEFAULT));
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

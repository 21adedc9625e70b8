//! Client secrets: tokens with which a browser opens a call itself.

use std::time::Duration;

use serde_json::{Value, json};

use crate::limits::CONNECT_WITHIN;
use crate::terms::{Expiry, Terms, Wish};

/// Where client secrets are made.
pub const PATH: &str = "/v1/realtime/client_secrets";

/// The shortest life that the provider grants. The longest, two hours, is far beyond [`CONNECT_WITHIN`].
const LIFE_MIN: Duration = Duration::from_secs(10);

/// The life counts from when the provider has made the secret, a little later than now; so much of it is left out for
/// that. Where [`LIFE_MIN`] forbids it, the provider has to be quick: `mint.rs` looks at the clock once it has answered.
const TRANSIT: Duration = Duration::from_secs(2);

/// What to ask for. The secret limits when one can *connect*, not how long the call lasts: so it is kept short even
/// where the user has hours, and the call itself is ended by the page at `secondsRemaining`. With under ten seconds left
/// there is no secret that would not outlive them, hence none at all.
pub fn terms(wish: &Wish<'_>) -> Option<Terms> {
    let left = wish.until.since(wish.now);
    if left < LIFE_MIN {
        return None;
    }
    let life = left
        .saturating_sub(TRANSIT)
        .clamp(LIFE_MIN, CONNECT_WITHIN)
        .as_secs();
    let mut session = json!({"type": "realtime", "model": wish.model});
    if let Some(voice) = wish.voice {
        session["audio"] = json!({"output": {"voice": voice}});
    }
    let life_span = Duration::from_secs(life);
    Some(Terms {
        body: json!({
            "expires_after": {"anchor": "created_at", "seconds": life},
            "session": session,
        }),
        expiry: Expiry::After(life_span),
        connect_until: wish.now.plus(life_span),
        talk_until: wish.until,
    })
}

/// The secret in an answer.
pub fn token(answer: &Value) -> Option<&str> {
    answer["value"].as_str()
}

#[cfg(test)]
mod tests {
    use talktime_usage::Timestamp;

    use super::*;

    fn wish(voice: Option<&str>, left_millis: i64) -> Wish<'_> {
        let now = 1_791_000_000_250;
        Wish {
            model: "gpt-realtime-2.1",
            voice,
            now: Timestamp::from_unix_millis(now),
            until: Timestamp::from_unix_millis(now + left_millis),
        }
    }

    #[test]
    fn asks_as_the_provider_wants_to_be_asked() {
        let body = |voice| terms(&wish(voice, 3_600_000)).expect("there is time").body;
        assert_eq!(
            body(None),
            json!({
                "expires_after": {"anchor": "created_at", "seconds": 60},
                "session": {"type": "realtime", "model": "gpt-realtime-2.1"},
            })
        );
        assert_eq!(
            body(Some("marin")),
            json!({
                "expires_after": {"anchor": "created_at", "seconds": 60},
                "session": {
                    "type": "realtime",
                    "model": "gpt-realtime-2.1",
                    "audio": {"output": {"voice": "marin"}},
                },
            })
        );
    }

    #[test]
    fn no_secret_outlives_the_users_time() {
        let check = |left_millis: i64, seconds: Option<u64>| {
            let terms = terms(&wish(None, left_millis));
            let told = terms
                .as_ref()
                .map(|terms| terms.body["expires_after"]["seconds"].clone());
            assert_eq!(told, seconds.map(Value::from), "{left_millis} ms");
            if let (Some(terms), Some(seconds)) = (terms, seconds) {
                let wish = wish(None, left_millis);
                assert!(
                    terms.expiry.latest(wish.now) <= wish.until,
                    "{left_millis} ms"
                );
                assert!(terms.connect_until <= wish.until, "{left_millis} ms");
                assert_eq!(terms.talk_until, wish.until);
                assert!((10..=7200).contains(&seconds));
            }
        };
        check(36_000_000, Some(60));
        check(62_000, Some(60));
        check(61_999, Some(59));
        check(30_500, Some(28));
        check(12_000, Some(10));
        check(10_001, Some(10));
        check(10_000, Some(10));
        check(9_999, None);
        check(1, None);
        check(0, None);
        check(-5_000, None);
    }

    #[test]
    fn a_provider_that_took_long_is_found_out() {
        let wish = wish(None, 10_000);
        let expiry = terms(&wish).expect("there is time").expiry;
        assert!(expiry.latest(wish.now) <= wish.until);
        assert!(expiry.latest(wish.now.plus(Duration::from_millis(1))) > wish.until);
    }

    #[test]
    fn reads_the_secret_at_the_top_only() {
        let check = |answer: Value, expected: Option<&str>| {
            assert_eq!(token(&answer), expected, "{answer}");
        };
        check(
            json!({
                "value": "ek_abc123",
                "expires_at": 1_791_000_060,
                "session": {"type": "realtime", "object": "realtime.session", "id": "sess_1", "model": "gpt-realtime-2.1"},
            }),
            Some("ek_abc123"),
        );
        check(json!({"client_secret": {"value": "ek_old"}}), None);
        check(json!({"value": 5}), None);
        check(json!([]), None);
    }
}

//! A call that comes in by telephone: what the provider's webhook says of it, and who is calling.
//!
//! The event is `realtime.call.incoming`, <https://platform.openai.com/docs/guides/realtime-sip>. What is in the headers of
//! SIP (RFC 3261) is the word of whoever passed the call on: the operator's own trunk, if nobody else knows the address.

use serde::Deserialize;
use talktime_usage::{CallId, PhoneNumber, UserId};

use crate::calls;

/// The type of the event.
const INCOMING: &str = "realtime.call.incoming";

/// A call that has come in.
#[derive(Clone, Debug, PartialEq)]
pub struct IncomingCall {
    /// The provider's id of it.
    pub id: CallId,
    headers: Vec<SipHeader>,
}

/// A header of SIP.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct SipHeader {
    name: String,
    value: String,
}

/// Which headers say who is calling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerHeaders {
    /// One with the web app's own id of the user, which the operator's trunk sets.
    pub user: Option<String>,
    /// The one with the caller's number.
    pub number: String,
}

/// Who is calling, as far as the headers say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A user, by the header of the operator's trunk.
    User(UserId),
    /// A number, which may be a user's.
    Number(PhoneNumber),
    /// Nobody knows.
    Unknown,
}

/// Why a call is turned away, as SIP says it (RFC 3261, section 21).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SipStatus {
    /// 486 Busy Here: the user talks already.
    BusyHere,
    /// 603 Decline.
    Decline,
}

impl SipStatus {
    /// The number.
    pub(crate) fn code(self) -> u16 {
        match self {
            Self::BusyHere => 486,
            Self::Decline => 603,
        }
    }
}

/// The provider's word that is no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no event that this version can read")]
pub struct NoEvent;

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    data: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Data {
    call_id: String,
    #[serde(default)]
    sip_headers: Vec<SipHeader>,
}

impl IncomingCall {
    /// The call in an event; `None` where the event is about something else.
    ///
    /// # Errors
    /// When it cannot be understood.
    pub fn parse(body: &[u8]) -> Result<Option<Self>, NoEvent> {
        let event: Event = serde_json::from_slice(body).map_err(|_| NoEvent)?;
        if event.kind != INCOMING {
            return Ok(None);
        }
        let data: Data = serde_json::from_value(event.data.ok_or(NoEvent)?).map_err(|_| NoEvent)?;
        Ok(Some(Self {
            id: calls::id(&data.call_id).ok_or(NoEvent)?,
            headers: data.sip_headers,
        }))
    }

    /// Who is calling. A user's id in the operator's own header goes before the number.
    #[must_use]
    pub fn caller(&self, by: &CallerHeaders) -> Caller {
        let user = by.user.as_deref().and_then(|name| self.only(name));
        if let Some(user) = user.and_then(|value| UserId::parse(value.trim()).ok()) {
            return Caller::User(user);
        }
        let number = self.only(&by.number).and_then(number);
        number.map_or(Caller::Unknown, Caller::Number)
    }

    /// The value of a header that is there once. Of two, one may be a stranger's.
    fn only(&self, name: &str) -> Option<&str> {
        let is_named = |header: &&SipHeader| header.name.eq_ignore_ascii_case(name);
        let mut found = self.headers.iter().filter(is_named);
        let first = found.next()?;
        found.next().is_none().then_some(first.value.as_str())
    }
}

/// The number in an address: `"Ann" <sip:+14155550123@carrier.example;user=phone>;tag=1`, the same without brackets, or
/// `tel:+1-415-555-0123` (RFC 3261, section 20.20; RFC 3966).
fn number(address: &str) -> Option<PhoneNumber> {
    // A name in front may hold brackets of its own.
    let uri = match address.rsplit_once('<') {
        Some((_, uri)) => uri.split_once('>')?.0,
        None => address,
    };
    let (scheme, rest) = uri.trim().split_once(':')?;
    let is_known = ["sip", "sips", "tel"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(scheme));
    let number = rest.split(['@', ';']).next()?;
    PhoneNumber::parse(number).ok().filter(|_| is_known)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn incoming(headers: &[(&str, &str)]) -> IncomingCall {
        let header = |(name, value): &(&str, &str)| json!({"name": name, "value": value});
        let headers: Vec<_> = headers.iter().map(header).collect();
        let event = json!({
            "object": "event", "id": "evt_1", "type": "realtime.call.incoming", "created_at": 1,
            "data": {"call_id": "rtc_1", "sip_headers": headers},
        });
        let call = IncomingCall::parse(event.to_string().as_bytes());
        call.expect("an event").expect("a call")
    }

    fn by(user: Option<&str>) -> CallerHeaders {
        CallerHeaders {
            user: user.map(str::to_owned),
            number: "From".to_owned(),
        }
    }

    #[test]
    fn an_event_is_a_call_something_else_or_nothing() {
        let parse = |body: &str| IncomingCall::parse(body.as_bytes());
        let other = r#"{"type": "response.completed", "data": {"id": "resp_1"}}"#;
        assert_eq!(parse(other), Ok(None));
        for nothing in [
            "",
            "[]",
            "{}",
            r#"{"type": 1}"#,
            r#"{"type": "realtime.call.incoming"}"#,
            r#"{"type": "realtime.call.incoming", "data": {"call_id": 1}}"#,
            r#"{"type": "realtime.call.incoming", "data": {"call_id": "a/b"}}"#,
            r#"{"type": "realtime.call.incoming", "data": {"call_id": "a", "sip_headers": [1]}}"#,
        ] {
            assert_eq!(parse(nothing), Err(NoEvent), "{nothing}");
        }
        assert_eq!(incoming(&[]).id.as_str(), "rtc_1");
    }

    #[test]
    fn a_caller_is_known_by_number_in_each_form_of_an_address() {
        let check = |from: &str, expected: Option<&str>| {
            let caller = incoming(&[("from", from)]).caller(&by(None));
            let expected = expected.map_or(Caller::Unknown, |number| {
                Caller::Number(PhoneNumber::parse(number).expect("a number"))
            });
            assert_eq!(caller, expected, "{from}");
        };
        check("sip:+142555512112@sip.example.com", Some("+142555512112"));
        check("<sip:+14155550123@c.example>;tag=9", Some("+14155550123"));
        check(
            "\"A <b> \" <SIP:+14155550123;p=1@c.example>",
            Some("+14155550123"),
        );
        check(
            "<sips:+14155550123@c.example;user=phone>",
            Some("+14155550123"),
        );
        check("tel:+1-415-555-0123", Some("+14155550123"));
        check("sip:ann@c.example", None);
        check("sip:4155550123@c.example", None);
        check("<sip:anonymous@anonymous.invalid>", None);
        check("mailto:+14155550123", None);
        check("<sip:+14155550123", None);
        check("", None);
    }

    #[test]
    fn the_trunks_own_header_goes_before_the_number() {
        let from = ("From", "sip:+14155550123@c.example");
        let user = |name: &str| Caller::User(UserId::parse(name).expect("an id"));
        let by_header = by(Some("X-User"));
        let caller = |headers: &[(&str, &str)]| incoming(headers).caller(&by_header);
        let number = incoming(&[from]).caller(&by(None));
        assert_eq!(caller(&[from, ("x-user", "ann")]), user("ann"));
        assert_eq!(caller(&[from, ("x-user", "no/id")]), number);
        // Two of them: somebody else has added one.
        assert_eq!(
            caller(&[from, ("X-User", "ann"), ("x-user", "ben")]),
            number
        );
        assert_eq!(caller(&[from, from]), Caller::Unknown);
        // Without a word of the operator's it is anybody's.
        assert_eq!(
            incoming(&[from, ("X-User", "ann")]).caller(&by(None)),
            number
        );
    }
}

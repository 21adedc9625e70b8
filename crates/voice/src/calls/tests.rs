use http::header::{AUTHORIZATION, LOCATION};
use serde_json::json;

use super::*;
use crate::accounts::{GEMINI, OPENAI, OPENAI_LIVE, Values, Variables};

const KEY: &str = "sk-7e1d";
const SDP: &str =
    "v=0\r\no=- 4 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n";

fn account(variables: &'static Variables) -> Account {
    let account = variables.account(Values {
        key: Some(KEY),
        models: Some("m-1"),
        ..Values::default()
    });
    account.expect("valid").expect("there is a key")
}

fn offered(account: &Account, voice: Option<&str>, offer: &Offer) -> http::Request<Bytes> {
    let wish = CallWish {
        model: "m-1",
        voice,
        offer,
        safety_identifier: "5f7c8ec7",
    };
    super::offer(account, &wish).expect("a request")
}

fn sent(account: &Account, voice: Option<&str>) -> http::Request<Bytes> {
    offered(account, voice, &Offer::parse(SDP).expect("an offer"))
}

fn text(request: &http::Request<Bytes>) -> &str {
    std::str::from_utf8(request.body()).expect("a text")
}

/// The request's first lines, as they go out.
fn head(request: &http::Request<Bytes>) -> String {
    let mut lines = vec![format!("{} {}", request.method(), request.uri())];
    for (name, value) in request.headers() {
        lines.push(format!("{name}: {}", value.to_str().expect("a text")));
    }
    lines.join("\n")
}

fn answer(location: Option<&str>, body: impl Into<Bytes>) -> http::Response<Bytes> {
    let mut answer = http::Response::new(body.into());
    *answer.status_mut() = StatusCode::CREATED;
    if let Some(location) = location {
        let location = http::HeaderValue::from_bytes(location.as_bytes());
        answer
            .headers_mut()
            .insert(LOCATION, location.expect("a header"));
    }
    answer
}

#[test]
fn a_realtime_call_is_offered_as_a_form() {
    let account = account(&OPENAI);
    let request = sent(&account, Some("marin"));
    assert_eq!(
        head(&request),
        "POST https://api.openai.com/v1/realtime/calls\n\
         authorization: Bearer sk-7e1d\n\
         openai-safety-identifier: 5f7c8ec7\n\
         content-type: multipart/form-data; boundary=talktime-part\n\
         accept: application/sdp"
    );
    let session = r#"{"audio":{"output":{"voice":"marin"}},"model":"m-1","type":"realtime"}"#;
    assert_eq!(
        text(&request),
        format!(
            "--talktime-part\r\n\
             Content-Disposition: form-data; name=\"sdp\"\r\n\
             \r\n\
             {SDP}\r\n\
             --talktime-part\r\n\
             Content-Disposition: form-data; name=\"session\"\r\n\
             \r\n\
             {session}\r\n\
             --talktime-part--\r\n"
        )
    );
    assert!(
        text(&sent(&account, None))
            .contains("\r\n\r\n{\"model\":\"m-1\",\"type\":\"realtime\"}\r\n--")
    );
}

#[test]
fn a_form_is_read_back_whatever_the_offer_holds() {
    // What could be taken for the end of a part, wherever a line lets it stand.
    for line in [
        "a=--talktime-part",
        "a=--talktime-part--",
        "s=\t--talktime-part",
        "a=name=\"session\"",
    ] {
        let sdp = format!("{SDP}{line}\r\n");
        let offer = Offer::parse(&sdp).expect("an offer");
        let request = offered(&account(&OPENAI), None, &offer);
        let body = format!("\r\n{}", text(&request));
        let parts: Vec<&str> = body.split("\r\n--talktime-part").collect();
        let [before, first, second, "--\r\n"] = parts[..] else {
            panic!("two parts: {body:?}");
        };
        assert_eq!(before, "");
        let value = |part: &str, name: &str| {
            let head = format!("\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
            part.strip_prefix(&head).map(str::to_owned)
        };
        assert_eq!(value(first, "sdp"), Some(sdp));
        let session = value(second, "session").expect("a session");
        assert_eq!(
            session.parse::<Value>().expect("JSON"),
            json!({"type": "realtime", "model": "m-1"})
        );
    }
}

#[test]
fn a_live_call_is_offered_as_json() {
    let account = account(&OPENAI_LIVE);
    let request = sent(&account, Some("marin"));
    assert_eq!(
        head(&request),
        "POST https://api.openai.com/v1/live/sessions\n\
         authorization: Bearer sk-7e1d\n\
         openai-safety-identifier: 5f7c8ec7\n\
         content-type: application/json\n\
         accept: application/json"
    );
    let body = |request| -> Value { text(request).parse().expect("JSON") };
    let transport = json!({"type": "webrtc", "sdp": SDP});
    assert_eq!(
        body(&request),
        json!({
            "session": {"model": "m-1", "store": false, "audio": {"output": {"voice": "marin"}}},
            "transport": transport,
        })
    );
    assert_eq!(
        body(&sent(&account, None)),
        json!({"session": {"model": "m-1", "store": false}, "transport": transport})
    );
}

#[test]
fn a_realtime_call_is_named_by_its_location() {
    let account = account(&OPENAI);
    let check = |location: Option<&str>, expected: Option<&str>| {
        let answer = answer(location, SDP);
        let id = read_id(&account, &answer);
        assert_eq!(id.as_ref().map(CallId::as_str), expected, "{location:?}");
        let opened = read_opened(&account, &answer);
        let expected = id.map(|id| Opened {
            id,
            sdp: SDP.to_owned(),
        });
        assert_eq!(opened, expected, "{location:?}");
    };
    let id = Some("rtc_u1_9c65");
    check(Some("/v1/realtime/calls/rtc_u1_9c65"), id);
    check(
        Some("https://api.openai.com/v1/realtime/calls/rtc_u1_9c65"),
        id,
    );
    check(Some("/openai/v1/realtime/calls/rtc_u1_9c65"), id);
    check(
        Some("/v1/realtime/calls/a.b~c-d:e@f+g=h"),
        Some("a.b~c-d:e@f+g=h"),
    );
    let long = format!("/v1/realtime/calls/{}", "x".repeat(129));
    for strange in [
        "",
        "/",
        "rtc_1",
        "https://api.openai.com",
        "/v1/realtime/calls",
        "/v1/realtime/calls/",
        "/v1/realtime/calls/rtc_1/",
        "/v1/realtime/calls/..",
        "/v1/realtime/calls/rtc_1?a",
        "/v1/realtime/calls/rtc_1#a",
        "/v1/realtime/calls/rtc_1/hangup",
        "/v1/realtime/calls/rtc%2F1",
        "/v1/realtime/calls/a|b",
        "/v1/realtime/calls/a b",
        "/v1/realtime/calls/ü",
        "/v1/realtime/sessions/rtc_1",
        "/login",
        &long,
    ] {
        check(Some(strange), None);
    }
    check(None, None);
}

#[test]
fn a_call_without_a_description_can_still_be_hung_up() {
    let huge = format!("{SDP}a={}\r\n", "x".repeat(64 * 1024));
    for body in [
        &b""[..],
        b"<!doctype html><title>OK</title>",
        b"{}",
        b"v=0\r\nnonsense",
        b"v=0\r\ns=\xff\r\n",
        huge.as_bytes(),
    ] {
        let body = Bytes::copy_from_slice(body);
        let answer = answer(Some("/v1/realtime/calls/rtc_1"), body);
        let account = account(&OPENAI);
        assert_eq!(read_opened(&account, &answer), None);
        assert!(read_id(&account, &answer).is_some());
    }
    let live = account(&OPENAI_LIVE);
    for transport in [
        json!(null),
        json!({"sdp": 1}),
        json!({"sdp": ""}),
        json!({"sdp": huge}),
    ] {
        let body = json!({"session": {"id": "live_1"}, "transport": transport});
        let answer = answer(None, body.to_string());
        assert_eq!(read_opened(&live, &answer), None);
        assert!(read_id(&live, &answer).is_some());
    }
}

#[test]
fn a_live_call_is_named_in_the_answer() {
    let account = account(&OPENAI_LIVE);
    let transport = json!({"type": "webrtc", "sdp": SDP});
    let body = json!({"session": {"id": "live_1", "object": "x"}, "transport": transport});
    // A location is not looked at.
    let opened = read_opened(
        &account,
        &answer(Some("/v1/realtime/calls/rtc_1"), body.to_string()),
    );
    let opened = opened.expect("a call");
    assert_eq!((opened.id.as_str(), opened.sdp.as_str()), ("live_1", SDP));

    let without = |session: Value| json!({"session": session, "transport": transport}).to_string();
    for body in [
        String::new(),
        SDP.to_owned(),
        "<html>".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        without(json!({})),
        without(json!({"id": 1})),
        without(json!({"id": ""})),
        without(json!({"id": ".."})),
        without(json!({"id": "a/b"})),
        without(json!({"id": "a|b"})),
    ] {
        let answer = answer(Some("/v1/realtime/calls/rtc_1"), body);
        assert_eq!(read_id(&account, &answer), None, "{:?}", answer.body());
        assert_eq!(read_opened(&account, &answer), None);
    }
}

#[test]
fn a_call_is_hung_up_by_its_id() {
    let check = |variables, id: &str, url: &str| {
        let id = CallId::parse(id).expect("an id");
        let request = hang_up(&account(variables), &id).expect("a request");
        assert_eq!(
            head(&request),
            format!("POST {url}\nauthorization: Bearer sk-7e1d")
        );
        assert!(request.body().is_empty());
    };
    check(
        &OPENAI,
        "rtc_u1_9c65",
        "https://api.openai.com/v1/realtime/calls/rtc_u1_9c65/hangup",
    );
    check(
        &OPENAI,
        "a.b~c-d:e@f+g=h",
        "https://api.openai.com/v1/realtime/calls/a.b~c-d:e@f+g=h/hangup",
    );
    check(
        &OPENAI_LIVE,
        "live_1",
        "https://api.openai.com/v1/live/sessions/live_1/hangup",
    );
}

#[test]
fn a_call_is_over_once_the_provider_says_so_or_knows_it_no_longer() {
    let check = |outcome, expected| assert_eq!(is_over(&outcome), expected, "{outcome:?}");
    let status = |code| StatusCode::from_u16(code).expect("a status");
    for code in [200, 202, 204] {
        let mut answer = answer(None, "");
        *answer.status_mut() = status(code);
        check(Ok(answer), true);
    }
    check(Err(Failure::Status(status(404))), true);
    check(Err(Failure::Status(status(410))), true);
    for code in [301, 400, 401, 403, 409, 500, 502] {
        check(Err(Failure::Status(status(code))), false);
    }
    let busy = Failure::of_status(status(429), &http::HeaderMap::new()).expect("a failure");
    for failure in [
        busy,
        Failure::NotAllowed,
        Failure::Unreachable,
        Failure::TimedOut,
        Failure::TooLong,
        Failure::Unreadable,
    ] {
        check(Err(failure), false);
    }
}

#[test]
fn who_has_no_calls_is_asked_for_none() {
    let account = account(&GEMINI);
    let offer = Offer::parse(SDP).expect("an offer");
    let wish = CallWish {
        model: "m-1",
        voice: None,
        offer: &offer,
        safety_identifier: "5f7c8ec7",
    };
    let id = CallId::parse("rtc_1").expect("an id");
    assert!(super::offer(&account, &wish).is_none());
    assert!(hang_up(&account, &id).is_none());
    let answer = answer(Some("/v1/realtime/calls/rtc_1"), SDP);
    assert_eq!(read_opened(&account, &answer), None);
    assert_eq!(read_id(&account, &answer), None);
}

#[test]
fn no_key_is_shown() {
    for variables in [&OPENAI, &OPENAI_LIVE] {
        let account = account(variables);
        let id = CallId::parse("x_1").expect("an id");
        for request in [
            sent(&account, None),
            hang_up(&account, &id).expect("a request"),
        ] {
            let key = request.headers().get(AUTHORIZATION).expect("a key");
            assert_eq!(key, &format!("Bearer {KEY}"));
            let shown = format!("{request:?} {}", text(&request));
            assert!(!shown.contains(KEY), "{shown}");
        }
    }
}

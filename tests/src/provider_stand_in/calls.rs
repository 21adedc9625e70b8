//! The requests about calls: which they are, what they do to the books, and how they are answered.

use std::io;
use std::time::Duration;

use http::{HeaderValue, Method, Response};
use serde_json::json;

use super::behaviour::{behave, json_response, refusal, response};
use super::bodies::{Body, endless, full};
use super::books::Call;
use super::offers::{self, Api, Offer};
use super::providers::{Complaint, error_document};
use super::{CANARY, CallFault, CallRequest, RecordedRequest, Shared, State};

/// A request about a call, by its path.
#[derive(Debug, Clone, Copy)]
pub(super) enum Route<'a> {
    Offer(Api),
    HangUp(Api, &'a str),
    Accept(&'a str),
    Reject(&'a str),
}

impl<'a> Route<'a> {
    /// `None` where the path is not one of calls.
    pub(super) fn of(path: &'a str) -> Option<Self> {
        let (api, rest) = if let Some(rest) = path.strip_prefix("/v1/realtime/calls") {
            (Api::Realtime, rest)
        } else {
            (Api::Live, path.strip_prefix("/v1/live/sessions")?)
        };
        if rest.is_empty() {
            return Some(Self::Offer(api));
        }
        let (id, action) = rest.strip_prefix('/')?.split_once('/')?;
        match (api, action) {
            (_, "hangup") => Some(Self::HangUp(api, id)),
            (Api::Realtime, "accept") => Some(Self::Accept(id)),
            (Api::Realtime, "reject") => Some(Self::Reject(id)),
            _ => None,
        }
    }

    fn kind(self) -> CallRequest {
        match self {
            Self::Offer(_) => CallRequest::Offer,
            Self::HangUp(..) => CallRequest::HangUp,
            Self::Accept(_) => CallRequest::Accept,
            Self::Reject(_) => CallRequest::Reject,
        }
    }
}

/// The answer to a request about a call. An error closes the connection.
pub(super) async fn answer(
    route: Route<'_>,
    request: &RecordedRequest,
    shared: &Shared,
) -> io::Result<Response<Body>> {
    let fault = shared.faults().take(route.kind(), request);
    if let Some(behaviour) = fault.and_then(CallFault::instead) {
        let now = shared.state().now();
        return behave(behaviour, request, now).await;
    }
    if request.method != Method::POST {
        return Ok(refusal(&"method".into()));
    }
    if let Route::Offer(api) = route {
        return match offers::check(api, request) {
            Ok(offer) => open(offer, fault, shared).await,
            Err(complaint) => Ok(refusal(&complaint)),
        };
    }
    if fault == Some(CallFault::Held) {
        shared.release_of_one().await;
    }
    let done = act(route, request, &mut shared.settled());
    if let Err(complaint) = done {
        return Ok(refusal(&complaint));
    }
    Ok(match fault {
        Some(CallFault::DoneThenCut) => return Err(io::ErrorKind::ConnectionReset.into()),
        Some(CallFault::DoneThenStatus(status)) => {
            json_response(status, &error_document(status, CANARY))
        }
        Some(CallFault::Drip) => {
            let body = endless(" ".to_owned(), Duration::from_millis(500));
            response(200, "application/json", body)
        }
        Some(CallFault::Late(by)) => {
            tokio::time::sleep(by).await;
            response(200, "application/json", full(String::new()))
        }
        _ => response(200, "application/json", full(String::new())),
    })
}

/// What a request about a call that is there already does.
fn act(route: Route<'_>, request: &RecordedRequest, state: &mut State) -> Result<(), Complaint> {
    offers::check_key(request)?;
    let status = |status, about| Complaint { status, about };
    match route {
        Route::Offer(_) => Err("path".into()),
        Route::HangUp(..) if !request.bytes.is_empty() => Err("body".into()),
        // Neither way knows the calls of the other.
        Route::HangUp(api, id) if !id.starts_with(api.prefix()) => Err(status(404, "call")),
        Route::HangUp(_, id) => match state.books.hang_up(id).status() {
            200 => Ok(()),
            other => Err(status(other, "call")),
        },
        Route::Accept(id) => {
            offers::check_json(request)?;
            let model = request.body["model"].as_str();
            if request.body["type"] != "realtime" {
                return Err("type".into());
            }
            let model = model.ok_or("model")?.to_owned();
            let user = offers::safety_identifier(request)?;
            let picked_up = state.books.pick_up(id);
            picked_up.map_err(|told| status(told, "call"))?;
            state.open_call(id.to_owned(), model, user, false);
            Ok(())
        }
        Route::Reject(id) => {
            offers::check_json(request)?;
            let told = request.body["status_code"].as_u64();
            let told = told.filter(|told| (300..700).contains(told));
            let told = told.ok_or("status_code")?;
            if !offers::has_only(&request.body, &["status_code"]) {
                return Err("unknown field".into());
            }
            let picked_up = state.books.pick_up(id);
            picked_up.map_err(|told| status(told, "call"))?;
            state.books.reject(id, told);
            Ok(())
        }
    }
}

/// Opens a call and answers its offer.
async fn open(
    offer: Offer,
    fault: Option<CallFault>,
    shared: &Shared,
) -> io::Result<Response<Body>> {
    let mut waiting = Waiting {
        shared,
        offer: Some(offer.clone()),
    };
    match fault {
        Some(CallFault::Held) => shared.release_of_one().await,
        Some(CallFault::Late(by)) => tokio::time::sleep(by).await,
        _ => {}
    }
    let own = shared.state().answers.clone();
    let own = match own {
        Some(answers) => Some(answers(offer.sdp.clone()).await),
        None => None,
    };
    waiting.offer = None;
    let is_lost = fault.is_some_and(CallFault::loses_the_answer);
    let id = shared.settled().open_offer(&offer, is_lost);
    let sdp = own.unwrap_or_else(|| sdp_of(&id));
    match fault {
        Some(CallFault::DoneThenCut) => Err(io::ErrorKind::ConnectionReset.into()),
        Some(CallFault::DoneThenStatus(status)) => {
            Ok(json_response(status, &error_document(status, CANARY)))
        }
        fault => Ok(opened(offer.api, &id, &sdp, fault)),
    }
}

fn opened(api: Api, id: &str, sdp: &str, fault: Option<CallFault>) -> Response<Body> {
    let sdp = match fault {
        Some(CallFault::NotSdp) => format!("<html><body>{CANARY}</body></html>"),
        Some(CallFault::TooLong) => format!("{sdp}{}", "a=x-nothing:0123456789\r\n".repeat(4_000)),
        _ => sdp.to_owned(),
    };
    let says_id = fault != Some(CallFault::NoLocation);
    let (content_type, text) = match api {
        Api::Realtime => ("application/sdp", sdp),
        Api::Live => {
            let session = if says_id {
                json!({"id": id})
            } else {
                json!({})
            };
            let body = json!({"session": session, "transport": {"type": "webrtc", "sdp": sdp}});
            ("application/json", body.to_string())
        }
    };
    let body = if fault == Some(CallFault::Drip) {
        endless(text, Duration::from_millis(500))
    } else {
        full(text)
    };
    let mut answer = response(201, content_type, body);
    if let (Api::Realtime, true) = (api, says_id)
        && let Ok(location) = HeaderValue::from_str(&format!("/v1/realtime/calls/{id}"))
    {
        answer.headers_mut().insert("location", location);
    }
    answer
}

/// An answer like a provider's, which no browser can connect to. Its name is the call's, so that a test can tell whose
/// answer it has.
fn sdp_of(id: &str) -> String {
    format!(
        "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns={id}\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
         a=ice-lite\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=rtcp-mux\r\na=mid:0\r\n\
         a=sendrecv\r\na=setup:passive\r\na=rtpmap:111 opus/48000/2\r\n"
    )
}

/// An offer that waits for its answer. If the asker goes before it is there, the provider opens the call all the same,
/// and nobody comes.
struct Waiting<'a> {
    shared: &'a Shared,
    offer: Option<Offer>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(offer) = self.offer.take() {
            self.shared.settled().open_offer(&offer, true);
        }
    }
}

impl State {
    /// Opens the call that an offer asks for, and gives its id.
    fn open_offer(&mut self, offer: &Offer, undelivered: bool) -> String {
        let number = self.books.count() + 1;
        let id = format!("{}{number:012}", offer.api.prefix());
        let user = Some(offer.user.clone());
        self.open_call(id.clone(), offer.model.clone(), user, undelivered);
        id
    }

    fn open_call(&mut self, id: String, model: String, user: Option<String>, undelivered: bool) {
        self.books.open(Call {
            id,
            model,
            user,
            opened_at: self.now(),
            undelivered,
            closed: None,
        });
    }
}

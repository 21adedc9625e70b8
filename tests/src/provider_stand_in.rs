//! A stand-in for both voice providers on a local port. It checks what it is asked as they would, records it, and
//! answers well or badly as a test wants.

mod bodies;
mod providers;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use talktime_host::VirtualClock;
use talktime_usage::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use bodies::{Body, cut_off, endless, full};
use providers::{error_document, provider_answer};

/// The key that the stand-in takes as `OpenAI`.
pub const OPENAI_KEY: &str = "sk-long-lived-7e1d0a52";

/// The key that the stand-in takes as Gemini.
pub const GEMINI_KEY: &str = "AIza-long-lived-93b4cc08";

/// A text that is in every bad answer of the stand-in, bodies and headers, and must never get through Talktime.
pub const CANARY: &str = "canary-5c1f6e";

/// How a stand-in answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// As the provider does when all is well, and with 400 to a request that the provider would refuse.
    Ok,
    /// As above, but only once [`ProviderStandIn::release`] is called.
    Held,
    /// With this status and the provider's error document.
    Status(u16),
    /// The same, with that `Retry-After`.
    RetryAfter(u16, &'static str),
    /// With 204, hence without a body.
    NoContent,
    /// Not at all: the connection stays open.
    Hang,
    /// With 200 and half a body, after which the connection stays open.
    HangInBody,
    /// With 200 and a byte every half a second, for ever.
    Drip,
    /// With 200 and a page.
    NotJson,
    /// With 200 and a JSON document without a token.
    OtherJson,
    /// With 200 and a right answer behind 128 KiB of nothing.
    TooLong,
    /// Not at all: the connection is closed.
    Cut,
    /// With 200 and half a body, after which the connection is closed.
    CutInBody,
    /// With 307 to another path of its own, where it would answer well.
    Redirect,
}

/// A request that came.
#[derive(Debug, Clone)]
pub struct RecordedRequest {
    /// Its method.
    pub method: Method,
    /// Its path and query.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body; `null` where it is no JSON.
    pub body: Value,
}

/// A running stand-in; it stops when it is dropped.
pub struct ProviderStandIn {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

struct Shared {
    state: Mutex<State>,
    /// A permit for each held request that may be answered.
    released: Semaphore,
}

struct State {
    behaviour: Behaviour,
    requests: Vec<RecordedRequest>,
    clock: Option<VirtualClock>,
}

impl ProviderStandIn {
    /// Starts one that answers well, on a free port.
    ///
    /// # Panics
    /// When there is no free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                behaviour: Behaviour::Ok,
                requests: Vec::new(),
                clock: None,
            }),
            released: Semaphore::new(0),
        });
        let server = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Self {
            address,
            shared,
            server,
        }
    }

    /// Makes it read the time from a test's clock, as a provider whose clock agrees with Talktime's.
    pub fn follow(&self, clock: &VirtualClock) {
        self.shared.state().clock = Some(clock.clone());
    }

    /// Where it is, for the variables `openai_base_url` and `gemini_base_url`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Says how it answers from now on.
    pub fn behave(&self, behaviour: Behaviour) {
        self.shared.state().behaviour = behaviour;
    }

    /// Answers one request that is [`Behaviour::Held`].
    pub fn release(&self) {
        self.shared.released.add_permits(1);
    }

    /// Waits until that many requests have come.
    pub async fn asked(&self, count: usize) {
        while self.shared.state().requests.len() < count {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// All requests that came, the first one first.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.shared.state().requests.clone()
    }

    /// The only request that came.
    ///
    /// # Panics
    /// When none or several came.
    #[must_use]
    #[track_caller]
    pub fn only_request(&self) -> RecordedRequest {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.remove(0)
    }
}

impl Drop for ProviderStandIn {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn now(&self) -> Timestamp {
        let millis = self.clock.as_ref().map_or_else(
            || {
                let since = SystemTime::now().duration_since(UNIX_EPOCH);
                i64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
            },
            VirtualClock::now_millis,
        );
        Timestamp::from_unix_millis(millis)
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    // Dropped with this task, and its connections with it.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = service_fn(|request| answer(request, &shared));
            // A client that breaks off, as one does after a hang, is nothing to complain about.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(request: Request<Incoming>, shared: &Shared) -> io::Result<Response<Body>> {
    let request = read(request).await;
    let (behaviour, now) = {
        let mut state = shared.state();
        state.requests.push(request.clone());
        (state.behaviour, state.now())
    };
    if behaviour == Behaviour::Held
        && let Ok(permit) = shared.released.acquire().await
    {
        permit.forget();
    }
    behave(behaviour, &request, now).await
}

async fn read(request: Request<Incoming>) -> RecordedRequest {
    let (parts, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map_or_else(|_| Bytes::new(), http_body_util::Collected::to_bytes);
    RecordedRequest {
        method: parts.method,
        path: parts
            .uri
            .path_and_query()
            .map_or_else(String::new, ToString::to_string),
        headers: parts.headers,
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    }
}

/// The answer to a request that came at `now`. An error closes the connection.
async fn behave(
    behaviour: Behaviour,
    request: &RecordedRequest,
    now: Timestamp,
) -> io::Result<Response<Body>> {
    Ok(match behaviour {
        Behaviour::Ok | Behaviour::Held => match provider_answer(request, now) {
            Ok(body) => json_response(200, &body),
            Err(complaint) => {
                let document = error_document(complaint.status, complaint.about);
                json_response(complaint.status, &document)
            }
        },
        Behaviour::Status(status) => json_response(status, &error_document(status, CANARY)),
        Behaviour::RetryAfter(status, told) => {
            let mut busy = json_response(status, &error_document(status, CANARY));
            busy.headers_mut()
                .insert("retry-after", http::HeaderValue::from_static(told));
            busy
        }
        Behaviour::NoContent => response(204, "application/json", full(String::new())),
        Behaviour::Hang => std::future::pending().await,
        Behaviour::Cut => return Err(io::ErrorKind::ConnectionReset.into()),
        Behaviour::CutInBody => {
            let half = format!("{{\"value\":\"ek_{CANARY}");
            response(200, "application/json", cut_off(half))
        }
        Behaviour::HangInBody => {
            let half = format!("{{\"value\":\"ek_{CANARY}");
            response(
                200,
                "application/json",
                endless(half, Duration::from_hours(1)),
            )
        }
        Behaviour::Drip => {
            let body = endless(" ".to_owned(), Duration::from_millis(500));
            response(200, "application/json", body)
        }
        Behaviour::NotJson => {
            let page = format!("<html><body>{CANARY} {:?}</body></html>", request.headers);
            response(200, "text/html", full(page))
        }
        Behaviour::OtherJson => {
            json_response(200, &json!({"note": CANARY, "value": null, "name": ["x"]}))
        }
        Behaviour::TooLong => {
            let right = provider_answer(request, now).unwrap_or_default();
            response(
                200,
                "application/json",
                full(format!("{}{right}", " ".repeat(128 * 1024))),
            )
        }
        Behaviour::Redirect => {
            let mut redirect = json_response(307, &json!({"note": CANARY}));
            if let Ok(location) = format!("/{CANARY}{}", request.path).parse() {
                redirect.headers_mut().insert("location", location);
            }
            redirect
        }
    })
}

fn json_response(status: u16, body: &Value) -> Response<Body> {
    response(status, "application/json", full(body.to_string()))
}

fn response(status: u16, content_type: &str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in [("content-type", content_type), ("x-request-id", CANARY)] {
        if let Ok(value) = value.parse() {
            response
                .headers_mut()
                .insert(http::HeaderName::from_static(name), value);
        }
    }
    response
}

//! A stand-in for both voice providers on a local port. It checks what it is asked as they would, records it, and
//! answers well or badly as a test wants.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use talktime_host::VirtualClock;
use talktime_usage::Instant;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

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
    /// With this status and the provider's error document.
    Status(u16),
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
    fn now(&self) -> Instant {
        let millis = self.clock.as_ref().map_or_else(
            || {
                let since = SystemTime::now().duration_since(UNIX_EPOCH);
                i64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
            },
            VirtualClock::now_millis,
        );
        Instant::from_unix_millis(millis)
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

type Body = BoxBody<Bytes, Infallible>;

async fn answer(request: Request<Incoming>, shared: &Shared) -> Result<Response<Body>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map_or_else(|_| Bytes::new(), http_body_util::Collected::to_bytes);
    let request = RecordedRequest {
        method: parts.method,
        path: parts
            .uri
            .path_and_query()
            .map_or_else(String::new, ToString::to_string),
        headers: parts.headers,
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    };
    let (behaviour, now) = {
        let mut state = shared.state();
        state.requests.push(request.clone());
        (state.behaviour, state.now())
    };
    let good = || match provider_answer(&request, now) {
        Ok(body) => json_response(200, &body),
        Err(complaint) => json_response(400, &error_document(400, complaint)),
    };
    Ok(match behaviour {
        Behaviour::Ok => good(),
        Behaviour::Status(status) => json_response(status, &error_document(status, CANARY)),
        Behaviour::Hang => std::future::pending().await,
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
            let right = provider_answer(&request, now).unwrap_or_default();
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

/// What the provider whose path it is answers.
fn provider_answer(request: &RecordedRequest, now: Instant) -> Result<Value, &'static str> {
    if request.method != Method::POST {
        return Err("method");
    }
    if request
        .headers
        .get("content-type")
        .is_none_or(|value| value != "application/json")
    {
        return Err("content-type");
    }
    match request.path.as_str() {
        "/v1/realtime/client_secrets" => openai_answer(request, now),
        "/v1alpha/auth_tokens" => gemini_answer(request, now),
        _ => Err("path"),
    }
}

fn openai_answer(request: &RecordedRequest, now: Instant) -> Result<Value, &'static str> {
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

fn gemini_answer(request: &RecordedRequest, now: Instant) -> Result<Value, &'static str> {
    const LIFE_MAX: Duration = Duration::from_hours(20);

    let body = &request.body;
    let time = |field: &str| {
        body[field]
            .as_str()
            .and_then(|text| Instant::parse_rfc3339(text).ok())
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
    if body["uses"] != 1 || !has_model || setup.get("setup").is_some() {
        return Err("bidiGenerateContentSetup");
    }
    Ok(json!({
        "name": "auth_tokens/3f1c6a9b0e7d",
        "uses": 1,
        "expireTime": body["expireTime"],
        "newSessionExpireTime": body["newSessionExpireTime"],
    }))
}

fn header<'a>(request: &'a RecordedRequest, name: &str) -> Option<&'a str> {
    request
        .headers
        .get(name)
        .and_then(|value| value.to_str().ok())
}

/// An error in a form that holds both providers' fields, with the canary where they quote the request.
fn error_document(status: u16, message: &str) -> Value {
    json!({
        "error": {
            "code": status,
            "type": "invalid_request_error",
            "status": "UNAUTHENTICATED",
            "message": format!("{message}: incorrect API key provided: {OPENAI_KEY} {GEMINI_KEY} ({CANARY})"),
        },
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

fn full(text: String) -> Body {
    Full::new(Bytes::from(text)).boxed()
}

/// A body that never ends: the same bytes at once and then again and again.
struct EndlessBody {
    frame: Bytes,
    pace: tokio::time::Interval,
}

fn endless(frame: String, period: Duration) -> Body {
    let pace = tokio::time::interval(period);
    let frame = frame.into();
    EndlessBody { frame, pace }.boxed()
}

impl hyper::body::Body for EndlessBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let tick = self.pace.poll_tick(context);
        tick.map(|_| Some(Ok(Frame::data(self.frame.clone()))))
    }
}

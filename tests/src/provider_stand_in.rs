//! A stand-in for both voice providers on a local port. It checks what it is asked as they would, records it, and
//! answers well or badly as a test wants. Of its calls it keeps books.

mod behaviour;
mod bodies;
mod books;
mod calls;
mod faults;
mod forms;
mod offers;
mod providers;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use talktime_host::VirtualClock;
use talktime_usage::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

pub use behaviour::Behaviour;
pub use books::{Call, CallBooks, Closed, ClosedBy, LONGEST_CALL, UNDELIVERED_LIFE};
pub use faults::{CallFault, CallRequest};

use behaviour::behave;
use bodies::Body;
use calls::Route;
use faults::FaultPlan;

/// The key that the stand-in takes as `OpenAI`.
pub const OPENAI_KEY: &str = "sk-long-lived-7e1d0a52";

/// The key that the stand-in takes as Gemini.
pub const GEMINI_KEY: &str = "AIza-long-lived-93b4cc08";

/// A text that is in every bad answer of the stand-in, bodies and headers, and must never get through Talktime.
pub const CANARY: &str = "canary-5c1f6e";

/// An offer that the stand-in takes.
pub const OFFER: &str = "v=0\r\no=- 20518 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
                         m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=setup:actpass\r\na=sendrecv\r\n";

/// A request that came.
#[derive(Debug, Clone)]
pub struct RecordedRequest {
    /// Its method.
    pub method: Method,
    /// Its path and query.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, also that of a form, in which a `session` is read as JSON; `null` where it is neither.
    pub body: Value,
    /// Its body as it came.
    pub bytes: Bytes,
}

/// A running stand-in; it stops when it is dropped.
pub struct ProviderStandIn {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

struct Shared {
    state: Mutex<State>,
    faults: Mutex<FaultPlan>,
    /// A permit for each held request that may be answered.
    released: Semaphore,
}

struct State {
    behaviour: Behaviour,
    requests: Vec<RecordedRequest>,
    clock: Option<VirtualClock>,
    books: CallBooks,
    answers: Option<Arc<AnswerOffer>>,
}

/// Makes the SDP that answers an offer's.
type AnswerOffer = dyn Fn(String) -> Pin<Box<dyn Future<Output = String> + Send>> + Send + Sync;

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
                books: CallBooks::new(),
                answers: None,
            }),
            faults: Mutex::default(),
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

    /// Says how it answers who asks for a token from now on.
    pub fn behave(&self, behaviour: Behaviour) {
        self.shared.state().behaviour = behaviour;
    }

    /// Spoils the next requests of that kind, after those that are to be spoilt already.
    pub fn spoil(&self, kind: CallRequest, times: usize, fault: CallFault) {
        self.shared.faults().add(kind, times, fault);
    }

    /// Asks `chooser`, for every request about a call that [`spoil`](Self::spoil) has not taken, what goes wrong with it.
    /// It must not ask for faults itself.
    pub fn spoil_by(
        &self,
        chooser: impl FnMut(CallRequest, &RecordedRequest) -> Option<CallFault> + Send + 'static,
    ) {
        self.shared.faults().chooser = Some(Box::new(chooser));
    }

    /// From now on all goes well with calls.
    pub fn spoil_nothing(&self) {
        self.shared.faults().clear();
    }

    /// Answers offers with what this makes of them, such as a browser that plays the provider.
    pub fn answer_offers_by<F>(&self, answer: impl Fn(String) -> F + Send + Sync + 'static)
    where
        F: Future<Output = String> + Send + 'static,
    {
        let boxed: Arc<AnswerOffer> = Arc::new(move |offer| Box::pin(answer(offer)));
        self.shared.state().answers = Some(boxed);
    }

    /// Announces a phone call, whose id begins with `rtc_`: it can be accepted or rejected, once.
    pub fn ring(&self, id: &str) {
        self.shared.state().books.ring(id);
    }

    /// Says that a call's answer did not get to its caller: known only where the test is the caller.
    pub fn lose(&self, id: &str) {
        self.shared.settled().books.lose(id);
    }

    /// The books of its calls, as they stand now.
    #[must_use]
    pub fn calls(&self) -> CallBooks {
        self.shared.settled().books.clone()
    }

    /// Answers one request that is [`Behaviour::Held`] or [`CallFault::Held`].
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

    /// The state, with all closed that has closed by itself.
    fn settled(&self) -> MutexGuard<'_, State> {
        let mut state = self.state();
        let now = state.now();
        state.books.settle(now);
        state
    }

    fn faults(&self) -> MutexGuard<'_, FaultPlan> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it may answer.
    async fn release_of_one(&self) {
        if let Ok(permit) = self.released.acquire().await {
            permit.forget();
        }
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
    if let Some(route) = Route::of(&request.path) {
        return calls::answer(route, &request, shared).await;
    }
    if behaviour == Behaviour::Held {
        shared.release_of_one().await;
    }
    behave(behaviour, &request, now).await
}

async fn read(request: Request<Incoming>) -> RecordedRequest {
    let (parts, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map_or_else(|_| Bytes::new(), http_body_util::Collected::to_bytes);
    let fields = forms::fields(&parts.headers, &body);
    RecordedRequest {
        method: parts.method,
        path: parts
            .uri
            .path_and_query()
            .map_or_else(String::new, ToString::to_string),
        headers: parts.headers,
        body: fields.unwrap_or_else(|| serde_json::from_slice(&body).unwrap_or_default()),
        bytes: body,
    }
}

//! A voice provider in memory, in simulated time, which keeps books of its calls.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use talktime_store::Environment;
use talktime_store::memory::Simulation;
use talktime_usage::Timestamp;
use talktime_voice::Failure;

/// When a call ends by itself whose answer its caller never got: no connection comes about.
const UNDELIVERED_LIFE: Duration = Duration::from_secs(30);

/// The most that a healthy answer takes.
pub const ANSWER_MAX: Duration = Duration::from_millis(300);

/// A call in the books.
#[derive(Clone, Debug)]
pub struct Booked {
    pub id: String,
    /// Whose, by the safety identifier.
    pub user: String,
    /// For which session: its offer says so.
    pub session: String,
    pub opened_at: Timestamp,
    /// Whether a browser got the answer, so that somebody can talk.
    pub delivered: bool,
    pub closed_at: Option<Timestamp>,
}

pub struct Provider {
    simulation: &'static Simulation,
    pub books: RefCell<Vec<Booked>>,
    /// How many requests of a thousand go wrong.
    pub per_mille: Cell<u64>,
    /// How many went wrong.
    pub happened: Cell<u32>,
}

impl Provider {
    pub fn new(simulation: &'static Simulation) -> Self {
        Self {
            simulation,
            books: RefCell::default(),
            per_mille: Cell::default(),
            happened: Cell::default(),
        }
    }

    /// Takes a request, and gives a 2xx answer.
    pub async fn send(&self, request: http::Request<Bytes>) -> Result<Response<Bytes>, Failure> {
        let trouble = self.trouble();
        self.pass(ANSWER_MAX / 2).await;
        let path = request.uri().path().to_owned();
        self.simulation
            .note(|| format!("provider: {path} {trouble:?}"));
        if trouble == Some(Trouble::Refused) {
            return Err(Failure::Status(StatusCode::INTERNAL_SERVER_ERROR));
        }
        if let Some(Trouble::Slow(span)) = trouble {
            self.simulation.wait(span).await;
        }
        let id = path.strip_suffix("/hangup");
        let id = id.and_then(|path| path.rsplit('/').next());
        let answer = match id {
            Some(id) => self.hang_up(id),
            None => Ok(self.open(&request, trouble)),
        };
        self.pass(ANSWER_MAX / 2).await;
        match trouble {
            Some(Trouble::Lost) => Err(Failure::Unreachable),
            _ => answer,
        }
    }

    fn trouble(&self) -> Option<Trouble> {
        let chance = &self.simulation.chance;
        if !chance.per_mille(self.per_mille.get()) {
            return None;
        }
        self.happened.set(self.happened.get() + 1);
        let slow = Duration::from_millis(chance.below(12_000));
        Some(*chance.pick(&[
            Trouble::Refused,
            Trouble::Slow(slow),
            Trouble::Lost,
            Trouble::NoLocation,
            Trouble::NotSdp,
        ]))
    }

    async fn pass(&self, most: Duration) {
        let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
        let span = Duration::from_millis(self.simulation.chance.below(most));
        self.simulation.wait(span).await;
    }

    fn open(&self, request: &http::Request<Bytes>, trouble: Option<Trouble>) -> Response<Bytes> {
        let user = request.headers()["openai-safety-identifier"].to_str();
        let body = String::from_utf8_lossy(request.body()).into_owned();
        let session = body.lines().find_map(|line| line.strip_prefix("s="));
        let mut books = self.books.borrow_mut();
        let id = format!("rtc_{}", books.len() + 1);
        books.push(Booked {
            id: id.clone(),
            user: user.expect("ASCII").to_owned(),
            session: session.expect("a session").to_owned(),
            opened_at: self.simulation.now(),
            delivered: false,
            closed_at: None,
        });
        let mut answer = Response::builder().status(201);
        if trouble != Some(Trouble::NoLocation) {
            answer = answer.header("location", format!("/v1/realtime/calls/{id}"));
        }
        let sdp = match trouble {
            Some(Trouble::NotSdp) => "<html>".to_owned(),
            _ => format!("v=0\r\ns={id}\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"),
        };
        answer.body(Bytes::from(sdp)).expect("an answer")
    }

    fn hang_up(&self, id: &str) -> Result<Response<Bytes>, Failure> {
        self.settle();
        let mut books = self.books.borrow_mut();
        let call = books.iter_mut().find(|call| call.id == id);
        match call {
            None => Err(Failure::Status(StatusCode::NOT_FOUND)),
            Some(call) if call.closed_at.is_some() => Err(Failure::Status(StatusCode::GONE)),
            Some(call) => {
                call.closed_at = Some(self.simulation.now());
                Ok(Response::new(Bytes::new()))
            }
        }
    }

    /// A browser has the answer of the call.
    pub fn deliver(&self, id: &str) {
        let mut books = self.books.borrow_mut();
        let call = books.iter_mut().find(|call| call.id == id);
        call.expect("a call").delivered = true;
    }

    /// Closes what ends by itself.
    pub fn settle(&self) {
        let now = self.simulation.now();
        for call in self.books.borrow_mut().iter_mut() {
            let end = call.opened_at.plus(UNDELIVERED_LIFE);
            if !call.delivered && call.closed_at.is_none() && end <= now {
                call.closed_at = Some(end);
            }
        }
    }
}

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// 500, and nothing is done.
    Refused,
    /// Done so much later.
    Slow(Duration),
    /// Done, and the answer is lost.
    Lost,
    /// A call is opened, and its id is not told.
    NoLocation,
    /// A call is opened that nobody can use.
    NotSdp,
}

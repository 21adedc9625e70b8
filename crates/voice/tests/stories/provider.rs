//! A voice provider in memory that keeps books of its calls. It does to its callers what real ones do: refuses, is slow, loses
//! its answer, answers half, hangs up and says that it did not.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use bytes::Bytes;
use http::header::LOCATION;
use http::{HeaderMap, Response, StatusCode};
use talktime_store::Environment;
use talktime_store::memory::Simulation;
use talktime_usage::{SessionId, Timestamp};
use talktime_voice::Failure;

/// The longest that it takes to hang up while it is well, and again to say so.
pub const HANG_UP_MAX: Duration = Duration::from_millis(750);

/// After what time it gives up a call that nobody talks in.
pub const UNHEARD_FOR: Duration = Duration::from_secs(30);

const SDP: &str =
    "v=0\r\no=- 4 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n";

/// What can be expected of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// It does not do all that it is asked, but hangs up.
    Fickle,
    /// It may not even hang up.
    Ill,
}

/// A call in its books.
#[derive(Clone, Debug)]
pub struct ProviderCall {
    pub id: String,
    /// Whose it is, as the provider is told.
    pub safety_identifier: String,
    /// For which session it was asked for, which it is not told.
    pub session: SessionId,
    pub opened_at: Timestamp,
    /// When it was hung up.
    pub hung_up_at: Option<Timestamp>,
    /// When its id came to whoever asked for it.
    pub answered_at: Option<Timestamp>,
    /// When the browser got its answer, so that it could be talked in.
    pub delivered_at: Option<Timestamp>,
    /// A phone call can be talked in as soon as it is taken, whether or not anybody hears that it was.
    pub phone: Option<Phone>,
}

/// What is known of a phone call.
#[derive(Clone, Copy, Debug)]
pub struct Phone {
    /// When the provider was told to take it.
    pub told_at: Timestamp,
    /// When whoever told it heard that it was taken.
    pub heard_at: Option<Timestamp>,
}

pub struct Provider {
    simulation: &'static Simulation,
    pub mood: Cell<Mood>,
    /// Whether whoever asks it may die before it has the answer, or while the request is on its way.
    pub callers_die: Cell<bool>,
    pub calls: RefCell<Vec<ProviderCall>>,
}

type Answer = Result<Response<Bytes>, Failure>;

impl ProviderCall {
    /// When it was over, as far as that is known.
    pub fn closed_at(&self) -> Option<Timestamp> {
        let unheard = self.opened_at.plus(UNHEARD_FOR);
        match (self.hung_up_at, self.delivered_at) {
            (hung_up, Some(_)) => hung_up,
            (Some(hung_up), None) => Some(hung_up.min(unheard)),
            (None, None) => Some(unheard),
        }
    }

    pub fn is_open_at(&self, now: Timestamp) -> bool {
        self.opened_at <= now && self.closed_at().is_none_or(|closed| now < closed)
    }
}

impl Provider {
    pub fn new(simulation: &'static Simulation) -> Self {
        Self {
            simulation,
            mood: Cell::new(Mood::Fickle),
            callers_die: Cell::new(false),
            calls: RefCell::default(),
        }
    }

    /// The browser has the answer. A call that it has waited for too long is over.
    pub fn deliver(&self, id: &str) {
        let now = self.simulation.now();
        let mut calls = self.calls.borrow_mut();
        let call = calls.iter_mut().find(|call| call.id == id);
        let call = call.expect("a call of this provider");
        if now < call.opened_at.plus(UNHEARD_FOR) {
            call.delivered_at = Some(now);
        }
    }

    /// Answers a request to hang up, or an offer for that session.
    pub async fn answer(
        &self,
        session: Option<SessionId>,
        request: http::Request<Bytes>,
    ) -> Answer {
        let path = request.uri().path().to_owned();
        if let Some(call) = path.strip_suffix("/hangup") {
            let (_, id) = call.rsplit_once('/').expect("a call's path");
            return self.hang_up(id).await;
        }
        if let Some(call) = path.strip_suffix("/accept") {
            let (_, id) = call.rsplit_once('/').expect("a call's path");
            let session = session.expect("whoever hangs up takes no call");
            return self.accept(id, session, user_of(&request)).await;
        }
        let session = session.expect("whoever hangs up offers no call");
        let is_live = path.starts_with("/v1/live");
        self.open(session, user_of(&request), is_live).await
    }

    async fn open(&self, session: SessionId, user: &str, is_live: bool) -> Answer {
        let write_down = |on_its_way| self.write_down(session, user, on_its_way);
        let told = format!("an offer for {session}");
        let (fate, id) = self.arrive(&told, write_down).await?;
        self.simulation.wait(self.millis(300)).await;
        match fate {
            86..89 => Ok(opened(None, "", is_live)),
            89..92 => {
                self.tell(&id);
                Ok(opened(Some(&id), "<html>", is_live))
            }
            _ => {
                self.tell(&id);
                Ok(opened(Some(&id), SDP, is_live))
            }
        }
    }

    /// Takes a phone call.
    async fn accept(&self, id: &str, session: SessionId, user: &str) -> Answer {
        let told_at = self.simulation.now();
        let write_down = |on_its_way| {
            let opened_at = told_at.plus(on_its_way);
            self.calls.borrow_mut().push(ProviderCall {
                id: id.to_owned(),
                safety_identifier: user.to_owned(),
                session,
                opened_at,
                hung_up_at: None,
                answered_at: Some(opened_at),
                delivered_at: Some(opened_at),
                phone: Some(Phone {
                    told_at,
                    heard_at: None,
                }),
            });
            id.to_owned()
        };
        let (fate, _) = self.arrive(&format!("accept {id}"), write_down).await?;
        self.simulation.wait(self.millis(300)).await;
        if (86..89).contains(&fate) {
            return refused(500);
        }
        let mut calls = self.calls.borrow_mut();
        let call = calls.iter_mut().find(|call| call.id == id);
        let phone = call.and_then(|call| call.phone.as_mut());
        phone.expect("a phone call").heard_at = Some(self.simulation.now());
        Ok(Response::new(Bytes::new()))
    }

    /// What becomes of a request that opens a call: `open` writes the call down that is open when the request has arrived.
    /// Gives the fate of its answer, and the call's id.
    async fn arrive(
        &self,
        told: &str,
        open: impl FnOnce(Duration) -> String,
    ) -> Result<(u64, String), Failure> {
        let chance = &self.simulation.chance;
        let fate = chance.below(100);
        let is_ill = self.mood.get() == Mood::Ill;
        let on_its_way = self.millis(if (60..67).contains(&fate) {
            12_000
        } else {
            300
        });
        self.simulation.note(|| format!("{told}: {fate}"));
        match fate {
            67..75 => {
                self.simulation.wait(on_its_way).await;
                return Err(refusal(*chance.pick(&[400, 429, 500, 503])));
            }
            75..79 if is_ill => return Err(self.lose().await),
            _ => {}
        }
        let id = open(on_its_way);
        self.simulation.wait(on_its_way).await;
        match fate {
            79..83 if is_ill => Err(self.lose().await),
            83..86 => {
                self.simulation.wait(self.millis(3_000)).await;
                Err(Failure::Unreachable)
            }
            _ => Ok((fate, id)),
        }
    }

    /// Its answer has come.
    fn tell(&self, id: &str) {
        let mut calls = self.calls.borrow_mut();
        let call = calls.iter_mut().find(|call| call.id == id);
        call.expect("a call of this provider").answered_at = Some(self.simulation.now());
    }

    /// The connection breaks off, at times because whoever asked is gone.
    async fn lose(&self) -> Failure {
        if self.callers_die.get() {
            return self.simulation.crash().await;
        }
        Failure::Unreachable
    }

    /// A call that is opened when the offer arrives, whether or not anybody still waits for it.
    fn write_down(&self, session: SessionId, user: &str, on_its_way: Duration) -> String {
        let mut calls = self.calls.borrow_mut();
        let id = format!("rtc_{}", calls.len());
        calls.push(ProviderCall {
            id: id.clone(),
            safety_identifier: user.to_owned(),
            session,
            opened_at: self.simulation.now().plus(on_its_way),
            hung_up_at: None,
            answered_at: None,
            delivered_at: None,
            phone: None,
        });
        id
    }

    async fn hang_up(&self, id: &str) -> Answer {
        let chance = &self.simulation.chance;
        let fate = match self.mood.get() {
            Mood::Fickle => 0,
            Mood::Ill => chance.below(100),
        };
        self.simulation.note(|| format!("hang up {id}: {fate}"));
        let most = u64::try_from(HANG_UP_MAX.as_millis()).expect("small");
        let on_its_way = self.millis(if (50..57).contains(&fate) {
            6_000
        } else {
            most
        });
        match fate {
            57..62 => return Err(self.lose().await),
            62..70 => {
                self.simulation.wait(on_its_way).await;
                return refused(*chance.pick(&[429, 500, 503]));
            }
            70..78 => {
                self.simulation.wait(on_its_way).await;
                return Err(Failure::Unreachable);
            }
            78..84 => {
                self.simulation.wait(Duration::from_mins(1)).await;
                return Err(Failure::TimedOut);
            }
            _ => {}
        }
        let was_open = self.close(id, on_its_way);
        self.simulation.wait(on_its_way).await;
        match fate {
            84..88 => Err(self.lose().await),
            88..92 => Err(Failure::Unreachable),
            92..96 => refused(500),
            _ if was_open => {
                self.simulation.wait(self.millis(most)).await;
                Ok(Response::new(Bytes::new()))
            }
            _ => refused(*chance.pick(&[404, 410])),
        }
    }

    /// Ends the call when the request arrives, and tells whether it was open until then.
    fn close(&self, id: &str, on_its_way: Duration) -> bool {
        let at = self.simulation.now().plus(on_its_way);
        let mut calls = self.calls.borrow_mut();
        let call = calls.iter_mut().find(|call| call.id == id);
        // One that rings is known by its id before there is anything to hang up.
        let Some(call) = call.filter(|call| call.phone.is_none() || call.opened_at <= at) else {
            assert!(id.starts_with("phone_"), "{id} is no call of this provider");
            return false;
        };
        let was_open = call.is_open_at(at);
        call.hung_up_at = Some(call.hung_up_at.map_or(at, |before| before.min(at)));
        was_open
    }

    fn millis(&self, most: u64) -> Duration {
        Duration::from_millis(self.simulation.chance.between(0, most))
    }
}

fn user_of(request: &http::Request<Bytes>) -> &str {
    let header = request.headers().get("openai-safety-identifier");
    let user = header.and_then(|value| value.to_str().ok());
    user.expect("a user")
}

fn refused(status: u16) -> Answer {
    Err(refusal(status))
}

fn refusal(status: u16) -> Failure {
    let status = StatusCode::from_u16(status).expect("a status");
    Failure::of_status(status, &HeaderMap::new()).expect("no answer")
}

fn opened(id: Option<&str>, sdp: &str, is_live: bool) -> Response<Bytes> {
    let mut answer = Response::new(Bytes::from(sdp.to_owned()));
    if is_live {
        let session = id.map(|id| serde_json::json!({"id": id}));
        let body = serde_json::json!({"session": session, "transport": {"sdp": sdp}});
        *answer.body_mut() = Bytes::from(body.to_string());
    } else if let Some(id) = id {
        let location = format!("/v1/realtime/calls/{id}");
        answer
            .headers_mut()
            .insert(LOCATION, location.parse().expect("a header"));
    }
    *answer.status_mut() = StatusCode::CREATED;
    answer
}

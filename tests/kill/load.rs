//! Clients that start, talk, end, change plans and sweep, on both processes, and remember what they were told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use http::Request;
use serde_json::{Value, json};
use talktime_tests::Target;
use talktime_tests::bench::{keyed, request};
use tokio::task::JoinSet;

const USERS: usize = 20;
const CLIENTS: usize = 8;

/// Tries of a start that was not answered, each with the same key.
const TRIES: usize = 3;

/// What clients were told with a 200.
#[derive(Debug, Default, Clone)]
pub struct Told {
    /// The user of each session that was said to have started.
    pub started: HashMap<String, String>,
    /// Minutes and reason of each session that was said to be over.
    pub ended: HashMap<String, (u64, String)>,
}

/// The clients.
pub struct Load {
    seed: u64,
    told: Arc<Mutex<Told>>,
}

/// Clients at work.
pub struct Running(JoinSet<()>);

impl Running {
    /// Lets the clients go: what they have asked and not heard stays open.
    pub async fn stop(mut self) {
        self.0.shutdown().await;
    }
}

impl Load {
    /// Clients whose choices follow from the seed.
    pub fn new(rng: &mut Rng) -> Self {
        Self {
            seed: rng.u64(..),
            told: Arc::default(),
        }
    }

    /// What they were told so far.
    pub fn told(&self) -> Told {
        self.told.lock().expect("no client panicked").clone()
    }

    /// Sets the clients to work: most on the first address, and each now and then on the second.
    pub fn start(&self, round: u64, base_urls: [&str; 2]) -> Running {
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            let mut client = Client {
                rng: Rng::with_seed(self.seed ^ (round << 8) ^ client as u64),
                targets: base_urls.map(Target::at),
                told: self.told.clone(),
                session: HashMap::new(),
            };
            clients.spawn(async move {
                loop {
                    client.act().await;
                }
            });
        }
        Running(clients)
    }
}

struct Client {
    rng: Rng,
    targets: [Target; 2],
    told: Arc<Mutex<Told>>,
    session: HashMap<usize, String>,
}

impl Client {
    async fn act(&mut self) {
        let user = self.rng.usize(..USERS);
        match self.rng.u8(..20) {
            0 => self.change_plan(user).await,
            1 => drop(self.internal("alarm", json!({})).await),
            _ => self.talk(user).await,
        }
        tokio::time::sleep(Duration::from_millis(self.rng.u64(..8))).await;
    }

    async fn talk(&mut self, user: usize) {
        match (self.session.get(&user).cloned(), self.rng.u8(..10)) {
            (None, _) | (_, 0) => self.start(user).await,
            (Some(session), 1..=5) => {
                let body = json!({"sessionId": session});
                let answer = self.post(user, "heartbeat", body).await;
                if answer.is_some_and(|answer| answer.get("ended").is_some()) {
                    self.session.remove(&user);
                }
            }
            (Some(session), _) => self.end(user, session).await,
        }
    }

    async fn change_plan(&mut self, user: usize) {
        let action = if self.rng.bool() { "upgrade" } else { "cancel" };
        let mut body = json!({
            "userId": name(user), "plan": "pro", "action": action, "resetUsage": self.rng.u8(..4) == 0,
        });
        if self.rng.bool() {
            body["subscriptionId"] = format!("sub_{}", self.rng.u8(..3)).into();
        }
        drop(self.internal("update-plan", body).await);
    }

    async fn start(&mut self, user: usize) {
        let body = json!({"takeover": self.rng.bool()});
        let key = format!("{:x}", self.rng.u128(..));
        let mut answer = None;
        for _ in 0..TRIES {
            answer = self.post_with(user, "start", &body, Some(&key)).await;
            if answer.is_some() {
                break;
            }
        }
        let Some(answer) = answer else {
            return;
        };
        let session = answer["sessionId"].as_str().expect("an id").to_owned();
        let mut told = self.told.lock().expect("no client panicked");
        told.started.insert(session.clone(), name(user));
        self.session.insert(user, session);
    }

    async fn end(&mut self, user: usize, session: String) {
        let Some(answer) = self.post(user, "end", json!({"sessionId": session})).await else {
            return;
        };
        self.session.remove(&user);
        let minutes = answer["sessionMinutes"].as_u64().expect("minutes");
        let reason = answer["endReason"].as_str().expect("a reason").to_owned();
        let mut told = self.told.lock().expect("no client panicked");
        let before = told.ended.insert(session, (minutes, reason.clone()));
        assert!(
            before.is_none_or(|before| before == (minutes, reason)),
            "the first answer again"
        );
    }

    async fn post(&mut self, user: usize, what: &str, body: Value) -> Option<Value> {
        self.post_with(user, what, &body, None).await
    }

    async fn post_with(
        &mut self,
        user: usize,
        what: &str,
        body: &Value,
        key: Option<&str>,
    ) -> Option<Value> {
        let path = format!("/api/session/{what}");
        let mut request = request("POST", &path, Some(&name(user)), Some(body));
        if let Some(key) = key {
            request = keyed(request, key);
        }
        self.send(request).await
    }

    async fn internal(&mut self, what: &str, body: Value) -> Option<Value> {
        let path = format!("/api/internal/{what}");
        let request = request("POST", &path, None, Some(&body));
        self.send(request).await
    }

    /// The body of a 200.
    async fn send(&mut self, request: Request<Bytes>) -> Option<Value> {
        let other = usize::from(self.rng.u8(..5) == 0);
        let answer = self.targets[other].try_send(request).await?;
        (answer.status == 200).then(|| answer.json())
    }
}

fn name(user: usize) -> String {
    format!("user-{user}")
}

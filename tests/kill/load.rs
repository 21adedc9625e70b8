//! Clients that start, talk and end, and remember what they were told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};
use talktime_tests::Target;
use tokio::task::JoinSet;

const USERS: usize = 12;
const CLIENTS: usize = 6;

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

    /// Sets the clients to work.
    pub fn start(&self, base_url: &str) -> Running {
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            let mut client = Client {
                rng: Rng::with_seed(self.seed.wrapping_add(client as u64)),
                target: Target::at(base_url),
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
    target: Target,
    told: Arc<Mutex<Told>>,
    session: HashMap<usize, String>,
}

impl Client {
    async fn act(&mut self) {
        let user = self.rng.usize(..USERS);
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
        tokio::time::sleep(Duration::from_millis(self.rng.u64(..8))).await;
    }

    async fn start(&mut self, user: usize) {
        let body = json!({"takeover": self.rng.bool()});
        let Some(answer) = self.post(user, "start", body).await else {
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

    async fn post(&self, user: usize, what: &str, body: Value) -> Option<Value> {
        let path = format!("/api/session/{what}");
        let answer = self
            .target
            .try_trusted("POST", &path, Some(&name(user)), &body)
            .await?;
        (answer.status == 200).then(|| answer.json())
    }
}

fn name(user: usize) -> String {
    format!("user-{user}")
}

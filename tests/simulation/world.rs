//! The application, its users, and the steps that are taken with them.

use std::sync::Arc;

use talktime_host::{Host, KvBehaviour, VirtualClock};
use talktime_tests::{Answer, Bench};
use talktime_usage::State;
use tokio::task::JoinSet;

use crate::action::Ask;
use crate::chance::Chance;
use crate::model::{Span, User};
use crate::trouble::{Mode, Trouble};

/// What a request or a tick came to: an answer, or how the tick ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    Answer(Answer),
    Tick(Result<(), String>),
}

/// What a step came to.
pub struct Done {
    pub outcomes: Vec<Outcome>,
    pub span: Span,
    /// What went wrong on purpose, and how often.
    pub log: String,
    pub troubles: u32,
    /// When calls were last held up for long, now or in an earlier step.
    pub held_up: Option<i64>,
}

pub struct World {
    pub bench: Bench,
    pub trouble: Arc<Trouble>,
    pub users: Vec<User>,
    /// Whose step it was.
    pub last_actor: usize,
}

impl World {
    pub async fn new(behaviour: KvBehaviour, interval: &str, chance: &mut Chance) -> Self {
        let trouble = Arc::new(Trouble::new(Chance::new(chance.next())));
        let setup = Bench::setup()
            .key_value(behaviour)
            .variable("alarm_interval_seconds", interval)
            .faults(trouble.clone());
        let bench = setup.build().await;
        trouble.slows(&bench.clock);
        Self {
            bench,
            trouble,
            users: Vec::new(),
            last_actor: 0,
        }
    }

    pub fn now(&self) -> i64 {
        self.bench.clock.now_millis()
    }

    /// Does all of it at once, for one user.
    pub async fn carry_out(&self, user: &str, asks: &[Ask], mode: Mode) -> Done {
        let from = self.now();
        let sent = self.trouble.begin(mode, asks.len());
        let mut tasks = JoinSet::new();
        for (number, (ask, sent)) in asks.iter().zip(sent).enumerate() {
            let (host, clock) = (self.bench.host.clone(), self.bench.clock.clone());
            let request = ask.request(user);
            tasks.spawn(async move {
                tokio::time::sleep(sent).await;
                let outcome = match request {
                    Some(request) => Outcome::Answer(Answer::new(host.request(request).await)),
                    None => Outcome::Tick(tick(&host, &clock).await),
                };
                (number, outcome)
            });
        }
        let mut outcomes = tasks.join_all().await;
        outcomes.sort_by_key(|(number, _)| *number);
        let (log, troubles) = self.trouble.end();
        Done {
            outcomes: outcomes.into_iter().map(|(_, outcome)| outcome).collect(),
            span: Span {
                from,
                to: self.now(),
            },
            log,
            troubles,
            held_up: self.trouble.held_up(),
        }
    }

    pub async fn tick(&self) -> Result<(), String> {
        tick(&self.bench.host, &self.bench.clock).await
    }

    /// The user's document as it is stored.
    pub fn state(&self, user: &str) -> Option<State> {
        let document = self.bench.host.kv_get("default", &format!("user:{user}"))?;
        Some(serde_json::from_slice(&document).expect("a state"))
    }
}

async fn tick(host: &Host, clock: &VirtualClock) -> Result<(), String> {
    let now = u64::try_from(clock.now_millis() / 1_000).expect("after 1970");
    host.cron_tick("alarm", now).await
}

//! The application, its users, and the steps that are taken with them.

use std::sync::Arc;

use talktime_host::KvBehaviour;
use talktime_tests::{Answer, Bench};
use tokio::task::JoinSet;

use crate::checker::{Span, User};
use crate::faults::{FaultProfile, InjectedFaults};
use crate::prng::Prng;
use crate::workload::Invocation;

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
    pub faults: u32,
    /// When calls were last held up for long, now or in an earlier step.
    pub held_up: Option<i64>,
}

pub struct World {
    pub bench: Bench,
    pub faults: Arc<InjectedFaults>,
    pub users: Vec<User>,
    /// Whose step it was.
    pub last_actor: usize,
}

impl World {
    pub async fn new(behaviour: KvBehaviour, interval: &str, prng: &mut Prng) -> Self {
        let seed = prng.next();
        let faults = Arc::new(InjectedFaults::new(Prng::new(seed)));
        let setup = Bench::setup()
            .key_value(behaviour)
            .variable("alarm_interval_seconds", interval)
            .seed(seed)
            .faults(faults.clone());
        let bench = setup.build().await;
        faults.slows(&bench.clock);
        Self {
            bench,
            faults,
            users: Vec::new(),
            last_actor: 0,
        }
    }

    pub fn now(&self) -> i64 {
        self.bench.clock.now_millis()
    }

    /// Does all of it at once, for one user.
    pub async fn carry_out(
        &self,
        user: &str,
        invocations: &[Invocation],
        profile: FaultProfile,
    ) -> Done {
        let from = self.now();
        let sent = self.faults.begin(profile, invocations.len());
        let mut tasks = JoinSet::new();
        for (number, (invocation, sent)) in invocations.iter().zip(sent).enumerate() {
            let bench = self.bench.clone();
            let request = invocation.request(user);
            tasks.spawn(async move {
                tokio::time::sleep(sent).await;
                let outcome = match request {
                    Some(request) => Outcome::Answer(bench.send(request).await),
                    None => Outcome::Tick(bench.try_tick().await),
                };
                (number, outcome)
            });
        }
        let mut outcomes = tasks.join_all().await;
        outcomes.sort_by_key(|(number, _)| *number);
        let (log, faults) = self.faults.end();
        Done {
            outcomes: outcomes.into_iter().map(|(_, outcome)| outcome).collect(),
            span: Span {
                from,
                to: self.now(),
            },
            log,
            faults,
            held_up: self.faults.held_up(),
        }
    }
}

//! Users, their pages, the stores and the provider, and what each of them does.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use talktime_store::memory::{
    Behaviour, FaultySql, MemoryDocuments, MemorySql, Simulation, Task, rows,
};
use talktime_store::{
    DocumentKey, Environment, NoLedger, SqlLedger, SweepOrder, Users, plan_news, sweep,
};
use talktime_usage::{
    Command, EndReason, EndedSession, PlanNews, Policy, SessionId, SessionStart, Source, State,
    Timestamp, UserId,
};
use talktime_voice::sdp::Offer;
use talktime_voice::{Account, Accounts, CallSetup, HangUps, OPENAI, Values};
use uuid::Uuid;

use super::provider::Provider;

/// As the cron trigger has it.
pub const TICK: Duration = Duration::from_secs(1);

const SWEEPS_APART: Duration = Duration::from_secs(5);

/// Clocks are believed: they jump here.
const ORDER: SweepOrder = SweepOrder {
    batch: 10,
    changed_max: 20,
    retain: None,
    force: true,
};

type Database = SqlLedger<FaultySql<MemorySql>>;

/// What somebody does, for the user of that number.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    Start { takeover: bool, awaits_call: bool },
    Offer,
    Heartbeat,
    End,
    Plan(&'static str),
    Sweep,
    HangUps,
}

/// One user and the page.
pub struct User {
    pub id: UserId,
    /// The session that the page believes in.
    pub session: Cell<Option<SessionId>>,
    /// Whether the page sends heartbeats.
    pub alive: Cell<bool>,
    next_heartbeat: Cell<Duration>,
}

pub struct World {
    pub simulation: &'static Simulation,
    pub documents: MemoryDocuments,
    pub ledger: Database,
    pub policy: Policy,
    pub provider: Provider,
    accounts: Accounts,
    pub users: Vec<User>,
    /// Whether the cron triggers fire.
    pub is_up: Cell<bool>,
    /// When something last went wrong, as the wall clock has it.
    pub troubles: RefCell<Vec<Timestamp>>,
    /// When several did something at once, from and to: no trigger fires meanwhile.
    rounds: RefCell<Vec<(Timestamp, Timestamp)>>,
    pub ended: RefCell<BTreeMap<SessionId, EndedSession>>,
    /// The sessions that said they would call.
    pub awaiting: RefCell<Vec<SessionId>>,
    drawn: Cell<u128>,
}

impl World {
    pub fn new(seed: u64, behaviour: Behaviour) -> Self {
        let start = Timestamp::parse_rfc3339("2026-11-10T12:00:00Z").expect("a time");
        let simulation: &'static Simulation = Box::leak(Box::new(Simulation::new(start, seed)));
        simulation
            .latency_millis_max
            .set(*simulation.chance.pick(&[0, 5, 40]));
        let account: Option<Account> = OPENAI
            .account(Values {
                key: Some("sk-of-the-stories"),
                ..Values::default()
            })
            .expect("defaults are valid");
        let count = simulation.chance.between(1, 3);
        let sql = FaultySql::new(MemorySql::default(), simulation);
        Self {
            simulation,
            documents: MemoryDocuments::new(simulation, behaviour),
            ledger: SqlLedger::new(sql, simulation),
            policy: Policy::default(),
            provider: Provider::new(simulation),
            accounts: Accounts {
                openai: account,
                openai_live: None,
                gemini: None,
            },
            users: (0..count)
                .map(|number| User {
                    id: UserId::parse(&format!("user-{number}")).expect("an id"),
                    session: Cell::default(),
                    alive: Cell::default(),
                    next_heartbeat: Cell::default(),
                })
                .collect(),
            is_up: Cell::new(true),
            troubles: RefCell::default(),
            rounds: RefCell::default(),
            ended: RefCell::default(),
            awaiting: RefCell::default(),
            drawn: Cell::default(),
        }
    }

    fn protocol(&self) -> Users<'_, MemoryDocuments, Database> {
        Users::new(&self.documents, &self.ledger, &self.policy, self.simulation)
    }

    pub fn without_ledger(&self) -> Users<'_, MemoryDocuments, NoLedger> {
        Users::new(&self.documents, &NoLedger, &self.policy, self.simulation)
    }

    /// Does these at once, with so many calls of a thousand going wrong, and takes in what was stored.
    pub fn at_once(&self, acts: &[(usize, Act)], per_mille: u64) {
        let faults = [&self.documents.faults, &self.ledger.sql.faults];
        let happened = || {
            let stores: u32 = faults.iter().map(|faults| faults.happened.get()).sum();
            stores + self.provider.happened.get()
        };
        let (before, began) = (happened(), self.simulation.now());
        for faults in faults {
            faults.per_mille.set(per_mille);
        }
        self.provider.per_mille.set(per_mille * 2);
        let tasks = acts.iter().map(|(user, act)| {
            self.simulation
                .note(|| format!("== {} {act:?}", self.users[*user].id));
            self.task(&self.users[*user], *act)
        });
        self.simulation.run(tasks);
        for faults in faults {
            faults.per_mille.set(0);
        }
        self.provider.per_mille.set(0);
        let now = self.simulation.now();
        self.rounds.borrow_mut().push((began, now));
        if happened() > before {
            self.troubles.borrow_mut().push(now);
        }
        self.observe();
    }

    fn task<'a>(&'a self, user: &'a User, act: Act) -> Task<'a, ()> {
        Box::pin(async move {
            let users = self.protocol();
            let mark = users.fresh_mark();
            match act {
                Act::Start {
                    takeover,
                    awaits_call,
                } => {
                    self.drawn.set(self.drawn.get() + 1);
                    let session = SessionId::new(Uuid::from_u128(self.drawn.get()));
                    if awaits_call {
                        self.awaiting.borrow_mut().push(session);
                    }
                    let wanted = SessionStart {
                        session,
                        topic: None,
                        difficulty: None,
                        takeover,
                        awaits_call,
                    };
                    if let Ok(started) = users.start(&user.id, wanted, &mark).await {
                        user.session.set(Some(started.session));
                        user.alive.set(true);
                        user.next_heartbeat
                            .set(self.simulation.elapsed() + self.policy.heartbeat_interval);
                    }
                }
                Act::Offer => self.offer(user).await,
                Act::Heartbeat => {
                    if let Some(session) = user.session.get() {
                        let _ = users.heartbeat(&user.id, session, &mark).await;
                    }
                }
                Act::End => {
                    if let Some(session) = user.session.take() {
                        user.alive.set(false);
                        let reason = EndReason::UserEnded;
                        let _ = users.end(&user.id, session, reason, &mark).await;
                    }
                }
                Act::Plan(plan) => {
                    let news = self.news(user, plan);
                    let _ = plan_news::tell(&users, &news, &mark).await;
                }
                Act::Sweep => {
                    let _ = sweep(&users, ORDER).await;
                }
                Act::HangUps => {
                    let users = self.without_ledger();
                    let hang_ups = HangUps {
                        users: &users,
                        accounts: &self.accounts,
                    };
                    let send = async |request| self.provider.send(request).await;
                    let _ = hang_ups.run(TICK, send).await;
                }
            }
        })
    }

    fn news(&self, user: &User, plan: &str) -> PlanNews {
        PlanNews {
            user: user.id.clone(),
            command: Command::ChangePlan {
                source: Source::Manual,
                plan: self.policy.catalogue.find(plan).cloned(),
                period: None,
                ends_at: None,
                customer: None,
                reset_usage: false,
                as_of: None,
            },
            as_of: None,
            told: Vec::new(),
            taken: Vec::new(),
        }
    }

    async fn offer(&self, user: &User) {
        let (Some(session), Some(account)) = (user.session.get(), &self.accounts.openai) else {
            return;
        };
        let users = self.without_ledger();
        let sdp = format!("v=0\r\ns={session}\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n");
        let offer = Offer::parse(&sdp).expect("an offer");
        let setup = CallSetup {
            user: &user.id,
            session,
            account,
            accounts: &self.accounts,
            model: "gpt-realtime-2.1",
            voice: None,
            offer: &offer,
        };
        let send = async |request| self.provider.send(request).await;
        let set_up = setup.run(&users, &users.fresh_mark(), send).await;
        self.simulation.note(|| match &set_up {
            Ok(set_up) => format!("call {}", set_up.opened.id),
            Err(error) => format!("no call: {error}"),
        });
        if let Ok(set_up) = set_up {
            self.provider.deliver(set_up.opened.id.as_str());
        }
    }

    /// Time goes on, with the cron triggers and the heartbeats of pages that are there.
    pub fn pass(&self, span: Duration) {
        let end = self.simulation.elapsed() + span;
        loop {
            let now = self.simulation.elapsed();
            let (at, acts) = self.next(now, end);
            self.simulation.advance(at.saturating_sub(now));
            if acts.is_empty() {
                break;
            }
            self.at_once(&acts, 0);
        }
        self.provider.settle();
    }

    /// What happens next, and when.
    fn next(&self, now: Duration, end: Duration) -> (Duration, Vec<(usize, Act)>) {
        let mut at = end;
        let mut acts = Vec::new();
        let mut consider = |when: Duration, act: (usize, Act)| {
            if when < at {
                at = when;
                acts.clear();
            }
            if when == at && when < end {
                acts.push(act);
            }
        };
        for (number, user) in self.users.iter().enumerate() {
            if user.alive.get() {
                let due = user.next_heartbeat.get().max(now);
                consider(due, (number, Act::Heartbeat));
            }
        }
        if self.is_up.get() {
            if let Some(due) = self.next_look(now) {
                consider(due, (0, Act::HangUps));
            }
            if let Some(due) = self.next_alarm(now) {
                consider(due, (0, Act::Sweep));
            }
        }
        for (user, act) in &acts {
            if let Act::Heartbeat = act {
                let user = &self.users[*user];
                user.next_heartbeat.set(at + self.policy.heartbeat_interval);
            }
        }
        (at, acts)
    }

    /// The tick of the trigger that has something to do.
    fn next_look(&self, now: Duration) -> Option<Duration> {
        let due = self.watched().into_iter().min()?;
        let wait = due.since(self.simulation.now()).saturating_sub(TICK);
        Some(next_multiple(
            now.max(self.simulation.elapsed() + wait),
            TICK,
        ))
    }

    /// When users are to be looked at. To peek takes no time.
    pub fn watched(&self) -> Vec<Timestamp> {
        let documents = self.documents.documents.borrow();
        let watch = documents
            .iter()
            .filter(|(key, _)| matches!(key, DocumentKey::Calls(_)));
        let looks = watch.flat_map(|(_, document)| {
            let document: Value = serde_json::from_slice(document).expect("JSON");
            let users = document["users"].as_object().cloned().unwrap_or_default();
            users.into_iter().map(|(_, look)| look["at"].as_i64())
        });
        looks
            .map(|at| Timestamp::from_unix_millis(at.expect("an instant")))
            .collect()
    }

    /// The tick of the sweep's trigger that has something to do.
    fn next_alarm(&self, now: Duration) -> Option<Duration> {
        let sql = "SELECT MIN(MAX(alarm_at, COALESCE(lease_until, 0))) FROM users WHERE alarm_at IS NOT NULL";
        // Before there are tables nobody has an alarm.
        let due = rows(&self.ledger.sql.inner.connection, sql).ok()?;
        let due = Timestamp::from_unix_seconds(due.first()?.parse().ok()?);
        let wait = due.since(self.simulation.now());
        Some(next_multiple(now + wait, SWEEPS_APART))
    }

    /// From when on the triggers fire that could have fired at `at`.
    pub fn next_trigger(&self, at: Timestamp) -> Timestamp {
        let rounds = self.rounds.borrow();
        let during = rounds
            .iter()
            .filter(|(from, to)| (*from..=*to).contains(&at));
        during.map(|(_, to)| *to).max().unwrap_or(at)
    }

    /// Takes in what was stored since the last time.
    fn observe(&self) {
        for (_, document) in self.documents.stored.take() {
            let Ok(state) = State::parse(&document) else {
                // The watch over calls.
                continue;
            };
            let mut ended = self.ended.borrow_mut();
            for session in state.ended.iter() {
                ended.entry(session.id).or_insert_with(|| session.clone());
            }
        }
    }

    pub fn state(&self, user: &User) -> Option<State> {
        let documents = self.documents.documents.borrow();
        let document = documents.get(&(&user.id).into())?;
        Some(State::parse(document).expect("a state"))
    }
}

/// The next multiple after `now`.
fn next_multiple(now: Duration, of: Duration) -> Duration {
    let millis = now.as_millis() / of.as_millis() + 1;
    of * u32::try_from(millis).expect("a short story")
}

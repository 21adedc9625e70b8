//! The users of a story, their stores, their provider and the time.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use futures_executor::block_on;
use talktime_store::memory::{Behaviour, FaultySql, MemoryDocuments, MemorySql, Simulation, rows};
use talktime_store::{DocumentKey, Environment, NoLedger, SqlLedger, Users, pseudonym};
use talktime_usage::{Catalogue, EndReason, Minutes, Policy, SessionId, State, Timestamp, UserId};
use talktime_voice::{Accounts, OPENAI, OPENAI_LIVE, Values, Variables};

use super::provider::Provider;

/// What must never be seen by anybody but the provider.
pub const KEY: &str = "sk-never-to-be-seen";

/// The most that a healthy call to a store takes on its way there, and back, in milliseconds.
const LATENCY_MILLIS_MAX: u64 = 3;

/// Small plans, so that limits are met.
const PLANS: &str = r#"{"free": {"minutes": 2}, "basic": {"minutes": 5}, "pro": {"minutes": 30}}"#;

/// Times to begin at: some time, and soon before a period's end.
const STARTS: [&str; 4] = [
    "2026-11-10T12:00:00Z",
    "2026-11-10T12:00:00Z",
    "2026-11-10T12:00:00Z",
    "2026-11-30T23:52:00Z",
];

pub type Ledger = SqlLedger<FaultySql<MemorySql>>;

/// A user, and the page before them.
pub struct Person {
    pub id: UserId,
    /// What the provider knows the user by.
    pub safety_identifier: String,
    /// The sessions that were asked for, the newest last.
    pub sessions: RefCell<Vec<SessionId>>,
    /// Those of them that wait for a call.
    pub awaiting: RefCell<Vec<SessionId>>,
    /// The session of the page that sends heartbeats.
    pub page: Cell<Option<SessionId>>,
    /// When it sends the next one, by the clock that nobody sets.
    pub next_beat: Cell<Duration>,
    /// How sessions ended, by the user's documents.
    pub ended: BTreeMap<SessionId, End>,
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    pub started_at: Timestamp,
    pub at: Timestamp,
    pub minutes: Minutes,
    pub reason: EndReason,
}

/// What a story is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing fails but offers of calls, and the cron component runs in each second.
    Steady,
    /// The provider may not even hang up.
    Provider,
    /// Anything may fail, tasks die, and at times nothing runs.
    Rough,
}

/// A span of the story.
pub struct Span {
    pub start: Timestamp,
    pub end: Timestamp,
    /// Whether the cron component ran in each second of it, nothing failed, and nothing that failed before can be felt.
    pub is_calm: bool,
    /// When somebody was to look at each user's calls, as it began.
    pub looks: Vec<Option<Timestamp>>,
}

pub struct World {
    pub simulation: &'static Simulation,
    pub documents: MemoryDocuments,
    pub ledger: Ledger,
    pub policy: Policy,
    pub accounts: Accounts,
    pub provider: Provider,
    pub people: Vec<Person>,
    pub kind: Kind,
    pub drawn: Cell<u64>,
    /// How many tasks are on their way that the cron component is needed for.
    pub busy: Cell<u32>,
    pub spans: Vec<Span>,
    /// Until when it can be felt that something failed.
    pub troubled_until: Timestamp,
}

impl World {
    pub fn new(seed: u64, behaviour: Behaviour) -> Self {
        let start = STARTS[usize::try_from(seed / 3 % 4).expect("small")];
        let start = Timestamp::parse_rfc3339(start).expect("a time");
        // What runs in it borrows it for good.
        let simulation: &'static Simulation = Box::leak(Box::new(Simulation::new(start, seed)));
        let chance = &simulation.chance;
        simulation.latency_millis_max.set(LATENCY_MILLIS_MAX);
        let names = &["ann", "bob", "cat"][..*chance.pick(&[1, 2, 2, 3])];
        let person = |name: &&str| {
            let id = UserId::parse(name).expect("an id");
            Person {
                safety_identifier: pseudonym(&id),
                id,
                sessions: RefCell::default(),
                awaiting: RefCell::default(),
                page: Cell::default(),
                next_beat: Cell::default(),
                ended: BTreeMap::new(),
            }
        };
        Self {
            simulation,
            documents: MemoryDocuments::new(simulation, behaviour),
            ledger: SqlLedger::new(FaultySql::new(MemorySql::default(), simulation), simulation),
            policy: Policy {
                catalogue: Catalogue::parse(PLANS).expect("plans"),
                session_max: Some(Duration::from_secs(*chance.pick(&[100, 240, 3_600]))),
                stale_after: Duration::from_secs(*chance.pick(&[120, 600])),
                ..Policy::default()
            },
            accounts: accounts(),
            provider: Provider::new(simulation),
            people: names.iter().map(person).collect(),
            kind: *chance.pick(&[Kind::Steady, Kind::Provider, Kind::Rough, Kind::Rough]),
            drawn: Cell::new(0),
            busy: Cell::new(0),
            spans: Vec::new(),
            troubled_until: start,
        }
    }

    /// The users as the components know them that face browsers and the ledger.
    pub fn users(&self) -> Users<'_, MemoryDocuments, Ledger> {
        Users::new(&self.documents, &self.ledger, &self.policy, self.simulation)
    }

    /// The users as the components know them that hold the provider's key.
    pub fn users_without_ledger(&self) -> Users<'_, MemoryDocuments, NoLedger> {
        Users::new(&self.documents, &NoLedger, &self.policy, self.simulation)
    }

    pub fn now(&self) -> Timestamp {
        self.simulation.now()
    }

    /// The rows of a query, none before there are tables.
    pub fn rows(&self, sql: &str) -> Vec<String> {
        rows(&self.ledger.sql.inner.connection, sql).unwrap_or_default()
    }

    /// That user's state as it is stored.
    pub fn state(&self, person: &Person) -> Option<State> {
        let documents = self.documents.documents.borrow();
        let document = documents.get(&DocumentKey::from(&person.id))?;
        Some(State::parse(document).expect("a state"))
    }

    /// When somebody is to look at that user's calls by the watch over calls.
    pub fn watched(&self, person: &Person) -> Option<Timestamp> {
        let users = self.users_without_ledger();
        let all = self.aside(users.call_watch().all()).expect("documents");
        let mine = all.into_iter().find(|watched| watched.user == person.id);
        mine.map(|watched| watched.look.at)
    }

    /// Whether the watch over calls has anybody in it.
    pub fn is_anybody_watched(&self) -> bool {
        let documents = self.documents.documents.borrow();
        documents.iter().any(|(key, document)| {
            matches!(key, DocumentKey::Calls(_)) && !document.starts_with(br#"{"users":{}"#)
        })
    }

    /// When the next sweep can come by that user, or by anybody.
    pub fn next_alarm(&self, person: Option<&Person>) -> Option<Timestamp> {
        let whose = person.map_or(String::new(), |person| format!("AND id = '{}'", person.id));
        let rows = self.rows(&format!(
            "SELECT MIN(MAX(alarm_at, lease_until)) FROM users WHERE alarm_at IS NOT NULL {whose}"
        ));
        rows.first()?.parse().ok().map(Timestamp::from_unix_seconds)
    }

    /// Does something in no time, and with no faults.
    pub fn aside<T>(&self, work: impl Future<Output = T>) -> T {
        let latency = self.simulation.latency_millis_max.replace(0);
        let done = block_on(work);
        self.simulation.latency_millis_max.set(latency);
        done
    }
}

fn accounts() -> Accounts {
    let account = |variables: &'static Variables| {
        let account = variables.account(Values {
            key: Some(KEY),
            models: Some("m-1"),
            ..Values::default()
        });
        account.expect("valid")
    };
    Accounts {
        openai: account(&OPENAI),
        openai_live: account(&OPENAI_LIVE),
        gemini: None,
    }
}

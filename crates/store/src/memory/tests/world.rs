//! Two users, their stores and the time.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;
use talktime_usage::{Period, Policy, SessionId, State, Timestamp, status};

use super::billing::{Event, in_force};
use super::checker::User;
use super::mints::Mints;
use super::provider::Provider;
use super::workload::{Asked, Scope, Workload};
use super::{Checked, ensure, ledger};
use crate::memory::{Behaviour, FaultySql, MemoryDocuments, MemorySql, Simulation, rows};
use crate::sqlite::SqlLedger;
use crate::testing::{simulation, user};
use crate::users::Users;
use crate::{DocumentKey, Environment};

/// The most that a healthy call takes on its way there, and back, in milliseconds.
const LATENCY_MILLIS_MAX: u64 = 3;

/// More sweeps than it takes until nothing is due.
const SWEEPS_MAX: u32 = 2_000;

/// More looks at calls than there are reasons for.
const LOOKS_MAX: u32 = 200;

/// Who is there.
const NAMES: [&[&str]; 3] = [&["ann"], &["ann", "bob"], &["ann", "bob", "cid", "dan"]];

/// What went wrong so long before is not felt any more: a user whose sweeps failed is tried again by then.
const LONG_AGO: Duration = Duration::from_mins(20);

/// How long a call may go on after its session.
const OVERSHOOT_MAX: Duration = Duration::from_secs(3);

/// So many calls that go on keep a user from further ones.
const CALLS_MAX: usize = 8;

/// What the clock on the wall does besides going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    Steady,
    /// It is set forward, and back by so little that nobody need mind.
    Corrected,
    /// It is wrong at times, and set back by minutes or hours.
    Wrong,
}

pub struct World {
    pub simulation: &'static Simulation,
    pub documents: MemoryDocuments,
    pub ledger: SqlLedger<FaultySql<MemorySql>>,
    pub policy: Policy,
    pub users: Vec<User>,
    pub workload: Workload,
    pub scope: Scope,
    pub clock: Clock,
    /// The latest that the clock ever said.
    latest: Timestamp,
    pub provider: Provider,
    /// What has happened at the billing provider.
    pub events: Vec<Event>,
    /// Of each user.
    pub mints: RefCell<Vec<Mints>>,
    /// Whose mints were refused, too many, in this round.
    pub refused: RefCell<Vec<usize>>,
    /// Sessions that may have given a sign of life in this round; those that surely did, and since when; and until when
    /// tokens for them can be talked with.
    pub touched: RefCell<BTreeSet<SessionId>>,
    pub heard: RefCell<Vec<(SessionId, Timestamp)>>,
    pub tokens: RefCell<Vec<(SessionId, Timestamp)>>,
    /// What must not be, and was seen while it was.
    pub complaint: RefCell<Option<String>>,
    /// What the ledger has said that is never to be undone.
    pub said: BTreeMap<String, i64>,
    /// When something last went wrong that others may feel, by the clock that nobody sets.
    pub troubled: Option<Duration>,
    /// Until when calls were not looked after, or not as they are each second.
    pub untended: Timestamp,
}

impl World {
    pub fn new(seed: u64, behaviour: Behaviour) -> Self {
        let simulation = simulation("2026-11-10T12:00:00Z", seed);
        let chance = &simulation.chance;
        simulation.latency_millis_max.set(LATENCY_MILLIS_MAX);
        // Some begin minutes before a month ends.
        if chance.percent(25) {
            let end = Period::calendar_month(simulation.now()).end();
            let before = Duration::from_millis(chance.between(1, 900_000));
            simulation.advance(end.minus(before).since(simulation.now()));
        }
        let policy = Policy {
            alarm_interval: Duration::from_secs(*chance.pick(&[30, 30, 60, 10])),
            ..Policy::default()
        };
        let names = *chance.pick(&NAMES);
        let users = names
            .iter()
            .map(|name| User::new(user(name), policy.clone()));
        let clock = *chance.pick(&[Clock::Steady, Clock::Steady, Clock::Corrected, Clock::Wrong]);
        Self {
            simulation,
            documents: MemoryDocuments::new(simulation, behaviour),
            ledger: SqlLedger::new(FaultySql::new(MemorySql::default(), simulation), simulation),
            users: users.collect(),
            policy,
            workload: Workload::default(),
            scope: Scope {
                voice: chance.percent(60),
                events: chance.percent(60),
            },
            clock,
            latest: simulation.now(),
            provider: Provider::new(simulation),
            events: Vec::new(),
            mints: RefCell::new(names.iter().map(|_| Mints::default()).collect()),
            refused: RefCell::default(),
            touched: RefCell::default(),
            heard: RefCell::default(),
            tokens: RefCell::default(),
            complaint: RefCell::default(),
            said: BTreeMap::new(),
            troubled: None,
            untended: simulation.now(),
        }
    }

    pub fn protocol(&self) -> Users<'_, MemoryDocuments, SqlLedger<FaultySql<MemorySql>>> {
        Users::new(&self.documents, &self.ledger, &self.policy, self.simulation)
    }

    /// So many rounds, then quiet.
    pub fn play(&mut self, rounds: u32) -> Checked {
        self.simulation
            .note(|| format!("{:?}, {:?}", self.scope, self.clock));
        for _ in 0..rounds {
            let wait = self.pause();
            let is_tended = self.simulation.chance.percent(80);
            self.pass(wait, is_tended)?;
            self.step_clock();
            ledger::watch(self);
            self.round()?;
        }
        self.deliver_all()?;
        self.drain()?;
        self.check_plans()?;
        self.provider.all_are_over()?;
        for user in &self.users {
            ensure!(
                user.running.is_none(),
                "a session of {} goes on for ever",
                user.id
            );
            ledger::books_balance(self, user)?;
        }
        Ok(())
    }

    /// Lets that time go by. Calls are looked after meanwhile, or whoever does it is down.
    fn pass(&mut self, wait: Duration, is_tended: bool) -> Checked {
        let until = self.simulation.elapsed() + wait;
        let mut looks = 0;
        while let Some(at) = self.next_look().filter(|_| is_tended) {
            let wait = at.since(self.simulation.now());
            if self.simulation.elapsed() + wait >= until {
                break;
            }
            self.simulation.advance(wait);
            self.quietly(&Asked::Look)?;
            looks += 1;
            ensure!(looks < LOOKS_MAX, "calls are looked at again and again");
        }
        self.simulation
            .advance(until.saturating_sub(self.simulation.elapsed()));
        if !is_tended {
            self.untended = self.simulation.now();
        }
        Ok(())
    }

    /// When somebody is to look at calls, as the watch's documents say.
    fn next_look(&self) -> Option<Timestamp> {
        let documents = self.documents.documents.borrow();
        let parts = documents
            .iter()
            .filter(|(key, _)| matches!(key, DocumentKey::Calls(_)));
        let looks = parts.flat_map(|(_, document)| {
            let part: Value = serde_json::from_slice(document).expect("JSON");
            let users = part["users"].as_object().cloned().unwrap_or_default();
            users.into_iter().map(|(_, look)| {
                serde_json::from_value::<Timestamp>(look["at"].clone()).expect("an instant")
            })
        });
        looks.min()
    }

    /// The clock on the wall may be set.
    fn step_clock(&mut self) {
        let chance = &self.simulation.chance;
        let now = self.simulation.now();
        self.latest = self.latest.max(now);
        if self.clock == Clock::Steady || !chance.percent(25) {
            return;
        }
        let millis = |least, most| i64::try_from(chance.between(least, most)).unwrap_or(0);
        let behind = self.latest.unix_millis() - now.unix_millis();
        let step = match (self.clock, chance.below(10)) {
            (_, 0 | 1) => millis(1_000, 600_000),
            (_, 2) => millis(600_000, 4 * 3_600_000),
            (Clock::Wrong, 3) => -millis(600_000, 4 * 3_600_000),
            (Clock::Wrong, _) => -millis(1_000, 240_000),
            _ => -millis(1, 55_000).min((55_000 - behind).max(0)),
        };
        self.simulation
            .note(|| format!("the clock is set by {step} ms"));
        self.simulation.step_clock(step);
        self.untended = self.simulation.now().max(self.latest);
        self.latest = self.latest.max(self.simulation.now());
        if self.clock == Clock::Wrong {
            for mints in self.mints.borrow_mut().iter_mut() {
                mints.forget();
            }
        }
    }

    /// The billing provider sends its events until each was answered.
    fn deliver_all(&mut self) -> Checked {
        for number in 0..self.events.len() {
            while !self.events[number].taken.get() {
                self.pass(Duration::from_secs(30), true)?;
                self.quietly(&Asked::Event(number))?;
            }
        }
        Ok(())
    }

    /// Of each user the plan in force is that which follows from the events, as far as it is sure which of them were taken.
    pub fn check_plans(&self) -> Checked {
        // An event that seems to be of tomorrow, by a clock that is wrong, is taken as of now.
        if !self.scope.events || self.clock == Clock::Wrong {
            return Ok(());
        }
        for (index, user) in self.users.iter().enumerate() {
            let sent = self
                .events
                .iter()
                .filter(|event| event.user == index && event.sent.get());
            let sent: Vec<&Event> = sent.collect();
            if !sent.iter().all(|event| event.taken.get()) {
                continue;
            }
            let documents = self.documents.documents.borrow();
            let state = documents.get(&DocumentKey::from(&user.id));
            let state = state.map(|document| State::parse(document).expect("a state"));
            let now = self.simulation.now();
            let seen = status(&user.id, state.as_ref(), now, &self.policy);
            let told = in_force(&sent, seen.at, &self.policy);
            ensure!(
                seen.plan == told,
                "{} is on {}, and by {sent:?} on {told}",
                user.id,
                seen.plan
            );
        }
        Ok(())
    }

    /// How long it is until the next round: mostly within a session, at times over the end of a period.
    fn pause(&self) -> Duration {
        let chance = &self.simulation.chance;
        let month = Period::calendar_month(self.simulation.now());
        let until_month = month.end().since(self.simulation.now());
        let until_alarm = ledger::next_alarm(self).map_or(Duration::ZERO, |at| {
            Timestamp::from_unix_seconds(at).since(self.simulation.now())
        });
        match chance.below(100) {
            0..25 => Duration::ZERO,
            25..45 => Duration::from_millis(chance.between(1, 40_000)),
            45..75 => until_alarm.min(Duration::from_hours(48)),
            75..84 => Duration::from_millis(chance.between(1_000, 600_000)),
            84..90 => Duration::from_secs(chance.between(600, 86_400)),
            90..96 => until_month.saturating_sub(Duration::from_millis(chance.below(2_000))),
            _ => Duration::from_secs(86_400 * chance.between(1, 40)),
        }
    }

    /// Sweeps and looks, with nothing that goes wrong, until no alarm is left.
    fn drain(&mut self) -> Checked {
        self.simulation
            .note(|| "sweeps until nothing is due".to_owned());
        for _ in 0..SWEEPS_MAX {
            let Some(next) = ledger::next_alarm(self) else {
                return Ok(());
            };
            let wait = Timestamp::from_unix_seconds(next).since(self.simulation.now());
            self.pass(wait, true)?;
            self.quietly(&Asked::Sweep { force: true })?;
        }
        Err(format!("alarms are left after {SWEEPS_MAX} sweeps"))
    }

    /// Takes in all that was stored since the last time, in its order.
    pub fn observe(&mut self) -> Checked {
        if let Some(complaint) = self.complaint.take() {
            return Err(complaint);
        }
        let now = self.simulation.now().max(self.latest);
        for user in &mut self.users {
            user.take_in_signs(
                now,
                &self.touched.borrow(),
                &self.heard.borrow(),
                &self.tokens.borrow(),
            );
        }
        self.touched.take();
        self.heard.take();
        self.tokens.take();
        for user in self.refused.take() {
            if self.clock == Clock::Steady && self.users[user].calls.len() < CALLS_MAX {
                self.mints.borrow()[user].refuse(now)?;
            }
        }
        for (key, document) in self.documents.stored.take() {
            let DocumentKey::User(id) = key else { continue };
            let state = crate::users::parse(&document).map_err(|error| error.to_string())?;
            let clock = self.clock;
            let user = self.users.iter_mut().find(|user| user.id == id);
            let user = user.expect("one of them");
            user.observe(&state, clock, &self.provider)?;
        }
        for user in &self.users {
            ledger::check(self, user)?;
        }
        self.provider.check_kept(&self.users)?;
        self.check_overshoot()?;
        ledger::undoes_nothing(self)
    }

    /// What ended while calls were looked after, and nothing went wrong for long, is hung up within seconds.
    fn check_overshoot(&self) -> Checked {
        let since = self
            .troubled
            .map(|at| self.simulation.elapsed().saturating_sub(at));
        let is_calm = since.is_none_or(|since| since >= LONG_AGO) && self.clock == Clock::Steady;
        for (id, call) in &mut *self.provider.calls.borrow_mut() {
            let session = self.users[call.user].sessions.get(&call.session);
            let end = session.and_then(|session| session.end.as_ref());
            let (Some(end), Some(over), true) = (end, call.over_at, call.talks) else {
                continue;
            };
            if std::mem::replace(&mut call.is_judged, true) || !is_calm {
                continue;
            }
            let due = end.at.max(self.untended);
            ensure!(
                over.since(due) <= OVERSHOOT_MAX,
                "{id} was over at {over:?}, its session at {due:?}"
            );
        }
        Ok(())
    }

    pub fn now_seconds(&self) -> i64 {
        self.simulation.now().unix_seconds()
    }

    /// The rows of a query, none before there are tables.
    pub fn rows(&self, sql: &str) -> Vec<String> {
        rows(&self.ledger.sql.inner.connection, sql).unwrap_or_default()
    }
}

//! What is known of a user from outside: what was asked, what was answered, what the states showed. Nothing here knows how
//! Talktime works; it only knows what must be true.

use std::collections::BTreeMap;

use serde_json::Value;
use talktime_usage::{EndedSession, Policy, State};

use crate::workload::{Invocation, Operation};

/// A complaint, or nothing.
pub type Checked = Result<(), String>;

macro_rules! ensure {
    ($condition:expr, $($complaint:tt)+) => {
        if !$condition {
            return Err(format!($($complaint)+));
        }
    };
}
pub(crate) use ensure;

/// How long a session may last, and how often a heartbeat is asked for: the defaults of `spin.toml`.
const LONGEST_MILLIS: i64 = 60 * 60_000;
const INTERVAL_MILLIS: i64 = 30_000;

/// How soon a session must fail to be free, and how many are in a period.
const FREE_MILLIS: i64 = 60_000;
const FREE_FAILURES: usize = 3;

/// Requests with a key that may yet be sent again. More than Talktime remembers the answers of.
const KEYED_KEPT: usize = 12;

/// The instants between which a step happened.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub from: i64,
    pub to: i64,
}

impl Span {
    pub fn holds(self, at: i64) -> bool {
        (self.from..=self.to).contains(&at)
    }
}

/// A session.
#[derive(Clone, Debug)]
pub struct Session {
    /// Counts up, so that it tells the same story in a replay, unlike the id.
    pub label: usize,
    pub started: i64,
    /// Heartbeats that were sent, and those of them that were heard while it ran.
    beats: Vec<Span>,
    heard: Vec<i64>,
    pub end: Option<End>,
    pub reported_end: Option<Value>,
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    pub at: i64,
    pub minutes: u32,
    pub reason: &'static str,
}

/// A request with a key.
#[derive(Clone, Debug)]
pub struct Keyed {
    pub invocation: Invocation,
    pub answered: Option<Value>,
    /// How often it was sent.
    pub times: u32,
    /// How many requests with a key had been sent when it was last carried out, or earlier.
    pub number: usize,
}

/// A user.
#[derive(Clone, Debug)]
pub struct User {
    pub name: String,
    pub sessions: BTreeMap<String, Session>,
    pub running: Option<String>,
    revision: u64,
    pub limits: BTreeMap<String, u32>,
    pub limit_ever: u32,
    pub keyed: Vec<Keyed>,
    keys: usize,
    /// Requests with a key that were sent.
    pub issued: usize,
    /// Whether the last step had several requests.
    pub issued_together: bool,
    /// When a request last failed that could have been creating the user.
    pub failed_creation: Option<i64>,
}

impl User {
    pub fn new(name: String) -> Self {
        Self {
            name,
            sessions: BTreeMap::new(),
            running: None,
            revision: 0,
            limits: BTreeMap::new(),
            limit_ever: 10,
            keyed: Vec::new(),
            keys: 0,
            issued: 0,
            issued_together: false,
            failed_creation: None,
        }
    }

    pub fn next_key(&mut self) -> String {
        self.keys += 1;
        format!("key-{}", self.keys)
    }

    /// Notes what is about to be sent at once.
    pub fn issue(&mut self, invocations: &[Invocation]) {
        self.issued_together = invocations.len() > 1;
        for invocation in invocations {
            let event = matches!(&invocation.operation, Operation::Plan { body, .. } if !body["eventId"].is_null());
            self.issued += usize::from(invocation.key.is_some() || event);
            let Some(key) = &invocation.key else { continue };
            let known = self
                .keyed
                .iter_mut()
                .find(|keyed| keyed.invocation.key.as_ref() == Some(key));
            if let Some(known) = known {
                known.times += 1;
                continue;
            }
            self.keyed.push(Keyed {
                invocation: invocation.clone(),
                answered: None,
                times: 1,
                number: self.issued,
            });
        }
        let surplus = self.keyed.len().saturating_sub(KEYED_KEPT);
        self.keyed.drain(..surplus);
    }

    pub fn revision(&self) -> u64 {
        self.revision
    }

    pub fn exists(&self) -> bool {
        self.revision > 0
    }

    /// The ids of the newest sessions, oldest first.
    pub fn newest(&self, most: usize) -> Vec<String> {
        let mut all: Vec<_> = self.sessions.iter().map(|(id, s)| (s.label, id)).collect();
        all.sort_unstable();
        let skipped = all.len().saturating_sub(most);
        all.into_iter()
            .skip(skipped)
            .map(|(_, id)| id.clone())
            .collect()
    }

    /// A session's label, for the story.
    pub fn label(&self, id: &str) -> String {
        let label = self.sessions.get(id).map(|session| session.label);
        label.map_or("an unknown one".to_owned(), |label| format!("#{label}"))
    }

    pub fn sent_heartbeat(&mut self, session: &str, span: Span) {
        if let Some(session) = self.sessions.get_mut(session) {
            session.beats.push(span);
        }
    }

    pub fn heard(&mut self, session: &str, span: Span) {
        if let Some(session) = self.sessions.get_mut(session) {
            session.heard.push(span.from);
        }
    }

    /// Takes in the state as it is stored now, after a step in `span`; `asked` are the plans that the step named.
    pub fn observe(&mut self, state: Option<&State>, span: Span, asked: &[u32]) -> Checked {
        let Some(state) = state else {
            ensure!(!self.exists(), "the state of {} is gone", self.name);
            return Ok(());
        };
        ensure!(
            state.revision >= self.revision,
            "the state of {} went back from revision {} to {}",
            self.name,
            self.revision,
            state.revision
        );
        self.revision = state.revision;
        let plan = state.plan(&Policy::default()).minutes.get();
        let most = asked.iter().copied().chain([plan]).max().unwrap_or(plan);
        self.limit_ever = self.limit_ever.max(most);
        let limit = self.limits.entry(state.period.id.clone()).or_default();
        *limit = most.max(*limit);

        // Oldest first, so that labels follow the order of starts.
        for ended in state.ended.iter().rev() {
            self.observe_ended(ended, span)?;
        }
        let was_running = self.running.take();
        if let Some(session) = &state.session {
            let id = session.id.to_string();
            let known = self.session(&id, session.started_at.unix_millis(), span)?;
            ensure!(
                known.end.is_none(),
                "#{} runs again after its end",
                known.label
            );
            let last = session.last_sign.unix_millis();
            let beaten = last == known.started || known.beats.iter().any(|beat| beat.holds(last));
            ensure!(
                beaten,
                "#{} has a heartbeat at {last} that nobody sent",
                known.label
            );
            // One within a second of the last that was stored is not.
            let missing = known.heard.iter().find(|heard| **heard >= last + 1_000);
            ensure!(
                missing.is_none(),
                "#{} lost the heartbeat of {missing:?}: the last is {last}",
                known.label
            );
            self.running = Some(id);
        }
        if let Some(before) = was_running.filter(|before| self.running.as_ref() != Some(before)) {
            let session = &self.sessions[&before];
            ensure!(
                session.end.is_some(),
                "#{} vanished while it ran",
                session.label
            );
        }
        Ok(())
    }

    /// The session of that id. One not seen before must have been started within the step.
    fn session(&mut self, id: &str, started: i64, span: Span) -> Result<&mut Session, String> {
        let label = self.sessions.len() + 1;
        if !self.sessions.contains_key(id) {
            ensure!(
                span.holds(started),
                "{} has a session from {started} that was not there before {span:?}",
                self.name
            );
            let overlapping = self
                .sessions
                .values()
                .find(|other| other.end.as_ref().is_some_and(|end| end.at > started));
            if let Some(other) = overlapping {
                return Err(format!("#{label} started before #{} ended", other.label));
            }
        }
        let session = self.sessions.entry(id.to_owned()).or_insert(Session {
            label,
            started,
            beats: Vec::new(),
            heard: Vec::new(),
            end: None,
            reported_end: None,
        });
        ensure!(
            session.started == started,
            "#{} has another start now",
            session.label
        );
        Ok(session)
    }

    fn observe_ended(&mut self, ended: &EndedSession, span: Span) -> Checked {
        let started = ended.started_at.unix_millis();
        let ends = self
            .sessions
            .values()
            .filter_map(|other| other.end.as_ref());
        let free_so_far = ends.filter(|end| end.minutes == 0).count();
        let session = self.session(&ended.id.to_string(), started, span)?;
        let end = End {
            at: ended.ended_at.unix_millis(),
            minutes: ended.minutes.get(),
            reason: ended.reason.as_str(),
        };
        if let Some(before) = &session.end {
            ensure!(
                *before == end,
                "#{}: {before:?} became {end:?}",
                session.label
            );
            return Ok(());
        }
        session.check_end(&end, span, free_so_far)?;
        session.end = Some(end);
        Ok(())
    }
}

impl Session {
    /// `free_so_far` are the user's sessions that cost nothing.
    fn check_end(&self, end: &End, span: Span, free_so_far: usize) -> Checked {
        let Self { label, started, .. } = self;
        let lasted = end.at - started;
        ensure!(
            lasted >= 0 && end.at <= span.to,
            "#{label} ended at {}, outside of time",
            end.at
        );
        ensure!(lasted <= LONGEST_MILLIS, "#{label} lasted {lasted} ms");
        let whole = u32::try_from(lasted)
            .expect("short")
            .div_ceil(60_000)
            .max(1);
        // A failure before any sign of life is free, if it is soon: an error, or another session in its place.
        let soon = lasted <= FREE_MILLIS && matches!(end.reason, "error" | "user_ended");
        let may_be_free = soon && self.heard.is_empty();
        let must_be_free =
            soon && end.reason == "error" && self.beats.is_empty() && free_so_far < FREE_FAILURES;
        ensure!(
            (end.minutes == whole && !must_be_free) || (end.minutes == 0 && may_be_free),
            "#{label} lasted {lasted} ms and cost {} minutes ({})",
            end.minutes,
            end.reason
        );
        let late = self.heard.iter().find(|heard| **heard > end.at);
        ensure!(
            late.is_none(),
            "#{label} was heard at {late:?} after its end: {end:?}"
        );
        match end.reason {
            "user_ended" | "error" => {
                ensure!(
                    span.holds(end.at),
                    "#{label} was ended at {}, not in {span:?}",
                    end.at
                );
            }
            "stale" => {
                // Billed an interval past the last sign of life, and called silent no sooner than three after it.
                let last = end.at - INTERVAL_MILLIS;
                ensure!(
                    last + 3 * INTERVAL_MILLIS < span.to,
                    "#{label} is called stale too early"
                );
                let beaten = last == *started || self.beats.iter().any(|beat| beat.holds(last));
                ensure!(
                    beaten,
                    "#{label} went silent at {last}, without a heartbeat then"
                );
            }
            _ => {}
        }
        Ok(())
    }
}

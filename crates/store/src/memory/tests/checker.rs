//! What is known of a user from outside: each document that was stored, and each answer that was given. Nothing here knows
//! how the protocol works; it only knows what must be true.

use std::collections::{BTreeMap, BTreeSet};

use talktime_usage::{
    CallId, EndReason, EndedSession, Minutes, Policy, Refusal, Reply, SessionId, State, Timestamp,
    UserId, WriteId,
};

use super::provider::Provider;
use super::world::Clock;
use super::{Checked, ensure};

/// How long a session may last, and how soon one must have failed to be free: the defaults of the policy and the rules.
const LONGEST_MILLIS: i64 = 60 * 60_000;
const FREE_MILLIS: i64 = 60_000;

/// A session that was stored.
#[derive(Debug)]
pub struct Session {
    pub started_at: Timestamp,
    /// All that the documents ever said of its start.
    starts: BTreeSet<Timestamp>,
    pub end: Option<End>,
    /// Whether it waits for a call. Until then nothing is billed, and it may yet begin later.
    waits: Option<bool>,
}

/// What is known of a session from those who hold it.
#[derive(Debug, Default)]
struct Signs {
    /// When it may last have given a sign of life, at the latest, and when it last surely did.
    latest: Option<Timestamp>,
    sure: Option<Timestamp>,
    /// Until when tokens for it can be talked with.
    token_until: Option<Timestamp>,
    /// Whether the state ever had a call of it.
    called: bool,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    pub at: Timestamp,
    pub minutes: Minutes,
    pub reason: EndReason,
}

impl Session {
    /// Whether it may have been told to have started then: one that waited for a call, or a clock that was set, has another
    /// start by now.
    fn was_started(&self, at: Timestamp) -> bool {
        self.starts.contains(&at)
    }
}

pub struct User {
    pub id: UserId,
    pub policy: Policy,
    pub sessions: BTreeMap<SessionId, Session>,
    pub running: Option<SessionId>,
    /// Calls that the state has.
    pub calls: BTreeSet<CallId>,
    signs: BTreeMap<SessionId, Signs>,
    /// The minutes that each period had at most.
    pub limits: BTreeMap<String, Minutes>,
    last: Option<Last>,
}

/// What the last document said.
struct Last {
    revision: u64,
    instant: Timestamp,
    write: WriteId,
    period: String,
    billed: Minutes,
}

impl User {
    pub fn new(id: UserId, policy: Policy) -> Self {
        Self {
            id,
            policy,
            sessions: BTreeMap::new(),
            running: None,
            calls: BTreeSet::new(),
            signs: BTreeMap::new(),
            limits: BTreeMap::new(),
            last: None,
        }
    }

    /// Whether the user has a state.
    pub fn is_known(&self) -> bool {
        self.last.is_some()
    }

    /// Takes in who may have given signs of life until now, who surely did, and who has tokens until when.
    pub fn take_in_signs(
        &mut self,
        now: Timestamp,
        touched: &BTreeSet<SessionId>,
        heard: &[(SessionId, Timestamp)],
        tokens: &[(SessionId, Timestamp)],
    ) {
        for session in touched {
            self.signs.entry(*session).or_default().latest = Some(now);
        }
        for (session, at) in heard {
            let signs = self.signs.entry(*session).or_default();
            signs.sure = signs.sure.max(Some(*at));
        }
        for (session, until) in tokens {
            let signs = self.signs.entry(*session).or_default();
            signs.token_until = signs.token_until.max(Some(*until));
        }
    }

    /// Takes in the next document that was stored.
    pub fn observe(&mut self, state: &State, clock: Clock, provider: &Provider) -> Checked {
        self.follows(state, clock)?;
        self.observe_calls(state, provider)?;
        let limit = self.limits.entry(state.period.id.clone()).or_default();
        *limit = state.plan(&self.policy).minutes.max(*limit);
        // Oldest first, in the order of their starts.
        for ended in state.ended.iter().rev() {
            self.observe_ended(ended, state.instant, clock)?;
        }
        let was_running = self.running.take();
        if let Some(running) = &state.session {
            let known = self.session(running.id, running.started_at, clock)?;
            ensure!(
                known.end.is_none(),
                "{} runs again after its end",
                running.id
            );
            ensure!(
                !running.awaits_call || known.waits != Some(false),
                "{} waits again",
                running.id
            );
            known.waits = Some(running.awaits_call);
            known.started_at = running.started_at;
            self.running = Some(running.id);
        }
        if let Some(before) = was_running.filter(|before| self.running != Some(*before)) {
            let ended = self.sessions[&before].end.is_some();
            ensure!(ended, "{before} vanished while it ran");
        }
        Ok(())
    }

    /// One document replaces another knowing of it, and time and usage only grow.
    fn follows(&mut self, state: &State, clock: Clock) -> Checked {
        let id = &self.id;
        let write = state.writes.last().ok_or("a document without a mark")?;
        if let Some(last) = &self.last {
            ensure!(
                state.revision > last.revision && state.has_write(&last.write),
                "revision {} of {id} was stored over {} and knows nothing of it",
                state.revision,
                last.revision
            );
            ensure!(
                state.instant >= last.instant || clock == Clock::Wrong,
                "the time of {id} went back"
            );
            ensure!(
                state.period.id != last.period || state.period.billed_minutes >= last.billed,
                "{id} got minutes of a period back"
            );
        }
        self.last = Some(Last {
            revision: state.revision,
            instant: state.instant,
            write: write.clone(),
            period: state.period.id.clone(),
            billed: state.period.billed_minutes,
        });
        Ok(())
    }

    /// A call is there until its provider has said that it is over.
    fn observe_calls(&mut self, state: &State, provider: &Provider) -> Checked {
        let calls = state.calls.iter().map(|call| call.id.clone()).collect();
        let gone = self.calls.difference(&calls);
        for id in gone {
            ensure!(provider.is_over(id), "{id} goes on and was dropped");
        }
        self.calls = calls;
        for call in state.calls.iter() {
            self.signs.entry(call.session).or_default().called = true;
        }
        Ok(())
    }

    /// The session of that id; a new one begins after all others have ended.
    fn session(
        &mut self,
        id: SessionId,
        started_at: Timestamp,
        clock: Clock,
    ) -> Result<&mut Session, String> {
        if !self.sessions.contains_key(&id) && clock != Clock::Wrong {
            let overlaps = |other: &&SessionId| {
                let end = self.sessions[*other].end.as_ref();
                end.is_none_or(|end| end.at > started_at)
            };
            if let Some(other) = self.sessions.keys().find(overlaps) {
                return Err(format!("{id} began before {other} was over"));
            }
        }
        let session = self.sessions.entry(id).or_insert(Session {
            started_at,
            starts: BTreeSet::new(),
            end: None,
            waits: None,
        });
        session.starts.insert(started_at);
        let begins = session.waits == Some(true) && session.started_at < started_at;
        ensure!(
            session.started_at == started_at || begins || clock == Clock::Wrong,
            "{id} has another start"
        );
        Ok(session)
    }

    fn observe_ended(&mut self, ended: &EndedSession, now: Timestamp, clock: Clock) -> Checked {
        let id = ended.id;
        let end = End {
            at: ended.ended_at,
            minutes: ended.minutes,
            reason: ended.reason,
        };
        let session = self.session(id, ended.started_at, clock)?;
        if let Some(before) = &session.end {
            ensure!(*before == end, "{id}: {before:?} became {end:?}");
            return Ok(());
        }
        let lasted = end.at.unix_millis() - ended.started_at.unix_millis();
        ensure!(
            (0..=LONGEST_MILLIS).contains(&lasted) && end.at <= now,
            "{id} lasted {lasted} ms"
        );
        let whole = Minutes::rounded_up(end.at.since(ended.started_at)).max(Minutes::ONE);
        let soon = matches!(end.reason, EndReason::Error | EndReason::UserEnded);
        let waits = session.waits == Some(true);
        let may_be_free = waits || (soon && lasted <= FREE_MILLIS);
        let is_whole = end.minutes == whole && !waits;
        ensure!(
            is_whole || (end.minutes == Minutes::ZERO && may_be_free),
            "{id} lasted {lasted} ms and cost {:?}",
            end.minutes
        );
        session.end = Some(end.clone());
        session.started_at = ended.started_at;
        if end.reason == EndReason::Stale && clock != Clock::Wrong {
            self.check_silence(id, ended.started_at, &end)?;
        }
        Ok(())
    }

    /// One that fell silent is billed to its last sign of life and a little longer, or as long as its tokens may be used.
    fn check_silence(&self, id: SessionId, started_at: Timestamp, end: &End) -> Checked {
        let none = Signs::default();
        let signs = self.signs.get(&id).unwrap_or(&none);
        let interval = self.policy.heartbeat_interval;
        let allowance = if signs.called { interval * 3 } else { interval };
        let latest = signs.latest.unwrap_or(started_at).max(started_at);
        let latest = latest
            .plus(allowance)
            .max(signs.token_until.unwrap_or(latest));
        ensure!(
            end.at <= latest && signs.sure.is_none_or(|sure| end.at >= sure),
            "{id} was heard of until {latest:?} at most, and ended {end:?}: {signs:?}"
        );
        Ok(())
    }

    /// What a client is told is so, in the documents that were stored.
    pub fn check_reply(&self, session: Option<SessionId>, reply: &Reply) -> Checked {
        match reply {
            Reply::Started(told) => {
                let known = self.sessions.get(&told.session);
                let is_so = known.is_some_and(|known| known.was_started(told.at));
                ensure!(is_so, "a start was told {told:?}, which never was");
            }
            Reply::Heard(told) if told.ended.is_none() => {
                let known = session.is_some_and(|session| self.sessions.contains_key(&session));
                ensure!(known, "{session:?} was heard and never was");
            }
            Reply::Heard(_) | Reply::Stopped(_) => {
                let told = match reply {
                    Reply::Heard(heard) => heard.ended.as_ref(),
                    Reply::Stopped(stopped) => Some(stopped),
                    _ => None,
                };
                let told = told.map(|told| End {
                    at: told.at,
                    minutes: told.session_minutes,
                    reason: told.reason,
                });
                let known = session.and_then(|session| self.sessions.get(&session));
                let end = known.and_then(|known| known.end.clone());
                ensure!(
                    end == told,
                    "{session:?} is said to have ended so: {told:?}; it did so: {end:?}"
                );
            }
            _ => {}
        }
        Ok(())
    }

    /// `alone` where nobody else was there.
    pub fn check_refusal(&self, session: Option<SessionId>, why: Refusal, alone: bool) -> Checked {
        match why {
            Refusal::SessionActive(running) => {
                ensure!(self.sessions.contains_key(&running), "{running} never was");
                ensure!(
                    !alone || self.running == Some(running),
                    "{running} does not run"
                );
            }
            Refusal::SessionNotFound if alone => {
                ensure!(self.running != session, "{session:?} runs and is not found");
            }
            _ => {}
        }
        Ok(())
    }
}

//! What is known of a user from outside: each document that was stored, and each answer that was given. Nothing here knows
//! how the protocol works; it only knows what must be true.

use std::collections::BTreeMap;

use talktime_usage::{
    EndReason, EndedSession, Minutes, Policy, Refusal, Reply, SessionId, State, Timestamp, UserId,
    WriteId,
};

use super::{Checked, ensure};

/// How long a session may last, and how soon one must have failed to be free: the defaults of the policy and the rules.
const LONGEST_MILLIS: i64 = 60 * 60_000;
const FREE_MILLIS: i64 = 60_000;

/// A session that was stored.
#[derive(Debug)]
pub struct Session {
    pub started_at: Timestamp,
    pub end: Option<End>,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    pub at: Timestamp,
    pub minutes: Minutes,
    pub reason: EndReason,
}

pub struct User {
    pub id: UserId,
    pub policy: Policy,
    pub sessions: BTreeMap<SessionId, Session>,
    pub running: Option<SessionId>,
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
            limits: BTreeMap::new(),
            last: None,
        }
    }

    /// Takes in the next document that was stored.
    pub fn observe(&mut self, state: &State) -> Checked {
        self.follows(state)?;
        let limit = self.limits.entry(state.period.id.clone()).or_default();
        *limit = state.plan(&self.policy).minutes.max(*limit);
        // Oldest first, in the order of their starts.
        for ended in state.ended.iter().rev() {
            self.observe_ended(ended, state.instant)?;
        }
        let was_running = self.running.take();
        if let Some(running) = &state.session {
            let known = self.session(running.id, running.started_at)?;
            ensure!(
                known.end.is_none(),
                "{} runs again after its end",
                running.id
            );
            self.running = Some(running.id);
        }
        if let Some(before) = was_running.filter(|before| self.running != Some(*before)) {
            let ended = self.sessions[&before].end.is_some();
            ensure!(ended, "{before} vanished while it ran");
        }
        Ok(())
    }

    /// One document replaces another knowing of it, and time and usage only grow.
    fn follows(&mut self, state: &State) -> Checked {
        let id = &self.id;
        let write = state.writes.last().ok_or("a document without a mark")?;
        if let Some(last) = &self.last {
            ensure!(
                state.revision > last.revision && state.has_write(&last.write),
                "revision {} of {id} was stored over {} and knows nothing of it",
                state.revision,
                last.revision
            );
            ensure!(state.instant >= last.instant, "the time of {id} went back");
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

    /// The session of that id; a new one begins after all others have ended.
    fn session(&mut self, id: SessionId, started_at: Timestamp) -> Result<&mut Session, String> {
        if !self.sessions.contains_key(&id) {
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
            end: None,
        });
        ensure!(session.started_at == started_at, "{id} has another start");
        Ok(session)
    }

    fn observe_ended(&mut self, ended: &EndedSession, now: Timestamp) -> Checked {
        let id = ended.id;
        let session = self.session(id, ended.started_at)?;
        let end = End {
            at: ended.ended_at,
            minutes: ended.minutes,
            reason: ended.reason,
        };
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
        let may_be_free = soon && lasted <= FREE_MILLIS;
        ensure!(
            end.minutes == whole || (end.minutes == Minutes::ZERO && may_be_free),
            "{id} lasted {lasted} ms and cost {:?}",
            end.minutes
        );
        session.end = Some(end);
        Ok(())
    }

    /// What a client is told is so, in the documents that were stored.
    pub fn check_reply(&self, session: Option<SessionId>, reply: &Reply) -> Checked {
        match reply {
            Reply::Started(told) => {
                let known = self.sessions.get(&told.session);
                let is_so = known.is_some_and(|known| known.started_at == told.at);
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

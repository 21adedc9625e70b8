//! How a session ends: at its last minute, at its longest time, after a silence, or by a command. And what of it is billed.
//!
//! A silence that is noticed is billed in one way, whoever notices it: the limit, the cap, the alarm, a takeover, a plan
//! change, or an `end` that comes late.

use std::time::Duration;

use crate::policy::Policy;
use crate::session::{EndReason, RunningSession, Terms};
use crate::state::State;
use crate::time::{Minutes, Timestamp};

/// So many heartbeat intervals without a sign of life are a silence: one may be late and one may be lost, a client that is
/// well sends the third.
const SILENT_INTERVALS: u32 = 3;

/// How many silences in a period, of sessions that were given a token, are billed to the last sign of life only. A crash
/// is rare; whoever falls silent with a token time and again talks on with it.
const KIND_SILENCES_MAX: u32 = 2;

/// How soon after its start a session that failed may be free: nobody waits longer for a connection.
pub(crate) const FREE_WITHIN: Duration = Duration::from_mins(1);

/// How many sessions that failed are free in a period, so that they are no way to make rows without end.
pub(crate) const FREE_FAILURES_MAX: u32 = 3;

/// How long a session waits for its call: a user has been asked for the microphone, and the provider has been tried twice.
pub const CONNECT_WITHIN: Duration = Duration::from_mins(2);

/// An end of a running session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// When it is certain, and the session is over.
    pub due: Timestamp,
    /// What is told as its end: `due`, but for a silence, which counts back. Never after `due`.
    pub ended_at: Timestamp,
    /// Up to when it is billed: `ended_at`, but for a silence with a token that lives on.
    pub billed_until: Timestamp,
    pub reason: EndReason,
    /// Whether the session may have failed before anybody could talk: then it may be free.
    pub failed: bool,
}

/// The end that the running session is heading for within the current period's minutes if nothing more is heard of it.
pub fn ending(state: &State, session: &RunningSession, policy: &Policy) -> Ending {
    let terms = state.terms(session, policy);
    let (stop, reason) = stop(state, session, &terms);
    if session.awaits_call {
        return Ending::at(stop, reason);
    }
    let silent = session.last_sign.plus(silence_of(&terms));
    // That its call was hung up for its silence does not bring it back.
    let fell_silent = session.call_until.is_some_and(|until| silent <= until);
    if fell_silent || state.has_call_of(session.id) {
        // The provider is paid until somebody hangs up, so nothing is counted back.
        return if stop > silent {
            Ending::at(silent, EndReason::Stale)
        } else {
            Ending::at(stop, reason)
        };
    }
    let silent = session.last_sign.plus(terms.stale_after);
    if stop > silent || is_silent(session, &terms, stop) {
        silence(state, session, &terms, stop.min(silent))
    } else {
        Ending::at(stop, reason)
    }
}

/// The end that a command gives the running session at `now`, when it has not yet ended by itself.
pub fn ending_now(
    state: &State,
    session: &RunningSession,
    now: Timestamp,
    reason: EndReason,
    policy: &Policy,
) -> Ending {
    let terms = state.terms(session, policy);
    let is_open = session.awaits_call || state.has_call_of(session.id);
    if !is_open && is_silent(session, &terms, now) {
        silence(state, session, &terms, now)
    } else {
        Ending::at(now, reason)
    }
}

impl Ending {
    fn at(due: Timestamp, reason: EndReason) -> Self {
        Self {
            due,
            ended_at: due,
            billed_until: due,
            reason,
            failed: reason == EndReason::Error,
        }
    }

    /// The same, where the session may have failed although nobody says so. A silence is no failure.
    pub(crate) fn may_have_failed(&mut self) {
        self.failed = self.reason != EndReason::Stale;
    }

    /// Whether a session that ended so is free.
    pub(crate) fn is_free(&self, state: &State, session: &RunningSession) -> bool {
        self.failed
            && !session.awaits_call
            && !session.heard
            && self.ended_at.since(session.started_at) <= FREE_WITHIN
            && state.period.free_failures < FREE_FAILURES_MAX
    }
}

fn is_silent(session: &RunningSession, terms: &Terms, at: Timestamp) -> bool {
    at.since(session.last_sign) > silence_of(terms)
}

fn silence_of(terms: &Terms) -> Duration {
    terms.heartbeat_interval.saturating_mul(SILENT_INTERVALS)
}

/// The end of a session whose silence is noticed at `due`: the client was there until the last sign of life, and would
/// have been heard of again an interval later. While a call was open, the provider was paid.
fn silence(state: &State, session: &RunningSession, terms: &Terms, due: Timestamp) -> Ending {
    let (stop, _) = stop(state, session, terms);
    let heard_until = session
        .last_sign
        .plus(terms.heartbeat_interval)
        .max(session.call_until.unwrap_or(session.last_sign))
        .min(stop)
        .min(due);
    let token_until = session
        .token_until
        .filter(|_| state.period.silences >= KIND_SILENCES_MAX)
        .map_or(heard_until, |until| until.min(stop));
    let billed_until = heard_until.max(token_until);
    Ending {
        due,
        ended_at: billed_until.min(due),
        billed_until,
        reason: EndReason::Stale,
        failed: false,
    }
}

/// When the session is stopped however lively it is: at its last minute, or at the longest that a session may last.
pub(crate) fn stop(
    state: &State,
    session: &RunningSession,
    terms: &Terms,
) -> (Timestamp, EndReason) {
    if session.awaits_call {
        return (session.started_at.plus(CONNECT_WITHIN), EndReason::Error);
    }
    let limit = limit_instant(state, session, terms);
    match terms.session_max.map(|max| session.started_at.plus(max)) {
        Some(cap) if cap < limit => (cap, EndReason::Timeout),
        _ => (limit, EndReason::LimitReached),
    }
}

/// When the minutes of the current period are used up: those that earlier periods carry, and those left in this one.
fn limit_instant(state: &State, session: &RunningSession, terms: &Terms) -> Timestamp {
    let left = terms.plan.minutes.minus(state.period.billed_minutes);
    let carried = session.earlier.last().map_or(Minutes::ZERO, |last| {
        Minutes::rounded_up(last.cut().since(session.started_at))
    });
    session.started_at.plus(carried.plus(left).duration())
}

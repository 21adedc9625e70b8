//! Calls at a voice provider. They go on by themselves until somebody hangs up, so the state keeps each one until the
//! provider has said that it is over.
//!
//! Which of them are to be hung up is not recorded anywhere: it follows from the state and the instant. Whatever ends a
//! session (its user, the limit, the cap, a silence, a takeover, a plan) ends its call, and cannot forget to.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::command::{Minted, Refusal};
use crate::ending::ending;
use crate::ids::{CallId, SessionId};
use crate::mint::running;
use crate::mints::MintLimits;
use crate::policy::Policy;
use crate::settle::settle;
use crate::state::State;
use crate::time::{Seconds, Timestamp};

/// The most calls that are kept. No more are opened until some have been hung up: the provider does not answer, and each
/// costs money.
const CALLS_MAX: usize = 8;

/// How long nobody else may offer a call while one offer is on its way to the provider and back. No exchange is waited for
/// that long; it is for those whose sender died.
const OFFER_MAX: Duration = Duration::from_secs(30);

/// When it is worth to try again while there are too many.
const TOO_MANY_RETRY: Duration = Duration::from_secs(30);

/// Who carries a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum CallProvider {
    /// OpenAI's Realtime API, or another that copies its two calls.
    #[serde(rename = "openai")]
    OpenAi,
    /// OpenAI's GPT-Live.
    #[serde(rename = "openai-live")]
    OpenAiLive,
}

/// A call that is not known to be over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Who carries it.
    pub provider: CallProvider,
    /// The provider's id of it.
    pub id: CallId,
    /// The session that it belongs to.
    pub session: SessionId,
    /// When the provider answered.
    pub opened_at: Timestamp,
    /// Whether the session does not go on with it: it came too late, or cannot be used.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unwanted: bool,
    /// Fields of a later version, kept.
    #[serde(flatten)]
    extra: Map<String, Value>,
}

impl Call {
    /// A call that the provider has just answered.
    pub fn new(
        provider: CallProvider,
        id: CallId,
        session: SessionId,
        opened_at: Timestamp,
    ) -> Self {
        Self {
            provider,
            id,
            session,
            opened_at,
            unwanted: false,
            extra: Map::new(),
        }
    }

    /// The same, with which nobody is to talk.
    #[must_use]
    pub fn given_up(self) -> Self {
        Self {
            unwanted: true,
            ..self
        }
    }
}

/// A call that has come in, and that nobody has taken yet.
#[derive(Clone, Debug, PartialEq)]
pub struct RingingCall {
    /// Who carries it.
    pub provider: CallProvider,
    /// The provider's id of it.
    pub id: CallId,
}

/// A call is about to be offered to the provider for that session: this takes a place among the user's mints, and keeps others
/// from offering one meanwhile, so that no two are ever open. It is no sign of life and costs nothing: the provider may
/// refuse.
///
/// The id of a call that comes in, `ringing`, is known before its provider is told to take it, and once it is taken
/// somebody talks. So it is kept from now on, as one to be hung up unless it is opened in time.
pub(crate) fn offer(
    next: &mut State,
    session: SessionId,
    ringing: Option<&RingingCall>,
    limits: MintLimits,
    now: Timestamp,
    policy: &Policy,
) -> Result<Minted, Refusal> {
    let minted = running(next, Some(session), now, policy)?;
    if next.calls.len() >= CALLS_MAX {
        let retry_after = Seconds::rounded_up(TOO_MANY_RETRY);
        return Err(Refusal::TooManyMints { retry_after });
    }
    if let Some(offered) = next.offered
        && let waited = now.since(offered)
        && waited < OFFER_MAX
    {
        let retry_after = Seconds::rounded_up(OFFER_MAX.saturating_sub(waited));
        return Err(Refusal::CallPending { retry_after });
    }
    next.mints
        .reserve(now, limits)
        .map_err(|retry_after| Refusal::TooManyMints { retry_after })?;
    next.offered = Some(now);
    if let Some(RingingCall { provider, id }) = ringing {
        next.calls.retain(|known| known.id != *id);
        let call = Call::new(*provider, id.clone(), session, now);
        next.calls.push(call.given_up());
    }
    Ok(minted)
}

/// The provider has answered: the session goes on with this call, and is billed from now on if it was waiting for it. Where
/// the session ended or was replaced meanwhile, or the answer took so long that another call may have been offered, the
/// call is kept all the same, as one to be hung up, and the refusal says why.
pub(crate) fn open(
    next: &mut State,
    call: &Call,
    offered: Timestamp,
    now: Timestamp,
    policy: &Policy,
) -> Result<Minted, Refusal> {
    next.calls.retain(|known| known.id != call.id);
    let is_mine = next.offered.take_if(|at| *at == offered).is_some() && !call.unwanted;
    let minted = match running(next, Some(call.session), now, policy) {
        Ok(_) if !is_mine => Err(Refusal::NoActiveSession),
        minted => minted,
    };
    if let Some(session) = next.session.as_mut().filter(|_| minted.is_ok()) {
        // What the store took since then was talked, or could have been.
        session.connect(call.opened_at.max(offered).min(now), now);
    }
    next.calls.push(Call {
        unwanted: minted.is_err(),
        ..call.clone()
    });
    minted
}

/// The provider has said that the call is over, or knows none of that id. Up to now the user could talk with it, so where
/// the session goes on it is a sign of life.
pub(crate) fn close(next: &mut State, call: &CallId, now: Timestamp) {
    let closed = next.calls.iter().find(|known| known.id == *call);
    let talked = closed
        .filter(|call| !call.unwanted)
        .map(|call| call.session);
    next.calls.retain(|known| known.id != *call);
    if let Some(session) = &mut next.session
        && talked == Some(session.id)
    {
        session.hear(now);
    }
}

impl State {
    /// Whether a call of that session is open.
    pub(crate) fn has_call_of(&self, session: SessionId) -> bool {
        self.calls
            .iter()
            .any(|call| call.session == session && !call.unwanted)
    }

    /// That call, if it was opened and is not known to be over.
    #[must_use]
    pub fn open_call(&self, id: &CallId) -> Option<&Call> {
        let mut calls = self.calls.iter();
        calls.find(|call| call.id == *id && !call.unwanted)
    }

    /// Until when the provider is being told to take that call.
    fn is_being_taken(&self, call: &Call) -> Option<Timestamp> {
        let is_ringing = call.unwanted && self.offered == Some(call.opened_at);
        is_ringing.then(|| call.opened_at.plus(OFFER_MAX))
    }
}

/// The calls that are to be hung up at `now`: those of sessions that are over, and those that a later call has replaced.
#[must_use]
pub fn calls_to_hang_up(state: &State, now: Timestamp, policy: &Policy) -> Vec<Call> {
    if state.calls.is_empty() {
        return Vec::new();
    }
    let mut present = state.clone();
    settle(&mut present, state.time(now), policy);
    let running = present.session.map(|session| session.id);
    // The last one of the session that runs goes on.
    let wanted = state
        .calls
        .iter()
        .rfind(|call| running == Some(call.session) && !call.unwanted)
        .map(|call| &call.id);
    let unwanted = state.calls.iter().filter(|call| Some(&call.id) != wanted);
    let unwanted =
        unwanted.filter(|call| state.is_being_taken(call).is_none_or(|until| until <= now));
    unwanted.cloned().collect()
}

/// When somebody has to look whether calls are to be hung up, if nothing more is heard of the user: at once, or when the
/// session ends by itself. `None` without calls.
#[must_use]
pub fn next_look_at_calls(state: &State, now: Timestamp, policy: &Policy) -> Option<Timestamp> {
    if state.calls.is_empty() {
        return None;
    }
    if !calls_to_hang_up(state, now, policy).is_empty() {
        return Some(now);
    }
    let mut present = state.clone();
    settle(&mut present, state.time(now), policy);
    let taken = state
        .calls
        .iter()
        .filter_map(|call| state.is_being_taken(call));
    let ended = present
        .session
        .as_ref()
        .map(|session| ending(&present, session, policy).due);
    taken.chain(ended).min().or(Some(now))
}

//! Realtime tokens and calls: asked for, handed out, or not to be had.
//!
//! These commands end and bill nothing by themselves. What time has brought about meanwhile is made true by them as by any
//! other command, but whoever carries them out may have no ledger: the rows wait in the outbox for the sweep.

use crate::call;
use crate::command::{Command, Minted, Refusal, Reply};
use crate::ids::SessionId;
use crate::mints::MintLimits;
use crate::policy::Policy;
use crate::settle::time_remaining;
use crate::state::State;
use crate::status::of_settled;
use crate::time::{Minutes, Timestamp};

/// Carries out a command about a token or a call; `None` for any other command.
pub(crate) fn step(
    next: &mut State,
    command: &Command,
    now: Timestamp,
    policy: &Policy,
) -> Option<Result<Reply, Refusal>> {
    let done = match command {
        Command::Mint { session, limits } => mint(next, *session, *limits, now, policy),
        Command::HandOut {
            session,
            token_until,
        } => hand_out(next, *session, *token_until, now, policy),
        Command::MintFailed { mint } => {
            next.mints.give_back(*mint);
            next.offered.take_if(|offered| offered == mint);
            return Some(Ok(Reply::GivenBack));
        }
        Command::OfferCall {
            session,
            ringing,
            limits,
        } => call::offer(next, *session, ringing.as_ref(), *limits, now, policy),
        Command::OpenCall { call, offered } => {
            let opened = call::open(next, call, *offered, now, policy);
            return Some(Ok(Reply::Opened(opened)));
        }
        Command::CloseCall(call) => {
            call::close(next, call, now);
            return Some(Ok(Reply::Closed));
        }
        _ => return None,
    };
    Some(done.map(Reply::Minted))
}

/// Takes a place among the user's mints. It costs nothing and is no sign of life: the provider may refuse.
fn mint(
    next: &mut State,
    wanted: Option<SessionId>,
    limits: MintLimits,
    now: Timestamp,
    policy: &Policy,
) -> Result<Minted, Refusal> {
    let minted = running(next, wanted, now, policy)?;
    next.mints
        .reserve(now, limits)
        .map_err(|retry_after| Refusal::TooManyMints { retry_after })?;
    Ok(minted)
}

/// From now on the user can talk with it, whatever is heard of the session. A session that ended or was replaced while
/// the provider answered gets no token.
fn hand_out(
    next: &mut State,
    wanted: SessionId,
    token_until: Timestamp,
    now: Timestamp,
    policy: &Policy,
) -> Result<Minted, Refusal> {
    let minted = running(next, Some(wanted), now, policy)?;
    debug_assert!(next.session.is_some(), "a token was minted for no session");
    if let Some(session) = &mut next.session {
        session.connect(now, now);
        session.token_until = session.token_until.max(Some(token_until));
    }
    Ok(minted)
}

/// The session that runs, in a state that was brought to `now`, and what is left for it.
pub(crate) fn running(
    state: &State,
    wanted: Option<SessionId>,
    now: Timestamp,
    policy: &Policy,
) -> Result<Minted, Refusal> {
    let status = of_settled(state, now, policy);
    let session = match &state.session {
        Some(running) if wanted.is_none_or(|id| id == running.id) => running.id,
        None if status.minutes_remaining == Minutes::ZERO => return Err(Refusal::NoCredits),
        _ => return Err(Refusal::NoActiveSession),
    };
    Ok(Minted {
        session,
        at: now,
        minutes_remaining: status.minutes_remaining,
        seconds_remaining: status.seconds_remaining,
        until: now.plus(time_remaining(state, now, policy)),
    })
}

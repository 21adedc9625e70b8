//! What must be true of the calls, the bill and the stores.

use std::collections::BTreeMap;
use std::time::Duration;

use talktime_store::{Environment, pseudonym};
use talktime_usage::{EndedSession, Minutes, SessionId, Timestamp};

use super::provider::{ANSWER_MAX, Booked};
use super::world::{TICK, World};

type Checked = Result<(), String>;

/// What the stores take on the way to a hang-up, at most.
const STORES_MAX: Duration = Duration::from_millis(1_500);

/// How long a look may have been put off by what went wrong: silence of three intervals, and then a sweep's back-off.
const PUT_OFF_MAX: Duration = Duration::from_mins(4);

/// No two calls with which anybody can talk are open at once.
pub fn at_any_time(world: &World) -> Checked {
    let now = world.simulation.now();
    let books = world.provider.books.borrow();
    let mut by_user: BTreeMap<&str, Vec<&Booked>> = BTreeMap::new();
    for call in books.iter().filter(|call| call.delivered) {
        by_user.entry(&call.user).or_default().push(call);
    }
    for calls in by_user.values() {
        for pair in calls.windows(2) {
            let closed = pair[0].closed_at.unwrap_or(now);
            if pair[1].opened_at < closed {
                return Err(format!("two calls are open: {pair:?}"));
            }
        }
    }
    Ok(())
}

/// When things have been quiet for long: everything is over, and what the provider gave is on the bill.
pub fn in_the_end(world: &World) -> Checked {
    for user in &world.users {
        if let Some(state) = world.state(user)
            && (!state.calls.is_empty() || state.session.is_some())
        {
            return Err(format!("{}: something is left: {state:?}", user.id));
        }
    }
    let watched = world.watched();
    if !watched.is_empty() {
        return Err(format!("the watch is not empty: {watched:?}"));
    }
    let books = world.provider.books.borrow();
    let ended = world.ended.borrow();
    for call in books.iter() {
        let Some(closed) = call.closed_at else {
            return Err(format!("a call is open: {call:?}"));
        };
        let session = SessionId::parse(&call.session).map_err(|error| error.to_string())?;
        let Some(session) = ended.get(&session) else {
            return Err(format!("no session of {call:?} has ended"));
        };
        if call.delivered {
            check_bill(world, call, closed, session)?;
        }
    }
    for session in world.awaiting.borrow().iter() {
        let has_call = books.iter().any(|call| call.session == session.to_string());
        let cost = ended
            .get(session)
            .map_or(Minutes::ZERO, |ended| ended.minutes);
        if !has_call && cost != Minutes::ZERO {
            return Err(format!("{session} never had a call and cost {cost:?}"));
        }
    }
    let names: Vec<String> = world.users.iter().map(|user| pseudonym(&user.id)).collect();
    match books.iter().find(|call| !names.contains(&call.user)) {
        Some(call) => Err(format!("whose is {call:?}?")),
        None => Ok(()),
    }
}

/// Up to the session's end all that the provider gave is on the bill, and beyond it goes no further than is allowed.
fn check_bill(world: &World, call: &Booked, closed: Timestamp, session: &EndedSession) -> Checked {
    let talked = session.ended_at.min(closed).since(call.opened_at);
    let billed = Duration::from_mins(u64::from(session.minutes.get()));
    // It is billed from when the answer has come.
    if talked > billed + ANSWER_MAX {
        return Err(format!("{call:?} is not on the bill: {session:?}"));
    }
    let troubles = world.troubles.borrow();
    let trouble = troubles
        .iter()
        .filter(|at| **at >= call.opened_at && **at <= closed)
        .max();
    let latest = match trouble {
        None => world
            .next_trigger(session.ended_at)
            .plus(TICK + ANSWER_MAX + STORES_MAX),
        Some(trouble) => session.ended_at.max(*trouble).plus(PUT_OFF_MAX),
    };
    if closed > latest {
        return Err(format!(
            "{call:?} went on for {:?} beyond its session: {session:?}, trouble {trouble:?}",
            closed.since(session.ended_at)
        ));
    }
    Ok(())
}

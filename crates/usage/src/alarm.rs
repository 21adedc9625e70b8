//! When a state wants to be looked at again though nobody asks.

use crate::ending::ending;
use crate::ledger::LedgerWrite;
use crate::policy::Policy;
use crate::settle::settle;
use crate::state::State;
use crate::time::Instant;

/// When the alarm of a state that was brought to `now` should next fire.
///
/// While a session runs: at the interval at which the ledger is kept up to date, or earlier, when the session ends by
/// itself. While the outbox is not empty: at that interval. Else at the end of a period that the ledger has heard of, to
/// archive it. And when a grant ends by itself. `None` when nothing is left to do.
#[must_use]
pub fn next_alarm(state: &State, now: Instant, policy: &Policy) -> Option<Instant> {
    let soon = now.plus(policy.alarm_interval);
    let lapse = state.grants.next_lapse(policy, now);
    let over = if let Some(session) = &state.session {
        Some(soon.min(ending(state, session, policy).due))
    } else if !state.outbox.is_empty() {
        Some(soon)
    } else {
        state.period.recorded.then(|| state.period.bounds.end())
    };
    // `None` is no instant, not one before all others.
    over.into_iter().chain(lapse).min()
}

/// The rows that a sweep at `now` writes before it touches the state: those of the outbox, and while a session runs, how it
/// and its period stand at this moment.
#[must_use]
pub fn rows_to_write(state: &State, now: Instant, policy: &Policy) -> Vec<LedgerWrite> {
    let mut settled = state.clone();
    settle(&mut settled, state.time(now), policy);
    let present = settled.session.as_ref().map(|session| {
        [
            LedgerWrite::Session(session.row(settled.instant)),
            LedgerWrite::Period(settled.period_row(settled.instant, policy, false)),
        ]
    });
    let present: Vec<LedgerWrite> = present.into_iter().flatten().collect();
    let outgoing = state.outbox.iter().map(|outgoing| &outgoing.write);
    outgoing
        .filter(|old| !present.iter().any(|new| new.supersedes(old)))
        .cloned()
        .chain(present.iter().cloned())
        .collect()
}

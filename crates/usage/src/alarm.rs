//! When a state wants to be looked at again though nobody asks.

use crate::policy::Policy;
use crate::settle::ending;
use crate::state::State;
use crate::time::Instant;

/// When the alarm of a state that was brought to `now` should next fire.
///
/// While a session runs: at the interval at which the ledger is kept up to date, or earlier, when the session ends by
/// itself. While the outbox is not empty: at that interval. Else at the end of a period that the ledger has heard of, to
/// archive it. `None` when nothing is left to do.
#[must_use]
pub fn next_alarm(state: &State, now: Instant, policy: &Policy) -> Option<Instant> {
    let soon = now.plus(policy.alarm_interval);
    if let Some(session) = &state.session {
        Some(soon.min(ending(state, session, policy).due))
    } else if !state.outbox.is_empty() {
        Some(soon)
    } else {
        state.period.recorded.then(|| state.period.bounds.end())
    }
}

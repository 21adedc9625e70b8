//! A state that was touched by a clock that was ahead.
//!
//! A state's instant only grows, so that a clock that steps back a little never takes usage back. But a state that a wrong
//! clock put days ahead would stand still until the clocks get there: no limit, no silence, free talk. So a state that is
//! further ahead than clocks ordinarily differ is moved back onto the clock.

use std::time::Duration;

use crate::state::State;
use crate::time::Timestamp;

/// How far a state may be ahead of the clock: the clocks of replicas agree within far less.
pub const CLOCK_AHEAD_MAX: Duration = Duration::from_mins(1);

/// How far the state is ahead of the clock, where that is more than `CLOCK_AHEAD_MAX`.
pub fn clock_ahead(state: &State, now: Timestamp) -> Option<Duration> {
    let ahead = state.instant.since(now);
    (ahead > CLOCK_AHEAD_MAX).then_some(ahead)
}

/// Moves the state onto the clock where it is too far ahead of it, and tells whether it did.
///
/// What the running session has lasted so far stays, and it goes on lasting from now on. The current period stays even if
/// it has not begun by the right clock: to go back to the one before would give minutes back.
pub(crate) fn rebase(state: &mut State, now: Timestamp) -> bool {
    let Some(ahead) = clock_ahead(state, now) else {
        return false;
    };
    state.instant = now;
    // A paid cycle that is yet to begin brings its minutes when it does.
    state.period.fresh_since = state.period.fresh_since.min(now);
    state.mints.move_back(ahead);
    state.offered = state.offered.map(|offered| offered.minus(ahead));
    if let Some(session) = &mut state.session {
        session.move_back(ahead);
    }
    true
}

//! When a state wants to be looked at again though nobody asks.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use crate::ending::ending;
use crate::ids::UserId;
use crate::policy::Policy;
use crate::state::State;
use crate::time::Timestamp;

/// Over how long the archiving of periods that end at one instant is spread, as most do: with the calendar month. Nothing
/// waits for it, since whoever comes back archives by himself, and sweeps have running sessions to see to.
pub const ARCHIVE_SPREAD: Duration = Duration::from_hours(6);

/// When an alarm fires, and whether somebody waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alarm {
    pub at: Timestamp,
    /// Whether a session runs or rows are on their way to the ledger: such alarms come before those that only archive.
    pub urgent: bool,
}

/// When the alarm of a state that was brought to `now` should next fire.
///
/// While a session runs: at the interval at which the ledger is kept up to date, or earlier, when the session ends by
/// itself. While the outbox is not empty: at that interval. Else some hours after the end of a period that the ledger has
/// heard of, to archive it. And when a grant ends by itself. `None` when nothing is left to do.
pub fn next_alarm(state: &State, now: Timestamp, policy: &Policy) -> Option<Alarm> {
    next_alarm_with(state, !state.outbox.is_empty(), now, policy)
}

/// [`next_alarm`], where `rows_wait` says whether any row of the outbox is still on its way.
pub(crate) fn next_alarm_with(
    state: &State,
    rows_wait: bool,
    now: Timestamp,
    policy: &Policy,
) -> Option<Alarm> {
    let soon = now.plus(policy.alarm_interval);
    let lapse = state.grants.next_lapse(policy, now);
    let urgent = |at: Timestamp| Alarm {
        at: lapse.map_or(at, |lapse| at.min(lapse)),
        urgent: true,
    };
    if let Some(session) = &state.session {
        return Some(urgent(soon.min(ending(state, session, policy).due)));
    }
    if rows_wait {
        return Some(urgent(soon));
    }
    let archive = state
        .period
        .recorded
        .then(|| state.period.bounds.end().plus(share_of_spread(&state.user)));
    // `None` is no instant, not one before all others.
    let at = archive.into_iter().chain(lapse).min()?;
    Some(Alarm { at, urgent: false })
}

/// The user's own part of [`ARCHIVE_SPREAD`], in whole seconds.
fn share_of_spread(user: &UserId) -> Duration {
    let mut hasher = DefaultHasher::new();
    user.hash(&mut hasher);
    Duration::from_secs(hasher.finish() % ARCHIVE_SPREAD.as_secs())
}

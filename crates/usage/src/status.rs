//! What a user sees: the state as it would be at this instant. Looking changes nothing.

use crate::ids::UserId;
use crate::period::Period;
use crate::plan::PlanName;
use crate::policy::Policy;
use crate::rebase::rebase;
use crate::session::{EndedSession, RunningSession};
use crate::settle::{settle, time_remaining};
use crate::state::State;
use crate::time::{Minutes, Seconds, Timestamp};

/// At so many minutes or fewer the user is warned.
pub const LOW_CREDIT: Minutes = Minutes::new(5);

/// Everything that a user may know about their minutes.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// The plan in force.
    pub plan: PlanName,
    /// Minutes used in the period, the running session included.
    pub minutes_used: Minutes,
    /// Minutes left, never below zero.
    pub minutes_remaining: Minutes,
    /// The plan's minutes.
    pub minutes_limit: Minutes,
    /// The used part of the limit, 0 to 100.
    pub percent_used: u8,
    /// How long the user may talk from now on.
    pub seconds_remaining: Seconds,
    /// The current period.
    pub period: Period,
    /// The running session, and what it has cost so far.
    pub active: Option<(RunningSession, Minutes)>,
    /// The last ended session.
    pub last: Option<EndedSession>,
    /// The instant that all this is true at.
    pub at: Timestamp,
}

impl Status {
    /// A sentence for people who are about to run out.
    pub fn warning(&self) -> Option<String> {
        warning(self.minutes_remaining)
    }
}

/// The sentence that goes with so few minutes left, if they are few.
pub fn warning(remaining: Minutes) -> Option<String> {
    match remaining.get() {
        _ if remaining > LOW_CREDIT => None,
        0 => Some("No minutes left".to_owned()),
        1 => Some("Only 1 minute left".to_owned()),
        minutes => Some(format!("Only {minutes} minutes left")),
    }
}

/// The status of a user at `now`; of one never seen before, that of a fresh user.
pub fn status(user: &UserId, state: Option<&State>, now: Timestamp, policy: &Policy) -> Status {
    let mut present = state.cloned().unwrap_or_else(|| State::fresh(user, now));
    rebase(&mut present, now);
    let now = present.time(now);
    settle(&mut present, now, policy);
    of_settled(&present, now, policy)
}

/// The status of a state that was brought to `now`.
pub(crate) fn of_settled(state: &State, now: Timestamp, policy: &Policy) -> Status {
    let plan = state.plan(policy);
    let used = state.minutes_used(now);
    Status {
        minutes_remaining: plan.minutes.minus(used),
        minutes_limit: plan.minutes,
        percent_used: percent(used, plan.minutes),
        plan: plan.name,
        minutes_used: used,
        seconds_remaining: Seconds::rounded_up(time_remaining(state, now, policy)),
        period: state.period.bounds,
        active: state.session.clone().map(|session| {
            let minutes = session.shares_so_far(now).total;
            (session, minutes)
        }),
        last: state.ended.iter().next().cloned(),
        at: now,
    }
}

/// `used` of `limit`, rounded to a whole percent and at most 100, which a limit of zero always is.
fn percent(used: Minutes, limit: Minutes) -> u8 {
    let (used, limit) = (u64::from(used.get()), u64::from(limit.get()));
    (used * 200 + limit)
        .checked_div(limit * 2)
        .map_or(100, |percent| u8::try_from(percent.min(100)).unwrap_or(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_is_rounded_and_capped() {
        let check = |used, limit, expected| {
            assert_eq!(
                percent(Minutes::new(used), Minutes::new(limit)),
                expected,
                "{used} of {limit}"
            );
        };
        check(0, 10, 0);
        check(3, 10, 30);
        check(1, 3, 33);
        check(2, 3, 67);
        check(149, 200, 75);
        check(148, 200, 74);
        check(10, 10, 100);
        check(50, 10, 100);
        check(0, 0, 100);
        check(u32::MAX, u32::MAX, 100);
    }

    #[test]
    fn the_warning_starts_at_five() {
        let check = |minutes, expected: Option<&str>| {
            assert_eq!(warning(Minutes::new(minutes)).as_deref(), expected);
        };
        check(6, None);
        check(5, Some("Only 5 minutes left"));
        check(1, Some("Only 1 minute left"));
        check(0, Some("No minutes left"));
    }
}

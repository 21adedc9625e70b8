//! What changed grants do to the current period: a paid cycle brings its minutes, and nothing else does.
//!
//! Grants change by news of them ([`step`](mod@crate::step)) and by lapsing ([`settle`](mod@crate::settle)), and both come
//! to [`take_effect`]. The source in force sets the rhythm. When it tells a paid period that began after the current one
//! did (a renewal, a trial that was cut short, a subscription that was bought again or replaces another), the current
//! period closes at that start with what was used in it, and a fresh one begins. Whatever else is told moves at most the
//! end of the current period, and the usage stays. So each cycle brings its minutes once, however often, late or out of
//! order it is told.

use std::time::Duration;

use crate::ending::{ending_now, stop};
use crate::grant::Held;
use crate::ledger::{LedgerWrite, PeriodRow};
use crate::period::Period;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::rhythm::Rhythm;
use crate::session::{EndReason, Terms};
use crate::settle::{close_period_under_session, end_session, open_next_period};
use crate::state::{CurrentPeriod, SCHEMA, State};
use crate::time::{Minutes, Timestamp};

/// No month is shorter.
pub(crate) const SHORTEST_MONTH: Duration = Duration::from_hours(28 * 24);

/// Brings the period and the running session in line with the grants as they are at `now`. `before` is the plan that was in
/// force until now: what is closed was used on it.
pub fn take_effect(
    state: &mut State,
    before: &Plan,
    now: Timestamp,
    policy: &Policy,
) -> Vec<LedgerWrite> {
    let mut writes = Vec::new();
    writes.extend(follow(state, before, now, policy));
    writes.extend(adopt_plan(state, now, policy));
    writes.push(state.record_period(now, policy));
    writes
}

/// From `now` on the running session has the plan that the user is granted then. Is it over that one's limit, it ends: the
/// minutes were there until this instant, so it is billed by the plan that it ran under.
fn adopt_plan(state: &mut State, now: Timestamp, policy: &Policy) -> Vec<LedgerWrite> {
    let plan = state.granted_plan(policy);
    let Some(session) = &state.session else {
        return Vec::new();
    };
    let limit_reached = EndReason::LimitReached;
    let ending = ending_now(state, session, now, limit_reached, policy);
    let terms = Terms {
        plan,
        ..state.terms(session, policy).into_owned()
    };
    let (stop, reason) = stop(state, session, &terms);
    if let Some(session) = &mut state.session {
        session.terms = Some(terms);
    }
    if stop <= now && reason == limit_reached {
        end_session(state, &ending, policy)
    } else {
        Vec::new()
    }
}

/// A grant ends by itself at `at`. If another one is in force, nothing changes.
pub fn lapse(state: &mut State, at: Timestamp, policy: &Policy) -> Vec<LedgerWrite> {
    let (before, granted) = (state.plan(policy), state.granted_plan(policy));
    state.instant = at;
    let source = state.period.rhythm.source();
    let same_rhythm = source.is_none_or(|source| state.grants.is_granting(source, policy, at));
    if same_rhythm && state.granted_plan(policy) == granted {
        return Vec::new();
    }
    take_effect(state, &before, at, policy)
}

/// Gives a state of the first layout, which did not know who sets the rhythm, the rhythm that its grants tell. The period
/// keeps its usage; one that is longer than its plan's minutes are meant for ends sooner.
pub fn take_up(state: &mut State, policy: &Policy) {
    if state.schema >= SCHEMA {
        return;
    }
    let now = state.instant;
    state.schema = SCHEMA;
    state.period.extra.remove("cadence");
    let mut fresh_since = state.period.latest_start();
    if let Held::By { period, .. } = state.grants.held(policy, now, None)
        && period.start() <= now
    {
        // That layout has followed it in its own way: it brings no minutes again.
        fresh_since = fresh_since.max(period.start());
    }
    state.period.fresh_since = fresh_since;
    let plan = state.plan(policy);
    follow(state, &plan, now, policy);
}

/// Starts the usage afresh at `now`: what was used until then stays in a period of its own that is closed.
pub fn reset(state: &mut State, plan: &Plan, now: Timestamp) -> Option<LedgerWrite> {
    if state.session.is_none() && !state.period.recorded {
        return None;
    }
    let next_second = next_second(state);
    close_at(state, now.floor_to_second().max(next_second), now, plan)
}

/// The first second that the next period can begin in, so that no two periods have one second in the ledger.
fn next_second(state: &State) -> Timestamp {
    state.period.latest_start().plus(Duration::from_secs(1))
}

/// Follows the source that sets the rhythm at `now`.
fn follow(
    state: &mut State,
    before: &Plan,
    now: Timestamp,
    policy: &Policy,
) -> Option<LedgerWrite> {
    let source = state.period.rhythm.source();
    match state.grants.held(policy, now, source) {
        Held::By { source, period } => {
            let is_fresh = state.period.fresh_since < period.start() && period.start() <= now;
            let write = is_fresh
                .then(|| begin_cycle(state, period.start(), now, before))
                .flatten();
            state.period.rhythm.hand_over(source, period);
            move_bounds(state, now, policy);
            write
        }
        Held::Untold => {
            follow_untold(state, now, policy);
            None
        }
        Held::Nobody => {
            follow_calendar(state, now);
            None
        }
    }
}

/// A plan is granted for no paid period that is told, so the current period stays. If the source of the rhythm told one
/// before, months go on from its day.
fn follow_untold(state: &mut State, now: Timestamp, policy: &Policy) {
    let Rhythm::Cycle(cycle) = &mut state.period.rhythm else {
        return;
    };
    if !state.grants.is_granting(&cycle.source, policy, now) {
        follow_calendar(state, now);
    } else if cycle.period.length() < SHORTEST_MONTH {
        cycle.period = Period::month_from(state.period.bounds.end());
    }
}

/// Nobody sets the rhythm any more: it is the calendar's from the next month on.
fn follow_calendar(state: &mut State, now: Timestamp) {
    state.period.rhythm = Rhythm::Calendar;
    let month_end = Period::calendar_month(now).end();
    let end = state.period.bounds.end().min(month_end);
    // Never back into a period that is closed, as a clock that was ahead may have closed one.
    let start = state
        .period
        .fresh_since
        .max(state.period.closed_until.unwrap_or(Timestamp::earliest()));
    if let Ok(bounds) = Period::new(start, end) {
        state.period.bounds = bounds;
    }
}

/// Moves the bounds of the current period to those that the rhythm gives at `now`; the usage stays. Its end is never put off
/// for longer than the plan's minutes are meant for, and its start never back into a period that is closed.
fn move_bounds(state: &mut State, now: Timestamp, policy: &Policy) {
    let allowance = state.granted_plan(policy).per;
    let period = &mut state.period;
    let told = period.rhythm.period_at(now, allowance);
    let earliest = period.closed_until.unwrap_or(Timestamp::earliest());
    let start = told.start().min(period.fresh_since).max(earliest);
    let latest = period.rhythm.latest_end(period.fresh_since, allowance);
    let end = if now < latest {
        told.end().min(latest)
    } else {
        told.end()
    };
    // A period that a clock which was ahead has begun may lie behind what is told: then it keeps its bounds.
    if let Ok(bounds) = Period::new(start, end) {
        period.bounds = bounds;
    }
}

/// Closes the current period where a paid cycle began, which was later than it did. Sessions that began since then count in
/// the new one, as far as they are remembered.
fn begin_cycle(
    state: &mut State,
    start: Timestamp,
    now: Timestamp,
    before: &Plan,
) -> Option<LedgerWrite> {
    let is_since = |at: Timestamp| start <= at && at <= now;
    let since = state
        .ended
        .iter()
        .filter(|ended| is_since(ended.started_at));
    let minutes = since.fold(Minutes::ZERO, |sum, ended| sum.plus(ended.minutes));
    state.period.billed_minutes = state.period.billed_minutes.minus(minutes);
    // There, but where a clock that was ahead has given rows to what is yet to come.
    let cut = start.max(next_second(state));
    let write = close_at(state, cut, now, before);
    state.period.billed_minutes = minutes;
    state.period.fresh_since = start;
    write
}

/// Closes the current period at `cut`, a later second than it began in, and opens the next there, with its end. What the
/// running session lasts after `now` is in the next one in any case.
fn close_at(state: &mut State, cut: Timestamp, now: Timestamp, plan: &Plan) -> Option<LedgerWrite> {
    let CurrentPeriod {
        bounds,
        closed_until,
        recorded,
        ..
    } = state.period;
    debug_assert!(bounds.start() < cut, "a period is cut before it began");
    let is_split = state
        .session
        .as_ref()
        .is_some_and(|session| session.started_at < cut);
    let write = if is_split {
        close_period_under_session(state, cut, cut.min(now), plan)
    } else {
        let row = LedgerWrite::Period(PeriodRow {
            id: state.period.id.clone(),
            // As in `close_period_under_session`.
            period: Period::new(bounds.start(), cut).unwrap_or(bounds),
            plan: plan.name.clone(),
            minutes_used: state.period.billed_minutes,
            minutes_limit: plan.minutes,
            archived: true,
            version: state.revision,
        });
        open_next_period(state, cut, cut, plan.per);
        if !recorded {
            state.period.closed_until = closed_until;
        }
        state.period.recorded = state.session.is_some();
        recorded.then_some(row)
    };
    // Where nothing is left of the old bounds, the next period has those that the rhythm gives.
    if let Ok(rest) = Period::new(cut, bounds.end()) {
        state.period.bounds = rest;
    }
    write
}

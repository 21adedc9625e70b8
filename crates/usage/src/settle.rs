//! How time passes for a state: sessions reach their limit, fall silent, and periods end.
//!
//! Whoever looks at a state first brings it to the present with [`settle`]. The outcome depends only on the state and
//! the instant, never on how often or how late anybody looked before: a session that ran out of minutes an hour ago
//! ended an hour ago.

use std::time::Duration;

use uuid::Uuid;

use crate::cycle::{lapse, take_up};
use crate::ending::{Ending, ending, stop};
use crate::ids::SessionId;
use crate::ledger::{LedgerWrite, PeriodRow, SessionEnd, SessionRow};
use crate::period::Period;
use crate::plan::{Allowance, Plan};
use crate::policy::Policy;
use crate::session::{EarlierPeriod, EndReason, EndedSession, RunningSession, Terms};
use crate::state::{CurrentPeriod, State};
use crate::time::{Minutes, Timestamp};

/// More periods than a session can cross: even with periods of a second it would be stale first.
const CROSSINGS_MAX: usize = 10_000;

/// How many periods ahead the remaining time is looked for. Beyond it the answer is only a lower bound: a plan with more
/// minutes than a month has never stops a session.
const LOOKAHEAD_MAX: usize = 24;

/// Brings the state to `now`, which must not be before its last instant, and gives the ledger rows that follow.
pub fn settle(state: &mut State, now: Timestamp, policy: &Policy) -> Vec<LedgerWrite> {
    debug_assert!(
        state.instant <= now,
        "a state is settled at an instant before its own"
    );
    let before = cfg!(debug_assertions).then(|| state.period.clone());
    let mut writes = Vec::new();
    take_up(state, policy);
    for _ in 0..CROSSINGS_MAX {
        let period_end = state.period.bounds.end();
        let lapse_at = state.grants.next_lapse(policy, state.instant);
        let lapse_at = lapse_at.filter(|at| *at <= now);
        let next = lapse_at.unwrap_or(now);
        let Some(session) = &state.session else {
            if period_end <= next {
                writes.extend(close_idle_period(state, next, policy));
            } else if let Some(at) = lapse_at {
                writes.extend(lapse(state, at, policy));
            } else {
                break;
            }
            continue;
        };
        let ending = ending(state, session, policy);
        // At the very instant that a period ends, the next one's minutes are there: it is crossed before it is asked
        // whether any minutes are left, and before a grant ends that was for the period.
        if period_end <= next && period_end <= ending.due {
            let plan = state.plan(policy);
            writes.extend(close_period_under_session(
                state, period_end, period_end, &plan,
            ));
        } else if let Some(at) = lapse_at.filter(|at| *at < ending.due) {
            writes.extend(lapse(state, at, policy));
        } else if ending.due <= now {
            writes.extend(end_session(state, &ending, policy));
        } else {
            break;
        }
    }
    state.instant = now;
    debug_assert!(state.period.bounds.end() > now, "a settled period is over");
    debug_assert!(
        before.is_none_or(|before| before.id != state.period.id
            || before.billed_minutes <= state.period.billed_minutes),
        "minutes of a period were given back"
    );
    writes
}

/// How long the user may talk from `now` on: until the running session, or one started now, is stopped, heartbeats
/// coming. The end of a period, with the minutes of the next, is taken into account.
pub fn time_remaining(state: &State, now: Timestamp, policy: &Policy) -> Duration {
    let session = match &state.session {
        // One that waits may talk for as long as if its call were opened now.
        Some(session) => {
            let mut session = session.clone();
            if session.awaits_call {
                session.connect(now, now);
            }
            session
        }
        None if state.plan(policy).minutes <= state.period.billed_minutes => return Duration::ZERO,
        // Which id is all the same: nobody sees it.
        None => RunningSession {
            terms: Some(Terms::of(state.plan(policy), policy)),
            ..RunningSession::started(SessionId::new(Uuid::nil()), now, None, None)
        },
    };
    let mut ahead = State {
        grants: state.grants.clone(),
        period: state.period.clone(),
        session: Some(session),
        // A cycle that began a while ago counts those since then.
        ended: state.ended.clone(),
        ..State::fresh(&state.user, now)
    };
    let mut last_stop = now;
    for _ in 0..LOOKAHEAD_MAX {
        let Some(session) = &ahead.session else { break };
        let (stop, reason) = stop(&ahead, session, &ahead.terms(session, policy));
        let period_end = ahead.period.bounds.end();
        let lapse_at = ahead.grants.next_lapse(policy, ahead.instant);
        if let Some(at) = lapse_at.filter(|at| *at < period_end && *at < stop) {
            // It is stopped then if the plan that is left has no minutes for it.
            last_stop = at;
            lapse(&mut ahead, at, policy);
            continue;
        }
        last_stop = stop;
        // Each period has at least the minutes of the one before left, so a time-out stays one, unless a grant ends.
        let stays = reason == EndReason::Timeout && lapse_at.is_none_or(|at| stop <= at);
        if stop < period_end || stays {
            break;
        }
        let plan = ahead.plan(policy);
        close_period_under_session(&mut ahead, period_end, period_end, &plan);
    }
    last_stop.since(now)
}

/// Ends the running session and bills it.
pub fn end_session(state: &mut State, ending: &Ending, policy: &Policy) -> Vec<LedgerWrite> {
    debug_assert!(
        ending.ended_at <= ending.due,
        "a session ends after its end is due"
    );
    debug_assert!(state.session.is_some(), "there is no session to end");
    let limit = state.plan(policy).minutes;
    // Nothing runs, so nothing is billed.
    let Some(session) = state.session.take() else {
        return Vec::new();
    };
    let mut shares = session.shares(ending.billed_until, Minutes::ONE);
    if ending.is_free(state, &session) {
        shares.earlier.fill(Minutes::ZERO);
        shares.current = Minutes::ZERO;
        shares.total = Minutes::ZERO;
        state.period.free_failures += 1;
    }
    if session.awaits_call {
        state.period.unconnected = state.period.unconnected.saturating_add(1);
    }
    if ending.reason == EndReason::Stale && session.token_until.is_some() {
        state.period.silences = state.period.silences.saturating_add(1);
    }
    state.period.billed_minutes = state.period.billed_minutes.plus(shares.current);
    let used = state.period.billed_minutes;
    state.push_ended(EndedSession {
        id: session.id,
        started_at: session.started_at,
        ended_at: ending.ended_at,
        reason: ending.reason,
        minutes: shares.total,
        total_minutes_used: used,
        minutes_remaining: limit.minus(used),
    });
    state.period.recorded = true;

    let earlier = session.earlier.iter().zip(&shares.earlier);
    let mut writes: Vec<LedgerWrite> = earlier
        .map(|(earlier, share)| {
            LedgerWrite::Period(earlier_row(earlier, *share, state.revision, true))
        })
        .collect();
    writes.push(LedgerWrite::Session(SessionRow {
        ended: Some(SessionEnd {
            at: ending.ended_at,
            reason: ending.reason,
        }),
        minutes_used: shares.total,
        ..session.row(ending.due)
    }));
    writes.push(LedgerWrite::Period(
        state.period_row(ending.due, policy, false),
    ));
    writes
}

/// Closes the current period at `end` while a session runs on into the next. It is split at `cut`: there, but where the
/// period has not begun by the clock that is right now.
pub(crate) fn close_period_under_session(
    state: &mut State,
    end: Timestamp,
    cut: Timestamp,
    plan: &Plan,
) -> Option<LedgerWrite> {
    debug_assert!(
        state.session.is_some(),
        "no session runs on into the next period"
    );
    debug_assert!(
        state.period.bounds.start() < end,
        "a period is closed before it began"
    );
    let session = state.session.as_mut()?;
    // Callers close at the period's end, or on a later second than its start. Were it not so, the row would keep the bounds
    // that the ledger has: it says less than it could, and nobody pays more.
    let bounds = Period::new(state.period.bounds.start(), end).unwrap_or(state.period.bounds);
    let earlier = EarlierPeriod {
        id: state.period.id.clone(),
        period: bounds,
        plan: plan.name.clone(),
        minutes_limit: plan.minutes,
        minutes_of_others: state.period.billed_minutes,
        cut_at: (cut != end).then_some(cut),
        extra: serde_json::Map::new(),
    };
    session.earlier.push(earlier.clone());
    let share = session.shares(cut, Minutes::ZERO).earlier.last().copied();
    debug_assert!(
        share.is_some(),
        "the period that was just closed has no share"
    );
    // The row at the session's end has the share again, so nothing is lost for good.
    let share = share.unwrap_or(Minutes::ZERO);
    open_next_period(state, end, end, plan.per);
    // The session is counted in it from its first instant on.
    state.period.recorded = true;
    Some(LedgerWrite::Period(earlier_row(
        &earlier,
        share,
        state.revision,
        false,
    )))
}

/// Closes a period in which no session runs; the next one is the one that holds `now`, without rows for those between.
fn close_idle_period(state: &mut State, now: Timestamp, policy: &Policy) -> Option<LedgerWrite> {
    let row = state
        .period
        .recorded
        .then(|| LedgerWrite::Period(state.period_row(now, policy, true)));
    let end = state.period.bounds.end();
    let closed_until = state.period.closed_until;
    let allowance = state.plan(policy).per;
    open_next_period(state, end, now, allowance);
    if row.is_none() {
        // Of a period without a row nothing has to be kept, and who was away has had none, however often it was looked.
        state.period.closed_until = closed_until;
    }
    row
}

/// Opens the period that holds `now`, after one that ended at `closed_until`.
pub(crate) fn open_next_period(
    state: &mut State,
    closed_until: Timestamp,
    now: Timestamp,
    allowance: Allowance,
) {
    debug_assert!(
        closed_until <= now,
        "a period is opened before the last one is over"
    );
    // No two periods begin in one second: the ledger could not tell them apart. A clock that was ahead may have opened the
    // one that is over in a second that is yet to come.
    let first = state
        .period
        .latest_start()
        .plus(Duration::from_secs(1))
        .max(closed_until);
    let given = state.period.rhythm.period_at(now.max(first), allowance);
    // The one that is over may have ended elsewhere than by the rhythm that is followed from now on. The given one holds
    // `now`, so it ends after that; only where time itself ends, with the year 9999, it does not, and stays as it is.
    let bounds = Period::new(given.start().max(first), given.end()).unwrap_or(given);
    let rhythm = state.period.rhythm.clone();
    let extra = std::mem::take(&mut state.period.extra);
    state.period = CurrentPeriod::new(&state.user, bounds, rhythm, Some(closed_until));
    state.period.extra = extra;
}

fn earlier_row(earlier: &EarlierPeriod, share: Minutes, version: u64, archived: bool) -> PeriodRow {
    PeriodRow {
        id: earlier.id.clone(),
        period: earlier.period,
        plan: earlier.plan.clone(),
        minutes_used: earlier.minutes_of_others.plus(share),
        minutes_limit: earlier.minutes_limit,
        archived,
        version,
    }
}

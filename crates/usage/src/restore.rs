//! What a state owes to the ledger: a document that was lost, or that a restore put back in time, is taken up from the
//! rows that were told of a newer one.
//!
//! The ledger is told of a change only after the document has it. So a document that is read *after* the ledger, and
//! knows less, is not the one that the ledger was told of.

use std::time::Duration;

use serde_json::Map;

use crate::command::Reply;
use crate::cycle::SHORTEST_MONTH;
use crate::event_order::EventOrder;
use crate::grant::{Granted, Source};
use crate::ids::{SessionId, SubscriptionId};
use crate::ledger::{LedgerWrite, SessionEnd, SessionRow};
use crate::period::Period;
use crate::policy::Policy;
use crate::rebase::rebase;
use crate::rhythm::Rhythm;
use crate::session::{EndReason, EndedSession, RunningSession};
use crate::settle::settle;
use crate::state::{CurrentPeriod, SCHEMA, State};
use crate::step::{Context, Step};
use crate::time::{Minutes, Timestamp};

/// How often the state of a session that runs is compared with the ledger.
pub const COMPARED_EVERY: Duration = Duration::from_mins(5);

/// The source of a plan that only the ledger still knew of. It holds as long as any subscription whose end was told.
const SOURCE: &str = "restored-from-ledger";

/// What the ledger knows of a user.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LedgerFacts {
    /// When the user's alarm is to fire.
    pub alarm_at: Option<Timestamp>,
    /// The newest version of any of the user's rows.
    pub version: u64,
    /// The user's latest period.
    pub period: Option<PeriodFacts>,
    /// The session that was asked for, and all that the ledger believes to run; the newest first.
    pub sessions: Vec<SessionRow>,
}

/// The ledger's row of a period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeriodFacts {
    pub id: String,
    pub period: Period,
    /// The plan in force, by a name that today's catalogue may no longer have.
    pub plan: String,
    pub minutes_used: Minutes,
    /// The plan's minutes.
    pub minutes_limit: Minutes,
}

impl LedgerFacts {
    /// Whether they know of a change that the state, read after them, has not.
    pub fn is_ahead_of(&self, state: &State) -> bool {
        let ended = |running: &RunningSession| self.end_of(running.id).is_some();
        self.version > state.revision || state.session.as_ref().is_some_and(ended)
    }

    /// Whether no sweep will come by a session that runs in the state: its alarm is missing, or far away.
    pub fn lacks_alarm(&self, state: &State, now: Timestamp, longest_wait: Duration) -> bool {
        let late = now.plus(longest_wait);
        state.session.is_some() && self.alarm_at.is_none_or(|at| at > late)
    }

    fn end_of(&self, session: SessionId) -> Option<(&SessionRow, &SessionEnd)> {
        let row = self.sessions.iter().find(|row| row.id == session)?;
        Some((row, row.ended.as_ref()?))
    }

    /// Whether they tell of no use.
    pub fn is_empty(&self) -> bool {
        self.period.is_none() && self.sessions.is_empty()
    }
}

/// Whether this write of a session that runs is the one after which its state is compared with the ledger: about one in
/// each `COMPARED_EVERY`, so that the others need not.
pub fn is_to_be_compared(before: &State, after: &State) -> bool {
    let (Some(old), Some(new)) = (&before.session, &after.session) else {
        return false;
    };
    let turn = |heard: Timestamp| heard.since(new.started_at).as_secs() / COMPARED_EVERY.as_secs();
    old.id == new.id && turn(old.last_sign) < turn(new.last_sign)
}

/// The state after it has taken up what only the ledger knows; `None` where it knows all of that.
///
/// Its revision is above all that the ledger was told, the current period has at least the minutes that its row has, a
/// session that ended in the ledger is over, and one that the ledger believes to run goes on, or ends where it was last
/// heard of.
pub fn take_up(state: Option<&State>, facts: &LedgerFacts, context: &Context<'_>) -> Option<Step> {
    if facts.is_empty() || state.is_some_and(|state| !facts.is_ahead_of(state)) {
        return None;
    }
    let mut next = state
        .cloned()
        .unwrap_or_else(|| State::fresh(context.user, context.now));
    rebase(&mut next, context.now);
    next.revision = next.revision.max(facts.version) + 1;
    let now = next.time(context.now);

    let known = next.period.billed_minutes;
    let own_row = facts
        .period
        .as_ref()
        .filter(|row| adopt(&mut next, row, state.is_none()));
    let mut writes = close_sessions(&mut next, facts, now);
    if let Some(row) = own_row {
        let others = row.minutes_used.minus(running_share(&next, facts));
        let known = if state.is_some_and(|state| state.period.id == row.id) {
            known
        } else {
            Minutes::ZERO
        };
        next.period.billed_minutes = others.max(known);
        grant(&mut next, row, context.policy);
    }
    answer_ended(&mut next, facts, context.policy);
    writes.extend(settle(&mut next, now, context.policy));
    if next.period.recorded {
        writes.push(LedgerWrite::Period(next.period_row(
            now,
            context.policy,
            false,
        )));
    }
    // The last word on each row.
    let mut said: Vec<LedgerWrite> = Vec::with_capacity(writes.len());
    for write in writes {
        said.retain(|old| !write.supersedes(old));
        said.push(write);
    }
    let writes = said;
    next.schema = SCHEMA;
    debug_assert!(
        next.revision > facts.version && state.is_none_or(|state| next.revision > state.revision),
        "what is taken up is no newer than what is known"
    );
    next.send(&writes);
    next.push_write(context.write.clone());
    Some(Step::Changed {
        next: Box::new(next),
        writes,
        reply: Reply::TakenUp,
    })
}

/// Makes the ledger's period the current one, unless the state is in a later one already.
fn adopt(next: &mut State, row: &PeriodFacts, lost: bool) -> bool {
    let same = row.id == next.period.id;
    if !same && !lost && row.period.start() < next.period.bounds.start() {
        return false;
    }
    if !same {
        let closed_until = next.period.closed_until;
        next.period = CurrentPeriod {
            id: row.id.clone(),
            ..CurrentPeriod::new(&next.user, row.period, Rhythm::Calendar, closed_until)
        };
    }
    next.period.bounds = row.period;
    next.period.recorded = true;
    true
}

/// Lets one session run, that of the state or else the ledger's newest that can go on, and ends the others that the ledger
/// believes to run: each where it was last heard of, since that is what the periods' rows have of it.
fn close_sessions(next: &mut State, facts: &LedgerFacts, now: Timestamp) -> Vec<LedgerWrite> {
    if let Some(running) = &next.session
        && facts.end_of(running.id).is_some()
    {
        next.session = None;
    }
    let mut writes = Vec::new();
    for row in facts.sessions.iter().filter(|row| row.ended.is_none()) {
        let is_running = |running: &RunningSession| running.id == row.id;
        if next.session.as_ref().is_some_and(is_running)
            || next.ended.iter().any(|e| e.id == row.id)
        {
            continue;
        }
        let heard_until = row.started_at.plus(row.minutes_used.duration()).min(now);
        // Of one that began before the period nothing tells how its minutes fall on the periods before.
        if next.session.is_none() && row.started_at >= next.period.bounds.start() {
            let mut session =
                RunningSession::started(row.id, row.started_at, row.topic.clone(), row.difficulty);
            session.hear(heard_until.max(row.started_at));
            next.session = Some(session);
            continue;
        }
        writes.push(LedgerWrite::Session(SessionRow {
            ended: Some(SessionEnd {
                at: heard_until.max(row.started_at),
                reason: EndReason::Stale,
            }),
            ..row.clone()
        }));
    }
    writes
}

/// What the running session has in the ledger's row of the current period.
fn running_share(state: &State, facts: &LedgerFacts) -> Minutes {
    let Some(running) = &state.session else {
        return Minutes::ZERO;
    };
    let row = facts.sessions.iter().find(|row| row.id == running.id);
    let before = Minutes::rounded_up(state.period.bounds.start().since(running.started_at));
    row.map_or(Minutes::ZERO, |row| row.minutes_used.minus(before))
}

/// The plan that the row tells of, where it has more minutes than what the state knows to be granted.
fn grant(next: &mut State, row: &PeriodFacts, policy: &Policy) {
    if row.minutes_limit <= next.granted_plan(policy).minutes {
        return;
    }
    let (Some(plan), Ok(source)) = (
        policy.catalogue.find(&row.plan),
        SubscriptionId::parse(SOURCE),
    ) else {
        return;
    };
    let source = Source::Subscription(source);
    let granted = Granted {
        plan: Some(plan.clone()),
        period: Some(row.period),
        ends_at: None,
        customer: None,
        as_of: EventOrder::at(row.period.start(), SOURCE),
        extra: Map::new(),
    };
    next.grants.record(&source, granted);
    // What a reset has cut short goes on by months from its end.
    let cycle = if row.period.length() < SHORTEST_MONTH {
        Period::month_from(row.period.end())
    } else {
        row.period
    };
    next.period.rhythm.hand_over(source, cycle);
}

/// Remembers the ends that the ledger was told of, so that their clients get them for an answer.
fn answer_ended(next: &mut State, facts: &LedgerFacts, policy: &Policy) {
    let used = next.period.billed_minutes;
    let remaining = next.plan(policy).minutes.minus(used);
    for row in facts.sessions.iter().rev() {
        let Some(end) = &row.ended else { continue };
        if next.ended.iter().any(|ended| ended.id == row.id) {
            continue;
        }
        next.push_ended(EndedSession {
            id: row.id,
            started_at: row.started_at,
            ended_at: end.at,
            reason: end.reason,
            minutes: row.minutes_used,
            total_minutes_used: used,
            minutes_remaining: remaining,
        });
    }
}

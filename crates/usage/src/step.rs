//! The state machine: what each command does to a state that was brought to the present.

use std::time::Duration;

use crate::command::{Command, Heard, Minted, PlanOutcome, Refusal, Reply, Started, Stopped};
use crate::grant::{Granted, Grants};
use crate::ids::{SessionId, UserId, WriteId};
use crate::ledger::LedgerWrite;
use crate::period::{Cadence, Period};
use crate::policy::Policy;
use crate::session::{EndReason, EndedSession, RunningSession};
use crate::settle::{close_period_early, end_session, ending, settle, time_remaining};
use crate::state::State;
use crate::status::{Status, of_settled};
use crate::time::{Instant, Minutes, Seconds};

/// The most rows that wait in the outbox of a running session: its own, its period's, and some of sessions before it.
const OUTBOX_WHILE_RUNNING: usize = 8;

/// The circumstances of one command.
#[derive(Clone, Debug)]
pub struct Context<'a> {
    /// Whose state it is.
    pub user: &'a UserId,
    /// The time.
    pub now: Instant,
    /// The rules' settings.
    pub policy: &'a Policy,
    /// The mark that the write leaves. No other write has it, not even that of a retry: two copies of a request may be
    /// under way at once, and each must know which of them was carried out.
    pub write: &'a WriteId,
    /// The mark of the request where retries may come with the same: its answer is kept, so that they get it again.
    pub repeat: Option<&'a WriteId>,
}

/// What a command leads to.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The answer is there and nothing is to be written.
    Unchanged(Reply),
    /// The state becomes `next`, and once it has, the ledger is told `writes` (they are in its outbox too).
    Changed {
        /// The state to be stored.
        next: Box<State>,
        /// The rows that follow.
        writes: Vec<LedgerWrite>,
        /// The answer, once the state is stored.
        reply: Reply,
    },
}

/// Carries out a command on a user's state, `None` for a user never seen before.
///
/// # Errors
/// When the rules refuse it; the state then stays as it is.
pub fn step(
    state: Option<&State>,
    command: &Command,
    context: &Context<'_>,
) -> Result<Step, Refusal> {
    let kept = context.repeat.and_then(|request| state?.answer(request));
    if let Some(answer) = kept {
        return Ok(Step::Unchanged(answer.clone()));
    }
    let mut next = state
        .cloned()
        .unwrap_or_else(|| State::fresh(context.user, context.now));
    next.revision += 1;
    let now = next.time(context.now);
    // A mint neither ends nor bills anything, so it alone works on the state as it is.
    if let Command::Mint {
        session,
        per_minute_max,
    } = command
    {
        let minted = mint(&mut next, *session, *per_minute_max, now, context.policy)?;
        return Ok(finish(next, Vec::new(), Reply::Minted(minted), context));
    }

    let mut writes = settle(&mut next, now, context.policy);
    let mut machine = Machine {
        state: &mut next,
        writes: &mut writes,
        now,
        policy: context.policy,
    };
    let carried_out = match command {
        Command::Start {
            session,
            topic,
            difficulty,
            takeover,
        } => {
            let fresh = RunningSession::started(*session, now, topic.clone(), *difficulty);
            machine.start(fresh, *takeover)?
        }
        Command::Heartbeat { session } => machine.heartbeat(*session)?,
        Command::End { session, reason } => machine.end(*session, *reason)?,
        Command::ChangePlan {
            source,
            plan,
            period,
            reset_usage,
            as_of,
        } => {
            let as_of = as_of.clone().unwrap_or_else(|| {
                machine
                    .state
                    .grants
                    .after_all_known(source, now, context.write)
            });
            let granted = Granted {
                plan: plan.clone(),
                period: *period,
                as_of,
            };
            let until_now = reset_usage.then(|| machine.state.grants.clone());
            let newer = machine.state.grants.record(source, granted);
            machine.plan_changed(newer, until_now)
        }
        Command::PastDue {
            subscription,
            as_of,
        } => {
            let newer = machine
                .state
                .grants
                .record_past_due(subscription, as_of.clone());
            machine.plan_changed(newer, None)
        }
        Command::Reconcile(roster) => {
            let newer = machine.state.grants.record_roster(roster.clone());
            machine.plan_changed(newer, None)
        }
        Command::Sweep { written_through } => machine.sweep(*written_through),
        Command::Mint { .. } => unreachable!("handled above"),
    };
    Ok(match carried_out {
        Done::Changed(reply) => finish(next, writes, reply, context),
        // Even a command that changes nothing itself makes true what time has brought about.
        Done::Nothing(reply) if !writes.is_empty() => finish(next, writes, reply, context),
        Done::Nothing(reply) => Step::Unchanged(reply),
    })
}

enum Done {
    Changed(Reply),
    Nothing(Reply),
}

/// Stores the marks of the write in the state that it makes.
fn finish(mut next: State, said: Vec<LedgerWrite>, reply: Reply, context: &Context<'_>) -> Step {
    // The last word on each row: two of one version could be written in either order.
    let mut writes: Vec<LedgerWrite> = Vec::with_capacity(said.len());
    for write in said {
        writes.retain(|old| !write.supersedes(old));
        writes.push(write);
    }
    next.instant = next.time(context.now);
    next.send(&writes);
    next.push_write(context.write.clone());
    if let Some(request) = context.repeat {
        next.push_answer(request.clone(), reply.clone());
    }
    Step::Changed {
        next: Box::new(next),
        writes,
        reply,
    }
}

/// A state at the present, in the hands of one command.
struct Machine<'a> {
    state: &'a mut State,
    writes: &'a mut Vec<LedgerWrite>,
    now: Instant,
    policy: &'a Policy,
}

impl Machine<'_> {
    fn start(&mut self, fresh: RunningSession, takeover: bool) -> Result<Done, Refusal> {
        // A retry whose first try got through and has ended since: a session is never run, nor billed, a second time.
        if let Some(ended) = self.state.ended.iter().find(|ended| ended.id == fresh.id) {
            return Ok(Done::Nothing(self.started(ended.id, ended.started_at)));
        }
        match &self.state.session {
            // A retry whose first try got through: it is the session that was asked for.
            Some(running) if running.id == fresh.id => {
                return Ok(Done::Nothing(self.started(running.id, running.started_at)));
            }
            Some(running) if !takeover => return Err(Refusal::SessionActive(running.id)),
            Some(_) => self.stop(EndReason::UserEnded),
            None => {}
        }
        if self.status().minutes_remaining == Minutes::ZERO {
            return Err(Refusal::NoCredits);
        }
        let (id, row) = (fresh.id, fresh.row(self.now));
        self.state.session = Some(fresh);
        self.writes.push(LedgerWrite::Session(row));
        self.record_period();
        Ok(Done::Changed(self.started(id, self.now)))
    }

    fn heartbeat(&mut self, id: SessionId) -> Result<Done, Refusal> {
        let now = self.now;
        if let Some(session) = self
            .state
            .session
            .as_mut()
            .filter(|running| running.id == id)
        {
            session.last_heartbeat = now;
            session.heard = true;
            let session_minutes = session.shares_so_far(now).total;
            let status = self.status();
            return Ok(Done::Changed(Reply::Heard(Heard {
                session_minutes,
                total_minutes_used: status.minutes_used,
                minutes_remaining: status.minutes_remaining,
                seconds_remaining: status.seconds_remaining,
                ended: None,
            })));
        }
        let ended = self.ended(id)?;
        let status = self.status();
        Ok(Done::Nothing(Reply::Heard(Heard {
            session_minutes: ended.session_minutes,
            total_minutes_used: status.minutes_used,
            minutes_remaining: status.minutes_remaining,
            seconds_remaining: Seconds::default(),
            ended: Some(ended),
        })))
    }

    fn end(&mut self, id: SessionId, reason: EndReason) -> Result<Done, Refusal> {
        if self
            .state
            .session
            .as_ref()
            .is_some_and(|running| running.id == id)
        {
            self.stop(reason);
            return Ok(Done::Changed(Reply::Stopped(self.ended(id)?)));
        }
        Ok(Done::Nothing(Reply::Stopped(self.ended(id)?)))
    }

    /// `reset` has the grants until now where usage starts afresh: the closed period keeps the plan that it was used on.
    fn plan_changed(&mut self, newer: bool, reset: Option<Grants>) -> Done {
        if !newer {
            return Done::Nothing(Reply::Plan(PlanOutcome::Outdated));
        }
        if let Some(until_now) = reset {
            let from_now = std::mem::replace(&mut self.state.grants, until_now);
            self.writes
                .extend(close_period_early(self.state, self.now, self.policy));
            self.state.grants = from_now;
        }
        if let Some(period) = self.state.grants.period(&self.policy.catalogue) {
            adopt_period(self.state, period, self.now);
        }
        let used_up = self.state.session.as_ref().is_some_and(|session| {
            let ending = ending(self.state, session, self.policy);
            ending.due <= self.now && ending.reason == EndReason::LimitReached
        });
        if used_up {
            // The minutes were there until this instant, when the plan that granted them went.
            self.stop(EndReason::LimitReached);
        }
        self.record_period();
        Done::Changed(Reply::Plan(PlanOutcome::Applied))
    }

    /// Drops rows that are written. While a session runs they wait: the next interval writes newer ones anyway, and a
    /// sweep that changes nothing needs no swap.
    fn sweep(&mut self, written_through: u64) -> Done {
        let outbox = &mut self.state.outbox;
        let before = outbox.len();
        if self.state.session.is_none() || before > OUTBOX_WHILE_RUNNING {
            outbox.retain(|outgoing| outgoing.revision > written_through);
        }
        if outbox.len() < before {
            Done::Changed(Reply::Swept)
        } else {
            Done::Nothing(Reply::Swept)
        }
    }

    fn stop(&mut self, reason: EndReason) {
        let ended = end_session(self.state, self.now, reason, self.now, self.policy);
        self.writes.extend(ended);
    }

    /// Tells the ledger how the current period stands.
    fn record_period(&mut self) {
        self.state.period.recorded = true;
        self.writes.push(LedgerWrite::Period(self.state.period_row(
            self.now,
            self.policy,
            false,
        )));
    }

    fn status(&self) -> Status {
        of_settled(self.state, self.now, self.policy)
    }

    fn started(&self, session: SessionId, at: Instant) -> Reply {
        let status = self.status();
        Reply::Started(Started {
            session,
            at,
            minutes_remaining: status.minutes_remaining,
            seconds_remaining: status.seconds_remaining,
        })
    }

    fn ended(&self, id: SessionId) -> Result<Stopped, Refusal> {
        self.state
            .ended
            .iter()
            .find(|ended| ended.id == id)
            .map(Stopped::from)
            .ok_or(Refusal::SessionNotFound)
    }
}

impl From<&EndedSession> for Stopped {
    fn from(ended: &EndedSession) -> Self {
        Self {
            session_minutes: ended.minutes,
            total_minutes_used: ended.total_minutes_used,
            minutes_remaining: ended.minutes_remaining,
            reason: ended.reason,
            at: ended.ended_at,
        }
    }
}

/// Moves the bounds of the current period to those that a subscription tells, or to those of the same cadence that hold
/// `now`, where the news is late or early. The usage stays: moving a period never gives minutes back.
fn adopt_period(state: &mut State, told: Period, now: Instant) {
    state.period.cadence = Cadence::of(told);
    let holding = told.moved_to(now);
    let start = holding
        .start()
        .max(state.period.closed_until.unwrap_or(holding.start()));
    if let Ok(bounds) = Period::new(start, holding.end()) {
        state.period.bounds = bounds;
    }
}

/// Records that a token is about to be minted, on a state that is otherwise left alone: a session that is over is
/// refused here and ended by whoever comes next.
fn mint(
    next: &mut State,
    wanted: Option<SessionId>,
    per_minute_max: usize,
    now: Instant,
    policy: &Policy,
) -> Result<Minted, Refusal> {
    const WINDOW: Duration = Duration::from_mins(1);

    let mut present = next.clone();
    settle(&mut present, now, policy);
    let status = of_settled(&present, now, policy);
    let session = match (&present.session, next.session.as_mut()) {
        (Some(running), Some(session)) if wanted.is_none_or(|id| id == running.id) => session,
        (None, _) if status.minutes_remaining == Minutes::ZERO => return Err(Refusal::NoCredits),
        _ => return Err(Refusal::NoActiveSession),
    };
    session.mints.retain(|mint| now.since(*mint) < WINDOW);
    if session.mints.len() >= per_minute_max {
        let wait = session
            .mints
            .first()
            .map_or(WINDOW, |oldest| oldest.plus(WINDOW).since(now));
        return Err(Refusal::TooManyMints {
            retry_after: Seconds::rounded_up(wait),
        });
    }
    session.mints.push(now);
    session.token_minted = true;
    Ok(Minted {
        session: session.id,
        minutes_remaining: status.minutes_remaining,
        seconds_remaining: status.seconds_remaining,
        until: now.plus(time_remaining(&present, now, policy)),
    })
}

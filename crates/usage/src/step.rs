//! The state machine: what each command does to a state that was brought to the present.

use std::time::Duration;

use crate::command::{Command, Heard, PlanOutcome, Refusal, Reply, SessionStart, Started, Stopped};
use crate::cycle;
use crate::ending::{Ending, ending_now};
use crate::ids::{Fingerprint, SessionId, UserId, WriteId};
use crate::ledger::LedgerWrite;
use crate::mint;
use crate::news;
use crate::policy::Policy;
use crate::rebase::rebase;
use crate::session::{EndReason, RunningSession, Terms};
use crate::settle::{end_session, settle};
use crate::state::{SCHEMA, State};
use crate::status::{Status, of_settled};
use crate::sweep::{alarm_after, sweep};
use crate::time::{Minutes, Seconds, Timestamp};

/// A heartbeat so soon after the last sign of life tells nothing new, and is not written.
const HEARTBEATS_APART: Duration = Duration::from_secs(1);

/// The circumstances of one command.
#[derive(Clone, Debug)]
pub struct Context<'a> {
    /// Whose state it is.
    pub user: &'a UserId,
    pub now: Timestamp,
    /// The rules' settings.
    pub policy: &'a Policy,
    /// The mark that the write leaves. No other write has it, not even that of a retry: two copies of a request may be
    /// under way at once, and each must know which of them was carried out.
    pub write: &'a WriteId,
    /// The request where retries may come with the same mark: its answer is kept, so that they get it again.
    pub repeat: Option<&'a Repeat>,
    /// The ledger has all rows of the state's outbox up to this revision.
    pub written_through: Option<u64>,
}

/// The mark of a request whose retries carry it too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeat {
    pub id: WriteId,
    /// What the request asks for, where its mark alone does not say so.
    pub fingerprint: Option<Fingerprint>,
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
    if let Some(reply) = answered_before(state, command, context)? {
        return Ok(Step::Unchanged(reply));
    }
    let mut next = state
        .cloned()
        .unwrap_or_else(|| State::fresh(context.user, context.now));
    let rebased = rebase(&mut next, context.now);
    cycle::take_up(&mut next, context.policy);
    next.revision += 1;
    let now = next.time(context.now);
    debug_assert!(
        rebased || state.is_none_or(|state| state.instant <= now),
        "the time of a state goes back"
    );
    let mut writes = settle(&mut next, now, context.policy);
    if let Some(minted) = mint::step(&mut next, command, now, context.policy) {
        return Ok(finish(next, writes, minted?, context));
    }
    let told = news::hear(&mut next, command, now, context.write, context.policy);
    let carried_out = if let Some((outcome, rows)) = told {
        writes.extend(rows);
        match outcome {
            PlanOutcome::Applied => Done::Changed(Reply::Plan(outcome)),
            PlanOutcome::Repeated | PlanOutcome::Outdated => Done::Nothing(Reply::Plan(outcome)),
        }
    } else {
        let machine = Machine {
            state: &mut next,
            writes: &mut writes,
            now,
            policy: context.policy,
        };
        machine.carry_out(command)?
    };
    // News that grants nothing to somebody who was never here is no reason to create them.
    let is_told = matches!(&carried_out, Done::Changed(Reply::Plan(_)));
    if state.is_none() && is_told && next.grants.sources(context.policy, now).is_empty() {
        return Ok(Step::Unchanged(Reply::Plan(PlanOutcome::Applied)));
    }
    Ok(match carried_out {
        Done::Changed(reply) => finish(next, writes, reply, context),
        // Even a command that changes nothing itself makes true what time has brought about. And a state that was moved
        // onto the clock is stored, or each look would move it anew and time would stand still.
        Done::Nothing(reply) if !writes.is_empty() || rebased => {
            finish(next, writes, reply, context)
        }
        Done::Nothing(reply) => Step::Unchanged(reply),
    })
}

enum Done {
    Changed(Reply),
    Nothing(Reply),
}

/// The answer to a request that was carried out before.
fn answered_before(
    state: Option<&State>,
    command: &Command,
    context: &Context<'_>,
) -> Result<Option<Reply>, Refusal> {
    let Some((repeat, answer)) = context
        .repeat
        .and_then(|repeat| Some((repeat, state?.answer(&repeat.id)?)))
    else {
        return Ok(None);
    };
    let another = repeat.fingerprint.is_some()
        && answer.fingerprint.is_some()
        && repeat.fingerprint != answer.fingerprint;
    if another {
        return Err(Refusal::KeyReused);
    }
    // A token is kept nowhere, so it cannot be given a second time: whoever asks again is given another.
    let again = !matches!(command, Command::Mint { .. } | Command::HandOut { .. });
    Ok(again.then(|| answer.reply.clone()))
}

/// Stores the marks of the write in the state that it makes.
fn finish(mut next: State, said: Vec<LedgerWrite>, reply: Reply, context: &Context<'_>) -> Step {
    // The last word on each row: two of one version could be written in either order.
    let mut writes: Vec<LedgerWrite> = Vec::with_capacity(said.len());
    for write in said {
        writes.retain(|old| !write.supersedes(old));
        writes.push(write);
    }
    debug_assert!(
        writes.iter().all(|write| match write {
            LedgerWrite::Period(row) => row.version == next.revision,
            LedgerWrite::Session(_) => true,
        }),
        "a row has another version than the state that it is of"
    );
    next.schema = SCHEMA;
    next.instant = next.time(context.now);
    if let Some(through) = context.written_through {
        next.outbox.retain(|outgoing| outgoing.revision > through);
    }
    next.send(&writes);
    next.push_write(context.write.clone());
    // What a heartbeat said is not true for long, and what a mint said is not repeated.
    let is_kept = !matches!(reply, Reply::Heard(_) | Reply::GivenBack | Reply::Swept(_));
    if let Some(repeat) = context.repeat.filter(|_| is_kept) {
        next.push_answer(repeat, reply.clone());
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
    now: Timestamp,
    policy: &'a Policy,
}

impl Machine<'_> {
    fn carry_out(mut self, command: &Command) -> Result<Done, Refusal> {
        match command {
            Command::Start(wanted) => self.start(wanted),
            Command::Heartbeat { session } => self.heartbeat(*session),
            Command::End { session, reason } => self.end(*session, *reason),
            Command::Sweep { written_through } => Ok(self.sweep(*written_through)),
            Command::Mint { .. } | Command::HandOut { .. } | Command::MintFailed { .. } => {
                unreachable!("mint::step carries these out")
            }
            Command::ChangePlan { .. } | Command::PastDue { .. } | Command::Reconcile(_) => {
                unreachable!("news::hear takes these in")
            }
        }
    }

    fn start(&mut self, wanted: &SessionStart) -> Result<Done, Refusal> {
        // A retry whose first try got through and has ended since: a session is never run, nor billed, a second time.
        if let Some(ended) = self
            .state
            .ended
            .iter()
            .find(|ended| ended.id == wanted.session)
        {
            return Ok(Done::Nothing(self.started(ended.id, ended.started_at)));
        }
        match &self.state.session {
            // A retry whose first try got through: it is the session that was asked for.
            Some(running) if running.id == wanted.session => {
                return Ok(Done::Nothing(self.started(running.id, running.started_at)));
            }
            Some(running) if !wanted.takeover => return Err(Refusal::SessionActive(running.id)),
            // It may have been a double click, so that nobody could talk in the first of the two.
            Some(_) => self.stop_with(EndReason::UserEnded, Ending::may_have_failed),
            None => {}
        }
        if self.status().minutes_remaining == Minutes::ZERO {
            return Err(Refusal::NoCredits);
        }
        let SessionStart {
            session,
            topic,
            difficulty,
            ..
        } = wanted;
        let fresh = RunningSession {
            terms: Some(Terms::of(self.state.granted_plan(self.policy), self.policy)),
            ..RunningSession::started(*session, self.now, topic.clone(), *difficulty)
        };
        let (id, row) = (fresh.id, fresh.row(self.now));
        self.state.session = Some(fresh);
        self.writes.push(LedgerWrite::Session(row));
        self.writes
            .push(self.state.record_period(self.now, self.policy));
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
            let is_news = !session.heard || now.since(session.last_sign) >= HEARTBEATS_APART;
            session.hear(now);
            let session_minutes = session.shares_so_far(now).total;
            let status = self.status();
            let heard = Reply::Heard(Heard {
                session_minutes,
                total_minutes_used: status.minutes_used,
                minutes_remaining: status.minutes_remaining,
                seconds_remaining: status.seconds_remaining,
                ended: None,
            });
            return Ok(if is_news {
                Done::Changed(heard)
            } else {
                Done::Nothing(heard)
            });
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

    fn sweep(&mut self, written_through: u64) -> Done {
        let (now, policy) = (self.now, self.policy);
        let changed = sweep(self.state, self.writes, written_through, now, policy);
        let reply = Reply::Swept(alarm_after(self.state, written_through, now, policy));
        if changed {
            Done::Changed(reply)
        } else {
            Done::Nothing(reply)
        }
    }

    fn stop(&mut self, reason: EndReason) {
        self.stop_with(reason, |_| ());
    }

    fn stop_with(&mut self, reason: EndReason, change: impl FnOnce(&mut Ending)) {
        debug_assert!(self.state.session.is_some(), "there is no session to stop");
        if let Some(session) = &self.state.session {
            let mut ending = ending_now(self.state, session, self.now, reason, self.policy);
            change(&mut ending);
            let ended = end_session(self.state, &ending, self.policy);
            self.writes.extend(ended);
        }
    }

    fn status(&self) -> Status {
        of_settled(self.state, self.now, self.policy)
    }

    fn started(&self, session: SessionId, at: Timestamp) -> Reply {
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

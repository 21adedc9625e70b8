//! Alarms that are due: sessions end, the ledger catches up, periods are archived, without anybody coming back.

use std::fmt;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use talktime_usage::Alarm;
use talktime_usage::{Command, LedgerWrite, State, Timestamp, rows_to_write};

use crate::alarms::{Alarms, Claimed, DueAlarm, FinishedAlarm};
use crate::documents::Documents;
use crate::environment::Deadline;
use crate::error::StoreError;
use crate::ledger::{Ledger, SEEDING_LEASE, Written};
use crate::pseudonym::pseudonym;
use crate::sweep_clock::{BELIEVED_AFTER, SweepClock, Verdict, judge};
use crate::users::{ApplyError, Users, WriteMark};
use crate::writer::Reading;
use together::TogetherLedger;

mod together;

/// How long one sweep goes on with further users. Well under the lease, and under the time that a scheduler's HTTP client
/// waits.
pub const SWEEP_BUDGET: Duration = Duration::from_secs(8);

/// How many users are seen to at once: so many share a statement, and so many documents are held in memory.
const AT_ONCE: usize = 64;

/// The most rows of a kind that one sweep deletes: a statement of some milliseconds.
const PRUNED_MAX: u32 = 500;

/// The wait after a user's first failure; it doubles with each further one, up to [`RETRY_LONGEST`].
const RETRY_FIRST: Duration = Duration::from_secs(15);

/// The longest wait between tries of a user whose sweep fails.
const RETRY_LONGEST: Duration = Duration::from_mins(15);

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// Users whose alarm was due when it began.
    pub due: u64,
    pub swept: u64,
    /// Sessions that it ended.
    pub ended: u64,
    /// Periods that it archived.
    pub archived: u64,
    /// Users whose handling failed; they are tried again, with growing waits.
    pub failed: u64,
    /// Rows that it deleted because they are older than is kept.
    pub pruned: u64,
    /// Users whose alarm is still due, those in the hands of another sweep included.
    pub remaining: u64,
}

impl fmt::Display for SweepReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            due,
            swept,
            ended,
            archived,
            failed,
            pruned,
            remaining,
        } = self;
        write!(
            f,
            "sweep: {due} due, {swept} swept, {ended} sessions ended, {archived} periods archived, {failed} failed, \
             {pruned} rows pruned, {remaining} remaining"
        )
    }
}

/// Why a sweep did nothing.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// Its clock is far ahead of the newest instant that the ledger knows.
    #[error(
        "the clock of this sweep says {}, and the last sweep was at {}: nothing is done until {}, unless an operator \
         forces it, since a clock that is wrong would end all periods and sessions",
        clock.to_rfc3339(), newest.to_rfc3339(), believed_at.to_rfc3339()
    )]
    ClockSuspect {
        /// What the clock says.
        clock: Timestamp,
        /// The newest instant that the ledger knows.
        newest: Timestamp,
        /// When the clock is believed, if it goes on steadily.
        believed_at: Timestamp,
    },
    /// The ledger cannot say what is due.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a sweep is to do.
#[derive(Clone, Copy, Debug)]
pub struct SweepOrder {
    /// How many users it claims at a time.
    pub batch: u32,
    /// How many users it changes at most, each by one swap but for lost races.
    pub changed_max: u32,
    /// How long final rows are kept; `None` for ever.
    pub retain: Option<Duration>,
    /// Whether an operator says that the clock is right.
    pub force: bool,
}

/// Handles due alarms in batches until none is left to claim, the time budget is used up, or as many users were changed as
/// the order allows. Then it deletes what is too old to be kept.
///
/// # Errors
/// When the ledger cannot say what is due, or the clock cannot be believed. A failure with one user is only counted.
pub async fn sweep<D: Documents, L: Alarms>(
    users: &Users<'_, D, L>,
    order: SweepOrder,
) -> Result<SweepReport, SweepError> {
    let budget = Deadline::after(SWEEP_BUDGET, users.environment);
    check_clock(users, order.force).await?;
    let mut report = SweepReport {
        due: users.ledger.count_due(users.now()).await?,
        ..SweepReport::default()
    };
    // Nearly always nothing is due, and then nothing is written.
    let mut left = if report.due > 0 { order.changed_max } else { 0 };
    while left > 0 && !budget.is_over(users.environment) {
        let most = order.batch.min(left);
        let claimed = users.ledger.claim_due(users.now(), most).await?;
        report.failed += claimed.unreadable;
        if claimed.alarms.is_empty() {
            break;
        }
        left = left.saturating_sub(sweep_batch(users, claimed, budget, &mut report).await);
    }
    if let Some(retain) = order.retain
        && !budget.is_over(users.environment)
    {
        report.pruned = prune(users, retain).await;
    }
    if report.due > 0 {
        report.remaining = users.ledger.count_due(users.now()).await?;
    }
    Ok(report)
}

async fn check_clock<D: Documents, L: Alarms>(
    users: &Users<'_, D, L>,
    force: bool,
) -> Result<(), SweepError> {
    let now = users.now();
    let known = users.ledger.sweep_clock(now).await?;
    match judge(known, now, force) {
        Verdict::Believed(None) => Ok(()),
        Verdict::Believed(Some(next)) => Ok(users.ledger.set_sweep_clock(next, now).await?),
        Verdict::Refused(next) => {
            users.ledger.set_sweep_clock(next, now).await?;
            let SweepClock { newest, suspect } = next;
            Err(SweepError::ClockSuspect {
                clock: now,
                newest,
                believed_at: suspect
                    .map_or(now, |suspect| suspect.since)
                    .plus(BELIEVED_AFTER),
            })
        }
    }
}

/// Sees to users that were claimed at once, and hands back those that the time does not suffice for. Tells how many it
/// changed.
async fn sweep_batch<D: Documents, L: Alarms>(
    users: &Users<'_, D, L>,
    claimed: Claimed,
    budget: Deadline,
    report: &mut SweepReport,
) -> u32 {
    let together = TogetherLedger::new(users.ledger);
    let of_each = Users {
        documents: users.documents,
        ledger: &together,
        policy: users.policy,
        environment: users.environment,
    };
    let one = async |alarm: DueAlarm| {
        if budget.is_over(users.environment) {
            return (alarm, None);
        }
        let done = sweep_user(&of_each, &alarm).await;
        (alarm, Some(done))
    };
    let sweeps = stream::iter(claimed.alarms.into_iter().map(one)).buffer_unordered(AT_ONCE);
    let (mut left, mut failed) = (Vec::new(), Vec::new());
    let mut changed = 0;
    for (alarm, outcome) in together.run(sweeps, || users.now()).await {
        match outcome {
            None => left.push(alarm),
            Some(Err(error)) => {
                eprintln!("sweep of {} failed: {error}", pseudonym(&alarm.user));
                failed.push(alarm);
                report.failed += 1;
                // It may have made its swap.
                changed += 1;
            }
            Some(Ok(done)) => {
                report.swept += 1;
                report.ended += done.ended;
                report.archived += done.archived;
                changed += u32::from(done.changed);
            }
        }
    }
    if !failed.is_empty() {
        postpone(users, &failed).await;
    }
    if let Some(until) = claimed.until.filter(|_| !left.is_empty())
        && let Err(error) = users.ledger.hand_back(&left, until, users.now()).await
    {
        // The lease runs out by itself.
        eprintln!("{} alarms keep their lease: {error}", left.len());
    }
    changed
}

async fn prune<D: Documents, L: Alarms>(users: &Users<'_, D, L>, retain: Duration) -> u64 {
    let now = users.now();
    let kept_seconds = i64::try_from(retain.as_secs()).unwrap_or(i64::MAX);
    let before = Timestamp::from_unix_seconds(now.unix_seconds().saturating_sub(kept_seconds));
    match users.ledger.prune(before, PRUNED_MAX, now).await {
        Ok(pruned) => pruned,
        Err(error) => {
            eprintln!("old rows could not be deleted: {error}");
            0
        }
    }
}

#[derive(Default)]
struct Done {
    changed: bool,
    ended: u64,
    archived: u64,
}

async fn sweep_user<D: Documents, L: Alarms>(
    users: &Users<'_, D, TogetherLedger<'_, L>>,
    alarm: &DueAlarm,
) -> Result<Done, ApplyError> {
    let now = users.now();
    let sweep = users.random_write_id();
    let reading = state_of(users, alarm).await?;
    let Some(state) = &reading.state else {
        // Whoever is about to create the user may have died. If so, the next one to try sets an alarm again.
        let next = with_pending(None, None, alarm, users);
        let alarm = alarm.clone();
        let finished = FinishedAlarm { alarm, sweep, next };
        users.ledger.finish_alarm(finished).await?;
        return Ok(Done::default());
    };
    let rows = rows_to_write(state, now, users.policy);
    let written = users.ledger.write(&alarm.user, &rows, now).await;
    // What could not be written stays in the document, which is brought to the present all the same.
    let written_through = if written.is_ok() { state.revision } else { 0 };
    let reading = if matches!(written, Ok(Written::NewerKnown)) {
        users.compare(state, users.deadline()).await?;
        None
    } else {
        Some(reading)
    };
    let command = Command::Sweep { written_through };
    let mark = WriteMark::Once(sweep.clone());
    let applied = users
        .apply_to(reading, &alarm.user, &command, &mark)
        .await?;
    written?;
    let revision = |state: &Option<State>| state.as_ref().map(|state| state.revision);
    let mut done = Done {
        changed: revision(&applied.before) != revision(&applied.state),
        ..Done::default()
    };
    for write in &applied.writes {
        match write {
            LedgerWrite::Session(row) if row.ended.is_some() => done.ended += 1,
            LedgerWrite::Period(row) if row.archived => done.archived += 1,
            _ => {}
        }
    }
    let mut next: Option<Alarm> = applied.reply.try_into()?;
    if !applied.ledger_written {
        let soon = now.plus(users.policy.alarm_interval);
        next = Some(Alarm {
            at: next.map_or(soon, |next| next.at.min(soon)),
            urgent: true,
        });
    }
    let next = with_pending(next, applied.state.as_ref(), alarm, users);
    let alarm = alarm.clone();
    let finished = FinishedAlarm { alarm, sweep, next };
    users.ledger.finish_alarm(finished).await?;
    Ok(done)
}

/// The user's state, and the claim to replace it; one that was lost is taken up from the ledger.
async fn state_of<D: Documents, L: Ledger>(
    users: &Users<'_, D, L>,
    alarm: &DueAlarm,
) -> Result<Reading<D::Claim>, ApplyError> {
    let user = &alarm.user;
    let read = async || users.claim(user).await;
    let reading = users.patiently(read).await?;
    if reading.state.is_none()
        && let Some(facts) = users.ledger.facts(user, None, users.now()).await?
        && !facts.is_empty()
    {
        users.take_up(user, &facts, users.deadline()).await?;
        return Ok(users.patiently(read).await?);
    }
    Ok(reading)
}

/// `next`, or earlier, where whoever set the alarm has not made the write that it was set for: the writer sets the alarm
/// first, and a sweep may come between the two. A writer that lost its race, or died, is waited for once, since the sweep
/// leaves its own mark on the alarm.
fn with_pending<D: Documents, L: Ledger>(
    next: Option<Alarm>,
    state: Option<&State>,
    alarm: &DueAlarm,
    users: &Users<'_, D, L>,
) -> Option<Alarm> {
    if !alarm.is_ahead_of(state) {
        return next;
    }
    let wait = users.policy.alarm_interval.max(SEEDING_LEASE);
    let soon = users.now().plus(wait);
    Some(Alarm {
        at: next.map_or(soon, |next| next.at.min(soon)),
        urgent: true,
    })
}

async fn postpone<D: Documents, L: Alarms>(users: &Users<'_, D, L>, failed: &[DueAlarm]) {
    let now = users.now();
    let next = |alarm: &DueAlarm| {
        let wait = RETRY_FIRST.saturating_mul(2_u32.saturating_pow(alarm.failures));
        now.plus(wait.min(RETRY_LONGEST))
    };
    let failed: Vec<_> = failed
        .iter()
        .map(|alarm| (alarm.clone(), next(alarm)))
        .collect();
    if let Err(error) = users.ledger.retry_alarms(&failed, now).await {
        // The lease runs out by itself.
        eprintln!(
            "{} alarms that failed keep their lease: {error}",
            failed.len()
        );
    }
}

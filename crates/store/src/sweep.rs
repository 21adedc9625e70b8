//! Alarms that are due: sessions end, the ledger catches up, periods are archived, without anybody coming back.

use std::fmt;
use std::time::Duration;

use talktime_usage::{Command, Instant, LedgerWrite, State, next_alarm, rows_to_write};

use crate::documents::Documents;
use crate::error::StoreError;
use crate::ledger::{DueAlarm, Ledger, SEEDING_LEASE};
use crate::users::{ApplyError, Users, WriteMark, random_write_id};

/// How long one sweep goes on claiming users. Well under the lease, and under the time that a scheduler's HTTP client waits.
pub const SWEEP_BUDGET: Duration = Duration::from_secs(8);

/// The wait after a user's first failure; it doubles with each further one, up to [`RETRY_LONGEST`].
const RETRY_FIRST: Duration = Duration::from_secs(15);

/// The longest wait between tries of a user whose sweep fails.
const RETRY_LONGEST: Duration = Duration::from_mins(15);

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// Users whose alarm was due when it began.
    pub due: u64,
    /// Users handled.
    pub swept: u64,
    /// Sessions that it ended.
    pub ended: u64,
    /// Periods that it archived.
    pub archived: u64,
    /// Users whose handling failed; they are tried again, with growing waits.
    pub failed: u64,
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
            remaining,
        } = self;
        write!(
            f,
            "sweep: {due} due, {swept} swept, {ended} sessions ended, {archived} periods archived, {failed} failed, \
             {remaining} remaining"
        )
    }
}

/// Swaps that a sweep under the cron trigger leaves unused, for lost races: its instance serves nothing else.
pub const RESERVE_ALONE: u32 = 16;

/// Swaps that a sweep leaves to the other requests that its instance may yet serve: one for each.
pub const RESERVE_SHARED: u32 = 128;

/// Handles due alarms in batches of at most `batch` until none is left to claim, the time budget is used up, or the
/// instance has no more than `reserve` swaps left.
///
/// # Errors
/// When the ledger cannot say what is due. A failure with one user is only counted.
pub async fn sweep<D: Documents, L: Ledger>(
    users: &Users<'_, D, L>,
    batch: u32,
    reserve: u32,
) -> Result<SweepReport, StoreError> {
    let began = (users.now)();
    let mut report = SweepReport {
        due: users.ledger.count_due(began).await?,
        ..SweepReport::default()
    };
    while (users.now)().since(began) < SWEEP_BUDGET {
        // Each user takes one swap at most, but for lost races.
        let most = batch.min(users.documents.swaps_left().saturating_sub(reserve));
        if most == 0 {
            break;
        }
        let claimed = users.ledger.claim_due((users.now)(), most).await?;
        if claimed.is_empty() {
            break;
        }
        for alarm in &claimed {
            match sweep_user(users, alarm).await {
                Ok(done) => {
                    report.swept += 1;
                    report.ended += done.ended;
                    report.archived += done.archived;
                }
                Err(error) => {
                    report.failed += 1;
                    eprintln!("sweep of user {} failed: {error}", alarm.user);
                    postpone(users, alarm).await;
                }
            }
        }
    }
    report.remaining = users.ledger.count_due((users.now)()).await?;
    Ok(report)
}

#[derive(Default)]
struct Done {
    ended: u64,
    archived: u64,
}

async fn sweep_user<D: Documents, L: Ledger>(
    users: &Users<'_, D, L>,
    alarm: &DueAlarm,
) -> Result<Done, ApplyError> {
    let mut done = Done::default();
    let now = (users.now)();
    let write = random_write_id();
    let Some(state) = users.read(&alarm.user).await? else {
        // Whoever is about to create the user may have died. If so, the next one to try sets an alarm again.
        let next = with_pending(None, None, alarm, users);
        users.ledger.finish_alarm(alarm, &write, next).await?;
        return Ok(done);
    };
    let rows = rows_to_write(&state, now, users.policy);
    users.ledger.write(&alarm.user, &rows, now).await?;
    let written_through = state.revision;
    let command = Command::Sweep { written_through };
    let mark = WriteMark::Once(write.clone());
    let applied = users.apply(&alarm.user, &command, &mark).await?;
    for write in &applied.writes {
        match write {
            LedgerWrite::Session(row) if row.ended.is_some() => done.ended += 1,
            LedgerWrite::Period(row) if row.archived => done.archived += 1,
            _ => {}
        }
    }
    let next = applied.state.as_ref().and_then(|state| {
        let mut state = state.clone();
        // What this sweep has written stays in the document until the next change, but waits for nothing. Rows that another
        // writer has put there meanwhile do: its own way to the ledger may have broken off.
        state.outbox.retain(|outgoing| {
            let own = applied.ledger_written && applied.writes.contains(&outgoing.write);
            outgoing.revision > written_through && !own
        });
        next_alarm(&state, (users.now)(), users.policy)
    });
    let next = with_pending(next, applied.state.as_ref(), alarm, users);
    users.ledger.finish_alarm(alarm, &write, next).await?;
    Ok(done)
}

/// `next`, or earlier, where whoever set the alarm has not made the write that it was set for: the writer sets the alarm
/// first, and a sweep may come between the two. A writer that lost its race, or died, is waited for once, since the sweep
/// leaves its own mark on the alarm.
fn with_pending<D: Documents, L: Ledger>(
    next: Option<Instant>,
    state: Option<&State>,
    alarm: &DueAlarm,
    users: &Users<'_, D, L>,
) -> Option<Instant> {
    if !alarm.is_ahead_of(state) {
        return next;
    }
    let wait = users.policy.alarm_interval.max(SEEDING_LEASE);
    let soon = (users.now)().plus(wait);
    Some(next.map_or(soon, |next| next.min(soon)))
}

async fn postpone<D: Documents, L: Ledger>(users: &Users<'_, D, L>, alarm: &DueAlarm) {
    let wait = RETRY_FIRST
        .saturating_mul(2_u32.saturating_pow(alarm.failures))
        .min(RETRY_LONGEST);
    if let Err(error) = users
        .ledger
        .retry_alarm(alarm, (users.now)().plus(wait))
        .await
    {
        // The lease runs out by itself.
        eprintln!("alarm of user {} keeps its lease: {error}", alarm.user);
    }
}

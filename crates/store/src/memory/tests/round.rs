//! A round: what several ask for at once, and whether what they are told is so.

use std::time::Duration;

use talktime_usage::{Command, Reply, SessionId, SessionStart};

use super::workload::Asked;
use super::world::World;
use super::{Checked, ensure, ledger};
use crate::Environment;
use crate::memory::Task;
use crate::sweep::{SweepOrder, sweep};
use crate::users::{ApplyError, WriteMark};

/// Clocks are believed: they jump here.
const ORDER: SweepOrder = SweepOrder {
    batch: 10,
    changed_max: 20,
    retain: None,
    force: true,
};

/// How long what went wrong can be felt: a creator's lease, and a call that is held up all the while.
const TROUBLE: Duration = Duration::from_secs(30);

/// How much later than the first one tasks of a round begin: within the time of a request, of a sweep, or about as long as
/// a creator has.
const LATER_MILLIS_MAX: [u64; 6] = [1, 10, 10, 30, 60, 14_000];

/// Which statements fail while no rows are written, and how.
const NO_ROWS: (&str, &str) = ("INSERT INTO usage_", "disk I/O error");

/// What it came to.
type Outcome = Result<Option<Reply>, ApplyError>;

impl World {
    /// Two to four at once, or one, and then looks at what there is.
    pub fn round(&mut self) -> Checked {
        let chance = &self.simulation.chance;
        let per_mille = *chance.pick(&[0, 0, 10, 40, 120]);
        let count = *chance.pick(&[1, 2, 2, 3, 3, 4]);
        let asked = self.draw(count);
        for (number, asked) in asked.iter().enumerate() {
            self.simulation.note(|| format!("== {number}: {asked:?}"));
        }
        // At times the ledger takes no rows at all, whoever brings them.
        if per_mille > 0 && chance.percent(20) {
            self.simulation.note(|| "no rows are written".to_owned());
            *self.ledger.sql.inner.broken.borrow_mut() = Some(NO_ROWS);
            self.troubled = Some(self.simulation.elapsed());
        }
        let outcomes = self.at_once(&asked, per_mille);
        *self.ledger.sql.inner.broken.borrow_mut() = None;
        self.observe()?;
        let alone = asked.len() == 1 && !self.is_troubled();
        for (asked, outcome) in asked.iter().zip(outcomes) {
            self.simulation.note(|| format!("-- {outcome:?}"));
            self.check(asked, outcome, alone)?;
        }
        Ok(())
    }

    /// So many requests and sweeps. Where an alarm is due, both meet; and a client that did not wait asks twice at once.
    fn draw(&mut self, count: usize) -> Vec<Asked> {
        let chance = &self.simulation.chance;
        let is_due = ledger::next_alarm(self).is_some_and(|at| at <= self.now_seconds());
        let mut asked: Vec<Asked> = Vec::new();
        while asked.len() < count {
            let next = match asked.last() {
                None if is_due && chance.percent(75) => Asked::Sweep,
                Some(last) if chance.percent(20) => last.clone(),
                _ => self.workload.next(&self.users, self.simulation),
            };
            asked.push(next);
        }
        asked
    }

    fn at_once(&mut self, asked: &[Asked], per_mille: u64) -> Vec<Option<Outcome>> {
        let faults = [&self.documents.faults, &self.ledger.sql.faults];
        let happened = || {
            faults
                .iter()
                .map(|faults| faults.happened.get())
                .sum::<u32>()
        };
        let before = happened();
        for faults in faults {
            faults.per_mille.set(per_mille);
        }
        let chance = &self.simulation.chance;
        let tasks = asked.iter().map(|asked| {
            let later = *chance.pick(&LATER_MILLIS_MAX);
            let later = Duration::from_millis(chance.below(later));
            self.task(asked, later)
        });
        let outcomes = self.simulation.run(tasks);
        for faults in faults {
            faults.per_mille.set(0);
        }
        if happened() > before {
            self.troubled = Some(self.simulation.elapsed());
        }
        outcomes
    }

    fn task<'a>(&'a self, asked: &'a Asked, later: Duration) -> Task<'a, Outcome> {
        Box::pin(async move {
            self.simulation.wait(later).await;
            let users = self.protocol();
            let (user, command, repeat) = match asked {
                Asked::Command {
                    user,
                    command,
                    repeat,
                } => (*user, command, repeat),
                Asked::Sweep => {
                    let swept = sweep(&users, ORDER).await;
                    // A sweep by a clock that jumped is forced, so nothing but a store can fail.
                    swept.map_err(|error| match error {
                        crate::SweepError::Store(error) => ApplyError::Store(error),
                        error @ crate::SweepError::ClockSuspect { .. } => panic!("{error}"),
                    })?;
                    return Ok(None);
                }
            };
            let mark = match repeat {
                Some(repeat) => WriteMark::Repeatable(repeat.clone()),
                None => users.fresh_mark(),
            };
            let applied = users.apply(&self.users[user].id, command, &mark).await?;
            Ok(Some(applied.reply))
        })
    }

    fn is_troubled(&self) -> bool {
        let now = self.simulation.elapsed();
        self.troubled
            .is_some_and(|troubled| now.saturating_sub(troubled) < TROUBLE)
    }

    /// `alone` where nobody else was there, and nothing went wrong lately.
    fn check(&self, asked: &Asked, outcome: Option<Outcome>, alone: bool) -> Checked {
        match (asked, outcome) {
            (Asked::Command { user, command, .. }, Some(Ok(Some(reply)))) => {
                self.users[*user].check_reply(session_of(command), &reply)
            }
            (Asked::Command { user, command, .. }, Some(Err(ApplyError::Refused(why)))) => {
                self.users[*user].check_refusal(session_of(command), why, alone)
            }
            (_, Some(Err(error))) => {
                ensure!(!alone, "it failed though nothing else did: {error}");
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// One sweep, alone, while nothing goes wrong.
    pub fn sweep_quietly(&mut self) -> Checked {
        let outcomes = self.at_once(&[Asked::Sweep], 0);
        for outcome in outcomes {
            if let Some(Err(error)) = outcome {
                ensure!(self.is_troubled(), "a sweep failed: {error}");
            }
        }
        self.observe()
    }
}

fn session_of(command: &Command) -> Option<SessionId> {
    match command {
        Command::Start(SessionStart { session, .. })
        | Command::Heartbeat { session }
        | Command::End { session, .. } => Some(*session),
        _ => None,
    }
}

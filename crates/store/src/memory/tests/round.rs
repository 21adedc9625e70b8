//! A round: what several ask for at once, and whether what they are told is so.

use std::time::Duration;

use talktime_usage::{Command, EndReason, SessionId, SessionStart};

use super::acts::Outcome;
use super::billing::Event;
use super::workload::Asked;
use super::world::World;
use super::{Checked, ensure, ledger};
use crate::Environment;
use crate::memory::Fault;
use crate::users::ApplyError;

/// How long what went wrong can be felt: a creator's lease, and a call that is held up all the while.
const TROUBLE: Duration = Duration::from_secs(30);

/// How tasks of a round come together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Usual,
    /// Several create a user, the first one on a slow machine: the later ones come when its lease runs out.
    Creation,
    /// An alarm is due, and somebody on a slow machine asks for something just then.
    Meeting,
    /// Many write to one document at once.
    Crowd,
}

impl Kind {
    /// How much later than the first one tasks begin, at the most.
    const fn later_millis_max(self) -> &'static [u64] {
        match self {
            // Within the time of a request, of a sweep, or about as long as a creator has.
            Self::Usual => &[1, 10, 10, 30, 60, 14_000],
            Self::Creation => &[1, 10, 28_000, 28_000],
            Self::Meeting => &[1, 10, 3_000, 8_000],
            Self::Crowd => &[1, 5, 20],
        }
    }

    /// Whose machine is slow half of the times.
    const fn slow_task(self) -> Option<usize> {
        match self {
            Self::Creation => Some(0),
            Self::Meeting => Some(1),
            Self::Usual | Self::Crowd => None,
        }
    }
}

/// So many at once are a crowd.
const CROWD: usize = 8;

/// Which statements fail while no rows are written, and how.
const NO_ROWS: (&str, &str) = ("INSERT INTO usage_", "disk I/O error");

/// The most that a call takes on a slow machine, on its way there and on its way back, in milliseconds. A swap is there
/// within half of a creator's lease.
const SLOW_MILLIS: [u64; 4] = [100, 500, 2_000, 4_000];

impl World {
    /// Several at once, or one, and then looks at what there is.
    pub fn round(&mut self) -> Checked {
        let chance = &self.simulation.chance;
        let per_mille = *chance.pick(&[0, 0, 10, 40, 120]);
        let count = *chance.pick(&[1, 1, 2, 2, 3, 3, 4, 6]);
        let (kind, focus) = self.draw_kind(count);
        let count = if kind == Kind::Crowd { CROWD } else { count };
        let asked = self.draw(count, kind, focus);
        self.simulation.note(|| format!("== {kind:?}"));
        for (number, asked) in asked.iter().enumerate() {
            self.simulation.note(|| format!("== {number}: {asked:?}"));
        }
        self.slow_down(count, kind);
        // One swap that fails, done or not, is made again or found, and nobody feels it.
        let chance = &self.simulation.chance;
        if count == 1 && chance.percent(40) {
            let fault = *chance.pick(&[Fault::NotDone, Fault::DoneAndFailed]);
            self.documents.faults.script.borrow_mut().push_back(fault);
        }
        // At times the ledger takes no rows at all, whoever brings them.
        let chance = &self.simulation.chance;
        if per_mille > 0 && chance.percent(20) {
            self.simulation.note(|| "no rows are written".to_owned());
            *self.ledger.sql.inner.broken.borrow_mut() = Some(NO_ROWS);
            self.troubled = Some(self.simulation.elapsed());
        }
        let outcomes = self.at_once(&asked, per_mille, kind.later_millis_max());
        *self.ledger.sql.inner.broken.borrow_mut() = None;
        self.documents.faults.script.take();
        if !self.simulation.slow_tasks.take().is_empty() {
            self.troubled = Some(self.simulation.elapsed());
        }
        // In a round nobody looks after calls but who is drawn to.
        self.untended = self.simulation.now();
        let begun = self.begun(&asked);
        self.observe()?;
        let alone = asked.len() == 1 && !self.is_troubled();
        for (asked, outcome) in asked.iter().zip(outcomes) {
            self.simulation.note(|| format!("-- {outcome:?}"));
            self.check(asked, outcome, alone)?;
        }
        if let Some(session) = begun.filter(|_| alone) {
            ledger::has(self, session)?;
        }
        self.check_plans()
    }

    /// The session that began in this round, if that was all.
    fn begun(&self, asked: &[Asked]) -> Option<SessionId> {
        let [Asked::Command { user, command, .. }] = asked else {
            return None;
        };
        let session = session_of(command)?;
        (!self.users[*user].sessions.contains_key(&session)).then_some(session)
    }

    /// At times some of the machines are slow.
    fn slow_down(&self, count: usize, kind: Kind) {
        let chance = &self.simulation.chance;
        if let Some(task) = kind.slow_task().filter(|_| chance.percent(50)) {
            let most = *chance.pick(&SLOW_MILLIS[2..]);
            self.simulation.slow_tasks.borrow_mut().insert(task, most);
        }
        if !chance.percent(30) {
            return;
        }
        for task in 0..count {
            if chance.percent(40) {
                let most = *chance.pick(&SLOW_MILLIS);
                self.simulation.slow_tasks.borrow_mut().insert(task, most);
            }
        }
    }

    /// What kind of round it is, and whom it is mostly about.
    fn draw_kind(&self, count: usize) -> (Kind, usize) {
        let chance = &self.simulation.chance;
        let new = self.users.iter().position(|user| !user.is_known());
        if let Some(new) = new.filter(|_| chance.percent(if count > 1 { 25 } else { 5 })) {
            return (Kind::Creation, new);
        }
        let due = ledger::due(self);
        let due = self
            .users
            .iter()
            .position(|user| due.contains(&user.id.to_string()));
        if let Some(due) = due.filter(|_| chance.percent(75)) {
            return (Kind::Meeting, due);
        }
        let kind = if count > 1 && chance.percent(15) {
            Kind::Crowd
        } else {
            Kind::Usual
        };
        (kind, self.any_user())
    }

    /// So many requests and sweeps. A client that did not wait asks twice at once.
    fn draw(&mut self, count: usize, kind: Kind, focus: usize) -> Vec<Asked> {
        let mut asked: Vec<Asked> = Vec::new();
        while asked.len() < count {
            let (creates, meets) = (kind == Kind::Creation, kind == Kind::Meeting);
            let chance = &self.simulation.chance;
            let user = if kind == Kind::Crowd || chance.percent(80) {
                focus
            } else {
                self.any_user()
            };
            let (scope, chance) = (self.scope, &self.simulation.chance);
            let next = match asked.last() {
                None if meets => Some(Asked::Sweep { force: true }),
                _ if (creates && chance.percent(70))
                    || (meets && asked.len() == 1 && chance.percent(40)) =>
                {
                    Some(Asked::Command {
                        user,
                        command: Box::new(self.workload.start(scope, chance)),
                        repeat: None,
                    })
                }
                // It is over while the provider answers.
                Some(Asked::Call { user, session }) if chance.percent(40) => {
                    let (user, session) = (*user, *session);
                    let reason = EndReason::UserEnded;
                    Some(Asked::Command {
                        user,
                        command: Box::new(Command::End { session, reason }),
                        repeat: None,
                    })
                }
                Some(last) if chance.percent(20) => Some(last.clone()),
                _ => self
                    .workload
                    .next(scope, user, &self.users[user], self.simulation),
            };
            // Of a user who is not known, news that grants nothing is not kept; so nobody is told of by events alone.
            let next = match next {
                Some(next) => next,
                None if self.users[user].is_known() => self.draw_event(user),
                None => Asked::Look,
            };
            asked.push(next);
        }
        asked
    }

    fn any_user(&self) -> usize {
        let index = self.simulation.chance.below(self.users.len() as u64);
        usize::try_from(index).expect("an index")
    }

    /// Something may happen at the billing provider, and then it sends one of the last events, this one or another: late,
    /// again, or not in its turn.
    fn draw_event(&mut self, user: usize) -> Asked {
        let chance = &self.simulation.chance;
        for _ in 0..chance.below(3).max(u64::from(self.events.is_empty())) {
            let number = self.events.len() as u64;
            let now = self.simulation.now();
            let event = Event::draw(user, number, &self.policy, chance, now);
            self.simulation.note(|| format!("++ {event:?}"));
            self.events.push(event);
        }
        let back = chance.below(self.events.len().min(5) as u64);
        let back = usize::try_from(back).expect("an index");
        Asked::Event(self.events.len() - 1 - back)
    }

    pub fn at_once(
        &mut self,
        asked: &[Asked],
        per_mille: u64,
        later_max: &[u64],
    ) -> Vec<Option<Outcome>> {
        let faults = [&self.documents.faults, &self.ledger.sql.faults];
        let before = self.faults();
        for faults in faults {
            faults.per_mille.set(per_mille);
        }
        self.provider.per_mille.set(3 * per_mille);
        let chance = &self.simulation.chance;
        let tasks = asked.iter().map(|each| {
            let later = Duration::from_millis(chance.below(*chance.pick(later_max)));
            self.task(each, later)
        });
        let outcomes = self.simulation.run(tasks);
        for faults in faults {
            faults.per_mille.set(0);
        }
        self.provider.per_mille.set(0);
        if self.faults() > before {
            self.troubled = Some(self.simulation.elapsed());
        }
        outcomes
    }

    /// How many calls went wrong.
    fn faults(&self) -> u32 {
        self.documents.faults.happened.get() + self.ledger.sql.faults.happened.get()
    }

    pub fn is_troubled(&self) -> bool {
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
            (_, Some(Err(ApplyError::Refused(_)))) => Ok(()),
            (_, Some(Err(error))) => {
                ensure!(!alone, "it failed though nothing else did: {error}");
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// One of those alone, while nothing goes wrong.
    pub fn quietly(&mut self, asked: &Asked) -> Checked {
        let outcomes = self.at_once(std::slice::from_ref(asked), 0, &[1]);
        for outcome in outcomes {
            if let Some(Err(error)) = outcome {
                ensure!(self.is_troubled(), "{asked:?} failed: {error}");
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

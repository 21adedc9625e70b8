//! What clients, the billing side and schedulers ask for.

use std::time::Duration;

use talktime_usage::{
    Command, EndReason, Period, Repeat, SessionId, SessionStart, Source, SubscriptionId, Timestamp,
    WriteId,
};
use uuid::Uuid;

use super::checker::User;
use crate::Environment;
use crate::memory::{Chance, Simulation};

/// One thing that somebody does.
#[derive(Clone, Debug)]
pub enum Asked {
    /// A request on that user.
    Command {
        user: usize,
        command: Box<Command>,
        /// The mark of a request that may be sent again.
        repeat: Option<Repeat>,
    },
    Sweep,
}

/// Requests that were sent, some of which are sent again.
#[derive(Default)]
pub struct Workload {
    drawn: u64,
    repeatable: Vec<Asked>,
}

impl Workload {
    /// What comes next.
    pub fn next(&mut self, users: &[User], simulation: &Simulation) -> Asked {
        let chance = &simulation.chance;
        if chance.percent(22) {
            return Asked::Sweep;
        }
        if chance.percent(15) && !self.repeatable.is_empty() {
            return chance.pick(&self.repeatable).clone();
        }
        let user = usize::try_from(chance.below(users.len() as u64)).expect("an index");
        let command = Box::new(self.command(&users[user], chance, simulation.now()));
        self.drawn += 1;
        let repeat = chance.percent(40).then(|| Repeat {
            id: WriteId::from_bits(self.drawn),
            fingerprint: None,
        });
        let asked = Asked::Command {
            user,
            command,
            repeat,
        };
        if let Asked::Command {
            repeat: Some(_), ..
        } = &asked
        {
            self.repeatable.push(asked.clone());
            if self.repeatable.len() > 4 {
                self.repeatable.remove(0);
            }
        }
        asked
    }

    fn command(&mut self, user: &User, chance: &Chance, now: Timestamp) -> Command {
        let known = || {
            let running = user.running.filter(|_| chance.percent(80));
            let any: Vec<SessionId> = user.sessions.keys().copied().collect();
            running.or_else(|| (!any.is_empty()).then(|| *chance.pick(&any)))
        };
        let wanted = chance.below(100);
        match (wanted, known()) {
            (0..40, _) | (_, None) => {
                self.drawn += 1;
                Command::Start(SessionStart {
                    session: SessionId::new(Uuid::from_u128(self.drawn.into())),
                    topic: None,
                    difficulty: None,
                    takeover: chance.percent(45),
                })
            }
            (40..60, Some(session)) => Command::Heartbeat { session },
            (60..82, Some(session)) => {
                let reason = *chance.pick(&[EndReason::UserEnded, EndReason::Error]);
                Command::End { session, reason }
            }
            (_, Some(_)) => plan(user, chance, now),
        }
    }
}

/// News of a plan: a manual grant, or a subscription with a paid period.
fn plan(user: &User, chance: &Chance, now: Timestamp) -> Command {
    const DAY: Duration = Duration::from_hours(24);
    let name = *chance.pick(&["free", "basic", "basic", "pro"]);
    let plan = user.policy.catalogue.find(name).cloned();
    let is_paid = chance.percent(50);
    let start = now.minus(DAY * u32::try_from(chance.below(25)).expect("small"));
    let end = start.plus(DAY * *chance.pick(&[1, 7, 30, 31]));
    let id = format!("sub-{}", chance.below(2));
    Command::ChangePlan {
        source: if is_paid {
            Source::Subscription(SubscriptionId::parse(&id).expect("an id"))
        } else {
            Source::Manual
        },
        plan: plan.filter(|_| chance.percent(75)),
        period: Period::paid(start.floor_to_second(), end.floor_to_second())
            .ok()
            .filter(|_| is_paid),
        ends_at: None,
        customer: None,
        reset_usage: chance.percent(15),
        as_of: None,
    }
}

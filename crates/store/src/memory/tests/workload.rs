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
    Sweep {
        /// Whether the clock is believed, though it jumped.
        force: bool,
    },
    /// A realtime token, from the mint to the handing out.
    Token { user: usize, session: SessionId },
    /// A call, from the offer to the provider's answer.
    Call { user: usize, session: SessionId },
    /// A look at the calls that are due.
    Look,
    /// A delivery of that event of the billing provider.
    Event(usize),
}

/// What goes on in a run besides sessions and sweeps.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// Tokens and calls.
    pub voice: bool,
    /// The billing provider's events; otherwise plan updates that do not say when they happened.
    pub events: bool,
}

/// Requests that were sent, some of which are sent again.
#[derive(Default)]
pub struct Workload {
    drawn: u64,
    repeatable: Vec<Asked>,
}

impl Workload {
    /// What comes next; for that user, if it is for one.
    pub fn next(
        &mut self,
        scope: Scope,
        index: usize,
        user: &User,
        simulation: &Simulation,
    ) -> Option<Asked> {
        let chance = &simulation.chance;
        let voice = chance.percent(30) && scope.voice;
        Some(match chance.below(100) {
            0..20 => Asked::Sweep {
                force: chance.percent(80),
            },
            20..32 if !self.repeatable.is_empty() => chance.pick(&self.repeatable).clone(),
            32..50 if scope.events => return None,
            _ if voice && chance.percent(25) => Asked::Look,
            _ if voice && let Some(session) = known(user, chance) => match chance.below(5) {
                0 | 1 => Asked::Token {
                    user: index,
                    session,
                },
                _ => Asked::Call {
                    user: index,
                    session,
                },
            },
            _ => self.request(scope, index, user, simulation),
        })
    }

    fn request(
        &mut self,
        scope: Scope,
        index: usize,
        user: &User,
        simulation: &Simulation,
    ) -> Asked {
        let chance = &simulation.chance;
        let command = Box::new(self.command(scope, user, chance, simulation.now()));
        self.drawn += 1;
        let repeat = chance.percent(40).then(|| Repeat {
            id: WriteId::from_bits(self.drawn),
            fingerprint: None,
        });
        let is_repeatable = repeat.is_some();
        let asked = Asked::Command {
            user: index,
            command,
            repeat,
        };
        if is_repeatable {
            self.repeatable.push(asked.clone());
            if self.repeatable.len() > 4 {
                self.repeatable.remove(0);
            }
        }
        asked
    }

    /// A session that begins.
    pub fn start(&mut self, scope: Scope, chance: &Chance) -> Command {
        self.drawn += 1;
        Command::Start(SessionStart {
            session: SessionId::new(Uuid::from_u128(self.drawn.into())),
            topic: None,
            difficulty: None,
            takeover: chance.percent(45),
            awaits_call: scope.voice && chance.percent(30),
        })
    }

    fn command(&mut self, scope: Scope, user: &User, chance: &Chance, now: Timestamp) -> Command {
        match (chance.below(100), known(user, chance)) {
            (0..40, _) | (_, None) => self.start(scope, chance),
            (82.., _) if !scope.events => plan(user, chance, now),
            (40..68 | 90.., Some(session)) => Command::Heartbeat { session },
            (_, Some(session)) => {
                let reason = *chance.pick(&[EndReason::UserEnded, EndReason::Error]);
                Command::End { session, reason }
            }
        }
    }
}

/// The session that runs, or else any.
fn known(user: &User, chance: &Chance) -> Option<SessionId> {
    let running = user.running.filter(|_| chance.percent(80));
    let any: Vec<SessionId> = user.sessions.keys().copied().collect();
    running.or_else(|| (!any.is_empty()).then(|| *chance.pick(&any)))
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

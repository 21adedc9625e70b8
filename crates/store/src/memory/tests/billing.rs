//! The billing provider: what happens to subscriptions there, the events that tell of it, late, twice and out of order,
//! and which plan follows from them, by `docs/rules.md` alone.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use talktime_usage::{
    Claim, Command, EventOrder, EventOutcome, Ownership, Period, PlanName, PlanNews, Policy,
    Roster, RosterEntry, Source, Subscriber, SubscriptionId, Timestamp, UserId,
};

use crate::delivery::{Effect, KnownBy, deliver};
use crate::documents::Documents;
use crate::memory::Chance;
use crate::sql::Sql;
use crate::sqlite::SqlLedger;
use crate::users::{ApplyError, Users};
use crate::webhook_events::WebhookEvent;
use crate::{plan_news, subscriptions};

const DAY: Duration = Duration::from_hours(24);

/// A user's two subscriptions, and the plan that an operator grants them.
pub const SOURCES: usize = 3;
const MANUAL: usize = 2;

/// What a source grants.
#[derive(Clone, Debug, Default)]
pub struct Grant {
    plan: Option<PlanName>,
    period: Option<Period>,
    ends_at: Option<Timestamp>,
}

#[derive(Clone, Debug)]
pub enum Told {
    Grant(usize, Grant),
    /// That a subscription is behind with the payment for a period.
    Behind(usize, Option<Period>),
    /// All that are active.
    List(BTreeMap<usize, Grant>),
}

/// Something that happened.
#[derive(Debug)]
pub struct Event {
    pub user: usize,
    pub order: EventOrder,
    pub told: Told,
    /// Whether it was ever on its way, and whether it was ever answered.
    pub sent: Cell<bool>,
    pub taken: Cell<bool>,
}

pub fn subscription(user: &UserId, number: usize) -> SubscriptionId {
    SubscriptionId::parse(&format!("{user}-{number}")).expect("an id")
}

fn source(user: &UserId, number: usize) -> Source {
    match number {
        MANUAL => Source::Manual,
        number => Source::Subscription(subscription(user, number)),
    }
}

impl Event {
    /// Something that happens to one of the user's sources now.
    pub fn draw(
        user: usize,
        number: u64,
        policy: &Policy,
        chance: &Chance,
        now: Timestamp,
    ) -> Self {
        let index = usize::try_from(chance.below(SOURCES as u64)).expect("small");
        let told = match chance.below(10) {
            0 if index != MANUAL => Told::Behind(index, Some(paid(chance, now))),
            1 => Told::List(
                (0..MANUAL)
                    .filter(|_| chance.percent(60))
                    .map(|index| (index, grant(policy, chance, now)))
                    .collect(),
            ),
            2 | 3 => Told::Grant(index, Grant::default()),
            _ => Told::Grant(index, grant(policy, chance, now)),
        };
        let tiny = i64::try_from(number % 1_000).expect("small");
        Self {
            user,
            order: EventOrder {
                unix_micros: now.unix_millis() * 1_000 + tiny,
                event: format!("event-{number}"),
            },
            told,
            sent: Cell::new(false),
            taken: Cell::new(false),
        }
    }

    fn command(&self, user: &UserId) -> Command {
        let as_of = self.order.clone();
        match &self.told {
            Told::Grant(number, grant) => Command::ChangePlan {
                source: source(user, *number),
                plan: grant.plan.clone(),
                period: grant.period,
                ends_at: grant.ends_at,
                customer: None,
                reset_usage: false,
                as_of: Some(as_of),
            },
            Told::Behind(number, period) => Command::PastDue {
                subscription: subscription(user, *number),
                period: *period,
                as_of,
            },
            Told::List(active) => Command::Reconcile(Roster {
                customer: None,
                as_of,
                active: active
                    .iter()
                    .map(|(number, grant)| {
                        let entry = RosterEntry {
                            plan: grant.plan.clone(),
                            period: grant.period,
                            ends_at: grant.ends_at,
                        };
                        (subscription(user, *number), entry)
                    })
                    .collect(),
            }),
        }
    }

    /// Whether each subscription that it names is ended by it.
    fn named(&self) -> Vec<(usize, bool)> {
        match &self.told {
            Told::Grant(MANUAL, _) => Vec::new(),
            Told::Grant(number, grant) => vec![(*number, grant.plan.is_none())],
            Told::Behind(number, _) => vec![(*number, false)],
            Told::List(active) => active.keys().map(|number| (*number, false)).collect(),
        }
    }

    /// Delivers it, as the webhook's component does.
    pub async fn deliver<D: Documents, C: Sql>(
        &self,
        users: &Users<'_, D, SqlLedger<C>>,
        user: &UserId,
    ) -> Result<(), ApplyError> {
        self.sent.set(true);
        let now = users.environment.now();
        let named = self.named();
        let ids: Vec<_> = named.iter().map(|(n, _)| subscription(user, *n)).collect();
        let known = subscriptions::known(users.ledger, &ids, None, now).await?;
        let news = self.news(user, &known);
        let carry_out = async || {
            let (outcome, effect) = match &news {
                None => (EventOutcome::Outdated, Effect::Nothing),
                Some(news) => {
                    let told = plan_news::tell(users, news, &users.fresh_mark()).await?;
                    (told.outcome, told.effect)
                }
            };
            let event = WebhookEvent {
                id: self.order.event.clone(),
                kind: "news".to_owned(),
                received_at: now,
                user: Some(user.clone()),
                outcome,
                detail: None,
            };
            Ok::<_, ApplyError>((event, effect))
        };
        let id = &self.order.event;
        deliver(users.ledger, id, KnownBy::State, now, carry_out).await?;
        self.taken.set(true);
        Ok(())
    }

    fn news(&self, user: &UserId, known: &[Ownership]) -> Option<PlanNews> {
        let subscriber = Subscriber {
            user: user.clone(),
            customer: None,
            is_named: true,
        };
        let micros = self.order.unix_micros;
        let mut news = self.command(user);
        let mut all_told = Vec::new();
        for (number, ends) in self.named() {
            let id = subscription(user, number);
            match subscriber.claim(&id, known, micros, ends) {
                Claim::Has { told, .. } => all_told.push(told),
                // A list is more than one subscription.
                Claim::Passed | Claim::Ended => match &mut news {
                    Command::Reconcile(roster) => drop(roster.active.remove(&id)),
                    _ => return None,
                },
            }
        }
        Some(PlanNews {
            user: user.clone(),
            command: news,
            as_of: Some(self.order.clone()),
            told: all_told,
            taken: Vec::new(),
        })
    }
}

/// A paid period that began a while ago.
fn paid(chance: &Chance, now: Timestamp) -> Period {
    let start = now.minus(DAY * u32::try_from(chance.below(25)).expect("small"));
    let end = start.plus(DAY * *chance.pick(&[1, 7, 30, 31]));
    Period::paid(start, end).expect("a day or more")
}

fn grant(policy: &Policy, chance: &Chance, now: Timestamp) -> Grant {
    let name = *chance.pick(&["free", "basic", "basic", "pro"]);
    let period = chance.percent(60).then(|| paid(chance, now));
    Grant {
        plan: policy.catalogue.find(name).cloned(),
        period,
        ends_at: period.filter(|_| chance.percent(20)).map(Period::end),
    }
}

/// The plan that follows from what has happened: of each source its last word, of several the one with the most minutes.
pub fn in_force(events: &[&Event], at: Timestamp, policy: &Policy) -> PlanName {
    let granted = (0..SOURCES).filter_map(|number| granted_by(number, events, at, policy));
    let plans = granted.map(|plan| policy.catalogue.plan(&plan));
    let best = plans.max_by_key(|plan| plan.minutes);
    best.unwrap_or_else(|| policy.catalogue.free().clone()).name
}

fn granted_by(
    number: usize,
    events: &[&Event],
    at: Timestamp,
    policy: &Policy,
) -> Option<PlanName> {
    let newest = |is: &dyn Fn(&Event) -> bool| {
        let of_kind = events.iter().filter(|event| is(event));
        of_kind.max_by_key(|event| event.order.clone()).copied()
    };
    let last = newest(&|event| match &event.told {
        Told::Grant(of, _) => *of == number,
        Told::List(active) => active.contains_key(&number),
        Told::Behind(..) => false,
    })?;
    let after = |event: &&Event| event.order > last.order;
    let behind = newest(&|event| matches!(event.told, Told::Behind(of, _) if of == number));
    let behind = behind.filter(after);
    let left_out = newest(&|event| matches!(event.told, Told::List(_))).filter(after);
    // One that is behind with its payment is on no list, and lives.
    if number != MANUAL && left_out.is_some() && behind.is_none() {
        return None;
    }
    let grant = match &last.told {
        Told::Grant(_, grant) => grant,
        Told::List(active) => active.get(&number)?,
        Told::Behind(..) => return None,
    };
    // A list that tells no dates leaves them to what the subscription's own events told.
    let own = newest(&|event| matches!(event.told, Told::Grant(of, _) if of == number));
    let dates = match own.map(|own| &own.told) {
        Some(Told::Grant(_, own)) if grant.period.is_none() && grant.ends_at.is_none() => own,
        _ => grant,
    };
    let lapses_at = dates.ends_at.or_else(|| {
        let period = dates.period?;
        let heard = behind.unwrap_or(last).order.unix_micros.div_euclid(1_000);
        let unpaid = behind.and_then(|behind| match behind.told {
            Told::Behind(_, period) => period.map(Period::end),
            _ => None,
        });
        let until = Timestamp::from_unix_millis(heard).max(period.end());
        let until = unpaid.map_or(until, |unpaid| until.max(unpaid));
        Some(until.plus(policy.grant_grace.min(period.length())))
    });
    let holds = lapses_at.is_none_or(|lapse| at < lapse);
    grant.plan.clone().filter(|_| holds)
}

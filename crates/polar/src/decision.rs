//! What an event means for a user's plan. Nothing here asks what arrived before: the order of what happened goes into the
//! command, and the domain weighs it.

pub mod subject;

use std::collections::BTreeMap;

use talktime_usage::{
    Catalogue, Claim, Command, CustomerId, EventOrder, EventOutcome, Ownership, Period, PlanName,
    PlanNews, Roster, RosterEntry, Source, State, Subscriber, SubscriptionId, Timestamp, UserId,
};

use crate::event::{Event, Subject, Subscription};
use crate::products::{PastDue, Products};
use subject::subscriber;
use talktime_webhook::Delivery;

/// What decisions depend on besides the event.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    pub catalogue: &'a Catalogue,
    /// The plans of products.
    pub products: &'a Products,
    /// What an overdue payment does.
    pub past_due: PastDue,
}

/// An event on its way in.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// How it was delivered.
    pub delivery: Delivery<'a>,
    pub at: Timestamp,
    /// What is known of the subscriptions that [`subject::asked_about`] names.
    pub known: &'a [Ownership],
}

/// What is to be done about an event.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// Whom it is about, if Talktime knows.
    pub user: Option<UserId>,
    /// The change of that user's plan.
    pub action: Action,
    /// The subscriptions that it calls active without a word of the plan that they stand for. Unless the user's state knows
    /// better, an operator has to say it.
    pub without_plan: Vec<SubscriptionId>,
    /// Whether it has a time of its own that can be believed, by which it counts once however often it comes.
    pub is_timed: bool,
    /// What an operator should know about it.
    pub remarks: Vec<String>,
}

/// A change, or why there is none.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Carry this out.
    Apply(Box<PlanNews>),
    /// The event tells of what is over.
    Outdated,
    /// The event changes no plan, nor should it.
    Ignore,
    /// Nobody knows whose plan, or which subscription.
    Unmapped,
    /// Nobody knows which plan the product stands for.
    UnknownProduct,
}

/// Decides about an event.
pub fn decide(event: &Event, arrival: Arrival<'_>, rules: Rules<'_>) -> Decision {
    let delivery = arrival.delivery;
    let told = EventOrder {
        unix_micros: event
            .unix_micros
            .unwrap_or(delivery.sent_at_seconds.saturating_mul(1_000_000)),
        event: delivery.id.to_owned(),
    };
    let mut remarks = Vec::new();
    let is_far_ahead = told.is_far_ahead(arrival.at);
    if is_far_ahead {
        remarks.push(
            "it is stamped more than five minutes ahead of its arrival: taken as of then"
                .to_owned(),
        );
    }
    let mut decision = Decision {
        user: None,
        action: Action::Ignore,
        without_plan: Vec::new(),
        is_timed: event.unix_micros.is_some() && !is_far_ahead,
        remarks,
    };
    if event.subject == Subject::Other {
        decision.user = subscriber(event, arrival.known)
            .ok()
            .map(|subscriber| subscriber.user);
        return decision;
    }
    let subscriber = match subscriber(event, arrival.known) {
        Ok(subscriber) => subscriber,
        Err(why) => {
            decision.action = Action::Unmapped;
            decision.remarks.push(why.to_owned());
            return decision;
        }
    };
    if !subscriber.is_named {
        let remark = "it names no user: taken for the one whose subscription it is";
        decision.remarks.push(remark.to_owned());
    }
    decision.user = Some(subscriber.user.clone());
    let decider = Decider {
        rules,
        as_of: told.arriving(arrival.at),
        known: arrival.known,
        subscriber: &subscriber,
        decision: &mut decision,
        told: Vec::new(),
        taken: Vec::new(),
    };
    let action = match &event.subject {
        Subject::Subscription(subscription) => decider.subscription(subscription),
        Subject::Customer(listed) => decider.customer(listed.as_deref()),
        Subject::Other => Action::Ignore,
    };
    decision.action = action;
    decision
}

impl Decision {
    /// What became of the event, whose news `state`, that of the user, has taken as `told`. What a list has that is known
    /// counts; where neither it nor the state knows a plan, it waits for the operator.
    pub fn outcome(&mut self, told: EventOutcome, state: Option<&State>) -> EventOutcome {
        let knows =
            |id: &&SubscriptionId| state.is_some_and(|state| state.grants.tells_plan_of(id));
        let unknown: Vec<_> = self.without_plan.iter().filter(|id| !knows(id)).collect();
        let is_open = !unknown.is_empty();
        self.remarks.extend(unknown.into_iter().map(|id| {
            format!("neither polar_products nor an event of subscription {id} names its plan")
        }));
        match told {
            EventOutcome::Applied if is_open => EventOutcome::UnknownProduct,
            told => told,
        }
    }
}

/// What a status means for the plan.
enum Standing {
    Granted,
    Behind,
    Ended,
    NotYet,
}

impl Standing {
    fn of(status: Option<&str>) -> Option<Self> {
        Some(match status? {
            "active" | "trialing" => Self::Granted,
            "past_due" => Self::Behind,
            "canceled" | "unpaid" | "incomplete_expired" | "paused" => Self::Ended,
            "incomplete" => Self::NotYet,
            _ => return None,
        })
    }
}

struct Decider<'a> {
    rules: Rules<'a>,
    as_of: EventOrder,
    known: &'a [Ownership],
    subscriber: &'a Subscriber,
    decision: &'a mut Decision,
    told: Vec<Ownership>,
    taken: Vec<(SubscriptionId, UserId)>,
}

impl Decider<'_> {
    fn remark(&mut self, remark: impl Into<String>) {
        self.decision.remarks.push(remark.into());
    }

    fn customer_id(&self) -> Option<CustomerId> {
        self.subscriber.customer.clone()
    }

    fn news(self, command: Command) -> Action {
        Action::Apply(Box::new(PlanNews {
            user: self.subscriber.user.clone(),
            command,
            as_of: Some(self.as_of),
            told: self.told,
            taken: self.taken,
        }))
    }

    fn subscription(mut self, told: &Subscription) -> Action {
        let Some(id) = id_of(told) else {
            self.remark("the subscription has no usable id");
            return Action::Unmapped;
        };
        let Some(standing) = Standing::of(told.status.as_deref()) else {
            self.remark("the subscription has a status that Talktime does not know");
            return Action::Ignore;
        };
        let keeps = self.rules.past_due == PastDue::Keep;
        let ends = match standing {
            Standing::NotYet => return Action::Ignore,
            Standing::Behind => !keeps,
            Standing::Ended => true,
            Standing::Granted => false,
        };
        let plan = match standing {
            Standing::Granted => {
                let plan = self.plan(told.product_plan.as_deref(), told);
                if plan.is_none() {
                    self.remark("neither polar_products nor the product's metadata names a plan");
                    return Action::UnknownProduct;
                }
                plan
            }
            _ => None,
        };
        if !self.claims(&id, ends) {
            return Action::Outdated;
        }
        let period = self.paid_period(told);
        if matches!(standing, Standing::Behind) && keeps {
            let as_of = self.as_of.clone();
            return self.news(Command::PastDue {
                subscription: id,
                period,
                as_of,
            });
        }
        let command = Command::ChangePlan {
            source: Source::Subscription(id),
            ends_at: told.ends_at.filter(|_| plan.is_some()),
            plan,
            period,
            customer: self.customer_id(),
            reset_usage: false,
            as_of: Some(self.as_of.clone()),
        };
        self.news(command)
    }

    fn customer(mut self, listed: Option<&[Subscription]>) -> Action {
        let Some(listed) = listed else {
            // No list is not an empty one, which would end every plan.
            self.remark("the customer's state does not list the active subscriptions");
            return Action::Ignore;
        };
        let mut active = BTreeMap::new();
        for told in listed {
            let Some(id) = id_of(told) else {
                // What is left would look like the whole list, and end the one that cannot be told.
                self.remark("an active subscription has no usable id");
                return Action::Unmapped;
            };
            // Only the list says that it is active: a status is looked at where there is one.
            let standing = Standing::of(told.status.as_deref().or(Some("active")));
            let lives = !matches!(standing, Some(Standing::Ended | Standing::NotYet));
            if !lives || !self.claims(&id, false) {
                continue;
            }
            let entry = match standing {
                Some(Standing::Granted) => self.entry(&id, told),
                // The list must not end it; what it grants is for its own events to say.
                _ => RosterEntry::default(),
            };
            active.insert(id, entry);
        }
        let roster = Roster {
            customer: self.customer_id(),
            as_of: self.as_of.clone(),
            active,
        };
        self.news(Command::Reconcile(roster))
    }

    fn entry(&mut self, id: &SubscriptionId, told: &Subscription) -> RosterEntry {
        let plan = self.plan(None, told);
        if plan.is_none() {
            self.decision.without_plan.push(id.clone());
        }
        RosterEntry {
            plan,
            period: self.paid_period(told),
            ends_at: told.ends_at,
        }
    }

    /// Whether the subscription is the subscriber's, as far as the event can say.
    fn claims(&mut self, id: &SubscriptionId, ends: bool) -> bool {
        let micros = self.as_of.unix_micros;
        match self.subscriber.claim(id, self.known, micros, ends) {
            Claim::Has { told, from } => {
                self.told.push(told);
                if let Some(from) = from {
                    self.remark(format!("subscription {id} was another user's until now"));
                    self.taken.push((id.clone(), from));
                }
                true
            }
            Claim::Passed => {
                self.remark(format!("subscription {id} is another user's by now"));
                false
            }
            Claim::Ended => {
                self.remark(format!("subscription {id} has ended since"));
                false
            }
        }
    }

    /// What is paid for, unless it is no period: without one, the plan counts all the same.
    fn paid_period(&mut self, told: &Subscription) -> Option<Period> {
        let (start, end) = told.paid?;
        match Period::paid(start, end) {
            Ok(period) => Some(period),
            Err(error) => {
                self.remark(format!("its period is passed over: {error}"));
                None
            }
        }
    }

    /// The plan that the product names, else the one that the operator gave it, else what the subscription says. A name
    /// that the catalogue does not have is free: the user pays for something, so it is no reason to lose the event.
    fn plan(&mut self, product_plan: Option<&str>, told: &Subscription) -> Option<PlanName> {
        let configured = || self.rules.products.plan(told.product.as_deref()?);
        let name = match product_plan {
            Some(name) => name,
            None => match configured() {
                Some(plan) => return Some(plan.clone()),
                None => told.own_plan.as_deref()?,
            },
        };
        let catalogue = self.rules.catalogue;
        let known = catalogue.find(name);
        if known.is_none() {
            let name = crate::event::clipped(name);
            self.remark(format!("no plan is called {name:?}: taken for free"));
        }
        Some(known.unwrap_or(&catalogue.free().name).clone())
    }
}

fn id_of(told: &Subscription) -> Option<SubscriptionId> {
    SubscriptionId::parse(told.id.as_deref()?).ok()
}

#[cfg(test)]
mod tests;

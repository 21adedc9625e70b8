//! What an event means for a user's plan. Nothing here knows when an event arrives, or what arrived before: the order
//! of what happened goes into the command, and the domain weighs it.

use std::collections::BTreeMap;

use talktime_usage::{
    Catalogue, Command, EventOrder, PlanName, Roster, RosterEntry, Source, SubscriptionId, UserId,
};

use crate::configuration::{PastDue, Products};
use crate::event::{Event, Subject, Subscription};
use crate::signature::Delivery;

/// What decisions depend on besides the event.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// The plans.
    pub catalogue: &'a Catalogue,
    /// The plans of products.
    pub products: &'a Products,
    /// What an overdue payment does.
    pub past_due: PastDue,
}

/// What is to be done about an event.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// Whom it is about, if Talktime knows.
    pub user: Option<UserId>,
    /// The change of that user's plan.
    pub action: Action,
    /// What an operator should know about it.
    pub remarks: Vec<String>,
}

/// A change, or why there is none.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Carry this out for that user.
    Apply(UserId, Command),
    /// The event changes no plan, nor should it.
    Ignore,
    /// Nobody knows whose plan, or which subscription.
    Unmapped,
    /// Nobody knows which plan the product stands for.
    UnknownProduct,
}

/// Decides about an event.
#[must_use]
pub fn decide(event: &Event, delivery: Delivery<'_>, rules: Rules<'_>) -> Decision {
    let mut decider = Decider {
        rules,
        as_of: EventOrder {
            unix_micros: event
                .unix_micros
                .unwrap_or(delivery.sent_at_seconds.saturating_mul(1_000_000)),
            event: delivery.id.to_owned(),
        },
        remarks: Vec::new(),
    };
    let named = event.user.as_deref();
    let user = named.and_then(|id| UserId::parse(id).ok());
    let action = match (&event.subject, &user) {
        (Subject::Other, _) => Action::Ignore,
        (_, None) => {
            decider.remark(match named {
                None => "no external_id of the customer and no user_id in the metadata",
                Some(_) => "the customer's external_id or user_id is not an id of a user",
            });
            Action::Unmapped
        }
        (Subject::Subscription(subscription), Some(user)) => {
            decider.subscription(user, subscription)
        }
        (Subject::Customer(listed), Some(user)) => decider.customer(user, listed.as_deref()),
    };
    Decision {
        user,
        action,
        remarks: decider.remarks,
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
    remarks: Vec<String>,
}

impl Decider<'_> {
    fn remark(&mut self, remark: impl Into<String>) {
        self.remarks.push(remark.into());
    }

    fn subscription(&mut self, user: &UserId, told: &Subscription) -> Action {
        let Some(id) = told
            .id
            .as_deref()
            .and_then(|id| SubscriptionId::parse(id).ok())
        else {
            self.remark("the subscription has no usable id");
            return Action::Unmapped;
        };
        let Some(standing) = Standing::of(told.status.as_deref()) else {
            self.remark("the subscription has a status that Talktime does not know");
            return Action::Ignore;
        };
        let plan = match standing {
            Standing::NotYet => return Action::Ignore,
            Standing::Behind if self.rules.past_due == PastDue::Keep => {
                let command = Command::PastDue {
                    subscription: id,
                    period: told.period,
                    as_of: self.as_of.clone(),
                };
                return Action::Apply(user.clone(), command);
            }
            Standing::Behind | Standing::Ended => None,
            Standing::Granted => {
                let plan = self.plan(told.product_plan.as_deref(), told);
                if plan.is_none() {
                    self.remark("neither polar_products nor the product's metadata names a plan");
                    return Action::UnknownProduct;
                }
                plan
            }
        };
        let command = Command::ChangePlan {
            source: Source::Subscription(id),
            plan,
            period: told.period,
            ends_at: None,
            customer: None,
            reset_usage: false,
            as_of: Some(self.as_of.clone()),
        };
        Action::Apply(user.clone(), command)
    }

    fn customer(&mut self, user: &UserId, listed: Option<&[Subscription]>) -> Action {
        let Some(listed) = listed else {
            // No list is not an empty one, which would end every plan.
            self.remark("the customer's state does not list the active subscriptions");
            return Action::Ignore;
        };
        let mut active = BTreeMap::new();
        for told in listed {
            let Some(id) = told
                .id
                .as_deref()
                .and_then(|id| SubscriptionId::parse(id).ok())
            else {
                // What is left would look like the whole list, and end the one that cannot be told.
                self.remark("an active subscription has no usable id");
                return Action::Unmapped;
            };
            // Only the list says that it is active: a status is looked at where there is one.
            let entry = match Standing::of(told.status.as_deref().or(Some("active"))) {
                Some(Standing::Granted) => RosterEntry {
                    plan: self.plan(None, told),
                    period: told.period,
                    ends_at: None,
                },
                // It lives, so the list must not end it; what it grants is for its own events to say.
                Some(Standing::Behind) | None => RosterEntry::default(),
                Some(Standing::Ended | Standing::NotYet) => continue,
            };
            active.insert(id, entry);
        }
        let roster = Roster {
            customer: None,
            as_of: self.as_of.clone(),
            active,
        };
        Action::Apply(user.clone(), Command::Reconcile(roster))
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

#[cfg(test)]
mod tests;

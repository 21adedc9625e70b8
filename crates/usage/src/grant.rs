//! Which plan is in force: what each source grants, in whatever order the news of it comes.
//!
//! News of a subscription arrives late, twice and out of order. So nothing here depends on when it arrives: for each
//! subscription the event that *happened* last counts, and of the billing provider's full lists ([`Roster`]) the newest,
//! and the newest that has the subscription.
//! The plan in force is a function of those facts alone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{SubscriptionId, WriteId};
use crate::period::Period;
use crate::plan::{Catalogue, Plan, PlanName};
use crate::time::Instant;

/// The most subscriptions remembered for a user; beyond it the one that ended first is forgotten.
const SUBSCRIPTIONS_MAX: usize = 32;

/// Who grants a plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A plan update that names no subscription, such as a support grant.
    Manual,
    /// A subscription at the billing provider.
    Subscription(SubscriptionId),
}

/// When an event happened, and its id, so that two events of the same microsecond have one order everywhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EventOrder {
    /// Microseconds since the epoch: the precision in which the billing provider stamps its events.
    pub unix_micros: i64,
    /// The event's id.
    pub event: String,
}

impl EventOrder {
    /// For an event that tells its time in milliseconds.
    #[must_use]
    pub fn at(happened: Instant, event: &str) -> Self {
        Self {
            unix_micros: happened.unix_millis() * 1_000,
            event: event.to_owned(),
        }
    }
}

/// What a source grants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// The plan; none after the subscription ended.
    pub plan: Option<PlanName>,
    /// The subscription's own period, where it told one.
    pub period: Option<Period>,
    /// The event that said so.
    pub as_of: EventOrder,
}

/// All subscriptions that the billing provider called active at one time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roster {
    /// The event that carried the list.
    pub as_of: EventOrder,
    /// The active ones.
    pub active: BTreeMap<SubscriptionId, RosterEntry>,
}

/// One active subscription of a [`Roster`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RosterEntry {
    /// Its plan; `None` where the list does not tell, so that the subscription's own events decide.
    pub plan: Option<PlanName>,
    /// Its period.
    pub period: Option<Period>,
}

/// Everything known about what a user is granted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grants {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    manual: Option<Granted>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    subscriptions: BTreeMap<SubscriptionId, Granted>,
    /// The last time that each subscription was behind with a payment. A roster leaves such a one out though it lives.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    past_due: BTreeMap<SubscriptionId, EventOrder>,
    /// What the newest roster that listed each subscription said of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    listed: BTreeMap<SubscriptionId, Granted>,
    /// The newest roster. It ends whatever it leaves out and nothing newer is known of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    roster_as_of: Option<EventOrder>,
}

impl Grants {
    /// Takes in what a source grants as of an event. False where that is not newer than what is known.
    pub fn record(&mut self, source: &Source, granted: Granted) -> bool {
        if self
            .known(source)
            .is_some_and(|known| granted.as_of <= known.as_of)
        {
            return false;
        }
        match source {
            Source::Manual => self.manual = Some(granted),
            Source::Subscription(id) => {
                self.subscriptions.insert(id.clone(), granted);
            }
        }
        self.forget_ended();
        true
    }

    /// Takes in that a subscription is behind with a payment, which by itself changes no plan.
    pub fn record_past_due(&mut self, id: &SubscriptionId, as_of: EventOrder) -> bool {
        let newer = self.past_due.get(id).is_none_or(|known| *known < as_of);
        if newer {
            self.past_due.insert(id.clone(), as_of);
            self.forget_ended();
        }
        newer
    }

    /// Takes in a full list of active subscriptions. False where it tells nothing newer than what is known. An older list
    /// than the last may: it can be the last word on a subscription that fell behind with a payment before the last.
    pub fn record_roster(&mut self, roster: Roster) -> bool {
        let Roster { as_of, active } = roster;
        let mut newer = self
            .roster_as_of
            .as_ref()
            .is_none_or(|known| *known < as_of);
        if newer {
            self.roster_as_of = Some(as_of.clone());
        }
        for (id, RosterEntry { plan, period }) in active {
            let known = self.listed.get(&id);
            if known.is_none_or(|known| known.as_of < as_of) {
                let as_of = as_of.clone();
                let listed = Granted {
                    plan,
                    period,
                    as_of,
                };
                self.listed.insert(id, listed);
                newer = true;
            }
        }
        self.forget_ended();
        newer
    }

    /// The order of an update that does not say when it happened: now, and after all that is known of its source.
    #[must_use]
    pub fn after_all_known(&self, source: &Source, now: Instant, write: &WriteId) -> EventOrder {
        let known = self
            .known(source)
            .map_or(i64::MIN, |known| known.as_of.unix_micros);
        EventOrder {
            unix_micros: (now.unix_millis() * 1_000).max(known.saturating_add(1)),
            event: write.as_str().to_owned(),
        }
    }

    fn known(&self, source: &Source) -> Option<&Granted> {
        match source {
            Source::Manual => self.manual.as_ref(),
            Source::Subscription(id) => self.subscriptions.get(id),
        }
    }

    /// The plan in force, of those granted the one with the most minutes, else free.
    #[must_use]
    pub fn plan(&self, catalogue: &Catalogue) -> Plan {
        self.best(catalogue)
            .map_or_else(|| catalogue.free().clone(), |(plan, _)| plan)
    }

    /// The period that the sources tell: that of the plan in force, else that of the latest event that had one (so that
    /// a subscription which ended still says how periods run).
    #[must_use]
    pub fn period(&self, catalogue: &Catalogue) -> Option<Period> {
        self.best(catalogue)
            .and_then(|(_, granted)| granted.period)
            .or_else(|| {
                self.effective()
                    .filter(|granted| granted.period.is_some())
                    .max_by(|a, b| a.as_of.cmp(&b.as_of))
                    .and_then(|granted| granted.period)
            })
    }

    fn best(&self, catalogue: &Catalogue) -> Option<(Plan, Granted)> {
        self.effective()
            .filter_map(|granted| Some((catalogue.plan(granted.plan.as_ref()?), granted)))
            .max_by(|(plan_a, a), (plan_b, b)| {
                (plan_a.minutes, &a.as_of).cmp(&(plan_b.minutes, &b.as_of))
            })
    }

    /// What each source grants once its own events and the rosters are weighed against each other.
    fn effective(&self) -> impl Iterator<Item = Granted> {
        let known = self.subscriptions.keys();
        let listed_only = self
            .listed
            .keys()
            .filter(|id| !self.subscriptions.contains_key(*id));
        let subscriptions = known
            .chain(listed_only)
            .filter_map(|id| self.of_subscription(id));
        self.manual.iter().cloned().chain(subscriptions)
    }

    fn of_subscription(&self, id: &SubscriptionId) -> Option<Granted> {
        let (own, listed) = (self.subscriptions.get(id), self.listed.get(id));
        let last = match (own, listed) {
            (Some(own), Some(listed)) if listed.as_of > own.as_of => Granted {
                plan: listed.plan.clone().or_else(|| own.plan.clone()),
                period: listed.period.or(own.period),
                as_of: listed.as_of.clone(),
            },
            (own, listed) => own.or(listed)?.clone(),
        };
        let left_out = self
            .roster_as_of
            .as_ref()
            .is_some_and(|roster| *roster > last.as_of);
        let behind = self
            .past_due
            .get(id)
            .is_some_and(|past_due| *past_due > last.as_of);
        Some(Granted {
            plan: last.plan.filter(|_| !left_out || behind),
            ..last
        })
    }

    fn forget_ended(&mut self) {
        for granted in [&mut self.subscriptions, &mut self.listed] {
            while granted.len() > SUBSCRIPTIONS_MAX {
                let oldest = granted
                    .iter()
                    .min_by(|(_, a), (_, b)| {
                        (a.plan.is_some(), &a.as_of).cmp(&(b.plan.is_some(), &b.as_of))
                    })
                    .map(|(id, _)| id.clone());
                if let Some(id) = oldest {
                    granted.remove(&id);
                }
            }
        }
        while self.past_due.len() > SUBSCRIPTIONS_MAX {
            let oldest = self
                .past_due
                .iter()
                .min_by(|(_, a), (_, b)| a.cmp(b))
                .map(|(id, _)| id.clone());
            if let Some(id) = oldest {
                self.past_due.remove(&id);
            }
        }
    }
}

//! What each source grants: facts, kept by when they happened, in whatever order the news of them comes.
//!
//! News of a subscription arrives late, twice and out of order. So nothing here depends on when it arrives: for each
//! subscription the event that *happened* last counts, and of the billing provider's full lists ([`Roster`]) the newest,
//! and the newest that has the subscription. [`in_force`](mod@in_force) says what follows from the facts at an instant.

mod in_force;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub(crate) use in_force::Held;

use crate::event_order::{EventOrder, News};
use crate::ids::{CustomerId, SubscriptionId, WriteId};
use crate::period::Period;
use crate::plan::PlanName;
use crate::time::Timestamp;

/// The most subscriptions remembered for a user, far more than anybody pays for at a time; beyond it the one that ended
/// first is forgotten.
const SUBSCRIPTIONS_MAX: usize = 32;

/// The most customers at the provider whose lists are remembered for a user, who as a rule is one. Those of others only
/// add: what they leave out ends by its own events, or lapses.
const CUSTOMERS_MAX: usize = 8;

/// Who grants a plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A plan update that names no subscription, such as a support grant.
    Manual,
    /// A subscription at the billing provider.
    Subscription(SubscriptionId),
}

/// What a source grants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// The plan; none after the subscription ended.
    pub plan: Option<PlanName>,
    /// The paid period, where it is told. A grant with one lapses a while after its end, unless it is renewed.
    pub period: Option<Period>,
    /// When the grant ends by itself, where it is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
    /// The provider's customer whom the subscription belongs to, where it is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    /// The event that said so.
    pub as_of: EventOrder,
    /// Fields of a later version, kept.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// All subscriptions that the billing provider called active at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roster {
    /// The provider's customer whose subscriptions are listed. What belongs to another customer is not ended by the list.
    pub customer: Option<CustomerId>,
    /// The event that carried the list.
    pub as_of: EventOrder,
    /// The active ones.
    pub active: BTreeMap<SubscriptionId, RosterEntry>,
}

/// One active subscription of a [`Roster`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RosterEntry {
    /// Its plan; `None` where the list does not tell, so that the subscription's own events decide.
    pub plan: Option<PlanName>,
    /// Its paid period.
    pub period: Option<Period>,
    /// When it ends by itself, where it is told.
    pub ends_at: Option<Timestamp>,
}

/// That a subscription is behind with a payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Behind {
    #[serde(flatten)]
    as_of: EventOrder,
    /// The period that is not paid, where it is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    period: Option<Period>,
    #[serde(flatten)]
    extra: Map<String, Value>,
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
    past_due: BTreeMap<SubscriptionId, Behind>,
    /// What the newest roster that listed each subscription said of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    listed: BTreeMap<SubscriptionId, Granted>,
    /// The newest roster that named no customer. It ends whatever it leaves out and nothing newer is known of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    roster_as_of: Option<EventOrder>,
    /// The newest roster of each customer. It ends what it leaves out too, but for what belongs to another customer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    rosters: BTreeMap<CustomerId, EventOrder>,
    /// The last word on those that are forgotten: what is older says nothing of a subscription that is not known, which
    /// may be one of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    forgotten_until: Option<EventOrder>,
    /// Fields of a later version, kept.
    #[serde(flatten)]
    extra: Map<String, Value>,
}

impl Grants {
    /// Takes in what a source grants as of an event, where that is newer than what is known.
    pub fn record(&mut self, source: &Source, mut granted: Granted) -> News {
        if let Some(known) = self.known(source) {
            let again = granted.as_of == known.as_of && granted.says_what(known);
            match granted.as_of.beside(&known.as_of) {
                News::Newer if again => return News::Same,
                News::Newer => granted.take_over(known),
                other => return other,
            }
        }
        match source {
            Source::Manual => self.manual = Some(granted),
            Source::Subscription(id) if self.is_forgotten(id, &granted.as_of) => {
                return News::Older;
            }
            Source::Subscription(id) => {
                self.subscriptions.insert(id.clone(), granted);
            }
        }
        self.forget_surplus();
        News::Newer
    }

    /// Takes in that a subscription is behind with a payment, which by itself changes no plan, and for which period.
    pub fn record_past_due(
        &mut self,
        id: &SubscriptionId,
        period: Option<Period>,
        as_of: EventOrder,
    ) -> News {
        let news = match self.past_due.get(id) {
            Some(known) => as_of.beside(&known.as_of),
            None if self.is_forgotten(id, &as_of) => News::Older,
            None => News::Newer,
        };
        if news == News::Newer {
            let known = self.past_due.remove(id);
            let behind = Behind {
                as_of,
                period,
                extra: known.map_or_else(Map::new, |known| known.extra),
            };
            self.past_due.insert(id.clone(), behind);
            self.forget_surplus();
        }
        news
    }

    /// Takes in a full list of active subscriptions. An older list than the last may be news too: it can be the last word
    /// on a subscription that fell behind with a payment before the last.
    pub fn record_roster(&mut self, roster: Roster) -> News {
        let mut news = self.record_list(roster.customer.as_ref(), &roster.as_of);
        for (id, entry) in roster.active {
            let mut listed = Granted {
                plan: entry.plan,
                period: entry.period,
                ends_at: entry.ends_at,
                customer: roster.customer.clone(),
                as_of: roster.as_of.clone(),
                extra: Map::new(),
            };
            match self.listed.get(&id) {
                // The same list again may tell a plan that nobody could tell before.
                Some(known) if known.as_of == listed.as_of && known.plan.is_none() => {
                    if listed.plan.is_none() {
                        continue;
                    }
                    listed.take_over(known);
                }
                Some(known) if known.as_of >= listed.as_of => continue,
                Some(known) => listed.take_over(known),
                None if self.is_forgotten(&id, &listed.as_of) => continue,
                None => {}
            }
            self.listed.insert(id, listed);
            news = News::Newer;
        }
        self.forget_surplus();
        news
    }

    /// Takes in when the list of a customer was made.
    fn record_list(&mut self, customer: Option<&CustomerId>, as_of: &EventOrder) -> News {
        let known = match customer {
            Some(customer) => self.rosters.get(customer),
            None => self.roster_as_of.as_ref(),
        };
        let news = known.map_or(News::Newer, |known| as_of.beside(known));
        if news == News::Newer {
            match customer {
                None => self.roster_as_of = Some(as_of.clone()),
                Some(customer) => {
                    if self.rosters.len() < CUSTOMERS_MAX || self.rosters.contains_key(customer) {
                        self.rosters.insert(customer.clone(), as_of.clone());
                    }
                }
            }
        }
        news
    }

    /// The order of an update that arrives now and does not say when it happened: see [`EventOrder`].
    pub fn after_all_known(&self, source: &Source, now: Timestamp, write: &WriteId) -> EventOrder {
        let known = match source {
            Source::Manual => self.manual.as_ref().map(|manual| &manual.as_of),
            Source::Subscription(id) => self.last_word(id),
        };
        EventOrder::untold(now, write.as_str(), known)
    }

    fn known(&self, source: &Source) -> Option<&Granted> {
        match source {
            Source::Manual => self.manual.as_ref(),
            Source::Subscription(id) => self.subscriptions.get(id),
        }
    }

    /// The customer whom a subscription belongs to, where it was told.
    fn customer(&self, id: &SubscriptionId) -> Option<&CustomerId> {
        let told = [self.subscriptions.get(id), self.listed.get(id)];
        told.into_iter()
            .flatten()
            .find_map(|granted| granted.customer.as_ref())
    }

    /// The newest roster that would have listed a subscription, were it active.
    fn roster_over(&self, id: &SubscriptionId) -> Option<&EventOrder> {
        let scoped = match self.customer(id) {
            Some(customer) => self.rosters.get(customer),
            None => self.rosters.values().max(),
        };
        scoped.max(self.roster_as_of.as_ref())
    }

    /// The last that was heard of a subscription, by its own events or by lists.
    fn last_word(&self, id: &SubscriptionId) -> Option<&EventOrder> {
        self.own_words(id).max(self.roster_over(id))
    }

    /// The last event or list that names a subscription.
    fn own_words(&self, id: &SubscriptionId) -> Option<&EventOrder> {
        let own = self.subscriptions.get(id).map(|own| &own.as_of);
        let listed = self.listed.get(id).map(|listed| &listed.as_of);
        let behind = self.past_due.get(id).map(|behind| &behind.as_of);
        own.max(listed).max(behind)
    }

    fn ids(&self) -> BTreeSet<&SubscriptionId> {
        let granted = self.subscriptions.keys().chain(self.listed.keys());
        granted.chain(self.past_due.keys()).collect()
    }

    /// Whether a subscription of which nothing is known may be one that was forgotten, as of an event of that order.
    fn is_forgotten(&self, id: &SubscriptionId, as_of: &EventOrder) -> bool {
        let older = self
            .forgotten_until
            .as_ref()
            .is_some_and(|until| as_of <= until);
        older && self.own_words(id).is_none()
    }

    /// Forgets all of a subscription at once, or an older word of it would count again, and remembers until when.
    fn forget_surplus(&mut self) {
        while self.ids().len() > SUBSCRIPTIONS_MAX {
            let granting = |id: &SubscriptionId| self.of_subscription(id).is_some();
            let first = self
                .ids()
                .into_iter()
                .min_by_key(|id| (granting(id), self.own_words(id).cloned()))
                .cloned();
            let Some(id) = first else { break };
            self.forgotten_until = self
                .own_words(&id)
                .max(self.forgotten_until.as_ref())
                .cloned();
            self.subscriptions.remove(&id);
            self.listed.remove(&id);
            self.past_due.remove(&id);
        }
    }
}

impl Granted {
    /// Whether both grant the same.
    fn says_what(&self, other: &Self) -> bool {
        (&self.plan, self.period, self.ends_at) == (&other.plan, other.period, other.ends_at)
    }

    /// Keeps of what it replaces what it does not tell itself.
    fn take_over(&mut self, known: &Self) {
        self.customer = self.customer.take().or_else(|| known.customer.clone());
        if self.extra.is_empty() {
            self.extra.clone_from(&known.extra);
        }
    }
}

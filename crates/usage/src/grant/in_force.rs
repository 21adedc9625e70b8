//! Which plan is in force at an instant, and who sets the rhythm: a function of the facts and the instant alone.

use std::cmp::Reverse;
use std::time::Duration;

use super::{Grants, Source};
use crate::event_order::EventOrder;
use crate::ids::SubscriptionId;
use crate::period::Period;
use crate::plan::{Plan, PlanName};
use crate::policy::Policy;
use crate::time::Timestamp;

/// What a source grants once its own events and the lists are weighed against each other.
pub(super) struct Standing<'a> {
    /// `None` for the manual grant.
    id: Option<&'a SubscriptionId>,
    plan: &'a PlanName,
    period: Option<Period>,
    ends_at: Option<Timestamp>,
    /// The event that said so.
    as_of: &'a EventOrder,
    /// Until when the source was last said to live: then, or to the end of a period that is not paid yet.
    alive_until: Timestamp,
}

impl Standing<'_> {
    /// When the grant ends by itself. A lost revocation is not a plan for ever: whoever does not renew, and is not said to
    /// live, has until a while after the end of the paid period. The while is no longer than the period itself, so that
    /// at most one renewal is taken for granted.
    fn lapses_at(&self, grace: Duration) -> Option<Timestamp> {
        self.ends_at.or_else(|| {
            let period = self.period?;
            let grace = grace.min(period.end().since(period.start()));
            Some(period.end().max(self.alive_until).plus(grace))
        })
    }

    fn source(&self) -> Source {
        self.id
            .map_or(Source::Manual, |id| Source::Subscription(id.clone()))
    }
}

/// Who sets the rhythm of the periods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// The source of the plan in force, by the paid period that it tells.
    By {
        source: Source,
        /// Its paid period.
        period: Period,
    },
    /// A plan is granted, but not for a paid period that is told.
    Untold,
    /// Nobody grants more than free.
    Nobody,
}

impl Grants {
    /// The plan in force at `at`: of those granted the one with the most minutes, else free. A plan with fewer minutes than
    /// free, as a changed catalogue may have made one, is never worse than none.
    pub fn plan(&self, policy: &Policy, at: Timestamp) -> Plan {
        self.granted(policy, at)
            .into_iter()
            .max_by_key(|(plan, standing)| (plan.minutes, Reverse(standing.as_of)))
            .map_or_else(|| policy.catalogue.free().clone(), |(plan, _)| plan)
    }

    /// When, after `after`, a grant next ends by itself. Between such instants the plan in force changes only by news.
    pub fn next_lapse(&self, policy: &Policy, after: Timestamp) -> Option<Timestamp> {
        let granted = self.granted(policy, after).into_iter();
        granted
            .filter_map(|(_, standing)| standing.lapses_at(policy.grant_grace))
            .min()
    }

    /// Who sets the rhythm at `at`: of the sources of the plan in force one that tells a paid period. Among several it is
    /// the one that sets it already, else the first, so that one subscription's renewals move nothing of another's.
    pub(crate) fn held(&self, policy: &Policy, at: Timestamp, holder: Option<&Source>) -> Held {
        let granted = self.granted(policy, at);
        let Some(most) = granted.iter().map(|(plan, _)| plan.minutes).max() else {
            return Held::Nobody;
        };
        granted
            .iter()
            .filter(|(plan, _)| plan.minutes == most)
            .filter_map(|(_, standing)| Some((standing, standing.period?)))
            .min_by_key(|(standing, _)| {
                (
                    holder != Some(&standing.source()),
                    standing.as_of,
                    standing.id,
                )
            })
            .map_or(Held::Untold, |(standing, period)| Held::By {
                source: standing.source(),
                period,
            })
    }

    /// All that grant more than free at `at`, and what each grants.
    pub fn sources(&self, policy: &Policy, at: Timestamp) -> Vec<(Source, PlanName)> {
        let granted = self.granted(policy, at).into_iter();
        granted
            .map(|(plan, standing)| (standing.source(), plan.name))
            .collect()
    }

    /// Whether any event told which plan a subscription stands for, as long as it lives.
    pub fn tells_plan_of(&self, subscription: &SubscriptionId) -> bool {
        self.of_subscription(subscription).is_some()
    }

    /// Whether that source grants more than free at `at`.
    pub(crate) fn is_granting(&self, source: &Source, policy: &Policy, at: Timestamp) -> bool {
        self.granted(policy, at)
            .iter()
            .any(|(_, standing)| standing.source() == *source)
    }

    /// All that is granted at `at` and is more than free: a subscription to free is none, or each would bring its minutes.
    fn granted<'a>(&'a self, policy: &Policy, at: Timestamp) -> Vec<(Plan, Standing<'a>)> {
        let free = policy.catalogue.free();
        self.standings()
            .filter(|standing| {
                let lapses_at = standing.lapses_at(policy.grant_grace);
                lapses_at.is_none_or(|lapse| at < lapse)
            })
            .map(|standing| (policy.catalogue.plan(standing.plan), standing))
            .filter(|(plan, _)| plan.name != free.name && plan.minutes >= free.minutes)
            .collect()
    }

    fn standings(&self) -> impl Iterator<Item = Standing<'_>> {
        let manual = self.manual.iter().filter_map(|manual| {
            Some(Standing {
                id: None,
                plan: manual.plan.as_ref()?,
                period: manual.period,
                ends_at: manual.ends_at,
                as_of: &manual.as_of,
                alive_until: manual.as_of.instant(),
            })
        });
        let listed_only = self.listed.keys();
        let listed_only = listed_only.filter(|id| !self.subscriptions.contains_key(*id));
        let ids = self.subscriptions.keys().chain(listed_only);
        manual.chain(ids.filter_map(|id| self.of_subscription(id)))
    }

    /// What a subscription grants, if anything.
    pub(super) fn of_subscription<'a>(&'a self, id: &'a SubscriptionId) -> Option<Standing<'a>> {
        let own = self.subscriptions.get(id);
        let listed = self.listed.get(id);
        let newest = listed
            .filter(|listed| own.is_none_or(|own| own.as_of < listed.as_of))
            .or(own)?;
        let behind = self
            .past_due
            .get(id)
            .filter(|behind| newest.as_of < behind.as_of);
        let left_out = self
            .roster_over(id)
            .is_some_and(|roster| newest.as_of < *roster);
        if left_out && behind.is_none() {
            return None;
        }
        // What a list does not tell is left to the subscription's own events.
        let own = own.unwrap_or(newest);
        let tells = newest.period.is_some() || newest.ends_at.is_some();
        let dates = if tells { newest } else { own };
        let last_word = behind
            .map_or(&newest.as_of, |behind| &behind.as_of)
            .instant();
        let unpaid_until = behind.and_then(|behind| behind.period).map(Period::end);
        Some(Standing {
            id: Some(id),
            plan: newest.plan.as_ref().or(own.plan.as_ref())?,
            period: dates.period,
            ends_at: dates.ends_at,
            as_of: &newest.as_of,
            alive_until: unpaid_until.map_or(last_word, |until| until.max(last_word)),
        })
    }
}

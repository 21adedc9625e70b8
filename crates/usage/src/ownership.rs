//! Whose a subscription is, as the events about it have told: what an event that names no user is read with, and what
//! keeps one subscription from granting its plan to two users.

use crate::event_order::EventOrder;
use crate::ids::{CustomerId, SubscriptionId, UserId};

/// What is known of a subscription apart from what it grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ownership {
    pub subscription: SubscriptionId,
    /// Whose it is.
    pub user: UserId,
    /// Whose it is at the billing provider.
    pub customer: Option<CustomerId>,
    /// When the newest event happened that named the user, in microseconds since the epoch.
    pub named_micros: i64,
    /// When the newest event of all happened.
    pub last_micros: i64,
    /// Whether it granted nothing any more as of that one.
    pub ended: bool,
}

impl Ownership {
    /// The order of the newest event.
    pub fn last_word(&self) -> EventOrder {
        EventOrder {
            unix_micros: self.last_micros,
            event: String::new(),
        }
    }
}

/// Whom an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscriber {
    pub user: UserId,
    /// The provider's name for them, where it is told.
    pub customer: Option<CustomerId>,
    /// Whether the event names the user itself.
    pub is_named: bool,
}

/// What an event says of whose a subscription is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The subscriber has it, as of the event; it may have been another's until then.
    Has {
        /// To be remembered.
        told: Ownership,
        /// Who had it, and loses it.
        from: Option<UserId>,
    },
    /// The event tells of what is over: by now the subscription is another user's.
    Passed,
    /// The event tells of what is over: the subscription has ended since. A user of whom no state is kept has no other
    /// memory of it.
    Ended,
}

impl Subscriber {
    /// Weighs what an event says of a subscription, as of its own time, against what is known. `ends` where it says that the
    /// subscription grants nothing any more.
    pub fn claim(
        &self,
        subscription: &SubscriptionId,
        known: &[Ownership],
        unix_micros: i64,
        ends: bool,
    ) -> Claim {
        let known = known.iter().find(|one| one.subscription == *subscription);
        let other = known.filter(|known| known.user != self.user);
        if other.is_some_and(|other| unix_micros < other.named_micros) {
            return Claim::Passed;
        }
        if !ends && known.is_some_and(|known| known.ended && unix_micros < known.last_micros) {
            return Claim::Ended;
        }
        // Whoever is not named is no news: any event that does name a user counts before this one.
        let named_micros = if self.is_named {
            unix_micros
        } else {
            known.map_or(0, |known| known.named_micros)
        };
        let told = Ownership {
            subscription: subscription.clone(),
            user: self.user.clone(),
            customer: self.customer.clone(),
            named_micros,
            last_micros: unix_micros,
            ended: ends,
        };
        let from = other.map(|other| other.user.clone());
        Claim::Has { told, from }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: &str) -> UserId {
        UserId::parse(id).expect("an id")
    }

    /// Anna's, by an event of 10 that named her; the last word on it is of 20.
    fn known(ended: bool) -> Ownership {
        Ownership {
            subscription: SubscriptionId::parse("sub_1").expect("an id"),
            user: user("anna"),
            customer: None,
            named_micros: 10,
            last_micros: 20,
            ended,
        }
    }

    fn claim(who: &str, is_named: bool, at: i64, ends: bool, ended: bool) -> Claim {
        let known = known(ended);
        let subscriber = Subscriber {
            user: user(who),
            customer: None,
            is_named,
        };
        subscriber.claim(&known.subscription, std::slice::from_ref(&known), at, ends)
    }

    fn has(
        who: &str,
        named_micros: i64,
        last_micros: i64,
        ended: bool,
        from: Option<&str>,
    ) -> Claim {
        let told = Ownership {
            user: user(who),
            named_micros,
            last_micros,
            ended,
            ..known(false)
        };
        let from = from.map(user);
        Claim::Has { told, from }
    }

    #[test]
    fn a_subscription_changes_hands_by_later_events_only() {
        assert_eq!(
            claim("anna", true, 5, false, false),
            has("anna", 5, 5, false, None)
        );
        assert_eq!(
            claim("anna", true, 30, false, false),
            has("anna", 30, 30, false, None)
        );
        assert_eq!(claim("bert", true, 9, false, false), Claim::Passed);
        assert_eq!(claim("bert", true, 9, true, false), Claim::Passed);
        for at in [10, 15, 30] {
            let taken = has("bert", at, at, false, Some("anna"));
            assert_eq!(claim("bert", true, at, false, false), taken);
        }
        let nobody = Subscriber {
            user: user("bert"),
            customer: None,
            is_named: true,
        };
        let id = known(false).subscription;
        assert_eq!(
            nobody.claim(&id, &[], 5, false),
            has("bert", 5, 5, false, None)
        );
    }

    #[test]
    fn an_event_that_names_nobody_is_no_news_of_whose_it_is() {
        assert_eq!(
            claim("anna", false, 30, true, false),
            has("anna", 10, 30, true, None)
        );
    }

    #[test]
    fn what_happened_before_the_end_is_over() {
        assert_eq!(claim("anna", true, 19, false, true), Claim::Ended);
        assert_eq!(
            claim("anna", true, 19, true, true),
            has("anna", 19, 19, true, None)
        );
        assert_eq!(
            claim("anna", true, 20, false, true),
            has("anna", 20, 20, false, None)
        );
    }
}

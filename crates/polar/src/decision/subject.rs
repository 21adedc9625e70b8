//! Whom an event is about: whom it names, else whose its subscription is known to be.

use std::collections::BTreeSet;

use talktime_usage::{CustomerId, Ownership, Subscriber, SubscriptionId, UserId};

use crate::event::{Event, Subject};

/// What the ledger has to be asked about an event before it can be decided: the subscriptions in it, and its customer.
pub fn asked_about(event: &Event) -> (Vec<SubscriptionId>, Option<CustomerId>) {
    let told = match &event.subject {
        Subject::Subscription(told) => std::slice::from_ref(told),
        Subject::Customer(Some(listed)) => listed,
        Subject::Customer(None) => &[],
        Subject::Other => return (Vec::new(), None),
    };
    let ids = told.iter().filter_map(|told| told.id.as_deref());
    let ids = ids.filter_map(|id| SubscriptionId::parse(id).ok());
    (ids.collect(), customer(event))
}

fn customer(event: &Event) -> Option<CustomerId> {
    CustomerId::parse(event.customer.as_deref()?).ok()
}

/// Whom the event is about, by `known`, what is known of the subscriptions in it and of its customer's others.
///
/// # Errors
/// In words for the operator, when that cannot be told.
pub fn subscriber(event: &Event, known: &[Ownership]) -> Result<Subscriber, &'static str> {
    let customer = customer(event);
    if let Some(named) = &event.user {
        // Not a second choice for one that is there and wrong: that might be somebody else.
        let user = UserId::parse(named)
            .map_err(|_| "the customer's external_id or user_id is not an id of a user")?;
        return Ok(Subscriber {
            user,
            customer,
            is_named: true,
        });
    }
    let (ids, _) = asked_about(event);
    let by_subscription = users(known.iter().filter(|one| ids.contains(&one.subscription)));
    let by_customer = || users(known.iter().filter(|one| one.customer == customer));
    let users = if by_subscription.is_empty() && customer.is_some() {
        by_customer()
    } else {
        by_subscription
    };
    let mut users = users.into_iter();
    match (users.next(), users.next()) {
        (None, _) => Err("no external_id of the customer and no user_id in the metadata"),
        (Some(user), None) => Ok(Subscriber {
            user: user.clone(),
            customer,
            is_named: false,
        }),
        (Some(_), Some(_)) => Err("it names no user, and its subscriptions belong to several"),
    }
}

fn users<'a>(known: impl Iterator<Item = &'a Ownership>) -> BTreeSet<&'a UserId> {
    known.map(|one| &one.user).collect()
}

//! News of what a user is granted, told to everybody whom it concerns: the user's state, that of the user from whom a
//! subscription is taken, and the ledger's memory of whose it is.

use talktime_usage::{
    Command, EventOrder, EventOutcome, PlanNews, PlanOutcome, Source, State, SubscriptionId, UserId,
};

use crate::delivery::Effect;
use crate::documents::Documents;
use crate::error::StoreError;
use crate::pseudonym;
use crate::sql::Sql;
use crate::sqlite::SqlLedger;
use crate::subscriptions;
use crate::users::{ApplyError, Users, WriteMark};

/// What became of news.
#[derive(Debug)]
pub struct Told {
    /// What became of it.
    pub outcome: EventOutcome,
    /// What it did to the user's state.
    pub effect: Effect,
    /// The state after it, if the user has one.
    pub state: Option<State>,
}

/// Tells everybody. What was done when it broke off is done once, should the news come again.
///
/// # Errors
/// When the rules refuse it, or a store fails.
pub async fn tell<D: Documents, C: Sql>(
    users: &Users<'_, D, SqlLedger<C>>,
    news: &PlanNews,
    mark: &WriteMark,
) -> Result<Told, ApplyError> {
    for (subscription, from) in &news.taken {
        take(users, subscription, from, news.as_of.as_ref()).await?;
    }
    let applied = users.apply(&news.user, &news.command, mark).await?;
    let (outcome, effect) = match applied.reply.try_into()? {
        PlanOutcome::Applied if !applied.writes.is_empty() => {
            (EventOutcome::Applied, Effect::Changed)
        }
        PlanOutcome::Applied => (EventOutcome::Applied, Effect::Nothing),
        PlanOutcome::Repeated => (EventOutcome::Applied, Effect::Known),
        PlanOutcome::Outdated => (EventOutcome::Outdated, Effect::Nothing),
    };
    for told in &news.told {
        match subscriptions::remember(users.ledger, told, users.now()).await {
            Ok(()) => {}
            // The state has the plan. Only an event that comes without a user would miss this.
            Err(error) if effect == Effect::Changed => {
                let subscription = &told.subscription;
                eprintln!("whose subscription {subscription} is could not be recorded: {error}");
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Told {
        outcome,
        effect,
        state: applied.state,
    })
}

/// Ends what a subscription grants to the user whose it was.
async fn take<D: Documents, C: Sql>(
    users: &Users<'_, D, SqlLedger<C>>,
    subscription: &SubscriptionId,
    from: &UserId,
    as_of: Option<&EventOrder>,
) -> Result<(), ApplyError> {
    let end = Command::ChangePlan {
        source: Source::Subscription(subscription.clone()),
        plan: None,
        period: None,
        ends_at: None,
        customer: None,
        reset_usage: false,
        as_of: as_of.cloned(),
    };
    match users.apply(from, &end, &users.fresh_mark()).await {
        Ok(_) => {
            let from = pseudonym(from);
            eprintln!("subscription {subscription} is taken from {from}: another has it now");
            Ok(())
        }
        // The new owner pays, and must not wait for a state that somebody has to mend first.
        Err(error @ ApplyError::Store(StoreError::Unreadable(_))) => {
            let from = pseudonym(from);
            eprintln!("subscription {subscription} could not be taken from {from}: {error}");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

//! Whose the subscriptions at the billing provider are: the ledger's `subscriptions`.

use talktime_usage::{CustomerId, Ownership, SubscriptionId, Timestamp, UserId};

use crate::error::StoreError;
use crate::sql::{Row, Sql, Value, optional_value, seconds, text};
use crate::sqlite::SqlLedger;

/// The most subscriptions that are looked up for one event: a customer's list holds one or two, and what a user's state
/// remembers are half as many.
const LOOKED_UP_MAX: usize = 64;

/// What is known of those subscriptions, and of all others of that customer.
///
/// # Errors
/// When the ledger fails.
pub async fn known<C: Sql>(
    ledger: &SqlLedger<C>,
    ids: &[SubscriptionId],
    customer: Option<&CustomerId>,
    now: Timestamp,
) -> Result<Vec<Ownership>, StoreError> {
    let ids = &ids[..ids.len().min(LOOKED_UP_MAX)];
    if ids.is_empty() && customer.is_none() {
        return Ok(Vec::new());
    }
    let places: Vec<String> = (2..ids.len() + 2).map(|n| format!("?{n}")).collect();
    let customer = optional_value(customer.map(CustomerId::as_str));
    let parameters = std::iter::once(customer).chain(ids.iter().map(|id| text(id.as_str())));
    let sql = format!(
        "SELECT id, user_id, customer_id, named_micros, last_micros, ended FROM subscriptions \
         WHERE customer_id = ?1 OR id IN ({}) ORDER BY last_micros DESC LIMIT {}",
        places.join(", "),
        2 * LOOKED_UP_MAX,
    );
    let rows = ledger.query(now, &sql, parameters).await?;
    Ok(rows.iter().filter_map(ownership).collect())
}

/// Takes in what an event told of a subscription. What a newer event said stays.
///
/// # Errors
/// When the ledger fails.
pub async fn remember<C: Sql>(
    ledger: &SqlLedger<C>,
    told: &Ownership,
    now: Timestamp,
) -> Result<(), StoreError> {
    ledger
        .query(
            now,
            "INSERT INTO subscriptions (id, user_id, customer_id, named_micros, last_micros, ended, seen_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO UPDATE SET \
             user_id = CASE WHEN excluded.named_micros >= subscriptions.named_micros \
             THEN excluded.user_id ELSE subscriptions.user_id END, \
             customer_id = CASE WHEN excluded.customer_id IS NULL OR excluded.named_micros < subscriptions.named_micros \
             THEN subscriptions.customer_id ELSE excluded.customer_id END, \
             ended = CASE WHEN excluded.last_micros >= subscriptions.last_micros \
             THEN excluded.ended ELSE subscriptions.ended END, \
             named_micros = MAX(excluded.named_micros, subscriptions.named_micros), \
             last_micros = MAX(excluded.last_micros, subscriptions.last_micros), \
             seen_at = MAX(excluded.seen_at, subscriptions.seen_at)",
            [
                text(told.subscription.as_str()),
                text(told.user.as_str()),
                optional_value(told.customer.as_ref().map(CustomerId::as_str)),
                Value::Integer(told.named_micros),
                Value::Integer(told.last_micros),
                Value::Integer(told.ended.into()),
                seconds(now),
            ],
        )
        .await?;
    Ok(())
}

/// `None` for a row that cannot be read, as if it were not there: one that somebody wrote by hand must not hold up the
/// events of its customer.
fn ownership(row: &Row) -> Option<Ownership> {
    Some(Ownership {
        subscription: SubscriptionId::parse(row.get::<&str>(0)?).ok()?,
        user: UserId::parse(row.get::<&str>(1)?).ok()?,
        customer: row.get::<&str>(2).and_then(|id| CustomerId::parse(id).ok()),
        named_micros: row.get(3)?,
        last_micros: row.get(4)?,
        ended: row.get::<i64>(5)? != 0,
    })
}

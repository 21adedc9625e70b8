//! What the ledger may forget: rows that are final and older than the operator wants to keep.

use talktime_usage::Timestamp;

use crate::error::StoreError;
use crate::sql::{Sql, Value, seconds};
use crate::sqlite::SqlLedger;
use crate::webhook_events::open_outcomes;

/// What goes, the oldest first. Events that an operator should look at stay, and so do the current period of each user,
/// which a lost document is made anew from, and subscriptions that have not ended: a yearly one is heard of once a year.
fn forgettable() -> [(&'static str, String); 4] {
    let open = open_outcomes();
    [
        (
            "usage_sessions",
            "ended_at < ?1 ORDER BY ended_at".to_owned(),
        ),
        (
            "usage_periods",
            "archived = 1 AND period_end < ?1 ORDER BY period_end".to_owned(),
        ),
        (
            "webhook_events",
            format!("received_at < ?1 AND outcome NOT IN ({open}) ORDER BY received_at"),
        ),
        (
            "subscriptions",
            "ended = 1 AND seen_at < ?1 ORDER BY seen_at".to_owned(),
        ),
    ]
}

impl<C: Sql> SqlLedger<C> {
    pub(crate) async fn prune_rows(
        &self,
        before: Timestamp,
        most: u32,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut pruned = 0;
        for (table, which) in forgettable() {
            let sql = format!(
                "DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE {which} LIMIT ?2) RETURNING 1"
            );
            let parameters = [seconds(before), Value::Integer(most.into())];
            pruned += self.query(now, &sql, parameters).await?.len() as u64;
        }
        Ok(pruned)
    }
}

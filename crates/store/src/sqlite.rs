//! [`Ledger`] in SQL, for `SQLite` and `libSQL`.
//!
//! Every statement stands alone and may be repeated: under Spin several processes write, and transactions over several
//! calls fail when they meet. The syntax is plain, since `libSQL`'s client parses it by itself.

use std::time::Duration;

use talktime_usage::{LedgerFacts, LedgerWrite, SessionId, Timestamp, UserId};

use crate::alarms::UserRows;
use crate::backoff;
use crate::environment::{Deadline, Environment};
use crate::error::StoreError;
use crate::ledger::{Ledger, SEEDING_LEASE, Written};
use crate::migrations;
use crate::sql::{Row, Sql, Value, required_instant, seconds, seconds_up, text};

mod alarms;

/// How long a statement is tried again for while another writer holds the database. A request makes a few, and is to be
/// answered within five seconds.
const TRIED_FOR: Duration = Duration::from_secs(1);

/// How far the clocks of all machines may differ.
const CLOCKS_APART_MAX: Duration = Duration::from_mins(1);

/// The ledger in a database.
pub struct SqlLedger<C> {
    /// The connection.
    pub sql: C,
    environment: &'static dyn Environment,
}

impl<C: Sql> SqlLedger<C> {
    /// The ledger in that database.
    pub fn new(sql: C, environment: &'static dyn Environment) -> Self {
        Self { sql, environment }
    }

    /// Runs one statement and gives its rows. A lock that another writer holds is waited for, within bounds.
    pub(crate) async fn execute(
        &self,
        sql: &str,
        parameters: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<Row>, StoreError> {
        let parameters: Vec<Value> = parameters.into_iter().collect();
        let deadline = Deadline::after(TRIED_FOR, self.environment);
        let mut waits = backoff::locked(self.environment);
        loop {
            let error = match self.sql.run(sql, &parameters).await {
                Ok(rows) => return Ok(rows),
                Err(error) => error,
            };
            let again = match (&error, waits.next()) {
                (StoreError::Busy(_), Some(wait)) => deadline.wait(wait, self.environment).await,
                _ => false,
            };
            if !again {
                return Err(error);
            }
        }
    }

    /// The same, once the schema is known to be there.
    pub(crate) async fn query(
        &self,
        now: Timestamp,
        sql: &str,
        parameters: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<Row>, StoreError> {
        migrations::apply_missing(self, now).await?;
        self.execute(sql, parameters).await
    }
}

/// Until when a lease that was given by now can last at the most: that of a machine whose clock is as far ahead as clocks may
/// be. One that lasts longer was given by a clock that was wrong, and keeps nobody from anything.
fn longest(now: Timestamp, lease: Duration) -> Timestamp {
    now.plus(lease).plus(CLOCKS_APART_MAX)
}

impl<C: Sql> Ledger for SqlLedger<C> {
    async fn claim_creation(
        &self,
        user: &UserId,
        creator: &str,
        write: &str,
        now: Timestamp,
        alarm_at: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        self.query(
            now,
            "INSERT INTO users (id, created_at, seed_token, seed_lease_until, alarm_at, alarm_token, alarm_urgent) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1) \
             ON CONFLICT (id) DO UPDATE SET seed_token = excluded.seed_token, \
             seed_lease_until = excluded.seed_lease_until, alarm_at = excluded.alarm_at, \
             alarm_token = excluded.alarm_token, alarm_urgent = 1 WHERE users.seed_lease_until <= ?2 \
             OR users.seed_lease_until > ?7 OR users.seed_token = excluded.seed_token",
            [
                text(user.as_str()),
                seconds(now),
                text(creator),
                seconds(now.plus(SEEDING_LEASE)),
                seconds_up(alarm_at),
                text(write),
                seconds(longest(now, SEEDING_LEASE)),
            ],
        )
        .await?;
        let rows = self
            .query(
                now,
                "SELECT seed_lease_until FROM users WHERE id = ?1 AND seed_token = ?2",
                [text(user.as_str()), text(creator)],
            )
            .await?;
        rows.first().map(|row| required_instant(row, 0)).transpose()
    }

    async fn is_creator(
        &self,
        user: &UserId,
        creator: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let rows = self
            .query(
                now,
                "SELECT 1 FROM users WHERE id = ?1 AND seed_token = ?2",
                [text(user.as_str()), text(creator)],
            )
            .await?;
        Ok(!rows.is_empty())
    }

    async fn facts(
        &self,
        user: &UserId,
        session: Option<SessionId>,
        now: Timestamp,
    ) -> Result<Option<LedgerFacts>, StoreError> {
        self.facts_of(user, session, now).await
    }

    async fn set_alarm(
        &self,
        user: &UserId,
        token: &str,
        now: Timestamp,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.query(
            now,
            "INSERT INTO users (id, created_at, seed_token, seed_lease_until, alarm_at, alarm_token, alarm_urgent) \
             VALUES (?1, ?2, ?3, 0, ?4, ?3, 1) \
             ON CONFLICT (id) DO UPDATE SET alarm_token = excluded.alarm_token, alarm_urgent = 1, \
             alarm_at = CASE WHEN users.alarm_at IS NULL OR users.alarm_at > excluded.alarm_at \
             THEN excluded.alarm_at ELSE users.alarm_at END",
            [text(user.as_str()), seconds(now), text(token), seconds_up(at)],
        )
        .await?;
        Ok(())
    }

    async fn write(
        &self,
        user: &UserId,
        rows: &[LedgerWrite],
        now: Timestamp,
    ) -> Result<Written, StoreError> {
        let told = [UserRows { user, rows }];
        let mut outcomes = self.write_rows(&told, now).await;
        // One for each that was told.
        outcomes.pop().unwrap_or(Ok(Written::Rows))
    }
}

#[cfg(test)]
mod tests;

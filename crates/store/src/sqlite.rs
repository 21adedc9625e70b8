//! [`Ledger`] in SQL, for `SQLite` and `libSQL`.
//!
//! Every statement stands alone and may be repeated: under Spin several processes write, and transactions over several
//! calls fail when they meet. The syntax is plain, since `libSQL`'s client parses it by itself.

use std::time::Duration;

use talktime_usage::Alarm;
use talktime_usage::{LedgerFacts, LedgerWrite, SessionId, Timestamp, UserId, WriteId};

use crate::backoff;
use crate::environment::{Deadline, Environment};
use crate::error::StoreError;
use crate::ledger::{Claimed, DueAlarm, Ledger, SEEDING_LEASE, SWEEP_LEASE, Written};
use crate::migrations;
use crate::pseudonym::pseudonym_of;
use crate::sql::{
    Row, Sql, Value, only_row, optional_instant, optional_text, required, required_instant,
    seconds, seconds_up, text,
};
use crate::sweep_clock::{Suspect, SweepClock};

/// How long a statement is tried again for while another writer holds the database. A request makes a few, and is to be
/// answered within five seconds.
const TRIED_FOR: Duration = Duration::from_secs(1);

/// How far the clocks of all machines may differ.
const CLOCKS_APART_MAX: Duration = Duration::from_mins(1);

/// For how long an id that is none is put off.
const UNREADABLE_PUT_OFF: Duration = Duration::from_hours(24);

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

    /// Claims due alarms, those that somebody waits for or all.
    async fn claim(&self, now: Timestamp, urgent: bool, most: u32) -> Result<Vec<Row>, StoreError> {
        let which = if urgent { "alarm_urgent = 1 AND " } else { "" };
        let sql = format!(
            "UPDATE users SET lease_until = ?2 WHERE id IN (SELECT id FROM users WHERE {which}alarm_at <= ?1 \
             AND (lease_until <= ?1 OR lease_until > ?4) ORDER BY alarm_at LIMIT ?3) \
             RETURNING id, alarm_token, failures"
        );
        let parameters = [
            seconds(now),
            seconds(now.plus(SWEEP_LEASE)),
            Value::Integer(most.into()),
            seconds(longest(now, SWEEP_LEASE)),
        ];
        self.query(now, &sql, parameters).await
    }

    /// Puts off a row whose id is none. It was imported by hand, or is older than the rule that refuses it.
    async fn put_off(&self, id: &str, why: &dyn std::fmt::Display, now: Timestamp) {
        eprintln!(
            "a row of users has an id that is none ({why}); its alarm is put off for a day: {}",
            pseudonym_of(id)
        );
        let put_off = self
            .query(
                now,
                "UPDATE users SET alarm_at = ?2, lease_until = 0, failures = failures + 1 WHERE id = ?1",
                [text(id), seconds(now.plus(UNREADABLE_PUT_OFF))],
            )
            .await;
        if let Err(error) = put_off {
            eprintln!("it keeps its lease: {error}");
        }
    }
}

/// Until when a lease that was given by now can last at the most: that of a machine whose clock is as far ahead as clocks may
/// be. One that lasts longer was given by a clock that was wrong, and keeps nobody from anything.
fn longest(now: Timestamp, lease: Duration) -> Timestamp {
    now.plus(lease).plus(CLOCKS_APART_MAX)
}

/// The alarm in a row of `id, alarm_token, failures`; else the id that is none, and why.
fn due_alarm(row: &Row) -> Result<Result<DueAlarm, (String, String)>, StoreError> {
    let id = required::<&str>(row, 0)?;
    let user = match UserId::parse(id) {
        Ok(user) => user,
        Err(error) => return Ok(Err((id.to_owned(), error.to_string()))),
    };
    Ok(Ok(DueAlarm {
        user,
        token: optional_text(row, 1)?,
        failures: required(row, 2)?,
    }))
}

fn token(alarm: &DueAlarm) -> Value {
    alarm.token.as_deref().map_or(Value::Null, text)
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
        let mut outcome = Ok(Written::Rows);
        for row in rows {
            match self.write_row(user, row, now).await {
                Ok(Written::Rows | Written::Later) => {}
                Ok(Written::NewerKnown) => {
                    outcome = outcome.map(|_| Written::NewerKnown);
                }
                // The next one would wait as long, and be as locked.
                Err(error @ StoreError::Busy(_)) => return Err(error),
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        outcome
    }

    async fn claim_due(&self, now: Timestamp, most: u32) -> Result<Claimed, StoreError> {
        let mut rows = self.claim(now, true, most).await?;
        let left = most.saturating_sub(u32::try_from(rows.len()).unwrap_or(u32::MAX));
        if left > 0 {
            rows.extend(self.claim(now, false, left).await?);
        }
        let mut claimed = Claimed {
            until: Some(now.plus(SWEEP_LEASE)),
            ..Claimed::default()
        };
        for row in &rows {
            match due_alarm(row)? {
                Ok(alarm) => claimed.alarms.push(alarm),
                Err((id, why)) => {
                    self.put_off(&id, &why, now).await;
                    claimed.unreadable += 1;
                }
            }
        }
        Ok(claimed)
    }

    async fn hand_back(
        &self,
        alarms: &[DueAlarm],
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let places: Vec<String> = (2..alarms.len() + 2).map(|n| format!("?{n}")).collect();
        let sql = format!(
            "UPDATE users SET lease_until = 0 WHERE lease_until = ?1 AND id IN ({})",
            places.join(", ")
        );
        let ids = alarms.iter().map(|alarm| text(alarm.user.as_str()));
        self.query(now, &sql, std::iter::once(seconds(until)).chain(ids))
            .await?;
        Ok(())
    }

    async fn finish_alarm(
        &self,
        alarm: &DueAlarm,
        sweep: &WriteId,
        next: Option<Alarm>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.query(
            now,
            "UPDATE users SET alarm_at = CASE WHEN alarm_token IS ?2 THEN ?3 ELSE alarm_at END, \
             alarm_urgent = CASE WHEN alarm_token IS ?2 THEN ?5 ELSE alarm_urgent END, \
             alarm_token = CASE WHEN alarm_token IS ?2 THEN ?4 ELSE alarm_token END, \
             lease_until = 0, failures = 0 WHERE id = ?1",
            [
                text(alarm.user.as_str()),
                token(alarm),
                next.map_or(Value::Null, |next| seconds_up(next.at)),
                text(&DueAlarm::token_of_sweep(sweep)),
                Value::Integer(next.is_some_and(|next| next.urgent).into()),
            ],
        )
        .await?;
        Ok(())
    }

    async fn retry_alarm(
        &self,
        alarm: &DueAlarm,
        next: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.query(
            now,
            "UPDATE users SET alarm_at = CASE WHEN alarm_token IS ?2 THEN ?3 ELSE alarm_at END, \
             lease_until = 0, failures = failures + 1 WHERE id = ?1",
            [text(alarm.user.as_str()), token(alarm), seconds_up(next)],
        )
        .await?;
        Ok(())
    }

    async fn count_due(&self, now: Timestamp) -> Result<u64, StoreError> {
        let sql = "SELECT COUNT(*) FROM users WHERE alarm_at <= ?1";
        let rows = self.query(now, sql, [seconds(now)]).await?;
        required(only_row(&rows)?, 0)
    }

    async fn sweep_clock(&self, now: Timestamp) -> Result<Option<SweepClock>, StoreError> {
        let sql = "SELECT newest, suspect_since, suspect_last FROM sweep_clock WHERE id = 1";
        let rows = self.query(now, sql, []).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let suspect = optional_instant(row, 1)?.zip(optional_instant(row, 2)?);
        Ok(Some(SweepClock {
            newest: required_instant(row, 0)?,
            suspect: suspect.map(|(since, last)| Suspect { since, last }),
        }))
    }

    async fn set_sweep_clock(&self, clock: SweepClock, now: Timestamp) -> Result<(), StoreError> {
        let or_null = |at: Option<Timestamp>| at.map_or(Value::Null, seconds);
        self.query(
            now,
            "INSERT INTO sweep_clock (id, newest, suspect_since, suspect_last) VALUES (1, ?1, ?2, ?3) \
             ON CONFLICT (id) DO UPDATE SET newest = excluded.newest, suspect_since = excluded.suspect_since, \
             suspect_last = excluded.suspect_last",
            [
                seconds(clock.newest),
                or_null(clock.suspect.map(|suspect| suspect.since)),
                or_null(clock.suspect.map(|suspect| suspect.last)),
            ],
        )
        .await?;
        Ok(())
    }

    async fn prune(&self, before: Timestamp, most: u32, now: Timestamp) -> Result<u64, StoreError> {
        self.prune_rows(before, most, now).await
    }
}

#[cfg(test)]
mod tests;

//! [`Ledger`] on Spin's `SQLite`.
//!
//! Every statement stands alone and may be repeated: under Spin several processes write, and transactions over several
//! calls fail when they meet. The syntax is plain, since `libSQL`'s client parses it by itself.

use std::cell::OnceCell;

use spin_sdk::sqlite::{Connection, RowResult, Value};
use talktime_usage::{Instant, LedgerWrite, PeriodRow, SessionRow, UserId, WriteId};

use crate::backoff;
use crate::error::StoreError;
use crate::ledger::{DueAlarm, Ledger, SEEDING_LEASE, SWEEP_LEASE};
use crate::migrations;

/// The database `default`, opened when it is first needed: most requests never do.
#[derive(Default)]
pub struct SpinSqlite {
    connection: OnceCell<Connection>,
}

impl SpinSqlite {
    /// Runs one statement and gives its rows. A lock that another writer holds is waited for, within bounds.
    pub(crate) async fn execute(
        &self,
        sql: &str,
        parameters: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<RowResult>, StoreError> {
        let parameters: Vec<Value> = parameters.into_iter().collect();
        let mut waits = backoff::locked();
        loop {
            let error = match self.try_execute(sql, &parameters).await {
                Ok(rows) => return Ok(rows),
                Err(error) => error,
            };
            match (error, waits.next()) {
                (StoreError::Busy(_), Some(wait)) => spin_sdk::time::sleep(wait).await,
                (error, _) => return Err(error),
            }
        }
    }

    async fn try_execute(
        &self,
        sql: &str,
        parameters: &[Value],
    ) -> Result<Vec<RowResult>, StoreError> {
        let connection = self.connection().await?;
        let result = connection.execute(sql, parameters.iter().cloned()).await?;
        Ok(result.collect().await?)
    }

    async fn connection(&self) -> Result<&Connection, StoreError> {
        if let Some(connection) = self.connection.get() {
            return Ok(connection);
        }
        let connection = Connection::open_default().await?;
        // In-process SQLite wants it for every connection; a libSQL server decides by itself and may refuse.
        if let Ok(result) = connection.execute("PRAGMA foreign_keys = ON", []).await {
            let _ = result.collect().await;
        }
        Ok(self.connection.get_or_init(|| connection))
    }

    /// The same, once the schema is known to be there.
    pub(crate) async fn query(
        &self,
        now: Instant,
        sql: &str,
        parameters: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<RowResult>, StoreError> {
        migrations::apply_missing(self, now).await?;
        self.execute(sql, parameters).await
    }

    async fn write_period(
        &self,
        user: &UserId,
        row: &PeriodRow,
        now: Instant,
    ) -> Result<(), StoreError> {
        // Of one version there may be several rows while a session runs: each sweep counts further.
        self.query(
            now,
            "INSERT INTO usage_periods (id, user_id, period_start, period_end, plan, minutes_used, minutes_limit, \
             synced_at, version, archived, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?8) \
             ON CONFLICT (id) DO UPDATE SET period_start = excluded.period_start, period_end = excluded.period_end, \
             plan = excluded.plan, minutes_used = excluded.minutes_used, minutes_limit = excluded.minutes_limit, \
             synced_at = excluded.synced_at, version = excluded.version, archived = excluded.archived \
             WHERE excluded.version > usage_periods.version OR (excluded.version = usage_periods.version \
             AND excluded.minutes_used >= usage_periods.minutes_used)",
            [
                text(&row.id),
                text(user.as_str()),
                seconds(row.period.start()),
                seconds(row.period.end()),
                text(row.plan.as_str()),
                Value::Integer(row.minutes_used.get().into()),
                Value::Integer(row.minutes_limit.get().into()),
                seconds(now),
                Value::Integer(i64::try_from(row.version).unwrap_or(i64::MAX)),
                Value::Integer(row.archived.into()),
            ],
        )
        .await?;
        Ok(())
    }

    async fn write_session(
        &self,
        user: &UserId,
        row: &SessionRow,
        now: Instant,
    ) -> Result<(), StoreError> {
        // A session ends once: what a row says of its end is never changed, and minutes of a running one only grow.
        self.query(
            now,
            "INSERT INTO usage_sessions (id, user_id, started_at, ended_at, minutes_used, topic, difficulty, end_reason) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
             ON CONFLICT (id) DO UPDATE SET ended_at = excluded.ended_at, end_reason = excluded.end_reason, \
             minutes_used = CASE WHEN excluded.ended_at IS NULL \
             THEN MAX(excluded.minutes_used, usage_sessions.minutes_used) ELSE excluded.minutes_used END \
             WHERE usage_sessions.ended_at IS NULL",
            [
                text(&row.id.to_string()),
                text(user.as_str()),
                seconds(row.started_at),
                row.ended.as_ref().map_or(Value::Null, |end| seconds(end.at)),
                Value::Integer(row.minutes_used.get().into()),
                row.topic.as_ref().map_or(Value::Null, |topic| text(topic.as_str())),
                row.difficulty.map_or(Value::Null, |difficulty| text(difficulty.as_str())),
                row.ended.as_ref().map_or(Value::Null, |end| text(end.reason.as_str())),
            ],
        )
        .await?;
        Ok(())
    }
}

impl Ledger for SpinSqlite {
    async fn claim_creation(
        &self,
        user: &UserId,
        token: &str,
        now: Instant,
        alarm_at: Instant,
    ) -> Result<Option<Instant>, StoreError> {
        self.query(
            now,
            "INSERT INTO users (id, created_at, seed_token, seed_lease_until, alarm_at, alarm_token) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?3) \
             ON CONFLICT (id) DO UPDATE SET seed_token = excluded.seed_token, \
             seed_lease_until = excluded.seed_lease_until, alarm_at = excluded.alarm_at, \
             alarm_token = excluded.alarm_token WHERE users.seed_lease_until <= ?2",
            [
                text(user.as_str()),
                seconds(now),
                text(token),
                seconds(now.plus(SEEDING_LEASE)),
                seconds_up(alarm_at),
            ],
        )
        .await?;
        let rows = self
            .query(
                now,
                "SELECT seed_lease_until FROM users WHERE id = ?1 AND seed_token = ?2",
                [text(user.as_str()), text(token)],
            )
            .await?;
        let until = rows.first().and_then(|row| row.get(0));
        Ok(until.map(Instant::from_unix_seconds))
    }

    async fn set_alarm(
        &self,
        user: &UserId,
        token: &str,
        now: Instant,
        at: Instant,
    ) -> Result<(), StoreError> {
        self.query(
            now,
            "INSERT INTO users (id, created_at, seed_token, seed_lease_until, alarm_at, alarm_token) \
             VALUES (?1, ?2, ?3, 0, ?4, ?3) \
             ON CONFLICT (id) DO UPDATE SET alarm_token = excluded.alarm_token, \
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
        now: Instant,
    ) -> Result<(), StoreError> {
        for row in rows {
            match row {
                LedgerWrite::Period(row) => self.write_period(user, row, now).await?,
                LedgerWrite::Session(row) => self.write_session(user, row, now).await?,
            }
        }
        Ok(())
    }

    async fn claim_due(&self, now: Instant, most: u32) -> Result<Vec<DueAlarm>, StoreError> {
        let rows = self
            .query(
                now,
                "UPDATE users SET lease_until = ?2 WHERE id IN (SELECT id FROM users WHERE alarm_at <= ?1 \
                 AND lease_until <= ?1 ORDER BY alarm_at LIMIT ?3) RETURNING id, alarm_token, failures",
                [
                    seconds(now),
                    seconds(now.plus(SWEEP_LEASE)),
                    Value::Integer(most.into()),
                ],
            )
            .await?;
        let alarm = |row: &RowResult| {
            let id = row.get::<&str>(0).unwrap_or_default();
            let user = UserId::parse(id)
                .map_err(|error| StoreError::Unreadable(format!("user id {id:?}: {error}")))?;
            Ok(DueAlarm {
                user,
                token: row.get::<&str>(1).unwrap_or_default().to_owned(),
                failures: row.get(2).unwrap_or(0),
            })
        };
        rows.iter().map(alarm).collect()
    }

    async fn finish_alarm(
        &self,
        alarm: &DueAlarm,
        sweep: &WriteId,
        next: Option<Instant>,
    ) -> Result<(), StoreError> {
        self.execute(
            "UPDATE users SET alarm_at = CASE WHEN alarm_token = ?2 THEN ?3 ELSE alarm_at END, \
             alarm_token = CASE WHEN alarm_token = ?2 THEN ?4 ELSE alarm_token END, \
             lease_until = 0, failures = 0 WHERE id = ?1",
            [
                text(alarm.user.as_str()),
                text(&alarm.token),
                next.map_or(Value::Null, seconds_up),
                text(&DueAlarm::token_of_sweep(sweep)),
            ],
        )
        .await?;
        Ok(())
    }

    async fn retry_alarm(&self, alarm: &DueAlarm, next: Instant) -> Result<(), StoreError> {
        self.execute(
            "UPDATE users SET alarm_at = CASE WHEN alarm_token = ?2 THEN ?3 ELSE alarm_at END, \
             lease_until = 0, failures = failures + 1 WHERE id = ?1",
            [
                text(alarm.user.as_str()),
                text(&alarm.token),
                seconds_up(next),
            ],
        )
        .await?;
        Ok(())
    }

    async fn count_due(&self, now: Instant) -> Result<u64, StoreError> {
        let rows = self
            .query(
                now,
                "SELECT COUNT(*) FROM users WHERE alarm_at <= ?1",
                [seconds(now)],
            )
            .await?;
        Ok(rows.first().and_then(|row| row.get(0)).unwrap_or(0))
    }
}

pub(crate) fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

pub(crate) fn seconds(at: Instant) -> Value {
    Value::Integer(at.unix_seconds())
}

/// Rounded up, for alarms: at that second the instant has surely come.
fn seconds_up(at: Instant) -> Value {
    let floor = at.unix_seconds();
    Value::Integer(floor + i64::from(at.unix_millis() > floor * 1_000))
}

impl From<spin_sdk::sqlite::Error> for StoreError {
    fn from(error: spin_sdk::sqlite::Error) -> Self {
        use spin_sdk::sqlite::Error;
        match error {
            Error::NoSuchDatabase | Error::AccessDenied => Self::Unavailable(
                "the component has no database \"default\": grant it in spin.toml".to_owned(),
            ),
            Error::InvalidConnection => Self::Unavailable("the connection is gone".to_owned()),
            Error::DatabaseFull => Self::Unavailable("the database is full".to_owned()),
            Error::Io(message) => Self::from_message(message),
        }
    }
}

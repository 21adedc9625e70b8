//! The ledger's rows of periods and sessions: one statement each, which an older row cannot undo, and which says whether
//! it was the older one.

use talktime_usage::{LedgerWrite, PeriodRow, SessionRow, Timestamp, UserId};

use crate::error::StoreError;
use crate::ledger::{SWEPT, Written};
use crate::pseudonym::pseudonym;
use crate::sql::{Sql, Value, optional_value, required, seconds, text};
use crate::sqlite::SqlLedger;

impl<C: Sql> SqlLedger<C> {
    /// Writes one row. A user whom the ledger does not know, as after a restore, is made known first.
    pub(crate) async fn write_row(
        &self,
        user: &UserId,
        row: &LedgerWrite,
        now: Timestamp,
    ) -> Result<Written, StoreError> {
        match self.try_write_row(user, row, now).await {
            Err(StoreError::Unavailable(why)) if why.contains("FOREIGN KEY constraint failed") => {
                eprintln!(
                    "the ledger does not know {} any more: it was put back in time or emptied. The user is made known \
                     again",
                    pseudonym(user)
                );
                self.make_known(user, now).await?;
                self.try_write_row(user, row, now).await
            }
            Err(StoreError::Unavailable(why)) if why.contains("UNIQUE constraint failed") => {
                eprintln!(
                    "the ledger has another period of {} from the same instant on: {why}",
                    pseudonym(user)
                );
                Ok(Written::NewerKnown)
            }
            written => written,
        }
    }

    async fn try_write_row(
        &self,
        user: &UserId,
        row: &LedgerWrite,
        now: Timestamp,
    ) -> Result<Written, StoreError> {
        match row {
            LedgerWrite::Period(row) => self.write_period(user, row, now).await,
            LedgerWrite::Session(row) => self.write_session(user, row, now).await,
        }
    }

    /// The user with an alarm that fires at once, so that a sweep brings whatever else is missing.
    async fn make_known(&self, user: &UserId, now: Timestamp) -> Result<(), StoreError> {
        self.query(
            now,
            "INSERT INTO users (id, created_at, seed_token, seed_lease_until, alarm_at, alarm_token, alarm_urgent) \
             VALUES (?1, ?2, ?3, 0, ?2, ?3, 1) ON CONFLICT (id) DO NOTHING",
            [
                text(user.as_str()),
                seconds(now),
                text(&format!("{SWEPT}made-known")),
            ],
        )
        .await?;
        Ok(())
    }

    async fn write_period(
        &self,
        user: &UserId,
        row: &PeriodRow,
        now: Timestamp,
    ) -> Result<Written, StoreError> {
        // One write a nanosecond for 292 years; a document that says more was made by hand.
        let version = i64::try_from(row.version).unwrap_or(i64::MAX);
        // Of one version there may be several rows while a session runs: each sweep counts further.
        let written = self
            .query(
                now,
                "INSERT INTO usage_periods (id, user_id, period_start, period_end, plan, minutes_used, minutes_limit, \
                 synced_at, version, archived, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?8) \
                 ON CONFLICT (id) DO UPDATE SET period_start = excluded.period_start, period_end = excluded.period_end, \
                 plan = excluded.plan, minutes_used = excluded.minutes_used, minutes_limit = excluded.minutes_limit, \
                 synced_at = excluded.synced_at, version = excluded.version, archived = excluded.archived \
                 WHERE excluded.version > usage_periods.version OR (excluded.version = usage_periods.version \
                 AND excluded.minutes_used >= usage_periods.minutes_used) RETURNING version",
                [
                    text(&row.id),
                    text(user.as_str()),
                    seconds(row.period.start()),
                    seconds(row.period.end()),
                    text(row.plan.as_str()),
                    Value::Integer(row.minutes_used.get().into()),
                    Value::Integer(row.minutes_limit.get().into()),
                    seconds(now),
                    Value::Integer(version),
                    Value::Integer(row.archived.into()),
                ],
            )
            .await?;
        if !written.is_empty() {
            return Ok(Written::Rows);
        }
        let known = self
            .query(
                now,
                "SELECT version FROM usage_periods WHERE id = ?1",
                [text(&row.id)],
            )
            .await?;
        // No row: it was there, and a sweep has just deleted it for its age.
        let known: i64 = known.first().map_or(Ok(0), |row| required(row, 0))?;
        // Of the same version it is an earlier look at a running session, which a later one overtook.
        Ok(if known > version {
            Written::NewerKnown
        } else {
            Written::Rows
        })
    }

    async fn write_session(
        &self,
        user: &UserId,
        row: &SessionRow,
        now: Timestamp,
    ) -> Result<Written, StoreError> {
        // A session ends once: what a row says of its end is never changed, and minutes of a running one only grow.
        let written = self
            .query(
                now,
                "INSERT INTO usage_sessions (id, user_id, started_at, ended_at, minutes_used, topic, difficulty, end_reason) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
                 ON CONFLICT (id) DO UPDATE SET ended_at = excluded.ended_at, end_reason = excluded.end_reason, \
                 minutes_used = CASE WHEN excluded.ended_at IS NULL \
                 THEN MAX(excluded.minutes_used, usage_sessions.minutes_used) ELSE excluded.minutes_used END \
                 WHERE usage_sessions.ended_at IS NULL OR (usage_sessions.ended_at = excluded.ended_at \
                 AND usage_sessions.minutes_used = excluded.minutes_used) RETURNING id",
                [
                    text(&row.id.to_string()),
                    text(user.as_str()),
                    seconds(row.started_at),
                    row.ended.as_ref().map_or(Value::Null, |end| seconds(end.at)),
                    Value::Integer(row.minutes_used.get().into()),
                    optional_value(row.topic.as_ref().map(talktime_usage::Topic::as_str)),
                    optional_value(row.difficulty.map(talktime_usage::Difficulty::as_str)),
                    optional_value(row.ended.as_ref().map(|end| end.reason.as_str())),
                ],
            )
            .await?;
        // What is final and says something else was told of a state that this row knows nothing of.
        Ok(if written.is_empty() {
            Written::NewerKnown
        } else {
            Written::Rows
        })
    }
}

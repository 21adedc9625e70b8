//! What operators ask the ledger: one user's history, and the whole at a glance.

use std::time::Duration;

use talktime_usage::{Minutes, Timestamp, UserId};

use crate::error::StoreError;
use crate::sql::{
    Row, Sql, Value, only_row, optional, optional_instant, optional_text, required,
    required_instant, required_minutes, required_text, seconds, text,
};
use crate::sqlite::SqlLedger;

/// How many rows of a kind an operator is shown.
const ROWS_SHOWN: i64 = 50;

/// How far back sums of ended sessions reach.
pub const LOOK_BACK: Duration = Duration::from_hours(30 * 24);

/// A row of `usage_sessions`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    pub id: String,
    pub user: String,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// What it cost, or has cost by the last sweep.
    pub minutes_used: Minutes,
    /// What it is about.
    pub topic: Option<String>,
    pub difficulty: Option<String>,
    /// Why it ended.
    pub end_reason: Option<String>,
}

/// A row of `usage_periods`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeriodRecord {
    /// Its first instant.
    pub start: Timestamp,
    /// The first instant after it.
    pub end: Timestamp,
    /// The plan in force.
    pub plan: String,
    pub minutes_used: Minutes,
    /// The plan's minutes.
    pub minutes_limit: Minutes,
    /// When the ledger last heard of it.
    pub synced_at: Timestamp,
    /// Whether its sum is final.
    pub archived: bool,
}

/// A name with how often it occurs and how many minutes go with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// A plan, an end reason or a day.
    pub name: String,
    pub count: u64,
    pub minutes: u64,
}

/// How the alarms stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlarmTally {
    /// Due and not yet handled.
    pub due: u64,
    /// Failed at least once since they last worked.
    pub failing: u64,
    /// How late the most overdue one is.
    pub oldest_due: Duration,
}

impl<C: Sql> SqlLedger<C> {
    /// A user's latest sessions, newest first.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn sessions_of(
        &self,
        user: &UserId,
        now: Timestamp,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        self.sessions(now, "user_id = ?1", Some(text(user.as_str())))
            .await
    }

    /// The latest of the sessions that the ledger believes to run, newest first.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn running_sessions(&self, now: Timestamp) -> Result<Vec<SessionRecord>, StoreError> {
        self.sessions(now, "ended_at IS NULL", None).await
    }

    /// How many sessions the ledger believes to run.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn count_running(&self, now: Timestamp) -> Result<u64, StoreError> {
        let sql = "SELECT COUNT(*) FROM usage_sessions WHERE ended_at IS NULL";
        let rows = self.query(now, sql, []).await?;
        required(only_row(&rows)?, 0)
    }

    async fn sessions(
        &self,
        now: Timestamp,
        which: &str,
        parameter: Option<Value>,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        let sql = format!(
            "SELECT id, user_id, started_at, ended_at, minutes_used, topic, difficulty, end_reason \
             FROM usage_sessions WHERE {which} ORDER BY started_at DESC LIMIT {ROWS_SHOWN}"
        );
        let rows = self.query(now, &sql, parameter).await?;
        rows.iter().map(session).collect()
    }

    /// A user's latest periods, newest first.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn periods_of(
        &self,
        user: &UserId,
        now: Timestamp,
    ) -> Result<Vec<PeriodRecord>, StoreError> {
        let sql = format!(
            "SELECT period_start, period_end, plan, minutes_used, minutes_limit, synced_at, archived \
             FROM usage_periods WHERE user_id = ?1 ORDER BY period_start DESC LIMIT {ROWS_SHOWN}"
        );
        let rows = self.query(now, &sql, [text(user.as_str())]).await?;
        rows.iter().map(period).collect()
    }

    /// Users and minutes of the periods that are not over, by plan.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn minutes_by_plan(&self, now: Timestamp) -> Result<Vec<Tally>, StoreError> {
        self.tally(
            now,
            "SELECT plan, COUNT(*), SUM(minutes_used) FROM usage_periods \
             WHERE archived = 0 AND period_end > ?1 GROUP BY plan ORDER BY plan",
            seconds(now),
        )
        .await
    }

    /// Sessions that ended within [`LOOK_BACK`], by reason.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn ended_by_reason(&self, now: Timestamp) -> Result<Vec<Tally>, StoreError> {
        self.tally(
            now,
            "SELECT end_reason, COUNT(*), SUM(minutes_used) FROM usage_sessions \
             WHERE ended_at >= ?1 GROUP BY end_reason ORDER BY end_reason",
            since(now),
        )
        .await
    }

    /// Sessions that started within [`LOOK_BACK`], by UTC day.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn minutes_by_day(&self, now: Timestamp) -> Result<Vec<Tally>, StoreError> {
        self.tally(
            now,
            "SELECT date(started_at, 'unixepoch'), COUNT(*), SUM(minutes_used) FROM usage_sessions \
             WHERE started_at >= ?1 GROUP BY 1 ORDER BY 1",
            since(now),
        )
        .await
    }

    async fn tally(
        &self,
        now: Timestamp,
        sql: &str,
        parameter: Value,
    ) -> Result<Vec<Tally>, StoreError> {
        let rows = self.query(now, sql, [parameter]).await?;
        rows.iter().map(tally).collect()
    }

    /// How the alarms stand.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn alarms(&self, now: Timestamp) -> Result<AlarmTally, StoreError> {
        let rows = self
            .query(
                now,
                "SELECT (SELECT COUNT(*) FROM users WHERE alarm_at <= ?1), \
                 (SELECT COUNT(*) FROM users WHERE failures > 0), (SELECT MIN(alarm_at) FROM users)",
                [seconds(now)],
            )
            .await?;
        let row = only_row(&rows)?;
        let oldest = optional_instant(row, 2)?;
        Ok(AlarmTally {
            due: required(row, 0)?,
            failing: required(row, 1)?,
            oldest_due: oldest.map_or(Duration::ZERO, |at| now.since(at)),
        })
    }
}

fn since(now: Timestamp) -> Value {
    let back = i64::try_from(LOOK_BACK.as_secs()).unwrap_or(0);
    Value::Integer(now.unix_seconds() - back)
}

fn session(row: &Row) -> Result<SessionRecord, StoreError> {
    Ok(SessionRecord {
        id: required_text(row, 0)?,
        user: required_text(row, 1)?,
        started_at: required_instant(row, 2)?,
        ended_at: optional_instant(row, 3)?,
        minutes_used: required_minutes(row, 4)?,
        topic: optional_text(row, 5)?,
        difficulty: optional_text(row, 6)?,
        end_reason: optional_text(row, 7)?,
    })
}

fn period(row: &Row) -> Result<PeriodRecord, StoreError> {
    Ok(PeriodRecord {
        start: required_instant(row, 0)?,
        end: required_instant(row, 1)?,
        plan: required_text(row, 2)?,
        minutes_used: required_minutes(row, 3)?,
        minutes_limit: required_minutes(row, 4)?,
        synced_at: required_instant(row, 5)?,
        archived: required(row, 6)?,
    })
}

fn tally(row: &Row) -> Result<Tally, StoreError> {
    Ok(Tally {
        name: required_text(row, 0)?,
        count: required(row, 1)?,
        // The sum of no rows is NULL.
        minutes: optional(row, 2)?.unwrap_or(0),
    })
}

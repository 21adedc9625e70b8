//! What the ledger knows of a user, for whoever misses the document or holds an older one.

use talktime_usage::PeriodFacts;
use talktime_usage::SessionEnd;
use talktime_usage::{LedgerFacts, Period, SessionId, SessionRow, Timestamp, Topic, UserId};

use crate::error::StoreError;
use crate::sql::{
    Row, Sql, Value, optional, optional_instant, optional_text, required, required_instant,
    required_minutes, required_text, text,
};
use crate::sqlite::SqlLedger;

/// More sessions than a user ever has running in the ledger at once.
const SESSIONS_MAX: u32 = 20;

impl<C: Sql> SqlLedger<C> {
    pub(crate) async fn facts_of(
        &self,
        user: &UserId,
        session: Option<SessionId>,
        now: Timestamp,
    ) -> Result<Option<LedgerFacts>, StoreError> {
        let rows = self
            .query(
                now,
                "SELECT users.alarm_at, (SELECT MAX(version) FROM usage_periods WHERE user_id = ?1), latest.id, \
                 latest.period_start, latest.period_end, latest.plan, latest.minutes_used, latest.minutes_limit \
                 FROM users LEFT JOIN usage_periods AS latest ON latest.id = (SELECT id FROM usage_periods \
                 WHERE user_id = ?1 ORDER BY period_start DESC LIMIT 1) WHERE users.id = ?1",
                [text(user.as_str())],
            )
            .await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let sessions = self
            .query(
                now,
                "SELECT id, started_at, ended_at, minutes_used, topic, difficulty, end_reason FROM usage_sessions \
                 WHERE user_id = ?1 AND ended_at IS NULL \
                 UNION ALL SELECT id, started_at, ended_at, minutes_used, topic, difficulty, end_reason \
                 FROM usage_sessions WHERE id = ?2 AND user_id = ?1 AND ended_at IS NOT NULL \
                 ORDER BY 2 DESC LIMIT ?3",
                [
                    text(user.as_str()),
                    session.map_or(Value::Null, |session| text(&session.to_string())),
                    Value::Integer(SESSIONS_MAX.into()),
                ],
            )
            .await?;
        Ok(Some(LedgerFacts {
            alarm_at: optional_instant(row, 0)?,
            // `NULL` of a user without periods: any state is newer.
            version: optional(row, 1)?.unwrap_or(0),
            period: optional_text(row, 2)?
                .map(|id| period(id, row))
                .transpose()?,
            sessions: sessions.iter().map(session_row).collect::<Result<_, _>>()?,
        }))
    }
}

fn period(id: String, row: &Row) -> Result<PeriodFacts, StoreError> {
    let bounds = Period::new(required_instant(row, 3)?, required_instant(row, 4)?);
    Ok(PeriodFacts {
        id,
        period: bounds.map_err(unreadable)?,
        plan: required_text(row, 5)?,
        minutes_used: required_minutes(row, 6)?,
        minutes_limit: required_minutes(row, 7)?,
    })
}

fn session_row(row: &Row) -> Result<SessionRow, StoreError> {
    let ended = match optional_instant(row, 2)? {
        Some(at) => Some(SessionEnd {
            at,
            reason: named(required(row, 6)?)?,
        }),
        None => None,
    };
    let topic = optional_text(row, 4)?;
    Ok(SessionRow {
        id: SessionId::parse(required(row, 0)?).map_err(unreadable)?,
        started_at: required_instant(row, 1)?,
        ended,
        minutes_used: required_minutes(row, 3)?,
        topic: topic
            .map(|topic| Topic::parse(&topic).map_err(unreadable))
            .transpose()?,
        difficulty: optional(row, 5)?.map(named).transpose()?,
    })
}

/// A value of an enum, by the name that the ledger has of it.
fn named<T: serde::de::DeserializeOwned>(name: &str) -> Result<T, StoreError> {
    serde_json::from_value(name.into()).map_err(unreadable)
}

fn unreadable(error: impl std::fmt::Display) -> StoreError {
    StoreError::Unreadable(format!("a row of the ledger: {error}"))
}

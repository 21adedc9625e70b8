//! [`Alarms`] in SQL.

use std::time::Duration;

use talktime_usage::{Timestamp, UserId};

use super::{SqlLedger, longest};
use crate::alarms::{Alarms, Claimed, DueAlarm, FinishedAlarm, SWEEP_LEASE, UserRows};
use crate::error::StoreError;
use crate::ledger::Written;
use crate::pseudonym::pseudonym_of;
use crate::sql::{
    ROWS_PER_STATEMENT, Row, Sql, Value, only_row, optional_instant, optional_text, places,
    required, required_instant, seconds, seconds_up, text,
};
use crate::sweep_clock::{Suspect, SweepClock};

/// For how long an id that is none is put off.
const UNREADABLE_PUT_OFF: Duration = Duration::from_hours(24);

impl<C: Sql> SqlLedger<C> {
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

impl<C: Sql> Alarms for SqlLedger<C> {
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

    async fn write_all(
        &self,
        told: &[UserRows<'_>],
        now: Timestamp,
    ) -> Vec<Result<Written, StoreError>> {
        self.write_rows(told, now).await
    }

    async fn finish_alarms(
        &self,
        finished: &[FinishedAlarm],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for some in finished.chunks(ROWS_PER_STATEMENT) {
            let sql = format!(
                "WITH finished (id, token, next, urgent, mark) AS (VALUES {}) \
                 UPDATE users SET alarm_at = CASE WHEN alarm_token IS token THEN next ELSE alarm_at END, \
                 alarm_urgent = CASE WHEN alarm_token IS token THEN urgent ELSE alarm_urgent END, \
                 alarm_token = CASE WHEN alarm_token IS token THEN mark ELSE alarm_token END, \
                 lease_until = 0, failures = 0 FROM finished WHERE users.id = finished.id",
                places(some.len(), 5)
            );
            let parameters = some.iter().flat_map(|finished| {
                let FinishedAlarm { alarm, sweep, next } = finished;
                [
                    text(alarm.user.as_str()),
                    token(alarm),
                    next.map_or(Value::Null, |next| seconds_up(next.at)),
                    Value::Integer(next.is_some_and(|next| next.urgent).into()),
                    text(&DueAlarm::token_of_sweep(sweep)),
                ]
            });
            self.query(now, &sql, parameters).await?;
        }
        Ok(())
    }

    async fn retry_alarms(
        &self,
        failed: &[(DueAlarm, Timestamp)],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for some in failed.chunks(ROWS_PER_STATEMENT) {
            let sql = format!(
                "WITH failed (id, token, next) AS (VALUES {}) \
                 UPDATE users SET alarm_at = CASE WHEN alarm_token IS token THEN next ELSE alarm_at END, \
                 lease_until = 0, failures = failures + 1 FROM failed WHERE users.id = failed.id",
                places(some.len(), 3)
            );
            let parameters = some.iter().flat_map(|(alarm, next)| {
                [text(alarm.user.as_str()), token(alarm), seconds_up(*next)]
            });
            self.query(now, &sql, parameters).await?;
        }
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

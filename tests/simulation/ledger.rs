//! The ledger's rows of a user, and what must be true of them at any time: they may lag, never lie.

use talktime_host::rusqlite::{Connection, Row, params};

use talktime_usage::ARCHIVE_SPREAD;
use talktime_usage::{LedgerWrite, Period, State};

use crate::checker::{Checked, User, ensure};

pub struct SessionRow {
    pub id: String,
    pub started_at: i64,
    pub ended_at: Option<i64>,
    pub minutes: u32,
    pub reason: Option<String>,
}

pub struct PeriodRow {
    pub id: String,
    pub start: i64,
    pub end: i64,
    pub minutes: u32,
    pub limit: u32,
    pub archived: bool,
}

fn all<T>(
    ledger: &Connection,
    sql: &str,
    user: &str,
    read: impl FnMut(&Row<'_>) -> talktime_host::rusqlite::Result<T>,
) -> Vec<T> {
    // Before the first write there are no tables.
    let Ok(mut statement) = ledger.prepare(sql) else {
        return Vec::new();
    };
    let rows = statement.query_map(params![user], read);
    rows.and_then(Iterator::collect).expect("rows")
}

pub fn sessions(ledger: &Connection, user: &str) -> Vec<SessionRow> {
    let sql = "SELECT id, started_at, ended_at, minutes_used, end_reason FROM usage_sessions WHERE user_id = ?1";
    all(ledger, sql, user, |row| {
        Ok(SessionRow {
            id: row.get(0)?,
            started_at: row.get(1)?,
            ended_at: row.get(2)?,
            minutes: row.get(3)?,
            reason: row.get(4)?,
        })
    })
}

pub fn periods(ledger: &Connection, user: &str) -> Vec<PeriodRow> {
    let sql = "SELECT id, period_start, period_end, minutes_used, minutes_limit, archived FROM usage_periods \
               WHERE user_id = ?1 ORDER BY period_start";
    all(ledger, sql, user, |row| {
        Ok(PeriodRow {
            id: row.get(0)?,
            start: row.get(1)?,
            end: row.get(2)?,
            minutes: row.get(3)?,
            limit: row.get(4)?,
            archived: row.get(5)?,
        })
    })
}

/// Every row is of a session that there is, and says of an end what the state said.
pub fn check(ledger: &Connection, user: &User) -> Checked {
    for row in sessions(ledger, &user.name) {
        let Some(session) = user.sessions.get(&row.id) else {
            return Err(format!(
                "the ledger has a session of {} that never was",
                user.name
            ));
        };
        let label = session.label;
        ensure!(
            row.started_at == session.started / 1_000,
            "#{label} has another start in the ledger"
        );
        let Some(ended_at) = row.ended_at else {
            continue;
        };
        let Some(end) = &session.end else {
            return Err(format!("#{label} has ended in the ledger alone"));
        };
        ensure!(
            (ended_at, row.minutes, row.reason.as_deref())
                == (end.at / 1_000, end.minutes, Some(end.reason)),
            "#{label}: the ledger says {ended_at}, {} minutes, {:?}; the state says {end:?}",
            row.minutes,
            row.reason
        );
    }
    Ok(())
}

/// When an alarm is next due or its claim is over, and how many there are.
pub fn alarms(ledger: &Connection) -> (Option<i64>, u64) {
    let sql = "SELECT MIN(MAX(alarm_at, lease_until)), COUNT(alarm_at) FROM users WHERE alarm_at IS NOT NULL";
    ledger
        .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap_or_default()
}

/// The rows of the outbox that the ledger has not.
fn lacking<'a>(ledger: &'a Connection, state: &'a State) -> impl Iterator<Item = &'a LedgerWrite> {
    let user = state.user.as_str();
    let rows = state.outbox.iter().map(|outgoing| &outgoing.write);
    rows.filter(move |write| match write {
        LedgerWrite::Session(row) => {
            let id = row.id.to_string();
            !sessions(ledger, user)
                .iter()
                .any(|there| there.id == id && (there.ended_at.is_some() || row.ended.is_none()))
        }
        LedgerWrite::Period(row) => {
            let sql = "SELECT COUNT(*) FROM usage_periods WHERE id = ?1 AND version >= ?2";
            let version = i64::try_from(row.version).expect("a small number");
            let there = ledger.query_row(sql, params![row.id, version], |row| row.get(0));
            !there.is_ok_and(|count: u32| count == 1)
        }
    })
}

/// The longest that a failing user waits for the next sweep, and the lease of one that died.
const BACK_OFF_SECONDS: i64 = 15 * 60;

/// When a period is archived at the latest.
fn archived_by(bounds: Period) -> i64 {
    bounds.end().unix_seconds() + ARCHIVE_SPREAD.as_secs().cast_signed()
}

/// Whatever is still to be done with a user, there is an alarm for it.
pub fn check_alarm(ledger: &Connection, state: &State, now: i64) -> Checked {
    let user = state.user.as_str();
    let sql = "SELECT alarm_at FROM users WHERE id = ?1";
    let alarm: Option<Option<i64>> = ledger.query_row(sql, params![user], |row| row.get(0)).ok();
    let Some(alarm) = alarm else {
        return Err(format!("{user} has a state and no row in users"));
    };
    let soon = now / 1_000 + BACK_OFF_SECONDS;
    let in_time = |by: i64| alarm.is_some_and(|alarm| alarm <= by + 1);
    if state.session.is_some() {
        ensure!(
            in_time(soon),
            "{user} has a session that runs and no alarm soon: {alarm:?}"
        );
    }
    for row in lacking(ledger, state) {
        // That a period is over may wait, whoever found it out.
        let by = match row {
            LedgerWrite::Period(row) if row.archived => soon.max(archived_by(row.period)),
            _ => soon,
        };
        ensure!(
            in_time(by),
            "the ledger lags for {user} and there is no alarm soon: {alarm:?} for {row:?}"
        );
    }
    if state.period.recorded {
        ensure!(
            in_time(soon.max(archived_by(state.period.bounds))),
            "nobody will archive the period of {user}: {alarm:?}"
        );
    }
    Ok(())
}

/// The users whose alarm is due and free to be claimed.
pub fn due(ledger: &Connection, now: i64) -> Vec<String> {
    let sql = "SELECT id FROM users WHERE alarm_at <= ?1 AND lease_until <= ?1";
    let Ok(mut statement) = ledger.prepare(sql) else {
        return Vec::new();
    };
    let rows = statement.query_map(params![now / 1_000], |row| row.get(0));
    rows.and_then(Iterator::collect).expect("rows")
}

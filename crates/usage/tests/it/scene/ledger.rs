//! A ledger in memory with the rules of the real one: a period's row is never replaced by an older version or, of one
//! version, by one with fewer minutes, and the row
//! of a session that ended is final; before that its minutes only grow.

use std::collections::BTreeMap;

use talktime_usage::{LedgerWrite, PeriodRow, SessionId, SessionRow, Timestamp};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ledger {
    pub periods: BTreeMap<String, PeriodRow>,
    pub sessions: BTreeMap<SessionId, SessionRow>,
}

impl Ledger {
    pub fn of<'a>(writes: impl IntoIterator<Item = &'a LedgerWrite>) -> Self {
        let mut ledger = Self::default();
        writes.into_iter().for_each(|write| ledger.write(write));
        ledger
    }

    pub fn write(&mut self, write: &LedgerWrite) {
        match write {
            LedgerWrite::Period(row) => {
                let known = self.periods.get(&row.id);
                let order = |row: &PeriodRow| (row.version, row.minutes_used);
                if known.is_none_or(|known| order(row) >= order(known)) {
                    self.periods.insert(row.id.clone(), row.clone());
                }
            }
            LedgerWrite::Session(row) => match self.sessions.get_mut(&row.id) {
                None => {
                    self.sessions.insert(row.id, row.clone());
                }
                Some(known) if known.ended.is_some() => {}
                Some(known) if row.ended.is_some() => *known = row.clone(),
                Some(known) => known.minutes_used = known.minutes_used.max(row.minutes_used),
            },
        }
    }

    pub fn minutes_of_periods(&self) -> u32 {
        self.periods
            .values()
            .map(|row| row.minutes_used.get())
            .sum()
    }

    pub fn minutes_of_sessions(&self) -> u32 {
        self.sessions
            .values()
            .filter(|row| row.ended.is_some())
            .map(|row| row.minutes_used.get())
            .sum()
    }

    /// The rows of periods by their start; none begins before the one before it ended.
    pub fn by_start(&self) -> Vec<&PeriodRow> {
        let mut rows: Vec<&PeriodRow> = self.periods.values().collect();
        rows.sort_by_key(|row| row.period.start());
        rows
    }

    pub fn check(&self) {
        let rows = self.by_start();
        for pair in rows.windows(2) {
            assert!(
                pair[0].period.end() <= pair[1].period.start(),
                "periods overlap: {pair:#?}"
            );
        }
    }

    /// The sessions that ended, as `reason length minutes`, in the order of their starts.
    pub fn sessions_told(&self) -> Vec<String> {
        let mut rows: Vec<&SessionRow> = self.sessions.values().collect();
        rows.sort_by_key(|row| (row.started_at, row.ended.is_none()));
        rows.iter()
            .map(|row| {
                let Some(ended) = &row.ended else {
                    return "running".to_owned();
                };
                let millis = ended.at.since(row.started_at).as_millis();
                let (minutes, rest) = (millis / 60_000, millis % 60_000);
                let length = if rest % 1_000 == 0 {
                    format!("{minutes}:{:02}", rest / 1_000)
                } else {
                    format!("{minutes}:{:02}.{:03}", rest / 1_000, rest % 1_000)
                };
                format!(
                    "{} {length} {}",
                    ended.reason.as_str(),
                    row.minutes_used.get()
                )
            })
            .collect()
    }

    /// The periods, as `start..end plan used/limit`, with ` archived` where it is so, in the order of their starts.
    pub fn periods_told(&self) -> Vec<String> {
        let told = |row: &&PeriodRow| {
            format!(
                "{}..{} {} {}/{}{}",
                short(row.period.start()),
                short(row.period.end()),
                row.plan,
                row.minutes_used.get(),
                row.minutes_limit.get(),
                if row.archived { " archived" } else { "" }
            )
        };
        self.by_start().iter().map(told).collect()
    }
}

/// A date, with the time of day where it is not midnight.
pub fn short(instant: Timestamp) -> String {
    let text = instant.to_rfc3339();
    let text = text.strip_suffix('Z').unwrap_or(&text);
    text.strip_suffix("T00:00:00").unwrap_or(text).to_owned()
}

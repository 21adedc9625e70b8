//! The ledger's rows of periods and sessions: one statement for all rows of a table that are told at once. An older row
//! cannot undo a newer one, and is known to be the older.

use std::collections::{BTreeMap, BTreeSet};

use talktime_usage::{Difficulty, LedgerWrite, PeriodRow, SessionRow, Timestamp, Topic, UserId};

use crate::alarms::{SWEPT, UserRows};
use crate::error::StoreError;
use crate::ledger::Written;
use crate::pseudonym::pseudonym;
use crate::sql::{
    ROWS_PER_STATEMENT, Sql, Value, optional_value, places, required, required_text, seconds, text,
};
use crate::sqlite::SqlLedger;

/// A row of one of the two tables.
trait TableRow {
    /// How many values it has.
    const VALUES: usize;

    /// The statement around the values of its rows. It gives the ids of those that it took.
    fn statement(places: &str) -> String;

    fn id(&self) -> String;

    fn values(&self, user: &UserId, now: Timestamp) -> Vec<Value>;

    /// The version that it says, where the table's rows have one.
    fn version(&self) -> Option<i64>;
}

impl TableRow for PeriodRow {
    const VALUES: usize = 11;

    /// Of one version there may be several rows while a session runs: each sweep counts further.
    fn statement(places: &str) -> String {
        format!(
            "INSERT INTO usage_periods (id, user_id, period_start, period_end, plan, minutes_used, minutes_limit, \
             synced_at, version, archived, created_at) VALUES {places} \
             ON CONFLICT (id) DO UPDATE SET period_start = excluded.period_start, period_end = excluded.period_end, \
             plan = excluded.plan, minutes_used = excluded.minutes_used, minutes_limit = excluded.minutes_limit, \
             synced_at = excluded.synced_at, version = excluded.version, archived = excluded.archived \
             WHERE excluded.version > usage_periods.version OR (excluded.version = usage_periods.version \
             AND excluded.minutes_used >= usage_periods.minutes_used) RETURNING id"
        )
    }

    fn id(&self) -> String {
        self.id.clone()
    }

    fn values(&self, user: &UserId, now: Timestamp) -> Vec<Value> {
        vec![
            text(&self.id),
            text(user.as_str()),
            seconds(self.period.start()),
            seconds(self.period.end()),
            text(self.plan.as_str()),
            Value::Integer(self.minutes_used.get().into()),
            Value::Integer(self.minutes_limit.get().into()),
            seconds(now),
            Value::Integer(version(self)),
            Value::Integer(self.archived.into()),
            seconds(now),
        ]
    }

    fn version(&self) -> Option<i64> {
        Some(version(self))
    }
}

/// One write a nanosecond for 292 years; a document that says more was made by hand.
fn version(row: &PeriodRow) -> i64 {
    i64::try_from(row.version).unwrap_or(i64::MAX)
}

impl TableRow for SessionRow {
    const VALUES: usize = 8;

    /// A session ends once: what a row says of its end is never changed, and minutes of a running one only grow.
    fn statement(places: &str) -> String {
        format!(
            "INSERT INTO usage_sessions (id, user_id, started_at, ended_at, minutes_used, topic, difficulty, end_reason) \
             VALUES {places} \
             ON CONFLICT (id) DO UPDATE SET started_at = MAX(excluded.started_at, usage_sessions.started_at), \
             ended_at = excluded.ended_at, end_reason = excluded.end_reason, \
             minutes_used = CASE WHEN excluded.ended_at IS NULL \
             THEN MAX(excluded.minutes_used, usage_sessions.minutes_used) ELSE excluded.minutes_used END \
             WHERE usage_sessions.ended_at IS NULL OR (usage_sessions.ended_at = excluded.ended_at \
             AND usage_sessions.minutes_used = excluded.minutes_used) RETURNING id"
        )
    }

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn values(&self, user: &UserId, _: Timestamp) -> Vec<Value> {
        let end = self.ended.as_ref();
        vec![
            text(&self.id.to_string()),
            text(user.as_str()),
            seconds(self.started_at),
            end.map_or(Value::Null, |end| seconds(end.at)),
            Value::Integer(self.minutes_used.get().into()),
            optional_value(self.topic.as_ref().map(Topic::as_str)),
            optional_value(self.difficulty.map(Difficulty::as_str)),
            optional_value(end.map(|end| end.reason.as_str())),
        ]
    }

    /// What is final and says something else was told of a state that this row knows nothing of.
    fn version(&self) -> Option<i64> {
        None
    }
}

/// A row, whose it is, and the place of that user among those who are told.
struct Told<'a, R> {
    place: usize,
    user: &'a UserId,
    row: &'a R,
}

/// What became of each user's rows.
struct Outcomes(Vec<Result<Written, StoreError>>);

impl Outcomes {
    /// The first failure stands, and one row that is older than what is known.
    fn add(&mut self, place: usize, outcome: Result<Written, StoreError>) {
        let so_far = &mut self.0[place];
        match (&so_far, &outcome) {
            (Err(_), _) | (Ok(Written::NewerKnown), Ok(_)) => {}
            _ => *so_far = outcome,
        }
    }
}

impl<C: Sql> SqlLedger<C> {
    /// Writes the rows of several users, and says what became of each one's.
    pub(crate) async fn write_rows(
        &self,
        told: &[UserRows<'_>],
        now: Timestamp,
    ) -> Vec<Result<Written, StoreError>> {
        let (mut sessions, mut periods) = (Vec::new(), Vec::new());
        for (place, &UserRows { user, rows }) in told.iter().enumerate() {
            for row in rows {
                match row {
                    LedgerWrite::Session(row) => sessions.push(Told { place, user, row }),
                    LedgerWrite::Period(row) => periods.push(Told { place, user, row }),
                }
            }
        }
        let mut outcomes = Outcomes(told.iter().map(|_| Ok(Written::Rows)).collect());
        let mut locked = self.write_table(&sessions, now, &mut outcomes, None).await;
        locked = self.write_table(&periods, now, &mut outcomes, locked).await;
        drop(locked);
        outcomes.0
    }

    /// Writes rows of one table. Once the ledger is found locked, nothing more is tried: the next statement would wait as
    /// long, and be as locked.
    async fn write_table<R: TableRow>(
        &self,
        rows: &[Told<'_, R>],
        now: Timestamp,
        outcomes: &mut Outcomes,
        mut locked: Option<StoreError>,
    ) -> Option<StoreError> {
        for some in rows.chunks(ROWS_PER_STATEMENT) {
            let written = match &locked {
                Some(error) => Err(error.clone()),
                None => self.write_at_once(some, now).await,
            };
            match written {
                Ok(written) => {
                    for (told, written) in some.iter().zip(written) {
                        outcomes.add(told.place, Ok(written));
                    }
                }
                Err(error @ StoreError::Busy(_)) => {
                    for told in some {
                        outcomes.add(told.place, Err(error.clone()));
                    }
                    locked = Some(error);
                }
                // One of them cannot be written, and has kept the others from it.
                Err(_) => {
                    for told in some {
                        outcomes.add(told.place, self.write_row(told, now).await);
                    }
                }
            }
        }
        locked
    }

    /// Writes rows of one table by one statement: all of them, or none.
    async fn write_at_once<R: TableRow>(
        &self,
        rows: &[Told<'_, R>],
        now: Timestamp,
    ) -> Result<Vec<Written>, StoreError> {
        let sql = R::statement(&places(rows.len(), R::VALUES));
        let values = rows.iter().flat_map(|told| told.row.values(told.user, now));
        let taken = self.query(now, &sql, values).await?;
        let taken: Result<BTreeSet<String>, _> =
            taken.iter().map(|row| required_text(row, 0)).collect();
        let taken = taken?;
        let is_taken = |told: &&Told<'_, R>| taken.contains(&told.row.id());
        let refused: Vec<String> = rows
            .iter()
            .filter(|told| !is_taken(told) && told.row.version().is_some())
            .map(|told| told.row.id())
            .collect();
        let known = self.known_versions(&refused, now).await?;
        let written = rows.iter().map(|told| match told.row.version() {
            _ if is_taken(&told) => Written::Rows,
            // Of the same version it is an earlier look at a running session, which a later one overtook. No row: it was
            // there, and a sweep has just deleted it for its age.
            Some(version)
                if known
                    .get(&told.row.id())
                    .is_none_or(|known| *known <= version) =>
            {
                Written::Rows
            }
            _ => Written::NewerKnown,
        });
        Ok(written.collect())
    }

    async fn known_versions(
        &self,
        periods: &[String],
        now: Timestamp,
    ) -> Result<BTreeMap<String, i64>, StoreError> {
        if periods.is_empty() {
            return Ok(BTreeMap::new());
        }
        let sql = format!(
            "SELECT id, version FROM usage_periods WHERE id IN {}",
            places(1, periods.len())
        );
        let rows = self.query(now, &sql, periods.iter().map(|id| text(id)));
        let rows = rows.await?;
        let version = |row| Ok((required_text(row, 0)?, required(row, 1)?));
        rows.iter().map(version).collect()
    }

    /// Writes one row. A user whom the ledger does not know, as after a restore, is made known first.
    async fn write_row<R: TableRow>(
        &self,
        told: &Told<'_, R>,
        now: Timestamp,
    ) -> Result<Written, StoreError> {
        let row = std::slice::from_ref(told);
        let only = |written: Vec<Written>| written.into_iter().next().unwrap_or(Written::Rows);
        match self.write_at_once(row, now).await {
            Err(StoreError::Unavailable(why)) if why.contains("FOREIGN KEY constraint failed") => {
                eprintln!(
                    "the ledger does not know {} any more: it was put back in time or emptied. The user is made known \
                     again",
                    pseudonym(told.user)
                );
                self.make_known(told.user, now).await?;
                self.write_at_once(row, now).await.map(only)
            }
            Err(StoreError::Unavailable(why)) if why.contains("UNIQUE constraint failed") => {
                eprintln!(
                    "the ledger has another period of {} from the same instant on: {why}",
                    pseudonym(told.user)
                );
                Ok(Written::NewerKnown)
            }
            written => written.map(only),
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
}

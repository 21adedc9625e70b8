//! One SQL connection, as the ledger uses it: statements that stand alone, and rows that are read strictly.

use std::cell::OnceCell;
use std::sync::atomic::AtomicBool;

use spin_sdk::sqlite::{Connection, RowResult, Value};
use talktime_usage::{Instant, Minutes};

use crate::error::StoreError;

/// How long one call waits for another's lock, in milliseconds. `SQLite` itself would wait for five seconds, as long as a
/// whole request may take; so the calls are short, and between them it is asked whether there is time for another.
const BUSY_TIMEOUT_MILLIS: u32 = 200;

/// A connection. Spin's is [`SpinConnection`]; tests have one of their own.
pub trait Sql {
    /// Runs one statement once, and gives its rows.
    fn run(
        &self,
        sql: &str,
        parameters: &[Value],
    ) -> impl Future<Output = Result<Vec<RowResult>, StoreError>>;

    /// Whether the newest schema was seen in this database. It is not asked again then: schemas do not go back.
    fn schema_seen(&self) -> &AtomicBool;
}

/// The database `default`, opened when it is first needed: most requests never do.
#[derive(Default)]
pub struct SpinConnection {
    connection: OnceCell<Connection>,
}

/// All connections of an instance are to the same database.
static SCHEMA_SEEN: AtomicBool = AtomicBool::new(false);

impl SpinConnection {
    async fn get(&self) -> Result<&Connection, StoreError> {
        if let Some(connection) = self.connection.get() {
            return Ok(connection);
        }
        let connection = Connection::open_default().await?;
        // In-process SQLite wants these for every connection; a libSQL server decides by itself and may refuse.
        for pragma in pragmas() {
            if let Ok(result) = connection.execute(pragma, []).await {
                let _ = result.collect().await;
            }
        }
        Ok(self.connection.get_or_init(|| connection))
    }
}

/// What a connection to in-process `SQLite` is set to. CHECKs are for those who edit rows by hand: this code writes enums
/// and numbers that its types have checked, and a value that a later version adds must not need tables built anew.
pub(crate) fn pragmas() -> [String; 3] {
    [
        "PRAGMA foreign_keys = ON".to_owned(),
        "PRAGMA ignore_check_constraints = ON".to_owned(),
        format!("PRAGMA busy_timeout = {BUSY_TIMEOUT_MILLIS}"),
    ]
}

impl Sql for SpinConnection {
    async fn run(&self, sql: &str, parameters: &[Value]) -> Result<Vec<RowResult>, StoreError> {
        let connection = self.get().await?;
        let result = connection.execute(sql, parameters.iter().cloned()).await?;
        Ok(result.collect().await?)
    }

    fn schema_seen(&self) -> &AtomicBool {
        &SCHEMA_SEEN
    }
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

/// The value in a column that must have one.
pub(crate) fn required<'a, T: TryFrom<&'a Value>>(
    row: &'a RowResult,
    column: usize,
) -> Result<T, StoreError> {
    row.get(column).ok_or_else(|| unfit(row, column))
}

/// The value in a column that may be `NULL`.
pub(crate) fn optional<'a, T: TryFrom<&'a Value>>(
    row: &'a RowResult,
    column: usize,
) -> Result<Option<T>, StoreError> {
    match row.values.get(column) {
        Some(Value::Null) => Ok(None),
        _ => required(row, column).map(Some),
    }
}

pub(crate) fn required_text(row: &RowResult, column: usize) -> Result<String, StoreError> {
    required::<&str>(row, column).map(ToOwned::to_owned)
}

pub(crate) fn optional_text(row: &RowResult, column: usize) -> Result<Option<String>, StoreError> {
    Ok(optional::<&str>(row, column)?.map(ToOwned::to_owned))
}

pub(crate) fn required_instant(row: &RowResult, column: usize) -> Result<Instant, StoreError> {
    required(row, column).map(Instant::from_unix_seconds)
}

pub(crate) fn optional_instant(
    row: &RowResult,
    column: usize,
) -> Result<Option<Instant>, StoreError> {
    Ok(optional(row, column)?.map(Instant::from_unix_seconds))
}

pub(crate) fn required_minutes(row: &RowResult, column: usize) -> Result<Minutes, StoreError> {
    required(row, column).map(Minutes::new)
}

/// What kind of value is there is told, not the value: it may be a person's.
fn unfit(row: &RowResult, column: usize) -> StoreError {
    let found = match row.values.get(column) {
        None => "missing",
        Some(Value::Null) => "NULL",
        Some(Value::Integer(_)) => "a number out of range or in the wrong place",
        Some(Value::Real(_)) => "a fraction",
        Some(Value::Text(_) | Value::Blob(_)) => "text in the wrong place",
    };
    StoreError::Unreadable(format!("column {column} of a ledger row is {found}"))
}

pub(crate) fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

pub(crate) fn optional_value(value: Option<&str>) -> Value {
    value.map_or(Value::Null, text)
}

pub(crate) fn seconds(at: Instant) -> Value {
    Value::Integer(at.unix_seconds())
}

/// Rounded up, for alarms: at that second the instant has surely come.
pub(crate) fn seconds_up(at: Instant) -> Value {
    let floor = at.unix_seconds();
    Value::Integer(floor + i64::from(at.unix_millis() > floor * 1_000))
}

//! One SQL connection, as the ledger uses it: statements that stand alone, and rows that are read strictly.

use std::sync::atomic::AtomicBool;

use talktime_usage::{Minutes, Timestamp};

use crate::error::StoreError;

/// How long one call waits for another's lock, in milliseconds. `SQLite` itself would wait for five seconds, as long as a
/// whole request may take; so the calls are short, and between them it is asked whether there is time for another.
const BUSY_TIMEOUT_MILLIS: u32 = 200;

/// How many rows one statement writes at most: with a dozen parameters each, far below the 32,766 that `SQLite` takes, and
/// short enough that others get their turn.
pub(crate) const ROWS_PER_STATEMENT: usize = 128;

/// The places of so many rows of so many parameters: `(?, ?), (?, ?)`.
pub(crate) fn places(rows: usize, columns: usize) -> String {
    let row = format!("({})", vec!["?"; columns].join(", "));
    vec![row; rows].join(", ")
}

/// A connection. Tests have one of their own.
pub trait Sql {
    /// Runs one statement once, and gives its rows.
    fn run(
        &self,
        sql: &str,
        parameters: &[Value],
    ) -> impl Future<Output = Result<Vec<Row>, StoreError>>;

    /// Whether the newest schema was seen in this database. It is not asked again then: schemas do not go back.
    fn schema_seen(&self) -> &AtomicBool;
}

/// What a connection to in-process `SQLite` is set to. CHECKs are for those who edit rows by hand: this code writes enums
/// and numbers that its types have checked, and a value that a later version adds must not need tables built anew.
pub fn pragmas() -> [String; 3] {
    [
        "PRAGMA foreign_keys = ON".to_owned(),
        "PRAGMA ignore_check_constraints = ON".to_owned(),
        format!("PRAGMA busy_timeout = {BUSY_TIMEOUT_MILLIS}"),
    ]
}

/// A value in a row or of a parameter, as `SQLite` has them.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A whole number; instants are Unix seconds.
    Integer(i64),
    /// A number with a fraction.
    Real(f64),
    /// A text in UTF-8.
    Text(String),
    /// Bytes as they are.
    Blob(Vec<u8>),
}

/// A row that a statement gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Row(Vec<Value>);

impl Row {
    pub(crate) fn get<'a, T: TryFrom<&'a Value, Error = Misfit>>(
        &'a self,
        column: usize,
    ) -> Option<T> {
        T::try_from(self.0.get(column)?).ok()
    }

    /// All of it, in the order of its columns.
    pub fn values(&self) -> &[Value] {
        &self.0
    }
}

impl FromIterator<Value> for Row {
    fn from_iter<I: IntoIterator<Item = Value>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

/// A value of another type, or out of range.
#[derive(Clone, Copy, Debug)]
pub struct Misfit;

macro_rules! whole_numbers {
    ($($number:ty),+) => {
        $(impl TryFrom<&Value> for $number {
            type Error = Misfit;

            fn try_from(value: &Value) -> Result<Self, Misfit> {
                match value {
                    Value::Integer(number) => Self::try_from(*number).map_err(|_| Misfit),
                    _ => Err(Misfit),
                }
            }
        })+
    };
}

whole_numbers!(i64, u32, u64);

impl TryFrom<&Value> for bool {
    type Error = Misfit;

    fn try_from(value: &Value) -> Result<Self, Misfit> {
        i64::try_from(value).map(|number| number != 0)
    }
}

impl<'a> TryFrom<&'a Value> for &'a str {
    type Error = Misfit;

    fn try_from(value: &'a Value) -> Result<Self, Misfit> {
        match value {
            Value::Text(text) => Ok(text),
            _ => Err(Misfit),
        }
    }
}

/// The row of a statement that always gives one, such as a sum.
pub(crate) fn only_row(rows: &[Row]) -> Result<&Row, StoreError> {
    rows.first()
        .ok_or_else(|| StoreError::Unreadable("a sum without a row".to_owned()))
}

/// The value in a column that must have one.
pub(crate) fn required<'a, T: TryFrom<&'a Value, Error = Misfit>>(
    row: &'a Row,
    column: usize,
) -> Result<T, StoreError> {
    row.get(column).ok_or_else(|| unfit(row, column))
}

/// The value in a column that may be `NULL`.
pub(crate) fn optional<'a, T: TryFrom<&'a Value, Error = Misfit>>(
    row: &'a Row,
    column: usize,
) -> Result<Option<T>, StoreError> {
    match row.0.get(column) {
        Some(Value::Null) => Ok(None),
        _ => required(row, column).map(Some),
    }
}

pub(crate) fn required_text(row: &Row, column: usize) -> Result<String, StoreError> {
    required::<&str>(row, column).map(ToOwned::to_owned)
}

pub(crate) fn optional_text(row: &Row, column: usize) -> Result<Option<String>, StoreError> {
    Ok(optional::<&str>(row, column)?.map(ToOwned::to_owned))
}

pub(crate) fn required_instant(row: &Row, column: usize) -> Result<Timestamp, StoreError> {
    required(row, column).map(Timestamp::from_unix_seconds)
}

pub(crate) fn optional_instant(row: &Row, column: usize) -> Result<Option<Timestamp>, StoreError> {
    Ok(optional(row, column)?.map(Timestamp::from_unix_seconds))
}

pub(crate) fn required_minutes(row: &Row, column: usize) -> Result<Minutes, StoreError> {
    required(row, column).map(Minutes::new)
}

/// What kind of value is there is told, not the value: it may be a person's.
fn unfit(row: &Row, column: usize) -> StoreError {
    let found = match row.0.get(column) {
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

pub(crate) fn seconds(at: Timestamp) -> Value {
    Value::Integer(at.unix_seconds())
}

/// Rounded up, for alarms: at that second the instant has surely come.
pub(crate) fn seconds_up(at: Timestamp) -> Value {
    let floor = at.unix_seconds();
    Value::Integer(floor + i64::from(at.unix_millis() > floor * 1_000))
}

//! The ledger's own SQL, on `SQLite`'s library.

use std::cell::{Cell, RefCell};
use std::sync::atomic::AtomicBool;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, params_from_iter};

use crate::error::StoreError;
use crate::sql::{Row, Sql, Value, pragmas};

/// As many as there are, so that each is prepared once.
const STATEMENTS: usize = 100;

/// The real SQL, in a database in memory.
pub struct MemorySql {
    pub connection: Connection,
    /// Statements that begin so fail, with that message.
    pub broken: RefCell<Option<(&'static str, &'static str)>>,
    /// How many statements were run.
    pub statements: Cell<u32>,
    schema_seen: AtomicBool,
}

/// # Panics
/// Where `SQLite` has no memory for one.
impl Default for MemorySql {
    #[expect(clippy::expect_used, reason = "tests alone make one")]
    fn default() -> Self {
        Self::on(Connection::open_in_memory().expect("a database"))
    }
}

impl MemorySql {
    /// That database.
    ///
    /// # Panics
    /// Where it does not take the settings that Talktime's statements rely on.
    #[must_use]
    #[expect(clippy::expect_used, reason = "tests alone make one")]
    pub fn on(connection: Connection) -> Self {
        for pragma in pragmas() {
            connection.execute_batch(&pragma).expect("a pragma");
        }
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        Self {
            connection,
            broken: RefCell::default(),
            statements: Cell::default(),
            schema_seen: AtomicBool::new(false),
        }
    }

    /// The rows of a query, each value as text and joined with `|`.
    ///
    /// # Errors
    /// When it is no query on what is there.
    pub fn rows(&self, sql: &str) -> rusqlite::Result<Vec<String>> {
        let text = |value: &Value| match value {
            Value::Integer(number) => number.to_string(),
            Value::Text(text) => text.clone(),
            Value::Null => String::new(),
            other => format!("{other:?}"),
        };
        let line = |row: &Row| row.values().iter().map(text).collect::<Vec<_>>().join("|");
        Ok(run(&self.connection, sql, &[])?.iter().map(line).collect())
    }
}

impl Sql for MemorySql {
    async fn run(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, StoreError> {
        self.statements.set(self.statements.get() + 1);
        if let Some((which, message)) = *self.broken.borrow()
            && sql.starts_with(which)
        {
            return Err(StoreError::from_message(message.to_owned()));
        }
        run(&self.connection, sql, parameters)
            .map_err(|error| StoreError::from_message(error.to_string()))
    }

    fn schema_seen(&self) -> &AtomicBool {
        &self.schema_seen
    }
}

fn run(connection: &Connection, sql: &str, parameters: &[Value]) -> rusqlite::Result<Vec<Row>> {
    let to_sql = |value: &Value| match value {
        Value::Integer(number) => rusqlite::types::Value::Integer(*number),
        Value::Real(number) => rusqlite::types::Value::Real(*number),
        Value::Text(text) => rusqlite::types::Value::Text(text.clone()),
        Value::Blob(bytes) => rusqlite::types::Value::Blob(bytes.clone()),
        Value::Null => rusqlite::types::Value::Null,
    };
    let mut statement = connection.prepare_cached(sql)?;
    let columns = statement.column_count();
    let mut rows = statement.query(params_from_iter(parameters.iter().map(to_sql)))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let values = (0..columns).map(|column| {
            Ok(match row.get_ref(column)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(number) => Value::Integer(number),
                ValueRef::Real(number) => Value::Real(number),
                ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
                ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
            })
        });
        found.push(values.collect::<rusqlite::Result<_>>()?);
    }
    Ok(found)
}

//! SQLite: what a guest's `connection` is, and the way of values there and back.

use std::sync::{Arc, Mutex};

use rusqlite::{
    Connection,
    hooks::{AuthAction, AuthContext, Authorization},
    params_from_iter,
    types::{Value as SqlValue, ValueRef},
};

use crate::{
    bindings::spin::sqlite::sqlite::{Error, QueryResult, RowResult, Value},
    data::{files::Files, key_value::RESULT_BYTES_MAX},
    lock::lock,
};

/// One `connection` of a guest: a SQLite connection of its own, made at its first use, as in Spin.
pub(crate) struct GuestConnection {
    files: Arc<Files>,
    connection: Mutex<Option<Connection>>,
}

/// What a statement gave: the columns, the rows read before the error if there was one, and how it ended.
pub(crate) struct Outcome {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<RowResult>,
    pub(crate) end: Result<(), Error>,
}

impl GuestConnection {
    pub(crate) fn new(files: Arc<Files>) -> Self {
        Self {
            files,
            connection: Mutex::new(None),
        }
    }

    /// Runs a statement on a thread where blocking is allowed: it may wait seconds for another's lock.
    pub(crate) async fn execute(self: Arc<Self>, sql: String, parameters: Vec<Value>) -> Outcome {
        let task = tokio::task::spawn_blocking(move || {
            self.with(|connection| run(connection, &self.files.ledger_writes, &sql, parameters))
        });
        match task.await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => Outcome::failed(error),
            Err(error) => Outcome::failed(Error::Io(error.to_string())),
        }
    }

    pub(crate) fn changes(&self) -> Result<u64, Error> {
        self.with(Connection::changes)
    }

    pub(crate) fn last_insert_rowid(&self) -> Result<i64, Error> {
        self.with(Connection::last_insert_rowid)
    }

    fn with<T>(&self, work: impl FnOnce(&Connection) -> T) -> Result<T, Error> {
        let mut slot = lock(&self.connection);
        if slot.is_none() {
            let connection = self.files.ledger_connection().map_err(io)?;
            // A guest may not reach other files by ATTACH; in-memory and temporary databases are fine.
            connection.authorizer(Some(|context: AuthContext<'_>| match context.action {
                AuthAction::Attach { filename } if !matches!(filename, "" | ":memory:") => {
                    Authorization::Deny
                }
                _ => Authorization::Allow,
            }));
            *slot = Some(connection);
        }
        slot.as_ref().map(work).ok_or(Error::InvalidConnection)
    }
}

impl Outcome {
    fn failed(error: Error) -> Self {
        Self {
            columns: Vec::new(),
            rows: Vec::new(),
            end: Err(error),
        }
    }

    /// All or nothing, for the interface that is not a stream.
    pub(crate) fn into_result(self) -> Result<QueryResult, Error> {
        self.end.map(|()| QueryResult {
            columns: self.columns,
            rows: self.rows,
        })
    }
}

fn run(connection: &Connection, writes: &Mutex<()>, sql: &str, parameters: Vec<Value>) -> Outcome {
    let mut statement = match connection.prepare_cached(sql) {
        Ok(statement) => statement,
        Err(error) => return Outcome::failed(io(error)),
    };
    let _turn = (!statement.readonly()).then(|| lock(writes));
    let columns: Vec<String> = statement
        .column_names()
        .into_iter()
        .map(str::to_owned)
        .collect();
    let mut rows = Vec::new();
    let read = || -> Result<(), Error> {
        let mut bytes = 0;
        let mut found = statement
            .query(params_from_iter(parameters.into_iter().map(to_sql)))
            .map_err(io)?;
        while let Some(row) = found.next().map_err(io)? {
            let mut values = Vec::with_capacity(columns.len());
            for column in 0..columns.len() {
                let value = from_sql(row.get_ref(column).map_err(io)?)?;
                bytes += memory_bytes(&value);
                values.push(value);
            }
            if bytes > RESULT_BYTES_MAX {
                return Err(Error::Io(format!(
                    "query result exceeds limit of {RESULT_BYTES_MAX} bytes"
                )));
            }
            rows.push(RowResult { values });
        }
        Ok(())
    };
    let end = read();
    Outcome { columns, rows, end }
}

fn to_sql(value: Value) -> SqlValue {
    match value {
        Value::Integer(integer) => SqlValue::Integer(integer),
        Value::Real(real) => SqlValue::Real(real),
        Value::Text(text) => SqlValue::Text(text),
        Value::Blob(blob) => SqlValue::Blob(blob),
        Value::Null => SqlValue::Null,
    }
}

fn from_sql(value: ValueRef<'_>) -> Result<Value, Error> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(integer) => Value::Integer(integer),
        ValueRef::Real(real) => Value::Real(real),
        ValueRef::Text(text) => Value::Text(
            String::from_utf8(text.to_vec())
                .map_err(|_| Error::Io("a text value is not UTF-8".to_owned()))?,
        ),
        ValueRef::Blob(blob) => Value::Blob(blob.to_vec()),
    })
}

fn memory_bytes(value: &Value) -> usize {
    size_of::<Value>()
        + match value {
            Value::Text(text) => text.len(),
            Value::Blob(blob) => blob.len(),
            Value::Integer(_) | Value::Real(_) | Value::Null => 0,
        }
}

#[expect(clippy::needless_pass_by_value, reason = "used as map_err's function")]
fn io(error: rusqlite::Error) -> Error {
    Error::Io(error.to_string())
}

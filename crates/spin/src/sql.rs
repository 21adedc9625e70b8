//! The ledger's connection: Spin's `SQLite`, in process or on a libSQL server.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;

use spin_sdk::sqlite;
use talktime_store::sql::{Row, Sql, Value, pragmas};
use talktime_store::{SqlLedger, StoreError};

use crate::environment::HOST;

/// The ledger in the database that components are granted.
pub type Ledger = SqlLedger<SqlConnection>;

/// The ledger in the database `default`.
pub fn ledger() -> Ledger {
    SqlLedger::new(SqlConnection::default(), &HOST)
}

/// The database `default`, opened when it is first needed, which in most requests it never is.
#[derive(Default)]
pub struct SqlConnection {
    connection: RefCell<Option<Rc<sqlite::Connection>>>,
}

thread_local! {
    /// The connection of this instance, which its requests share: to open one, and to set it up, takes longer than most
    /// statements. Each statement stands alone, so that they may mix.
    static SHARED: RefCell<Option<Rc<sqlite::Connection>>> = const { RefCell::new(None) };
}

/// All connections of an instance are to the same database.
static SCHEMA_SEEN: AtomicBool = AtomicBool::new(false);

impl SqlConnection {
    /// The connection that is there, opened by an earlier request perhaps; else a new one.
    async fn get(&self) -> Result<(Rc<sqlite::Connection>, Opened), StoreError> {
        if let Some(connection) = self.connection.borrow().clone() {
            return Ok((connection, Opened::Now));
        }
        let shared = SHARED.with_borrow(Clone::clone);
        match shared {
            Some(connection) => Ok((connection, Opened::Before)),
            None => Ok((self.open().await?, Opened::Now)),
        }
    }

    async fn open(&self) -> Result<Rc<sqlite::Connection>, StoreError> {
        let connection = sqlite::Connection::open_default()
            .await
            .map_err(store_error)?;
        // In-process SQLite wants these for every connection; a libSQL server decides by itself and may refuse.
        for pragma in pragmas() {
            if let Ok(result) = connection.execute(pragma, []).await {
                let _ = result.collect().await;
            }
        }
        let connection = Rc::new(connection);
        SHARED.set(Some(connection.clone()));
        *self.connection.borrow_mut() = Some(connection.clone());
        Ok(connection)
    }
}

/// When a connection was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opened {
    /// By this request.
    Now,
    /// By one before it: the other end may have closed it since.
    Before,
}

async fn run(
    connection: &sqlite::Connection,
    sql: &str,
    parameters: &[Value],
) -> Result<Vec<Row>, StoreError> {
    let parameters = parameters.iter().cloned().map(to_spin);
    let result = connection
        .execute(sql, parameters)
        .await
        .map_err(store_error)?;
    let rows = result.collect().await.map_err(store_error)?;
    let row = |row: sqlite::RowResult| row.values.into_iter().map(from_spin).collect();
    Ok(rows.into_iter().map(row).collect())
}

impl Sql for SqlConnection {
    async fn run(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, StoreError> {
        let (connection, opened) = self.get().await?;
        match run(&connection, sql, parameters).await {
            // Any statement may be repeated.
            Err(StoreError::Unavailable(_)) if opened == Opened::Before => {
                run(&*self.open().await?, sql, parameters).await
            }
            outcome => outcome,
        }
    }

    fn schema_seen(&self) -> &AtomicBool {
        &SCHEMA_SEEN
    }
}

fn to_spin(value: Value) -> sqlite::Value {
    match value {
        Value::Null => sqlite::Value::Null,
        Value::Integer(number) => sqlite::Value::Integer(number),
        Value::Real(number) => sqlite::Value::Real(number),
        Value::Text(text) => sqlite::Value::Text(text),
        Value::Blob(bytes) => sqlite::Value::Blob(bytes),
    }
}

fn from_spin(value: sqlite::Value) -> Value {
    match value {
        sqlite::Value::Null => Value::Null,
        sqlite::Value::Integer(number) => Value::Integer(number),
        sqlite::Value::Real(number) => Value::Real(number),
        sqlite::Value::Text(text) => Value::Text(text),
        sqlite::Value::Blob(bytes) => Value::Blob(bytes),
    }
}

fn store_error(error: sqlite::Error) -> StoreError {
    use sqlite::Error;
    match error {
        Error::NoSuchDatabase | Error::AccessDenied => StoreError::Unavailable(
            "the component has no database \"default\": grant it in spin.toml".to_owned(),
        ),
        Error::InvalidConnection => StoreError::Unavailable("the connection is gone".to_owned()),
        Error::DatabaseFull => StoreError::Unavailable("the database is full".to_owned()),
        Error::Io(message) => StoreError::from_message(message),
    }
}

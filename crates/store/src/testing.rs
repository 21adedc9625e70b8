//! What the tests of this crate run on: a clock of their own, documents in memory that fail as stores do, and the real
//! SQL in a database in memory.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, params_from_iter};
use talktime_usage::{Instant, Policy, State, UserId};

use crate::documents::{Access, Documents};
use crate::environment::Environment;
use crate::error::StoreError;
use crate::sql::{Row, Sql, Value, pragmas};
use crate::sqlite::SqlLedger;
use crate::users::Users;

/// A clock that moves when somebody waits, or a store is slow.
pub struct TestTime {
    millis: Cell<i64>,
    elapsed: Cell<Duration>,
    drawn: Cell<u64>,
}

impl TestTime {
    pub fn at(text: &str) -> &'static Self {
        Box::leak(Box::new(Self {
            millis: Cell::new(Instant::parse_rfc3339(text).expect("a time").unix_millis()),
            elapsed: Cell::new(Duration::ZERO),
            drawn: Cell::new(0),
        }))
    }

    pub fn advance(&self, span: Duration) {
        let millis = i64::try_from(span.as_millis()).expect("short");
        self.millis.set(self.millis.get() + millis);
        self.elapsed.set(self.elapsed.get() + span);
    }

    pub fn seconds(&self, seconds: u64) {
        self.advance(Duration::from_secs(seconds));
    }
}

impl Environment for TestTime {
    fn now(&self) -> Instant {
        Instant::from_unix_millis(self.millis.get())
    }

    fn elapsed(&self) -> Duration {
        self.elapsed.get()
    }

    fn wait(&self, span: Duration) -> Pin<Box<dyn Future<Output = ()> + '_>> {
        Box::pin(async move { self.advance(span) })
    }

    fn random(&self) -> u64 {
        let drawn = self.drawn.get() + 1;
        self.drawn.set(drawn);
        // Odd, so that no product comes twice.
        drawn.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

/// What goes wrong with a swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SwapFault {
    /// It is reported as failed and is made only when the next one is tried: it was on its way.
    LandsLate,
    /// It fails.
    NotMade,
    /// Another writer's swap comes before it.
    Raced,
    /// It is reported as failed though it was made.
    MadeAndFailed,
}

/// Documents in memory.
pub struct TestDocuments {
    pub time: &'static TestTime,
    pub documents: RefCell<BTreeMap<UserId, Vec<u8>>>,
    pub faults: RefCell<VecDeque<SwapFault>>,
    /// What each call of that kind takes, and then fails as locked.
    pub locked_reads: Cell<Option<Duration>>,
    pub locked_swaps: Cell<Option<Duration>>,
    /// What each call takes.
    pub slow: Cell<Duration>,
    pub swaps: Cell<u32>,
    pub swaps_max: Cell<u32>,
    pub found_locked: Cell<Option<Access>>,
    late: RefCell<Option<(Seen, Vec<u8>)>>,
}

type Seen = (UserId, Option<Vec<u8>>);

impl TestDocuments {
    pub fn state(&self, user: &UserId) -> Option<State> {
        let documents = self.documents.borrow();
        let document = documents.get(user)?;
        Some(serde_json::from_slice(document).expect("a state"))
    }

    fn put(&self, (user, seen): &Seen, document: &[u8]) -> bool {
        let mut documents = self.documents.borrow_mut();
        let fits = documents.get(user) == seen.as_ref();
        if fits {
            documents.insert(user.clone(), document.to_vec());
        }
        fits
    }

    fn locked(&self, time: Option<Duration>) -> Result<(), StoreError> {
        self.time.advance(self.slow.get());
        time.map_or(Ok(()), |time| {
            self.time.advance(time);
            Err(StoreError::Busy("database is locked".to_owned()))
        })
    }
}

impl Documents for TestDocuments {
    type Claim = Seen;

    async fn read(&self, user: &UserId) -> Result<Option<Vec<u8>>, StoreError> {
        self.locked(self.locked_reads.get())?;
        Ok(self.documents.borrow().get(user).cloned())
    }

    async fn claim(&self, user: &UserId) -> Result<(Option<Vec<u8>>, Seen), StoreError> {
        let document = self.read(user).await?;
        Ok((document.clone(), (user.clone(), document)))
    }

    fn known_to_fail(&self, access: Access) -> Option<StoreError> {
        let is_used_up = access == Access::Write && self.swaps.get() >= self.swaps_max.get();
        (is_used_up || self.found_locked.get() == Some(access))
            .then(|| StoreError::Busy("not now".to_owned()))
    }

    async fn swap(&self, claim: Seen, document: &[u8]) -> Result<(), StoreError> {
        self.swaps.set(self.swaps.get() + 1);
        self.locked(self.locked_swaps.get())?;
        if let Some((seen, late)) = self.late.borrow_mut().take() {
            self.put(&seen, &late);
        }
        let failed = || Err(StoreError::Unavailable("connection lost".to_owned()));
        match self.faults.borrow_mut().pop_front() {
            Some(SwapFault::LandsLate) => {
                *self.late.borrow_mut() = Some((claim, document.to_vec()));
                failed()
            }
            Some(SwapFault::NotMade) => failed(),
            Some(SwapFault::Raced) => {
                let mut other = self.state(&claim.0).expect("a document to race for");
                other.revision += 1;
                let other = serde_json::to_vec(&other).expect("JSON");
                self.documents.borrow_mut().insert(claim.0, other);
                Ok(())
            }
            Some(SwapFault::MadeAndFailed) => {
                self.put(&claim, document);
                failed()
            }
            None => {
                self.put(&claim, document);
                Ok(())
            }
        }
    }
}

/// A database in memory.
pub struct TestSql {
    pub connection: Connection,
    /// Statements that begin so fail, with that message.
    pub broken: RefCell<Option<(&'static str, &'static str)>>,
    /// How many statements were run.
    pub statements: Cell<u32>,
    schema_seen: AtomicBool,
}

impl Default for TestSql {
    fn default() -> Self {
        Self::on(Connection::open_in_memory().expect("a database"))
    }
}

impl TestSql {
    pub fn on(connection: Connection) -> Self {
        for pragma in pragmas() {
            connection.execute_batch(&pragma).expect("a pragma");
        }
        Self {
            connection,
            broken: RefCell::default(),
            statements: Cell::default(),
            schema_seen: AtomicBool::new(false),
        }
    }
}

impl Sql for TestSql {
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
    let mut statement = connection.prepare(sql)?;
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

/// All of it together.
pub struct Stage {
    pub time: &'static TestTime,
    pub documents: TestDocuments,
    pub ledger: SqlLedger<TestSql>,
    pub policy: Policy,
}

impl Stage {
    pub fn new() -> Self {
        let time = TestTime::at("2026-11-10T12:00:00Z");
        Self {
            time,
            documents: TestDocuments {
                time,
                documents: RefCell::default(),
                faults: RefCell::default(),
                locked_reads: Cell::default(),
                locked_swaps: Cell::default(),
                slow: Cell::default(),
                swaps: Cell::default(),
                swaps_max: Cell::new(10_000),
                found_locked: Cell::default(),
                late: RefCell::default(),
            },
            ledger: SqlLedger::new(TestSql::default(), time),
            policy: Policy::default(),
        }
    }

    pub fn users(&self) -> Users<'_, TestDocuments, SqlLedger<TestSql>> {
        Users {
            documents: &self.documents,
            ledger: &self.ledger,
            policy: &self.policy,
            environment: self.time,
        }
    }

    /// The rows of a query, each value as text and joined with `|`.
    pub fn rows(&self, sql: &str) -> Vec<String> {
        let text = |value: &Value| match value {
            Value::Integer(number) => number.to_string(),
            Value::Text(text) => text.clone(),
            Value::Null => String::new(),
            other => format!("{other:?}"),
        };
        let rows = run(&self.ledger.sql.connection, sql, &[]).expect("valid SQL");
        let line = |row: &Row| row.values().iter().map(text).collect::<Vec<_>>().join("|");
        rows.iter().map(line).collect()
    }

    /// Runs statements on the ledger, as somebody else would.
    pub fn sql(&self, sql: &str) {
        self.ledger
            .sql
            .connection
            .execute_batch(sql)
            .expect("valid SQL");
    }
}

pub fn user(name: &str) -> UserId {
    UserId::parse(name).expect("an id")
}

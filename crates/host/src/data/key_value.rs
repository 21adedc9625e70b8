//! The key-value store: Spin's SQLite file, with the behaviour of the backend that is to be tested.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use rusqlite::{Connection, params};
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::{data::group_commit::GroupCommit, lock::lock};

/// Spin's limit on what one call may give back, in bytes.
pub(crate) const RESULT_BYTES_MAX: usize = 128 << 20;

const SELECT: &str = "SELECT value FROM spin_key_value WHERE store=$1 AND key=$2";
const UPSERT: &str = "INSERT INTO spin_key_value (store, key, value) VALUES ($1, $2, $3)
    ON CONFLICT(store, key) DO UPDATE SET value=$3";

/// Which backend's behaviour the store has. All of them keep their data in the same SQLite file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KvBehaviour {
    /// Spin's SQLite backend, the default of `spin up`: a swap compares the value that `current` last saw, and is an
    /// unconditional upsert when it saw none.
    #[default]
    Sqlite,
    /// Spin's Redis backend: a swap is applied if nothing wrote the key since `current`, and reports `cas-failed`
    /// always, also when it was applied.
    Redis,
    /// What the interface promises: versions are compared, a swap after nothing seen only inserts, and the answer is true.
    Correct,
}

/// One compare-and-swap of a guest.
#[derive(Debug)]
pub(crate) struct Cas {
    pub(crate) store: String,
    pub(crate) key: String,
    /// The store's number in the guest's table, for the next attempt.
    pub(crate) bucket: u32,
    seen: Mutex<Seen>,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    value: Option<Vec<u8>>,
    version: u64,
    /// `current` was called.
    is_read: bool,
}

/// How a swap went, unless the store itself failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Swap {
    Done,
    Lost,
}

type Result<T> = std::result::Result<T, String>;

/// All stores of a host. Spin shares one connection among them, and so does this, but for reads that need not wait.
#[derive(Debug)]
pub(crate) struct KeyValue {
    connection: Arc<Mutex<Connection>>,
    reader: Mutex<Connection>,
    swaps: GroupCommit,
    versions: Versions,
}

/// How many writes there were to each key through this host: what Redis and the versioned backends watch.
#[derive(Clone, Debug)]
struct Versions {
    behaviour: KvBehaviour,
    writes: Arc<Mutex<HashMap<(String, String), u64>>>,
}

impl KeyValue {
    /// On a connection, and another one to the same file that does not wait for locks.
    pub(crate) fn new(connection: Connection, reader: Connection, behaviour: KvBehaviour) -> Self {
        let connection = Arc::new(Mutex::new(connection));
        Self {
            swaps: GroupCommit::new(connection.clone()),
            connection,
            reader: Mutex::new(reader),
            versions: Versions {
                behaviour,
                writes: Arc::default(),
            },
        }
    }

    pub(crate) fn get(&self, store: &str, key: &str) -> Result<Option<Vec<u8>>> {
        limited(select(&lock(&self.connection), store, key)?)
    }

    /// [`Self::get`], where that is a matter of microseconds: `None` where it would wait, for a lock of another process say.
    /// In WAL mode a read waits for no write, and sees what is committed.
    pub(crate) fn get_at_once(&self, store: &str, key: &str) -> Option<Result<Option<Vec<u8>>>> {
        let found = select(&lock(&self.reader), store, key).ok()?;
        Some(limited(found))
    }

    /// [`Self::current`], likewise. Where versions are compared, what is read and its version belong together, so there only
    /// the one connection will do.
    pub(crate) fn current_at_once(&self, cas: &Cas) -> Option<Result<Option<Vec<u8>>>> {
        if self.versions.behaviour != KvBehaviour::Sqlite {
            return None;
        }
        let value = select(&lock(&self.reader), &cas.store, &cas.key).ok()?;
        *lock(&cas.seen) = Seen {
            value: value.clone(),
            version: 0,
            is_read: true,
        };
        Some(limited(value))
    }

    pub(crate) fn set(&self, store: &str, key: &str, value: &[u8]) -> Result<()> {
        let connection = lock(&self.connection);
        upsert(&connection, store, key, value)?;
        self.versions.written(store, key);
        Ok(())
    }

    pub(crate) fn delete(&self, store: &str, key: &str) -> Result<()> {
        let connection = lock(&self.connection);
        let sql = "DELETE FROM spin_key_value WHERE store=$1 AND key=$2";
        let count = connection
            .prepare_cached(sql)
            .and_then(|mut s| s.execute([store, key]))
            .map_err(text)?;
        if count > 0 {
            self.versions.written(store, key);
        }
        Ok(())
    }

    pub(crate) fn exists(&self, store: &str, key: &str) -> Result<bool> {
        Ok(select(&lock(&self.connection), store, key)?.is_some())
    }

    pub(crate) fn keys(&self, store: &str) -> Result<Vec<String>> {
        let connection = lock(&self.connection);
        let mut statement = connection
            .prepare_cached("SELECT key FROM spin_key_value WHERE store=$1")
            .map_err(text)?;
        let mut bytes = 0;
        let keys = statement
            .query_map([store], |row| row.get::<_, String>(0))
            .map_err(text)?;
        keys.map(|key| {
            let key = key.map_err(text)?;
            bytes += size_of::<String>() + key.len();
            if bytes > RESULT_BYTES_MAX {
                Err(too_large())
            } else {
                Ok(key)
            }
        })
        .collect()
    }

    pub(crate) fn cas(&self, store: &str, key: &str, bucket: u32) -> Cas {
        let version = self.versions.of(store, key);
        let seen = Seen {
            value: None,
            version,
            is_read: false,
        };
        Cas {
            store: store.to_owned(),
            key: key.to_owned(),
            bucket,
            seen: Mutex::new(seen),
        }
    }

    pub(crate) fn current(&self, cas: &Cas) -> Result<Option<Vec<u8>>> {
        let connection = lock(&self.connection);
        let value = select(&connection, &cas.store, &cas.key)?;
        let version = self.versions.of(&cas.store, &cas.key);
        *lock(&cas.seen) = Seen {
            value: value.clone(),
            version,
            is_read: true,
        };
        limited(value)
    }

    /// Swaps, in one commit with those of others that come at the same time. A runtime of one thread has nothing else to do
    /// meanwhile, and would take the wait for idleness: a paused clock of its would go on.
    pub(crate) async fn swap(&self, cas: Arc<Cas>, value: Vec<u8>) -> Result<Swap> {
        if Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread {
            return self.versions.swap(&lock(&self.connection), &cas, &value);
        }
        let versions = self.versions.clone();
        self.swaps
            .write(move |connection| versions.swap(connection, &cas, &value))
            .await
    }
}

impl Versions {
    fn swap(&self, connection: &Connection, cas: &Cas, value: &[u8]) -> Result<Swap> {
        let seen = lock(&cas.seen).clone();
        let swap = match self.behaviour {
            KvBehaviour::Sqlite => {
                if let Some(old) = &seen.value {
                    update(connection, cas, old, value)?
                } else {
                    upsert(connection, &cas.store, &cas.key, value)?;
                    Swap::Done
                }
            }
            // The version sees writes that put the same bytes back; the value sees those of other hosts on the file.
            KvBehaviour::Redis if !seen.is_read => {
                upsert(connection, &cas.store, &cas.key, value)?;
                Swap::Done
            }
            KvBehaviour::Redis | KvBehaviour::Correct => {
                if self.of(&cas.store, &cas.key) != seen.version {
                    Swap::Lost
                } else if let Some(old) = &seen.value {
                    update(connection, cas, old, value)?
                } else {
                    insert(connection, cas, value)?
                }
            }
        };
        if swap == Swap::Done {
            self.written(&cas.store, &cas.key);
        }
        Ok(if self.behaviour == KvBehaviour::Redis {
            Swap::Lost
        } else {
            swap
        })
    }

    fn of(&self, store: &str, key: &str) -> u64 {
        if self.behaviour == KvBehaviour::Sqlite {
            return 0;
        }
        lock(&self.writes)
            .get(&(store.to_owned(), key.to_owned()))
            .copied()
            .unwrap_or_default()
    }

    /// Called with the connection locked, so that a swap sees a write and its version together.
    fn written(&self, store: &str, key: &str) {
        if self.behaviour != KvBehaviour::Sqlite {
            *lock(&self.writes)
                .entry((store.to_owned(), key.to_owned()))
                .or_default() += 1;
        }
    }
}

fn select(connection: &Connection, store: &str, key: &str) -> Result<Option<Vec<u8>>> {
    let mut statement = connection.prepare_cached(SELECT).map_err(text)?;
    let mut rows = statement.query([store, key]).map_err(text)?;
    rows.next()
        .and_then(|row| row.map(|row| row.get(0)).transpose())
        .map_err(text)
}

fn upsert(connection: &Connection, store: &str, key: &str, value: &[u8]) -> Result<()> {
    connection
        .prepare_cached(UPSERT)
        .and_then(|mut s| s.execute(params![store, key, value]))
        .map_err(text)?;
    Ok(())
}

fn update(connection: &Connection, cas: &Cas, old: &[u8], value: &[u8]) -> Result<Swap> {
    let sql = "UPDATE spin_key_value SET value=$1 WHERE store=$2 AND key=$3 AND value=$4";
    let parameters = params![value, cas.store, cas.key, old];
    let count = connection
        .prepare_cached(sql)
        .and_then(|mut s| s.execute(parameters))
        .map_err(text)?;
    Ok(if count == 1 { Swap::Done } else { Swap::Lost })
}

fn insert(connection: &Connection, cas: &Cas, value: &[u8]) -> Result<Swap> {
    let sql =
        "INSERT INTO spin_key_value (store, key, value) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    let parameters = params![cas.store, cas.key, value];
    let count = connection
        .prepare_cached(sql)
        .and_then(|mut s| s.execute(parameters))
        .map_err(text)?;
    Ok(if count == 1 { Swap::Done } else { Swap::Lost })
}

fn limited(value: Option<Vec<u8>>) -> Result<Option<Vec<u8>>> {
    let bytes = size_of::<Option<Vec<u8>>>() + value.as_ref().map_or(0, Vec::len);
    if bytes > RESULT_BYTES_MAX {
        Err(too_large())
    } else {
        Ok(value)
    }
}

fn too_large() -> String {
    format!("query result exceeds limit of {RESULT_BYTES_MAX} bytes")
}

/// Spin gives guests the debug form of SQLite's errors; code that reads them must see the same here.
#[expect(clippy::needless_pass_by_value, reason = "used as map_err's function")]
fn text(error: rusqlite::Error) -> String {
    format!("{error:?}")
}

#[cfg(test)]
mod tests;

//! Where the data is: Spin's own two files in Spin's own place, or a private folder that goes when the host goes.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use rusqlite::Connection;
use talktime_build::key_value_file;
use tempfile::TempDir;

use crate::error::HostError;

/// The name that Spin gives the default database's file.
const LEDGER_FILE: &str = "sqlite_db.db";

/// Spin's table, so that `spin up` can run on the same file.
const KEY_VALUE_TABLE: &str = "CREATE TABLE IF NOT EXISTS spin_key_value (
    store TEXT NOT NULL,
    key   TEXT NOT NULL,
    value BLOB NOT NULL,

    PRIMARY KEY (store, key)
)";

/// Where a host keeps its data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Storage {
    /// Private to the host, and gone with it. Real files in a temporary folder, so that several connections behave as
    /// they do in earnest; nothing is flushed to the disk.
    #[default]
    Memory,
    /// A folder, usually `.spin`, with the files that Spin itself would use.
    Directory(PathBuf),
}

impl Storage {
    /// Makes the folder and the key-value file, so that whoever runs on them next, Spin included, finds them ready.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn prepare(&self) -> Result<(), HostError> {
        Files::open(self).map(drop)
    }
}

/// An opened storage.
#[derive(Debug)]
pub(crate) struct Files {
    folder: PathBuf,
    /// Without a temporary folder, the data is to last: SQLite flushes as Spin lets it.
    temporary: Option<TempDir>,
    /// Held by whoever changes the ledger. SQLite lets one write at a time, and the others sleep and try again.
    pub(crate) ledger_writes: Mutex<()>,
}

impl Files {
    pub(crate) fn open(storage: &Storage) -> Result<Self, HostError> {
        let files = match storage {
            Storage::Directory(folder) => {
                std::fs::create_dir_all(folder).map_err(|e| storage_error(folder, &e))?;
                let folder = std::path::absolute(folder).map_err(|e| storage_error(folder, &e))?;
                Self {
                    folder,
                    temporary: None,
                    ledger_writes: Mutex::default(),
                }
            }
            Storage::Memory => {
                let temporary = tempfile::Builder::new()
                    .prefix("talktime-")
                    .tempdir()
                    .map_err(|e| storage_error(&std::env::temp_dir(), &e))?;
                Self {
                    folder: temporary.path().to_owned(),
                    temporary: Some(temporary),
                    ledger_writes: Mutex::default(),
                }
            }
        };
        key_value_file::prepare(&files.folder).map_err(|e| storage_error(&files.folder, &e))?;
        let table = |connection: Connection| connection.execute(KEY_VALUE_TABLE, []);
        let made = files.key_value_connection().and_then(table);
        made.map_err(|e| storage_error(&files.folder.join(key_value_file::NAME), &e))?;
        Ok(files)
    }

    /// The connection that all key-value stores of a host share, as in Spin.
    pub(crate) fn key_value_connection(&self) -> rusqlite::Result<Connection> {
        self.connect(key_value_file::NAME)
    }

    /// Another one for reads, which fails at once where it would have to wait.
    pub(crate) fn key_value_reader(&self) -> rusqlite::Result<Connection> {
        let connection = self.connect(key_value_file::NAME)?;
        connection.busy_timeout(Duration::ZERO)?;
        Ok(connection)
    }

    /// A new connection to the ledger, as each of a guest's `open`s is.
    pub(crate) fn ledger_connection(&self) -> rusqlite::Result<Connection> {
        self.connect(LEDGER_FILE)
    }

    fn connect(&self, file: &str) -> rusqlite::Result<Connection> {
        let connection = Connection::open(self.folder.join(file))?;
        if self.temporary.is_some() {
            connection.pragma_update(None, "synchronous", "OFF")?;
        }
        Ok(connection)
    }
}

fn storage_error(path: &Path, error: &dyn std::fmt::Display) -> HostError {
    HostError::Storage {
        path: path.to_owned(),
        message: error.to_string(),
    }
}

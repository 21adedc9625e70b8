//! The ledger's schema: numbered files, applied by whoever finds that they are missing.

use std::sync::atomic::Ordering;

use talktime_usage::Timestamp;

use crate::error::StoreError;
use crate::sql::{Sql, Value, optional};
use crate::sqlite::SqlLedger;

struct Migration {
    version: i64,
    sql: &'static str,
}

/// All migrations, in order. A new file is added here and never changed afterwards.
const MIGRATIONS: [Migration; 3] = [
    Migration {
        version: 1,
        sql: include_str!("../../../migrations/0001_ledger.sql"),
    },
    Migration {
        version: 2,
        sql: include_str!("../../../migrations/0002_running_first_and_retention.sql"),
    },
    Migration {
        version: 3,
        sql: include_str!("../../../migrations/0003_subscriptions.sql"),
    },
];

/// The version that this code reads and writes.
const NEWEST: i64 = MIGRATIONS[MIGRATIONS.len() - 1].version;

/// Applies what is missing, once for each instance. Several instances may do so at once: each statement can run twice.
pub(crate) async fn apply_missing<C: Sql>(
    ledger: &SqlLedger<C>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let seen = ledger.sql.schema_seen();
    if seen.load(Ordering::Relaxed) {
        return Ok(());
    }
    let applied = applied_version(ledger).await?;
    if applied > NEWEST {
        return Err(StoreError::Unreadable(format!(
            "the ledger has schema version {applied}, and this version of Talktime knows {NEWEST}: a later one was here, \
             whose rows it might damage. Run that one, or restore the ledger from before it"
        )));
    }
    if applied == 0 {
        // Kept in the file, so once is enough; a libSQL server has a mode of its own and may refuse.
        let _ = ledger.execute("PRAGMA journal_mode = WAL", []).await;
    }
    for migration in MIGRATIONS.iter().filter(|m| m.version > applied) {
        for statement in statements(migration.sql) {
            match ledger.execute(statement, []).await {
                // SQLite has no "ADD COLUMN IF NOT EXISTS": the column is there, which is what was wanted.
                Err(StoreError::Unavailable(why)) if why.contains("duplicate column name") => {}
                result => drop(result?),
            }
        }
        ledger
            .execute(
                "INSERT INTO schema_version (version, applied_at) VALUES (?1, ?2) ON CONFLICT (version) DO NOTHING",
                [
                    Value::Integer(migration.version),
                    Value::Integer(now.unix_seconds()),
                ],
            )
            .await?;
    }
    seen.store(true, Ordering::Relaxed);
    Ok(())
}

/// The newest version applied; 0 for a database that has no table of versions. Any other failure is one: a database that
/// is locked is not an empty one.
async fn applied_version<C: Sql>(ledger: &SqlLedger<C>) -> Result<i64, StoreError> {
    let rows = ledger
        .execute("SELECT MAX(version) FROM schema_version", [])
        .await;
    match rows {
        Err(StoreError::Unavailable(why)) if why.contains("no such table") => Ok(0),
        rows => match rows?.first() {
            Some(row) => Ok(optional(row, 0)?.unwrap_or(0)),
            None => Ok(0),
        },
    }
}

/// The statements of a file: each ends with a semicolon at the end of a line. A host runs one statement a call.
pub(crate) fn statements(sql: &str) -> impl Iterator<Item = &str> {
    sql.split(";\n")
        .map(str::trim)
        .filter(|statement| !statement.is_empty())
}

#[cfg(test)]
mod tests;

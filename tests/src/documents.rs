//! The users' documents, as the key-value store has them.

use talktime_usage::State;

use crate::Bench;

/// The label of the store.
const STORE: &str = "default";

fn key(user: &str) -> String {
    format!("user:{user}")
}

impl Bench {
    /// A user's document, to the byte.
    #[must_use]
    pub fn document(&self, user: &str) -> Option<Vec<u8>> {
        self.host.kv_get(STORE, &key(user))
    }

    /// Puts a document in the place of a user's.
    pub fn set_document(&self, user: &str, document: &[u8]) {
        self.host.kv_set(STORE, &key(user), document);
    }

    /// Takes a user's document away.
    pub fn delete_document(&self, user: &str) {
        self.host.kv_delete(STORE, &key(user));
    }

    /// A user's document, read.
    ///
    /// # Panics
    /// When it holds something else.
    #[must_use]
    pub fn state(&self, user: &str) -> Option<State> {
        let document = self.document(user)?;
        Some(serde_json::from_slice(&document).expect("a state"))
    }
}

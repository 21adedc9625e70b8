//! What lasts: the key-value store, the ledger, and the files that hold them.

pub(crate) mod files;
mod group_commit;
pub(crate) mod key_value;
pub(crate) mod sqlite;

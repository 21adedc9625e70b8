//! What can go wrong with a store, as far as callers need to tell apart.

/// A store did not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// It is overloaded, locked, or contended for longer than we try. Worth a retry by the client.
    #[error("busy: {0}")]
    Busy(String),
    /// It failed or cannot be reached.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// What it holds cannot be understood; a retry will not mend that.
    #[error("unreadable: {0}")]
    Unreadable(String),
}

impl StoreError {
    /// Sorts a store's message. Hosts give one untyped text, so the known texts of load are looked for: Spin's permit
    /// limit and its handle limit, `SQLite`'s lock, and the write conflict of `libSQL`.
    #[must_use]
    pub fn from_message(message: String) -> Self {
        const LOAD: [&str; 5] = [
            "too many requests",
            "too many compare_and_swaps",
            "is locked",
            "is busy",
            "table full",
        ];
        if LOAD.iter().any(|text| message.contains(text)) {
            Self::Busy(message)
        } else {
            Self::Unavailable(message)
        }
    }
}

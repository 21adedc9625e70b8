//! What is read once for each instance of a component and kept; errors are not kept.

use std::sync::OnceLock;

/// A value that the first request which needs it reads, and later requests share.
///
/// When reading fails, the next request tries again. Requests that run at the same time may read it twice; the first
/// value stays. It is meant for configuration, which is the same for all of them, never for the state of a request.
#[derive(Debug)]
pub struct Once<T>(OnceLock<T>);

impl<T> Once<T> {
    /// Nothing read yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// The value, read by `read` when there is none yet.
    ///
    /// # Errors
    /// What `read` fails with.
    pub async fn get<E>(&self, read: impl AsyncFnOnce() -> Result<T, E>) -> Result<&T, E> {
        if let Some(value) = self.0.get() {
            return Ok(value);
        }
        let value = read().await?;
        Ok(self.0.get_or_init(|| value))
    }
}

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures_executor::block_on;

    use super::*;

    #[test]
    fn an_error_is_tried_again_and_a_value_is_kept() {
        let once = Once::new();
        let reads = Cell::new(0);
        let read = async |outcome: Result<i32, &'static str>| {
            reads.set(reads.get() + 1);
            outcome
        };
        assert_eq!(block_on(once.get(|| read(Err("down")))), Err("down"));
        assert_eq!(block_on(once.get(|| read(Ok(1)))), Ok(&1));
        assert_eq!(block_on(once.get(|| read(Ok(2)))), Ok(&1));
        assert_eq!(reads.get(), 2);
    }
}

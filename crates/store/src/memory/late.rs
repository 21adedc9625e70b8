//! Calls that failed and are done all the same, later: they were on their way.

use std::cell::RefCell;
use std::time::Duration;

/// Those of one store, each with when it arrives.
pub(super) struct Late<T>(RefCell<Vec<(Duration, T)>>);

impl<T> Default for Late<T> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<T> Late<T> {
    pub(super) fn push(&self, at: Duration, call: T) {
        self.0.borrow_mut().push((at, call));
    }

    /// Those that have arrived by now, in the order in which they did.
    pub(super) fn arrived(&self, now: Duration) -> Vec<T> {
        let (mut arrived, late): (Vec<_>, Vec<_>) =
            self.0.take().into_iter().partition(|(at, _)| *at <= now);
        *self.0.borrow_mut() = late;
        arrived.sort_by_key(|(at, _)| *at);
        arrived.into_iter().map(|(_, call)| call).collect()
    }
}

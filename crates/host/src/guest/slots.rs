//! A table of a guest's resources with a limit, as Spin has it: full is an error that the guest sees.

use std::collections::HashMap;

/// Spin's limit for open stores, for compare-and-swaps, and for connections: each has a table of its own.
pub(crate) const SLOTS_MAX: usize = 256;

/// Resources by the number that the guest holds.
#[derive(Debug)]
pub(crate) struct Slots<V> {
    next: u32,
    values: HashMap<u32, V>,
}

impl<V> Default for Slots<V> {
    fn default() -> Self {
        Self {
            next: 0,
            values: HashMap::new(),
        }
    }
}

/// The table is full.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl<V> Slots<V> {
    /// Adds a resource and gives its number. Numbers are not used again until all have been.
    pub(crate) fn push(&mut self, value: V) -> Result<u32, Full> {
        if self.values.len() >= SLOTS_MAX {
            return Err(Full);
        }
        // Bounded: at most SLOTS_MAX numbers are taken.
        while self.values.contains_key(&self.next) {
            self.next = self.next.wrapping_add(1);
        }
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        self.values.insert(number, value);
        Ok(number)
    }

    pub(crate) fn get(&self, number: u32) -> Option<&V> {
        self.values.get(&number)
    }

    pub(crate) fn remove(&mut self, number: u32) {
        self.values.remove(&number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_at_the_limit_and_free_after_a_drop() {
        let mut slots = Slots::default();
        for n in 0..SLOTS_MAX {
            assert_eq!(slots.push(n).unwrap() as usize, n);
        }
        assert_eq!(slots.push(0), Err(Full));
        slots.remove(7);
        assert_eq!(slots.push(9), Ok(256));
        assert_eq!(slots.get(256), Some(&9));
        assert_eq!(slots.get(7), None);
    }
}

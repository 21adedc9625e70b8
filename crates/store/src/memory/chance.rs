//! The one generator of random numbers of a simulation.

use std::cell::Cell;

/// `SplitMix64`: small, and the same on every machine and version.
#[derive(Debug)]
pub struct Chance(Cell<u64>);

impl Chance {
    /// That of a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(Cell::new(seed))
    }

    /// The next 64 bits. None comes twice before all have come.
    pub fn bits(&self) -> u64 {
        self.0.set(self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        let mut bits = self.0.get();
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number from 0 to `bound - 1`.
    ///
    /// # Panics
    /// When there is none.
    pub fn below(&self, bound: u64) -> u64 {
        self.bits() % bound
    }

    /// A number from `least` to `most`.
    pub fn between(&self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }

    /// True that many times of a hundred.
    pub fn percent(&self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// True that many times of a thousand.
    pub fn per_mille(&self, per_mille: u64) -> bool {
        self.below(1_000) < per_mille
    }

    /// One of them.
    ///
    /// # Panics
    /// When there is none.
    pub fn pick<'a, T>(&self, of: &'a [T]) -> &'a T {
        let index = usize::try_from(self.below(of.len() as u64));
        &of[index.unwrap_or_default()]
    }
}

//! The random numbers of the guests: the machine's, or those of a seed.

use std::{
    convert::Infallible,
    sync::atomic::{AtomicU64, Ordering},
};

use rand_core::TryRng;
use wasmtime_wasi::WasiCtxBuilder;

/// Where the guests' random numbers come from.
#[derive(Debug, Default)]
pub(crate) enum Chance {
    /// The machine's generator.
    #[default]
    System,
    /// A generator that gives the same numbers for the same seed.
    Seeded(Seeds),
}

/// The seeds of the instances of a host, in the order in which they are made.
#[derive(Debug)]
pub(crate) struct Seeds(AtomicU64);

impl Chance {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self::Seeded(Seeds(AtomicU64::new(seed)))
    }

    /// Gives an instance its random numbers, secure ones and others, for WASI 0.2 and 0.3 alike. No other instance of the
    /// host has the same, or marks that must be unique would not be.
    pub(crate) fn install(&self, wasi: &mut WasiCtxBuilder) {
        if let Self::Seeded(seeds) = self {
            let mut of_instance = SplitMix(seeds.0.fetch_add(1, Ordering::Relaxed));
            wasi.secure_random(SplitMix(of_instance.bits()));
            wasi.insecure_random(SplitMix(of_instance.bits()));
            let (high, low) = (of_instance.bits(), of_instance.bits());
            wasi.insecure_random_seed(u128::from(high) << 64 | u128::from(low));
        }
    }
}

/// `SplitMix64`: small, and the same on every machine and version.
struct SplitMix(u64);

impl SplitMix {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }
}

impl TryRng for SplitMix {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        // The upper half of 64 bits fits.
        Ok(u32::try_from(self.bits() >> 32).unwrap_or_default())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.bits())
    }

    fn try_fill_bytes(&mut self, target: &mut [u8]) -> Result<(), Infallible> {
        for chunk in target.chunks_mut(8) {
            chunk.copy_from_slice(&self.bits().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_bytes_again_and_another_gives_others() {
        let bytes = |seed| {
            let mut bytes = [0; 21];
            SplitMix(seed).try_fill_bytes(&mut bytes).map(|()| bytes)
        };
        assert_eq!(bytes(1), bytes(1));
        assert_ne!(bytes(1), bytes(2));
    }
}

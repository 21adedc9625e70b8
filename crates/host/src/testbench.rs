//! What Spin has not: a clock that tests move, chance that they seed, faults on purpose, and a look inside.

pub(crate) mod chance;
pub(crate) mod clock;
pub(crate) mod faults;
mod inspection;

//! What Spin has not: a clock that tests move, faults on purpose, and a look inside.

pub(crate) mod clock;
pub(crate) mod faults;
mod inspection;

//! What the end-to-end tests stand on.
//!
//! [`Bench`] runs the built components in the embedded host under a clock of the test's. [`Target`] is the same API over
//! a real socket with a real clock: by default an embedded host of its own, or whatever `TALKTIME_BASE_URL` names.

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a test that cannot go on stops where it is"
)]

pub mod answer;
pub mod bench;
pub mod built;
mod documents;
pub mod environment;
pub mod ports;
pub mod provider_stand_in;
pub mod target;
pub mod tokens;
pub mod webhooks;

pub use answer::Answer;
pub use bench::{Bench, Setup};
pub use target::Target;

/// The internal secret of every bench.
pub const INTERNAL_SECRET: &str = "test-internal-secret-0123456789abcdef";

/// The HS256 secret of every bench.
pub const JWT_SECRET: &str = "test-jwt-secret-0123456789abcdef0123456789";

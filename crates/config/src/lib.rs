//! What every component reads from its host before it can decide anything: Spin variables, once for each instance
//! ([`Once`]), and the time ([`now`]).

mod clock;
mod once;
mod secret;
mod variables;

pub use clock::now;
pub use once::Once;
pub use secret::check_secret;
pub use variables::{Misconfigured, parsed, variable};

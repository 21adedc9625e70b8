//! What has to be there besides the components before the application can run, on a machine with nothing but Rust: the
//! wasm target, and Spin's key-value file in the mode that commits faster. `spin build` asks for them by
//! `cargo xtask prepare`, a build command of `spin.toml`; the embedded host does by itself.

pub mod cargo;
pub mod key_value_file;
pub mod wasm_target;

use std::fmt::{Display, Formatter};

/// Why the machine is not ready; it says what to do.
#[derive(Debug)]
pub struct BuildError(String);

impl Display for BuildError {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BuildError {}

//! What has to be there besides the components before the application can run, on a machine with nothing but Rust: the
//! wasm target, and Spin's key-value file in the mode that commits faster. `spin build` runs the binary of this crate, by
//! a build command of `spin.toml`; the embedded host calls the library.

pub mod cargo;
pub mod key_value_file;
pub mod wasm_target;

use std::path::PathBuf;

/// The build step failed; the message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Rust cannot compile to wasm.
    #[error("{0}")]
    Toolchain(String),
    /// A folder or a file could not be read or made.
    #[error("{path}: {message}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        message: String,
    },
}

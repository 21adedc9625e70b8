//! What has to be there before the application can run, on a machine with nothing but Rust: the wasm target, the
//! components, and Spin's key-value file in the mode that commits faster. `spin build` and the embedded host both run
//! the binary of this crate, as the build command of `spin.toml`.

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
    /// Cargo could not be run.
    #[error("cargo does not run: {0}")]
    Cargo(#[source] std::io::Error),
    /// The components do not compile; cargo has said why.
    #[error("the components do not build: see above")]
    Components,
    /// A folder or a file could not be read or made.
    #[error("{path}: {message}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        message: String,
    },
}

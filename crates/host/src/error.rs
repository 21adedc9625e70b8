//! What can go wrong before the host runs. Each message says what happened, to what, and what to do next.

use std::path::PathBuf;

/// Why a host could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The manifest is not there, or cannot be read.
    #[error(
        "cannot read {path}: {cause}\nRun this in the folder that holds spin.toml, or pass --manifest PATH"
    )]
    ManifestUnreadable {
        /// The file that was asked for.
        path: PathBuf,
        /// What the operating system said.
        cause: std::io::Error,
    },
    /// The manifest is not TOML, or not a Spin manifest of version 2.
    #[error("{path}{line}: {message}\nCorrect that line of the manifest, and try again", line = line_suffix(*.line))]
    ManifestInvalid {
        path: PathBuf,
        /// The line, counted from 1, when it is known.
        line: Option<usize>,
        /// What is wrong with it.
        message: String,
    },
    /// A component's wasm file is not there.
    #[error(
        "component `{component}` has no wasm file at {path}\nBuild it first: drop --no-build, or run `cargo build-components`"
    )]
    WasmMissing {
        /// The component's name in the manifest.
        component: String,
        /// Where the manifest says its file is.
        path: PathBuf,
    },
    /// The wasm file is not a component this host can run.
    #[error(
        "component `{component}` cannot be loaded: {message}\nBuild it anew for wasm32-wasip2, with the spin-sdk release that Cargo.lock names"
    )]
    ComponentInvalid {
        /// The component's name in the manifest.
        component: String,
        /// Wasmtime's own words.
        message: String,
    },
    /// A variable's name, template or value is wrong, or a required one has no value.
    #[error("{message}")]
    Variable {
        /// What is wrong, and which variable.
        message: String,
    },
    /// The data folder or one of its files cannot be used.
    #[error(
        "cannot use {path}: {message}\nCheck that the folder can be written to, or pass --data-dir PATH"
    )]
    Storage {
        /// The folder or file.
        path: PathBuf,
        /// What SQLite or the operating system said.
        message: String,
    },
    /// Rust cannot compile to wasm.
    #[error(transparent)]
    Toolchain(#[from] talktime_build::BuildError),
    /// A component's build command failed.
    #[error("the build of {components} failed: {command}\n{output}")]
    BuildFailed {
        /// The components that this command builds.
        components: String,
        /// The command, as in the manifest.
        command: String,
        /// All that it printed.
        output: String,
    },
    /// The Wasmtime engine could not be made.
    #[error("cannot start the WebAssembly engine: {message}")]
    Engine {
        /// Wasmtime's own words.
        message: String,
    },
}

fn line_suffix(line: Option<usize>) -> String {
    line.map(|line| format!(":{line}")).unwrap_or_default()
}

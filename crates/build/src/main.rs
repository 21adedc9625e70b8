//! `talktime-build`: the build command of every component in `spin.toml`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use talktime_build::{BuildError, cargo, key_value_file, wasm_target};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), BuildError> {
    let workspace = workspace();
    wasm_target::ensure(&workspace)?;
    cargo::build_components(&workspace)?;
    key_value_file::prepare(&workspace.join(".spin"))
}

/// The folder of the workspace, two above this crate's own.
fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

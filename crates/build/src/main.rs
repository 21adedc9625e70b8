//! `talktime-build prepare`: the first build command of `spin.toml`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use talktime_build::{BuildError, key_value_file, wasm_target};

fn main() -> ExitCode {
    if !std::env::args().skip(1).eq(["prepare"]) {
        eprintln!(
            "usage: talktime-build prepare   (adds the wasm target and makes .spin; `cargo build-components` compiles)"
        );
        return ExitCode::FAILURE;
    }
    match prepare(&workspace()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn prepare(workspace: &Path) -> Result<(), BuildError> {
    wasm_target::ensure(workspace)?;
    key_value_file::prepare(&workspace.join(".spin"))
}

/// The folder of the workspace, two above this crate's own.
fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

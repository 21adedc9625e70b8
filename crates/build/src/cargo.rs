//! Running cargo, and programs of the toolchain, from a program that cargo itself may have started.

use std::path::Path;
use std::process::Command;

use crate::BuildError;
use crate::wasm_target::TARGET;

/// What `cargo run` and `cargo test` set for the program that they start. A cargo started by that program must not see
/// it: build scripts would be told of the wrong package, and be run again each time.
const CARGO_VARIABLES: [&str; 9] = [
    "CARGO",
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_PATH",
    "CARGO_MANIFEST_LINKS",
    "CARGO_PRIMARY_PACKAGE",
    "CARGO_CRATE_NAME",
    "CARGO_BIN_NAME",
    "CARGO_TARGET_TMPDIR",
    "OUT_DIR",
];
const CARGO_PREFIXES: [&str; 4] = [
    "CARGO_PKG_",
    "CARGO_BIN_EXE_",
    "CARGO_CFG_",
    "CARGO_FEATURE_",
];

/// Takes out of a command's environment what an outer cargo has put there.
pub fn without_outer_cargo(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        let Some(text) = name.to_str() else { continue };
        if CARGO_VARIABLES.contains(&text)
            || CARGO_PREFIXES.iter().any(|prefix| text.starts_with(prefix))
        {
            command.env_remove(&name);
        }
    }
    command
}

/// Compiles every component of the workspace, in one call, so that they share their dependencies.
///
/// # Errors
/// When cargo fails; what it prints goes to this process's own output.
pub fn build_components(workspace: &Path) -> Result<(), BuildError> {
    let mut command = Command::new("cargo");
    command
        .args(["build", "--release", "--locked", "--target", TARGET])
        .current_dir(workspace);
    for package in packages(workspace)? {
        command.args(["--package", &package]);
    }
    let status = without_outer_cargo(&mut command)
        .status()
        .map_err(BuildError::Cargo)?;
    if status.success() {
        Ok(())
    } else {
        Err(BuildError::Components)
    }
}

/// The packages of the components: each folder in `components/` is one.
fn packages(workspace: &Path) -> Result<Vec<String>, BuildError> {
    let folder = workspace.join("components");
    let failed = |error: std::io::Error| BuildError::File {
        path: folder.clone(),
        message: error.to_string(),
    };
    let mut packages = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.path().join("Cargo.toml").is_file() {
            packages.push(format!("talktime-{}", entry.file_name().to_string_lossy()));
        }
    }
    packages.sort();
    Ok(packages)
}

//! Running cargo, and programs of the toolchain, from a program that cargo itself may have started.

use std::process::Command;

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

//! The wasm target of the Rust toolchain, added when it is missing.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::BuildError;
use crate::cargo::without_outer_cargo;

/// What the components are compiled to.
pub const TARGET: &str = "wasm32-wasip2";

/// Makes sure that Rust can compile to wasm, and adds the target with rustup when it cannot.
///
/// `folder` decides the toolchain, as a `rust-toolchain.toml` there would.
///
/// # Errors
/// When there is no Rust, or the target is missing and cannot be added; the message says what to run.
pub fn ensure(folder: &Path) -> Result<(), BuildError> {
    if is_there(folder)? {
        return Ok(());
    }
    eprintln!("adding the {TARGET} target to the Rust toolchain…");
    let mut add = Command::new("rustup");
    add.args(["target", "add", TARGET]).current_dir(folder);
    let message = match without_outer_cargo(&mut add).output() {
        Ok(output) if output.status.success() && is_there(folder)? => return Ok(()),
        Ok(output) => format!(
            "the {TARGET} target is missing, and `rustup target add` failed: {}\n\
             Run `rustup target add {TARGET}` in {}, then try again",
            String::from_utf8_lossy(&output.stderr).trim(),
            folder.display()
        ),
        Err(_) => format!(
            "the {TARGET} target is missing, and there is no rustup to add it with\n\
             Install the target the way Rust was installed (a package such as `rust-std-{TARGET}`), or install rustup \
             from https://rustup.rs and run `rustup target add {TARGET}`"
        ),
    };
    Err(BuildError(message))
}

/// The toolchain in use has the target's library, whoever put it there.
fn is_there(folder: &Path) -> Result<bool, BuildError> {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "sysroot"]).current_dir(folder);
    let message = match without_outer_cargo(&mut rustc).output() {
        Ok(output) if output.status.success() => {
            let sysroot = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
            return Ok(sysroot
                .join("lib/rustlib")
                .join(TARGET)
                .join("lib")
                .is_dir());
        }
        Ok(output) => format!(
            "rustc does not run: {}\nRun `rustup show` in {}: it says which toolchain is missing",
            String::from_utf8_lossy(&output.stderr).trim(),
            folder.display()
        ),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            "there is no rustc\nInstall Rust from https://rustup.rs, then try again".to_owned()
        }
        Err(error) => {
            format!(
                "rustc does not run: {error}\nInstall Rust from https://rustup.rs, then try again"
            )
        }
    };
    Err(BuildError(message))
}

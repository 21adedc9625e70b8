//! What documents say is true where a machine can tell: links lead somewhere, and tables name what there is.

#![expect(
    clippy::expect_used,
    reason = "a test that cannot go on stops where it is"
)]

mod links;
mod tables;

use std::path::{Path, PathBuf};

/// The root of the repository.
fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).expect(path)
}

/// The repository's files below that folder whose names end so.
fn files(folder: &str, ends: &[&str]) -> Vec<PathBuf> {
    const NOT_OURS: [&str; 4] = ["target", "node_modules", ".git", ".spin"];
    let mut folders = vec![root().join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let entry = entry.expect("an entry");
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_ours = !NOT_OURS.iter().any(|other| name.starts_with(other));
            match entry.file_type().expect("a kind") {
                kind if kind.is_dir() && (is_ours || name == ".github") => {
                    folders.push(entry.path());
                }
                kind if kind.is_file() && ends.iter().any(|end| name.ends_with(end)) => {
                    found.push(entry.path());
                }
                _ => {}
            }
        }
    }
    found.sort();
    found
}

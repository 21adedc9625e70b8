//! What the documents say is true where a machine can tell. `cargo xtask tidy` runs these tests, as `cargo test` does.
//! The length of functions is clippy's to check: `clippy.toml`.

mod dependencies;
mod invariants;
mod links;
mod named;
mod sizes;
mod tables;

use std::path::PathBuf;

use crate::root;

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).expect(path)
}

/// The repository's files below that folder whose names end so, as paths from the root.
fn files(folder: &str, ends: &[&str]) -> Vec<String> {
    const NOT_OURS: [&str; 4] = ["target", "node_modules", ".git", ".spin"];
    let mut folders = vec![PathBuf::from(folder)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root().join(&folder)).expect("a folder") {
            let entry = entry.expect("an entry");
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = folder.join(&name);
            let is_ours = !NOT_OURS.iter().any(|other| name.starts_with(other));
            match entry.file_type().expect("a kind") {
                kind if kind.is_dir() && (is_ours || name == ".github") => folders.push(path),
                kind if kind.is_file() && ends.iter().any(|end| name.ends_with(end)) => {
                    found.push(path.to_string_lossy().into_owned());
                }
                _ => {}
            }
        }
    }
    found.sort();
    found
}

/// The names in backticks in each cell of the table that has these columns, row by row.
fn rows(document: &str, columns: &str) -> Vec<Vec<Vec<String>>> {
    let mut lines = document.lines();
    assert!(lines.any(|line| line == columns), "no table {columns}");
    let rows = lines.skip(1).take_while(|line| line.starts_with('|'));
    let names = |cell: &str| {
        cell.split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    };
    rows.map(|row| row.split('|').skip(1).map(names).collect())
        .collect()
}

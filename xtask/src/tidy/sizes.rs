//! A file is one idea, and short.

use super::{files, read};

const LINES_MAX: usize = 400;

/// The files that are too long, and how long.
fn too_long<'a>(sources: impl Iterator<Item = (&'a str, String)>) -> Vec<String> {
    sources
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LINES_MAX)
        .map(|(path, lines)| format!("{path}: {lines} lines"))
        .collect()
}

#[test]
fn files_are_short() {
    let files = files("", &[".rs"]);
    let sources = files.iter().map(|path| (path.as_str(), read(path)));
    assert_eq!(too_long(sources), [""; 0]);
}

#[test]
fn a_long_file_is_found() {
    let sources = [("a.rs", "\n".repeat(LINES_MAX)), ("b.rs", "\n".repeat(401))];
    assert_eq!(too_long(sources.into_iter()), ["b.rs: 401 lines"]);
}

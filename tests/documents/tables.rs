//! Tables of documents and examples of deployment name the variables that there are, and all of them.

use std::collections::BTreeSet;

use crate::{files, read};

/// The names in the first column of the table that has these columns, several to a cell.
fn first_column(document: &str, columns: &str) -> BTreeSet<String> {
    let text = read(document);
    let mut lines = text.lines();
    assert!(
        lines.any(|line| line == columns),
        "{document}: no {columns}"
    );
    let rows = lines.skip(1).take_while(|line| line.starts_with('|'));
    let cells = rows.filter_map(|row| row.split('|').nth(1));
    cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect()
}

fn variables() -> BTreeSet<String> {
    let manifest: toml::Table = read("spin.toml").parse().expect("TOML");
    let variables = manifest["variables"].as_table().expect("variables");
    variables.keys().cloned().collect()
}

#[test]
fn all_settings_are_explained() {
    let explained = first_column(
        "docs/operations.md",
        "| variable | default | what it does |",
    );
    assert_eq!(explained, variables());
}

#[test]
fn examples_of_deployment_set_variables_that_there_are() {
    let variables = variables();
    let mut used = BTreeSet::new();
    for path in files("deploy", &[".env", ".yaml"]) {
        let text = std::fs::read_to_string(&path).expect("a file");
        let upper = text.split("SPIN_VARIABLE_").skip(1).map(|rest| {
            let end = rest.find(|c: char| !(c.is_ascii_uppercase() || c == '_'));
            rest[..end.unwrap_or(rest.len())].to_lowercase()
        });
        used.extend(upper);
        // The variables of a SpinApp, by name.
        let named = text
            .lines()
            .filter_map(|line| line.strip_prefix("    - name: "));
        used.extend(
            named
                .filter(|_| path.ends_with("spinkube.yaml"))
                .map(str::to_owned),
        );
    }
    assert!(used.len() > 5, "{used:?}");
    let unknown: Vec<_> = used.difference(&variables).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn examples_of_deployment_hold_no_usable_secret() {
    for path in files("deploy", &[".env"]) {
        let text = std::fs::read_to_string(&path).expect("a file");
        let set = |line: &&str| !line.starts_with('#') && !line.is_empty() && !line.ends_with('=');
        let lines: Vec<_> = text.lines().filter(set).collect();
        assert!(lines.is_empty(), "{}: {lines:?}", path.display());
    }
    let configurations = files("deploy", &["-libsql.toml"]);
    assert_eq!(configurations.len(), 3);
    for path in configurations {
        let text = std::fs::read_to_string(&path).expect("a file");
        let table: toml::Table = text.parse().expect("TOML");
        let token = &table["sqlite_database"]["default"]["token"];
        assert_eq!(token.as_str(), Some(""), "{}", path.display());
    }
}

/// The environment variables of tests and measurements.
#[test]
fn all_knobs_are_explained() {
    let explained = first_column(
        "CONTRIBUTING.md",
        "| variable | who reads it | what it does |",
    );
    let mut used = BTreeSet::new();
    for folder in ["tests", "bench", "crates", "components"] {
        for path in files(folder, &[".rs", ".mjs", ".lua", "run"]) {
            if path.ends_with("documents/tables.rs") {
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("a file");
            for prefix in ["TALKTIME_", "UPDATE_"] {
                let names = text.match_indices(prefix).filter_map(|(at, _)| {
                    let end = text[at..].find(|c: char| !(c.is_ascii_uppercase() || c == '_'))?;
                    let is_whole = !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
                    is_whole.then(|| text[at..at + end].to_owned())
                });
                used.extend(names.filter(|name| name != prefix));
            }
        }
    }
    assert_eq!(explained, used);
}

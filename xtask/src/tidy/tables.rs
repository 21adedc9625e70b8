//! Tables of documents and examples of deployment name the variables that there are, and all of them.

use std::collections::BTreeSet;

use super::{files, read, rows};

/// The names in the first column of the table that has these columns, several to a cell.
fn first_column(document: &str, columns: &str) -> BTreeSet<String> {
    let rows = rows(&read(document), columns).into_iter();
    rows.filter_map(|cells| cells.into_iter().next())
        .flatten()
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
        let text = read(&path);
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
        let text = read(&path);
        let set = |line: &&str| !line.starts_with('#') && !line.is_empty() && !line.ends_with('=');
        let lines: Vec<_> = text.lines().filter(set).collect();
        assert!(lines.is_empty(), "{path}: {lines:?}");
    }
    let configurations = files("deploy", &["-libsql.toml"]);
    assert_eq!(configurations.len(), 3);
    for path in configurations {
        let text = read(&path);
        let table: toml::Table = text.parse().expect("TOML");
        let token = &table["sqlite_database"]["default"]["token"];
        assert_eq!(token.as_str(), Some(""), "{path}");
    }
}

/// The environment variables that a text names.
fn knobs(text: &str) -> BTreeSet<String> {
    let of = |prefix| {
        text.match_indices(prefix).filter_map(|(at, _)| {
            let is_name = |c: char| c.is_ascii_uppercase() || c == '_';
            let end = text[at..].find(|c| !is_name(c))?;
            let is_whole = !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            is_whole.then(|| text[at..at + end].to_owned())
        })
    };
    of("TALKTIME_").chain(of("UPDATE_")).collect()
}

#[test]
fn all_knobs_are_explained() {
    let explained = first_column(
        "CONTRIBUTING.md",
        "| variable | who reads it | what it does |",
    );
    let used = ["tests", "bench", "crates", "components"]
        .iter()
        .flat_map(|folder| files(folder, &[".rs", ".mjs", ".lua", "run"]))
        .flat_map(|path| knobs(&read(&path)));
    assert_eq!(explained, used.collect());
}

#[test]
fn names_are_found_in_tables_and_in_code() {
    let table = "| a | b |\n|---|---|\n| `x`, `y` | of `z` |\n| w | |\n\n| `v` |\n";
    let cell = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>()
    };
    let expected = [
        [cell(&["x", "y"]), cell(&["z"]), cell(&[])],
        [cell(&[]), cell(&[]), cell(&[])],
    ];
    assert_eq!(rows(table, "| a | b |"), expected);

    let code = "var(\"TALKTIME_A\"); $TALKTIME_B_C} MY_TALKTIME_D ";
    assert!(knobs(code).iter().eq(["TALKTIME_A", "TALKTIME_B_C"]));
}

//! Who may know whom: the table in `ARCHITECTURE.md` against the manifests and the sources.

use std::collections::{BTreeMap, BTreeSet};

use super::{files, read, rows};

type Graph = BTreeMap<String, BTreeSet<String>>;

/// The crates that `crates/usage` may know: no I/O, no clock, no chance, no platform.
const PURE: [&str; 5] = ["chrono", "serde", "serde_json", "thiserror", "uuid"];

/// What reads a clock, draws chance or does I/O, of the standard library and of those crates.
const IMPURE: [&str; 12] = [
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::process",
    "std::thread",
    "SystemTime",
    "Instant::now",
    "Utc::now",
    "Local::now",
    "new_v4",
    "now_v7",
];

/// Where the platform's SDK may be named, besides the components' entry points: by the crate that is made for it, and here.
const PLATFORM: [&str; 2] = ["crates/spin/", "xtask/"];

/// How the table names a member's folder: all components are one.
fn name(folder: &str) -> String {
    match folder.split_once('/') {
        Some(("crates", name)) => name.to_owned(),
        Some((group, _)) => group.to_owned(),
        None => folder.to_owned(),
    }
}

/// The crates that a manifest asks for, by any kind of dependency.
fn asked_for(manifest: &toml::Table) -> BTreeSet<String> {
    let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
    let tables = kinds
        .iter()
        .filter_map(|kind| manifest.get(*kind)?.as_table());
    tables.flat_map(|table| table.keys().cloned()).collect()
}

/// The folders of the workspace's members, and their manifests.
fn members() -> BTreeMap<String, toml::Table> {
    files("", &["Cargo.toml"])
        .iter()
        .filter_map(|path| Some((path.strip_suffix("/Cargo.toml")?.to_owned(), read(path))))
        .map(|(folder, text)| (folder, text.parse().expect("TOML")))
        .collect()
}

/// Which of our crates knows which.
fn graph(members: &BTreeMap<String, toml::Table>) -> Graph {
    let package = |manifest: &toml::Table| manifest["package"]["name"].as_str().map(str::to_owned);
    let names: BTreeMap<_, _> = members
        .iter()
        .filter_map(|(folder, manifest)| Some((package(manifest)?, name(folder))))
        .collect();
    let mut graph = Graph::new();
    for (folder, manifest) in members {
        let ours = asked_for(manifest).into_iter();
        let ours = ours.filter_map(|package| names.get(&package).cloned());
        graph.entry(name(folder)).or_default().extend(ours);
    }
    graph
}

/// What the graph has that the table does not allow, and the rows of the table for which there is no crate.
fn forbidden(graph: &Graph, table: &Graph) -> Vec<String> {
    let strangers = graph
        .iter()
        .flat_map(|(name, asked)| match table.get(name) {
            Some(allowed) => asked
                .difference(allowed)
                .map(|other| format!("{name} knows {other}"))
                .collect(),
            None => vec![format!("{name} is not in the table")],
        });
    let gone = table.keys().filter(|name| !graph.contains_key(*name));
    strangers
        .chain(gone.map(|name| format!("{name} is in the table alone")))
        .collect()
}

fn table(document: &str) -> Graph {
    let rows = rows(document, "| crate | may know |");
    let row = |mut cells: Vec<Vec<String>>| {
        let known: BTreeSet<_> = cells.remove(1).into_iter().collect();
        cells
            .remove(0)
            .into_iter()
            .map(move |name| (name, known.clone()))
    };
    rows.into_iter().flat_map(row).collect()
}

/// The crates with which the rules would not be pure; a feature of their own, such as a clock, is none of the workspace's.
fn impure(manifest: &toml::Table) -> Vec<String> {
    let asked = manifest["dependencies"].as_table();
    asked
        .into_iter()
        .flatten()
        .filter(|(name, asked)| !PURE.contains(&name.as_str()) || asked.get("features").is_some())
        .map(|(name, _)| name.clone())
        .collect()
}

/// Those of the words that a text has, whole.
fn named(text: &str, words: &[&str]) -> Vec<String> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let is_named = |word: &&&str| {
        text.match_indices(**word).any(|(at, found)| {
            !text[..at].ends_with(is_part) && !text[at + found.len()..].starts_with(is_part)
        })
    };
    words
        .iter()
        .filter(is_named)
        .map(|word| (*word).to_owned())
        .collect()
}

/// May this file name the platform's SDK?
fn is_platform(path: &str) -> bool {
    let is_entry = path.starts_with("components/") && path.ends_with("/src/lib.rs");
    is_entry || PLATFORM.iter().any(|place| path.starts_with(place))
}

#[test]
fn crates_know_whom_they_may() {
    let table = table(&read("ARCHITECTURE.md"));
    assert_eq!(forbidden(&graph(&members()), &table), [""; 0]);
}

#[test]
fn the_platform_is_named_where_parts_are_put_together() {
    let strangers: Vec<_> = files("", &[".rs"])
        .into_iter()
        .filter(|path| !is_platform(path) && !named(&read(path), &["spin_sdk"]).is_empty())
        .collect();
    assert_eq!(strangers, [""; 0]);
}

#[test]
fn the_rules_are_pure() {
    let manifest = &members()["crates/usage"];
    assert_eq!(impure(manifest), [""; 0]);
    for path in files("crates/usage/src", &[".rs"]) {
        assert_eq!(named(&read(&path), &IMPURE), [""; 0], "{path}");
    }
}

#[test]
fn what_is_pure_names_nothing_impure() {
    for folder in ["crates/polar/src", "crates/voice/src"] {
        for path in files(folder, &[".rs"]) {
            assert_eq!(named(&read(&path), &IMPURE), [""; 0], "{path}");
        }
    }
}

#[test]
fn the_back_ends_are_named_below_the_store() {
    let words = [
        "Redis", "redis", "SQLite", "sqlite", "libSQL", "DynamoDB", "Cosmos",
    ];
    let above = [
        "components",
        "crates/http/src",
        "crates/polar/src",
        "crates/voice/src",
    ];
    let sources = above.iter().flat_map(|folder| files(folder, &[".rs"]));
    for path in sources {
        assert_eq!(named(&read(&path), &words), [""; 0], "{path}");
    }
}

#[test]
fn the_host_knows_nothing_of_the_application() {
    let words = [
        "minute",
        "internal_api_secret",
        "auth_jwt_secret",
        "usage",
        "talktime_usage",
    ];
    for path in files("crates/host/src", &[".rs"]) {
        assert_eq!(named(&read(&path), &words), [""; 0], "{path}");
    }
}

#[test]
fn a_stranger_is_found() {
    let manifest = |text: &str| text.parse::<toml::Table>().expect("TOML");
    let members = BTreeMap::from([
        (
            "crates/low".to_owned(),
            manifest("package.name = \"app-low\""),
        ),
        (
            "components/top".to_owned(),
            manifest(
                "package.name = \"app-top\"\ndependencies = {app-low.workspace = true, x = \"1\"}",
            ),
        ),
        (
            "tests".to_owned(),
            manifest("package.name = \"app-tests\"\ndev-dependencies.app-top.workspace = true"),
        ),
    ]);
    let graph = graph(&members);
    let allowed = table(
        "| crate | may know |\n|---|---|\n| `low` | none |\n| `components`, `old` | `low` |\n| `tests` | |\n",
    );
    let expected = ["tests knows components", "old is in the table alone"];
    assert_eq!(forbidden(&graph, &allowed), expected);
    let allowed = table("| crate | may know |\n|---|---|\n| `low` | |\n| `components` | |\n");
    assert_eq!(
        forbidden(&graph, &allowed),
        ["components knows low", "tests is not in the table"]
    );
}

#[test]
fn a_clock_among_the_rules_is_found() {
    let manifest = "[dependencies]\nuuid.workspace = true\nspin-sdk.workspace = true\n\
        chrono = {workspace = true, features = [\"clock\"]}";
    let manifest = manifest.parse().expect("TOML");
    assert_eq!(impure(&manifest), ["chrono", "spin-sdk"]);
    assert_eq!(named("let t = SystemTime::now();", &IMPURE), ["SystemTime"]);
}

#[test]
fn words_are_found_whole() {
    let text = "use spin_sdk::http; fn renew_v4() { SystemTime::now() }";
    assert_eq!(
        named(text, &["spin_sdk", "new_v4", "SystemTime"]),
        ["spin_sdk", "SystemTime"]
    );
    assert!(is_platform("components/web/src/lib.rs") && !is_platform("components/web/src/a.rs"));
}

//! Every relative link in a document leads to a file, and to a heading of it; every path of ours that stands in one as code
//! is there.

use std::collections::BTreeSet;
use std::path::Path;

use super::{files, read, root};

/// The targets of a document's links. Code is left out: `[a](b)` there is none.
fn targets(text: &str) -> Vec<String> {
    let mut is_code = false;
    let mut found = Vec::new();
    for line in text.lines() {
        is_code ^= line.trim_start().starts_with("```");
        if is_code {
            continue;
        }
        let prose: String = line.split('`').step_by(2).collect();
        let links = prose.split("](").skip(1);
        found.extend(links.filter_map(|rest| rest.split(')').next().map(str::to_owned)));
    }
    found
}

/// The anchors of a document's headings, as forges make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let heading = |line: &str| line.trim_start_matches('#').trim().to_lowercase();
    text.lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            heading(line)
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
                .map(|c| if c == ' ' { '-' } else { c })
                .collect()
        })
        .collect()
}

/// The links of a document that lead nowhere; `text_of` has the texts of the files that there are.
fn broken(document: &str, text_of: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let text = text_of(document).unwrap_or_default();
    let leads_nowhere = |target: &String| {
        let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
        let file = if path.is_empty() {
            document.to_owned()
        } else {
            let folder = Path::new(document).parent().unwrap_or(Path::new(""));
            folder.join(path).to_string_lossy().into_owned()
        };
        text_of(&file).is_none_or(|text| !anchor.is_empty() && !anchors(&text).contains(anchor))
    };
    targets(&text)
        .into_iter()
        .filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
        .filter(leads_nowhere)
        .map(|target| format!("{document}: {target}"))
        .collect()
}

#[test]
fn links_lead_somewhere() {
    let documents = files("", &[".md"]);
    assert!(documents.len() > 8, "{documents:?}");
    // A folder has no text, and no headings.
    let text_of = |path: &str| {
        let path = root().join(path);
        path.exists()
            .then(|| std::fs::read_to_string(&path).unwrap_or_default())
    };
    let broken: Vec<_> = documents
        .iter()
        .flat_map(|path| broken(path, text_of))
        .collect();
    assert_eq!(broken, [""; 0]);
}

#[test]
fn a_link_to_nowhere_is_found() {
    let text_of = |path: &str| match path {
        "docs/a.md" => Some("# A\n[1](#a) [2](#b) [3](b.md#c) [4](c.md) [5](b.md)".to_owned()),
        "docs/b.md" => Some("## B".to_owned()),
        _ => None,
    };
    let expected = ["docs/a.md: #b", "docs/a.md: b.md#c", "docs/a.md: c.md"];
    assert_eq!(broken("docs/a.md", text_of), expected);
}

/// The paths from the root that stand as code in a text; those with a gap in them are no path.
fn paths(text: &str) -> Vec<&str> {
    const FOLDERS: [&str; 8] = [
        "bench/",
        "components/",
        "crates/",
        "deploy/",
        "docs/",
        "migrations/",
        "tests/",
        "xtask/",
    ];
    let code = text
        .lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2));
    code.filter(|path| FOLDERS.iter().any(|folder| path.starts_with(folder)))
        .filter(|path| !path.contains([' ', '*', '…', '<', '{']))
        .collect()
}

#[test]
fn paths_lead_somewhere() {
    for document in files("", &[".md"]) {
        let text = read(&document);
        let gone = paths(&text)
            .into_iter()
            .filter(|path| !root().join(path).exists());
        assert_eq!(gone.collect::<Vec<_>>(), [""; 0], "{document}");
    }
}

#[test]
fn paths_are_code_without_gaps() {
    let text =
        "In `crates/a/b.rs` or docs/c.md, `tests/*.rs`, `deploy/… x`, `spin up`.\n`docs/d.md`";
    assert_eq!(paths(text), ["crates/a/b.rs", "docs/d.md"]);
}

#[test]
fn links_are_found_as_readers_see_them() {
    let text = "See [a](b.md#c), `[x](y)`, [d](e).\n```\n[not](this)\n```\n[f](#g-h)\n";
    assert_eq!(targets(text), ["b.md#c", "e", "#g-h"]);
    let text = "# One\n## What a `thing` does: it's fine\n### two-three_four\n";
    let expected = ["one", "two-three_four", "what-a-thing-does-its-fine"];
    assert!(anchors(text).iter().eq(expected.iter()));
}

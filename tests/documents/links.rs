//! Every relative link in a document leads to a file, and to a heading of it.

use std::collections::BTreeSet;
use std::path::Path;

use crate::{files, root};

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

fn broken(document: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(document).expect("a document");
    let folder = document.parent().expect("a folder");
    let leads_nowhere = |target: &String| {
        let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
        let file = if path.is_empty() {
            document.to_owned()
        } else {
            folder.join(path)
        };
        if anchor.is_empty() {
            return !file.exists();
        }
        !std::fs::read_to_string(file).is_ok_and(|text| anchors(&text).contains(anchor))
    };
    let name = document.strip_prefix(root()).unwrap_or(document);
    targets(&text)
        .into_iter()
        .filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
        .filter(leads_nowhere)
        .map(|target| format!("{}: {target}", name.display()))
        .collect()
}

#[test]
fn links_lead_somewhere() {
    let documents = files("", &[".md"]);
    assert!(documents.len() > 8, "{documents:?}");
    let broken: Vec<_> = documents.iter().flat_map(|path| broken(path)).collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn links_are_found_as_readers_see_them() {
    let text = "See [a](b.md#c), `[x](y)`, [d](e).\n```\n[not](this)\n```\n[f](#g-h)\n";
    assert_eq!(targets(text), ["b.md#c", "e", "#g-h"]);
    let text = "# One\n## What a `thing` does: it's fine\n### two-three_four\n";
    let expected = ["one", "two-three_four", "what-a-thing-does-its-fine"];
    assert!(anchors(text).iter().eq(expected.iter()));
}

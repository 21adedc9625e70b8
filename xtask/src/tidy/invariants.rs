//! Every invariant that `ARCHITECTURE.md` states names the tests that check it, and there are such tests.

use super::{files, read};

const STATED: &str = "**Invariant**:";
const CHECKED: &str = "Checked by ";

/// What is wrong with the invariants of a document, where these are the sources.
fn unchecked(document: &str, sources: &[String]) -> Vec<String> {
    let mut wrong = Vec::new();
    for stated in document.split(STATED).skip(1) {
        let stated = stated.split("\n\n").next().unwrap_or_default();
        let first = stated.lines().next().unwrap_or_default().trim();
        let Some((_, checks)) = stated.split_once(CHECKED) else {
            wrong.push(format!("nothing checks: {first}"));
            continue;
        };
        let names = checks.lines().next().unwrap_or_default().split('`');
        let names = names.skip(1).step_by(2);
        let gone = names.filter(|name| {
            let test = format!("fn {name}(");
            !sources.iter().any(|source| source.contains(&test))
        });
        wrong.extend(gone.map(|name| format!("there is no {name}")));
    }
    wrong
}

#[test]
fn every_invariant_is_checked() {
    let document = read("ARCHITECTURE.md");
    assert!(document.matches(STATED).count() > 15);
    let sources: Vec<_> = files("", &[".rs"]).iter().map(|path| read(path)).collect();
    assert_eq!(unchecked(&document, &sources), [""; 0]);
}

#[test]
fn an_invariant_that_nothing_checks_is_found() {
    let document = "- **Invariant**: a.\n  Checked by `t1`.\n- **Invariant**: b.\n- **Invariant**: c.\n  \
        Checked by `t1`, `t2`.\n\n**d**";
    let sources = ["fn t1() {}".to_owned()];
    let expected = ["nothing checks: b.", "there is no t2"];
    assert_eq!(unchecked(document, &sources), expected);
}

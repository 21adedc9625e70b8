//! The examples of `docs/rules.md`: each line of a table with a story is played.

use crate::scene::Scene;

/// The document, as it is read by people.
const RULES: &str = include_str!("../../../../docs/rules.md");

/// The cells of each line of the tables that have these columns.
fn lines(columns: &str) -> Vec<Vec<&'static str>> {
    let mut found = Vec::new();
    let mut lines = RULES.lines();
    while lines.by_ref().any(|line| line == columns) {
        let table = lines.by_ref().skip(1).take_while(|line| !line.is_empty());
        found.extend(table.map(|line| line.trim_matches('|').split('|').map(str::trim).collect()));
    }
    assert!(found.len() > 1, "no table with the columns {columns}");
    found
}

/// A scene after the story, and the ledger brought to the story's last moment.
fn played(mut scene: Scene, story: &str) -> Scene {
    scene.play(story);
    assert_eq!(scene.refused, [], "{story}");
    let last = story.rsplit(", ").next().unwrap_or(story);
    let (time, _) = last.split_once(' ').expect("a time and what happens");
    scene.sweep_at(time);
    scene
}

fn on(plan: &str) -> Scene {
    match plan {
        "free" => Scene::new(),
        plan => Scene::new().on(plan),
    }
}

#[test]
fn sessions_cost_what_the_rules_say() {
    for line in lines("| plan | story | sessions |") {
        let [plan, story, sessions] = line[..] else {
            panic!("{line:?}")
        };
        let scene = played(on(plan), story);
        assert_eq!(scene.ledger.sessions_told().join(", "), sessions, "{story}");
    }
}

#[test]
fn minutes_fall_into_the_periods_that_the_rules_say() {
    for line in lines("| from | story | sessions | periods |") {
        let [from, story, sessions, periods] = line[..] else {
            panic!("{line:?}")
        };
        let scene = played(Scene::at(from), story);
        assert_eq!(scene.ledger.sessions_told().join(", "), sessions, "{story}");
        assert_eq!(scene.ledger.periods_told().join(", "), periods, "{story}");
    }
}

#[test]
fn what_is_shown_is_what_the_rules_say() {
    for line in lines("| plan | story | at | used | remaining | seconds |") {
        let [plan, story, at, used, remaining, seconds] = line[..] else {
            panic!("{line:?}")
        };
        let status = played(on(plan), story).status_at(at);
        let shown = [
            status.minutes_used.get().to_string(),
            status.minutes_remaining.get().to_string(),
            status.seconds_remaining.get().to_string(),
        ];
        assert_eq!(shown, [used, remaining, seconds], "{story}");
    }
}

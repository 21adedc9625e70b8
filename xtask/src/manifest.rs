//! `spin.no-cron.toml`: the application for hosts without the cron trigger.

use std::path::Path;

const FROM: &str = "spin.toml";
const TO: &str = "spin.no-cron.toml";

const HEAD: &str = "\
# spin.toml for hosts without the cron trigger: call POST /api/internal/alarm every few seconds instead.
# Written by `cargo xtask manifest`; change spin.toml, not this.
";

/// Writes it anew.
pub fn write(root: &Path) -> Result<(), String> {
    let failed = |file: &str, error: std::io::Error| format!("error: {file}: {error}");
    let text = std::fs::read_to_string(root.join(FROM)).map_err(|error| failed(FROM, error))?;
    std::fs::write(root.join(TO), without_cron(&text)).map_err(|error| failed(TO, error))
}

/// The manifest without its cron triggers and the components that these call. Comments go with the table that they
/// stand above: a blank line ends it.
fn without_cron(manifest: &str) -> String {
    let blocks: Vec<&str> = manifest.trim_end().split("\n\n").collect();
    let called: Vec<&str> = blocks
        .iter()
        .filter(|block| is_trigger(block))
        .filter_map(|block| block.split_once("component = \"")?.1.split('"').next())
        .collect();
    let is_kept = |block: &&&str| {
        let table = table(block);
        let component = table.strip_prefix("[component.").unwrap_or_default();
        let name = component.split(['.', ']']).next().unwrap_or_default();
        !is_trigger(block) && !called.contains(&name)
    };
    let kept: Vec<&str> = blocks.iter().filter(is_kept).copied().collect();
    format!("{HEAD}{}\n", kept.join("\n\n"))
}

/// The line that opens a block's table.
fn table(block: &str) -> &str {
    let mut lines = block.lines();
    lines.find(|line| line.starts_with('[')).unwrap_or_default()
}

fn is_trigger(block: &str) -> bool {
    table(block) == "[[trigger.cron]]"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cron_needs_goes_with_its_comments() {
        let manifest = "a = 1\n\n# Asked.\n[component.al]\nb = 1\n\n# Often.\n[[trigger.cron]]\n# It.\n\
            component = \"alarm\"\n\n# Alone.\n[component.alarm]\n\n[component.alarm.build]\nc = 1\n";
        let expected = format!("{HEAD}a = 1\n\n# Asked.\n[component.al]\nb = 1\n");
        assert_eq!(without_cron(manifest), expected);
    }

    #[test]
    fn the_two_manifests_are_one_application() {
        let read = |name: &str| std::fs::read_to_string(crate::root().join(name)).expect(name);
        let written = without_cron(&read(FROM));
        assert!(written == read(TO), "{TO}: run `cargo xtask manifest`");

        let mut with: toml::Table = read(FROM).parse().expect(FROM);
        let triggers = with["trigger"].as_table_mut().expect("triggers");
        let cron = triggers.remove("cron").expect("a cron trigger");
        let components = with["component"].as_table_mut().expect("components");
        for trigger in cron.as_array().expect("triggers") {
            let name = trigger["component"].as_str().expect("a name");
            components.remove(name).expect("a component");
        }
        assert_eq!(with, written.parse().expect(TO));
    }
}

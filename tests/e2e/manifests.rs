//! The two manifests are one application: with the cron trigger and without.

use talktime_tests::built::root;

#[test]
fn the_manifest_without_cron_is_the_other_less_the_alarm() {
    let read = |name: &str| {
        let text = std::fs::read_to_string(root().join(name)).expect(name);
        text.parse::<toml::Table>().expect(name)
    };
    let mut with = read("spin.toml");
    let triggers = with["trigger"].as_table_mut().expect("triggers");
    let cron = triggers.remove("cron").expect("a cron trigger");
    assert_eq!(cron[0]["component"].as_str(), Some("alarm"));
    let components = with["component"].as_table_mut().expect("components");
    assert!(components.remove("alarm").is_some());
    assert_eq!(with, read("spin.no-cron.toml"));
}

//! What `spin.toml` grants the component, and that the host gives it no more.

use serde_json::json;
use talktime_host::{Clock, HostBuilder, VirtualClock};
use talktime_tests::bench::millis;
use talktime_tests::provider_stand_in::{OPENAI_KEY, ProviderStandIn};
use talktime_tests::{Bench, INTERNAL_SECRET, built};

use super::{USER, assert_nothing_leaks, mint};

/// The part of `spin.toml` that is about the session and token components, with those hosts allowed.
fn manifest_allowing(hosts: &str) -> String {
    let root = built::root().display();
    let text = std::fs::read_to_string(built::root().join("spin.toml")).expect("spin.toml");
    let is_wanted = |section: &&str| {
        let name = section.trim_start_matches('[');
        let is_trigger = name.starts_with("trigger.http]")
            && (section.contains("\"session\"") || section.contains("\"realtime-token\""));
        is_trigger
            || [
                "application]",
                "variables]",
                "component.session",
                "component.realtime-token",
            ]
            .iter()
            .any(|wanted| name.starts_with(wanted))
    };
    let mut sections = text.split("\n[");
    let head = sections.next().unwrap_or_default().to_owned();
    let kept: Vec<&str> = sections.filter(is_wanted).collect();
    let kept = kept
        .iter()
        .fold(head, |all, section| format!("{all}\n[{section}"));
    let lines = kept.lines().map(|line| match line {
        line if line.starts_with("allowed_outbound_hosts") => {
            format!("allowed_outbound_hosts = [{hosts}]")
        }
        line => line.replace("source = \"target/", &format!("source = \"{root}/target/")),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_host_that_is_not_granted_is_refused() {
    let provider = ProviderStandIn::start().await;
    built::manifest().await;
    let (host, port) = provider
        .base_url()
        .trim_start_matches("http://")
        .split_once(':')
        .map_or_else(
            || panic!("no port in {}", provider.base_url()),
            |(host, port)| (host.to_owned(), port.to_owned()),
        );
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("spin.toml");
    let check = async |hosts: &str, expected: u16| {
        std::fs::write(&file, manifest_allowing(hosts)).expect("a file");
        let clock = VirtualClock::new(millis("2026-11-10T12:00:00Z"));
        let host = HostBuilder::from_manifest(&file)
            .expect("a valid manifest")
            .variable("internal_api_secret", INTERNAL_SECRET)
            .variable("openai_api_key", OPENAI_KEY)
            .variable("openai_base_url", &provider.base_url())
            .clock(Clock::Virtual(clock.clone()))
            .build()
            .await
            .expect("the components link");
        let bench = Bench { host, clock };
        bench.start(USER).await;
        let asked_before = provider.requests().len();
        let answer = mint(&bench, USER, json!({})).await;
        assert_eq!(answer.status, expected, "{hosts}: {}", answer.body);
        if expected == 502 {
            let detail = "spin.toml does not allow a connection to the provider";
            assert_eq!(answer.refused(502, "provider_error")["detail"], detail);
            assert_eq!(provider.requests().len(), asked_before, "{hosts}");
        }
        assert_nothing_leaks(&bench, &answer);
    };
    check(&format!("\"http://{host}:{port}\""), 200).await;
    check(r#""{{ openai_base_url }}""#, 200).await;
    check("", 502).await;
    check(&format!("\"https://{host}:{port}\""), 502).await;
    check(&format!("\"http://localhost:{port}\""), 502).await;
    check(&format!("\"http://{host}:1\""), 502).await;
    check(r#""{{ gemini_base_url }}""#, 502).await;
}

#[test]
fn the_component_is_granted_the_least() {
    let text = std::fs::read_to_string(built::root().join("spin.toml")).expect("spin.toml");
    let grants: Vec<&str> = text
        .split("\n[")
        .find(|section| section.starts_with("component.realtime-token]"))
        .expect("the component")
        .lines()
        .skip(1)
        .filter(|line| line.contains(" = "))
        .collect();
    assert_eq!(
        grants,
        [
            r#"source = "target/wasm32-wasip2/release/talktime_realtime_token.wasm""#,
            r#"key_value_stores = ["default"]"#,
            r#"allowed_outbound_hosts = ["{{ openai_base_url }}", "{{ gemini_base_url }}"]"#,
        ]
    );
}

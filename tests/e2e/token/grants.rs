//! What `spin.toml` grants the component, and that the host gives it no more.

use serde_json::json;
use talktime_host::{Clock, HostBuilder, VirtualClock};
use talktime_tests::bench::millis;
use talktime_tests::provider_stand_in::{OPENAI_KEY, ProviderStandIn};
use talktime_tests::{Bench, INTERNAL_SECRET, built};
use toml::Table;

use super::accounts::{USER, assert_nothing_leaks, mint};

fn manifest() -> Table {
    let text = std::fs::read_to_string(built::root().join("spin.toml")).expect("spin.toml");
    text.parse().expect("TOML")
}

/// The part of `spin.toml` that is about the session and token components, with those hosts allowed.
fn manifest_allowing(hosts: &[&str]) -> String {
    let is_wanted = |name: &str| ["session", "voice"].contains(&name);
    let mut manifest = manifest();
    let triggers = manifest["trigger"].as_table_mut().expect("triggers");
    triggers.retain(|kind, _| kind == "http");
    let routes = triggers["http"].as_array_mut().expect("routes");
    routes.retain(|route| route["component"].as_str().is_some_and(is_wanted));
    let components = manifest["component"].as_table_mut().expect("components");
    components.retain(|name, _| is_wanted(name));
    for (_, component) in components.iter_mut() {
        let source = component["source"].as_str().expect("a path");
        component["source"] = built::root().join(source).display().to_string().into();
    }
    components["voice"]["allowed_outbound_hosts"] = hosts.to_vec().into();
    manifest.to_string()
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
    let check = async |hosts: &[&str], expected: u16| {
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
        assert_eq!(answer.status, expected, "{hosts:?}: {}", answer.body);
        if expected == 502 {
            let detail = "spin.toml does not allow a connection to the provider";
            assert_eq!(answer.refused(502, "provider_error")["detail"], detail);
            assert_eq!(provider.requests().len(), asked_before, "{hosts:?}");
        }
        assert_nothing_leaks(&bench, &answer);
    };
    check(&[&format!("http://{host}:{port}")], 200).await;
    check(&["{{ openai_base_url }}"], 200).await;
    check(&[], 502).await;
    check(&[&format!("https://{host}:{port}")], 502).await;
    check(&[&format!("http://localhost:{port}")], 502).await;
    check(&[&format!("http://{host}:1")], 502).await;
    check(&["{{ gemini_base_url }}"], 502).await;
}

#[test]
fn the_component_is_granted_the_least() {
    let mut component = manifest()["component"]["voice"].clone();
    let component = component.as_table_mut().expect("the component");
    // What it is told, and how it is built.
    component.retain(|name, _| !["variables", "build"].contains(&name));
    let granted = toml::toml! {
        source = "target/wasm32-wasip2/release/talktime_voice_component.wasm"
        key_value_stores = ["default"]
        allowed_outbound_hosts = ["{{ openai_base_url }}", "{{ gemini_base_url }}", "http://session.spin.internal"]
    };
    assert_eq!(*component, granted);
}

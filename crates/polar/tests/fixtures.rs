//! Every payload among the fixtures, and what it comes to for an operator who has configured nothing.

#![allow(clippy::expect_used, reason = "the helpers of a test may panic")]

use std::collections::BTreeMap;

use talktime_polar::decision::{Action, Arrival, Rules, decide};
use talktime_polar::event::Event;
use talktime_polar::products::{PastDue, Products};
use talktime_usage::{Catalogue, Command, Timestamp};
use talktime_webhook::Delivery;

/// A fixture's name without `.json`, and what becomes of it.
const EXPECTED: [(&str, &str); 23] = [
    ("customer.state_changed", "lists 1, 1 without a plan"),
    ("customer.state_changed.empty", "lists 0, 0 without a plan"),
    ("order.paid", "ignored"),
    ("product.updated", "ignored"),
    ("subscription.active", "pro"),
    ("subscription.active.recovered", "pro"),
    ("subscription.active.unknown_plan", "free"),
    ("subscription.active.unknown_product", "unknown product"),
    ("subscription.active.unmapped", "unmapped"),
    ("subscription.canceled", "pro until 2026-11-01T09:00:00Z"),
    ("subscription.canceled.immediately", "none"),
    ("subscription.created", "ignored"),
    ("subscription.created.trialing", "pro"),
    ("subscription.cycled", "pro"),
    ("subscription.past_due", "past due"),
    ("subscription.paused", "none"),
    ("subscription.resumed", "pro"),
    ("subscription.revoked", "none"),
    ("subscription.revoked.unpaid", "none"),
    ("subscription.uncanceled", "pro"),
    ("subscription.updated", "pro"),
    ("subscription.updated.switch_pending", "basic"),
    ("subscription.updated.switched", "pro"),
];

fn outcome(body: &[u8]) -> String {
    let event = Event::parse(body).expect("an event");
    let (catalogue, products) = (Catalogue::default(), Products::default());
    let rules = Rules {
        catalogue: &catalogue,
        products: &products,
        past_due: PastDue::Keep,
    };
    let delivery = Delivery {
        id: "evt_1",
        sent_at_seconds: 0,
    };
    let arrival = Arrival {
        delivery,
        at: Timestamp::from_unix_seconds(1_800_000_000),
        known: &[],
    };
    let decision = decide(&event, arrival, rules);
    let news = match decision.action {
        Action::Apply(news) => news,
        Action::Outdated => return "outdated".to_owned(),
        Action::Ignore => return "ignored".to_owned(),
        Action::Unmapped => return "unmapped".to_owned(),
        Action::UnknownProduct => return "unknown product".to_owned(),
    };
    match news.command {
        Command::PastDue { .. } => "past due".to_owned(),
        Command::Reconcile(roster) => {
            let unknown = decision.without_plan.len();
            format!("lists {}, {unknown} without a plan", roster.active.len())
        }
        Command::ChangePlan {
            plan,
            period,
            ends_at,
            customer,
            ..
        } => {
            assert!(period.is_some(), "each real subscription tells its period");
            assert!(customer.is_some(), "and its customer");
            let plan = plan.map_or("none".to_owned(), |plan| plan.to_string());
            match ends_at {
                Some(end) => format!("{plan} until {}", end.to_rfc3339()),
                None => plan,
            }
        }
        other => panic!("no news of a plan: {other:?}"),
    }
}

#[test]
fn every_fixture_is_understood() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("a file").path();
        let name = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        found.insert(name, outcome(&std::fs::read(&path).expect("a payload")));
    }
    let expected = EXPECTED.map(|(name, outcome)| (name.to_owned(), outcome.to_owned()));
    assert_eq!(found, BTreeMap::from(expected));
}

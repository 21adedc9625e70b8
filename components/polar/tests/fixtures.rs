//! Every payload among the fixtures, and what it comes to for an operator who has configured nothing.

#![allow(clippy::expect_used, reason = "the helpers of a test may panic")]

use std::collections::BTreeMap;

use talktime_polar::configuration::{PastDue, Products};
use talktime_polar::decision::{Action, Rules, decide};
use talktime_polar::event::Event;
use talktime_polar::signature::Delivery;
use talktime_usage::{Catalogue, Command};

/// A fixture's name without `.json`, and what becomes of it.
const EXPECTED: [(&str, &str); 23] = [
    ("customer.state_changed", "lists 1"),
    ("customer.state_changed.empty", "lists 0"),
    ("order.paid", "ignored"),
    ("product.updated", "ignored"),
    ("subscription.active", "pro"),
    ("subscription.active.recovered", "pro"),
    ("subscription.active.unknown_plan", "free"),
    ("subscription.active.unknown_product", "unknown product"),
    ("subscription.active.unmapped", "unmapped"),
    ("subscription.canceled", "pro"),
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
    match decide(&event, delivery, rules).action {
        Action::Ignore => "ignored".to_owned(),
        Action::Unmapped => "unmapped".to_owned(),
        Action::UnknownProduct => "unknown product".to_owned(),
        Action::Apply(_, Command::PastDue { .. }) => "past due".to_owned(),
        Action::Apply(_, Command::Reconcile(roster)) => format!("lists {}", roster.active.len()),
        Action::Apply(_, Command::ChangePlan { plan, period, .. }) => {
            assert!(period.is_some(), "each real subscription tells its period");
            plan.map_or("none".to_owned(), |plan| plan.to_string())
        }
        Action::Apply(_, other) => panic!("no news of a plan: {other:?}"),
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

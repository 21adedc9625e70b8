//! Webhooks that are sent again, because of a failure on our side or by an operator's hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::json;
use talktime_host::{FaultAction, Faults, HostCall, Storage};
use talktime_tests::webhooks::{fixture, of_user, setup};

#[tokio::test]
async fn what_could_not_be_used_is_applied_when_it_is_sent_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let on_disk = |products: &str| {
        setup()
            .variable("polar_products", products)
            .storage(Storage::Directory(folder.path().to_owned()))
            .starting("2026-10-05T00:00:00Z")
            .build()
    };
    let event = fixture("subscription.active.unknown_product");
    let product = event["data"]["product_id"].as_str().expect("an id");
    let rows = "SELECT id, user_id, outcome FROM webhook_events";

    let bench = on_disk("").await;
    for _ in 0..2 {
        assert_eq!(bench.outcome("e1", &event).await, "unknown_product");
        assert_eq!(bench.rows(rows), ["e1|user_42|unknown_product"]);
        assert_eq!(bench.status("user_42").await["plan"], "free");
    }
    drop(bench);
    // The operator has told what the product stands for.
    let bench = on_disk(&json!({product: "pro"}).to_string()).await;
    for outcome in ["applied", "duplicate"] {
        assert_eq!(bench.outcome("e1", &event).await, outcome);
        assert_eq!(bench.rows(rows), ["e1|user_42|applied"]);
        assert_eq!(bench.status("user_42").await["plan"], "pro");
    }
}

/// Breaks one call of the component to its host.
struct Break {
    action: FaultAction,
    /// Whether the call has its effect before it breaks.
    after: bool,
    /// How many calls are left until then.
    left: AtomicI64,
}

impl Break {
    fn turn(&self, call: &HostCall, after: bool) -> FaultAction {
        let is_counted = call.component == "polar" && after == self.after;
        if is_counted && self.left.fetch_sub(1, Ordering::SeqCst) == 0 {
            self.action.clone()
        } else {
            FaultAction::None
        }
    }
}

impl Faults for Break {
    fn before(&self, call: &HostCall) -> FaultAction {
        self.turn(call, false)
    }

    fn after(&self, call: &HostCall) -> FaultAction {
        self.turn(call, true)
    }
}

/// Breaks each call that a delivery makes, one delivery at a time, and has the event sent again as the provider would.
async fn check(action: FaultAction, after: bool) {
    let faults = Arc::new(Break {
        action,
        after,
        left: AtomicI64::new(-1),
    });
    let bench = setup()
        .faults(faults.clone())
        .starting("2026-10-05T00:00:00Z")
        .build()
        .await;
    let active = fixture("subscription.active");
    let mut turn = 0;
    loop {
        let name = format!("{:?}, after: {after}, call {turn}", faults.action);
        let user = format!("user_{turn}");
        let id = format!("e{turn}");
        let body = of_user(&user, &active).to_string();
        faults.left.store(turn, Ordering::SeqCst);
        let first = bench.send(bench.signed(&id, body.clone()).request()).await;
        let was_broken = faults.left.swap(-1, Ordering::SeqCst) < 0;
        // What a retry mends is 5xx; what needs none is 200.
        let status = first.status.as_u16();
        assert!(
            status == 200 || (was_broken && status >= 500),
            "{name}: {first:?}"
        );
        // Longer than any lease of the one that broke off.
        bench.seconds(60);
        let again = bench.taken(bench.signed(&id, body)).await;
        // It is news also where only the record of it had failed.
        assert!(
            ["applied", "duplicate"].contains(&again.as_str()),
            "{name}: {again}"
        );
        assert_eq!(bench.status(&user).await["plan"], "pro", "{name}");
        assert_eq!(
            bench.rows(&format!(
                "SELECT outcome FROM webhook_events WHERE id = '{id}'"
            )),
            ["applied"],
            "{name}"
        );
        let _ = bench.sweep().await;
        assert_eq!(
            bench.rows(&format!(
                "SELECT plan, minutes_limit FROM usage_periods WHERE user_id = '{user}'"
            )),
            ["pro|500"],
            "{name}"
        );
        if !was_broken {
            break;
        }
        turn += 1;
    }
    assert!(turn >= 5, "only {turn} calls were broken");
}

#[tokio::test]
async fn a_delivery_that_breaks_off_anywhere_is_mended_by_the_next() {
    for after in [false, true] {
        check(FaultAction::Crash, after).await;
        check(FaultAction::Fail("on purpose".to_owned()), after).await;
    }
}

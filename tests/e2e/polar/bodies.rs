//! What becomes of genuine webhooks that are of no use, or odd, deep and huge: never an error that a retry cannot mend.

use serde_json::{Value, json};
use talktime_tests::bench::request;
use talktime_tests::webhooks::{fixture, of_user, setup};

/// Genuine events by their ids, and what becomes of each.
fn of_no_use() -> Vec<(&'static str, Value, &'static str)> {
    let typed = |kind: &str, data: Value| json!({"type": kind, "timestamp": "2026-10-01T09:00:00Z", "data": data});
    vec![
        ("a1", fixture("subscription.active.unmapped"), "unmapped"),
        (
            "a2",
            fixture("subscription.active.unknown_product"),
            "unknown_product",
        ),
        ("a3", fixture("subscription.active.unknown_plan"), "applied"),
        ("a4", fixture("order.paid"), "ignored"),
        ("a5", fixture("product.updated"), "ignored"),
        ("a6", fixture("subscription.created"), "ignored"),
        ("b1", typed("benefit_grant.created", json!({})), "ignored"),
        (
            "b2",
            typed(
                "subscription.beamed_up",
                fixture("subscription.active")["data"].clone(),
            ),
            "ignored",
        ),
        ("b3", typed("", json!({})), "failed"),
        (
            "b4",
            typed("customer.state_changed", json!({"external_id": "user_43"})),
            "ignored",
        ),
        (
            "b5",
            typed(
                "customer.state_changed",
                json!({"external_id": "user_43", "active_subscriptions": [{}]}),
            ),
            "unmapped",
        ),
        (
            "b6",
            typed(
                "subscription.active",
                json!({"customer": {"external_id": "a/b"}, "id": "s"}),
            ),
            "unmapped",
        ),
        (
            "b7",
            typed(
                "subscription.active",
                json!({"metadata": {"user_id": "anna"}, "id": "s", "status": "on hold"}),
            ),
            "ignored",
        ),
    ]
}

#[tokio::test]
async fn what_cannot_be_used_is_received_and_shown_to_the_operator() {
    let bench = setup()
        .variable("polar_products", "")
        .starting("2026-10-05T00:00:00Z")
        .build()
        .await;
    for (id, event, expected) in of_no_use() {
        let delivery = bench.signed(id, event.to_string());
        assert_eq!(bench.taken(delivery).await, expected, "{id} {event}");
    }
    assert_eq!(
        bench.status("user_42").await["plan"],
        "free",
        "gold is unknown, so free"
    );
    let unmapped = "SELECT id, outcome FROM webhook_events \
                    WHERE outcome NOT IN ('applied', 'ignored') ORDER BY id";
    let rows = [
        "a1|unmapped",
        "a2|unknown_product",
        "b3|failed",
        "b5|unmapped",
        "b6|unmapped",
    ];
    assert_eq!(bench.rows(unmapped), rows);

    let overview = bench
        .send(request("GET", "/api/internal/overview", None, None))
        .await
        .ok();
    let shown = overview["unmappedWebhooks"].as_array().expect("a list");
    assert_eq!(shown.len(), rows.len());
    let mut first = shown[0].clone();
    let detail = first["detail"].take();
    assert_eq!(
        first,
        json!({
            "id": "a1", "type": "subscription.active", "receivedAt": "2026-10-05T00:00:00Z", "outcome": "unmapped",
            "detail": null,
        })
    );
    let detail: Value = serde_json::from_str(detail.as_str().expect("a detail")).expect("JSON");
    assert_eq!(
        detail,
        json!({
            "customer_id": "c0500000-0000-4000-8000-000000000002",
            "product_id": "9d0d0000-0000-4000-8000-000000000003",
            "subscription_id": "50b00000-0000-4000-8000-000000000001",
            "remarks": ["no external_id of the customer and no user_id in the metadata"],
        }),
        "ids and nothing personal"
    );
}

/// A field of an event, and what stands there instead; nothing if it is left out.
type Mutation = (String, Option<Value>);

/// Every field of an event in turn: null, of another type, empty, and left out.
fn mutations(event: &Value) -> Vec<Mutation> {
    fn collect(value: &Value, path: &str, found: &mut Vec<Mutation>) {
        let (children, is_object): (Vec<(String, &Value)>, bool) = match value {
            Value::Object(fields) => (fields.iter().map(|(k, v)| (k.clone(), v)).collect(), true),
            Value::Array(items) => (
                items
                    .iter()
                    .enumerate()
                    .map(|(i, v)| (i.to_string(), v))
                    .collect(),
                false,
            ),
            _ => return,
        };
        for (name, child) in children {
            let path = format!("{path}/{name}");
            collect(child, &path, found);
            let odd = [
                json!(null),
                json!(7),
                json!(true),
                json!(""),
                json!([[]]),
                json!({"": {}}),
            ];
            found.extend(odd.map(|odd| (path.clone(), Some(odd))));
            if is_object {
                found.push((path, None));
            }
        }
    }
    let mut found = Vec::new();
    collect(event, "", &mut found);
    found
}

fn mutated(event: &Value, (path, odd): &Mutation) -> Value {
    let mut event = event.clone();
    let (parent, field) = path.rsplit_once('/').expect("a path");
    match (event.pointer_mut(parent).expect("a parent"), odd) {
        (parent, Some(odd)) => {
            *parent.pointer_mut(&format!("/{field}")).expect("a field") = odd.clone();
        }
        (parent, None) => drop(parent.as_object_mut().expect("an object").remove(field)),
    }
    event
}

/// What becomes of a fixture, which is fine as it is, after a mutation.
fn expected(fixture: &str, (path, odd): &Mutation) -> &'static str {
    // People write a number where a text is meant, so it will do as an id of a user.
    let is_number = odd.as_ref().is_some_and(Value::is_number);
    match path.as_str() {
        "/type" => "failed",
        _ if fixture == "order.paid" => "ignored",
        "/data/customer/external_id" | "/data/external_id" if is_number => "applied",
        "/data/id" if fixture == "customer.state_changed" => "applied",
        "/data/status" => "ignored",
        // A list names the product only.
        "/data/active_subscriptions/0/product_id" => "unknown_product",
        // No list ends nothing; a list with something unknown in it neither.
        "/data/active_subscriptions" if *odd != Some(json!([[]])) => "ignored",
        "/data"
        | "/data/id"
        | "/data/customer"
        | "/data/customer/external_id"
        | "/data/external_id"
        | "/data/active_subscriptions"
        | "/data/active_subscriptions/0"
        | "/data/active_subscriptions/0/id" => "unmapped",
        _ => "applied",
    }
}

#[tokio::test]
async fn null_missing_and_odd_fields_are_never_an_error() {
    let bench = setup().starting("2026-10-05T00:00:00Z").build().await;
    let mut count = 0;
    for name in [
        "subscription.active",
        "customer.state_changed",
        "order.paid",
    ] {
        let event = fixture(name);
        for mutation in mutations(&event) {
            count += 1;
            // Each has a user of its own, so that it is news.
            let user = format!("user_{count}");
            let body = of_user(&user, &mutated(&event, &mutation));
            let delivery = bench.signed(&format!("e{count}"), body.to_string());
            assert_eq!(
                bench.taken(delivery).await,
                expected(name, &mutation),
                "{name} {mutation:?}"
            );
            if name == "subscription.active"
                && expected(name, &mutation) == "applied"
                && mutation.1 != Some(json!(7))
            {
                assert_eq!(bench.status(&user).await["plan"], "pro", "{mutation:?}");
            }
        }
    }
    assert!(count > 1_000, "{count}");
}

#[tokio::test]
async fn deep_huge_and_broken_bodies_are_answered_like_all_that_are_signed() {
    let bench = setup().build().await;
    let wrapped = |inner: String| format!(r#"{{"type":"subscription.active","data":{inner}}}"#);
    let nested = |open: &str, close: &str, depth: usize| {
        wrapped([open.repeat(depth), close.repeat(depth)].concat()).into_bytes()
    };
    let text = |kib: usize| wrapped(format!("{:?}", "x".repeat(kib * 1024))).into_bytes();
    let long = |length: usize| format!(r#"{{"type":"{}"}}"#, "x".repeat(length)).into_bytes();
    for (name, body, expected) in [
        ("100 levels", nested("[", "]", 100), "unmapped"),
        ("130 levels", nested("[", "]", 130), "failed"),
        ("10,000 levels", nested("[", "]", 10_000), "failed"),
        ("30,000 levels, open", nested("[", "", 30_000), "failed"),
        ("8,000 objects", nested(r#"{"a":"#, "}", 8_000), "failed"),
        ("70 KiB", text(70), "unmapped"),
        ("255 KiB", text(255), "unmapped"),
        ("256 KiB", vec![b' '; 256 * 1024], "failed"),
        ("256 KiB and a byte", vec![b' '; 256 * 1024 + 1], "413"),
        ("a megabyte", vec![b' '; 1 << 20], "413"),
        ("nothing", Vec::new(), "failed"),
        (
            "half",
            b"{\"type\":\"subscription.active\"".to_vec(),
            "failed",
        ),
        ("two", b"{\"type\":\"x\"} {}".to_vec(), "failed"),
        ("a list", b"[]".to_vec(), "failed"),
        ("null", b"null".to_vec(), "failed"),
        ("no type", b"{}".to_vec(), "failed"),
        ("no UTF-8", b"{\"type\":\"\xff\"}".to_vec(), "failed"),
        (
            "half a character",
            br#"{"type":"\ud800"}"#.to_vec(),
            "failed",
        ),
        ("a long type", long(50_000), "ignored"),
        ("a form", b"type=subscription.active".to_vec(), "failed"),
    ] {
        // Sent again, it is no better, and none of it keeps the provider from sending other events.
        for _ in 0..2 {
            let delivery = bench.signed(&name.replace([' ', ','], "_"), body.clone());
            let again = bench.taken(delivery).await;
            let is_known = again == "duplicate" && expected == "ignored";
            assert!(again == expected || is_known, "{name}: {again}");
        }
    }
    let longest = "SELECT MAX(LENGTH(type)) FROM webhook_events";
    assert_eq!(bench.rows(longest), ["128"]);
    assert_eq!(
        bench.rows("SELECT type, user_id, outcome, detail FROM webhook_events WHERE id = 'half'"),
        [
            r#"unreadable||failed|{"bytes":29,"remarks":["the body is not JSON, or is nested too deeply"]}"#
        ]
    );
    assert_eq!(bench.host.kv_keys("default"), [""; 0]);
}

#[tokio::test]
async fn a_variable_that_cannot_be_used_is_named_once_the_event_is_genuine() {
    for (variable, value) in [
        ("polar_products", "[]"),
        ("polar_products", r#"{"p1": "gold"}"#),
        ("polar_past_due", "later"),
        ("plans", "{}"),
    ] {
        let bench = setup().variable(variable, value).build().await;
        let event = fixture("subscription.active").to_string();
        let genuine = bench.signed("e1", event);
        let mut forged = genuine.clone();
        forged.id = Some("e2".into());
        assert_eq!(bench.taken(forged).await, "401", "{variable}");
        let answer = bench.send(genuine.request()).await;
        let refused = answer.refused(500, "misconfigured");
        let sentence = refused["error"].as_str().expect("a sentence");
        assert!(sentence.contains(variable), "{sentence}");
        assert_eq!(bench.host.kv_keys("default"), [""; 0]);
    }
}

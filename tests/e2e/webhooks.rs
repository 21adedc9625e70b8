//! The billing provider's webhooks: which are genuine, and what becomes of odd ones. Their order is in `subscriptions`.

use std::process::Command;

use serde_json::{Value, json};
use talktime_tests::Bench;
use talktime_tests::bench::request;
use talktime_tests::webhooks::{self, Delivery, SECRET, fixture, setup, signature};

const EVENTS: &str = "SELECT id, type, user_id, outcome FROM webhook_events ORDER BY id";

/// The published vectors are signed at this second, 2025-10-09T08:53:20Z.
const SENT: i64 = 1_760_000_000;

const BODY: &str = r#"{"type":"subscription.active"}"#;

async fn at(seconds: i64) -> Bench {
    let bench = setup().build().await;
    bench.clock.set_millis(seconds * 1_000);
    bench
}

/// How a delivery is taken: the outcome, or `400`, or `401` after which nothing has changed.
async fn taken(bench: &Bench, delivery: Delivery) -> String {
    let answer = bench.send(delivery.request()).await;
    match answer.status.as_u16() {
        200 => answer.json()["outcome"]
            .as_str()
            .expect("an outcome")
            .to_owned(),
        400 => answer.refused(400, "bad_request")["status"].to_string(),
        status => {
            // One sentence for every reason.
            let expected = json!({
                "type": "urn:talktime:problem:unauthorized", "title": "Not signed in", "status": 401,
                "code": "unauthorized", "error": "The webhook is not signed with this service's secret",
            });
            assert_eq!(answer.refused(401, "unauthorized"), expected);
            status.to_string()
        }
    }
}

fn published(signature: &str) -> Delivery {
    Delivery {
        id: Some("msg_1".into()),
        timestamp: Some("1760000000".into()),
        signature: Some(signature.into()),
        body: BODY.into(),
    }
}

#[tokio::test]
async fn the_published_vectors_are_genuine_by_both_keys() {
    let text = "v1,db5Dbnd5Jfz0rN3Qlqe2PAWkp+/3qAaze1Iz8ClBJsE=";
    let base64 = "v1,y5HzdghGDhBL2uA1R9I0Yfitkh5FkDzG6I56D4py5MA=";
    let flipped = "v1,dr5Dbnd5Jfz0rN3Qlqe2PAWkp+/3qAaze1Iz8ClBJsE=";
    let bench = at(SENT).await;
    for (signatures, expected) in [
        (text.to_owned(), "unmapped"),
        (base64.to_owned(), "duplicate"),
        (format!("{base64} {text}"), "duplicate"),
        (format!("{flipped} {text}"), "duplicate"),
        (format!("v1a,AAAA v2,AAAA {text}"), "duplicate"),
        (format!("v1,AAAA v1,not/base64! v1, , {text}"), "duplicate"),
        (flipped.to_owned(), "401"),
        (text.replace("v1,", "v2,"), "401"),
        (text.replace("v1,", "V1,"), "401"),
        (text.replace("v1,", "v1a,"), "401"),
        (text.replace("v1,", ""), "401"),
        (text[..20].to_owned(), "401"),
        ("v1,".to_owned(), "401"),
        ("v1".to_owned(), "401"),
        (String::new(), "401"),
        ("nonsense".to_owned(), "401"),
    ] {
        let found = taken(&bench, published(&signatures)).await;
        assert_eq!(found, expected, "{signatures}");
    }
    assert_eq!(
        bench.rows(EVENTS),
        ["msg_1|subscription.active||unmapped"]
    );

    // The standard's own vectors have no type: who is told that is believed to be the provider.
    for (secret, id, seconds, body, signature) in [
        (
            "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
            1_649_367_553_i64,
            r#"{"email":"test@example.com","username":"test_user"}"#,
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
        ),
        (
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
            "v1,g0hM9SsE+OTPJTt/tmKj1fS3+CjPiHwkf1Wr8IsDJxs=",
        ),
    ] {
        let bench = Bench::setup()
            .variable("polar_webhook_secret", secret)
            .build()
            .await;
        bench.clock.set_millis(seconds * 1_000);
        let mut delivery = Delivery {
            id: Some(id.into()),
            timestamp: Some(seconds.to_string().into()),
            signature: Some(signature.into()),
            body: body.into(),
        };
        assert_eq!(taken(&bench, delivery.clone()).await, "400", "{id}");
        delivery.id = Some("msg_other".into());
        assert_eq!(taken(&bench, delivery).await, "401", "{id}");
    }
}

#[tokio::test]
async fn a_body_is_signed_to_the_byte() {
    let bench = at(SENT).await;
    let event = fixture("subscription.active");
    let pretty = serde_json::to_string_pretty(&event).expect("JSON");
    let odd = format!("\r\n\t {} \n\n", pretty.replace("\": ", "\"\t :\r\n "));
    for (turn, body) in [event.to_string(), pretty, odd.clone()].iter().enumerate() {
        let delivery = Delivery::signed(&format!("whole{turn}"), "1760000000", body.clone());
        let expected = if turn == 0 { "applied" } else { "outdated" };
        // Of one instant the events are ordered by their ids.
        let found = taken(&bench, delivery).await;
        assert!(found == expected || found == "applied", "{turn}: {found}");
    }
    let before = bench.host.kv_get("default", "user:user_42");
    let genuine = Delivery::signed("flipped", "1760000000", odd.clone());
    for at in (0..odd.len()).step_by(97).chain([0, odd.len() - 1]) {
        let mut body = odd.clone().into_bytes();
        body[at] ^= 1;
        let flipped = Delivery {
            body: body.into(),
            ..genuine.clone()
        };
        assert_eq!(taken(&bench, flipped).await, "401", "byte {at}");
    }
    for body in [odd.trim().to_owned(), event.to_string(), String::new()] {
        let trimmed = Delivery {
            body: body.into(),
            ..genuine.clone()
        };
        assert_eq!(taken(&bench, trimmed).await, "401");
    }
    assert_eq!(bench.host.kv_get("default", "user:user_42"), before);
    assert_eq!(bench.rows("SELECT COUNT(*) FROM webhook_events"), ["3"]);
}

#[tokio::test]
async fn a_delivery_counts_for_five_minutes_each_way() {
    for (clock, expected) in [
        (0, "unmapped"),
        (300, "unmapped"),
        (-300, "unmapped"),
        (301, "401"),
        (-301, "401"),
        (86_400, "401"),
    ] {
        let bench = at(SENT + clock).await;
        let delivery = Delivery::signed("msg_1", "1760000000", BODY);
        assert_eq!(taken(&bench, delivery).await, expected, "{clock} s");
    }
    // Signed as they stand, so that nothing but their form is wrong.
    let bench = at(SENT).await;
    for timestamp in [
        "1760000000000",
        "0",
        "-1760000000",
        "+1760000000",
        "1760000000.0",
        "1.76e9",
        "0x68E77600",
        "9223372036854775807",
        "99999999999999999999",
        "2025-10-09T08:53:20Z",
        "now",
        "",
    ] {
        let delivery = Delivery::signed("msg_1", timestamp, BODY);
        assert_eq!(taken(&bench, delivery).await, "401", "{timestamp}");
    }
    assert_eq!(bench.rows("SELECT name FROM sqlite_master"), [""; 0]);
}

#[tokio::test]
async fn every_header_is_needed_and_signed() {
    let bench = at(SENT).await;
    let genuine = Delivery::signed("msg_1", "1760000000", BODY);
    let changes: [fn(&mut Delivery); 9] = [
        |delivery| delivery.id = None,
        |delivery| delivery.timestamp = None,
        |delivery| delivery.signature = None,
        |delivery| delivery.id = Some(Vec::new()),
        |delivery| delivery.id = Some("msg_2".into()),
        |delivery| delivery.id = Some(b"msg_\xff".to_vec()),
        |delivery| delivery.timestamp = Some("1760000001".into()),
        |delivery| delivery.timestamp = Some(b"\xff".to_vec()),
        |delivery| delivery.signature = Some(b"v1,\xff".to_vec()),
    ];
    for (turn, change) in changes.into_iter().enumerate() {
        let mut delivery = genuine.clone();
        change(&mut delivery);
        assert_eq!(taken(&bench, delivery).await, "401", "change {turn}");
    }
    // Nor does another way in open this door, not even in an event that would change something.
    let body = fixture("subscription.active").to_string();
    let mut internal = request("POST", webhooks::PATH, Some("user_42"), None);
    *internal.body_mut() = body.clone().into();
    let _ = bench.send(internal).await.refused(401, "unauthorized");
    let _ = bench
        .send(request("GET", webhooks::PATH, None, None))
        .await
        .refused(405, "method_not_allowed");
    assert_eq!(bench.host.kv_keys("default"), [""; 0]);
    assert_eq!(bench.rows("SELECT name FROM sqlite_master"), [""; 0]);

    // No secret takes nothing, not even what is signed with the empty key.
    for secret in ["", " \n"] {
        let bench = Bench::setup()
            .variable("polar_webhook_secret", secret)
            .starting("2025-10-09T08:53:20Z")
            .build()
            .await;
        for key in [&b""[..], secret.as_bytes(), SECRET.as_bytes()] {
            let signed = signature(key, "msg_1", "1760000000", body.as_bytes());
            let delivery = Delivery {
                signature: Some(signed.into()),
                body: body.clone().into(),
                ..genuine.clone()
            };
            assert_eq!(taken(&bench, delivery).await, "401", "{secret:?} {key:?}");
        }
        assert_eq!(bench.host.kv_keys("default"), [""; 0]);
    }
}

#[tokio::test]
async fn what_cannot_be_used_is_received_and_shown_to_the_operator() {
    let bench = setup()
        .variable("polar_products", "")
        .starting("2026-10-05T00:00:00Z")
        .build()
        .await;
    let typed = |kind: &str, data: Value| json!({"type": kind, "timestamp": "2026-10-01T09:00:00Z", "data": data});
    for (id, event, expected) in [
        ("a1", fixture("subscription.active.unmapped"), "unmapped"),
        ("a2", fixture("subscription.active.unknown_product"), "unknown_product"),
        ("a3", fixture("subscription.active.unknown_plan"), "applied"),
        ("a4", fixture("order.paid"), "ignored"),
        ("a5", fixture("product.updated"), "ignored"),
        ("a6", fixture("subscription.created"), "ignored"),
        ("b1", typed("benefit_grant.created", json!({"id": "x"})), "ignored"),
        ("b2", typed("subscription.beamed_up", fixture("subscription.active")["data"].clone()), "ignored"),
        ("b3", typed("", json!({})), "400"),
        ("b4", typed("customer.state_changed", json!({"external_id": "user_43"})), "ignored"),
        ("b5", typed("customer.state_changed", json!({"external_id": "user_43", "active_subscriptions": [{}]})), "unmapped"),
        ("b6", typed("subscription.active", json!({"customer": {"external_id": "a/b"}, "id": "s"})), "unmapped"),
        ("b7", typed("subscription.active", json!({"metadata": {"user_id": "anna"}, "id": "s", "status": "on hold"})), "ignored"),
    ] {
        let seconds = (bench.clock.now_millis() / 1_000).to_string();
        let delivery = Delivery::signed(id, &seconds, event.to_string());
        assert_eq!(taken(&bench, delivery).await, expected, "{id} {event}");
    }
    assert_eq!(bench.status("user_42").await["plan"], "free", "gold is unknown, so free");
    let unmapped = "SELECT id, outcome FROM webhook_events WHERE outcome LIKE 'un%' ORDER BY id";
    let rows = ["a1|unmapped", "a2|unknown_product", "b5|unmapped", "b6|unmapped"];
    assert_eq!(bench.rows(unmapped), rows);

    let overview = bench.send(request("GET", "/api/internal/overview", None, None)).await.ok();
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

    // Once it can be told who that is, the provider's "send again" mends it.
    let mut mended = fixture("subscription.active.unmapped");
    mended["data"]["customer"]["external_id"] = json!("anna");
    assert_eq!(bench.outcome("a1", &mended).await, "applied");
    assert_eq!(bench.outcome("a1", &mended).await, "duplicate");
    assert_eq!(bench.status("anna").await["plan"], "pro");
    assert_eq!(bench.rows(unmapped), rows[1..]);
}

/// Every field of an event in turn: null, left out, or of another type.
fn mutations(event: &Value) -> Vec<(String, Value)> {
    fn paths(value: &Value, path: &str, found: &mut Vec<String>) {
        let children: Vec<(String, &Value)> = match value {
            Value::Object(fields) => fields.iter().map(|(k, v)| (k.clone(), v)).collect(),
            Value::Array(items) => items.iter().enumerate().map(|(i, v)| (i.to_string(), v)).collect(),
            _ => Vec::new(),
        };
        for (name, child) in children {
            let path = format!("{path}/{name}");
            paths(child, &path, found);
            found.push(path);
        }
    }
    let mut found = Vec::new();
    paths(event, "", &mut found);
    let mut mutated = Vec::new();
    for path in found {
        for odd in [Value::Null, json!(-1.5e300), json!(true), json!(""), json!([[]]), json!({"": {}})] {
            let mut event = event.clone();
            *event.pointer_mut(&path).expect("a field") = odd.clone();
            mutated.push((format!("{path} = {odd}"), event));
        }
        let (parent, field) = path.rsplit_once('/').expect("a path");
        let mut event = event.clone();
        if let Some(Value::Object(fields)) = event.pointer_mut(parent) {
            fields.remove(field);
            mutated.push((format!("{path} left out"), event));
        }
    }
    mutated
}

#[tokio::test]
async fn null_missing_and_odd_fields_are_never_an_error() {
    let bench = setup().starting("2026-10-05T00:00:00Z").build().await;
    let mut count = 0;
    for name in ["subscription.active", "customer.state_changed", "order.paid"] {
        for (mutation, event) in mutations(&fixture(name)) {
            count += 1;
            let answer = bench.deliver(&format!("e{count}"), &event).await;
            if mutation.starts_with("/type ") {
                let _ = answer.refused(400, "bad_request");
                continue;
            }
            let outcome = answer.ok()["outcome"].clone();
            let outcome = outcome.as_str().expect("an outcome");
            let expected: &[&str] = match mutation.split(' ').next().unwrap_or_default() {
                _ if name == "order.paid" => &["ignored"],
                "/data" | "/data/id" => &["unmapped", "outdated", "applied"],
                "/data/status" | "/data/active_subscriptions" => &["ignored"],
                "/data/customer" | "/data/customer/external_id" | "/data/external_id" => &["unmapped", "applied"],
                "/data/active_subscriptions/0" | "/data/active_subscriptions/0/id" => &["unmapped"],
                _ => &["applied", "outdated", "unknown_product"],
            };
            assert!(expected.contains(&outcome), "{name} {mutation}: {outcome}");
        }
    }
    assert_eq!(bench.status("user_42").await["plan"], "pro");
}

#[tokio::test]
async fn deep_huge_and_broken_bodies_are_refused_as_such() {
    let bench = at(SENT).await;
    let wrapped = |inner: String| format!(r#"{{"type":"subscription.active","data":{inner}}}"#);
    let nested = |open: &str, close: &str, depth: usize| wrapped(open.repeat(depth) + &close.repeat(depth));
    for (name, body, expected) in [
        ("100 levels", nested("[", "]", 100).into_bytes(), 200),
        ("10,000 levels", nested("[", "]", 10_000).into_bytes(), 400),
        ("30,000 levels, open", nested("[", "", 30_000).into_bytes(), 400),
        ("10,000 objects", wrapped(r#"{"a":"#.repeat(10_000) + "1" + &"}".repeat(10_000)).into_bytes(), 400),
        ("60 KiB", wrapped(format!("{:?}", "x".repeat(60 * 1024))).into_bytes(), 200),
        ("64 KiB and a byte", vec![b' '; 64 * 1024 + 1], 413),
        ("a megabyte", vec![b' '; 1 << 20], 413),
        ("nothing", Vec::new(), 400),
        ("half", b"{\"type\":\"subscription.active\"".to_vec(), 400),
        ("two", b"{\"type\":\"x\"} {}".to_vec(), 400),
        ("a list", b"[]".to_vec(), 400),
        ("null", b"null".to_vec(), 400),
        ("no UTF-8", b"{\"type\":\"\xff\"}".to_vec(), 400),
        ("half a character", br#"{"type":"\ud800"}"#.to_vec(), 400),
        ("a long type", format!(r#"{{"type":"{}"}}"#, "x".repeat(50_000)).into_bytes(), 200),
        ("a form", b"type=subscription.active".to_vec(), 400),
    ] {
        let answer = bench.send(Delivery::signed(name.replace(' ', "_").replace(',', "").as_str(), "1760000000", body).request()).await;
        assert_eq!(answer.status, expected, "{name}: {}", answer.body);
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{name}");
    }
    let longest = "SELECT MAX(LENGTH(type)) FROM webhook_events";
    assert_eq!(bench.rows(longest), ["128"]);
}

#[tokio::test]
#[ignore = "needs Node"]
async fn what_the_official_package_signs_is_genuine() {
    let run = Command::new("node")
        .args(["webhooks/sign.mjs", SECRET])
        .current_dir(talktime_tests::built::root().join("tests/web"))
        .output()
        .expect("node runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let signed: Vec<Value> = serde_json::from_slice(&run.stdout).expect("JSON");
    assert_eq!(signed.len(), 2, "by each key");
    for one in signed {
        let header = |name: &str| Some(one["headers"][name].as_str()?.as_bytes().to_vec());
        let seconds = one["headers"]["webhook-timestamp"].as_str().expect("a time");
        let bench = at(seconds.parse().expect("seconds")).await;
        let delivery = Delivery {
            id: header("webhook-id"),
            timestamp: header("webhook-timestamp"),
            signature: header("webhook-signature"),
            body: one["body"].as_str().expect("a body").to_owned().into(),
        };
        let later = Delivery { body: delivery.body.slice(1..), ..delivery.clone() };
        assert_eq!(taken(&bench, later).await, "401");
        assert_eq!(taken(&bench, delivery).await, "applied", "{}", one["by"]);
        assert_eq!(bench.status("user_42").await["plan"], "pro");
    }
}

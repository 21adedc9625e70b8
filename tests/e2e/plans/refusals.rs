//! Plan updates that are refused: nothing changes.

use serde_json::{Value, json};
use talktime_tests::Bench;
use talktime_tests::bench::request;

const UPDATE: &str = "/api/internal/update-plan";

#[tokio::test]
async fn only_the_internal_secret_opens_the_internal_api() {
    let none = Bench::setup()
        .variable("internal_api_secret", "")
        .build()
        .await;
    let some = Bench::new().await;
    let update = json!({"userId": "anna", "plan": "pro", "action": "upgrade"});
    for (method, path, body) in [
        ("POST", UPDATE, Some(&update)),
        ("POST", "/api/internal/alarm", None),
        ("GET", "/api/internal/users/anna", None),
        ("GET", "/api/internal/overview", None),
    ] {
        for (bench, secret) in [
            (&some, None),
            (&some, Some("")),
            (&some, Some("wrong")),
            (&some, Some(&talktime_tests::INTERNAL_SECRET[1..])),
            (&none, None),
            (&none, Some("")),
            (&none, Some(talktime_tests::INTERNAL_SECRET)),
        ] {
            let mut bare = request(method, path, Some("anna"), body);
            bare.headers_mut().remove("x-internal-secret");
            if let Some(secret) = secret {
                let secret = secret.parse().expect("a header");
                bare.headers_mut().insert("x-internal-secret", secret);
            }
            let _ = bench.send(bare).await.refused(401, "unauthorized");
        }
    }
    for bench in [&some, &none] {
        assert_eq!(bench.host.kv_keys("default"), [""; 0]);
        assert_eq!(
            bench.rows("SELECT name FROM sqlite_master"),
            [""; 0],
            "the ledger was not even opened"
        );
    }
}

/// A body that is accepted, with these fields instead of its own.
fn with(fields: Value) -> Value {
    let mut body = json!({"userId": "anna", "plan": "pro", "action": "upgrade"});
    let Value::Object(fields) = fields else {
        unreachable!("fields are an object")
    };
    body.as_object_mut().expect("an object").extend(fields);
    body
}

/// The same without one.
fn missing(field: &str) -> Value {
    let mut body = with(json!({}));
    body.as_object_mut().expect("an object").remove(field);
    body
}

async fn each_is_refused(fields: impl IntoIterator<Item = (Value, &str)>) {
    let bench = Bench::new().await;
    for (body, field) in fields {
        let answer = bench.internal(UPDATE, body.clone()).await;
        let refused = answer.refused(400, "invalid_field");
        assert_eq!(refused["field"], field, "{body}: {refused}");
        let sentence = refused["error"].as_str().expect("a sentence");
        assert!(sentence.starts_with(&format!("{field}: ")), "{sentence}");
    }
    assert_eq!(
        bench.host.kv_keys("default"),
        [""; 0],
        "nothing was written"
    );
}

#[tokio::test]
async fn each_bad_field_is_named() {
    let long = "x".repeat(129);
    each_is_refused([
        (missing("userId"), "userId"),
        (with(json!({"userId": null})), "userId"),
        (with(json!({"userId": 42})), "userId"),
        (with(json!({"userId": ""})), "userId"),
        (with(json!({"userId": long})), "userId"),
        (with(json!({"userId": "a/b"})), "userId"),
        (with(json!({"userId": "a\nb"})), "userId"),
        (missing("plan"), "plan"),
        (with(json!({"plan": null})), "plan"),
        (with(json!({"plan": "gold"})), "plan"),
        (with(json!({"plan": ""})), "plan"),
        (with(json!({"plan": 500})), "plan"),
        (with(json!({"plan": "gold", "action": "downgrade"})), "plan"),
        (missing("action"), "action"),
        (with(json!({"action": "Upgrade"})), "action"),
        (with(json!({"action": "pause"})), "action"),
        (with(json!({"action": 1})), "action"),
        (with(json!({"action": null})), "action"),
        (with(json!({"resetUsage": "yes"})), "resetUsage"),
        (with(json!({"resetUsage": 1})), "resetUsage"),
        (with(json!({"eventId": ""})), "eventId"),
        (with(json!({"eventId": long})), "eventId"),
        (with(json!({"eventId": 7})), "eventId"),
        (with(json!({"subscriptionId": ""})), "subscriptionId"),
        (with(json!({"subscriptionId": "a b"})), "subscriptionId"),
        (with(json!({"subscriptionId": []})), "subscriptionId"),
    ])
    .await;
}

#[tokio::test]
async fn each_bad_instant_is_named() {
    let (start, end) = ("2026-11-10T09:00:00Z", "2026-12-10T09:00:00Z");
    each_is_refused([
        (
            with(json!({"periodStart": "soon", "periodEnd": end})),
            "periodStart",
        ),
        (
            with(json!({"periodStart": 1_794_312_000, "periodEnd": end})),
            "periodStart",
        ),
        (
            with(json!({"periodStart": "1969-12-31T23:59:59Z", "periodEnd": end})),
            "periodStart",
        ),
        (
            with(json!({"periodStart": start, "periodEnd": "2026-12-10"})),
            "periodEnd",
        ),
        (
            with(json!({"periodStart": end, "periodEnd": start})),
            "periodEnd",
        ),
        (
            with(json!({"periodStart": start, "periodEnd": start})),
            "periodEnd",
        ),
        (
            with(json!({"periodStart": start, "periodEnd": "2026-11-10T09:00:01Z"})),
            "periodEnd",
        ),
        (
            with(json!({"periodStart": start, "periodEnd": "2026-11-11T08:59:59Z"})),
            "periodEnd",
        ),
        (with(json!({"periodStart": start})), "periodEnd"),
        (with(json!({"periodEnd": end})), "periodStart"),
        (with(json!({"endsAt": "never"})), "endsAt"),
        (with(json!({"endsAt": 0})), "endsAt"),
        (with(json!({"occurredAt": "now"})), "occurredAt"),
        (with(json!({"occurredAt": 0})), "occurredAt"),
    ])
    .await;
}

#[tokio::test]
async fn only_a_json_object_will_do_and_nulls_and_unknown_fields_are_passed_over() {
    let bench = Bench::new().await;
    for (text, code) in [
        ("", "invalid_field"),
        ("[]", "bad_request"),
        ("{", "bad_request"),
        ("null", "bad_request"),
        (
            r#"{"userId": "anna", "action": "cancel"} {}"#,
            "bad_request",
        ),
    ] {
        let mut bad = request("POST", UPDATE, None, None);
        *bad.body_mut() = text.into();
        let _ = bench.send(bad).await.refused(400, code);
    }
    assert_eq!(bench.host.kv_keys("default"), [""; 0]);

    let tolerated = json!({
        "userId": "anna", "plan": "pro", "action": "upgrade",
        "colour": "red", "periodStart": null, "periodEnd": null, "occurredAt": null, "eventId": null,
        "subscriptionId": null,
    });
    let answer = bench.internal(UPDATE, tolerated).await.ok();
    assert_eq!(answer["status"]["plan"], "pro");
}

#[tokio::test]
async fn other_methods_and_ids_are_refused() {
    let bench = Bench::new().await;
    let get = async |path: &str| bench.send(request("GET", path, None, None)).await;
    let wrong = get(UPDATE).await;
    let _ = wrong.refused(405, "method_not_allowed");
    assert_eq!(wrong.header("allow"), Some("POST"));
    for id in ["a%20b", "a%00", "%3Cscript%3E", &"x".repeat(129)] {
        let refused = get(&format!("/api/internal/users/{id}")).await;
        assert_eq!(refused.refused(400, "invalid_field")["field"], "id", "{id}");
    }
    let _ = get("/api/internal/nothing").await.refused(404, "not_found");
}

//! The billing provider's webhooks: which of them are genuine.

use std::process::Command;

use serde_json::Value;
use talktime_tests::Bench;
use talktime_tests::bench::request;
use talktime_tests::webhooks::{self, Delivery, SECRET, fixture, setup, signature};

/// The published vectors are signed at this second, 2025-10-09T08:53:20Z.
const SENT: i64 = 1_760_000_000;

const BODY: &str = r#"{"type":"subscription.active"}"#;

async fn at(seconds: i64) -> Bench {
    let bench = setup().build().await;
    bench.clock.set_millis(seconds * 1_000);
    bench
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
        (base64.to_owned(), "unmapped"),
        (format!("{base64} {text}"), "unmapped"),
        (format!("{flipped} {text}"), "unmapped"),
        (format!("v1a,AAAA v2,AAAA {text}"), "unmapped"),
        (format!("v1,AAAA v1,not/base64! v1, , {text}"), "unmapped"),
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
        let found = bench.taken(published(&signatures)).await;
        assert_eq!(found, expected, "{signatures}");
    }
    assert_eq!(
        bench.rows("SELECT id, type, user_id, outcome FROM webhook_events"),
        ["msg_1|subscription.active||unmapped"]
    );

    // The standard's own vectors have no type: they are believed to be the provider's, and are of no use.
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
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
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
        assert_eq!(bench.taken(delivery.clone()).await, "failed", "{id}");
        delivery.id = Some("msg_other".into());
        assert_eq!(bench.taken(delivery).await, "401", "{id}");
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
        // Of one instant, the later id is the later event.
        assert_eq!(bench.taken(delivery).await, "applied", "{turn}");
    }
    let before = bench.document("user_42");
    let genuine = Delivery::signed("flipped", "1760000000", odd.clone());
    for at in (0..odd.len()).step_by(97).chain([0, odd.len() - 1]) {
        let mut body = odd.clone().into_bytes();
        body[at] ^= 1;
        let flipped = Delivery {
            body: body.into(),
            ..genuine.clone()
        };
        assert_eq!(bench.taken(flipped).await, "401", "byte {at}");
    }
    for body in [odd.trim().to_owned(), event.to_string(), String::new()] {
        let trimmed = Delivery {
            body: body.into(),
            ..genuine.clone()
        };
        assert_eq!(bench.taken(trimmed).await, "401");
    }
    assert_eq!(bench.document("user_42"), before);
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
        assert_eq!(bench.taken(delivery).await, expected, "{clock} s");
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
        assert_eq!(bench.taken(delivery).await, "401", "{timestamp}");
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
        assert_eq!(bench.taken(delivery).await, "401", "change {turn}");
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
            assert_eq!(bench.taken(delivery).await, "401", "{secret:?} {key:?}");
        }
        assert_eq!(bench.host.kv_keys("default"), [""; 0]);
    }
}

#[tokio::test]
async fn what_cannot_be_the_provider_is_not_read() {
    let bench = at(SENT).await;
    let large = vec![b' '; 256 * 1024 + 1];
    let genuine = Delivery::signed("msg_1", "1760000000", large);
    assert_eq!(bench.taken(genuine.clone()).await, "413");
    // Nobody but the provider is told so.
    let old = Delivery {
        timestamp: Some("1759999699".into()),
        ..genuine.clone()
    };
    let nameless = Delivery {
        id: Some(b"a b".to_vec()),
        ..genuine.clone()
    };
    let unsigned = Delivery {
        signature: None,
        ..genuine
    };
    for delivery in [old, nameless, unsigned] {
        assert_eq!(bench.taken(delivery).await, "401");
    }
}

#[tokio::test]
async fn a_secret_that_is_none_is_named_and_never_quoted() {
    for secret in [
        "whsec_",
        "whsec_AA",
        "whsec_MDEyMzQ1Njc4OWFiY2RlZg==",
        "v1,MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3",
        "replace-me",
        "whsec_replace_me_with_the_secret_of_the_endpoint",
        "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3\n",
    ] {
        let bench = Bench::setup()
            .variable("polar_webhook_secret", secret)
            .starting("2025-10-09T08:53:20Z")
            .build()
            .await;
        let signed = signature(secret.as_bytes(), "msg_1", "1760000000", BODY.as_bytes());
        let answer = bench.send(published(&signed).request()).await;
        assert!(
            !answer.body.contains(secret.trim()) || secret == "whsec_",
            "{}",
            answer.body
        );
        let refused = answer.refused(500, "misconfigured");
        let sentence = refused["error"].as_str().expect("a sentence");
        assert!(sentence.contains("polar_webhook_secret"), "{sentence}");
        assert_eq!(bench.rows("SELECT name FROM sqlite_master"), [""; 0]);
    }
}

#[tokio::test]
#[ignore = "needs Node"]
async fn what_the_official_package_signs_is_genuine() {
    let run = Command::new("node")
        // Within the period that the event tells of.
        .args(["webhooks/sign.mjs", SECRET, "2026-10-01T09:00:06Z"])
        .current_dir(talktime_tests::built::root().join("tests/web"))
        .output()
        .expect("node runs");
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
    let signed: Vec<Value> = serde_json::from_slice(&run.stdout).expect("JSON");
    assert_eq!(signed.len(), 2, "by each key");
    for one in signed {
        let header = |name: &str| Some(one["headers"][name].as_str()?.as_bytes().to_vec());
        let seconds = one["headers"]["webhook-timestamp"]
            .as_str()
            .expect("a time");
        let bench = at(seconds.parse().expect("seconds")).await;
        let delivery = Delivery {
            id: header("webhook-id"),
            timestamp: header("webhook-timestamp"),
            signature: header("webhook-signature"),
            body: one["body"].as_str().expect("a body").to_owned().into(),
        };
        let later = Delivery {
            body: delivery.body.slice(1..),
            ..delivery.clone()
        };
        assert_eq!(bench.taken(later).await, "401");
        assert_eq!(bench.taken(delivery).await, "applied", "{}", one["by"]);
        assert_eq!(bench.status("user_42").await["plan"], "pro");
    }
}

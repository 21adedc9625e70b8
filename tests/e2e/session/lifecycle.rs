//! A session from start to end, and every way in which one is refused.

use serde_json::{Value, json};
use talktime_tests::Bench;
use talktime_tests::bench::{keyed, request};

const START: &str = "/api/session/start";
const HEARTBEAT: &str = "/api/session/heartbeat";
const END: &str = "/api/session/end";

/// Ends a session of six minutes, and again: it stays as it was.
async fn ends_once(bench: &Bench, session: &str) {
    let ended = json!({
        "sessionMinutes": 6, "totalMinutesUsed": 6, "minutesRemaining": 4, "endReason": "user_ended",
        "endedAt": "2026-11-10T12:05:01Z",
    });
    assert_eq!(bench.end("anna", session).await.ok(), ended);
    bench.seconds(60);
    assert_eq!(
        bench.end("anna", session).await.ok(),
        ended,
        "the first answer again"
    );
    let late = bench.heartbeat("anna", session).await.ok();
    assert_eq!(
        late["ended"],
        json!({"endReason": "user_ended", "endedAt": "2026-11-10T12:05:01Z", "sessionMinutes": 6})
    );
}

#[tokio::test]
async fn a_session_is_metered_from_start_to_end() {
    let bench = Bench::new().await;
    assert_eq!(
        bench.status("anna").await,
        json!({
            "plan": "free", "minutesUsed": 0, "minutesRemaining": 10, "minutesLimit": 10, "percentUsed": 0,
            "secondsRemaining": 600, "periodStart": "2026-11-01T00:00:00Z", "periodEnd": "2026-12-01T00:00:00Z",
            "hasActiveSession": false, "activeSessionMinutes": 0, "upgradeUrl": "/pricing",
            "serverTime": "2026-11-10T12:00:00Z",
        })
    );
    assert_eq!(
        bench.host.kv_keys("default"),
        [""; 0],
        "a read writes nothing"
    );

    let body = json!({"topic": "Ordering coffee", "difficulty": "beginner"});
    let started = bench.post("anna", START, body).await.ok();
    let session = started["sessionId"].as_str().expect("an id").to_owned();
    assert_eq!(
        started,
        json!({
            "sessionId": session, "startedAt": "2026-11-10T12:00:00Z", "minutesRemaining": 10,
            "secondsRemaining": 600, "heartbeatIntervalSeconds": 30,
        })
    );

    bench.seconds(90);
    assert_eq!(
        bench.heartbeat("anna", &session).await.ok(),
        json!({"minutesUsed": 2, "totalMinutesUsed": 2, "minutesRemaining": 8, "secondsRemaining": 510})
    );

    bench.talk("anna", &session, 180).await;
    bench.seconds(31);
    let status = bench.status("anna").await;
    assert_eq!(
        status["minutesUsed"], 6,
        "counted at the moment of the question"
    );
    assert_eq!(status["percentUsed"], 60);
    assert_eq!(status["warning"], "Only 4 minutes left");
    assert_eq!(status["hasActiveSession"], true);
    assert_eq!(status["activeSessionMinutes"], 6);
    assert_eq!(
        status["activeSession"],
        json!({
            "sessionId": session, "startedAt": "2026-11-10T12:00:00Z", "lastHeartbeatAt": "2026-11-10T12:04:30Z",
            "minutesUsed": 6, "topic": "Ordering coffee", "difficulty": "beginner",
        })
    );

    ends_once(&bench, &session).await;

    let status = bench.status("anna").await;
    assert_eq!(
        status["lastSession"],
        json!({
            "sessionId": session, "startedAt": "2026-11-10T12:00:00Z", "endedAt": "2026-11-10T12:05:01Z",
            "endReason": "user_ended", "sessionMinutes": 6,
        })
    );
    assert_eq!(
        bench.rows("SELECT user_id, started_at, ended_at, minutes_used, topic, difficulty, end_reason FROM usage_sessions"),
        ["anna|1794312000|1794312301|6|Ordering coffee|beginner|user_ended"]
    );
    assert_eq!(
        bench.rows("SELECT user_id, period_start, period_end, plan, minutes_used, minutes_limit, archived FROM usage_periods"),
        ["anna|1793491200|1796083200|free|6|10|0"]
    );
}

#[tokio::test]
async fn the_ledger_keeps_its_references_and_enums() {
    let bench = Bench::new().await;
    bench.start("anna").await;
    let ledger = bench.host.sqlite("default");
    ledger
        .execute_batch("PRAGMA foreign_keys = ON")
        .expect("a pragma");
    let check = |sql: &str, needle: &str| {
        let error = ledger.execute(sql, []).expect_err(sql).to_string();
        assert!(error.contains(needle), "{sql}: {error}");
    };
    check(
        "INSERT INTO usage_sessions (id, user_id, started_at) VALUES ('x', 'nobody', 1)",
        "FOREIGN KEY",
    );
    check(
        "INSERT INTO usage_sessions (id, user_id, started_at, difficulty) VALUES ('x', 'anna', 1, 'hard')",
        "CHECK",
    );
    check(
        "INSERT INTO usage_sessions (id, user_id, started_at, ended_at, end_reason) VALUES ('x', 'anna', 1, 2, 'bored')",
        "CHECK",
    );
    check(
        "INSERT INTO usage_periods SELECT 'other', user_id, period_start, period_end, plan, 0, 0, 0, 0, 0, 0 FROM usage_periods",
        "UNIQUE",
    );
    for (index, table) in [
        (
            "usage_sessions_user_started",
            "usage_sessions WHERE user_id = 'anna'",
        ),
        (
            "usage_sessions_started",
            "usage_sessions WHERE started_at > 5",
        ),
        (
            "usage_periods_user_start",
            "usage_periods WHERE user_id = 'anna'",
        ),
        (
            "usage_periods_over",
            "usage_periods WHERE archived = 0 AND period_end < 5",
        ),
        ("users_alarm_at", "users WHERE alarm_at <= 5"),
    ] {
        let plan = bench.rows(&format!("EXPLAIN QUERY PLAN SELECT * FROM {table}"));
        assert!(plan[0].contains(index), "{table}: {plan:?}");
    }
}

#[tokio::test]
async fn a_second_start_names_the_running_session_and_takeover_replaces_it() {
    let bench = Bench::new().await;
    let first = bench.start("anna").await;
    bench.seconds(61);
    let refused = bench.try_start("anna").await.refused(409, "session_active");
    assert_eq!(refused["sessionId"], first.as_str());
    assert_eq!(
        bench.status("anna").await["activeSession"]["sessionId"],
        first.as_str()
    );

    let started = bench
        .post("anna", START, json!({"takeover": true}))
        .await
        .ok();
    let second = started["sessionId"].as_str().expect("an id");
    assert_ne!(second, first);
    assert_eq!(started["minutesRemaining"], 8, "the first one cost two");
    let late = bench.heartbeat("anna", &first).await.ok();
    assert_eq!(late["ended"]["endReason"], "user_ended");
    assert_eq!(late["ended"]["sessionMinutes"], 2);
    assert_eq!(bench.heartbeat("anna", second).await.ok()["minutesUsed"], 0);
}

#[tokio::test]
async fn a_client_that_failed_before_anything_was_heard_pays_nothing() {
    let bench = Bench::new().await;
    let error = |session: &str| json!({"sessionId": session, "reason": "error"});
    let session = bench.start("anna").await;
    bench.seconds(20);
    let ended = bench.post("anna", END, error(&session)).await.ok();
    assert_eq!(ended["sessionMinutes"], 0);
    assert_eq!(ended["endReason"], "error");

    let session = bench.start("anna").await;
    bench.seconds(20);
    let _ = bench.heartbeat("anna", &session).await.ok();
    let ended = bench.post("anna", END, error(&session)).await.ok();
    assert_eq!(ended["sessionMinutes"], 1, "it had been alive");
    assert_eq!(
        bench.rows("SELECT minutes_used, end_reason FROM usage_sessions ORDER BY minutes_used"),
        ["0|error", "1|error"]
    );
}

#[tokio::test]
async fn an_idempotency_key_gets_the_first_answer_again() {
    let bench = Bench::new().await;
    let start =
        |key: &str, user: &str| keyed(request("POST", START, Some(user), Some(&json!({}))), key);
    let first = bench.send(start("k1", "anna")).await.ok();
    bench.seconds(5);
    assert_eq!(bench.send(start("k1", "anna")).await.ok(), first);
    let _ = bench
        .send(start("k2", "anna"))
        .await
        .refused(409, "session_active");
    let other = bench.send(start("k1", "bert")).await.ok();
    assert_ne!(
        other["sessionId"], first["sessionId"],
        "keys are each user's own"
    );

    let session = first["sessionId"].as_str().expect("an id");
    let _ = bench.end("anna", session).await.ok();
    assert_eq!(
        bench.send(start("k1", "anna")).await.ok(),
        first,
        "also after its end"
    );
    assert_eq!(bench.rows("SELECT COUNT(*) FROM usage_sessions"), ["2"]);
    let _ = bench
        .send(start("", "anna"))
        .await
        .refused(400, "idempotency_key_invalid");
}

#[tokio::test]
async fn a_key_of_another_request_is_refused_and_changes_nothing() {
    let bench = Bench::new().await;
    let first = bench.start("anna").await;
    let send = async |path: &str, key: &str, body: Value| {
        let request = request("POST", path, Some("anna"), Some(&body));
        bench.send(keyed(request, key)).await
    };
    let end = "/api/session/end";
    let ended = send(end, "k1", json!({"sessionId": first})).await.ok();
    let second = bench.start("anna").await;
    let _ = send(end, "k1", json!({"sessionId": second}))
        .await
        .refused(422, "idempotency_key_reused");
    assert_eq!(
        bench.status("anna").await["activeSession"]["sessionId"],
        second.as_str()
    );
    assert_eq!(
        send(end, "k1", json!({"sessionId": first})).await.ok(),
        ended,
        "the first request is still known"
    );
    let _ = send(end, "k2", json!({"sessionId": second})).await.ok();

    let _ = send(START, "k3", json!({"topic": "tea"})).await.ok();
    let _ = send(START, "k3", json!({"topic": "coffee"}))
        .await
        .refused(422, "idempotency_key_reused");
}

/// What a POST of that text is refused with: status, code and field.
async fn refusal(bench: &Bench, path: &str, body: &str) -> (u16, Value, Value) {
    let mut bad = request("POST", path, Some("anna"), None);
    *bad.body_mut() = body.to_owned().into();
    let answer = bench.send(bad).await.json();
    let status = answer["status"]
        .as_u64()
        .and_then(|status| u16::try_from(status).ok());
    (
        status.unwrap_or(200),
        answer["code"].clone(),
        answer["field"].clone(),
    )
}

#[tokio::test]
async fn bad_bodies_are_refused_by_the_name_of_their_field() {
    let bench = Bench::new().await;
    let field = |name: &str| (400, json!("invalid_field"), json!(name));
    let bad = (400, json!("bad_request"), Value::Null);
    let long = format!(r#"{{"topic": "{}"}}"#, "x".repeat(201));
    for (path, body, expected) in [
        (START, "{", bad.clone()),
        (START, "[]", bad.clone()),
        (START, "nonsense", bad.clone()),
        (START, r#"{"topic": 5}"#, field("topic")),
        (START, long.as_str(), field("topic")),
        (START, r#"{"topic": "a\u0000b"}"#, field("topic")),
        (START, r#"{"difficulty": "hard"}"#, field("difficulty")),
        (START, r#"{"takeover": "yes"}"#, field("takeover")),
        (HEARTBEAT, "{}", field("sessionId")),
        (HEARTBEAT, r#"{"sessionId": 7}"#, field("sessionId")),
        (HEARTBEAT, r#"{"sessionId": "../etc"}"#, field("sessionId")),
        (END, r#"{"sessionId": null}"#, field("sessionId")),
        (
            END,
            r#"{"sessionId": "01931b1c-0000-7000-8000-000000000000", "reason": "stale"}"#,
            field("reason"),
        ),
    ] {
        assert_eq!(refusal(&bench, path, body).await, expected, "{path} {body}");
    }
    let large = format!(r#"{{"topic": "{}"}}"#, "x".repeat(64 * 1024));
    assert_eq!(
        refusal(&bench, START, &large).await,
        (413, json!("body_too_large"), Value::Null)
    );
    assert_eq!(
        bench.host.kv_keys("default"),
        [""; 0],
        "nothing was written"
    );

    let unknown = r#"{"topic": null, "colour": "red"}"#;
    let mut tolerated = request("POST", START, Some("anna"), None);
    *tolerated.body_mut() = unknown.into();
    tolerated
        .headers_mut()
        .insert("content-type", "text/plain".parse().expect("a header"));
    let _ = bench.send(tolerated).await.ok();
}

#[tokio::test]
async fn unknown_sessions_routes_and_methods_are_refused() {
    let bench = Bench::new().await;
    let unknown = "01931b1c-0000-7000-8000-000000000000";
    let whole = bench
        .heartbeat("anna", unknown)
        .await
        .refused(404, "session_not_found");
    assert_eq!(
        whole,
        json!({
            "type": "urn:talktime:problem:session_not_found", "title": whole["title"], "status": 404,
            "code": "session_not_found", "error": whole["error"],
        })
    );
    let _ = bench
        .end("anna", unknown)
        .await
        .refused(404, "session_not_found");
    let session = bench.start("anna").await;
    let _ = bench
        .heartbeat("bert", &session)
        .await
        .refused(404, "session_not_found");
    let _ = bench
        .end("bert", &session)
        .await
        .refused(404, "session_not_found");

    let wrong = bench.get("anna", START).await;
    let _ = wrong.refused(405, "method_not_allowed");
    assert_eq!(wrong.header("allow"), Some("POST"));
    let wrong = bench.post("anna", "/api/session/status", json!({})).await;
    let _ = wrong.refused(405, "method_not_allowed");
    assert_eq!(wrong.header("allow"), Some("GET, HEAD"));
    let _ = bench
        .get("anna", "/api/session/nothing")
        .await
        .refused(404, "not_found");
}

#[tokio::test]
async fn answers_are_not_cached_and_say_their_length() {
    let bench = Bench::new().await;
    for answer in [
        bench.get("anna", "/api/session/status").await,
        bench.heartbeat("anna", "nonsense").await,
        bench.get("anna", "/api/session/nothing").await,
    ] {
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(
            answer.header("content-length"),
            Some(answer.body.len().to_string().as_str())
        );
    }
}

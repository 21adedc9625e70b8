//! No overage, no lost session: limits, silence and time-outs are exact, however late anyone looks.

use serde_json::json;
use talktime_tests::Bench;

#[tokio::test]
async fn a_free_user_is_stopped_at_exactly_ten_minutes_however_late_the_next_call() {
    for late in [600, 601, 1_000, 86_400] {
        let bench = Bench::new().await;
        let session = bench.start("anna").await;
        bench.talk("anna", &session, 599).await;
        assert_eq!(bench.status("anna").await["secondsRemaining"], 1);
        bench.seconds(late - 599);
        let status = bench.status("anna").await;
        assert_eq!(status["hasActiveSession"], false, "{late} s");
        assert_eq!(status["minutesUsed"], 10);
        assert_eq!(status["secondsRemaining"], 0);
        assert_eq!(status["warning"], "No minutes left");
        let heard = bench.heartbeat("anna", &session).await.ok();
        assert_eq!(
            heard["ended"],
            json!({"endReason": "limit_reached", "endedAt": "2026-11-10T12:10:00Z", "sessionMinutes": 10}),
            "{late} s"
        );
        let _ = bench.try_start("anna").await.refused(403, "no_credits");
        assert_eq!(
            bench
                .rows("SELECT minutes_used, ended_at - started_at, end_reason FROM usage_sessions"),
            ["10|600|limit_reached"]
        );
        assert_eq!(bench.rows("SELECT minutes_used FROM usage_periods"), ["10"]);
    }
}

#[tokio::test]
async fn a_session_that_never_sent_a_heartbeat_does_not_cost_the_month() {
    for late in [600, 3_000] {
        let bench = Bench::new().await;
        let session = bench.start("anna").await;
        bench.seconds(late);
        let ended = bench.end("anna", &session).await.ok();
        assert_eq!(ended["endReason"], "stale");
        assert_eq!(ended["sessionMinutes"], 1);
        assert_eq!(ended["endedAt"], "2026-11-10T12:00:30Z");
    }
}

#[tokio::test]
async fn whoever_notices_a_silence_it_costs_the_same() {
    let takeover = json!({"takeover": true});
    for late in [100, 480, 700] {
        let bench = Bench::new().await;
        bench.plan("anna", "pro", "upgrade").await;
        let session = bench.start("anna").await;
        bench.talk("anna", &session, 60).await;
        bench.seconds(late);
        let _ = bench
            .post("anna", "/api/session/start", takeover.clone())
            .await
            .ok();
        let ended = bench.heartbeat("anna", &session).await.ok();
        assert_eq!(
            ended["ended"],
            json!({"endReason": "stale", "endedAt": "2026-11-10T12:01:30Z", "sessionMinutes": 2}),
            "{late} s"
        );
    }
}

#[tokio::test]
async fn a_silent_session_is_over_an_interval_after_its_last_heartbeat() {
    let bench = Bench::new().await;
    bench.plan("anna", "pro", "upgrade").await;
    let session = bench.start("anna").await;
    bench.talk("anna", &session, 150).await;
    bench.seconds(599);
    assert_eq!(bench.status("anna").await["hasActiveSession"], true);
    bench.seconds(1);
    assert_eq!(bench.status("anna").await["hasActiveSession"], false);
    assert_eq!(bench.status("anna").await["minutesUsed"], 3);
    let ended = bench.end("anna", &session).await.ok();
    assert_eq!(ended["endReason"], "stale");
    assert_eq!(ended["endedAt"], "2026-11-10T12:03:00Z");
    assert_eq!(
        bench.rows("SELECT minutes_used, ended_at - started_at, end_reason FROM usage_sessions"),
        ["3|180|stale"]
    );
}

#[tokio::test]
async fn the_longest_session_is_an_hour_or_what_the_variable_says() {
    let bench = Bench::setup()
        .variable("max_session_minutes", "3")
        .build()
        .await;
    let session = bench.start("anna").await;
    assert_eq!(bench.status("anna").await["secondsRemaining"], 180);
    bench.talk("anna", &session, 120).await;
    bench.seconds(500);
    let ended = bench.end("anna", &session).await.ok();
    assert_eq!(ended["endReason"], "timeout");
    assert_eq!(ended["sessionMinutes"], 3);

    let bench = Bench::setup()
        .variable("max_session_minutes", "0")
        .build()
        .await;
    bench.plan("anna", "pro", "upgrade").await;
    assert_eq!(bench.status("anna").await["secondsRemaining"], 500 * 60);
}

#[tokio::test]
async fn minutes_are_rounded_up_once_for_each_session() {
    let bench = Bench::new().await;
    for seconds in [0, 1, 60, 61] {
        let session = bench.start("anna").await;
        bench.seconds(seconds);
        let _ = bench.end("anna", &session).await.ok();
    }
    assert_eq!(bench.status("anna").await["minutesUsed"], 1 + 1 + 1 + 2);
}

#[tokio::test]
async fn a_clock_that_steps_back_takes_nothing_back() {
    let bench = Bench::new().await;
    let session = bench.start("anna").await;
    bench.seconds(125);
    assert_eq!(
        bench.heartbeat("anna", &session).await.ok()["minutesUsed"],
        3
    );
    bench.set("2026-11-10T12:01:30Z");
    let heard = bench.heartbeat("anna", &session).await.ok();
    assert_eq!(
        (&heard["minutesUsed"], &heard["secondsRemaining"]),
        (&json!(3), &json!(475))
    );
    // Further back than clocks differ: what was talked stays, and time goes on from there.
    bench.set("2026-10-01T00:00:00Z");
    let heard = bench.heartbeat("anna", &session).await.ok();
    assert_eq!(
        (&heard["minutesUsed"], &heard["secondsRemaining"]),
        (&json!(3), &json!(475))
    );
    assert_eq!(
        bench.status("anna").await["periodStart"],
        "2026-11-01T00:00:00Z"
    );
    bench.talk("anna", &session, 60).await;
    let ended = bench.end("anna", &session).await.ok();
    assert_eq!(ended["sessionMinutes"], 4);
    assert_eq!(ended["endedAt"], "2026-10-01T00:01:00Z");
}

#[tokio::test]
async fn a_catalogue_that_cannot_be_read_says_so_and_names_its_variable() {
    let bench = Bench::setup()
        .variable("plans", r#"{"pro": {"minutes": 5}}"#)
        .build()
        .await;
    let answer = bench.get("anna", "/api/session/status").await;
    let refused = answer.refused(500, "misconfigured");
    assert!(
        refused["error"]
            .as_str()
            .is_some_and(|text| text.contains("plans")),
        "{refused}"
    );

    let bench = Bench::setup()
        .variable("plans", r#"{"free": {"minutes": 3}}"#)
        .build()
        .await;
    assert_eq!(bench.status("anna").await["minutesLimit"], 3);
}

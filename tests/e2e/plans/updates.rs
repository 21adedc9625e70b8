//! Plan updates by the internal API: what they grant, when it counts, and who may ask for them.

use serde_json::{Value, json};
use talktime_tests::Bench;
use talktime_tests::bench::request;
use talktime_tests::webhooks::{fixture, setup};

const UPDATE: &str = "/api/internal/update-plan";

/// The current period in the ledger.
const CURRENT: &str =
    "SELECT plan, minutes_used, minutes_limit FROM usage_periods WHERE archived = 0";

const PERIODS: &str = "SELECT period_start, period_end, plan, minutes_used, minutes_limit, archived FROM usage_periods \
                       ORDER BY period_start";

const SESSIONS: &str = "SELECT ended_at - started_at, minutes_used, end_reason FROM usage_sessions";

/// Updates the plan, and gives the status after it: it is in the answer as it is for the user.
async fn update(bench: &Bench, body: Value) -> Value {
    let user = body["userId"].as_str().expect("a user").to_owned();
    let answer = bench.internal(UPDATE, body).await.ok();
    let mut status = bench.status(&user).await;
    // Where to upgrade is for the web app only.
    status
        .as_object_mut()
        .expect("an object")
        .remove("upgradeUrl");
    let mut expected = json!({"success": true, "applied": true, "status": status});
    expected["grantedBy"] = answer["grantedBy"].clone();
    assert_eq!(answer, expected);
    status
}

/// Lets anna talk for so many seconds.
async fn talked(bench: &Bench, seconds: u64) {
    let session = bench.start("anna").await;
    bench.talk("anna", &session, seconds).await;
    let _ = bench.end("anna", &session).await.ok();
}

#[tokio::test]
async fn each_change_counts_at_once_and_usage_stays() {
    let bench = Bench::new().await;
    talked(&bench, 7 * 60).await;
    for (action, plan, expected, limit) in [
        ("upgrade", json!("basic"), "basic", 100),
        ("upgrade", json!("pro"), "pro", 500),
        // To the plan that it names, not to free.
        ("downgrade", json!("basic"), "basic", 100),
        ("upgrade", json!("Premium"), "pro", 500),
        ("downgrade", json!("starter"), "basic", 100),
        ("upgrade", json!("enterprise"), "pro", 500),
        ("cancel", json!("pro"), "free", 10),
        ("upgrade", json!("basic"), "basic", 100),
        ("downgrade", json!("free"), "free", 10),
        ("upgrade", json!("basic"), "basic", 100),
        ("cancel", Value::Null, "free", 10),
    ] {
        bench.seconds(60);
        let name = format!("{action} {plan}");
        let body = json!({"userId": "anna", "plan": plan, "action": action});
        let status = update(&bench, body).await;
        assert_eq!(status["plan"], expected, "{name}");
        assert_eq!(status["minutesLimit"], limit, "{name}");
        assert_eq!(status["minutesUsed"], 7, "{name}");
        assert_eq!(status["minutesRemaining"], limit - 7, "{name}");
        assert_eq!(
            bench.rows(CURRENT),
            [format!("{expected}|7|{limit}")],
            "{name}"
        );
    }
    assert_eq!(bench.rows("SELECT COUNT(*) FROM usage_periods"), ["1"]);
}

#[tokio::test]
async fn an_unknown_user_is_created_with_the_plan() {
    let bench = Bench::new().await;
    let path = "/api/internal/users/anna";
    let look_up = async || bench.send(request("GET", path, None, None)).await;
    let _ = look_up().await.refused(404, "not_found");
    let status = update(
        &bench,
        json!({"userId": "anna", "plan": "pro", "action": "upgrade"}),
    )
    .await;
    assert_eq!(
        status,
        json!({
            "plan": "pro", "minutesUsed": 0, "minutesRemaining": 500, "minutesLimit": 500, "percentUsed": 0,
            "secondsRemaining": 3600, "periodStart": "2026-11-01T00:00:00Z", "periodEnd": "2026-12-01T00:00:00Z",
            "hasActiveSession": false, "activeSessionMinutes": 0, "serverTime": "2026-11-10T12:00:00Z",
        })
    );
    assert_eq!(
        bench.rows("SELECT id, created_at FROM users"),
        ["anna|1794312000"]
    );
    assert_eq!(bench.rows(PERIODS), ["1793491200|1796083200|pro|0|500|0"]);
    assert_eq!(
        look_up().await.ok(),
        json!({
            "status": status,
            "sessions": [],
            "periods": [{
                "periodStart": "2026-11-01T00:00:00Z", "periodEnd": "2026-12-01T00:00:00Z", "plan": "pro",
                "minutesUsed": 0, "minutesLimit": 500, "syncedAt": "2026-11-10T12:00:00Z", "archived": false,
            }],
        })
    );
    let status = update(&bench, json!({"userId": "bert", "action": "cancel"})).await;
    assert_eq!(status["plan"], "free");
}

#[tokio::test]
async fn a_reset_closes_the_period_as_it_was_and_starts_one_from_zero() {
    let reset = |plan: &str| json!({"userId": "anna", "plan": plan, "action": "upgrade", "resetUsage": true});
    let bench = Bench::new().await;
    talked(&bench, 7 * 60).await;
    let status = update(&bench, reset("basic")).await;
    assert_eq!(status["minutesUsed"], 0);
    assert_eq!(status["minutesRemaining"], 100);
    assert_eq!(status["periodStart"], "2026-11-10T12:07:00Z");
    assert_eq!(status["periodEnd"], "2026-12-01T00:00:00Z");
    // What was used was used on free.
    assert_eq!(
        bench.rows(PERIODS),
        [
            "1793491200|1794312420|free|7|10|1",
            "1794312420|1796083200|basic|0|100|0"
        ]
    );

    // In the middle of a session: what it has used so far stays before the cut.
    let bench = Bench::new().await;
    let session = bench.start("anna").await;
    bench.talk("anna", &session, 7 * 60 + 30).await;
    let status = update(&bench, reset("basic")).await;
    assert_eq!(status["minutesUsed"], 0);
    assert_eq!(status["activeSession"]["minutesUsed"], 8);
    bench.talk("anna", &session, 90).await;
    assert_eq!(bench.end("anna", &session).await.ok()["sessionMinutes"], 9);
    assert_eq!(
        bench.rows(PERIODS),
        [
            "1793491200|1794312450|free|8|10|1",
            "1794312450|1796083200|basic|1|100|0"
        ]
    );
    assert_eq!(bench.rows(SESSIONS), ["540|9|user_ended"]);
}

#[tokio::test]
async fn a_subscriptions_own_period_counts_and_gives_the_next_one() {
    let bench = Bench::new().await;
    talked(&bench, 7 * 60).await;
    let status = update(
        &bench,
        json!({
            "userId": "anna", "plan": "pro", "action": "upgrade",
            "periodStart": "2026-11-10T12:05:30+00:00", "periodEnd": "2026-12-10T13:05:30+01:00",
        }),
    )
    .await;
    assert_eq!(status["periodStart"], "2026-11-10T12:05:30Z");
    assert_eq!(status["periodEnd"], "2026-12-10T12:05:30Z");
    assert_eq!(status["minutesUsed"], 0, "a paid cycle brings its minutes");
    assert_eq!(
        bench.rows(PERIODS),
        [
            "1793491200|1794312330|free|7|10|1",
            "1794312330|1796904330|pro|0|500|0"
        ]
    );
    bench.set("2026-12-10T12:05:30Z");
    let status = bench.status("anna").await;
    assert_eq!(status["minutesUsed"], 0);
    assert_eq!(status["periodEnd"], "2027-01-10T12:05:30Z");

    // Told of late, it is moved on to the one that holds now; early, back.
    for (start, end) in [
        ("2026-08-31T09:00:00Z", "2026-09-30T09:00:00Z"),
        ("2027-01-31T09:00:00Z", "2027-02-28T09:00:00Z"),
    ] {
        let bench = Bench::new().await;
        let body = json!({
            "userId": "anna", "plan": "pro", "action": "upgrade", "periodStart": start, "periodEnd": end,
        });
        let status = update(&bench, body).await;
        assert_eq!(status["periodStart"], "2026-10-31T09:00:00Z", "{start}");
        assert_eq!(status["periodEnd"], "2026-11-30T09:00:00Z", "{start}");
    }
}

#[tokio::test]
async fn a_grant_ends_by_itself() {
    let bench = Bench::new().await;
    let body = json!({
        "userId": "anna", "plan": "pro", "action": "upgrade", "endsAt": "2026-11-12T12:00:00Z",
    });
    let _ = update(&bench, body).await;
    bench.set("2026-11-12T11:59:59Z");
    assert_eq!(bench.status("anna").await["plan"], "pro");
    bench.set("2026-11-12T12:00:00Z");
    assert_eq!(bench.status("anna").await["plan"], "free");
    // The alarm tells the ledger.
    let _ = bench.sweep().await;
    assert_eq!(bench.rows(CURRENT), ["free|0|10"]);
}

#[tokio::test]
async fn a_new_limit_counts_in_the_middle_of_a_session() {
    let bench = Bench::new().await;
    let session = bench.start("anna").await;
    bench.talk("anna", &session, 9 * 60 + 59).await;
    assert_eq!(bench.status("anna").await["secondsRemaining"], 1);
    let status = update(
        &bench,
        json!({"userId": "anna", "plan": "basic", "action": "upgrade"}),
    )
    .await;
    assert_eq!(
        status["secondsRemaining"],
        3_600 - 599,
        "the longest session"
    );
    assert_eq!(status["activeSession"]["sessionId"], session.as_str());
    bench.talk("anna", &session, 10 * 60).await;
    assert_eq!(
        bench.heartbeat("anna", &session).await.ok(),
        json!({"minutesUsed": 20, "totalMinutesUsed": 20, "minutesRemaining": 80, "secondsRemaining": 3_600 - 1_199})
    );
    assert_eq!(bench.rows(CURRENT), ["basic|10|100"]);
    let _ = bench.sweep().await;
    assert_eq!(bench.rows(CURRENT), ["basic|20|100"]);
}

#[tokio::test]
async fn a_limit_below_the_usage_ends_the_session_now() {
    for (seconds, minutes, ends) in [
        (9 * 60 + 59, 10, false),
        (10 * 60, 10, true),
        (20 * 60 + 1, 21, true),
    ] {
        let bench = Bench::new().await;
        bench.plan("anna", "pro", "upgrade").await;
        let session = bench.start("anna").await;
        bench.talk("anna", &session, seconds).await;
        let status = update(&bench, json!({"userId": "anna", "action": "cancel"})).await;
        assert_eq!(status["minutesUsed"], minutes, "{seconds} s");
        assert_eq!(status["minutesRemaining"], 0, "{seconds} s");
        assert_eq!(status["percentUsed"], 100, "{seconds} s");
        assert_eq!(status["hasActiveSession"], !ends, "{seconds} s");
        if !ends {
            assert_eq!(status["secondsRemaining"], 1);
            continue;
        }
        let at = &status["serverTime"];
        assert_eq!(
            status["lastSession"],
            json!({
                "sessionId": session, "startedAt": "2026-11-10T12:00:00Z", "endedAt": at,
                "endReason": "limit_reached", "sessionMinutes": minutes,
            })
        );
        bench.seconds(30);
        assert_eq!(
            bench.heartbeat("anna", &session).await.ok(),
            json!({
                "minutesUsed": minutes, "totalMinutesUsed": minutes, "minutesRemaining": 0, "secondsRemaining": 0,
                "warning": "No minutes left",
                "ended": {"endReason": "limit_reached", "endedAt": at, "sessionMinutes": minutes},
            })
        );
        let _ = bench.try_start("anna").await.refused(403, "no_credits");
        assert_eq!(
            bench.rows(SESSIONS),
            [format!("{seconds}|{minutes}|limit_reached")]
        );
        assert_eq!(bench.rows(CURRENT), [format!("free|{minutes}|10")]);
    }
}

#[tokio::test]
async fn each_subscription_is_a_source_of_its_own() {
    let bench = Bench::new().await;
    for (action, plan, subscription, expected) in [
        ("upgrade", "basic", json!("sub_old"), "basic"),
        ("upgrade", "pro", json!("sub_new"), "pro"),
        ("cancel", "basic", json!("sub_old"), "pro"),
        ("upgrade", "basic", Value::Null, "pro"),
        ("cancel", "pro", json!("sub_new"), "basic"),
        ("cancel", "pro", json!("sub_unknown"), "basic"),
        ("cancel", "pro", Value::Null, "free"),
    ] {
        let name = format!("{action} {plan} {subscription}");
        let body = json!({"userId": "anna", "plan": plan, "action": action, "subscriptionId": subscription});
        assert_eq!(update(&bench, body).await["plan"], expected, "{name}");
    }
}

#[tokio::test]
async fn an_answer_says_who_grants_what_and_the_ledger_who_asked_for_it() {
    let bench = Bench::new().await;
    let granted = async |body: Value| {
        let answer = bench.internal(UPDATE, body).await.ok();
        assert_eq!(answer["applied"], true);
        answer["grantedBy"].clone()
    };
    let of_subscription = json!({"plan": "pro", "subscriptionId": "sub_1"});
    let upgrade =
        json!({"userId": "anna", "plan": "pro", "action": "upgrade", "subscriptionId": "sub_1"});
    assert_eq!(granted(upgrade).await, json!([of_subscription]));
    let support = json!({
        "userId": "anna", "plan": "starter", "action": "upgrade", "endsAt": "2026-11-20T00:00:00Z",
        "resetUsage": true,
    });
    let both = json!([{"plan": "basic"}, of_subscription]);
    assert_eq!(granted(support.clone()).await, both);
    // To cancel the one leaves the other, and the answer says so.
    let cancel = json!({"userId": "anna", "action": "cancel"});
    assert_eq!(granted(cancel.clone()).await, json!([of_subscription]));
    let end = json!({"userId": "anna", "action": "cancel", "subscriptionId": "sub_1"});
    assert_eq!(granted(end).await, json!([]));
    assert_eq!(granted(support).await, json!([{"plan": "basic"}]));
    bench.set("2026-11-20T00:00:00Z");
    assert_eq!(bench.status("anna").await["plan"], "free", "it had an end");

    let told =
        "SELECT type, user_id, outcome, detail FROM webhook_events ORDER BY received_at, rowid";
    assert_eq!(
        bench.rows(told)[..3],
        [
            r#"update-plan|anna|applied|{"action":"upgrade","plan":"pro","subscription_id":"sub_1"}"#,
            r#"update-plan|anna|applied|{"action":"upgrade","ends_at":"2026-11-20T00:00:00Z","plan":"starter","reset_usage":true}"#,
            r#"update-plan|anna|applied|{"action":"cancel"}"#,
        ]
    );
}

#[tokio::test]
async fn a_webhook_ends_the_session_that_its_plan_carried() {
    let bench = setup().starting("2026-10-12T07:30:00Z").build().await;
    let user = "user_42";
    let begun = fixture("subscription.active");
    assert_eq!(bench.outcome("e1", &begun).await, "applied");
    let session = bench.start(user).await;
    bench.talk(user, &session, 30 * 60 + 1).await;
    let cancelled = fixture("subscription.canceled.immediately");
    assert_eq!(bench.outcome("e2", &cancelled).await, "applied");
    let status = bench.status(user).await;
    assert_eq!(status["plan"], "free");
    assert_eq!(
        status["lastSession"],
        json!({
            "sessionId": session, "startedAt": "2026-10-12T07:30:00Z", "endedAt": "2026-10-12T08:00:01Z",
            "endReason": "limit_reached", "sessionMinutes": 31,
        })
    );
    assert_eq!(bench.rows(SESSIONS), ["1801|31|limit_reached"]);
    assert_eq!(
        bench
            .rows("SELECT id, type, received_at, user_id, outcome FROM webhook_events ORDER BY id"),
        [
            "e1|subscription.active|1791790200|user_42|applied",
            "e2|subscription.canceled|1791792001|user_42|applied"
        ]
    );
}

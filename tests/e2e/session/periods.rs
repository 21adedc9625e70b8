//! Periods: calendar months, a subscription's own, and sessions that cross their ends.

use serde_json::json;
use talktime_tests::Bench;

const PERIODS: &str = "SELECT period_start, period_end, minutes_used, archived FROM usage_periods ORDER BY period_start";

#[tokio::test]
async fn a_session_over_the_months_end_is_split_there() {
    let bench = Bench::setup()
        .starting("2026-11-30T23:55:00Z")
        .build()
        .await;
    let session = bench.start("anna").await;
    assert_eq!(
        bench.status("anna").await["secondsRemaining"],
        900,
        "five old minutes, ten new ones"
    );
    bench.talk("anna", &session, 899).await;
    assert_eq!(bench.status("anna").await["minutesUsed"], 10);
    bench.seconds(1);
    let ended = bench.end("anna", &session).await.ok();
    assert_eq!(ended["sessionMinutes"], 15);
    assert_eq!(ended["totalMinutesUsed"], 10);
    assert_eq!(ended["endReason"], "limit_reached");
    assert_eq!(ended["endedAt"], "2026-12-01T00:10:00Z");
    assert_eq!(
        bench.rows(PERIODS),
        ["1793491200|1796083200|5|1", "1796083200|1798761600|10|0"]
    );
    assert_eq!(
        bench.rows("SELECT minutes_used FROM usage_sessions"),
        ["15"]
    );
}

#[tokio::test]
async fn the_boundary_itself_never_costs_a_minute() {
    let bench = Bench::setup()
        .starting("2026-11-30T23:54:30Z")
        .build()
        .await;
    bench.plan("anna", "basic", "upgrade").await;
    let session = bench.start("anna").await;
    bench.talk("anna", &session, 15 * 60 + 30).await;
    assert_eq!(bench.end("anna", &session).await.ok()["sessionMinutes"], 16);
    let minutes = "SELECT minutes_used FROM usage_periods ORDER BY period_start";
    assert_eq!(bench.rows(minutes), ["6", "10"]);
}

#[tokio::test]
async fn silence_before_the_boundary_is_found_after_it() {
    let bench = Bench::setup()
        .starting("2026-11-30T23:50:00Z")
        .build()
        .await;
    bench.plan("anna", "basic", "upgrade").await;
    let session = bench.start("anna").await;
    bench.talk("anna", &session, 240).await;
    bench.seconds(500);
    let status = bench.status("anna").await;
    assert_eq!(status["periodStart"], "2026-12-01T00:00:00Z");
    assert_eq!(status["minutesUsed"], 3, "it still seems to run");
    let _ = bench.sweep().await;
    bench.seconds(200);
    let _ = bench.sweep().await;
    let ended = bench.end("anna", &session).await.ok();
    assert_eq!(
        (&ended["endReason"], &ended["sessionMinutes"]),
        (&json!("stale"), &json!(5))
    );
    assert_eq!(
        bench.rows(PERIODS),
        ["1793491200|1796083200|5|1", "1796083200|1798761600|0|0"]
    );
}

#[tokio::test]
async fn the_last_day_of_a_month_resets_nothing() {
    let bench = Bench::setup()
        .starting("2026-11-29T12:00:00Z")
        .build()
        .await;
    let session = bench.start("anna").await;
    bench.talk("anna", &session, 240).await;
    let _ = bench.end("anna", &session).await.ok();
    bench.set("2026-11-30T23:59:59Z");
    assert_eq!(bench.status("anna").await["minutesUsed"], 4);
    bench.set("2026-12-01T00:00:00Z");
    let status = bench.status("anna").await;
    assert_eq!(status["minutesUsed"], 0);
    assert_eq!(status["periodEnd"], "2027-01-01T00:00:00Z");
}

#[tokio::test]
async fn a_period_from_the_31st_goes_back_to_it() {
    for (year, february) in [(2027, 28), (2028, 29)] {
        let bench = Bench::setup()
            .starting(&format!("{year}-01-31T09:00:00Z"))
            .build()
            .await;
        let february = format!("02-{february}");
        let days = ["01-31", &february, "03-31", "04-30", "05-31"];
        let time = |date: &str| format!("{year}-{date}T09:00:00Z");
        for (number, day) in days.iter().enumerate().take(4) {
            let (start, end) = (time(day), time(days[number + 1]));
            let check = async |at: &str, start: &str, end: &str| {
                bench.set(at);
                let status = bench.status("anna").await;
                let found = (&status["periodStart"], &status["periodEnd"]);
                assert_eq!(found, (&json!(start), &json!(end)), "at {at}");
            };
            // Before it is told that it was renewed, and after.
            if number > 0 {
                check(&start, &start, &end).await;
            }
            let body = json!({
                "userId": "anna", "plan": "pro", "action": "upgrade", "periodStart": start, "periodEnd": end,
            });
            let _ = bench.internal("/api/internal/update-plan", body).await.ok();
            check(&start, &start, &end).await;
        }
    }
}

#[tokio::test]
async fn whoever_was_away_for_months_gets_one_current_period() {
    let bench = Bench::new().await;
    let session = bench.start("anna").await;
    bench.seconds(60);
    let _ = bench.end("anna", &session).await.ok();
    bench.set("2027-06-15T08:00:00Z");
    let status = bench.status("anna").await;
    assert_eq!(status["periodStart"], "2027-06-01T00:00:00Z");
    assert_eq!(status["minutesUsed"], 0);
    bench.start("anna").await;
    assert_eq!(
        bench.rows(PERIODS),
        ["1793491200|1796083200|1|1", "1811808000|1814400000|0|0"],
        "no rows for the months between"
    );
}

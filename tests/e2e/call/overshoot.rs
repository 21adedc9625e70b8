//! How long a call goes on after its session's end: by this machine's clock, with the cron trigger running as it does in
//! earnest.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use talktime_host::{Host, Storage};
use talktime_tests::bench::request;
use talktime_tests::provider_stand_in::{OFFER, OPENAI_KEY, ProviderStandIn};
use talktime_tests::{Answer, built};
use tokio::net::TcpListener;

use super::accounts::CALL;

/// Calls that end by their users, each at another fraction of a second.
const ENDED: u64 = 8;

/// The bound of `docs/rules.md` is a second, and the provider's own time. On a machine that does much else at once
/// everything is a little later.
const OVERSHOOT_MAX: Duration = Duration::from_secs(2);

fn now_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since.expect("after 1970").as_millis()).expect("small")
}

async fn post(host: &Host, user: &str, path: &str, body: Value) -> Value {
    let answer = host
        .request(request("POST", path, Some(user), Some(&body)))
        .await;
    Answer::new(answer).ok()
}

/// Opens a call, and gives its id and its session's.
async fn call(host: &Host, user: &str) -> (String, Value) {
    let body = json!({"awaitsCall": true});
    let started = post(host, user, "/api/session/start", body).await;
    let session = started["sessionId"].clone();
    let offer = json!({"sessionId": session, "sdp": OFFER});
    let opened = post(host, user, CALL, offer).await;
    (
        opened["callId"].as_str().expect("an id").to_owned(),
        session,
    )
}

/// Waits until the provider has closed the call, and gives how long after `end` that was.
async fn overshoot(provider: &ProviderStandIn, call: &str, end: i64) -> Duration {
    loop {
        let books = provider.calls();
        if let Some(closed) = books.call(call).and_then(|call| call.closed) {
            let late = closed.at.unix_millis() - end;
            return Duration::from_millis(late.try_into().unwrap_or(0));
        }
        assert!(now_millis() < end + 20_000, "{call} is never over");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_over_within_a_second_of_its_sessions_end() {
    let provider = ProviderStandIn::start().await;
    let host = built::host()
        .await
        .storage(Storage::Memory)
        .cron(true)
        .variable("openai_api_key", OPENAI_KEY)
        .variable("openai_base_url", &provider.base_url())
        .variable("plans", r#"{"free": {"minutes": 1}}"#)
        .build()
        .await
        .expect("the components link");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let server = host.serve(listener).await;

    // The user's minute goes by while others hang up.
    let (limited, session) = call(&host, "limited").await;
    let opened_at = provider.calls().call(&limited).expect("a call").opened_at;
    let mut measured = Vec::new();
    for number in 0..ENDED {
        let user = format!("user-{number}");
        let (call, session) = call(&host, &user).await;
        tokio::time::sleep(Duration::from_millis(137 * number)).await;
        let _ = post(
            &host,
            &user,
            "/api/session/end",
            json!({"sessionId": session}),
        )
        .await;
        measured.push(overshoot(&provider, &call, now_millis()).await);
    }
    let limit = opened_at.unix_millis() + 60_000;
    while now_millis() + 5_000 < limit {
        let beat = json!({"sessionId": session});
        let _ = post(&host, "limited", "/api/session/heartbeat", beat).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    let at_limit = overshoot(&provider, &limited, limit).await;
    println!(
        "calls went on for {measured:?} after their users' ends, {at_limit:?} after the limit"
    );
    let longest = measured.iter().max().expect("some");
    assert!(
        *longest.max(&at_limit) <= OVERSHOOT_MAX,
        "{measured:?} {at_limit:?}"
    );
    // A hang-up that came early would have cut the user short.
    let closed = provider.calls().call(&limited).and_then(|call| call.closed);
    assert!(closed.is_some_and(|closed| closed.at.unix_millis() >= limit));
    server.shutdown().await;
}

//! What can be tried over HTTP alone, on any host: the embedded one, any base URL, and `spin up` where there is one.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use talktime_tests::Target;
use talktime_tests::bench::bare;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_runs_from_start_to_end() {
    Target::each(async |target| {
        let user = target.fresh_user();
        let status = target.get(&user, "/api/session/status").await.ok();
        assert_eq!(status["hasActiveSession"], false);
        let limit = status["minutesLimit"].clone();
        let session = target.start(&user).await;
        let again = target.post(&user, "/api/session/start", json!({})).await;
        assert_eq!(
            again.refused(409, "session_active")["sessionId"],
            session.as_str()
        );
        tokio::time::sleep(Duration::from_millis(1100)).await;
        let body = json!({"sessionId": session});
        let heard = target
            .post(&user, "/api/session/heartbeat", body.clone())
            .await
            .ok();
        assert_eq!(heard["minutesUsed"], 1);
        let ended = target
            .post(&user, "/api/session/end", body.clone())
            .await
            .ok();
        assert_eq!(ended["sessionMinutes"], 1);
        assert_eq!(
            target.post(&user, "/api/session/end", body).await.ok(),
            ended
        );
        let status = target.get(&user, "/api/session/status").await.ok();
        assert_eq!(
            (&status["minutesUsed"], &status["minutesLimit"]),
            (&json!(1), &limit)
        );
        let known = format!("/api/internal/users/{user}");
        let known = target.trusted("GET", &known, None, &Value::Null).await.ok();
        assert_eq!(
            known["sessions"][0]["sessionId"],
            session.as_str(),
            "{}",
            target.name
        );
        assert_eq!(known["sessions"][0]["minutesUsed"], 1);
        assert_eq!(known["periods"][0]["minutesUsed"], 1);
    })
    .await;
}

/// Spin's server does not set `TCP_NODELAY`: an answer in two writes waits for the client's delayed acknowledgement, 40 ms.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_waits_for_no_acknowledgement() {
    /// A machine with much else to do is late too, but not in each round.
    const ROUNDS: usize = 5;
    /// Where answers leave in two writes, from 7 to 50 of so many are late.
    const ASKED: usize = 100;
    const LATE_MAX: usize = 2;

    Target::each(async |target| {
        let user = target.fresh_user();
        let session = target.start(&user).await;
        let mut late = Vec::new();
        for _ in 0..ROUNDS {
            late.push(late_answers(target, &user, &session, ASKED).await);
            if late.last() <= Some(&LATE_MAX) {
                return;
            }
        }
        panic!("{}: of {ASKED} answers {late:?} were late", target.name);
    })
    .await;
}

/// How many of so many answers, one after another, took as long as a delayed acknowledgement.
async fn late_answers(target: &Target, user: &str, session: &str, asked: usize) -> usize {
    const DELAY: Duration = Duration::from_millis(38);

    let mut late = 0;
    for turn in 0..asked {
        let begun = Instant::now();
        let answer = if turn % 2 == 0 {
            target.get(user, "/api/session/status").await
        } else {
            let body = json!({ "sessionId": session });
            target.post(user, "/api/session/heartbeat", body).await
        };
        assert_eq!(answer.status, 200, "{}", answer.body);
        late += usize::from(begun.elapsed() >= DELAY);
    }
    late
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_many_first_starts_wins() {
    for target in Target::all().await {
        let target = std::sync::Arc::new(target);
        for _ in 0..5 {
            let user = target.fresh_user();
            let mut starts = JoinSet::new();
            for _ in 0..20 {
                let (target, user) = (target.clone(), user.clone());
                starts.spawn(
                    async move { target.post(&user, "/api/session/start", json!({})).await },
                );
            }
            let answers = starts.join_all().await;
            let won = answers.iter().filter(|answer| answer.status == 200).count();
            let refused = answers.iter().filter(|answer| answer.status == 409).count();
            assert_eq!((won, refused), (1, 19), "{}: {answers:#?}", target.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_are_refused() {
    Target::each(async |target| {
        for (method, path, status) in [
            ("GET", "/api/session/status", 401),
            ("POST", "/api/session/start", 401),
            ("POST", "/api/internal/update-plan", 401),
            ("POST", "/api/internal/alarm", 401),
            ("GET", "/api/internal/overview", 401),
            ("POST", "/api/webhooks/polar", 401),
            ("POST", "/api/realtime-token", 401),
            ("DELETE", "/api/session/start", 405),
        ] {
            let answer = target.send(bare(method, path, &[])).await;
            assert_eq!(
                answer.status, status,
                "{}: {method} {path}: {}",
                target.name, answer.body
            );
            assert_eq!(answer.header("cache-control"), Some("no-store"));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_has_the_headers_of_its_get_and_no_body() {
    Target::each(async |target| {
        let user = target.fresh_user();
        let path = "/api/session/status";
        let head = target
            .trusted("HEAD", path, Some(&user), &Value::Null)
            .await;
        assert_eq!(
            (head.status.as_u16(), head.body.as_str()),
            (200, ""),
            "{}",
            target.name
        );
        assert_eq!(head.header("content-type"), Some("application/json"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plans_change_at_once() {
    Target::each(async |target| {
        let user = target.fresh_user();
        let body = json!({"userId": user, "plan": "pro", "action": "upgrade"});
        let answer = target
            .trusted("POST", "/api/internal/update-plan", None, &body)
            .await
            .ok();
        assert_eq!(answer["applied"], true);
        assert_eq!(
            target.get(&user, "/api/session/status").await.ok()["plan"],
            "pro"
        );
        let swept = target
            .trusted("POST", "/api/internal/alarm", None, &Value::Null)
            .await
            .ok();
        assert!(swept["remaining"].is_u64());
    })
    .await;
}

/// Sends a request whose body comes a byte a second, and reads the answer.
async fn dripped(target: &Target, path: &str, user: &str) -> String {
    let stream = TcpStream::connect(target.authority())
        .await
        .expect("a listener");
    let (mut answers, mut bytes) = stream.into_split();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: talktime.test\r\nX-Internal-Secret: {}\r\nX-User-Id: {user}\r\n\
         Content-Length: 600\r\nConnection: close\r\n\r\n",
        target.internal_secret(),
    );
    let drip = async move {
        // The server may have had enough at any byte.
        let mut sent = bytes.write_all(head.as_bytes()).await;
        while sent.is_ok() {
            sent = bytes.write_all(b" ").await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let answer = async move {
        let mut answer = Vec::new();
        let mut part = [0; 1024];
        // The whole answer is short, and how the connection ends is the host's affair.
        while !String::from_utf8_lossy(&answer).contains('}') {
            match answers.read(&mut part).await {
                Ok(0) | Err(_) => break,
                Ok(count) => answer.extend_from_slice(&part[..count]),
            }
        }
        String::from_utf8_lossy(&answer).into_owned()
    };
    tokio::select! {
        answer = answer => answer,
        () = drip => String::new(),
        () = tokio::time::sleep(Duration::from_secs(20)) => "none within 20 seconds".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_drips_is_given_up_after_ten_seconds() {
    Target::each(async |target| {
        let user = target.fresh_user();
        let begun = Instant::now();
        let (start, update) = tokio::join!(
            dripped(target, "/api/session/start", &user),
            dripped(target, "/api/internal/update-plan", &user),
        );
        let taken = begun.elapsed().as_secs();
        for answer in [start, update] {
            assert!(
                answer.starts_with("HTTP/1.1 408 "),
                "{}: {answer}",
                target.name
            );
            assert!(
                answer.contains(r#""code":"body_timeout""#),
                "{}: {answer}",
                target.name
            );
        }
        assert!((10..14).contains(&taken), "{}: {taken} s", target.name);
    })
    .await;
}

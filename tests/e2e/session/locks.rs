//! Files that another process holds locked: every request ends, with `busy` and within about five seconds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use talktime_host::rusqlite::Connection;
use talktime_host::{Host, Storage};
use talktime_tests::bench::request;
use talktime_tests::{Answer, built};

/// `SQLite` waits for five seconds within one call, and there are the calls around it.
const ABOUT_FIVE: Duration = Duration::from_millis(6_500);

/// A host by the machine's clocks, on files in a folder.
struct Locked {
    host: Host,
    folder: tempfile::TempDir,
}

impl Locked {
    async fn new(journal_of_states: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let storage = Storage::Directory(folder.path().to_owned());
        storage.prepare().expect("prepared");
        let mode = format!("PRAGMA journal_mode = {journal_of_states}");
        let states = Self::open(&folder, "sqlite_key_value.db");
        let set: String = states.query_row(&mode, [], |row| row.get(0)).expect("set");
        assert_eq!(set, journal_of_states);
        drop(states);
        let host = built::host()
            .await
            .storage(storage)
            .build()
            .await
            .expect("the components link");
        Self { host, folder }
    }

    fn open(folder: &tempfile::TempDir, file: &str) -> Connection {
        Connection::open(folder.path().join(file)).expect("opened")
    }

    /// Holds a file, as long as the connection lives.
    fn lock(&self, file: &str) -> Connection {
        let connection = Self::open(&self.folder, file);
        connection.execute_batch("BEGIN EXCLUSIVE").expect("locked");
        connection
    }

    async fn send(&self, user: &str, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let request = request(method, path, Some(user), body);
        Answer::new(self.host.request(request).await)
    }

    async fn start(&self, user: &str) -> String {
        let body = json!({});
        let started = self.send(user, "POST", "/api/session/start", Some(&body));
        started.await.ok()["sessionId"]
            .as_str()
            .expect("an id")
            .to_owned()
    }

    /// Refused as busy, and in time.
    async fn busy(&self, user: &str, method: &str, path: &str, body: Option<&Value>) {
        let began = Instant::now();
        let answer = self.send(user, method, path, body).await;
        let took = began.elapsed();
        let _ = answer.refused(503, "busy");
        assert!(answer.headers.contains_key("retry-after"));
        assert!(took < ABOUT_FIVE, "{path} took {took:?}");
    }

    async fn all_busy(&self, session: &str) {
        let body = json!({"sessionId": session});
        self.busy("anna", "POST", "/api/session/heartbeat", Some(&body))
            .await;
        self.busy("bert", "POST", "/api/session/start", Some(&json!({})))
            .await;
        self.busy("anna", "POST", "/api/session/end", Some(&body))
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_all_files_locked_every_request_is_told_that_it_is_busy() {
    let locked = Locked::new("delete").await;
    let session = locked.start("anna").await;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    {
        let _states = locked.lock("sqlite_key_value.db");
        let _ledger = locked.lock("sqlite_db.db");
        locked
            .busy("anna", "GET", "/api/session/status", None)
            .await;
        locked.all_busy(&session).await;
        let update = json!({"userId": "anna", "plan": "pro", "action": "upgrade"});
        locked
            .busy("anna", "POST", "/api/internal/update-plan", Some(&update))
            .await;
    }
    // A lock that was found is remembered for a moment.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let body = json!({"sessionId": session});
    let heard = locked.send("anna", "POST", "/api/session/heartbeat", Some(&body));
    let _ = heard.await.ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_only_writers_wait_a_look_is_answered() {
    let locked = Locked::new("wal").await;
    let session = locked.start("anna").await;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let _states = locked.lock("sqlite_key_value.db");
    let status = locked.send("anna", "GET", "/api/session/status", None);
    assert_eq!(status.await.ok()["hasActiveSession"], true);
    let body = json!({"sessionId": session});
    locked
        .busy("anna", "POST", "/api/session/heartbeat", Some(&body))
        .await;
    let status = locked.send("anna", "GET", "/api/session/status", None);
    assert_eq!(status.await.ok()["hasActiveSession"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_only_the_ledger_locked_a_running_session_goes_on() {
    let locked = Locked::new("wal").await;
    let session = locked.start("anna").await;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let _ledger = locked.lock("sqlite_db.db");
    let body = json!({"sessionId": session});
    let heard = locked.send("anna", "POST", "/api/session/heartbeat", Some(&body));
    let _ = heard.await.ok();
    locked
        .busy("bert", "POST", "/api/session/start", Some(&json!({})))
        .await;
    // The end is in the document; the ledger hears of it when it can.
    let began = Instant::now();
    let ended = locked.send("anna", "POST", "/api/session/end", Some(&body));
    let _ = ended.await.ok();
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_wait_behind_a_lock_do_not_wait_one_after_another() {
    const USERS: usize = 12;
    let locked = Arc::new(Locked::new("wal").await);
    let mut sessions = Vec::new();
    for user in 0..USERS {
        let user = format!("user-{user}");
        let session = locked.start(&user).await;
        sessions.push((user, session));
    }
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let _states = locked.lock("sqlite_key_value.db");
    let before = locked.host.http_instances("session");
    let began = Instant::now();
    let mut heartbeats = tokio::task::JoinSet::new();
    for (user, session) in sessions {
        let locked = locked.clone();
        heartbeats.spawn(async move {
            let body = json!({"sessionId": session});
            let answer = locked
                .send(&user, "POST", "/api/session/heartbeat", Some(&body))
                .await;
            let _ = answer.refused(503, "busy");
        });
    }
    heartbeats.join_all().await;
    // A lock that one request has met is known to all requests of its instance. An instance for itself cannot know: Spin's
    // calls to one file wait for each other, so a second instance finds out after the first one.
    // The one that the starts have left may still be there.
    let instances = 1 + locked.host.http_instances("session") - before;
    let took = began.elapsed();
    let at_most = ABOUT_FIVE * u32::try_from(instances).expect("few");
    assert!(took < at_most, "{took:?} in {instances} instances");
}

//! The built components under a clock of the test's.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use talktime_host::{Clock, Faults, Host, KvBehaviour, Storage, VirtualClock, rusqlite};

use crate::{Answer, INTERNAL_SECRET, built};

/// Every way in which a key-value store may behave.
pub const KV_BEHAVIOURS: [KvBehaviour; 3] = [
    KvBehaviour::Sqlite,
    KvBehaviour::Redis,
    KvBehaviour::Correct,
];

/// What a bench is made of.
pub struct Setup {
    variables: Vec<(String, String)>,
    key_value: KvBehaviour,
    faults: Option<Arc<dyn Faults>>,
    seed: Option<u64>,
    storage: Storage,
    start: String,
}

/// A running bench. Its clones are the same bench.
#[derive(Clone)]
pub struct Bench {
    /// The host.
    pub host: Host,
    /// Its clock.
    pub clock: VirtualClock,
}

impl Setup {
    /// Sets a Spin variable.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Makes the key-value store behave like that of a real back end.
    #[must_use]
    pub fn key_value(mut self, behaviour: KvBehaviour) -> Self {
        self.key_value = behaviour;
        self
    }

    /// Lets calls of the components fail.
    #[must_use]
    pub fn faults(mut self, faults: Arc<dyn Faults>) -> Self {
        self.faults = Some(faults);
        self
    }

    /// Draws the components' random numbers from a seed.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Keeps the data in that folder.
    #[must_use]
    pub fn storage(mut self, storage: Storage) -> Self {
        self.storage = storage;
        self
    }

    /// The time at the start, as RFC 3339.
    #[must_use]
    pub fn starting(mut self, at: &str) -> Self {
        at.clone_into(&mut self.start);
        self
    }

    /// Builds the components if need be, and starts.
    ///
    /// # Panics
    /// When that fails.
    pub async fn build(self) -> Bench {
        let clock = VirtualClock::new(millis(&self.start));
        let mut builder = built::host()
            .await
            .storage(self.storage)
            .key_value(self.key_value)
            .clock(Clock::Virtual(clock.clone()));
        for (name, value) in &self.variables {
            builder = builder.variable(name, value);
        }
        if let Some(faults) = self.faults {
            builder = builder.faults(faults);
        }
        if let Some(seed) = self.seed {
            builder = builder.seed(seed);
        }
        let host = builder.build().await.expect("the components link");
        Bench { host, clock }
    }
}

impl Bench {
    /// What can be set before the start.
    #[must_use]
    pub fn setup() -> Setup {
        Setup {
            variables: Vec::new(),
            key_value: KvBehaviour::Sqlite,
            faults: None,
            seed: None,
            storage: Storage::Memory,
            start: "2026-11-10T12:00:00Z".to_owned(),
        }
    }

    /// A bench with the default settings, at noon of 10 November 2026.
    pub async fn new() -> Self {
        Self::setup().build().await
    }

    /// Sends a request as it is.
    pub async fn send(&self, request: Request<Bytes>) -> Answer {
        Answer::new(self.host.request(request).await)
    }

    /// GETs a path for a user, as the trusted server.
    pub async fn get(&self, user: &str, path: &str) -> Answer {
        self.send(request("GET", path, Some(user), None)).await
    }

    /// POSTs a body for a user, as the trusted server.
    pub async fn post(&self, user: &str, path: &str, body: Value) -> Answer {
        self.send(request("POST", path, Some(user), Some(&body)))
            .await
    }

    /// POSTs a body with the internal secret only.
    pub async fn internal(&self, path: &str, body: Value) -> Answer {
        self.send(request("POST", path, None, Some(&body))).await
    }

    /// The user's status.
    pub async fn status(&self, user: &str) -> Value {
        self.get(user, "/api/session/status").await.ok()
    }

    /// Starts a session and gives its id.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn start(&self, user: &str) -> String {
        let answer = self.post(user, "/api/session/start", json!({})).await.ok();
        answer["sessionId"].as_str().expect("an id").to_owned()
    }

    /// Tries to start a session.
    pub async fn try_start(&self, user: &str) -> Answer {
        self.post(user, "/api/session/start", json!({})).await
    }

    /// Sends a heartbeat.
    pub async fn heartbeat(&self, user: &str, session: &str) -> Answer {
        let body = json!({"sessionId": session});
        self.post(user, "/api/session/heartbeat", body).await
    }

    /// Ends a session.
    pub async fn end(&self, user: &str, session: &str) -> Answer {
        let body = json!({"sessionId": session});
        self.post(user, "/api/session/end", body).await
    }

    /// Sweeps due alarms by HTTP.
    pub async fn sweep(&self) -> Value {
        self.internal("/api/internal/alarm", json!({})).await.ok()
    }

    /// A tick of the cron trigger at the bench's time: how it ended.
    ///
    /// # Errors
    /// What the sweep says when it fails.
    ///
    /// # Panics
    /// When the clock stands before 1970.
    pub async fn try_tick(&self) -> Result<(), String> {
        let now = u64::try_from(self.clock.now_millis() / 1_000).expect("after 1970");
        self.host.cron_tick("alarm", now).await
    }

    /// The same, of a sweep that runs.
    ///
    /// # Panics
    /// When it does not.
    pub async fn tick(&self) {
        self.try_tick().await.expect("the sweep runs");
    }

    /// Changes a plan by the internal API.
    pub async fn plan(&self, user: &str, plan: &str, action: &str) -> Value {
        let body = json!({"userId": user, "plan": plan, "action": action});
        self.internal("/api/internal/update-plan", body).await.ok()
    }

    /// Moves the clock on.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
        self.sweeps_went_on();
    }

    /// As if sweeps had gone on all the while: one by a clock that has jumped does nothing.
    fn sweeps_went_on(&self) {
        let now = self.clock.now_millis() / 1_000;
        // Before the first request there is no such table.
        let _ = self
            .host
            .sqlite("default")
            .execute("UPDATE sweep_clock SET newest = ?1", [now]);
    }

    /// Moves the clock on by whole seconds.
    pub fn seconds(&self, seconds: u64) {
        self.advance(Duration::from_secs(seconds));
    }

    /// Sets the clock, also back.
    pub fn set(&self, at: &str) {
        self.clock.set_millis(millis(at));
        self.sweeps_went_on();
    }

    /// Lets a session live on: a heartbeat every 30 seconds, for so many seconds.
    pub async fn talk(&self, user: &str, session: &str, seconds: u64) {
        let mut left = seconds;
        while left > 0 {
            let turn = left.min(30);
            self.seconds(turn);
            left -= turn;
            let _ = self.heartbeat(user, session).await;
        }
    }

    /// The rows of a query on the ledger, each value as text and joined with `|`, as `sqlite3` prints them.
    ///
    /// # Panics
    /// When the query fails.
    #[must_use]
    pub fn rows(&self, sql: &str) -> Vec<String> {
        rows(&self.host.sqlite("default"), sql)
    }
}

/// The rows of a query, each value as text and joined with `|`.
///
/// # Panics
/// When the query fails.
#[must_use]
pub fn rows(connection: &rusqlite::Connection, sql: &str) -> Vec<String> {
    use rusqlite::types::ValueRef;
    let mut statement = connection.prepare(sql).expect("valid SQL");
    let columns = statement.column_count();
    let text = |row: &rusqlite::Row<'_>, column: usize| {
        Ok::<_, rusqlite::Error>(match row.get_ref(column)? {
            ValueRef::Null => String::new(),
            ValueRef::Integer(number) => number.to_string(),
            ValueRef::Real(number) => number.to_string(),
            ValueRef::Text(text) | ValueRef::Blob(text) => {
                String::from_utf8_lossy(text).into_owned()
            }
        })
    };
    let rows = statement.query_map([], |row| {
        let values: Result<Vec<_>, _> = (0..columns).map(|column| text(row, column)).collect();
        values.map(|values| values.join("|"))
    });
    rows.and_then(Iterator::collect).expect("the query runs")
}

/// A request with the internal secret, for a user if one is named.
///
/// # Panics
/// When the path is no path.
#[must_use]
pub fn request(
    method: &str,
    path: &str,
    user: Option<&str>,
    body: Option<&Value>,
) -> Request<Bytes> {
    let mut builder = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "talktime.test")
        .header("x-internal-secret", INTERNAL_SECRET);
    if let Some(user) = user {
        builder = builder.header("x-user-id", user);
    }
    let body = body.map(ToString::to_string).unwrap_or_default();
    builder.body(body.into()).expect("a valid request")
}

/// A request with these headers alone, and without a body.
///
/// # Panics
/// When the path is no path, or a header holds what no header can.
#[must_use]
pub fn bare(method: &str, path: &str, headers: &[(&str, &str)]) -> Request<Bytes> {
    let mut builder = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(Bytes::new()).expect("a valid request")
}

/// The request with a key by which its retries are known.
///
/// # Panics
/// When no header can hold the key.
#[must_use]
pub fn keyed(mut request: Request<Bytes>, key: &str) -> Request<Bytes> {
    let key = key.parse().expect("a header");
    request.headers_mut().insert("idempotency-key", key);
    request
}

/// Milliseconds since the epoch of an RFC 3339 text like `2026-11-10T12:00:00Z`.
///
/// # Panics
/// When it is none.
#[must_use]
pub fn millis(text: &str) -> i64 {
    talktime_usage::Timestamp::parse_rfc3339(text)
        .expect("a date and time")
        .unix_millis()
}

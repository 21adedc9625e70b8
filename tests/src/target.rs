//! The API over a real socket, with a real clock: an embedded host of its own, any base URL, or `spin up`.

use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use talktime_host::{Nagle, Server, Storage};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use uuid::Uuid;

use crate::{Answer, INTERNAL_SECRET, JWT_SECRET, built, ports};

/// A running Talktime that is spoken to over HTTP only.
pub struct Target {
    /// What it is, for messages.
    pub name: String,
    base_url: String,
    internal_secret: String,
    jwt_secret: String,
    client: Client<HttpConnector, Full<Bytes>>,
    running: Running,
}

enum Running {
    Elsewhere,
    Embedded(Server),
    Spin { _up: SpinUp, _data: TempDir },
}

/// `spin up`, which starts its triggers as processes of their own.
struct SpinUp(Child);

impl Drop for SpinUp {
    /// Ends the whole group: to kill `spin up` alone would leave its triggers serving.
    fn drop(&mut self) {
        if let Some(group) = self.0.id() {
            let _ = std::process::Command::new("kill")
                .args(["-KILL", "--", &format!("-{group}")])
                .status();
        }
    }
}

impl Target {
    /// What the tests run against: the base URL of `TALKTIME_BASE_URL` (with its secrets in `TALKTIME_INTERNAL_SECRET`
    /// and `TALKTIME_JWT_SECRET`), else an embedded host, and `spin up` too if `spin` is on the PATH.
    pub async fn all() -> Vec<Self> {
        if let Ok(url) = std::env::var("TALKTIME_BASE_URL") {
            let secret = |name: &str| {
                std::env::var(name).unwrap_or_else(|_| panic!("TALKTIME_BASE_URL needs {name}"))
            };
            let mut target = Self::new("TALKTIME_BASE_URL", &url, Running::Elsewhere);
            target.internal_secret = secret("TALKTIME_INTERNAL_SECRET");
            target.jwt_secret = secret("TALKTIME_JWT_SECRET");
            return vec![target];
        }
        let mut targets = vec![Self::embedded().await];
        if spin_is_there().await {
            targets.push(Self::spin().await);
        }
        targets
    }

    /// Runs a test against each of them.
    pub async fn each(test: impl AsyncFn(&Self)) {
        for target in Self::all().await {
            test(&target).await;
            target.stop().await;
        }
    }

    /// One that runs elsewhere already, with the secrets of the tests.
    #[must_use]
    pub fn at(base_url: &str) -> Self {
        Self::new(base_url, base_url, Running::Elsewhere)
    }

    fn new(name: &str, base_url: &str, running: Running) -> Self {
        Self {
            name: name.to_owned(),
            base_url: base_url.trim_end_matches('/').to_owned(),
            internal_secret: INTERNAL_SECRET.to_owned(),
            jwt_secret: JWT_SECRET.to_owned(),
            client: Client::builder(TokioExecutor::new()).build_http(),
            running,
        }
    }

    async fn embedded() -> Self {
        let host = built::host()
            .await
            .storage(Storage::Memory)
            .nagle(Nagle::On)
            .build()
            .await
            .expect("the components link");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let server = host.serve(listener).await;
        let url = format!("http://{}", server.addr());
        Self::new("the embedded host", &url, Running::Embedded(server))
    }

    async fn spin() -> Self {
        // Without the cron trigger, which is a plugin that need not be there.
        let manifest = built::manifest().await.with_file_name("spin.no-cron.toml");
        let data = tempfile::tempdir().expect("a folder");
        let port = ports::free().await;
        let process = Command::new("spin")
            .args(["up", "--from"])
            .arg(&manifest)
            .arg("--state-dir")
            .arg(data.path())
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .env("SPIN_VARIABLE_INTERNAL_API_SECRET", INTERNAL_SECRET)
            .env("SPIN_VARIABLE_AUTH_JWT_SECRET", JWT_SECRET)
            .stdout(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("spin starts");
        let target = Self::new(
            "spin up",
            &format!("http://127.0.0.1:{port}"),
            Running::Spin {
                _up: SpinUp(process),
                _data: data,
            },
        );
        target.come_up(Duration::from_secs(20)).await;
        target
    }

    /// Waits until it answers, and for so long at the most.
    ///
    /// # Panics
    /// When it does not.
    pub async fn come_up(&self, most: Duration) {
        let answers = async {
            while self.client.get(self.uri("/")).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let in_time = tokio::time::timeout(most, answers).await;
        assert!(
            in_time.is_ok(),
            "{} does not answer within {most:?}",
            self.name
        );
    }

    /// A user that nobody has seen.
    #[must_use]
    pub fn fresh_user(&self) -> String {
        format!("test-{}", Uuid::new_v4())
    }

    /// The secret that tokens are signed with.
    #[must_use]
    pub fn jwt_secret(&self) -> &str {
        &self.jwt_secret
    }

    /// The secret of the trusted server.
    #[must_use]
    pub fn internal_secret(&self) -> &str {
        &self.internal_secret
    }

    /// Host and port, for what is no whole request.
    ///
    /// # Panics
    /// When the base URL has no host.
    #[must_use]
    pub fn authority(&self) -> String {
        let uri = self.uri("/");
        uri.authority().expect("a host").to_string()
    }

    fn uri(&self, path: &str) -> http::Uri {
        format!("{}{path}", self.base_url)
            .parse()
            .expect("a valid address")
    }

    /// Sends a request whose URI is a path.
    pub async fn send(&self, request: Request<Bytes>) -> Answer {
        self.try_send(request)
            .await
            .unwrap_or_else(|| panic!("{} does not answer", self.name))
    }

    /// The same, for a target that may die: `None` when it does not answer.
    pub async fn try_send(&self, mut request: Request<Bytes>) -> Option<Answer> {
        *request.uri_mut() = self.uri(&request.uri().to_string());
        let response = self.client.request(request.map(Full::new)).await.ok()?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        Some(Answer::new(http::Response::from_parts(parts, body)))
    }

    /// A request of the trusted server for a user, or for none.
    pub async fn trusted(
        &self,
        method: &str,
        path: &str,
        user: Option<&str>,
        body: &Value,
    ) -> Answer {
        self.try_trusted(method, path, user, body)
            .await
            .unwrap_or_else(|| panic!("{} does not answer {path}", self.name))
    }

    /// The same, for a target that may die: `None` when it does not answer.
    pub async fn try_trusted(
        &self,
        method: &str,
        path: &str,
        user: Option<&str>,
        body: &Value,
    ) -> Option<Answer> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("x-internal-secret", &self.internal_secret);
        if let Some(user) = user {
            request = request.header("x-user-id", user);
        }
        let body = match body {
            Value::Null => Bytes::new(),
            body => body.to_string().into(),
        };
        let request = request.body(body).expect("a valid request");
        self.try_send(request).await
    }

    /// GETs a path for a user.
    pub async fn get(&self, user: &str, path: &str) -> Answer {
        self.trusted("GET", path, Some(user), &Value::Null).await
    }

    /// POSTs a body for a user.
    pub async fn post(&self, user: &str, path: &str, body: Value) -> Answer {
        self.trusted("POST", path, Some(user), &body).await
    }

    /// Starts a session and gives its id.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn start(&self, user: &str) -> String {
        let answer = self.post(user, "/api/session/start", json!({})).await.ok();
        answer["sessionId"].as_str().expect("an id").to_owned()
    }

    /// Stops what this target started.
    pub async fn stop(self) {
        if let Running::Embedded(server) = self.running {
            server.shutdown().await;
        }
    }
}

async fn spin_is_there() -> bool {
    Command::new("spin")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .await
        .is_ok_and(|status| status.success())
}

//! The embedded host as a process of its own, so that it can be killed.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use talktime_build::cargo::without_outer_cargo;
use talktime_host::rusqlite::Connection;
use talktime_tests::bench::rows;
use talktime_tests::{INTERNAL_SECRET, Target, built, ports};
use tokio::process::{Child, Command};

/// Sessions fall silent soon, so that the end of a run is soon at rest.
const VARIABLES: [(&str, &str); 5] = [
    ("SPIN_VARIABLE_INTERNAL_API_SECRET", INTERNAL_SECRET),
    ("SPIN_VARIABLE_STALE_AFTER_SECONDS", "3"),
    ("SPIN_VARIABLE_HEARTBEAT_INTERVAL_SECONDS", "1"),
    ("SPIN_VARIABLE_ALARM_INTERVAL_SECONDS", "1"),
    (
        "SPIN_VARIABLE_PLANS",
        r#"{"free": {"minutes": 60}, "pro": {"minutes": 100000}}"#,
    ),
];

/// Where `cargo` puts the host's binary: beside the folder of this test's.
fn binary() -> PathBuf {
    let here = std::env::current_exe().expect("a path");
    let folder = here.ancestors().nth(2).expect("target/debug");
    folder.join("talktime")
}

/// Builds the components and the host, and lets one compile them to machine code, for all that come after it.
pub async fn build() {
    built::manifest().await;
    let mut cargo = Command::new("cargo");
    cargo
        .args(["build", "--quiet", "--bin", "talktime"])
        .current_dir(built::root());
    without_outer_cargo(cargo.as_std_mut());
    let status = cargo.status().await.expect("cargo runs");
    assert!(status.success(), "the host builds");
    let data = tempfile::tempdir().expect("a folder");
    let mut first = Process::start_within(Duration::from_mins(2), data.path()).await;
    first.kill().await;
}

/// A running host.
pub struct Process {
    child: Child,
    base_url: String,
}

impl Process {
    /// Starts a host on those files, and waits until it answers, which is soon, whatever the last one left behind.
    pub async fn start(data: &Path) -> Self {
        Self::start_within(Duration::from_secs(6), data).await
    }

    async fn start_within(most: Duration, data: &Path) -> Self {
        let port = ports::free().await;
        let child = Command::new(binary())
            .args(["up", "--no-build", "--quiet", "--data-dir"])
            .arg(data)
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .current_dir(built::root())
            .envs(VARIABLES)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the host starts");
        let process = Self {
            child,
            base_url: format!("http://127.0.0.1:{port}"),
        };
        let target = Target::at(&process.base_url);
        target.come_up(most).await;
        process
    }

    /// Its address.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// SIGKILL.
    pub async fn kill(&mut self) {
        self.child.kill().await.expect("it can be killed");
    }

    /// Sweeps until nothing is due, nor will be before the periods end.
    pub async fn come_to_rest(&self, data: &Path) {
        const SOON: &str = "SELECT COUNT(*) FROM users WHERE alarm_at < unixepoch() + 3600";
        let target = Target::at(&self.base_url);
        let ledger = Connection::open(data.join("sqlite_db.db")).expect("the ledger");
        // A lease that a killed sweep left runs out after half a minute.
        for _ in 0..120 {
            let report = target
                .trusted("POST", "/api/internal/alarm", None, &json!({}))
                .await
                .ok();
            if report["remaining"] == 0 && rows(&ledger, SOON) == ["0"] {
                return;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        panic!("it does not come to rest within two minutes");
    }
}

//! What needs Node or a browser: the client modules' own tests, their types, and real Chromium on the pages.

use std::process::{Command, Output};

use talktime_host::{Server, Storage};
use talktime_tests::{INTERNAL_SECRET, JWT_SECRET, built};
use tokio::net::TcpListener;

/// Runs an npm script of `tests/web`, which `npm ci --prefix tests/web` has prepared.
async fn npm(script: &'static str, variables: Vec<(&'static str, String)>) {
    let run = move || -> std::io::Result<Output> {
        Command::new("npm")
            .args(["run", "--silent", script])
            .current_dir(built::root().join("tests/web"))
            .envs(variables)
            .output()
    };
    let output = tokio::task::spawn_blocking(run)
        .await
        .expect("it ends")
        .expect("npm runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "npm run {script}:\n{}\n{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    println!("{}", text(&output.stdout));
}

#[tokio::test]
#[ignore = "needs Node"]
async fn the_client_modules_pass_their_own_tests() {
    npm("test", Vec::new()).await;
}

#[tokio::test]
#[ignore = "needs Node"]
async fn the_declarations_of_the_client_modules_type_check() {
    npm("types", Vec::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Node and Chromium"]
async fn the_pages_work_in_chromium() {
    let server = serve(None).await;
    let one_minute = serve(Some(r#"{"free": {"minutes": 1}, "pro": {"minutes": 500}}"#)).await;
    let address = |server: &Server| format!("http://{}", server.addr());
    let variables = vec![
        ("TALKTIME_BASE_URL", address(&server)),
        ("TALKTIME_ONE_MINUTE_BASE_URL", address(&one_minute)),
        ("TALKTIME_JWT_SECRET", JWT_SECRET.to_owned()),
        ("TALKTIME_INTERNAL_SECRET", INTERNAL_SECRET.to_owned()),
    ];
    npm("browser", variables).await;
    server.shutdown().await;
    one_minute.shutdown().await;
}

/// A host of its own.
async fn serve(plans: Option<&str>) -> Server {
    let mut host = built::host().await.storage(Storage::Memory);
    if let Some(plans) = plans {
        host = host.variable("plans", plans);
    }
    let host = host.build().await.expect("the components link");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    host.serve(listener).await
}

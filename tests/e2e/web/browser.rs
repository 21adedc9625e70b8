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
    const ONE_MINUTE: (&str, &str) = (
        "plans",
        r#"{"free": {"minutes": 1}, "pro": {"minutes": 500}}"#,
    );
    let server = serve(&[]).await;
    let one_minute = serve(&[ONE_MINUTE]).await;
    // The provider of the calls is played by a test, which listens there.
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let provider = format!("http://{}", free.local_addr().expect("an address"));
    drop(free);
    let calls = serve(&[
        ONE_MINUTE,
        ("openai_api_key", "sk-for-the-tests-of-calls"),
        ("openai_base_url", &provider),
    ])
    .await;
    let address = |server: &Server| format!("http://{}", server.addr());
    let variables = vec![
        ("TALKTIME_BASE_URL", address(&server)),
        ("TALKTIME_ONE_MINUTE_BASE_URL", address(&one_minute)),
        ("TALKTIME_CALL_BASE_URL", address(&calls)),
        ("TALKTIME_CALL_PROVIDER_URL", provider),
        ("TALKTIME_JWT_SECRET", JWT_SECRET.to_owned()),
        ("TALKTIME_INTERNAL_SECRET", INTERNAL_SECRET.to_owned()),
    ];
    npm("browser", variables).await;
    server.shutdown().await;
    one_minute.shutdown().await;
    calls.shutdown().await;
}

/// A host of its own, with the cron triggers where calls are to be hung up.
async fn serve(variables: &[(&str, &str)]) -> Server {
    let hangs_up = variables.iter().any(|(name, _)| *name == "openai_api_key");
    let mut host = built::host().await.storage(Storage::Memory).cron(hangs_up);
    for (name, value) in variables {
        host = host.variable(name, value);
    }
    let host = host.build().await.expect("the components link");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    host.serve(listener).await
}

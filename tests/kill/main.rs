//! A process that is killed under load, again and again, on real files and the real clock; then the ledger equals the
//! states equals what clients were told.
//!
//! `TALKTIME_KILLS` sets how often (8 if not set), `TALKTIME_SEED` replays the moments of one run.

#![expect(
    clippy::expect_used,
    reason = "a test that cannot go on stops where it is"
)]

mod load;
mod process;
mod verdict;

use std::time::Duration;

use fastrand::Rng;
use talktime_tests::environment::number;

use load::Load;
use process::Process;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_however_often_the_process_is_killed() {
    let kills = number("TALKTIME_KILLS").unwrap_or(8);
    let seed = number("TALKTIME_SEED").unwrap_or_else(|| Rng::new().u64(..));
    println!("TALKTIME_SEED={seed} TALKTIME_KILLS={kills}");
    let mut rng = Rng::with_seed(seed);
    let data = tempfile::tempdir().expect("a folder");
    process::build().await;
    let load = Load::new(&mut rng);
    for round in 0..kills {
        // As under `spin up`: one process serves, and another runs the cron trigger on the same files.
        let mut server = Process::start(data.path()).await;
        let mut sweeper = Process::start(data.path()).await;
        let running = load.start(round, [server.base_url(), sweeper.base_url()]);
        // Now and then long enough for the cron trigger, which fires each second.
        let longest = if rng.u8(..5) == 0 { 2_500 } else { 900 };
        tokio::time::sleep(Duration::from_millis(rng.u64(50..longest))).await;
        if rng.bool() {
            sweeper.kill().await;
        }
        server.kill().await;
        sweeper.kill().await;
        running.stop().await;
    }
    let server = Process::start(data.path()).await;
    server.come_to_rest(data.path()).await;
    drop(server);
    verdict::check(data.path(), &load.told());
}

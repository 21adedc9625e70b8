//! A seeded simulation: thousands of steps of many users on the built components, with host calls that fail, drag on, or
//! are the last thing before a crash; after every step checkers compare the states, the ledger and the replies with what
//! must be true.
//!
//! One thread, a paused clock and one generator of random numbers, from which the components' own are seeded too: the same
//! seed gives the same run. Requests that come at once are interleaved by delays that no two host calls share, so they too
//! replay. What goes wrong between the calls of the protocol, `crates/store/src/memory` tries natively, and far more
//! often.
//!
//! - `TALKTIME_SEED=7` runs that seed alone and prints what happens, `TALKTIME_SEEDS=100` so many fresh ones.
//! - `TALKTIME_STEPS=2000` makes each run longer.

#![expect(
    clippy::expect_used,
    reason = "a test that cannot go on stops where it is"
)]

mod checker;
mod faults;
mod final_check;
mod ledger;
mod prng;
mod regressions;
mod reply_checker;
mod run;
mod workload;
mod world;

use std::time::{SystemTime, UNIX_EPOCH};

use talktime_tests::environment::number;

/// What CI runs: each behaviour of the key-value store, twice.
const SEEDS: [u64; 6] = [1, 2, 3, 4, 5, 6];

/// Steps of a run: with [`SEEDS`], well within a minute on two cores.
const STEPS: u32 = 700;

#[test]
fn no_minute_is_lost_or_doubled_whatever_fails() {
    let steps = number("TALKTIME_STEPS").unwrap_or(STEPS);
    let one: Option<u64> = number("TALKTIME_SEED");
    let seeds: Vec<u64> = match (one, number::<u64>("TALKTIME_SEEDS")) {
        (Some(seed), _) => vec![seed],
        (None, Some(count)) => {
            let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
            let first = since_1970.expect("a clock").as_secs() * 1_000;
            (first..first + count).collect()
        }
        (None, None) => SEEDS.to_vec(),
    };
    for seed in seeds {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime");
        match runtime.block_on(run::run(seed, steps, one.is_some())) {
            Ok(tally) => println!("seed {seed}: {tally}"),
            Err(failure) => {
                panic!("{failure}\nagain: TALKTIME_SEED={seed} TALKTIME_STEPS={steps}")
            }
        }
    }
}

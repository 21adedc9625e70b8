//! A call ends when the minutes do: a thousand random stories of pages, plans, sweeps and hang-ups over a voice provider that
//! keeps books, on each kind of key-value store, in simulated time. Stores and provider fail, stall and lie, tasks crash at
//! any call, and at times no process of Talktime runs at all.
//!
//! **What must be so.** No two calls of a user are ever open that somebody can talk in. No call is left open, watched or kept
//! once things are quiet. A session whose call was never opened costs nothing. No error shows the key. And what the provider
//! gives is billed, but for the overshoot:
//!
//! - While the cron component runs each second, the stores do what they are asked and the provider hangs up when it is asked,
//!   a call is over within **one second and the time that the provider takes to hang up** of its session's end, whatever ended
//!   it, and whether or not any sweep comes by. Where the end is foreseen it takes no second, unless an earlier look put it off
//!   to a moment later. The stores' own time comes on top ([`STORES_MAX`]).
//! - Where the provider does not hang up, its call stays watched, with the next try half a minute away at most.
//! - Where a store failed, a process died or none ran, the clock of the first bound starts once things are well again and
//!   somebody is to look at the user: by the watch over calls, which has the end of the session or the next try, or by the
//!   user's alarm, whichever is first. The alarm is there for a process that died between the commit of an end and the watch.
//!
//! A call's seconds are counted from when the browser has the provider's answer: nobody can talk before.
//!
//! `TALKTIME_SEED=7` plays that story alone, on all stores, and tells it; `TALKTIME_SEEDS=10000` plays so many.

#![expect(
    clippy::expect_used,
    reason = "a test that cannot go on stops where it is"
)]

mod books;
mod pages;
mod provider;
mod story;
mod world;

use std::time::Duration;

use talktime_store::memory::Behaviour;
use world::World;

/// Stories of an ordinary run. Each is played on one kind of store, all kinds in turn.
const SEEDS: u64 = 1_000;

/// Threads that play them.
const THREADS: u64 = 2;

/// What the stores themselves take between a session's end and its call's: some calls, and the waits of writers that meet.
const STORES_MAX: Duration = Duration::from_millis(200);

/// Lines of the story that a failure tells.
const STORY_LINES: usize = 400;

type Checked = Result<(), String>;

/// Complains unless that is so.
macro_rules! ensure {
    ($condition:expr, $($complaint:tt)+) => {
        if !$condition {
            return Err(format!($($complaint)+));
        }
    };
}
use ensure;

#[test]
fn what_the_provider_gives_is_billed_and_no_call_outlives_its_session() {
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>());
    let number = |name| number(name).map(|number| number.expect("a number"));
    if let Some(seed) = number("TALKTIME_SEED") {
        for behaviour in Behaviour::ALL {
            let (told, outcome) = tell(seed, behaviour);
            println!("{told}");
            outcome.unwrap_or_else(|complaint| panic!("seed {seed} on {behaviour:?}: {complaint}"));
        }
        return;
    }
    let seeds = number("TALKTIME_SEEDS").unwrap_or(SEEDS);
    let failed = std::thread::scope(|scope| {
        let play = |first: u64| {
            let step = usize::try_from(THREADS).expect("small");
            scope.spawn(move || (first..seeds).step_by(step).find(|seed| is_broken(*seed)))
        };
        let threads: Vec<_> = (0..THREADS).map(play).collect();
        let failed = threads
            .into_iter()
            .filter_map(|thread| thread.join().expect("no panic"));
        failed.min()
    });
    if let Some(seed) = failed {
        let behaviour = behaviour_of(seed);
        let (told, outcome) = tell(seed, behaviour);
        panic!("seed {seed} on {behaviour:?}: {outcome:?}\n{told}");
    }
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let told = |seed| tell(seed, Behaviour::Sqlite).0;
    assert_eq!(told(7), told(7));
    assert_ne!(told(7), told(8));
}

fn is_broken(seed: u64) -> bool {
    World::new(seed, behaviour_of(seed)).play().is_err()
}

fn behaviour_of(seed: u64) -> Behaviour {
    Behaviour::ALL[usize::try_from(seed % 3).expect("small")]
}

/// Plays a story and tells its last lines.
fn tell(seed: u64, behaviour: Behaviour) -> (String, Checked) {
    let mut world = World::new(seed, behaviour);
    world.simulation.tell_story();
    let outcome = world.play();
    let mut lines = world.simulation.story();
    // The cron component reads them each second.
    lines.retain(|line| !(line.contains("read calls:") && line.ends_with(char::is_numeric)));
    let last = lines.len().saturating_sub(STORY_LINES);
    (lines[last..].join("\n"), outcome)
}

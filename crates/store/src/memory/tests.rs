//! A seeded simulation of the protocol over the real SQL: requests, tokens, calls, a billing provider's events and sweeps at
//! once on a few users, on each kind of key-value store, with calls that fail, are held up, land late, or are the last before
//! a crash, and clocks that are set. What was stored, what was told and what the ledger says must go together after each
//! round, and the books must balance in the end. `docs/proof.md` says more, and what it has caught.
//!
//! `TALKTIME_SEED=7` runs that seed alone, on all stores, and `TALKTIME_SEEDS=5000` so many.

mod acts;
mod billing;
mod checker;
mod ledger;
mod mints;
mod provider;
mod round;
mod workload;
mod world;

use std::num::NonZero;
use std::ops::Range;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use futures_executor::block_on;
use world::World;

use super::{Behaviour, MemoryDocuments};
use crate::documents::{DocumentKey, Documents};
use crate::testing::{simulation, user};

/// What an ordinary run of the tests plays on each kind of store: some seconds in all.
const SEEDS: u64 = 300;

/// Rounds of a run, each of several tasks at once.
const ROUNDS: u32 = 10;

/// Lines of the story that a failure tells.
const STORY_LINES: usize = 150;

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
fn every_minute_counts_once_whatever_fails_and_whoever_comes_between() {
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>());
    let number = |name| number(name).map(|number| number.expect("a number"));
    let seeds = match (number("TALKTIME_SEED"), number("TALKTIME_SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, seeds) => 0..seeds.unwrap_or(SEEDS),
    };
    if let Some((seed, behaviour, complaint)) = first_complaint(seeds) {
        let story = story(seed, behaviour);
        panic!("seed {seed} on {behaviour:?}: {complaint}\n{story}");
    }
}

/// Plays the seeds on all stores, on as many threads as run at once, and gives the complaint of the lowest seed that has one.
fn first_complaint(seeds: Range<u64>) -> Option<(u64, Behaviour, String)> {
    let next = AtomicU64::new(seeds.start);
    let first: Mutex<Option<(u64, Behaviour, String)>> = Mutex::new(None);
    let work = || {
        // Nobody begins a seed once a lower one has failed.
        while first.lock().expect("no panic").is_none() {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if !seeds.contains(&seed) {
                break;
            }
            for behaviour in Behaviour::ALL {
                let Err(complaint) = play(seed, behaviour) else {
                    continue;
                };
                let mut first = first.lock().expect("no panic");
                if first.as_ref().is_none_or(|(lowest, ..)| seed < *lowest) {
                    *first = Some((seed, behaviour, complaint));
                }
                break;
            }
        }
    };
    thread::scope(|threads| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            threads.spawn(work);
        }
    });
    first.into_inner().expect("no panic")
}

/// A run; an assertion of the product's own that fails is a complaint as well.
fn play(seed: u64, behaviour: Behaviour) -> Checked {
    let run = || World::new(seed, behaviour).play(ROUNDS);
    panic::catch_unwind(run).unwrap_or_else(|why| {
        let text = why.downcast_ref::<String>().cloned();
        let text = text.or_else(|| why.downcast_ref().map(|text: &&str| (*text).to_owned()));
        Err(format!("a panic: {}", text.unwrap_or_default()))
    })
}

/// The same run once more, told aloud.
fn story(seed: u64, behaviour: Behaviour) -> String {
    let mut world = World::new(seed, behaviour);
    world.simulation.tell_story();
    let again = panic::catch_unwind(AssertUnwindSafe(|| world.play(ROUNDS)));
    let lines = world.simulation.story();
    let last = lines.len().saturating_sub(STORY_LINES);
    format!("{}\n{again:?}", lines[last..].join("\n"))
}

#[test]
fn each_store_swaps_by_its_own_rules() {
    // What two readers see of a document that is there or not, what the first one writes, and who is stored.
    let check = |behaviour, before: Option<&[u8]>, first: &[u8], expected: &[u8]| {
        let documents = MemoryDocuments::new(simulation("2026-11-10T12:00:00Z", 1), behaviour);
        let ann = DocumentKey::from(&user("ann"));
        if let Some(before) = before {
            let document = before.to_vec();
            documents
                .documents
                .borrow_mut()
                .insert(ann.clone(), document);
        }
        block_on(async {
            let (_, one) = documents.claim(&ann).await.expect("read");
            let (_, two) = documents.claim(&ann).await.expect("read");
            // Neither is told what came of it.
            documents.swap(one, first).await.expect("no failure");
            documents.swap(two, b"second").await.expect("no failure");
        });
        let stored = &documents.documents.borrow()[&ann];
        assert_eq!(stored, expected, "{behaviour:?} after {before:?}");
    };
    for behaviour in Behaviour::ALL {
        check(behaviour, Some(b"old"), b"first", b"first");
    }
    check(Behaviour::Sqlite, None, b"first", b"second");
    check(Behaviour::Redis, None, b"first", b"first");
    check(Behaviour::Versioned, None, b"first", b"first");
    // The same bytes put back: only versions tell.
    check(Behaviour::Sqlite, Some(b"old"), b"old", b"second");
    check(Behaviour::Redis, Some(b"old"), b"old", b"old");
    check(Behaviour::Versioned, Some(b"old"), b"old", b"old");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed| {
        let mut world = World::new(seed, Behaviour::Sqlite);
        world.simulation.tell_story();
        world.play(ROUNDS).expect("no complaint");
        world.simulation.story()
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

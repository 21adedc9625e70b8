//! Random stories of calls: pages start, offer, talk, end, take over and vanish; plans change; processes crash between any
//! two calls to a store or the provider; the provider refuses, is slow, and loses its answers; the cron triggers stand still
//! for minutes. Whatever happens, a call ends when the minutes do.
//!
//! **What is allowed beyond the bill**: a call is hung up at the instant at which its session ends, or within the second
//! after it, and the provider takes its time to do it. Where something went wrong meanwhile (a crash, a store or a provider
//! that fails, no process that runs), it is the time until that is over, and then at most the longest that a look at the
//! user's calls may have been put off: by silence of three intervals, back-off, or the alarm of the sweep.
//!
//! `TALKTIME_SEED=7` runs that story alone, on each store, and tells it; `TALKTIME_SEEDS=10000` runs so many.

#![expect(clippy::expect_used, reason = "a test: its failure is the finding")]

#[path = "stories/checker.rs"]
mod checker;
#[path = "stories/provider.rs"]
mod provider;
#[path = "stories/world.rs"]
mod world;

use std::time::Duration;

use talktime_store::memory::Behaviour;
use world::{Act, World};

/// What an ordinary run of the tests plays on each kind of store: some seconds in all.
const SEEDS: u64 = 350;

const STEPS: u32 = 30;

const PLANS: [&str; 3] = ["free", "basic", "pro"];

/// Lines of the story that a failure tells.
const STORY_LINES: usize = 200;

#[test]
fn a_call_ends_when_the_minutes_do() {
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>());
    let number = |name| number(name).map(|number| number.expect("a number"));
    let seeds = match (number("TALKTIME_SEED"), number("TALKTIME_SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, seeds) => 0..seeds.unwrap_or(SEEDS),
    };
    for seed in seeds {
        for behaviour in Behaviour::ALL {
            if let Err(complaint) = play(seed, behaviour, false) {
                let story = play(seed, behaviour, true).expect_err("the same again");
                panic!("seed {seed} on {behaviour:?}: {complaint}\n{story}");
            }
        }
    }
}

fn play(seed: u64, behaviour: Behaviour, aloud: bool) -> Result<(), String> {
    let world = World::new(seed, behaviour);
    if aloud {
        world.simulation.tell_story();
    }
    let checked = tell(&world);
    if !aloud {
        return checked;
    }
    let lines = world.simulation.story();
    let last = lines.len().saturating_sub(STORY_LINES);
    checked.map_err(|complaint| format!("{}\n{complaint}", lines[last..].join("\n")))
}

fn tell(world: &World) -> Result<(), String> {
    let chance = &world.simulation.chance;
    // In half of the stories nothing goes wrong, and the strict bound holds.
    let is_calm = chance.percent(50);
    for _ in 0..STEPS {
        let count = chance.between(1, 3);
        let acts: Vec<(usize, Act)> = (0..count).map(|_| draw(world)).collect();
        let per_mille = if is_calm {
            0
        } else {
            *chance.pick(&[0, 20, 80])
        };
        world.at_once(&acts, per_mille);
        if !is_calm && chance.percent(15) {
            // No process of Talktime runs.
            world.is_up.set(false);
            world.pass(Duration::from_secs(chance.below(400)));
            world
                .troubles
                .borrow_mut()
                .push(talktime_store::Environment::now(world.simulation));
            world.is_up.set(true);
        }
        let span = *chance.pick(&[0, 1, 5, 45, 45, 200]);
        world.pass(Duration::from_millis(chance.below(span * 1_000 + 1)));
        checker::at_any_time(world)?;
    }
    // Everybody leaves, and things are quiet.
    for user in &world.users {
        user.alive.set(false);
    }
    world.pass(Duration::from_hours(2));
    checker::at_any_time(world)?;
    checker::in_the_end(world)
}

fn draw(world: &World) -> (usize, Act) {
    let chance = &world.simulation.chance;
    let number = usize::try_from(chance.below(world.users.len() as u64)).expect("an index");
    let user = &world.users[number];
    let act = match chance.below(100) {
        0..20 => Act::Start {
            takeover: chance.percent(50),
            awaits_call: chance.percent(85),
        },
        20..55 => Act::Offer,
        55..60 => Act::Heartbeat,
        60..75 => Act::End,
        75..80 => {
            // The page is closed, or loses its connection.
            user.alive.set(false);
            Act::Heartbeat
        }
        80..92 => {
            let plan: &&str = chance.pick(&PLANS);
            Act::Plan(plan)
        }
        92..96 => Act::Sweep,
        _ => Act::HangUps,
    };
    (number, act)
}

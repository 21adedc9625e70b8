//! The smallest inputs of faults that runs have found, each in many orders of its host calls.

use std::time::Duration;

use crate::action::{Act, Ask};
use crate::chance::Chance;
use crate::model::{Checked, User};
use crate::run::{Run, play};
use crate::world::World;

/// Orders that each input is tried in.
const ORDERS: u32 = 25;

const START: Act = Act::Start { takeover: false };

fn ask(act: Act) -> Ask {
    Ask { act, key: None }
}

/// A user that nobody has seen.
fn fresh(world: &mut World) -> usize {
    let index = world.users.len();
    world.users.push(User::new(format!("user-{}", index + 1)));
    index
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "a closure reads best as it is"
)]
fn in_many_orders(
    alarm_interval_seconds: &str,
    input: impl AsyncFn(&mut Run, &mut World) -> Checked,
) {
    for seed in 0..3 {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime");
        let steps = async |run: &mut Run, world: &mut World, _: &mut Chance| {
            for _ in 0..ORDERS {
                input(run, world).await?;
            }
            Ok(())
        };
        let played = runtime.block_on(play(seed, Some(alarm_interval_seconds), false, steps));
        if let Err(failure) = played {
            panic!("{failure}");
        }
    }
}

#[test]
fn a_request_and_its_retry_at_once_are_one() {
    in_many_orders("30", async |run, world| {
        let user = fresh(world);
        let key = Some("key-1".to_owned());
        let start = Ask { act: START, key };
        run.take(world, user, &[start.clone(), start.clone(), start], 0)
            .await
    });
}

#[test]
fn a_start_during_the_sweep_of_the_alarm_that_it_set_keeps_its_alarm() {
    in_many_orders("30", async |run, world| {
        let user = fresh(world);
        run.take(world, user, &[ask(START)], 0).await?;
        let session = world.users[user].newest(1).remove(0);
        let reason = "user_ended";
        let end = Act::End { session, reason };
        run.take(world, user, &[ask(end)], 0).await?;
        world.bench.advance(Duration::from_secs(31));
        run.take(world, user, &[ask(START), ask(Act::Cron)], 0)
            .await
    });
}

#[test]
fn a_sweep_does_not_take_another_writers_rows_for_written() {
    in_many_orders("30", async |run, world| {
        let user = fresh(world);
        run.take(world, user, &[ask(START)], 0).await?;
        world.bench.advance(Duration::from_secs(31));
        let session = world.users[user].newest(1).remove(0);
        let reason = "user_ended";
        let end = Act::End { session, reason };
        run.take(world, user, &[ask(end), ask(Act::Cron)], 60).await
    });
}

#[test]
fn the_sweep_of_a_user_who_is_being_created_keeps_the_alarm() {
    in_many_orders("1", async |run, world| {
        let user = fresh(world);
        // Slow calls take the start beyond the second after which its alarm is due.
        let sweep = || ask(Act::Cron);
        run.take(world, user, &[ask(START), sweep(), sweep()], 40)
            .await
    });
}

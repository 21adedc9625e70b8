//! The smallest inputs of faults that runs have found, each in many orders of its host calls.

use std::time::Duration;

use crate::checker::{Checked, User};
use crate::faults::FaultProfile;
use crate::prng::Prng;
use crate::run::{Run, play};
use crate::workload::{Invocation, Operation};
use crate::world::World;

/// Orders that each input is tried in.
const ORDERS: u32 = 15;

/// Nothing goes wrong.
const CALM: FaultProfile = FaultProfile {
    per_mille: 0,
    drag_millis: 0,
    broken: None,
    interleave: false,
};

const START: Operation = Operation::Start { takeover: false };

fn invocation(operation: Operation) -> Invocation {
    Invocation {
        operation,
        key: None,
    }
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
        let steps = async |run: &mut Run, world: &mut World, _: &mut Prng| {
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

/// Hangs up the user's last session.
fn hang_up(world: &World, user: usize) -> Invocation {
    invocation(Operation::End {
        session: world.users[user].newest(1).remove(0),
        reason: "user_ended",
    })
}

#[test]
fn a_request_and_its_retry_at_once_are_one() {
    in_many_orders("30", async |run, world| {
        let user = fresh(world);
        let key = Some("key-1".to_owned());
        let start = Invocation {
            operation: START,
            key,
        };
        run.take(world, user, &[start.clone(), start.clone(), start], CALM)
            .await
    });
}

#[test]
fn a_start_during_the_sweep_of_the_alarm_that_it_set_keeps_its_alarm() {
    in_many_orders("30", async |run, world| {
        let user = fresh(world);
        run.take(world, user, &[invocation(START)], CALM).await?;
        let end = hang_up(world, user);
        run.take(world, user, &[end], CALM).await?;
        world.bench.advance(Duration::from_secs(31));
        run.take(world, user, &[invocation(Operation::Cron)], CALM)
            .await?;
        // A start that failed leaves an alarm for which there is nothing to do.
        let profile = FaultProfile {
            broken: Some("KvSwap"),
            ..CALM
        };
        run.take(world, user, &[invocation(START)], profile).await?;
        world.bench.advance(Duration::from_secs(31));
        run.take(
            world,
            user,
            &[invocation(START), invocation(Operation::Cron)],
            CALM,
        )
        .await?;
        // Out of the way of the next one's sweep.
        let end = hang_up(world, user);
        run.take(world, user, &[end], CALM).await?;
        world.bench.advance(Duration::from_secs(31));
        run.take(world, user, &[invocation(Operation::Cron)], CALM)
            .await
    });
}

#[test]
fn a_sweep_does_not_take_another_writers_rows_for_written() {
    in_many_orders("30", async |run, world| {
        let user = fresh(world);
        run.take(world, user, &[invocation(START)], CALM).await?;
        world.bench.advance(Duration::from_secs(31));
        let end = hang_up(world, user);
        let profile = FaultProfile {
            broken: Some("SqlExecute INSERT INTO usage_"),
            ..CALM
        };
        run.take(world, user, &[end, invocation(Operation::Cron)], profile)
            .await
    });
}

#[test]
fn the_sweep_of_a_user_who_is_being_created_keeps_the_alarm() {
    in_many_orders("1", async |run, world| {
        let user = fresh(world);
        let profile = FaultProfile {
            drag_millis: 150,
            ..CALM
        };
        let sweep = || invocation(Operation::Cron);
        run.take(world, user, &[invocation(START), sweep(), sweep()], profile)
            .await
    });
}

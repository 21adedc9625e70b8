//! The end of a run: nothing fails any more and sweeps go on until nothing is due. Then the books must balance.

use std::collections::BTreeSet;
use std::time::Duration;

use talktime_host::rusqlite::Connection;

use crate::checker::{Checked, Span, User, ensure};
use crate::ledger;
use crate::world::World;

/// More sweeps than it takes: each session needs one every 30 seconds until it is stale, each period one at its end.
const SWEEPS_MAX: u32 = 3_000;

/// Sweeps until no alarm is left, in simulated time as long as it takes.
pub async fn drain(world: &mut World) -> Checked {
    for _ in 0..SWEEPS_MAX {
        let (next, count) = ledger::alarms(&world.bench.host.sqlite("default"));
        let Some(next) = next.filter(|_| count > 0) else {
            return Ok(());
        };
        let from = world.now();
        let wait = u64::try_from(next * 1_000 - from).unwrap_or(0);
        world.bench.advance(Duration::from_millis(wait));
        world.bench.try_tick().await?;
        let span = Span {
            from,
            to: world.now(),
        };
        observe_all(world, span)?;
    }
    Err(format!("alarms are left after {SWEEPS_MAX} sweeps"))
}

/// Takes in all users' states after a sweep, and checks each.
pub fn observe_all(world: &mut World, span: Span) -> Checked {
    let ledger = world.bench.host.sqlite("default");
    for index in 0..world.users.len() {
        let state = world.bench.state(&world.users[index].name);
        world.users[index].observe(state.as_ref(), span, &[])?;
        ledger::check(&ledger, &world.users[index])?;
        if let Some(state) = &state {
            ledger::check_alarm(&ledger, state, span.to)?;
        }
    }
    Ok(())
}

pub fn check(world: &World) -> Checked {
    let ledger = world.bench.host.sqlite("default");
    for user in &world.users {
        let name = &user.name;
        if let Some(state) = world.bench.state(name) {
            ensure!(
                state.session.is_none(),
                "{name} still has a session that runs"
            );
            ensure!(
                !state.period.recorded,
                "{name} still has a period to archive"
            );
        }
        books_balance(&ledger, user)?;
    }
    Ok(())
}

fn books_balance(ledger: &Connection, user: &User) -> Checked {
    let name = &user.name;
    let sessions = ledger::sessions(ledger, name);
    let in_ledger: BTreeSet<&str> = sessions.iter().map(|row| row.id.as_str()).collect();
    let known: BTreeSet<&str> = user.sessions.keys().map(String::as_str).collect();
    let missing: Vec<_> = known
        .difference(&in_ledger)
        .map(|id| user.label(id))
        .collect();
    ensure!(missing.is_empty(), "the ledger of {name} lacks {missing:?}");
    let open: Vec<_> = sessions
        .iter()
        .filter(|row| row.ended_at.is_none())
        .collect();
    ensure!(
        open.is_empty(),
        "the ledger of {name} has {} open sessions",
        open.len()
    );

    let periods = ledger::periods(ledger, name);
    let of_sessions: u32 = sessions.iter().map(|row| row.minutes).sum();
    let of_periods: u32 = periods.iter().map(|row| row.minutes).sum();
    ensure!(
        of_sessions == of_periods,
        "{name}: {of_sessions} minutes of sessions and {of_periods} of periods"
    );
    for period in &periods {
        let id = &period.id;
        ensure!(period.archived, "period {id} is not archived");
        let limit = user.limits.get(id).copied().unwrap_or(user.limit_ever);
        ensure!(
            period.minutes <= limit,
            "period {id}: {} of {limit} minutes",
            period.minutes
        );
        ensure!(
            period.limit <= user.limit_ever,
            "period {id} has a limit that nobody gave"
        );
    }
    for pair in periods.windows(2) {
        let (one, two) = (&pair[0], &pair[1]);
        ensure!(
            one.end <= two.start,
            "periods {} and {} overlap",
            one.id,
            two.id
        );
    }
    Ok(())
}

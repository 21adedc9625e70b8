//! The ledger's rows of a user, and what must be true of them: at any time they may lag and never lie, in the end they
//! balance.

use std::collections::{BTreeMap, BTreeSet};

use talktime_usage::{Minutes, SessionId};

use super::checker::User;
use super::world::{Clock, World};
use super::{Checked, ensure};

/// The longest that a running session can wait for its next sweep: that of a user whose sweeps fail, or a lease.
const BACK_OFF_SECONDS: i64 = 15 * 60;

fn numbers(row: &str) -> Vec<i64> {
    let columns = row.split('|').skip(1);
    columns.map(|text| text.parse().unwrap_or(-1)).collect()
}

fn id(row: &str) -> &str {
    row.split('|').next().unwrap_or_default()
}

fn sessions(world: &World, user: &User) -> Vec<String> {
    world.rows(&format!(
        "SELECT id, started_at, ended_at, minutes_used, end_reason FROM usage_sessions WHERE user_id = '{}'",
        user.id
    ))
}

/// Every row is of a session that was stored, and says of an end what the document says.
pub fn check(world: &World, user: &User) -> Checked {
    for row in sessions(world, user) {
        let known = user.sessions.iter();
        let known = known.map(|(id, session)| {
            let end = session.end.as_ref();
            let ended = end.map(|end| end.at.unix_seconds().to_string());
            // What a clock that was wrong has said of its start may stay.
            let start = session.started_at.unix_seconds();
            let started = match world.clock {
                Clock::Wrong => numbers(&row)[0],
                _ => start,
            };
            let minutes = end.map_or(0, |end| end.minutes.get());
            let reason = end.map_or("", |end| end.reason.as_str());
            format!(
                "{id}|{started}|{}|{minutes}|{reason}",
                ended.unwrap_or_default()
            )
        });
        let mut known = known.filter(|known| id(known) == id(&row));
        let Some(known) = known.next() else {
            return Err(format!("the ledger has a session that never was: {row}"));
        };
        let (told, stored) = (numbers(&row), numbers(&known));
        let is_open = told[1] == -1;
        ensure!(
            row == known || (is_open && told[0] <= stored[0]),
            "the ledger says {row}, the documents {known}"
        );
    }
    check_alarm(world, user)
}

/// A session that began while nothing went wrong is in the ledger at once, if it began.
pub fn has(world: &World, session: SessionId) -> Checked {
    let mut users = world.users.iter();
    if !users.any(|user| user.sessions.contains_key(&session)) {
        return Ok(());
    }
    let sql = format!("SELECT id FROM usage_sessions WHERE id = '{session}'");
    ensure!(
        !world.rows(&sql).is_empty(),
        "the ledger has not heard of {session}"
    );
    Ok(())
}

/// Whoever reads the ledger may do so at any instant. So it is watched from within, as far as its tables are there: each
/// change by which a row says less, or something else of what was final, is noted.
pub fn watch(world: &World) {
    const WATCH: &str = "
        CREATE TEMP TABLE IF NOT EXISTS undone (what TEXT);
        CREATE TEMP TRIGGER IF NOT EXISTS older_period AFTER UPDATE ON main.usage_periods
        WHEN NEW.version < OLD.version OR NEW.archived < OLD.archived
        OR (NEW.version = OLD.version AND NEW.minutes_used < OLD.minutes_used)
        BEGIN INSERT INTO undone VALUES ('the period ' || OLD.id || ' of version ' || OLD.version || ' with ' ||
        OLD.minutes_used || ' minutes became version ' || NEW.version || ' with ' || NEW.minutes_used); END;
        CREATE TEMP TRIGGER IF NOT EXISTS another_end AFTER UPDATE ON main.usage_sessions
        WHEN OLD.ended_at IS NOT NULL AND (NEW.ended_at IS NOT OLD.ended_at OR NEW.end_reason IS NOT OLD.end_reason
        OR NEW.minutes_used <> OLD.minutes_used)
        BEGIN INSERT INTO undone VALUES ('the end of the session ' || OLD.id); END;
        CREATE TEMP TRIGGER IF NOT EXISTS older_word AFTER UPDATE ON main.subscriptions
        WHEN NEW.last_micros < OLD.last_micros OR (NEW.last_micros = OLD.last_micros AND NEW.ended <> OLD.ended)
        OR (NEW.ended <> OLD.ended AND NEW.last_micros <= OLD.last_micros)
        BEGIN INSERT INTO undone VALUES ('the last word on ' || OLD.id); END;";
    // Before the tables are there nothing can be undone.
    let _ = world.ledger.sql.inner.connection.execute_batch(WATCH);
}

/// An end stays an end, and no period's row gives way to an older one.
pub fn undoes_nothing(world: &mut World) -> Checked {
    let undone = world.rows("SELECT what FROM temp.undone");
    ensure!(undone.is_empty(), "undone in the ledger: {undone:?}");
    let ends = "SELECT id, ended_at FROM usage_sessions WHERE ended_at IS NOT NULL";
    let rows = world.rows(&format!(
        "{ends} UNION ALL SELECT id, version FROM usage_periods"
    ));
    let said: BTreeMap<_, _> = rows
        .iter()
        .map(|row| (id(row).to_owned(), numbers(row)[0]))
        .collect();
    for (id, before) in &world.said {
        let now = said.get(id);
        ensure!(
            now.is_some_and(|now| now >= before),
            "the ledger said {before} of {id} and now {now:?}"
        );
    }
    world.said = said;
    Ok(())
}

/// A session that runs is looked after.
fn check_alarm(world: &World, user: &User) -> Checked {
    let Some(running) = user.running else {
        return Ok(());
    };
    let sql = format!("SELECT id, alarm_at FROM users WHERE id = '{}'", user.id);
    let alarm = world.rows(&sql).first().map(|row| numbers(row)[0]);
    let slack = match world.clock {
        Clock::Steady => 0,
        Clock::Corrected => 60,
        Clock::Wrong => 24 * 3_600,
    };
    let latest = world.now_seconds() + BACK_OFF_SECONDS + slack;
    ensure!(
        alarm.is_some_and(|at| (0..=latest).contains(&at)),
        "{running} runs and has no alarm soon: {alarm:?}"
    );
    Ok(())
}

/// When the next alarm can be claimed, in Unix seconds.
pub fn next_alarm(world: &World) -> Option<i64> {
    let rows =
        world.rows("SELECT MIN(MAX(alarm_at, lease_until)) FROM users WHERE alarm_at IS NOT NULL");
    rows.first()?.parse().ok()
}

/// Whose alarms can be claimed.
pub fn due(world: &World) -> Vec<String> {
    let now = world.now_seconds();
    world.rows(&format!(
        "SELECT id FROM users WHERE alarm_at <= {now} AND lease_until <= {now}"
    ))
}

/// Each minute of each session is in a period, and nothing else is.
pub fn books_balance(world: &World, user: &User) -> Checked {
    let name = &user.id;
    let sessions = sessions(world, user);
    let told: BTreeSet<&str> = sessions.iter().map(|row| id(row)).collect();
    for session in user.sessions.keys() {
        let known = told.contains(session.to_string().as_str());
        ensure!(known, "the ledger of {name} lacks {session}");
    }
    let open = sessions.iter().find(|row| numbers(row)[1] == -1);
    ensure!(
        open.is_none(),
        "the ledger of {name} has an open session: {open:?}"
    );

    let periods = world.rows(&format!(
        "SELECT id, period_start, period_end, minutes_used, minutes_limit, archived FROM usage_periods \
         WHERE user_id = '{name}' ORDER BY period_start"
    ));
    let of_sessions: i64 = sessions.iter().map(|row| numbers(row)[2]).sum();
    let of_periods: i64 = periods.iter().map(|row| numbers(row)[2]).sum();
    let of_documents = user
        .sessions
        .values()
        .filter_map(|session| session.end.as_ref());
    let of_documents: u32 = of_documents.map(|end| end.minutes.get()).sum();
    ensure!(
        of_sessions == of_periods && of_sessions == i64::from(of_documents),
        "{name}: {of_sessions} minutes of sessions, {of_periods} of periods, {of_documents} in the documents"
    );
    for row in &periods {
        let limit = user.limits.get(id(row)).copied();
        let limit = limit.or_else(|| user.limits.values().max().copied());
        let limit = i64::from(limit.unwrap_or(Minutes::ZERO).get());
        let numbers = numbers(row);
        ensure!(numbers[2] <= limit, "{row} has more than {limit} minutes");
        ensure!(numbers[4] == 1, "{row} is not archived");
    }
    for pair in periods.windows(2) {
        let (one, two) = (numbers(&pair[0]), numbers(&pair[1]));
        ensure!(
            one[1] <= two[0] || world.clock == Clock::Wrong,
            "{} and {} overlap",
            pair[0],
            pair[1]
        );
    }
    Ok(())
}

//! What operators look up: one user, and the whole at a glance.

use talktime_http::{Answer, Problem};
use talktime_spin::now;
use talktime_store::webhook_events;
use talktime_usage::{UserId, status};
use talktime_wire::internal::{OverviewAnswer, UserAnswer};
use talktime_wire::session::StatusAnswer;

use crate::{SpinUsers, answers};

/// How many unmapped webhook events are shown.
const UNMAPPED_SHOWN: u32 = 50;

/// `GET /api/internal/users/{id}`.
pub async fn user(users: &SpinUsers<'_>, id: &str) -> Result<Answer, Problem> {
    let user =
        UserId::parse(id).map_err(|error| Problem::invalid_field("id", error.to_string()))?;
    let Some(state) = users.read(&user).await? else {
        return Err(Problem::not_found());
    };
    let now = now();
    let sessions = users.ledger.sessions_of(&user, now).await?;
    let periods = users.ledger.periods_of(&user, now).await?;
    Answer::ok(&UserAnswer {
        status: StatusAnswer::new(&status(&user, Some(&state), now, users.policy), None),
        sessions: sessions.into_iter().map(answers::session).collect(),
        periods: periods.into_iter().map(answers::period).collect(),
    })
}

/// `GET /api/internal/overview`.
pub async fn overview(users: &SpinUsers<'_>) -> Result<Answer, Problem> {
    let (now, ledger) = (now(), users.ledger);
    Answer::ok(&OverviewAnswer {
        server_time: now.into(),
        active_sessions_total: ledger.count_running(now).await?,
        active_sessions: from_all(ledger.running_sessions(now).await?, answers::session),
        minutes_by_plan: from_all(ledger.minutes_by_plan(now).await?, answers::plan),
        ended_by_reason: from_all(ledger.ended_by_reason(now).await?, answers::reason),
        daily_minutes: from_all(ledger.minutes_by_day(now).await?, answers::day),
        unmapped_webhooks_total: webhook_events::count_unmapped(ledger, now).await?,
        unmapped_webhooks: from_all(
            webhook_events::unmapped(ledger, UNMAPPED_SHOWN, now).await?,
            answers::webhook_event,
        ),
        alarms: answers::alarms(ledger.alarms(now).await?),
        calls: answers::calls(users.call_watch().all().await?, now),
    })
}

fn from_all<T, U>(rows: Vec<T>, from: impl Fn(T) -> U) -> Vec<U> {
    rows.into_iter().map(from).collect()
}

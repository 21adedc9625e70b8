//! What the store has recorded, as the API tells it.

use std::cmp::Reverse;
use std::time::Duration;

use talktime_store::SweepReport;
use talktime_store::call_watch::Watched;
use talktime_store::report::{AlarmTally, PeriodRecord, SessionRecord, Tally};
use talktime_store::webhook_events::WebhookEvent;
use talktime_usage::{EventOutcome, Timestamp};
use talktime_wire::Rfc3339;
use talktime_wire::internal::{
    AlarmsAnswer, CallsAnswer, DayTally, FailingHangUp, PeriodAnswer, PlanTally, ReasonTally,
    SessionAnswer, SweepAnswer, WebhookEventAnswer,
};
use talktime_wire::webhook::WebhookOutcome;

pub fn sweep(report: SweepReport) -> SweepAnswer {
    SweepAnswer {
        due: report.due,
        swept: report.swept,
        ended: report.ended,
        archived: report.archived,
        failed: report.failed,
        pruned: report.pruned,
        remaining: report.remaining,
    }
}

pub fn session(row: SessionRecord) -> SessionAnswer {
    SessionAnswer {
        user_id: row.user,
        session_id: row.id,
        started_at: row.started_at.into(),
        ended_at: row.ended_at.map(Rfc3339::from),
        minutes_used: row.minutes_used,
        topic: row.topic,
        difficulty: row.difficulty,
        end_reason: row.end_reason,
    }
}

pub fn period(row: PeriodRecord) -> PeriodAnswer {
    PeriodAnswer {
        period_start: row.start.into(),
        period_end: row.end.into(),
        plan: row.plan,
        minutes_used: row.minutes_used,
        minutes_limit: row.minutes_limit,
        synced_at: row.synced_at.into(),
        archived: row.archived,
    }
}

pub fn plan(tally: Tally) -> PlanTally {
    PlanTally {
        plan: tally.name,
        users: tally.count,
        minutes_used: tally.minutes,
    }
}

pub fn reason(tally: Tally) -> ReasonTally {
    ReasonTally {
        reason: tally.name,
        sessions: tally.count,
        minutes: tally.minutes,
    }
}

pub fn day(tally: Tally) -> DayTally {
    DayTally {
        day: tally.name,
        minutes: tally.minutes,
    }
}

pub fn webhook_event(event: WebhookEvent) -> WebhookEventAnswer {
    WebhookEventAnswer {
        id: event.id,
        kind: event.kind,
        received_at: event.received_at.into(),
        outcome: outcome(event.outcome),
        detail: event.detail,
    }
}

pub fn alarms(tally: AlarmTally) -> AlarmsAnswer {
    AlarmsAnswer {
        due: tally.due,
        failing: tally.failing,
        oldest_due_seconds: tally.oldest_due.as_secs(),
    }
}

fn outcome(outcome: EventOutcome) -> WebhookOutcome {
    match outcome {
        EventOutcome::Applied => WebhookOutcome::Applied,
        EventOutcome::Outdated => WebhookOutcome::Outdated,
        EventOutcome::Ignored => WebhookOutcome::Ignored,
        EventOutcome::Unmapped => WebhookOutcome::Unmapped,
        EventOutcome::UnknownProduct => WebhookOutcome::UnknownProduct,
        EventOutcome::Failed => WebhookOutcome::Failed,
    }
}

/// How many users are shown whose calls could not be hung up.
const FAILING_SHOWN: usize = 50;

/// How late a look may be: whoever looks has the user for about as long.
const OVERDUE_AFTER: Duration = Duration::from_secs(10);

pub fn calls(watched: Vec<Watched>, now: Timestamp) -> CallsAnswer {
    let is_overdue = |watched: &&Watched| now.since(watched.look.at) > OVERDUE_AFTER;
    let overdue = watched.iter().filter(is_overdue).count() as u64;
    let all = watched.len() as u64;
    let mut failing = watched;
    // The first try may be going on just now.
    failing.retain(|watched| watched.look.tries > 1);
    failing.sort_by_key(|watched| Reverse(watched.look.tries));
    failing.truncate(FAILING_SHOWN);
    CallsAnswer {
        watched: all,
        overdue,
        failing: failing
            .into_iter()
            .map(|Watched { user, look }| FailingHangUp {
                user_id: user.to_string(),
                tries: look.tries,
                next_try_at: look.at.into(),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_outcome_has_one_name_on_the_wire_and_in_the_ledger() {
        for recorded in EventOutcome::ALL {
            assert_eq!(json!(outcome(recorded)), json!(recorded.as_str()));
        }
    }
}

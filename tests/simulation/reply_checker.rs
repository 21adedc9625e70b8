//! What clients are told, compared with what the states showed: a 200 is true, a refusal has its reason, and nothing fails
//! where nothing was made to fail.

use serde_json::Value;
use talktime_tests::Answer;
use talktime_usage::Timestamp;

use crate::checker::{Checked, Span, User, ensure};
use crate::workload::{Invocation, Operation};
use crate::world::Done;

/// How long the creation of a user can keep others waiting: the lease of whoever died over it.
const CREATION_MILLIS: i64 = 11_000;

/// The answers that a state keeps for retries, less those that one step of several requests may add.
const ANSWERS_KEPT: usize = 8 - 4;

/// A 5xx is fine where something went wrong on purpose, or where others were in the way.
pub fn check_failure(user: &mut User, answer: &Answer, done: &Done, alone: bool) -> Checked {
    if done.faults > 0 || !alone {
        user.failed_creation = Some(done.span.to);
        return Ok(());
    }
    // After a long wait nobody tries for two seconds.
    let locked = done
        .held_up
        .is_some_and(|held_up| done.span.from - held_up <= 2_000);
    let being_created = user
        .failed_creation
        .is_some_and(|failed| done.span.from - failed <= CREATION_MILLIS);
    ensure!(
        answer.status == 503 && (locked || !user.exists() && being_created),
        "{} failed though nothing else did: {}",
        user.name,
        answer.body
    );
    Ok(())
}

pub fn check_refusal(
    user: &User,
    invocation: &Invocation,
    answer: &Answer,
    alone: bool,
) -> Checked {
    let body = answer.json();
    match (answer.status.as_u16(), &invocation.operation) {
        (409, Operation::Start { .. }) => {
            let session = body["sessionId"].as_str().unwrap_or_default();
            ensure!(
                user.sessions.contains_key(session),
                "a start was refused for a session that never was"
            );
            ensure!(
                !alone || user.running.as_deref() == Some(session),
                "another session runs than is said"
            );
        }
        (403, Operation::Start { .. }) => {}
        (404, Operation::Heartbeat { session } | Operation::End { session, .. }) => {
            ensure!(
                user.running.as_ref() != Some(session),
                "{} is running and not found",
                user.label(session)
            );
            // The last few are remembered, and a start or two within the step may have pushed out one or two.
            let recent = user.newest(1).contains(session);
            ensure!(
                !recent || !alone,
                "{} is the last and not found",
                user.label(session)
            );
        }
        _ => return Err(format!("an odd refusal: {}", answer.body)),
    }
    Ok(())
}

/// A retry with the same key gets the first answer. Whether this is one.
pub fn check_repeat(
    user: &mut User,
    invocation: &Invocation,
    body: &Value,
) -> Result<bool, String> {
    let Some(key) = &invocation.key else {
        return Ok(false);
    };
    let issued = user.issued;
    let Some(keyed) = user
        .keyed
        .iter_mut()
        .find(|keyed| keyed.invocation.key.as_ref() == Some(key))
    else {
        return Ok(true);
    };
    // A heartbeat is answered anew each time: what it said is not true for long.
    let told = !matches!(
        invocation.operation,
        Operation::Heartbeat { .. } | Operation::Plan { .. }
    );
    let is_kept = issued - keyed.number <= ANSWERS_KEPT;
    let before = keyed.answered.take();
    if !is_kept && before.as_ref() != Some(body) {
        // Carried out anew. An answer that is given again grows no younger.
        keyed.number = issued;
    }
    let first = before.filter(|_| is_kept).unwrap_or_else(|| body.clone());
    ensure!(
        !told || first == *body,
        "{key} was first answered {first} and now {body}"
    );
    keyed.answered = told.then_some(first);
    let again = keyed.times > 1;
    Ok(again)
}

pub fn check_reply(
    user: &mut User,
    invocation: &Invocation,
    body: &Value,
    span: Span,
    again: bool,
) -> Checked {
    // Not of a session: that may have minutes of two periods.
    for minutes in ["totalMinutesUsed", "minutesRemaining"] {
        let told = body[minutes].as_u64().unwrap_or(0);
        ensure!(
            told <= u64::from(user.limit_ever),
            "{minutes} is {told}, over any limit"
        );
    }
    match &invocation.operation {
        Operation::Start { .. } => {
            let id = body["sessionId"].as_str().unwrap_or_default();
            ensure!(
                user.sessions.contains_key(id),
                "a start was told {id}, which never was"
            );
        }
        Operation::Heartbeat { session } if body["ended"].is_null() => {
            ensure!(
                user.sessions.contains_key(session),
                "a heartbeat of a session that never was"
            );
            if !again {
                user.heard(session, span);
            }
        }
        Operation::Heartbeat { session } => check_end(user, session, &body["ended"])?,
        Operation::End { session, .. } => {
            check_end(user, session, body)?;
            let known = user.sessions.get_mut(session).expect("checked");
            let first = known.reported_end.get_or_insert_with(|| body.clone());
            ensure!(
                first == body,
                "#{} was ended with {first} and now {body}",
                known.label
            );
        }
        Operation::Status => {
            let active = body["activeSession"]["sessionId"].as_str();
            let known = active.is_none_or(|id| user.sessions.contains_key(id));
            ensure!(known, "the status shows a session that never was");
        }
        Operation::Plan { body: asked, .. } => {
            // The most that there is, from now on, and not older than what is known.
            let surely = asked["plan"] == "pro"
                && asked["action"] != "cancel"
                && asked["occurredAt"].is_null();
            ensure!(
                !surely || again || body["status"]["plan"] == "pro" || user.issued_together,
                "pro was granted and is not there"
            );
        }
        Operation::Cron | Operation::Sweep => {}
    }
    Ok(())
}

fn check_end(user: &User, session: &str, told: &Value) -> Checked {
    let end = user
        .sessions
        .get(session)
        .and_then(|known| known.end.as_ref());
    let label = user.label(session);
    let Some(end) = end else {
        return Err(format!("{label} is said to have ended and has not"));
    };
    let at = Timestamp::from_unix_millis(end.at).to_rfc3339();
    ensure!(
        told["endReason"] == end.reason
            && told["sessionMinutes"] == end.minutes
            && told["endedAt"] == at.as_str(),
        "{label} is said to have ended so: {told}, and did so: {end:?}"
    );
    Ok(())
}

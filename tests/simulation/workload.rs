//! What clients, the billing side and schedulers do, and the requests that it takes.

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use talktime_tests::bench::{keyed, request};
use talktime_usage::Timestamp;

use crate::checker::User;
use crate::prng::Prng;

/// One thing that somebody does.
#[derive(Clone, Debug)]
pub enum Operation {
    Start {
        takeover: bool,
    },
    Heartbeat {
        session: String,
    },
    End {
        session: String,
        reason: &'static str,
    },
    Status,
    Plan {
        body: Value,
        minutes: u32,
    },
    Cron,
    Sweep,
}

/// The same with the key by which a retry is known.
#[derive(Clone, Debug)]
pub struct Invocation {
    pub operation: Operation,
    pub key: Option<String>,
}

impl Invocation {
    /// The request; none for a tick of the cron trigger.
    pub fn request(&self, user: &str) -> Option<Request<Bytes>> {
        let post = |path: &str, body: &Value| request("POST", path, Some(user), Some(body));
        let mut request = match &self.operation {
            Operation::Start { takeover } => {
                post("/api/session/start", &json!({"takeover": takeover}))
            }
            Operation::Heartbeat { session } => {
                post("/api/session/heartbeat", &json!({"sessionId": session}))
            }
            Operation::End { session, reason } => post(
                "/api/session/end",
                &json!({"sessionId": session, "reason": reason}),
            ),
            Operation::Status => request("GET", "/api/session/status", Some(user), None),
            Operation::Plan { body, .. } => post("/api/internal/update-plan", body),
            Operation::Sweep => request("POST", "/api/internal/alarm", None, Some(&json!({}))),
            Operation::Cron => return None,
        };
        if let Some(key) = &self.key {
            request = keyed(request, key);
        }
        Some(request)
    }

    pub fn sweeps(&self) -> bool {
        matches!(self.operation, Operation::Cron | Operation::Sweep)
    }
}

/// What a client of that user may do next.
pub fn of_client(user: &mut User, prng: &mut Prng, now: i64) -> Invocation {
    // A client that got a 5xx, or no answer at all, tries again with the same key.
    if prng.percent(15) && !user.keyed.is_empty() {
        let index = usize::try_from(prng.below(user.keyed.len() as u64)).expect("an index");
        return user.keyed[index].invocation.clone();
    }
    let known = |session: Option<&String>, prng: &mut Prng| {
        let newest = user.newest(6);
        session
            .filter(|_| prng.percent(80))
            .cloned()
            .or_else(|| (!newest.is_empty()).then(|| prng.pick(&newest).clone()))
    };
    let wanted = prng.below(100);
    let operation = match (wanted, known(user.running.as_ref(), prng)) {
        (0..30, _) | (30..75, None) => Operation::Start {
            takeover: prng.percent(40),
        },
        (30..52, Some(session)) => Operation::Heartbeat { session },
        (52..75, Some(session)) => Operation::End {
            session,
            reason: prng.pick::<&str>(&["user_ended", "error", "timeout"]),
        },
        (75..82, _) => Operation::Status,
        _ => plan(user, prng, now),
    };
    let keyed = prng.percent(35) && !matches!(operation, Operation::Status);
    let key = keyed.then(|| user.next_key());
    Invocation { operation, key }
}

/// News of a plan: a manual grant, or a subscription with its own period, on time or late.
fn plan(user: &mut User, prng: &mut Prng, now: i64) -> Operation {
    let (plan, minutes) = *prng.pick(&[("free", 10), ("basic", 100), ("pro", 500)]);
    let action = *prng.pick(&["upgrade", "upgrade", "downgrade", "cancel"]);
    let mut body = json!({"userId": user.name, "plan": plan, "action": action});
    if prng.percent(20) {
        body["resetUsage"] = true.into();
    }
    if prng.percent(50) {
        // His own: news of another's would take that one's plan away.
        body["subscriptionId"] = format!("sub_{}_{}", user.name, prng.below(3)).into();
        if prng.percent(50) {
            let day = 86_400_000;
            let start = now - i64::try_from(prng.below(40)).expect("small") * day;
            let days = *prng.pick(&[1, 7, 30, 31]);
            body["periodStart"] = rfc3339(start).into();
            body["periodEnd"] = rfc3339(start + days * day).into();
        }
        if prng.percent(50) {
            let late = i64::try_from(prng.below(120_000)).expect("small");
            body["occurredAt"] = rfc3339(now - late).into();
            body["eventId"] = user.next_key().into();
        }
    }
    Operation::Plan { body, minutes }
}

fn rfc3339(millis: i64) -> String {
    Timestamp::from_unix_millis(millis).to_rfc3339()
}

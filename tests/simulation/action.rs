//! What clients, the billing side and schedulers do, and the requests that it takes.

use bytes::Bytes;
use http::{HeaderValue, Request};
use serde_json::{Value, json};
use talktime_tests::bench::request;
use talktime_usage::Instant;

use crate::chance::Chance;
use crate::model::User;

/// One thing that somebody does.
#[derive(Clone, Debug)]
pub enum Act {
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
pub struct Ask {
    pub act: Act,
    pub key: Option<String>,
}

impl Ask {
    /// The request; none for a tick of the cron trigger.
    pub fn request(&self, user: &str) -> Option<Request<Bytes>> {
        let post = |path: &str, body: &Value| request("POST", path, Some(user), Some(body));
        let mut request = match &self.act {
            Act::Start { takeover } => post("/api/session/start", &json!({"takeover": takeover})),
            Act::Heartbeat { session } => {
                post("/api/session/heartbeat", &json!({"sessionId": session}))
            }
            Act::End { session, reason } => post(
                "/api/session/end",
                &json!({"sessionId": session, "reason": reason}),
            ),
            Act::Status => request("GET", "/api/session/status", Some(user), None),
            Act::Plan { body, .. } => post("/api/internal/update-plan", body),
            Act::Sweep => request("POST", "/api/internal/alarm", None, Some(&json!({}))),
            Act::Cron => return None,
        };
        if let Some(key) = &self.key {
            let key = HeaderValue::from_str(key).expect("a key is plain");
            request.headers_mut().insert("idempotency-key", key);
        }
        Some(request)
    }

    pub fn sweeps(&self) -> bool {
        matches!(self.act, Act::Cron | Act::Sweep)
    }
}

/// What a client of that user may do next.
pub fn of_client(user: &mut User, chance: &mut Chance, now: i64) -> Ask {
    // A client that got a 5xx, or no answer at all, tries again with the same key.
    if chance.percent(15) && !user.keyed.is_empty() {
        let index = usize::try_from(chance.below(user.keyed.len() as u64)).expect("an index");
        return user.keyed[index].ask.clone();
    }
    let known = |session: Option<&String>, chance: &mut Chance| {
        let newest = user.newest(6);
        session
            .filter(|_| chance.percent(80))
            .cloned()
            .or_else(|| (!newest.is_empty()).then(|| chance.pick(&newest).clone()))
    };
    let wanted = chance.below(100);
    let act = match (wanted, known(user.running.as_ref(), chance)) {
        (0..30, _) | (30..75, None) => Act::Start {
            takeover: chance.percent(40),
        },
        (30..52, Some(session)) => Act::Heartbeat { session },
        (52..75, Some(session)) => Act::End {
            session,
            reason: chance.pick::<&str>(&["user_ended", "error", "timeout"]),
        },
        (75..82, _) => Act::Status,
        _ => plan(user, chance, now),
    };
    let keyed = chance.percent(35) && !matches!(act, Act::Status);
    let key = keyed.then(|| user.next_key());
    Ask { act, key }
}

/// News of a plan: a manual grant, or a subscription with its own period, on time or late.
fn plan(user: &mut User, chance: &mut Chance, now: i64) -> Act {
    let (plan, minutes) = *chance.pick(&[("free", 10), ("basic", 100), ("pro", 500)]);
    let action = *chance.pick(&["upgrade", "upgrade", "downgrade", "cancel"]);
    let mut body = json!({"userId": user.name, "plan": plan, "action": action});
    if chance.percent(20) {
        body["resetUsage"] = true.into();
    }
    if chance.percent(50) {
        // His own: news of another's would take that one's plan away.
        body["subscriptionId"] = format!("sub_{}_{}", user.name, chance.below(3)).into();
        if chance.percent(50) {
            let day = 86_400_000;
            let start = now - i64::try_from(chance.below(40)).expect("small") * day;
            let days = *chance.pick(&[1, 7, 30, 31]);
            body["periodStart"] = rfc3339(start).into();
            body["periodEnd"] = rfc3339(start + days * day).into();
        }
        if chance.percent(50) {
            let late = i64::try_from(chance.below(120_000)).expect("small");
            body["occurredAt"] = rfc3339(now - late).into();
            body["eventId"] = user.next_key().into();
        }
    }
    Act::Plan { body, minutes }
}

fn rfc3339(millis: i64) -> String {
    Instant::from_unix_millis(millis).to_rfc3339()
}

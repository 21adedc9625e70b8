//! An account at the billing provider, and a user here who is told of it.

use serde_json::{Value, json};
use talktime_polar::decision::{Action, Arrival, Rules, decide};
use talktime_polar::event::Event;
use talktime_polar::products::{PastDue, Products};
use talktime_usage::{
    Command, Context, EndReason, Policy, Repeat, SessionId, SessionStart, State, Step, Timestamp,
    UserId, WriteId, status, step,
};
use talktime_webhook::Delivery;
use uuid::Uuid;

pub const PRO: &str = "9d0d0000-0000-4000-8000-000000000003";
pub const BASIC: &str = "9d0d0000-0000-4000-8000-000000000005";
const SUBSCRIPTION: &str = "50b00000-0000-4000-8000-000000000001";

/// An event on its way.
#[derive(Clone, Debug)]
pub struct Sent {
    id: String,
    at: Timestamp,
    body: Value,
}

impl Sent {
    fn new(body: Value) -> Self {
        let text = |field: &str| body[field].as_str().expect("a text").to_owned();
        Self {
            // Not in the order of time, so that nothing leans on it.
            id: format!("{}@{}", text("type"), text("timestamp"))
                .chars()
                .rev()
                .filter(|c| *c != '.')
                .collect(),
            at: at(&text("timestamp")),
            body,
        }
    }
}

/// How a user stands.
#[derive(Debug, PartialEq)]
pub struct Standing {
    pub plan: String,
    pub start: String,
    pub end: String,
    pub minutes_used: u32,
}

pub fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).expect("a time")
}

fn fixture(name: &str) -> Value {
    let path = format!("{}/tests/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect(&path);
    serde_json::from_str(&text).expect("JSON")
}

/// Those fixtures.
pub fn sent(names: &[&str]) -> Vec<Sent> {
    names.iter().map(|name| Sent::new(fixture(name))).collect()
}

/// A fixture as another event at another time, with some fields of its data replaced.
pub fn with(name: &str, kind: &str, timestamp: &str, fields: &Value) -> Sent {
    let mut body = fixture(name);
    body["type"] = json!(format!("subscription.{kind}"));
    body["timestamp"] = json!(timestamp);
    let data = body["data"].as_object_mut().expect("an object");
    data.extend(fields.as_object().expect("an object").clone());
    Sent::new(body)
}

/// The event as one of another subscription.
pub fn of_subscription(id: &str, event: &Sent) -> Sent {
    let mut body = event.body.clone();
    body["data"]["id"] = json!(id);
    Sent::new(body)
}

/// The customer's state, with these subscriptions to the product `PRO` active.
pub fn listed(timestamp: &str, active: &[(&str, (&str, &str))]) -> Sent {
    let mut body = fixture("customer.state_changed");
    let template = body["data"]["active_subscriptions"][0].clone();
    let listed = active.iter().map(|(id, (start, end))| {
        let mut entry = template.clone();
        entry["id"] = json!(id);
        entry["current_period_start"] = json!(start);
        entry["current_period_end"] = json!(end);
        entry
    });
    body["data"]["active_subscriptions"] = listed.collect();
    body["timestamp"] = json!(timestamp);
    Sent::new(body)
}

/// The events reversed, repeated and shuffled, each with a name.
pub fn orders(events: &[Sent]) -> Vec<(String, Vec<Sent>)> {
    let reversed: Vec<Sent> = events.iter().rev().cloned().collect();
    let all = |events: &[Sent], copies| {
        std::iter::repeat_n(events, copies)
            .collect::<Vec<_>>()
            .concat()
    };
    let each = |copies| -> Vec<Sent> {
        events
            .iter()
            .flat_map(|event| std::iter::repeat_n(event.clone(), copies))
            .collect()
    };
    let mut orders = vec![
        ("reversed".to_owned(), reversed.clone()),
        ("each twice".to_owned(), each(2)),
        ("each five times".to_owned(), each(5)),
        ("all five times".to_owned(), all(events, 5)),
        ("reversed five times".to_owned(), all(&reversed, 5)),
    ];
    for seed in 1..60 {
        let mut random = Random(seed);
        let mut shuffled = all(events, 2);
        for last in (1..shuffled.len()).rev() {
            let other = random.below(last as u64 + 1);
            shuffled.swap(last, usize::try_from(other).expect("small"));
        }
        orders.push((format!("shuffled with seed {seed}"), shuffled));
    }
    orders
}

/// A generator that gives the same numbers everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// A user who has talked for a few minutes before anything is bought.
pub struct Account {
    policy: Policy,
    products: Products,
    past_due: PastDue,
    user: UserId,
}

impl Default for Account {
    fn default() -> Self {
        let policy = Policy::default();
        let json = json!({PRO: "pro", BASIC: "basic"}).to_string();
        Self {
            products: Products::parse(&json, &policy.catalogue).expect("valid"),
            policy,
            past_due: PastDue::Keep,
            user: UserId::parse("user_42").expect("an id"),
        }
    }
}

impl Account {
    /// Where an overdue payment ends the plan.
    pub fn ending_past_due() -> Self {
        Self {
            past_due: PastDue::End,
            ..Self::default()
        }
    }

    /// Tells the events one after the other at one instant.
    pub fn told_at(&self, events: &[Sent], now: Timestamp) -> Option<State> {
        let mut state = self.talked();
        for event in events {
            self.tell(&mut state, event, now);
        }
        state
    }

    /// Tells each event when it happens, or with a seed other than 0 up to days later, but before `end`.
    pub fn told_live(&self, events: &[Sent], end: Timestamp, seed: u64) -> Option<State> {
        let mut random = Random(seed);
        let mut arrivals: Vec<(Timestamp, &Sent)> = events
            .iter()
            .map(|event| {
                let most = end.unix_millis() - event.at.unix_millis();
                let late = match seed {
                    0 => 1_000,
                    _ => random.below(most.unsigned_abs()).cast_signed(),
                };
                (
                    Timestamp::from_unix_millis(event.at.unix_millis() + late),
                    event,
                )
            })
            .collect();
        arrivals.sort_by_key(|(arrival, _)| *arrival);
        let mut state = self.talked();
        for (arrival, event) in arrivals {
            self.tell(&mut state, event, arrival);
        }
        state
    }

    /// How the user stands.
    pub fn standing(&self, state: Option<&State>, now: Timestamp) -> Standing {
        let status = status(&self.user, state, now, &self.policy);
        Standing {
            plan: status.plan.to_string(),
            start: status.period.start().to_rfc3339(),
            end: status.period.end().to_rfc3339(),
            minutes_used: status.minutes_used.get(),
        }
    }

    /// Three minutes on the morning before the first event.
    fn talked(&self) -> Option<State> {
        let mut state = None;
        let session = SessionId::new(Uuid::from_u128(1));
        let start = Command::Start(SessionStart {
            session,
            topic: None,
            difficulty: None,
            takeover: false,
            awaits_call: false,
        });
        self.apply(&mut state, &start, "start", at("2026-10-01T08:00:00Z"));
        let reason = EndReason::UserEnded;
        let end = Command::End { session, reason };
        self.apply(&mut state, &end, "end", at("2026-10-01T08:02:30Z"));
        state
    }

    fn tell(&self, state: &mut Option<State>, event: &Sent, now: Timestamp) {
        let parsed = Event::parse(event.body.to_string().as_bytes()).expect("an event");
        let delivery = Delivery {
            id: &event.id,
            sent_at_seconds: now.unix_seconds(),
        };
        let rules = Rules {
            catalogue: &self.policy.catalogue,
            products: &self.products,
            past_due: self.past_due,
        };
        let arrival = Arrival {
            delivery,
            at: now,
            known: &[],
        };
        if let Action::Apply(news) = decide(&parsed, arrival, rules).action {
            assert_eq!(news.user, self.user);
            let mark = format!(
                "{:x}",
                event
                    .id
                    .bytes()
                    .fold(7_u64, |hash, byte| hash.wrapping_mul(31) ^ u64::from(byte))
            );
            self.apply(state, &news.command, &mark, now);
        }
    }

    fn apply(&self, state: &mut Option<State>, command: &Command, mark: &str, now: Timestamp) {
        let write = WriteId::parse(mark).expect("a mark");
        let repeat = Repeat {
            id: write.clone(),
            fingerprint: None,
        };
        let context = Context {
            user: &self.user,
            now,
            policy: &self.policy,
            write: &write,
            repeat: Some(&repeat),
            written_through: None,
        };
        let done = step(state.as_ref(), command, &context).expect("not refused");
        if let Step::Changed { next, .. } = done {
            *state = Some(*next);
        }
    }
}

/// The fixtures tell of this subscription.
#[test]
fn the_fixtures_are_of_one_account() {
    for event in sent(&[
        "subscription.active",
        "subscription.cycled",
        "subscription.revoked",
    ]) {
        assert_eq!(event.body["data"]["id"], json!(SUBSCRIPTION));
    }
}

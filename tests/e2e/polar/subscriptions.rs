//! What a real account at the billing provider sends over its life, in order and in every disorder: the plan, the period
//! and the usage in the end are the same. Of who is on free again, the period's end is: the calendar's.

use std::sync::Arc;

use serde_json::{Value, json};
use talktime_tests::bench::{KV_BEHAVIOURS, millis};
use talktime_tests::webhooks::{BASIC, fixture, of_user, setup};
use talktime_tests::{Bench, Setup};
use tokio::task::JoinSet;

const OCTOBER: (&str, &str) = ("2026-10-01T09:00:00Z", "2026-11-01T09:00:00Z");
const NOVEMBER: (&str, &str) = ("2026-11-01T09:00:00Z", "2026-12-01T09:00:00Z");
const AFTER_PAUSE: (&str, &str) = ("2026-11-20T12:00:00Z", "2026-12-20T12:00:00Z");
const NEWEST: (&str, &str) = ("2026-10-11T10:00:00Z", "2026-11-11T10:00:00Z");

/// How a user stands once all is told.
#[derive(Clone, Copy)]
struct Expected {
    at: Text,
    plan: Text,
    /// The paid period, with nothing used: the user talked on the morning before the first event. `None` on free.
    period: Option<(Text, Text)>,
}

type Text = &'static str;

const fn paid(at: Text, plan: Text, period: (Text, Text)) -> Expected {
    Expected {
        at,
        plan,
        period: Some(period),
    }
}

const fn free(at: Text) -> Expected {
    Expected {
        at,
        plan: "free",
        period: None,
    }
}

/// Fixtures by name.
fn sent(names: &[&str]) -> Vec<Value> {
    names.iter().map(|name| fixture(name)).collect()
}

/// A fixture as another event at another time, with some fields of its data replaced.
fn with(name: &str, kind: &str, timestamp: &str, fields: &Value) -> Value {
    let mut body = fixture(name);
    body["type"] = json!(format!("subscription.{kind}"));
    body["timestamp"] = json!(timestamp);
    let data = body["data"].as_object_mut().expect("an object");
    data.extend(fields.as_object().expect("an object").clone());
    body
}

/// The customer's state, with these subscriptions active.
fn listed(timestamp: &str, active: &[(&str, (&str, &str))]) -> Value {
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
    body
}

/// One user to whom the events are told, some of them at once.
struct Told<'a> {
    bench: &'a Arc<Bench>,
    user: String,
    events: &'a [Value],
}

impl Told<'_> {
    /// Three minutes on the morning before anything is bought.
    async fn talk(&self) {
        self.bench.set("2026-10-01T08:00:00Z");
        let session = self.bench.start(&self.user).await;
        self.bench.talk(&self.user, &session, 150).await;
        let _ = self.bench.end(&self.user, &session).await.ok();
    }

    /// Tells those events at once. One at most of several copies is news.
    async fn tell(&self, indices: &[usize]) {
        let mut deliveries = JoinSet::new();
        for index in indices {
            let (bench, index) = (self.bench.clone(), *index);
            let event = of_user(&self.user, &self.events[index]);
            let id = format!("{}:{index}", self.user);
            deliveries.spawn(async move { (index, bench.outcome(&id, &event).await) });
        }
        for (index, outcome) in deliveries.join_all().await {
            let possible = ["applied", "outdated", "ignored", "duplicate"];
            assert!(possible.contains(&outcome.as_str()), "{index}: {outcome}");
        }
    }

    async fn check(&self, order: &str, expected: Expected) {
        self.bench.set(expected.at);
        let status = self.bench.status(&self.user).await;
        assert_eq!(status["plan"], expected.plan, "{order}");
        if let Some((start, end)) = expected.period {
            let fields = ["periodStart", "periodEnd", "minutesUsed"];
            let found = fields.map(|field| status[field].clone());
            assert_eq!(found, [json!(start), json!(end), json!(0)], "{order}");
        } else {
            // When news of the end comes first, nobody knows that something had begun.
            let month = &expected.at[..7];
            let ends = if month == "2026-10" {
                "2026-11"
            } else {
                "2026-12"
            };
            assert_eq!(
                status["periodEnd"],
                format!("{ends}-01T00:00:00Z"),
                "{order}"
            );
            let used = status["minutesUsed"].as_u64().expect("a number");
            assert!(used == 0 || (used == 3 && month == "2026-10"), "{order}");
        }
        let _ = self.bench.sweep().await;
        let (plan, name) = (expected.plan, &self.user);
        let (used, limit) = (&status["minutesUsed"], &status["minutesLimit"]);
        let [start, end] = ["periodStart", "periodEnd"]
            .map(|field| millis(status[field].as_str().expect("a time")) / 1_000);
        assert_eq!(
            self.bench.rows(&format!(
                "SELECT period_start, period_end, plan, minutes_used, minutes_limit FROM usage_periods \
                 WHERE user_id = '{name}' AND archived = 0"
            )),
            [format!("{start}|{end}|{plan}|{used}|{limit}")],
            "{order}"
        );
        assert_eq!(
            self.bench.rows(&format!(
                "SELECT SUM(minutes_used) FROM usage_periods WHERE user_id = '{name}'"
            )),
            ["3"],
            "{order}"
        );
    }
}

/// Tells the events in many orders, each to a user of its own, and checks how that one then stands.
async fn check_on(setup: Setup, events: &[Value], expected: Expected) {
    let bench = Arc::new(setup.build().await);
    let each = |copies: usize| -> Vec<Vec<usize>> {
        (0..events.len()).map(|index| vec![index; copies]).collect()
    };
    let doubled = [each(1), each(1)].concat();
    let mut reversed = each(1);
    reversed.reverse();
    let mut five_reversed = each(5);
    five_reversed.reverse();
    for (order, live, batches) in [
        ("in order", false, each(1)),
        ("in order, as it happens", true, each(1)),
        ("reversed", false, reversed),
        ("all of them twice", false, doubled.clone()),
        ("each twice, as it happens", true, each(2)),
        ("five copies at once", false, each(5)),
        ("five copies at once, as it happens", true, each(5)),
        ("five copies at once, reversed", false, five_reversed),
        ("everything at once", false, vec![each(1).concat()]),
        (
            "everything twice, backwards and at once",
            false,
            vec![doubled.concat().into_iter().rev().collect()],
        ),
    ] {
        let told = Told {
            bench: &bench,
            user: order.replace([' ', ','], "_"),
            events,
        };
        told.talk().await;
        for batch in batches {
            let at = if live {
                events[batch[0]]["timestamp"].as_str().expect("a time")
            } else {
                expected.at
            };
            bench.set(at);
            bench.seconds(u64::from(live));
            told.tell(&batch).await;
        }
        told.check(order, expected).await;
    }
}

async fn check(events: &[Value], expected: Expected) {
    check_on(setup(), events, expected).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_begins() {
    let events = sent(&[
        "subscription.created",
        "subscription.updated",
        "subscription.active",
        "customer.state_changed",
    ]);
    let then = paid("2026-10-05T00:00:00Z", "pro", OCTOBER);
    check(&events, then).await;
    check(&events[3..], then).await;
    let migrated = with(
        "subscription.active",
        "migrated",
        "2026-10-01T09:00:00Z",
        &json!({}),
    );
    check(&[migrated], then).await;
    check(&events[..1], free("2026-10-05T00:00:00Z")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancellation_waits_for_the_periods_end_or_is_taken_back() {
    let ending = sent(&[
        "subscription.active",
        "subscription.canceled",
        "subscription.revoked",
        "customer.state_changed.empty",
    ]);
    let until_then = paid("2026-10-20T00:00:00Z", "pro", OCTOBER);
    check(&ending[..2], until_then).await;
    let afterwards = free("2026-11-02T00:00:00Z");
    check(&ending, afterwards).await;

    let kept = sent(&[
        "subscription.active",
        "subscription.canceled",
        "subscription.uncanceled",
        "subscription.cycled",
        "order.paid",
    ]);
    check(&kept[..3], until_then).await;
    check(&kept, paid("2026-11-02T00:00:00Z", "pro", NOVEMBER)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_is_overdue_and_then_made_or_given_up() {
    let events = sent(&[
        "subscription.active",
        "subscription.cycled",
        "subscription.past_due",
        "subscription.active.recovered",
        "subscription.revoked.unpaid",
    ]);
    // The customer's state leaves out what is overdue, which does not end it.
    let unlisted = listed("2026-11-01T09:05:00.500000Z", &[]);
    let overdue = [&events[..3], &[unlisted]].concat();
    let kept = |at| paid(at, "pro", NOVEMBER);
    check(&overdue, kept("2026-11-02T00:00:00Z")).await;
    let recovered = [&overdue[..], &events[3..4]].concat();
    check(&recovered, kept("2026-11-04T00:00:00Z")).await;
    let given_up = [&overdue[..], &events[4..]].concat();
    check(&given_up, free("2026-11-16T00:00:00Z")).await;

    let strict = || setup().variable("polar_past_due", "end");
    check_on(strict(), &overdue[..3], free("2026-11-02T00:00:00Z")).await;
    check_on(strict(), &events[..4], kept("2026-11-04T00:00:00Z")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_pauses_and_resumes() {
    let events = sent(&[
        "subscription.active",
        "subscription.cycled",
        "subscription.paused",
        "subscription.resumed",
    ]);
    let paused = free("2026-11-12T00:00:00Z");
    check(&events[..3], paused).await;
    let resumed = paid("2026-11-21T00:00:00Z", "pro", AFTER_PAUSE);
    check(&events, resumed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_immediate_cancellation_takes_effect_at_once() {
    let cancelled = "subscription.canceled.immediately";
    let events = [
        sent(&["subscription.active", cancelled]),
        vec![with(
            cancelled,
            "revoked",
            "2026-10-12T08:00:00.310000Z",
            &json!({}),
        )],
    ]
    .concat();
    let then = free("2026-10-20T00:00:00Z");
    check(&events, then).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_of_plans_waits_for_the_next_period() {
    let basic =
        json!({"product_id": BASIC, "product": {"id": BASIC, "metadata": {"plan": "basic"}}});
    let begun = with(
        "subscription.active",
        "active",
        "2026-10-01T09:00:05.120000Z",
        &basic,
    );
    let events = [
        vec![begun],
        sent(&[
            "subscription.updated.switch_pending",
            "subscription.updated.switched",
            "subscription.cycled",
        ]),
    ]
    .concat();
    let pending = paid("2026-10-20T00:00:00Z", "basic", OCTOBER);
    check(&events[..2], pending).await;
    let switched = paid("2026-11-02T00:00:00Z", "pro", NOVEMBER);
    check(&events, switched).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_an_older_subscription_leaves_the_newer_one() {
    let newer = with(
        "subscription.active",
        "active",
        "2026-10-11T10:00:01Z",
        &json!({"id": "sub_newer", "current_period_start": NEWEST.0, "current_period_end": NEWEST.1}),
    );
    let events = [
        sent(&["subscription.active", "subscription.canceled.immediately"]),
        vec![
            newer,
            listed("2026-10-12T08:00:01Z", &[("sub_newer", NEWEST)]),
        ],
    ]
    .concat();
    // As it happens, too: by time, not by subscription.
    let by_time = [0, 2, 1, 3].map(|index: usize| events[index].clone());
    let then = paid("2026-10-20T00:00:00Z", "pro", NEWEST);
    check(&by_time[..3], then).await;
    check(&by_time, then).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_life_ends_where_it_ends_on_every_store() {
    let events = sent(&[
        "subscription.created",
        "subscription.updated",
        "subscription.active",
        "customer.state_changed",
        "subscription.canceled",
        "subscription.uncanceled",
        "subscription.cycled",
        "order.paid",
        "subscription.past_due",
        "subscription.active.recovered",
        "subscription.paused",
        "subscription.resumed",
    ]);
    for behaviour in KV_BEHAVIOURS {
        let then = paid("2026-11-21T00:00:00Z", "pro", AFTER_PAUSE);
        check_on(setup().key_value(behaviour), &events, then).await;
    }
}

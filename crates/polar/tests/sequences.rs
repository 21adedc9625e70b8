//! What a real account sends over its life, in order and in every disorder: the plan, the period and the usage in the
//! end are the same.

#![allow(clippy::expect_used, reason = "the helpers of a test may panic")]

mod account;

use account::{Account, Sent, Standing, at, listed, of_subscription, sent, with};
use serde_json::json;
use talktime_usage::{Period, Timestamp};

/// Delivers `events` in many orders, all by `end`, and checks how the user then stands.
fn check(events: &[Sent], end: &str, plan: &str, period: (&str, &str)) {
    check_with(&Account::default(), events, end, plan, period);
}

fn check_with(account: &Account, events: &[Sent], end: &str, plan: &str, period: (&str, &str)) {
    let standing = Standing {
        plan: plan.to_owned(),
        start: period.0.to_owned(),
        end: period.1.to_owned(),
        // The few minutes were on the morning before.
        minutes_used: 0,
    };
    for (order, found) in standings(account, events, at(end)) {
        assert_eq!(found, standing, "{order}");
    }
}

/// Checks that the user is on free then, whichever the order, until the month ends. When news of the end comes first, nobody
/// knows that something had begun, so when the month was entered and what was used in it may differ.
fn check_free(events: &[Sent], end: &str) {
    check_free_with(&Account::default(), events, end);
}

fn check_free_with(account: &Account, events: &[Sent], end: &str) {
    let month_end = Period::calendar_month(at(end)).end().to_rfc3339();
    for (order, found) in standings(account, events, at(end)) {
        let seen = (found.plan.as_str(), found.end.as_str());
        assert_eq!(seen, ("free", month_end.as_str()), "{order}");
        assert!(found.minutes_used <= 3, "{order}");
    }
}

/// How the user stands at `end` when `events` were delivered by then, in many orders, each with its name.
fn standings(account: &Account, events: &[Sent], end: Timestamp) -> Vec<(String, Standing)> {
    let mut standings = told_at_the_end(account, events, end);
    let live = account.told_live(events, end, 0);
    standings.push(("live".to_owned(), account.standing(live.as_ref(), end)));
    let twice: Vec<Sent> = events
        .iter()
        .flat_map(|event| [event.clone(), event.clone()])
        .collect();
    for seed in 1..60 {
        let state = account.told_live(&twice, end, seed);
        let standing = account.standing(state.as_ref(), end);
        standings.push((format!("late, seed {seed}"), standing));
    }
    standings
}

/// The same where all are delivered at `end`.
fn told_at_the_end(account: &Account, events: &[Sent], end: Timestamp) -> Vec<(String, Standing)> {
    let in_order = ("in order".to_owned(), events.to_vec());
    let orders = account::orders(events);
    std::iter::once(in_order)
        .chain(orders)
        .map(|(name, order)| {
            let state = account.told_at(&order, end);
            (name, account.standing(state.as_ref(), end))
        })
        .collect()
}

const OCTOBER: (&str, &str) = ("2026-10-01T09:00:00Z", "2026-11-01T09:00:00Z");
const NOVEMBER: (&str, &str) = ("2026-11-01T09:00:00Z", "2026-12-01T09:00:00Z");
const AFTER_PAUSE: (&str, &str) = ("2026-11-20T12:00:00Z", "2026-12-20T12:00:00Z");

#[test]
fn a_subscription_begins() {
    let events = sent(&[
        "subscription.created",
        "subscription.updated",
        "subscription.active",
        "customer.state_changed",
    ]);
    check(&events, "2026-10-05T00:00:00Z", "pro", OCTOBER);
    check_free(&events[..1], "2026-10-05T00:00:00Z");
    // The customer's state alone will do, where the operator says what the product stands for.
    check(&events[3..], "2026-10-05T00:00:00Z", "pro", OCTOBER);
}

#[test]
fn a_trial_becomes_paid() {
    let trial = sent(&["subscription.created.trialing"]);
    let week = ("2026-10-01T09:00:00Z", "2026-10-08T09:00:00Z");
    check(&trial, "2026-10-05T00:00:00Z", "pro", week);
    let paid = sent(&[
        "subscription.created.trialing",
        "subscription.updated",
        "subscription.active",
    ]);
    check(&paid, "2026-10-05T00:00:00Z", "pro", OCTOBER);
}

#[test]
fn a_cancellation_takes_effect_at_the_periods_end() {
    let events = sent(&[
        "subscription.active",
        "subscription.canceled",
        "subscription.revoked",
        "customer.state_changed.empty",
    ]);
    check(&events[..2], "2026-10-20T00:00:00Z", "pro", OCTOBER);
    check_free(&events, "2026-11-02T00:00:00Z");
    // Either of the last two is enough.
    check_free(&events[..3], "2026-11-02T00:00:00Z");
    check_free(
        &[&events[..2], &events[3..]].concat(),
        "2026-11-02T00:00:00Z",
    );
}

#[test]
fn a_cancellation_is_taken_back() {
    let events = sent(&[
        "subscription.active",
        "subscription.canceled",
        "subscription.uncanceled",
        "subscription.cycled",
        "order.paid",
    ]);
    check(&events[..3], "2026-10-20T00:00:00Z", "pro", OCTOBER);
    check(&events, "2026-11-02T00:00:00Z", "pro", NOVEMBER);
}

#[test]
fn an_immediate_cancellation_takes_effect_at_once() {
    let events = sent(&["subscription.active", "subscription.canceled.immediately"]);
    let revoked = with(
        "subscription.canceled.immediately",
        "revoked",
        "2026-10-12T08:00:00.310000Z",
        &json!({}),
    );
    let events = [events, vec![revoked]].concat();
    check_free(&events, "2026-10-20T00:00:00Z");
}

#[test]
fn a_payment_is_overdue_and_made() {
    let events = sent(&[
        "subscription.active",
        "subscription.cycled",
        "subscription.past_due",
        "subscription.active.recovered",
    ]);
    check(&events[..3], "2026-11-02T00:00:00Z", "pro", NOVEMBER);
    check(&events, "2026-11-04T00:00:00Z", "pro", NOVEMBER);
    // The customer's state leaves out what is overdue, which does not end it.
    let unlisted = listed("2026-11-01T09:05:00.500000Z", &[]);
    let with_state = [&events[..3], &[unlisted]].concat();
    check(&with_state, "2026-11-02T00:00:00Z", "pro", NOVEMBER);
    check(
        &[&with_state[..], &events[3..]].concat(),
        "2026-11-04T00:00:00Z",
        "pro",
        NOVEMBER,
    );
}

#[test]
fn a_payment_is_overdue_and_given_up() {
    let events = sent(&[
        "subscription.active",
        "subscription.cycled",
        "subscription.past_due",
        "subscription.revoked.unpaid",
    ]);
    check_free(&events, "2026-11-16T00:00:00Z");
    let unlisted = listed("2026-11-15T09:05:01Z", &[]);
    check_free(&[&events[..], &[unlisted]].concat(), "2026-11-16T00:00:00Z");
}

#[test]
fn an_overdue_payment_may_end_the_plan_at_once() {
    let account = Account::ending_past_due();
    let events = sent(&[
        "subscription.active",
        "subscription.cycled",
        "subscription.past_due",
        "subscription.active.recovered",
    ]);
    check_free_with(&account, &events[..3], "2026-11-02T00:00:00Z");
    check_with(&account, &events, "2026-11-04T00:00:00Z", "pro", NOVEMBER);
}

#[test]
fn a_subscription_pauses_and_resumes() {
    let events = sent(&[
        "subscription.active",
        "subscription.cycled",
        "subscription.paused",
        "subscription.resumed",
    ]);
    check_free(&events[..3], "2026-11-12T00:00:00Z");
    check(&events, "2026-11-21T00:00:00Z", "pro", AFTER_PAUSE);
}

#[test]
fn a_switch_of_plans_waits_for_the_next_period() {
    let basic = json!({"product_id": account::BASIC, "product": {"id": account::BASIC, "metadata": {"plan": "basic"}}});
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
    check(&events[..2], "2026-10-20T00:00:00Z", "basic", OCTOBER);
    check(&events, "2026-11-02T00:00:00Z", "pro", NOVEMBER);
}

/// A second subscription of the same customer, with a period of its own.
fn newer_subscription() -> Sent {
    let period = json!({"current_period_start": NEWEST.0, "current_period_end": NEWEST.1});
    let active = with(
        "subscription.active",
        "active",
        "2026-10-11T10:00:01Z",
        &period,
    );
    of_subscription("sub_newer", &active)
}

const NEWEST: (&str, &str) = ("2026-10-11T10:00:00Z", "2026-11-11T10:00:00Z");

#[test]
fn the_end_of_an_older_subscription_leaves_the_newer_one() {
    let older = sent(&["subscription.active", "subscription.canceled.immediately"]);
    let events = [older, vec![newer_subscription()]].concat();
    check(&events, "2026-10-20T00:00:00Z", "pro", NEWEST);
    let state = listed("2026-10-12T08:00:01Z", &[("sub_newer", NEWEST)]);
    check(
        &[&events[..], &[state]].concat(),
        "2026-10-20T00:00:00Z",
        "pro",
        NEWEST,
    );
}

#[test]
fn news_of_a_month_that_is_closed_leaves_it_closed() {
    let older = sent(&[
        "subscription.active",
        "subscription.canceled",
        "subscription.revoked",
    ]);
    let events = [older, vec![newer_subscription()]].concat();
    let (account, end) = (Account::default(), at("2026-11-02T00:00:00Z"));
    let live = account.standing(account.told_live(&events, end, 0).as_ref(), end);
    // The newer one was paid for side by side with the older. It sets the end when that one is over.
    assert_eq!(
        (live.start.as_str(), live.end.as_str()),
        (NOVEMBER.0, NEWEST.1)
    );
    assert_eq!((live.plan.as_str(), live.minutes_used), ("pro", 0));
    // Told in November for the first time, the calendar's October is over and its minutes are billed: what is left of the
    // period begins after it.
    for (order, late) in told_at_the_end(&account, &events, end) {
        assert_eq!(
            (late.start.as_str(), late.end.as_str()),
            ("2026-11-01T00:00:00Z", NEWEST.1),
            "{order}"
        );
        assert_eq!((late.plan.as_str(), late.minutes_used), ("pro", 0));
    }
}

#[test]
fn a_whole_life_ends_where_it_ends() {
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
    check(&events, "2026-11-21T00:00:00Z", "pro", AFTER_PAUSE);
    let ended = with(
        "subscription.resumed",
        "revoked",
        "2026-12-20T12:00:04Z",
        &json!({"status": "canceled"}),
    );
    check_free(&[&events[..], &[ended]].concat(), "2026-12-21T00:00:00Z");
}

#[test]
fn events_of_one_microsecond_have_one_order() {
    let same = "2026-10-12T08:00:00.300000Z";
    let events = [
        with("subscription.active", "updated", same, &json!({})),
        with(
            "subscription.active",
            "revoked",
            same,
            &json!({"status": "canceled"}),
        ),
        with(
            "subscription.active",
            "past_due",
            same,
            &json!({"status": "past_due"}),
        ),
    ];
    // Their ids decide, which are the same wherever they are told.
    check(&events, "2026-10-20T00:00:00Z", "pro", OCTOBER);
}

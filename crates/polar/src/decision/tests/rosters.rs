//! Lists of what a customer has.

use super::*;

fn roster(active: impl IntoIterator<Item = (&'static str, RosterEntry)>) -> Action {
    let active = active.into_iter().map(|(name, entry)| (id(name), entry));
    let roster = Roster {
        customer: None,
        as_of: as_of(),
        active: active.collect(),
    };
    let ids = roster.active.keys();
    let told = ids.map(|id| Ownership {
        subscription: id.clone(),
        ..told(false)
    });
    Action::Apply(Box::new(PlanNews {
        user: user(),
        told: told.collect(),
        command: Command::Reconcile(roster),
        as_of: Some(as_of()),
        taken: Vec::new(),
    }))
}

#[test]
fn a_customers_state_lists_what_is_active() {
    let check = |listed: Value, expected: &Action, without_plan: &[&str]| {
        let data = json!({"external_id": "user_42", "active_subscriptions": listed});
        let decision = decided("customer.state_changed", &data, PastDue::Keep);
        assert_eq!(decision.action, *expected, "{data}");
        let without_plan: Vec<_> = without_plan.iter().map(|name| id(name)).collect();
        assert_eq!(decision.without_plan, without_plan, "{data}");
    };
    let entry = |name: Option<&str>| RosterEntry {
        plan: name.map(plan),
        ..RosterEntry::default()
    };
    check(json!([]), &roster([]), &[]);
    check(
        json!([{"id": "s1", "status": "active", "product_id": "prod_basic"}]),
        &roster([("s1", entry(Some("basic")))]),
        &[],
    );
    check(
        json!([{"id": "s1", "status": "trialing", "product_id": "prod_basic"}]),
        &roster([("s1", entry(Some("basic")))]),
        &[],
    );
    check(
        json!([{"id": "s1", "product_id": "prod_basic"}]),
        &roster([("s1", entry(Some("basic")))]),
        &[],
    );
    check(
        json!([{"id": "s1", "product_id": "prod_x", "metadata": {"plan": "pro"}}, {"id": "s2", "product_id": "prod_x"}]),
        &roster([("s1", entry(Some("pro"))), ("s2", entry(None))]),
        &["s2"],
    );
    check(
        json!([{"id": "s1", "status": "past_due", "product_id": "prod_x"}, {"id": "s2", "status": "canceled"}]),
        &roster([("s1", entry(None))]),
        &[],
    );
    check(
        json!([{
            "id": "s1", "status": "active", "product_id": "prod_basic", "cancel_at_period_end": true,
            "current_period_start": "2026-10-01T09:00:00Z", "current_period_end": "2026-11-01T09:00:00Z",
        }]),
        &roster([(
            "s1",
            RosterEntry {
                plan: Some(plan("basic")),
                period: Some(october()),
                ends_at: Some(october().end()),
            },
        )]),
        &[],
    );
    // What cannot be read must not look like the end of every subscription.
    check(json!(null), &Action::Ignore, &[]);
    check(json!("none"), &Action::Ignore, &[]);
    check(json!([{"status": "active"}]), &Action::Unmapped, &[]);
    check(json!([{"id": "s1"}, 7]), &Action::Unmapped, &["s1"]);

    let nobody = json!({"external_id": null, "active_subscriptions": []});
    assert_eq!(action("customer.state_changed", &nobody), Action::Unmapped);
}

#[test]
fn a_list_waits_for_the_operator_where_nobody_knows_a_plan() {
    let listed = json!([{"id": "s1", "product_id": "prod_new"}]);
    let data = json!({"external_id": "user_42", "active_subscriptions": listed});
    let check = |told, state: Option<&State>, expected, remarks: &[&str]| {
        let mut decision = decided("customer.state_changed", &data, PastDue::Keep);
        assert_eq!(decision.outcome(told, state), expected, "{told:?}");
        assert_eq!(decision.remarks, remarks, "{told:?}");
    };
    let remark = "neither polar_products nor an event of subscription s1 names its plan";
    let fresh = State::fresh(&user(), Timestamp::from_unix_seconds(SENT.sent_at_seconds));
    let (applied, open) = (EventOutcome::Applied, EventOutcome::UnknownProduct);
    check(applied, None, open, &[remark]);
    check(applied, Some(&fresh), open, &[remark]);
    check(
        EventOutcome::Outdated,
        None,
        EventOutcome::Outdated,
        &[remark],
    );
}

//! Whose the subscriptions in an event are.

use super::*;

/// Of another user's subscription at the provider's customer `cus_1`, named at that second after the event's.
fn known(name: &str, owner: &str, seconds: i64) -> Ownership {
    Ownership {
        subscription: id(name),
        user: UserId::parse(owner).expect("an id"),
        customer: CustomerId::parse("cus_1").ok(),
        named_micros: MICROS + seconds * 1_000_000,
        last_micros: MICROS + seconds * 1_000_000,
        ended: false,
    }
}

/// Whom an event is about that names no user.
fn whom(kind: &str, data: &Value, known: &[Ownership]) -> Option<String> {
    let decision = decided_of(&body(kind, data), PastDue::Keep, known);
    let applies = matches!(decision.action, Action::Apply(_));
    assert_eq!(decision.user.is_some(), applies, "{data}: {decision:?}");
    assert_eq!(decision.remarks.len(), 1, "{:?}", decision.remarks);
    decision.user.map(String::from)
}

#[test]
fn an_event_without_a_user_is_about_whose_subscription_it_is() {
    let revoked = |customer: &str| {
        with(&json!({"status": "canceled", "customer": {"id": customer, "external_id": null}}))
    };
    let check = |customer: &str, known: &[Ownership], expected: Option<&str>| {
        let found = whom("subscription.revoked", &revoked(customer), known);
        assert_eq!(found.as_deref(), expected, "{customer} {known:?}");
    };
    let (of_anna, of_bert) = (known("sub_0", "anna", -9), known("sub_2", "bert", -9));
    check("cus_1", &[], None);
    check("cus_9", &[known("sub_1", "anna", -9)], Some("anna"));
    // The subscription itself before others of its customer.
    let both = [known("sub_1", "anna", -9), of_bert.clone()];
    check("cus_1", &both, Some("anna"));
    check("cus_1", std::slice::from_ref(&of_anna), Some("anna"));
    check("cus_9", std::slice::from_ref(&of_anna), None);
    check("cus_1", &[of_anna.clone(), of_bert.clone()], None);

    let state = json!({"id": "cus_1", "external_id": null, "active_subscriptions": [{"id": "sub_0", "product_id": "prod_basic"}]});
    let whom_state = |known: &[Ownership]| whom("customer.state_changed", &state, known);
    assert_eq!(whom_state(&[]), None);
    assert_eq!(
        whom_state(std::slice::from_ref(&of_anna)).as_deref(),
        Some("anna")
    );
    let none = json!({"id": "cus_1", "external_id": null, "active_subscriptions": []});
    let found = whom("customer.state_changed", &none, &[of_anna, of_bert]);
    assert_eq!(found, None, "of two users");
}

#[test]
fn a_subscription_is_taken_from_whose_it_was_and_never_back_by_an_older_event() {
    let check = |fields: &Value, known: Ownership, taken: Option<&str>| {
        let body = body("subscription.active", &with(fields));
        let decision = decided_of(&body, PastDue::Keep, &[known]);
        assert_eq!(decision.remarks.len(), 1, "{:?}", decision.remarks);
        let from = match decision.action {
            Action::Apply(news) => {
                assert_eq!(news.user, user());
                let (subscription, from) = news.taken[0].clone();
                assert_eq!(subscription, id("sub_1"));
                Some(String::from(from))
            }
            Action::Outdated => None,
            other => panic!("{other:?}"),
        };
        assert_eq!(from.as_deref(), taken);
    };
    check(&json!({}), known("sub_1", "anna", -1), Some("anna"));
    check(
        &json!({"status": "canceled"}),
        known("sub_1", "anna", -1),
        Some("anna"),
    );
    check(&json!({}), known("sub_1", "anna", 1), None);
    check(
        &json!({"status": "canceled"}),
        known("sub_1", "anna", 1),
        None,
    );
    // Of the end that a user left behind of whom nothing else is kept.
    let ended = Ownership {
        ended: true,
        ..known("sub_1", "user_42", 1)
    };
    check(&json!({}), ended, None);
}

#[test]
fn a_list_claims_each_of_its_subscriptions() {
    let data = json!({"id": "cus_1", "external_id": "user_42", "active_subscriptions": [
        {"id": "s1", "product_id": "prod_basic"}, {"id": "s2", "product_id": "prod_basic"},
        {"id": "s3", "product_id": "prod_x"},
    ]});
    let known = [
        known("s1", "anna", -1),
        known("s2", "bert", 1),
        known("s3", "bert", 1),
    ];
    let decision = decided_of(
        &body("customer.state_changed", &data),
        PastDue::Keep,
        &known,
    );
    assert!(decision.without_plan.is_empty(), "s3 is another user's");
    let Action::Apply(news) = decision.action else {
        panic!("no news");
    };
    let Command::Reconcile(roster) = &news.command else {
        panic!("no list");
    };
    assert_eq!(roster.active.keys().collect::<Vec<_>>(), [&id("s1")]);
    assert_eq!(roster.customer, CustomerId::parse("cus_1").ok());
    let anna = UserId::parse("anna").expect("an id");
    assert_eq!(news.taken, [(id("s1"), anna)]);
}

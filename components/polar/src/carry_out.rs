//! An event that is genuine and can be read: decided, told to the user's state, recorded.

use talktime_http::Problem;
use talktime_polar::decision::subject::asked_about;
use talktime_polar::decision::{Action, Arrival, Decision, Rules, decide};
use talktime_polar::event::Event;
use talktime_polar::record::Record;
use talktime_spin::{HOST, KeyValue, Ledger, Settings};
use talktime_store::delivery::{Delivered, Effect, KnownBy, deliver};
use talktime_store::webhook_events::WebhookEvent;
use talktime_store::{ApplyError, StoreError, Users, plan_news, pseudonym, subscriptions};
use talktime_usage::{EventOutcome, Policy, Timestamp, UserId};
use talktime_webhook::Delivery;

use crate::{BILLING, read_billing};

/// Carries out an event, and then records it: should anything break off, the provider sends it again, and what was done
/// by then is done once.
pub async fn carry_out(
    ledger: &Ledger,
    event: &Event,
    delivery: Delivery<'_>,
    received_at: Timestamp,
) -> Result<Delivered, Problem> {
    let settings = Settings::load().await?;
    let catalogue = &settings.policy.catalogue;
    let (products, past_due) = BILLING.get(async || read_billing(catalogue).await).await?;
    let rules = Rules {
        catalogue,
        products,
        past_due: *past_due,
    };
    let (ids, customer) = asked_about(event);
    let known = subscriptions::known(ledger, &ids, customer.as_ref(), received_at).await?;
    let arrival = Arrival {
        delivery,
        at: received_at,
        known: &known,
    };
    let mut decision = decide(event, arrival, rules);
    let known_by = if decision.is_timed {
        KnownBy::State
    } else {
        KnownBy::Record
    };
    let carry_out = async || {
        let (outcome, effect) = act(ledger, &settings.policy, &mut decision, delivery.id).await?;
        let record = Record::of(event, &decision);
        let row = row(delivery.id, record, decision.user, outcome, received_at);
        if !decision.remarks.is_empty() {
            let (id, kind, outcome) = (&row.id, &row.kind, outcome.as_str());
            let remarks = decision.remarks.join("; ");
            eprintln!("webhook {id} ({kind:?}): {outcome}: {remarks}");
        }
        Ok((row, effect))
    };
    deliver(ledger, delivery.id, known_by, received_at, carry_out).await
}

/// What is kept of an event, as the ledger has it.
pub fn row(
    id: &str,
    record: Record,
    user: Option<UserId>,
    outcome: EventOutcome,
    received_at: Timestamp,
) -> WebhookEvent {
    WebhookEvent {
        id: id.to_owned(),
        kind: record.kind,
        received_at,
        user,
        outcome,
        detail: record.detail,
    }
}

async fn act(
    ledger: &Ledger,
    policy: &Policy,
    decision: &mut Decision,
    event: &str,
) -> Result<(EventOutcome, Effect), Problem> {
    let news = match &decision.action {
        Action::Apply(news) => news,
        Action::Outdated => return Ok((EventOutcome::Outdated, Effect::Nothing)),
        Action::Ignore => return Ok((EventOutcome::Ignored, Effect::Nothing)),
        Action::Unmapped => return Ok((EventOutcome::Unmapped, Effect::Nothing)),
        Action::UnknownProduct => return Ok((EventOutcome::UnknownProduct, Effect::Nothing)),
    };
    let documents = KeyValue::open()?;
    let users = Users::new(&documents, ledger, policy, &HOST);
    match plan_news::tell(&users, news, &users.fresh_mark()).await {
        Ok(told) => {
            let outcome = decision.outcome(told.outcome, told.state.as_ref());
            Ok((outcome, told.effect))
        }
        // Sent again at once, it would fail again, and ten failures in a row disable the endpoint for all users.
        Err(error @ (ApplyError::Refused(_) | ApplyError::Store(StoreError::Unreadable(_)))) => {
            eprintln!(
                "webhook {event} failed for {}: {error}",
                pseudonym(&news.user)
            );
            Ok((EventOutcome::Failed, Effect::Nothing))
        }
        Err(error) => Err(error.into()),
    }
}

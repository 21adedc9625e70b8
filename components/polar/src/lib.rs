//! `/api/webhooks/polar`: plans follow subscriptions at the billing provider.
//!
//! An event passes through [`signature`] (is it genuine), [`event`](mod@event) (what does it say) and [`decision`] (what
//! does it mean for the plan), all pure; then the domain weighs it against what it knows, and [`record`](mod@record)
//! keeps what became of it.

pub mod configuration;
pub mod decision;
pub mod event;
pub mod record;
pub mod signature;

use spin_sdk::http::IntoResponse;
use talktime_api::webhook::{WebhookAnswer, WebhookOutcome};
use talktime_http::Verb::Post;
use talktime_http::{
    Answer, Code, Misconfigured, Once, Problem, Request, Service, now, parsed, variable,
    write_id_from,
};
use talktime_store::{
    ApplyError, Settings, SpinKeyValue, SpinSqlite, StoreError, Users, WriteMark, pseudonym,
    webhook_events,
};
use talktime_usage::{Catalogue, Command, PlanOutcome, Policy, Repeat, Reply, UserId};

use crate::configuration::{PastDue, Products};
use crate::decision::{Action, Rules, decide};
use crate::event::Event;
use crate::signature::{Headers, Keys};

static SERVICE: Service<()> = Service::new(&[(Post, "/api/webhooks/polar", ())]);

static KEYS: Once<Keys> = Once::new();
static BILLING: Once<(Products, PastDue)> = Once::new();

/// Answers a request. Exported from the component only: a native linker refuses the export's name, and the tests need a
/// native library.
#[cfg_attr(target_family = "wasm", spin_sdk::http_service)]
pub async fn handle(request: spin_sdk::http::Request) -> impl IntoResponse {
    SERVICE.serve(request, answer).await
}

async fn answer((): (), mut request: Request) -> Result<Answer, Problem> {
    let body = request.bytes().await?;
    let received_at = now();
    let headers = Headers {
        id: request.header("webhook-id"),
        timestamp: request.header("webhook-timestamp"),
        signature: request.header("webhook-signature"),
    };
    let delivery = KEYS
        .get(read_keys)
        .await?
        .verify(headers, &body, received_at)
        .map_err(|why| {
            // One sentence for all: who forges a webhook is not told how far they got.
            Problem::new(
                Code::Unauthorized,
                "The webhook is not signed with this service's secret",
            )
            .internal_message(why)
        })?;
    let event = Event::parse(&body).map_err(|error| Problem::bad_request(error.to_string()))?;

    let settings = Settings::load().await?;
    let catalogue = &settings.policy.catalogue;
    let (products, past_due) = BILLING.get(async || read_billing(catalogue).await).await?;
    let rules = Rules {
        catalogue,
        products,
        past_due: *past_due,
    };
    let decision = decide(&event, delivery, rules);

    let ledger = SpinSqlite::default();
    let done = match &decision.action {
        Action::Apply(user, command) => {
            apply(&ledger, &settings.policy, user, command, delivery.id).await?
        }
        Action::Ignore => Done::now(WebhookOutcome::Ignored),
        Action::Unmapped => Done::now(WebhookOutcome::Unmapped),
        Action::UnknownProduct => Done::now(WebhookOutcome::UnknownProduct),
    };
    let row = record::row(delivery.id, &event, &decision, done.outcome, received_at);
    if !decision.remarks.is_empty() {
        let remarks = decision.remarks.join("; ");
        eprintln!(
            "webhook {} ({:?}): {}: {remarks}",
            row.id, row.kind, row.outcome
        );
    }
    let first = match webhook_events::record(&ledger, &row).await {
        Ok(first) => first,
        // What became of the event is in the user's state: to have it sent again only for the record, perhaps ten times
        // until the provider gives up on this endpoint, is worse than a gap in the record.
        Err(error) if !record::is_only_trace(done.outcome) => {
            eprintln!(
                "webhook {} is {} and could not be recorded: {error}",
                row.id, row.outcome
            );
            true
        }
        Err(error) => return Err(error.into()),
    };
    let outcome = if first || done.changed {
        done.outcome
    } else {
        WebhookOutcome::Duplicate
    };
    Answer::ok(&WebhookAnswer::new(outcome))
}

/// What became of an event, and whether it is this request that changed the user's state.
struct Done {
    outcome: WebhookOutcome,
    changed: bool,
}

impl Done {
    fn now(outcome: WebhookOutcome) -> Self {
        Self {
            outcome,
            changed: false,
        }
    }
}

/// Carries out a command, before the event is recorded: should this fail or break off, the provider sends the event
/// again, and what was done by then is done once.
async fn apply(
    ledger: &SpinSqlite,
    policy: &Policy,
    user: &UserId,
    command: &Command,
    event: &str,
) -> Result<Done, Problem> {
    let documents = SpinKeyValue::open()?;
    let users = Users::new(&documents, ledger, policy);
    let mark = WriteMark::Repeatable(Repeat {
        id: write_id_from(&["polar", event, user.as_str()]),
        fingerprint: None,
    });
    match users.apply(user, command, &mark).await {
        Ok(applied) if applied.reply == Reply::Plan(PlanOutcome::Applied) => Ok(Done {
            outcome: WebhookOutcome::Applied,
            changed: !applied.writes.is_empty(),
        }),
        // Delivered before, and not recorded.
        Ok(applied) if applied.reply == Reply::Plan(PlanOutcome::Repeated) => {
            Ok(Done::now(WebhookOutcome::Applied))
        }
        Ok(_) => Ok(Done::now(WebhookOutcome::Outdated)),
        // Sent again at once, it would fail again, and ten failures in a row disable the endpoint for all users.
        Err(error @ (ApplyError::Refused(_) | ApplyError::Store(StoreError::Unreadable(_)))) => {
            eprintln!("webhook {event} failed for {}: {error}", pseudonym(user));
            Ok(Done::now(WebhookOutcome::Failed))
        }
        Err(error) => Err(error.into()),
    }
}

async fn read_keys() -> Result<Keys, Misconfigured> {
    let secret = variable("polar_webhook_secret").await?;
    Ok(Keys::of(secret.as_deref()))
}

async fn read_billing(catalogue: &Catalogue) -> Result<(Products, PastDue), Misconfigured> {
    let products = match variable("polar_products").await? {
        Some(json) => Products::parse(&json, catalogue)
            .map_err(|error| Misconfigured::new("polar_products", error))?,
        None => Products::default(),
    };
    let past_due = parsed("polar_past_due").await?.unwrap_or_default();
    Ok((products, past_due))
}

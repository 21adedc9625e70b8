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
use talktime_http::{Answer, Code, Problem, Request, Service};
use talktime_spin::{HOST, KeyValue, Ledger, Misconfigured, Once, Settings, now, parsed, variable};
use talktime_store::webhook_events::{self, Delivered, Effect, Outcome};
use talktime_store::{
    ApplyError, PlanNews, StoreError, Users, plan_news, pseudonym, subscriptions,
};
use talktime_usage::{Catalogue, Instant, Policy, SubscriptionId};

use crate::configuration::{PastDue, Products};
use crate::decision::subject::asked_about;
use crate::decision::{Action, Arrival, Decision, Rules, decide};
use crate::event::Event;
use crate::signature::{Delivery, Headers, Keys, Refused};

/// The most bytes that an event may have. The provider lets its users put about 100 KiB into one, as metadata.
const BODY_BYTES_MAX: usize = 256 * 1024;

static SERVICE: Service<()> = Service::new(&[(Post, "/api/webhooks/polar", ())]);

static KEYS: Once<Keys> = Once::new();
static BILLING: Once<(Products, PastDue)> = Once::new();

/// Answers a request. Exported from the component only: a native linker refuses the export's name, and the tests need a
/// native library.
#[cfg_attr(target_family = "wasm", spin_sdk::http_service)]
pub async fn handle(request: spin_sdk::http::Request) -> impl IntoResponse {
    SERVICE.serve(request, answer).await
}

async fn answer((): (), request: Request) -> Result<Answer, Problem> {
    let received_at = now();
    let headers = request.headers().clone();
    let header = |name| headers.get(name)?.to_str().ok();
    // Whoever cannot be the provider is not waited for.
    let claim = KEYS
        .get(read_keys)
        .await?
        .examine(
            Headers {
                id: header("webhook-id"),
                timestamp: header("webhook-timestamp"),
                signature: header("webhook-signature"),
            },
            received_at,
        )
        .map_err(unsigned)?;
    let body = request.bytes_up_to(BODY_BYTES_MAX).await?;
    let delivery = claim.verify(&body).map_err(unsigned)?;
    let ledger = talktime_spin::ledger();
    let delivered = match Event::parse(&body) {
        Ok(event) => carry_out(&ledger, &event, delivery, received_at).await?,
        // Sent again, it would be the same, and ten failures in a row disable the endpoint for all users.
        Err(error) => {
            let row = record::unreadable(delivery.id, error, &body, received_at);
            eprintln!("webhook {} failed: {error}", delivery.id);
            webhook_events::record(&ledger, &row, Effect::Nothing).await?
        }
    };
    Answer::ok(&WebhookAnswer::new(match delivered {
        Delivered::Now(outcome) => outcome.into(),
        Delivered::Before => WebhookOutcome::Duplicate,
    }))
}

/// One sentence for all: who forges a webhook is not told how far they got.
fn unsigned(why: Refused) -> Problem {
    Problem::new(
        Code::Unauthorized,
        "The webhook is not signed with this service's secret",
    )
    .internal_message(why)
}

/// Carries out an event, and then records it: should anything break off, the provider sends it again, and what was done
/// by then is done once.
async fn carry_out(
    ledger: &Ledger,
    event: &Event,
    delivery: Delivery<'_>,
    received_at: Instant,
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
    // By its own time the user's state knows an event again. Without one, only the record does.
    if !decision.is_timed
        && let Some(before) = webhook_events::find(ledger, delivery.id, received_at).await?
        && !before.outcome.is_open()
    {
        return Ok(Delivered::Before);
    }
    let (outcome, effect) = act(ledger, &settings.policy, &mut decision, delivery.id).await?;
    let row = record::row(delivery.id, event, &decision, outcome, received_at);
    if !decision.remarks.is_empty() {
        let (id, kind, outcome) = (&row.id, &row.kind, outcome.as_str());
        let remarks = decision.remarks.join("; ");
        eprintln!("webhook {id} ({kind:?}): {outcome}: {remarks}");
    }
    Ok(webhook_events::record(ledger, &row, effect).await?)
}

async fn act(
    ledger: &Ledger,
    policy: &Policy,
    decision: &mut Decision,
    event: &str,
) -> Result<(Outcome, Effect), Problem> {
    let nothing = |outcome| Ok((outcome, Effect::Nothing));
    match &decision.action {
        Action::Apply(news) => {
            let (outcome, effect, without_plan) =
                tell(ledger, policy, news, &decision.without_plan, event).await?;
            for id in &without_plan {
                decision.remarks.push(format!(
                    "neither polar_products nor an event of subscription {id} names its plan"
                ));
            }
            // What the list has that is known counts; the rest waits for the operator.
            if outcome == Outcome::Applied && !without_plan.is_empty() {
                return Ok((Outcome::UnknownProduct, effect));
            }
            Ok((outcome, effect))
        }
        Action::Outdated => nothing(Outcome::Outdated),
        Action::Ignore => nothing(Outcome::Ignored),
        Action::Unmapped => nothing(Outcome::Unmapped),
        Action::UnknownProduct => nothing(Outcome::UnknownProduct),
    }
}

/// Tells the news, and which of the subscriptions without a plan the user's state knows none for either.
async fn tell(
    ledger: &Ledger,
    policy: &Policy,
    news: &PlanNews,
    without_plan: &[SubscriptionId],
    event: &str,
) -> Result<(Outcome, Effect, Vec<SubscriptionId>), Problem> {
    let documents = KeyValue::open()?;
    let users = Users::new(&documents, ledger, policy, &HOST);
    match plan_news::tell(&users, news, &users.fresh_mark()).await {
        Ok(told) => {
            let grants = told.state.as_ref().map(|state| &state.grants);
            let unknown = without_plan
                .iter()
                .filter(|id| !grants.is_some_and(|grants| grants.tells_plan_of(id)));
            Ok((told.outcome, told.effect, unknown.cloned().collect()))
        }
        // Sent again at once, it would fail again, and ten failures in a row disable the endpoint for all users.
        Err(error @ (ApplyError::Refused(_) | ApplyError::Store(StoreError::Unreadable(_)))) => {
            eprintln!(
                "webhook {event} failed for {}: {error}",
                pseudonym(&news.user)
            );
            Ok((Outcome::Failed, Effect::Nothing, Vec::new()))
        }
        Err(error) => Err(error.into()),
    }
}

async fn read_keys() -> Result<Keys, Misconfigured> {
    Keys::of(variable(signature::VARIABLE).await?.as_deref())
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

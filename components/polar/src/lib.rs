//! `/api/webhooks/polar`: plans follow subscriptions at the billing provider.
//!
//! What an event means is for `talktime-polar` to say, and the rules weigh it against what they know; here is what that
//! needs of the host.

mod carry_out;

use spin_sdk::http::IntoResponse;
use talktime_http::Verb::Post;
use talktime_http::{Answer, Problem, Request, Service, webhook_keys};
use talktime_polar::event::Event;
use talktime_polar::products::{PastDue, Products};
use talktime_polar::record::Record;
use talktime_spin::{Misconfigured, Once, now, parsed, variable};
use talktime_store::delivery::{Delivered, Effect, KnownBy, deliver};
use talktime_usage::{Catalogue, EventOutcome};
use talktime_webhook::Keys;
use talktime_wire::webhook::{WebhookAnswer, WebhookOutcome};

/// The most bytes that an event may have. The provider lets its users put about 100 KiB into one, as metadata.
const BODY_BYTES_MAX: usize = 256 * 1024;

const SECRET: &str = "polar_webhook_secret";
const PRODUCTS: &str = "polar_products";

static SERVICE: Service<()> = Service::new(&[(Post, "/api/webhooks/polar", ())]);

static KEYS: Once<Keys> = Once::new();
static BILLING: Once<(Products, PastDue)> = Once::new();

/// Answers a request. Only as wasm is it the entry point: natively its exported name would not link.
#[cfg_attr(target_family = "wasm", spin_sdk::http_service)]
pub async fn handle(request: spin_sdk::http::Request) -> impl IntoResponse {
    SERVICE.serve(request, answer).await
}

async fn answer((): (), request: Request) -> Result<Answer, Problem> {
    let received_at = now();
    let keys = KEYS.get(async || webhook_keys(SECRET).await).await?;
    let signed = request.signed(keys, received_at, BODY_BYTES_MAX).await?;
    let (delivery, body) = (signed.delivery(), &signed.body);
    let ledger = talktime_spin::ledger();
    let delivered = match Event::parse(body) {
        Ok(event) => carry_out::carry_out(&ledger, &event, delivery, received_at).await?,
        // Sent again, it would be the same, and ten failures in a row disable the endpoint for all users.
        Err(error) => {
            eprintln!("webhook {} failed: {error}", delivery.id);
            let record = Record::unreadable(error, body);
            let row = carry_out::row(delivery.id, record, None, EventOutcome::Failed, received_at);
            let failed = async || Ok::<_, Problem>((row, Effect::Nothing));
            deliver(&ledger, delivery.id, KnownBy::State, received_at, failed).await?
        }
    };
    Answer::ok(&WebhookAnswer::new(told(delivered)))
}

/// What the provider is told.
fn told(delivered: Delivered) -> WebhookOutcome {
    match delivered {
        Delivered::Now(EventOutcome::Applied) => WebhookOutcome::Applied,
        Delivered::Now(EventOutcome::Outdated) => WebhookOutcome::Outdated,
        Delivered::Now(EventOutcome::Ignored) => WebhookOutcome::Ignored,
        Delivered::Now(EventOutcome::Unmapped) => WebhookOutcome::Unmapped,
        Delivered::Now(EventOutcome::UnknownProduct) => WebhookOutcome::UnknownProduct,
        Delivered::Now(EventOutcome::Failed) => WebhookOutcome::Failed,
        Delivered::Before(_) => WebhookOutcome::Duplicate,
    }
}

async fn read_billing(catalogue: &Catalogue) -> Result<(Products, PastDue), Misconfigured> {
    let products = match variable(PRODUCTS).await? {
        Some(json) => Products::parse(&json, catalogue)
            .map_err(|error| Misconfigured::new(PRODUCTS, error))?,
        None => Products::default(),
    };
    let past_due = parsed("polar_past_due").await?.unwrap_or_default();
    Ok((products, past_due))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_provider_is_told_what_the_ledger_is() {
        for outcome in EventOutcome::ALL {
            assert_eq!(
                json!(told(Delivered::Now(outcome))),
                json!(outcome.as_str())
            );
        }
    }
}

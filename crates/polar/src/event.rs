//! The provider's events, as far as Talktime cares, read with a tolerant eye: unknown fields, nulls, missing fields and
//! fields of another type are no reason to refuse an event, because a refused one comes again and again.

use std::collections::BTreeMap;

use chrono::DateTime;
use serde_json::Value;
use talktime_usage::Timestamp;

/// How much of a text is kept for the operator.
const KEPT_CHARACTERS_MAX: usize = 128;

/// An event of the provider, as far as it is understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its name, such as `subscription.active`.
    pub kind: String,
    /// When it happened, in microseconds since the epoch, where it tells.
    pub unix_micros: Option<i64>,
    /// Whom it is about, as the web app named them when they bought.
    pub user: Option<String>,
    /// Whom it is about at the provider.
    pub customer: Option<String>,
    /// What it is about.
    pub subject: Subject,
    /// The provider's ids in it, so that an operator can look it up there. No name, no e-mail address.
    pub ids: BTreeMap<&'static str, String>,
}

/// What an event is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Subject {
    /// One subscription, as it is after the event.
    Subscription(Subscription),
    /// A customer, with all active subscriptions if the event lists them.
    Customer(Option<Vec<Subscription>>),
    /// Nothing that changes a plan.
    Other,
}

/// A subscription as an event tells of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Subscription {
    pub id: Option<String>,
    /// How it stands.
    pub status: Option<String>,
    /// What is subscribed to.
    pub product: Option<String>,
    /// The plan that the product names in its metadata.
    pub product_plan: Option<String>,
    /// The plan that the subscription names in its own metadata.
    pub own_plan: Option<String>,
    /// The first instant of what is paid for, or free to try, and the first one after it.
    pub paid: Option<(Timestamp, Timestamp)>,
    /// When it ends or pauses by itself, unless that is taken back.
    pub ends_at: Option<Timestamp>,
}

/// Why a body is no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Not JSON, or nested too deep.
    #[error("the body is not JSON, or is nested too deeply")]
    Json,
    /// Without it nobody knows what the rest means.
    #[error("the body is not an object with a text \"type\"")]
    Type,
}

impl Event {
    /// Reads an event.
    ///
    /// # Errors
    /// When the body is no JSON object with a type.
    pub fn parse(body: &[u8]) -> Result<Self, EventError> {
        let envelope: Value = serde_json::from_slice(body).map_err(|_| EventError::Json)?;
        let kind = text(&envelope, "/type").ok_or(EventError::Type)?;
        let data = envelope.get("data").unwrap_or(&Value::Null);
        let subject = subject(kind, data);
        let (subscription, customer) = match &subject {
            Subject::Subscription(_) => ("/id", "/customer_id"),
            Subject::Customer(_) => ("/subscription_id", "/id"),
            Subject::Other => ("/subscription_id", "/customer_id"),
        };
        let ids = [
            ("subscription_id", subscription),
            ("customer_id", customer),
            ("customer_id", "/customer/id"),
            ("product_id", "/product_id"),
            ("product_id", "/product/id"),
        ];
        let mut kept = BTreeMap::new();
        for (name, path) in ids {
            if let Some(id) = text(data, path) {
                kept.entry(name).or_insert_with(|| clipped(id));
            }
        }
        // A customer's own event has at the top what others have in `customer`.
        let external_id = match &subject {
            Subject::Customer(_) => "/external_id",
            _ => "/customer/external_id",
        };
        Ok(Self {
            kind: kind.to_owned(),
            unix_micros: micros(&envelope, "/timestamp").or_else(|| micros(data, "/modified_at")),
            customer: text(data, customer)
                .or_else(|| text(data, "/customer/id"))
                .map(str::to_owned),
            user: [
                external_id,
                "/metadata/user_id",
                "/customer/metadata/user_id",
            ]
            .iter()
            .find_map(|path| metadata(data, path)),
            subject,
            ids: kept,
        })
    }
}

/// As much of a text as is kept for the operator.
pub fn clipped(text: &str) -> String {
    text.chars().take(KEPT_CHARACTERS_MAX).collect()
}

fn subject(kind: &str, data: &Value) -> Subject {
    match kind {
        // A later name with another kind of data must not be taken for news of a subscription. Nothing is lost by the
        // list: each change is told by `subscription.updated` too.
        "subscription.created"
        | "subscription.updated"
        | "subscription.active"
        | "subscription.canceled"
        | "subscription.uncanceled"
        | "subscription.cycled"
        | "subscription.past_due"
        | "subscription.revoked"
        | "subscription.paused"
        | "subscription.resumed"
        | "subscription.migrated" => Subject::Subscription(Subscription::of(data)),
        "customer.state_changed" => Subject::Customer(
            data.get("active_subscriptions")
                .and_then(Value::as_array)
                .map(|listed| listed.iter().map(Subscription::of).collect()),
        ),
        _ => Subject::Other,
    }
}

impl Subscription {
    fn of(data: &Value) -> Self {
        let owned = |path| text(data, path).map(str::to_owned);
        let at = |path| Timestamp::parse_rfc3339(text(data, path)?).ok();
        let says = |path| data.pointer(path).and_then(Value::as_bool) == Some(true);
        let status = owned("/status");
        let trial = at("/trial_start")
            .zip(at("/trial_end"))
            .filter(|_| status.as_deref() == Some("trialing"));
        let current_end = at("/current_period_end");
        let paid = trial.or_else(|| at("/current_period_start").zip(current_end));
        // Either flag says so in words; where the provider leaves the date out, it is the end of what is paid for.
        let stops = says("/cancel_at_period_end") || says("/pause_at_period_end");
        Self {
            id: owned("/id"),
            ends_at: at("/ended_at")
                .or_else(|| at("/ends_at"))
                .or_else(|| paid.map(|(_, end)| end).or(current_end).filter(|_| stops)),
            paid,
            product: owned("/product_id").or_else(|| owned("/product/id")),
            product_plan: metadata(data, "/product/metadata/plan"),
            own_plan: metadata(data, "/metadata/plan"),
            status,
        }
    }
}

/// The text at a path, unless it is empty.
fn text<'a>(value: &'a Value, path: &str) -> Option<&'a str> {
    value
        .pointer(path)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
}

/// The value of a field that people fill in, who write a number where a text is meant.
fn metadata(value: &Value, path: &str) -> Option<String> {
    match value.pointer(path)? {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn micros(value: &Value, path: &str) -> Option<i64> {
    let at = DateTime::parse_from_rfc3339(text(value, path)?).ok()?;
    Some(at.timestamp_micros())
}

#[cfg(test)]
mod tests;

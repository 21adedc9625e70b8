//! `/api/webhooks/*`: what the billing provider is told about an event.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `POST /api/webhooks/polar`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WebhookAnswer {
    /// Always true: the event need not be sent again.
    pub received: bool,
    /// What became of it.
    pub outcome: WebhookOutcome,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WebhookOutcome {
    /// The user's plan follows it now.
    Applied,
    /// Something that happened later was known already: nothing changed.
    Outdated,
    /// This very event was dealt with before: nothing changed.
    Duplicate,
    /// It is about nothing that changes a plan.
    Ignored,
    /// It names no user or no subscription that Talktime could know. Sent again once it does, it is applied.
    Unmapped,
    /// Nothing says which plan a product in it stands for. Sent again once `polar_products` does, it is applied. What else
    /// it tells counts already.
    UnknownProduct,
    /// It, or the user's stored state, cannot be read, which sending it again does not mend by itself.
    Failed,
}

impl WebhookAnswer {
    /// The answer to an event that was received.
    #[must_use]
    pub const fn new(outcome: WebhookOutcome) -> Self {
        Self {
            received: true,
            outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_is_what_the_provider_sees() {
        assert_eq!(
            json!(WebhookAnswer::new(WebhookOutcome::UnknownProduct)),
            json!({"received": true, "outcome": "unknown_product"})
        );
    }
}

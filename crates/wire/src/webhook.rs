//! `/api/webhooks/*`: what the providers are told about an event.

use serde::{Deserialize, Serialize};
use talktime_usage::{CallId, SessionId};
use utoipa::ToSchema;

use crate::schema;

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

/// `POST /api/webhooks/openai`: what became of a call that came in. It is for whoever passes the event on; the provider itself
/// looks at the status only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(
    tag = "outcome",
    rename_all = "snake_case",
    rename_all_fields = "camelCase"
)]
pub enum PhoneAnswer {
    /// It is taken, and metered.
    Accepted {
        /// Whose it is.
        user_id: String,
        /// The session that was started for it: it needs a heartbeat while it goes on, and an end.
        #[schema(value_type = schema::SessionId)]
        session_id: SessionId,
        /// The provider's id of it.
        #[schema(value_type = String)]
        call_id: CallId,
    },
    /// It is turned away.
    Rejected {
        /// Why.
        reason: NotTaken,
    },
    /// The event is about something else.
    Ignored,
}

/// Why a call is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotTaken {
    /// No user is known for it.
    UnknownCaller,
    /// No minutes are left.
    NoCredits,
    /// The user is in another session.
    SessionActive,
    /// The session that was started for it is over.
    NoActiveSession,
}

impl NotTaken {
    /// The name in answers and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownCaller => "unknown_caller",
            Self::NoCredits => "no_credits",
            Self::SessionActive => "session_active",
            Self::NoActiveSession => "no_active_session",
        }
    }
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
    fn reasons_are_written_as_they_are_named() {
        for reason in [
            NotTaken::UnknownCaller,
            NotTaken::NoCredits,
            NotTaken::SessionActive,
            NotTaken::NoActiveSession,
        ] {
            let answer = json!(PhoneAnswer::Rejected { reason });
            assert_eq!(
                answer,
                json!({"outcome": "rejected", "reason": reason.as_str()})
            );
        }
    }

    #[test]
    fn an_answer_is_what_the_provider_sees() {
        assert_eq!(
            json!(WebhookAnswer::new(WebhookOutcome::UnknownProduct)),
            json!({"received": true, "outcome": "unknown_product"})
        );
    }
}

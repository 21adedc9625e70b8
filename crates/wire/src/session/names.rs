//! The names by which the API tells how hard a session is and why it is over. Each is spelled here, and a new one of the
//! domain does not compile before it has a spelling.

use serde::{Deserialize, Serialize};
use talktime_usage as usage;
use utoipa::ToSchema;

/// How hard the learner wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Difficulty {
    /// For those who start.
    Beginner,
    /// For those who get by.
    Intermediate,
    /// For those who want a challenge.
    Advanced,
}

impl From<usage::Difficulty> for Difficulty {
    fn from(difficulty: usage::Difficulty) -> Self {
        match difficulty {
            usage::Difficulty::Beginner => Self::Beginner,
            usage::Difficulty::Intermediate => Self::Intermediate,
            usage::Difficulty::Advanced => Self::Advanced,
        }
    }
}

impl From<Difficulty> for usage::Difficulty {
    fn from(difficulty: Difficulty) -> Self {
        match difficulty {
            Difficulty::Beginner => Self::Beginner,
            Difficulty::Intermediate => Self::Intermediate,
            Difficulty::Advanced => Self::Advanced,
        }
    }
}

/// Why a session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The user hung up, or started another session in its place.
    UserEnded,
    /// The plan's minutes were used up.
    LimitReached,
    /// It reached the longest time that a session may last.
    Timeout,
    /// The client gave up on an error.
    Error,
    /// Nothing was heard of it for too long.
    Stale,
}

impl From<usage::EndReason> for EndReason {
    fn from(reason: usage::EndReason) -> Self {
        match reason {
            usage::EndReason::UserEnded => Self::UserEnded,
            usage::EndReason::LimitReached => Self::LimitReached,
            usage::EndReason::Timeout => Self::Timeout,
            usage::EndReason::Error => Self::Error,
            usage::EndReason::Stale => Self::Stale,
        }
    }
}

/// Why a client ends a session. The other end reasons are Talktime's own to give.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientReason {
    /// The user hung up.
    #[default]
    UserEnded,
    /// Something broke.
    Error,
    /// The client's own limit was reached.
    Timeout,
}

impl From<ClientReason> for usage::EndReason {
    fn from(reason: ClientReason) -> Self {
        match reason {
            ClientReason::UserEnded => Self::UserEnded,
            ClientReason::Error => Self::Error,
            ClientReason::Timeout => Self::Timeout,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What operators look up comes from the ledger as it is, so the ledger spells the names in the same way.
    #[test]
    fn one_name_on_the_wire_and_in_the_ledger() {
        for difficulty in [
            usage::Difficulty::Beginner,
            usage::Difficulty::Intermediate,
            usage::Difficulty::Advanced,
        ] {
            let wire = Difficulty::from(difficulty);
            assert_eq!(json!(wire), json!(difficulty.as_str()));
            assert_eq!(usage::Difficulty::from(wire), difficulty);
        }
        for reason in [
            usage::EndReason::UserEnded,
            usage::EndReason::LimitReached,
            usage::EndReason::Timeout,
            usage::EndReason::Error,
            usage::EndReason::Stale,
        ] {
            assert_eq!(json!(EndReason::from(reason)), json!(reason.as_str()));
        }
    }
}

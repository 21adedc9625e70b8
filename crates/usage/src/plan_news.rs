//! News of what a user is granted, and what becomes of an event that brings it, whoever sends it.

use crate::command::Command;
use crate::event_order::EventOrder;
use crate::ids::{SubscriptionId, UserId};
use crate::ownership::Ownership;

/// News of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanNews {
    pub user: UserId,
    pub command: Command,
    /// When it happened, where it is told.
    pub as_of: Option<EventOrder>,
    /// What it tells of whose the subscriptions in it are.
    pub told: Vec<Ownership>,
    /// The subscriptions in it that were another user's until now.
    pub taken: Vec<(SubscriptionId, UserId)>,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventOutcome {
    /// The user's plan takes it into account.
    Applied,
    /// Something that happened later was known already.
    Outdated,
    /// It is about nothing that changes a plan.
    Ignored,
    /// It names no user or no subscription that could be known.
    Unmapped,
    /// Nothing says which plan a product in it stands for.
    UnknownProduct,
    /// It, or the state of its user, cannot be read.
    Failed,
}

impl EventOutcome {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Applied,
        Self::Outdated,
        Self::Ignored,
        Self::Unmapped,
        Self::UnknownProduct,
        Self::Failed,
    ];

    /// Those that an operator should look at, and that may give way to another when the event is sent again. Every other
    /// one is final.
    pub const OPEN: [Self; 3] = [Self::Unmapped, Self::UnknownProduct, Self::Failed];

    /// The name, as in the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Outdated => "outdated",
            Self::Ignored => "ignored",
            Self::Unmapped => "unmapped",
            Self::UnknownProduct => "unknown_product",
            Self::Failed => "failed",
        }
    }

    /// Whether it is one of [`EventOutcome::OPEN`].
    pub fn is_open(self) -> bool {
        Self::OPEN.contains(&self)
    }
}

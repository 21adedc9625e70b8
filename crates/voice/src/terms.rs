//! What is wanted of a provider, and what is asked of it.

use std::time::Duration;

use serde_json::Value;
use talktime_usage::Timestamp;

/// The token that is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// For which model.
    pub model: &'a str,
    /// With which voice; the provider's own choice otherwise.
    pub voice: Option<&'a str>,
    pub now: Timestamp,
    /// When the user's time is up.
    pub until: Timestamp,
}

/// What each provider has its own form of.
#[derive(Debug, PartialEq)]
pub struct Terms {
    /// The body of the request.
    pub body: Value,
    /// What it says about the token's life.
    pub expiry: Expiry,
    /// Until when the token can be connected with.
    pub connect_until: Timestamp,
    /// Until when a user who has connected can talk with it, as far as the provider is concerned and the user's time goes.
    pub talk_until: Timestamp,
}

/// How the end of a token's life is told to the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// So long after the provider made it.
    After(Duration),
    /// At that instant.
    At(Timestamp),
}

impl Expiry {
    /// The latest instant at which a token can end whose answer came at `answered_at`, by our own clock.
    pub fn latest(self, answered_at: Timestamp) -> Timestamp {
        match self {
            Self::After(span) => answered_at.plus(span),
            Self::At(at) => at,
        }
    }
}

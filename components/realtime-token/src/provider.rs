//! What the providers have in common, and the one place that tells them apart. Pure: nothing here sends or waits.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method};
use serde_json::Value;
use talktime_api::token::{Connect, Provider};
use talktime_usage::Instant;

use crate::accounts::Account;
use crate::{gemini, openai};

/// The token that is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// For which model.
    pub model: &'a str,
    /// With which voice; the provider's own choice otherwise.
    pub voice: Option<&'a str>,
    /// The time.
    pub now: Instant,
    /// When the user's time is up.
    pub until: Instant,
}

/// What is asked of a provider.
pub struct Order {
    /// The request, key and all.
    pub request: http::Request<Bytes>,
    /// What it says about the token's life.
    pub expiry: Expiry,
    /// Until when the token can be connected with, for the caller to know.
    pub connect_until: Instant,
}

/// The part of an order that each provider has its own form of.
#[derive(Debug, PartialEq)]
pub struct Terms {
    /// The body of the request.
    pub body: Value,
    /// What it says about the token's life.
    pub expiry: Expiry,
    /// Until when the token can be connected with.
    pub connect_until: Instant,
}

/// How the end of a token's life is told to the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// So long after the provider made it.
    After(Duration),
    /// At that instant.
    At(Instant),
}

impl Expiry {
    /// The latest instant at which a token can end whose answer came at `answered_at`, by our own clock.
    #[must_use]
    pub fn latest(self, answered_at: Instant) -> Instant {
        match self {
            Self::After(span) => answered_at.plus(span),
            Self::At(at) => at,
        }
    }
}

/// The request for a token that does not outlive the user's time; `None` where the provider has none so short.
#[must_use]
pub fn order(provider: Provider, account: &Account, wish: &Wish<'_>) -> Option<Order> {
    let (terms, path, key_header) = match provider {
        Provider::OpenAi => (openai::terms(wish)?, openai::PATH, openai::KEY_HEADER),
        Provider::Gemini => (gemini::terms(wish)?, gemini::PATH, gemini::KEY_HEADER),
    };
    Some(Order {
        request: request(account, path, key_header, &terms.body)?,
        expiry: terms.expiry,
        connect_until: terms.connect_until,
    })
}

fn request(
    account: &Account,
    path: &str,
    key_header: HeaderName,
    body: &Value,
) -> Option<http::Request<Bytes>> {
    let json = HeaderValue::from_static("application/json");
    http::Request::builder()
        .method(Method::POST)
        .uri(account.base_url.http(path))
        .header(key_header, &account.key)
        .header(CONTENT_TYPE, &json)
        .header(ACCEPT, &json)
        .body(Bytes::from(body.to_string()))
        .ok()
}

/// The token in a provider's answer; `None` where there is none.
#[must_use]
pub fn read_token(provider: Provider, answer: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    let token = match provider {
        Provider::OpenAi => openai::token(&answer)?,
        Provider::Gemini => gemini::token(&answer)?,
    };
    // What it is good for is the provider's affair, but it will stand in a header or a query: visible ASCII.
    let is_sound = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    is_sound.then(|| token.to_owned())
}

/// How to connect with a token.
#[must_use]
pub fn connect(provider: Provider, account: &Account) -> Connect {
    match provider {
        Provider::OpenAi => openai::connect(&account.base_url),
        Provider::Gemini => gemini::connect(&account.base_url),
    }
}

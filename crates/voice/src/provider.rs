//! What the providers have in common, and the one place that tells them apart. Pure: nothing here sends or waits.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method};
use serde_json::Value;
use talktime_wire::token::Connect;

use crate::accounts::{Account, Api};
use crate::openai::client_secrets;
use crate::terms::{Terms, Wish};
use crate::{gemini, openai};

/// What is asked of a provider.
pub struct Order {
    /// The request, key and all.
    pub request: http::Request<Bytes>,
    /// What it asks for.
    pub terms: Terms,
}

/// The request for a token that does not outlive the user's time; `None` where the provider has none so short.
pub fn order(account: &Account, wish: &Wish<'_>) -> Option<Order> {
    let (terms, path, key_header) = match &account.api {
        Api::OpenAi => (
            client_secrets::terms(wish)?,
            client_secrets::PATH.to_owned(),
            openai::KEY_HEADER,
        ),
        Api::Gemini(version) => (
            gemini::terms(wish)?,
            gemini::path(version),
            gemini::KEY_HEADER,
        ),
    };
    Some(Order {
        request: request(account, &path, key_header, &terms.body)?,
        terms,
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
pub fn read_token(api: &Api, answer: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    let token = match api {
        Api::OpenAi => client_secrets::token(&answer)?,
        Api::Gemini(_) => gemini::token(&answer)?,
    };
    // What it is good for is the provider's affair, but it will stand in a header or a query: visible ASCII.
    let is_sound = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    is_sound.then(|| token.to_owned())
}

/// How to connect with a token.
pub fn connect(account: &Account) -> Connect {
    match &account.api {
        Api::OpenAi => openai::connect(&account.base_url),
        Api::Gemini(version) => gemini::connect(&account.base_url, version),
    }
}

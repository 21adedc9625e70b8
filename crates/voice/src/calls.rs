//! What the calls of the providers have in common, and the one place that tells them apart; `provider.rs` is its like for
//! tokens. Pure: nothing here sends or waits.

use bytes::Bytes;
use http::{HeaderName, Method, StatusCode, request};
use serde_json::Value;
use talktime_usage::CallId;
use talktime_wire::call::CallProvider;

use crate::accounts::Account;
use crate::failure::Failure;
use crate::incoming::SipStatus;
use crate::openai::{self, live, phone};
use crate::sdp::Offer;

/// Whose call it is, in words that tell the provider nothing else: so it can turn away one user instead of the operator.
const SAFETY_IDENTIFIER: HeaderName = HeaderName::from_static("openai-safety-identifier");

/// The call that is wanted.
#[derive(Clone, Copy, Debug)]
pub struct CallWish<'a> {
    /// With which model.
    pub model: &'a str,
    /// With which voice; the provider's own choice otherwise.
    pub voice: Option<&'a str>,
    /// What the browser offers.
    pub offer: &'a Offer,
    /// What the provider is to know the user by.
    pub safety_identifier: &'a str,
}

/// A call that the provider has opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The provider's id of it.
    pub id: CallId,
    /// The provider's description of its end, for the browser.
    pub sdp: String,
}

/// The request that opens a call; `None` where the account has none.
pub fn offer(account: &Account, wish: &CallWish<'_>) -> Option<http::Request<Bytes>> {
    let to = |path| post(account, path).header(SAFETY_IDENTIFIER, wish.safety_identifier);
    match account.call_provider()? {
        CallProvider::OpenAi => openai::calls::offer(to(openai::calls::PATH), wish),
        CallProvider::OpenAiLive => live::offer(to(live::PATH), wish),
    }
}

/// The call in a provider's answer; `None` where there is none that can be used. It may have been opened all the same:
/// see [`read_id`].
pub fn read_opened(account: &Account, answer: &http::Response<Bytes>) -> Option<Opened> {
    let id = read_id(account, answer)?;
    let sdp = match account.call_provider()? {
        CallProvider::OpenAi => openai::calls::sdp(answer.body()),
        CallProvider::OpenAiLive => live::sdp(&json(answer)?),
    };
    Some(Opened { id, sdp: sdp? })
}

/// The id in a provider's answer, whatever else is in it: with it a call can be hung up that nobody can use.
pub fn read_id(account: &Account, answer: &http::Response<Bytes>) -> Option<CallId> {
    match account.call_provider()? {
        CallProvider::OpenAi => id(openai::calls::id(answer.headers())?),
        CallProvider::OpenAiLive => id(live::id(&json(answer)?)?),
    }
}

/// The request that ends a call; `None` where the account has none.
pub fn hang_up(account: &Account, id: &CallId) -> Option<http::Request<Bytes>> {
    let calls = match account.call_provider()? {
        CallProvider::OpenAi => openai::calls::PATH,
        CallProvider::OpenAiLive => live::PATH,
    };
    post(account, &format!("{calls}/{id}/hangup"))
        .body(Bytes::new())
        .ok()
}

/// The request that takes a call which has come in; `None` where the account takes none.
pub fn accept(
    account: &Account,
    id: &CallId,
    model: &str,
    instructions: Option<&str>,
    safety_identifier: &str,
) -> Option<http::Request<Bytes>> {
    let to = incoming(account, id, "accept")?.header(SAFETY_IDENTIFIER, safety_identifier);
    phone::accept(to, model, instructions)
}

/// The request that turns such a call away; `None` where the account takes none.
pub fn reject(account: &Account, id: &CallId, why: SipStatus) -> Option<http::Request<Bytes>> {
    phone::reject(incoming(account, id, "reject")?, why.code())
}

fn incoming(account: &Account, id: &CallId, action: &str) -> Option<request::Builder> {
    let takes_calls = account.call_provider()? == CallProvider::OpenAi;
    takes_calls.then(|| post(account, &format!("{}/{id}/{action}", openai::calls::PATH)))
}

/// Whether a call is over by what came of hanging up: the provider has ended it, or knows it no longer.
pub fn is_over(outcome: &Result<http::Response<Bytes>, Failure>) -> bool {
    let status = match outcome {
        Ok(answer) => answer.status(),
        Err(Failure::Status(status)) => *status,
        Err(_) => return false,
    };
    status.is_success() || matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE)
}

fn post(account: &Account, path: &str) -> request::Builder {
    http::Request::builder()
        .method(Method::POST)
        .uri(account.base_url.http(path))
        .header(openai::KEY_HEADER, &account.key)
}

fn json(answer: &http::Response<Bytes>) -> Option<Value> {
    serde_json::from_slice(answer.body()).ok()
}

/// An id that can stand in a path as it is. All that ids are made of can (RFC 3986, section 3.3) but for this one.
pub(crate) fn id(text: &str) -> Option<CallId> {
    let id = CallId::parse(text).ok()?;
    (!text.contains('|')).then_some(id)
}

#[cfg(test)]
mod tests;

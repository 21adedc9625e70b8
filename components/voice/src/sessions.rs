//! Sessions for calls that come in. To start one takes the ledger, which this component has not; the one that has it is
//! asked, as by any trusted server: over Spin's local service chaining, without a network.

use bytes::Bytes;
use serde_json::{Value, json};
use talktime_http::Problem;
use talktime_spin::{outbound, variable};
use talktime_usage::{CallId, SessionId, UserId};

/// The component's name in `spin.toml`, at the address that Spin gives it.
const SERVICE: &str = "http://session.spin.internal/api/session";

const SECRET: &str = "internal_api_secret";

/// Why there is no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotStarted {
    /// No minutes are left.
    NoMinutes,
    /// The user is in a session already.
    Talking,
}

/// Starts a session for that call. Asked again for the same call, it gives the same one.
pub async fn start(user: &UserId, call: &CallId) -> Result<Result<SessionId, NotStarted>, Problem> {
    let body = json!({"topic": "phone call", "awaitsCall": true});
    let answer = ask(user, "start", Some(call), &body).await?;
    let told: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    if answer.status().is_success() {
        let session = told["sessionId"].as_str().unwrap_or_default();
        return SessionId::parse(session).map(Ok).map_err(Problem::internal);
    }
    match told["code"].as_str() {
        Some("no_credits") => Ok(Err(NotStarted::NoMinutes)),
        Some("session_active") => Ok(Err(NotStarted::Talking)),
        Some("busy") => Err(Problem::busy(1)),
        code => Err(Problem::internal(format!(
            "a session for a call could not be started: {} {}",
            answer.status(),
            code.unwrap_or_default()
        ))),
    }
}

/// Ends a session whose call did not come about.
pub async fn end(user: &UserId, session: SessionId) -> Result<(), Problem> {
    let body = json!({"sessionId": session, "reason": "error"});
    let answer = ask(user, "end", None, &body).await?;
    if answer.status().is_success() {
        return Ok(());
    }
    Err(Problem::internal(format!(
        "session {session} could not be ended: {}",
        answer.status()
    )))
}

async fn ask(
    user: &UserId,
    action: &str,
    key: Option<&CallId>,
    body: &Value,
) -> Result<http::Response<Bytes>, Problem> {
    let secret = variable(SECRET).await?.unwrap_or_default();
    let mut request = http::Request::post(format!("{SERVICE}/{action}"))
        .header("content-type", "application/json")
        .header("x-internal-secret", secret)
        .header("x-user-id", user.as_str());
    if let Some(key) = key {
        request = request.header("idempotency-key", key.as_str());
    }
    let request = request
        .body(Bytes::from(body.to_string()))
        .map_err(Problem::internal)?;
    outbound::ask(request)
        .await
        .map_err(|failure| Problem::internal(format!("the session component: {failure}")))
}

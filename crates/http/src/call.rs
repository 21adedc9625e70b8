//! What a handler is given of a request: who calls, what they ask, and the mark of what it will write, all at once.
//!
//! A body is JSON for whoever has proved who they are, so there is no other way to it than through a caller. Who calls is
//! asked first, lest a stranger be told anything else, or be waited for.

use serde::de::DeserializeOwned;
use talktime_spin::now;
use talktime_store::WriteMark;
use talktime_usage::UserId;

use crate::auth;
use crate::idempotency::Idempotency;
use crate::problem::Problem;
use crate::request::Request;

/// A call in a user's name.
pub struct Call<B> {
    /// The user.
    pub user: UserId,
    /// The mark of the write. With an `Idempotency-Key` the call's retries have the same.
    pub mark: WriteMark,
    /// What is asked.
    pub body: B,
}

/// A request of the web app's own server: it has shown the internal secret.
pub struct InternalRequest(Request);

/// A call of the web app's own server. Whom it is about, if anybody, the body says.
pub struct InternalCall<B> {
    /// What is asked.
    pub body: B,
    idempotency: Idempotency,
}

impl Request {
    /// The user in whose name the request is made, for a route without a body.
    ///
    /// # Errors
    /// 401 when nobody proved it, 403 when only a cookie does and it does not count, 400 when a trusted server names no
    /// usable user, 500 when a variable cannot be used.
    pub async fn user(&self) -> Result<UserId, Problem> {
        self.user_by(auth::authenticator().await?, now())
    }

    /// The call.
    ///
    /// # Errors
    /// As [`Request::user`]; then 413, 408 and 400 for the body; then 400 for the `Idempotency-Key`.
    pub async fn call<B: DeserializeOwned>(self) -> Result<Call<B>, Problem> {
        let user = self.user().await?;
        let (body, idempotency) = self.json().await?;
        let mark = idempotency.mark(&user)?;
        Ok(Call { user, mark, body })
    }

    /// Lets only the web app's own server pass.
    ///
    /// # Errors
    /// 401 without the right `X-Internal-Secret`, 500 when the variable cannot be used.
    pub async fn internal(self) -> Result<InternalRequest, Problem> {
        auth::internal_secret().await?.require(self.headers())?;
        Ok(InternalRequest(self))
    }
}

impl InternalRequest {
    /// What stands in the place of `{id}`, decoded; empty where the route has none.
    #[must_use]
    pub fn path_id(&self) -> &str {
        self.0.path_id()
    }

    /// The call.
    ///
    /// # Errors
    /// 413, 408 and 400 for the body.
    pub async fn call<B: DeserializeOwned>(self) -> Result<InternalCall<B>, Problem> {
        let (body, idempotency) = self.0.json().await?;
        Ok(InternalCall { body, idempotency })
    }
}

impl<B> InternalCall<B> {
    /// The mark of a write for that user. With an `Idempotency-Key` the call's retries have the same.
    ///
    /// # Errors
    /// 400 for the `Idempotency-Key`.
    pub fn mark(&self, user: &UserId) -> Result<WriteMark, Problem> {
        self.idempotency.mark(user)
    }
}

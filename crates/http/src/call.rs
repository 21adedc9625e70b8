//! What a handler is given of a request: who calls, what they ask, and the mark of what it will write, all at once.
//!
//! A body is JSON for whoever has proved who they are, so there is no other way to it than through a caller. Who calls is
//! asked first, lest a stranger be told anything else, or be waited for.

use serde::de::DeserializeOwned;
use talktime_spin::now;
use talktime_store::WriteMark;
use talktime_usage::{Timestamp, UserId};

use crate::auth::{self, Authenticator};
use crate::idempotency::Idempotency;
use crate::problem::Problem;
use crate::request::Request;

/// A call in a user's name.
pub struct Call<B> {
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
        self.call_by(auth::authenticator().await?, now()).await
    }

    async fn call_by<B: DeserializeOwned>(
        self,
        authenticator: &Authenticator,
        now: Timestamp,
    ) -> Result<Call<B>, Problem> {
        let user = self.user_by(authenticator, now)?;
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

#[cfg(test)]
mod tests {
    use futures_executor::block_on;
    use serde::Deserialize;

    use super::*;
    use crate::auth::AuthSettings;

    const SECRET: &str = "s3cret-of-the-tests-0123456789ab";

    #[derive(Deserialize)]
    struct Body {
        minutes: u32,
    }

    fn call(headers: &[(&str, &str)], body: &str) -> Result<Call<Body>, Problem> {
        let mut request = http::Request::post("/write");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.to_owned()).expect("a request");
        let settings = AuthSettings {
            internal_api_secret: Some(SECRET.to_owned()),
            ..AuthSettings::default()
        };
        let authenticator = Authenticator::from_settings(&settings).expect("settings");
        let call = Request::from_http(request).call_by(&authenticator, now());
        block_on(call)
    }

    #[test]
    fn who_calls_is_asked_first_then_what_then_whether_again() {
        let ada = [("x-internal-secret", SECRET), ("x-user-id", "ada")];
        let key = |key| [ada[0], ada[1], ("idempotency-key", key)];
        let check = |headers: &[(&str, &str)], body: &str, expected: &str| {
            let code = call(headers, body).map_err(|problem| problem.code().as_str());
            assert_eq!(code.map(|_| ()), Err(expected), "{headers:?} {body}");
        };
        check(&key("ü")[2..], "nonsense", "unauthorized");
        check(&key("")[..1], "nonsense", "invalid_field");
        check(&key(""), "nonsense", "bad_request");
        check(&key(""), "{}", "invalid_field");
        check(&key(""), r#"{"minutes":3}"#, "idempotency_key_invalid");

        for (headers, is_repeatable) in [(&ada[..], false), (&key("k1"), true)] {
            let call =
                call(headers, r#"{"minutes":3}"#).unwrap_or_else(|problem| panic!("{problem}"));
            assert_eq!((call.user.as_str(), call.body.minutes), ("ada", 3));
            let is_marked_so = matches!(call.mark, WriteMark::Repeatable(_)) == is_repeatable;
            assert!(is_marked_so, "{:?}", call.mark);
        }
    }
}

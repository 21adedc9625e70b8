//! A request as components see it: its head is there, its body is read when it is asked for.

use std::fmt::Display;
use std::pin::Pin;

use bytes::Bytes;
use http::{HeaderMap, Method, Uri};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use talktime_store::WriteMark;
use talktime_usage::{Instant, Repeat, UserId};

use crate::authentication::Authenticator;
use crate::body::BODY_BYTES_MAX;
use crate::csrf::CookieUse;
use crate::problem::Problem;
use crate::{body, deadline, idempotency, settings};

type BoxedBody = Pin<Box<dyn http_body::Body<Data = Bytes, Error = String>>>;

/// A request.
pub struct Request {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
    pattern: &'static str,
    id: String,
    cookies: CookieUse,
}

/// A body is read once, and then stays.
enum Body {
    Coming(BoxedBody),
    Here(Bytes),
    /// It did not come whole.
    Lost,
}

impl Request {
    /// From the host's request, or from one that a test makes.
    pub fn from_http<B>(request: http::Request<B>) -> Self
    where
        B: http_body::Body<Data = Bytes> + 'static,
        B::Error: Display,
    {
        let (head, body) = request.into_parts();
        Self {
            method: head.method,
            uri: head.uri,
            headers: head.headers,
            body: Body::Coming(Box::pin(body.map_err(|error| error.to_string()))),
            pattern: "",
            id: String::new(),
            cookies: CookieUse::Forged,
        }
    }

    pub(crate) fn at(mut self, pattern: &'static str, id: String, cookies: CookieUse) -> Self {
        self.pattern = pattern;
        self.id = id;
        self.cookies = cookies;
        self
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The path, not decoded.
    #[must_use]
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// What the request was sent to: scheme, host and port as the host knows them, path and query.
    #[must_use]
    pub fn target(&self) -> &Uri {
        &self.uri
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The first value of a header, if it is visible ASCII.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The path of the route that was found, as the table has it.
    #[must_use]
    pub fn route(&self) -> &'static str {
        self.pattern
    }

    /// What stands in the place of `{id}`, decoded; empty where the route has none.
    #[must_use]
    pub fn path_id(&self) -> &str {
        &self.id
    }

    /// The whole body.
    ///
    /// # Errors
    /// 413 over 64 KiB, 408 when it takes longer than ten seconds, 400 when it breaks off.
    pub async fn bytes(&mut self) -> Result<Bytes, Problem> {
        self.bytes_up_to(BODY_BYTES_MAX).await
    }

    /// The whole body, on a route that takes larger or only smaller ones than usual.
    ///
    /// # Errors
    /// As [`Request::bytes`], with that limit.
    pub async fn bytes_up_to(&mut self, bytes_max: usize) -> Result<Bytes, Problem> {
        match std::mem::replace(&mut self.body, Body::Lost) {
            Body::Coming(body) => {
                let deadline = deadline::after(body::ARRIVAL_MAX);
                let grace = deadline::after(body::GRACE);
                let bytes = body::read(&self.headers, body, bytes_max, deadline, grace).await?;
                self.body = Body::Here(bytes);
            }
            read => self.body = read,
        }
        match &self.body {
            Body::Here(bytes) => Ok(bytes.clone()),
            Body::Coming(_) | Body::Lost => Err(Problem::bad_request("The body broke off")),
        }
    }

    /// The body as JSON; an empty one is an empty object.
    ///
    /// # Errors
    /// As [`Request::bytes`], and 400 as [`body::parse_json`].
    pub async fn json<T: DeserializeOwned>(&mut self) -> Result<T, Problem> {
        body::parse_json(&self.bytes().await?)
    }

    /// The mark of this request, made in `user`'s name. With an `Idempotency-Key` its retries have the same. Another
    /// request that has it too is known by its body, which must have been read.
    ///
    /// # Errors
    /// As [`idempotency::write_id`].
    pub fn write_mark(&self, user: &UserId) -> Result<WriteMark, Problem> {
        let id = idempotency::write_id(&self.headers, self.pattern, user)?;
        Ok(if self.headers.contains_key(idempotency::HEADER) {
            let Body::Here(body) = &self.body else {
                return Err(Problem::internal("a request is marked before it is read"));
            };
            WriteMark::Repeatable(Repeat {
                id,
                fingerprint: Some(idempotency::fingerprint(body)),
            })
        } else {
            WriteMark::Once(id)
        })
    }

    /// The user in whose name the request is made.
    ///
    /// # Errors
    /// 401, 403 and 400 as [`Authenticator::user`], 500 when a variable cannot be used.
    pub async fn user(&self, now: Instant) -> Result<UserId, Problem> {
        self.user_by(settings::authenticator().await?, now)
    }

    pub(crate) fn user_by(
        &self,
        authenticator: &Authenticator,
        now: Instant,
    ) -> Result<UserId, Problem> {
        authenticator.user(&self.headers, self.cookies, now)
    }

    /// Lets only the web app's own server pass.
    ///
    /// # Errors
    /// 401 without the right `X-Internal-Secret`, 500 when the variable cannot be used.
    pub async fn require_internal_secret(&self) -> Result<(), Problem> {
        settings::internal_secret().await?.require(&self.headers)
    }
}

//! A request as components see it: its head is there, its body is read when it is asked for.

use std::fmt::Display;
use std::pin::Pin;

use bytes::Bytes;
use http::{HeaderMap, Method, Uri};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use talktime_usage::{Timestamp, UserId};

use crate::auth::Authenticator;
use crate::body::BODY_BYTES_MAX;
use crate::csrf::CookieUse;
use crate::idempotency::Idempotency;
use crate::problem::Problem;
use crate::{body, deadline, idempotency};

type BoxedBody = Pin<Box<dyn http_body::Body<Data = Bytes, Error = String>>>;

/// A request whose body has not been read.
pub struct Request {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: BoxedBody,
    /// The path of the route that was found, as the table has it.
    pub(crate) pattern: &'static str,
    id: String,
    cookies: CookieUse,
}

impl Request {
    /// From the host's request, or from one that a test makes.
    pub(crate) fn from_http<B>(request: http::Request<B>) -> Self
    where
        B: http_body::Body<Data = Bytes> + 'static,
        B::Error: Display,
    {
        let (head, body) = request.into_parts();
        Self {
            method: head.method,
            uri: head.uri,
            headers: head.headers,
            body: Box::pin(body.map_err(|error| error.to_string())),
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

    pub(crate) fn method(&self) -> &Method {
        &self.method
    }

    /// The path, not decoded.
    pub(crate) fn path(&self) -> &str {
        self.uri.path()
    }

    /// What the request was sent to: scheme, host and port as the host knows them, path and query.
    pub(crate) fn target(&self) -> &Uri {
        &self.uri
    }

    /// All of its headers, as they came.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// What stands in the place of `{id}`, decoded; empty where the route has none.
    pub(crate) fn path_id(&self) -> &str {
        &self.id
    }

    /// The whole body.
    ///
    /// # Errors
    /// 413 over that many bytes, 408 when it takes longer than ten seconds, 400 when it breaks off.
    pub async fn bytes_up_to(self, bytes_max: usize) -> Result<Bytes, Problem> {
        let deadline = deadline::after(body::ARRIVAL_MAX);
        let grace = deadline::after(body::GRACE);
        body::read(&self.headers, self.body, bytes_max, deadline, grace).await
    }

    /// The body as JSON, and what makes a retry known.
    pub(crate) async fn json<T: DeserializeOwned>(self) -> Result<(T, Idempotency), Problem> {
        let keys = self.headers.get_all(idempotency::HEADER);
        let (keys, route) = (keys.iter().cloned().collect(), self.pattern);
        let body = self.bytes_up_to(BODY_BYTES_MAX).await?;
        Ok((body::parse_json(&body)?, Idempotency { keys, route, body }))
    }

    pub(crate) fn user_by(
        &self,
        authenticator: &Authenticator,
        now: Timestamp,
    ) -> Result<UserId, Problem> {
        authenticator.user(&self.headers, self.cookies, now)
    }
}

//! What a component answers, before the service adds the headers that every answer has.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Serialize;

use crate::problem::Problem;

/// An answer: a status, headers and a body in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// 200 with `value` as JSON.
    ///
    /// # Errors
    /// When `value` cannot be written as JSON: 500.
    pub fn ok<T: Serialize>(value: &T) -> Result<Self, Problem> {
        Self::json(StatusCode::OK, value)
    }

    /// `status` with `value` as JSON.
    ///
    /// # Errors
    /// When `value` cannot be written as JSON: 500.
    pub fn json<T: Serialize>(status: StatusCode, value: &T) -> Result<Self, Problem> {
        let body = serde_json::to_vec(value)
            .map_err(|error| Problem::internal(format!("answer: {error}")))?;
        Ok(Self::bytes("application/json", body).with_status(status))
    }

    /// 200 with a body of any type.
    pub fn bytes(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self {
            status: StatusCode::OK,
            headers: HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]),
            body: body.into(),
        }
    }

    /// `status` without a body.
    #[must_use]
    pub fn empty(status: StatusCode) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    /// Adds a header, in place of one of that name.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }
}

impl From<&Problem> for Answer {
    fn from(problem: &Problem) -> Self {
        // Texts, numbers and maps with texts as keys: this is always JSON, so the empty body never happens.
        let body = serde_json::to_vec(problem.details()).unwrap_or_default();
        let mut answer =
            Self::bytes("application/problem+json", body).with_status(problem.status());
        answer.headers.extend(problem.headers().iter().cloned());
        answer
    }
}

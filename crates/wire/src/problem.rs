//! Refusals: RFC 9457 problem details with two more members, `code` for programs and `error` for people.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use talktime_usage::SessionId;
use utoipa::ToSchema;

use crate::schema;

mod code;

pub use code::Code;

/// A refusal as the caller sees it, `application/problem+json`.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProblemDetails {
    /// `urn:talktime:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the code means in general.
    pub title: &'static str,
    /// The HTTP status again.
    pub status: u16,
    /// More about this one occurrence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The stable name of the reason.
    pub code: Code,
    /// A sentence for people.
    pub error: String,
    /// With `invalid_field`: the field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// With `session_active`: the session that runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::SessionId>)]
    pub session_id: Option<SessionId>,
    /// Members that only some refusals have.
    #[serde(flatten)]
    pub members: BTreeMap<&'static str, Value>,
}

impl ProblemDetails {
    /// A refusal with a sentence for people: what happened and what to do next, without a period.
    pub fn new(code: Code, error: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:talktime:problem:{}", code.as_str()),
            title: code.title(),
            status: code.status().as_u16(),
            detail: None,
            code,
            error: error.into(),
            field: None,
            session_id: None,
            members: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn codes_are_written_as_they_are_named() {
        for code in Code::ALL {
            assert_eq!(json!(code), json!(code.as_str()));
            assert!(code.status().as_u16() >= 400, "{code:?}");
        }
    }
}

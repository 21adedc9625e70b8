use serde_json::json;

use super::*;

#[test]
fn the_caller_sees_details_and_never_the_internal_message() {
    let problem = Problem::internal("disk full\nat /var")
        .detail("more")
        .member("hint", 7);
    assert_eq!(
        json!(problem.details()),
        json!({
            "type": "urn:talktime:problem:internal",
            "title": "Internal error",
            "status": 500,
            "detail": "more",
            "code": "internal",
            "error": "Something went wrong on our side; try again",
            "hint": 7,
        })
    );
    assert_eq!(
        problem.log_line().as_deref(),
        Some("internal: disk full at /var")
    );
    assert_eq!(Problem::not_found().log_line(), None);
}

#[test]
fn a_refusal_names_what_it_is_about() {
    let session = SessionId::parse("0191d1a6-6f2b-7c3f-8a55-111111111111").expect("a UUID");
    assert_eq!(
        json!(Problem::session_active(session).details())["sessionId"],
        json!("0191d1a6-6f2b-7c3f-8a55-111111111111")
    );
    let field = Problem::invalid_field("plan", "must be a text");
    assert_eq!(json!(field.details())["field"], json!("plan"));
    assert_eq!(
        json!(field.details())["error"],
        json!("plan: must be a text")
    );
    let misconfigured = Problem::from(Misconfigured::new("auth_jwks", "no JSON"));
    assert!(misconfigured.details().error.contains("auth_jwks"));
    assert!(!misconfigured.details().error.contains("no JSON"));
    assert_eq!(
        misconfigured.log_line().as_deref(),
        Some("misconfigured: variable auth_jwks: no JSON")
    );
    assert_eq!(Problem::busy(1).headers(), [(RETRY_AFTER, 1.into())]);
}

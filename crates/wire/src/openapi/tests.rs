//! The routes as the document tells of them. Only the test that makes the document needs these, so no component does.

use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};

use crate::call::{CallAnswer, CallBody};
use crate::internal::{
    HangUpAnswer, OverviewAnswer, PhoneBody, SweepAnswer, SweepBody, UpdatePlanAnswer,
    UpdatePlanBody, UserAnswer,
};
use crate::problem::ProblemDetails;
use crate::session::{
    EndAnswer, EndBody, HeartbeatAnswer, HeartbeatBody, StartAnswer, StartBody, StatusAnswer,
};
use crate::token::{TokenAnswer, TokenBody};
use crate::webhook::{PhoneAnswer, WebhookAnswer};

macro_rules! route {
    ($name:ident, $method:ident, $path:literal, $tag:literal, $summary:literal, security($($security:tt)*),
     $(params($($parameter:tt)*),)? $(body($body:ty),)? answer($answer:ty), $($status:literal: $why:literal),* $(,)?) => {
        #[utoipa::path(
            $method,
            path = $path,
            tag = $tag,
            summary = $summary,
            security($($security)*),
            $(params($($parameter)*),)?
            $(request_body = $body,)?
            responses(
                (status = 200, body = $answer),
                $((status = $status, description = $why, body = ProblemDetails,
                   content_type = "application/problem+json"),)*
            )
        )]
        #[expect(dead_code, reason = "only its attribute is wanted")]
        fn $name() {}
    };
}

route!(session_status, get, "/api/session/status", "session", "The user's minutes at this instant",
    security(("bearer" = []), ("trusted_server" = [], "user" = [])),
    answer(StatusAnswer), 400: "A user id that is none", 401: "Not authenticated", 405: "Another method");

route!(session_start, post, "/api/session/start", "session", "Start a session",
    security(("bearer" = []), ("trusted_server" = [], "user" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "A retry with the same key gets the first answer")),
    body(StartBody), answer(StartAnswer), 400: "A body or user id that is none", 401: "Not authenticated",
    403: "No minutes left", 405: "Another method", 409: "A session is running: the answer names it",
    408: "A body that took over ten seconds", 413: "A body over 64 KiB", 422: "A key that came with another body before", 503: "Busy: try again");

route!(session_heartbeat, post, "/api/session/heartbeat", "session", "The session is alive",
    security(("bearer" = []), ("trusted_server" = [], "user" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "A retry with the same key gets the first answer")),
    body(HeartbeatBody), answer(HeartbeatAnswer), 400: "A body or user id that is none", 401: "Not authenticated",
    404: "No such session", 405: "Another method", 408: "A body that took over ten seconds", 413: "A body over 64 KiB", 422: "A key that came with another body before", 503: "Busy: try again");

route!(session_end, post, "/api/session/end", "session", "End a session; ending it twice gives the first answer again",
    security(("bearer" = []), ("trusted_server" = [], "user" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "A retry with the same key gets the first answer")),
    body(EndBody), answer(EndAnswer), 400: "A body or user id that is none", 401: "Not authenticated",
    404: "No such session", 405: "Another method", 408: "A body that took over ten seconds", 413: "A body over 64 KiB", 422: "A key that came with another body before", 503: "Busy: try again");

route!(realtime_token, post, "/api/realtime-token", "session", "A short-lived token for the voice provider",
    security(("bearer" = []), ("trusted_server" = [], "user" = [])),
    params(("Idempotency-Key" = Option<String>, Header,
        description = "A retry with the same key gets a token of its own; one with another body is refused")),
    body(TokenBody), answer(TokenAnswer), 400: "A body or user id that is none, or a model that is not offered",
    401: "Not authenticated", 403: "No session is running, too little is left of it, or no minutes are left",
    405: "Another method", 408: "A body that took over ten seconds", 413: "A body over 64 KiB", 422: "The key came with another body before",
    429: "Too many tokens in a minute", 502: "The provider failed",
    503: "The provider is not configured or busy, or Talktime is");

route!(realtime_call, post, "/api/realtime-call", "session", "A call at the voice provider, hung up when the session ends",
    security(("bearer" = []), ("trusted_server" = [], "user" = [])),
    params(("Idempotency-Key" = Option<String>, Header,
        description = "A retry with the same key gets a call of its own; one with another body is refused")),
    body(CallBody), answer(CallAnswer), 400: "A body or user id that is none, an offer that is none, or a model that is not offered",
    401: "Not authenticated", 403: "No session is running, too little is left of it, or no minutes are left",
    405: "Another method", 408: "A body that took over ten seconds", 413: "A body over 64 KiB", 422: "The key came with another body before",
    429: "Another call is being set up, or too many were in a minute", 502: "The provider failed",
    503: "The provider is not configured or busy, or Talktime is");

route!(update_plan, post, "/api/internal/update-plan", "internal", "Change what a source grants a user",
    security(("trusted_server" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "A retry with the same key gets the first answer")),
    body(UpdatePlanBody), answer(UpdatePlanAnswer), 400: "A body that is none: it names the field",
    401: "No or a wrong internal secret", 405: "Another method", 408: "A body that took over ten seconds", 413: "A body over 64 KiB", 422: "A key that came with another body before", 503: "Busy: try again");

route!(alarm, post, "/api/internal/alarm", "internal", "Sweep due alarms, where no cron trigger does",
    security(("trusted_server" = [])), body(SweepBody), answer(SweepAnswer),
    400: "A body that cannot be used", 401: "No or a wrong internal secret", 405: "Another method",
    409: "The clock is far ahead of the last sweep", 413: "A body over 64 KiB", 503: "Busy: try again");

route!(hang_ups, post, "/api/internal/hang-ups", "internal", "Hang up the calls of ended sessions, where no cron trigger does",
    security(("trusted_server" = [])), answer(HangUpAnswer),
    401: "No or a wrong internal secret", 405: "Another method", 503: "Busy: try again");

route!(phones, post, "/api/internal/phones", "internal", "Say whose a phone number is",
    security(("trusted_server" = [])), body(PhoneBody), answer(PhoneBody),
    400: "A body that is none: it names the field", 401: "No or a wrong internal secret", 405: "Another method",
    408: "A body that took over ten seconds", 413: "A body over 64 KiB", 503: "Busy: try again");

route!(user, get, "/api/internal/users/{id}", "internal", "A user's status, sessions and periods",
    security(("trusted_server" = [])), params(("id" = String, Path, description = "The user")),
    answer(UserAnswer), 400: "A user id that is none", 401: "No or a wrong internal secret",
    404: "A user never seen", 405: "Another method", 503: "Busy: try again");

route!(overview, get, "/api/internal/overview", "internal", "Everything at a glance",
    security(("trusted_server" = [])), answer(OverviewAnswer),
    401: "No or a wrong internal secret", 405: "Another method", 503: "Busy: try again");

route!(polar, post, "/api/webhooks/polar", "webhooks", "An event of the billing provider, signed by Standard Webhooks",
    security(("polar" = [])), body(serde_json::Value), answer(WebhookAnswer),
    400: "A body that broke off", 401: "Not signed by the provider", 405: "Another method", 408: "A body that took over ten seconds", 413: "A body over 256 KiB",
    503: "Busy: try again");

route!(openai, post, "/api/webhooks/openai", "webhooks", "A call that comes in by telephone, signed by Standard Webhooks",
    security(("openai" = [])), body(serde_json::Value), answer(PhoneAnswer),
    400: "A body that broke off", 401: "Not signed by the provider", 405: "Another method",
    408: "A body that took over ten seconds", 413: "A body over 64 KiB", 429: "Another call of the user's is being set up",
    502: "The provider failed", 503: "The provider is not configured or busy, or Talktime is");

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Talktime",
        description = "Real-time metering and enforcement of AI voice minutes"
    ),
    paths(
        session_status,
        session_start,
        session_heartbeat,
        session_end,
        realtime_token,
        realtime_call,
        update_plan,
        alarm,
        hang_ups,
        user,
        overview,
        phones,
        polar,
        openai
    )
)]
struct Document;

fn document() -> String {
    let mut document = Document::openapi();
    let key = |name: &str, what: &str| {
        SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(name, what)))
    };
    let components = document.components.get_or_insert_default();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .build();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    for (scheme, header, what) in [
        ("trusted_server", "X-Internal-Secret", "The internal secret"),
        (
            "user",
            "X-User-Id",
            "The user that the trusted server acts for",
        ),
        (
            "polar",
            "webhook-signature",
            "See https://www.standardwebhooks.com",
        ),
        (
            "openai",
            "webhook-signature",
            "See https://www.standardwebhooks.com",
        ),
    ] {
        components.add_security_scheme(scheme, key(header, what));
    }
    let mut json = document.to_pretty_json().expect("serializable");
    json.push('\n');
    json
}

#[test]
fn the_checked_in_document_fits_the_types() {
    let made = document();
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
        std::fs::write(path, &made).expect("writable");
        return;
    }
    assert_eq!(
        made,
        super::DOCUMENT,
        "run UPDATE_OPENAPI=1 cargo test -p talktime-wire"
    );
}

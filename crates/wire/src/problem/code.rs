//! The codes of refusals, each with its HTTP status and its title: what programs decide by.

use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $status:ident, $title:literal;)*) => {
        /// Why a request is refused, by a name that never changes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The name in answers and logs.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The HTTP status that goes with it.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// What it means in general.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

codes! {
    /// The body, the path or a header cannot be read.
    BadRequest = "bad_request", BAD_REQUEST, "Bad request";
    /// A field has a value that it cannot have; the member `field` names it.
    InvalidField = "invalid_field", BAD_REQUEST, "Invalid field";
    /// The `Idempotency-Key` has another form than 1 to 128 printable ASCII characters.
    IdempotencyKeyInvalid = "idempotency_key_invalid", BAD_REQUEST, "Invalid idempotency key";
    /// The `Idempotency-Key` came with another request before.
    IdempotencyKeyReused = "idempotency_key_reused", UNPROCESSABLE_ENTITY, "Idempotency key reused";
    /// Nobody proved who is asking.
    Unauthorized = "unauthorized", UNAUTHORIZED, "Not signed in";
    /// The plan's minutes are used up.
    NoCredits = "no_credits", FORBIDDEN, "No minutes left";
    /// It needs a running session, and the user has none.
    NoActiveSession = "no_active_session", FORBIDDEN, "No running session";
    /// A session runs, but what is left of it is too short for a token; the member `secondsRemaining` says how short.
    SessionEnding = "session_ending", FORBIDDEN, "Session about to end";
    /// A page of a site that is not allowed used the user's cookie.
    OriginNotAllowed = "origin_not_allowed", FORBIDDEN, "Origin not allowed";
    /// There is nothing at this path.
    NotFound = "not_found", NOT_FOUND, "Not found";
    /// The user has no session of this id.
    SessionNotFound = "session_not_found", NOT_FOUND, "Session not found";
    /// The path has other methods; the header `Allow` lists them.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "Method not allowed";
    /// A session runs already; the member `sessionId` names it.
    SessionActive = "session_active", CONFLICT, "A session is running";
    /// The body did not arrive in time.
    BodyTimeout = "body_timeout", REQUEST_TIMEOUT, "Body too slow";
    /// The clock of a sweep is far ahead of the last sweep's; the members `clock`, `newest` and `believedAt` tell.
    ClockSuspect = "clock_suspect", CONFLICT, "Clock suspect";
    /// The body is larger than its route takes.
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE, "Body too large";
    /// Too many requests of this kind by this user; `Retry-After` says when again.
    RateLimited = "rate_limited", TOO_MANY_REQUESTS, "Too many requests";
    /// The operator set a variable to something that cannot be used.
    Misconfigured = "misconfigured", INTERNAL_SERVER_ERROR, "Misconfigured";
    /// Something failed that should not; the log knows more.
    Internal = "internal", INTERNAL_SERVER_ERROR, "Internal error";
    /// The provider of voices refused or did not answer.
    ProviderError = "provider_error", BAD_GATEWAY, "Provider failed";
    /// The provider of voices has too much to do; `Retry-After` says when again.
    ProviderBusy = "provider_busy", SERVICE_UNAVAILABLE, "Provider busy";
    /// The operator set no key for this provider.
    ProviderNotConfigured = "provider_not_configured", SERVICE_UNAVAILABLE, "Provider not set up";
    /// The same request can succeed a moment later; `Retry-After` says when.
    Busy = "busy", SERVICE_UNAVAILABLE, "Busy";
}

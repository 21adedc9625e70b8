//! What the `OpenAPI` document says of the domain's numbers, ids and texts. The domain itself knows nothing of the
//! document; a field of one of its types names its schema here by `value_type`.

use utoipa::ToSchema;

/// Whole minutes of talk: what is granted, used and billed.
#[derive(Debug, ToSchema)]
pub struct Minutes(pub u32);

/// Whole seconds in an answer, rounded up: a client that stops at zero loses nothing of what is paid for.
#[derive(Debug, ToSchema)]
pub struct Seconds(pub u64);

/// The id of a voice session, a UUID that whoever starts the session draws.
#[derive(Debug, ToSchema)]
#[schema(format = "uuid")]
pub struct SessionId(pub String);

/// What the session is about: up to 200 characters of free text, shown but never interpreted.
#[derive(Debug, ToSchema)]
pub struct Topic(pub String);

//! Every bound on tokens and on what is asked of a provider, with its reason.

use std::time::Duration;

/// Tokens of a user in a minute. A page needs one to connect, and one more for each try after the connection broke
/// off, of which ours makes six in a minute. More than that is somebody who collects tokens.
pub const MINTS_PER_MINUTE_MAX: usize = 6;

/// Times in a minute that a provider is asked in a user's name, tokens that it did not give included. Those cost the user
/// nothing, so this is wide: a page that tries again by itself asks about ten times, and its user may start anew some times
/// beside that. It is there because each costs the provider a request and the store two writes.
pub const MINT_TRIES_PER_MINUTE_MAX: usize = 20;

/// How long giving a mint back may take. The caller waits for it, after a provider that failed or a store that is slow, and
/// what cannot be given back comes free within a minute by itself.
pub const GIVE_BACK_MAX: Duration = Duration::from_secs(1);

/// How long a token can be connected with. A page connects at once, or after asking for the microphone.
pub const CONNECT_WITHIN: Duration = Duration::from_mins(1);

/// How long a provider has in all. Below the 10 s after which the client of ours gives up, so that the page gets an
/// answer; providers take well under a second.
pub const EXCHANGE_MAX: Duration = Duration::from_secs(8);

/// How long a provider has until its answer begins, as the host keeps it.
pub const FIRST_BYTE_MAX: Duration = Duration::from_secs(6);

/// How long a provider may pause within its answer, as the host keeps it.
pub const BETWEEN_BYTES_MAX: Duration = Duration::from_secs(2);

/// The longest answer that is read. Real ones have up to 2 KiB.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// When to come back to a busy provider that does not say so itself. Its limits are counted by the second or the minute.
pub const RETRY_AFTER_DEFAULT_SECONDS: u32 = 5;

/// The longest that callers are asked to wait for a busy provider. The client of ours waits no longer either: what the
/// provider cannot do within that, this user will not wait for.
pub const RETRY_AFTER_MAX_SECONDS: u32 = 30;

//! Names of users, sessions, subscriptions, phones and writes, checked once where they enter.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The most characters that an id from outside may have.
pub const ID_LENGTH_MAX: usize = 128;

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Empty or over `ID_LENGTH_MAX` characters.
    #[error("must have 1 to {ID_LENGTH_MAX} characters")]
    Length,
    /// A character that could be misread in a key, a path or a log.
    #[error("may hold only letters, digits and . _ - @ : | + = ~")]
    Character,
    /// In a path these two are the folder itself and the one above, whatever is done to escape them.
    #[error("must not be . or ..")]
    DotSegment,
    /// A session id is a UUID.
    #[error("must be a session id that start gave")]
    NotASession,
    /// A phone number is `+`, the country's code and the number.
    #[error("must be a phone number such as +14155550123")]
    NotAPhoneNumber,
}

/// The characters of an opaque id: those of UUIDs, e-mail addresses, and the `provider|id` and `urn:x:y` forms of
/// identity providers. No slash (keys and routes), no space or control character (logs), nothing to escape in HTML.
fn is_safe(character: char) -> bool {
    character.is_ascii_alphanumeric()
        || matches!(
            character,
            '.' | '_' | '-' | '@' | ':' | '|' | '+' | '=' | '~'
        )
}

fn checked(text: &str) -> Result<String, IdError> {
    if text.is_empty() || text.chars().count() > ID_LENGTH_MAX {
        Err(IdError::Length)
    } else if matches!(text, "." | "..") {
        Err(IdError::DotSegment)
    } else if text.chars().all(is_safe) {
        Ok(text.to_owned())
    } else {
        Err(IdError::Character)
    }
}

macro_rules! opaque_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks a text from outside.
            ///
            /// # Errors
            /// When it is empty, too long or holds an unsafe character.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                checked(text).map(Self)
            }

            /// As it came, and as keys and rows have it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

opaque_id! {
    /// The web app's id of a user: opaque, 1 to 128 safe characters.
    UserId
}
opaque_id! {
    /// The billing provider's id of a subscription: opaque, 1 to 128 safe characters.
    SubscriptionId
}
opaque_id! {
    /// The billing provider's id of a customer: opaque, 1 to 128 safe characters.
    CustomerId
}
opaque_id! {
    /// The voice provider's id of a call: opaque, 1 to 128 safe characters.
    CallId
}
opaque_id! {
    /// What a request asked for, in short: a hash of its body. Two requests with one key must have the same.
    Fingerprint
}
opaque_id! {
    /// The mark that one write leaves in the state, by which its writer recognises it: random, or drawn from the
    /// `Idempotency-Key` of the request, so that a retry is recognised too.
    WriteId
}

impl Fingerprint {
    /// From 128 bits of a digest.
    #[must_use]
    pub fn from_digest(digest: u128) -> Self {
        Self(format!("{digest:032x}"))
    }
}

impl WriteId {
    /// A mark of 64 random bits.
    #[must_use]
    pub fn from_bits(bits: u64) -> Self {
        Self(format!("{bits:016x}"))
    }

    /// The mark of one attempt at the write, so that its writer can tell which of several was carried out.
    #[must_use]
    pub fn attempt(&self, number: usize) -> Self {
        Self(format!("{}.{number}", self.0))
    }
}

/// A phone number with its country's code, as ITU-T E.164 has it: `+` and up to 15 digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PhoneNumber(String);

impl PhoneNumber {
    /// Checks a text from outside. What people put between digits, RFC 3966's visual separators and spaces, is left out.
    ///
    /// # Errors
    /// When it is no such number.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let is_separator = |character| matches!(character, '-' | '.' | '(' | ')' | ' ');
        let number: String = text.chars().filter(|c| !is_separator(*c)).collect();
        let digits = number.strip_prefix('+').ok_or(IdError::NotAPhoneNumber)?;
        let is_number = (7..=15).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0');
        is_number
            .then_some(Self(number))
            .ok_or(IdError::NotAPhoneNumber)
    }
}

impl TryFrom<String> for PhoneNumber {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        Self::parse(&text)
    }
}

impl From<PhoneNumber> for String {
    fn from(number: PhoneNumber) -> Self {
        number.0
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The id of a voice session, a UUID that whoever starts the session draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(Uuid);

impl SessionId {
    /// Wraps a fresh UUID.
    #[must_use]
    pub const fn new(id: Uuid) -> Self {
        Self(id)
    }

    /// Reads the id that a client sends back.
    ///
    /// # Errors
    /// When it is no UUID.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        Uuid::try_parse(text)
            .map(Self)
            .map_err(|_| IdError::NotASession)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_number_has_its_countrys_code() {
        let check = |text: &str, expected: Option<&str>| {
            let number = PhoneNumber::parse(text).ok();
            let number = number.as_ref().map(ToString::to_string);
            assert_eq!(number.as_deref(), expected, "{text:?}");
        };
        check("+14155550123", Some("+14155550123"));
        check("+1 (415) 555-0123", Some("+14155550123"));
        check("+49.30.1234567", Some("+49301234567"));
        check("+999999999999999", Some("+999999999999999"));
        check("+9999999999999999", None);
        check("14155550123", None);
        check("0049301234567", None);
        check("+0301234567", None);
        check("+1415555012a", None);
        check("+٣٤٥٦٧٨٩٠", None);
        check("anonymous", None);
        check("", None);
    }

    #[test]
    fn user_ids_hold_only_safe_characters() {
        let check = |text: &str, expected| {
            assert_eq!(UserId::parse(text).map(|_| ()), expected, "{text:?}");
        };
        check("user_42", Ok(()));
        check("auth0|5f7c8ec7c33c6c004bbafe82", Ok(()));
        check("a+b@example.test", Ok(()));
        check(&"x".repeat(128), Ok(()));
        check("", Err(IdError::Length));
        check(&"x".repeat(129), Err(IdError::Length));
        check("a/b", Err(IdError::Character));
        check("a b", Err(IdError::Character));
        check("a\nb", Err(IdError::Character));
        check("<script>", Err(IdError::Character));
        check("ü", Err(IdError::Character));
        check(".", Err(IdError::DotSegment));
        check("..", Err(IdError::DotSegment));
        check("...", Ok(()));
    }
}

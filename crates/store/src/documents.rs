//! The first of the two interfaces: documents with compare-and-swap, one for each user, one for each phone number that is
//! known, and some of whose calls are open.

use std::fmt;

use talktime_usage::{PhoneNumber, UserId};

use crate::error::StoreError;

/// What a call does to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It only reads.
    Read,
    /// It changes what is there.
    Write,
}

/// Which document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DocumentKey {
    /// A user's state.
    User(UserId),
    /// A part of the [watch](crate::call_watch) over open calls.
    Calls(u8),
    /// Whose a phone number is.
    Phone(PhoneNumber),
}

impl From<&UserId> for DocumentKey {
    fn from(user: &UserId) -> Self {
        Self::User(user.clone())
    }
}

/// The key in the store.
impl fmt::Display for DocumentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => write!(f, "user:{user}"),
            Self::Calls(shard) => write!(f, "calls:{shard}"),
            Self::Phone(number) => write!(f, "phone:{number}"),
        }
    }
}

/// A store of byte documents.
pub trait Documents {
    /// A reading that the next swap compares with.
    type Claim;

    /// The document as it is.
    fn read(&self, key: &DocumentKey) -> impl Future<Output = Result<Option<Vec<u8>>, StoreError>>;

    /// The document as it is, and the claim to replace just that.
    fn claim(
        &self,
        key: &DocumentKey,
    ) -> impl Future<Output = Result<(Option<Vec<u8>>, Self::Claim), StoreError>>;

    /// Why such a call is not worth a try, where that is known beforehand: the last one found the store locked after a long
    /// wait, say, and the next would wait as long, and all those behind it.
    fn known_to_fail(&self, access: Access) -> Option<StoreError>;

    /// Replaces what the claim read. Whether that happened is *not* told reliably by every store (Spin's Redis store
    /// always says it did not; its `SQLite` store replaces unconditionally where nothing was read): callers read the
    /// document back and look for their own mark.
    fn swap(
        &self,
        claim: Self::Claim,
        document: &[u8],
    ) -> impl Future<Output = Result<(), StoreError>>;
}

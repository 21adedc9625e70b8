//! The first of the two interfaces: one document for each user, with compare-and-swap.

use talktime_usage::UserId;

use crate::error::StoreError;

/// What a call does to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It only reads.
    Read,
    /// It changes what is there.
    Write,
}

/// A store of one byte document for each user.
pub trait Documents {
    /// A reading that the next swap compares with.
    type Claim;

    /// The document as it is.
    fn read(&self, user: &UserId) -> impl Future<Output = Result<Option<Vec<u8>>, StoreError>>;

    /// The document as it is, and the claim to replace just that.
    fn claim(
        &self,
        user: &UserId,
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

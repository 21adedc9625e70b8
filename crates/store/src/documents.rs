//! The first of the two interfaces: one document for each user, with compare-and-swap.

use talktime_usage::UserId;

use crate::error::StoreError;

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

    /// How many more swaps this instance of the component can make.
    fn swaps_left(&self) -> u32;

    /// Replaces what the claim read. Whether that happened is *not* told reliably by every store (Spin's Redis store
    /// always says it did not; its `SQLite` store replaces unconditionally where nothing was read): callers read the
    /// document back and look for their own mark.
    fn swap(
        &self,
        claim: Self::Claim,
        document: &[u8],
    ) -> impl Future<Output = Result<(), StoreError>>;
}

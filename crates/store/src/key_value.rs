//! [`Documents`] on Spin's key-value store.

use std::sync::atomic::{AtomicU32, Ordering};

use talktime_usage::UserId;

use crate::documents::Documents;
use crate::error::StoreError;

mod bindings {
    #![allow(missing_docs, clippy::pedantic, unused_qualifications, unsafe_code)]
    spin_sdk::wit_bindgen::generate!({
        path: ["../../wit/deps/wasi-keyvalue-2024-10-17", "../../wit/store"],
        world: "talktime:store/documents",
        runtime_path: "spin_sdk::wit_bindgen::rt",
        generate_all,
    });
}

use bindings::wasi::keyvalue::atomics::{Cas, CasError, swap};
use bindings::wasi::keyvalue::store::{Bucket, Error, open};

/// The store that `spin.toml` grants.
const LABEL: &str = "default";

/// How many swaps an instance can make in its life: Spin 4.1 has that many handles for them, and never gives one back
/// that was used (`crates/factor-key-value/src/host.rs` there). It replaces an instance after 128 requests or a second
/// without any.
const SWAPS_MAX: u32 = 256;

/// The swaps that this instance has made.
static SWAPS: AtomicU32 = AtomicU32::new(0);

/// The user documents in the store `default`, under keys `user:{id}`.
pub struct SpinKeyValue {
    bucket: Bucket,
}

impl SpinKeyValue {
    /// Opens the store.
    ///
    /// # Errors
    /// When the host does not grant it or it cannot be reached.
    pub fn open() -> Result<Self, StoreError> {
        Ok(Self {
            bucket: open(LABEL)?,
        })
    }
}

fn key(user: &UserId) -> String {
    format!("user:{user}")
}

impl Documents for SpinKeyValue {
    type Claim = Cas;

    async fn read(&self, user: &UserId) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.bucket.get(&key(user))?)
    }

    async fn claim(&self, user: &UserId) -> Result<(Option<Vec<u8>>, Cas), StoreError> {
        let cas = Cas::new(&self.bucket, &key(user))?;
        let document = cas.current()?;
        Ok((document, cas))
    }

    fn swaps_left(&self) -> u32 {
        SWAPS_MAX.saturating_sub(SWAPS.load(Ordering::Relaxed))
    }

    async fn swap(&self, claim: Cas, document: &[u8]) -> Result<(), StoreError> {
        SWAPS.fetch_add(1, Ordering::Relaxed);
        match swap(claim, document) {
            Ok(()) | Err(CasError::CasFailed(_)) => Ok(()),
            Err(CasError::StoreError(error)) => Err(error.into()),
        }
    }
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        match error {
            Error::NoSuchStore => Self::Unavailable(format!("no key-value store {LABEL:?}")),
            Error::AccessDenied => {
                Self::Unavailable(format!("spin.toml does not grant the store {LABEL:?}"))
            }
            Error::Other(message) => Self::from_message(message),
        }
    }
}

//! The key-value interface as guests call it: grants, handles, faults. The work itself is in `data::key_value`.
//!
//! The messages and the order of the checks are Spin's, and so is this: a swap does not free its handle in the
//! host's table. An instance that lives long enough to swap 256 times is told `too many compare_and_swaps opened`.

use std::sync::Arc;

use wasmtime::component::Resource;

use crate::{
    bindings::wasi::keyvalue::{
        atomics::{self, CasError},
        store::{self, Bucket, Error, KeyResponse},
    },
    data::key_value::{KeyValue, Swap},
    guest::instance::{ComponentShared, Instance},
    testbench::faults::CallKind,
};

type Guest<T, E = Error> = wasmtime::Result<Result<T, E>>;

/// Works on the store as Spin does: the thread may block, for five seconds where another process holds the file's lock, and
/// the runtime is told so. A runtime of one thread, as some tests have, cannot be.
fn blocking<T>(work: impl FnOnce() -> T) -> T {
    use tokio::runtime::{Handle, RuntimeFlavor};
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}

impl Instance {
    /// A bucket's store and the component, by the guest's handle.
    fn bucket(&self, handle: u32) -> Result<(String, Arc<ComponentShared>), Error> {
        let store = self.stores.get(handle).ok_or(Error::NoSuchStore)?;
        Ok((store.clone(), self.component.clone()))
    }

    fn grant(&self, label: &str) -> bool {
        self.component
            .config
            .key_value_stores
            .iter()
            .any(|granted| granted == label)
    }

    /// Runs one operation on a bucket, with the faults around it.
    async fn on_bucket<T>(
        &mut self,
        bucket: u32,
        kind: CallKind,
        detail: &str,
        work: impl FnOnce(&KeyValue, &str) -> Result<T, String>,
    ) -> Guest<T> {
        match self.bucket(bucket) {
            Err(error) => Ok(Err(error)),
            Ok((store, component)) => {
                let key_value = &component.host.key_value;
                let effect = async || blocking(|| work(key_value, &store)).map_err(Error::Other);
                component
                    .faults
                    .around(kind, detail, Error::Other, effect)
                    .await
            }
        }
    }

    fn new_cas(&mut self, bucket: u32, key: &str) -> Result<u32, Error> {
        let (store, component) = self.bucket(bucket)?;
        let cas = component.host.key_value.cas(&store, key, bucket);
        self.cas
            .push(Arc::new(cas))
            .map_err(|_| Error::Other("too many compare_and_swaps opened".to_owned()))
    }

    fn no_cas() -> Error {
        Error::Other("invalid compare and swap".to_owned())
    }
}

impl store::Host for Instance {
    async fn open(&mut self, identifier: String) -> Guest<Resource<Bucket>> {
        let point = self.component.faults.clone();
        let open = async || {
            if !self.grant(&identifier) {
                return Err(Error::AccessDenied);
            }
            let number = self.stores.push(identifier.clone());
            number
                .map(Resource::new_own)
                .map_err(|_| Error::Other("store table full".to_owned()))
        };
        point
            .around(CallKind::KvOpen, &identifier, Error::Other, open)
            .await
    }
}

impl store::HostBucket for Instance {
    async fn get(&mut self, bucket: Resource<Bucket>, key: String) -> Guest<Option<Vec<u8>>> {
        let (store, component) = match self.bucket(bucket.rep()) {
            Ok(found) => found,
            Err(error) => return Ok(Err(error)),
        };
        let key_value = &component.host.key_value;
        let effect = async || {
            let at_once = key_value.get_at_once(&store, &key);
            at_once
                .unwrap_or_else(|| blocking(|| key_value.get(&store, &key)))
                .map_err(Error::Other)
        };
        component
            .faults
            .around(CallKind::KvGet, &key, Error::Other, effect)
            .await
    }

    async fn set(&mut self, bucket: Resource<Bucket>, key: String, value: Vec<u8>) -> Guest<()> {
        self.on_bucket(bucket.rep(), CallKind::KvSet, &key, |kv, store| {
            kv.set(store, &key, &value)
        })
        .await
    }

    async fn delete(&mut self, bucket: Resource<Bucket>, key: String) -> Guest<()> {
        self.on_bucket(bucket.rep(), CallKind::KvDelete, &key, |kv, store| {
            kv.delete(store, &key)
        })
        .await
    }

    async fn exists(&mut self, bucket: Resource<Bucket>, key: String) -> Guest<bool> {
        self.on_bucket(bucket.rep(), CallKind::KvExists, &key, |kv, store| {
            kv.exists(store, &key)
        })
        .await
    }

    async fn list_keys(
        &mut self,
        bucket: Resource<Bucket>,
        cursor: Option<String>,
    ) -> Guest<KeyResponse> {
        if cursor.is_some() {
            return Ok(Err(Error::Other(
                "list_keys: cursor not supported".to_owned(),
            )));
        }
        let keys = self
            .on_bucket(bucket.rep(), CallKind::KvKeys, "", KeyValue::keys)
            .await?;
        Ok(keys.map(|keys| KeyResponse { keys, cursor: None }))
    }

    async fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.stores.remove(bucket.rep());
        Ok(())
    }
}

impl atomics::HostCas for Instance {
    async fn new(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
    ) -> Guest<Resource<atomics::Cas>> {
        Ok(self.new_cas(bucket.rep(), &key).map(Resource::new_own))
    }

    async fn current(&mut self, cas: Resource<atomics::Cas>) -> Guest<Option<Vec<u8>>> {
        let Some(cas) = self.cas.get(cas.rep()).cloned() else {
            return Ok(Err(Self::no_cas()));
        };
        let component = self.component.clone();
        let key_value = &component.host.key_value;
        let effect = async || {
            let at_once = key_value.current_at_once(&cas);
            at_once
                .unwrap_or_else(|| blocking(|| key_value.current(&cas)))
                .map_err(Error::Other)
        };
        component
            .faults
            .around(CallKind::KvCurrent, &cas.key, Error::Other, effect)
            .await
    }

    async fn drop(&mut self, cas: Resource<atomics::Cas>) -> wasmtime::Result<()> {
        self.cas.remove(cas.rep());
        Ok(())
    }
}

impl atomics::Host for Instance {
    async fn increment(&mut self, _: Resource<Bucket>, _: String, _: i64) -> Guest<i64> {
        Ok(Err(Error::Other(
            "increment is not supported by this host".to_owned(),
        )))
    }

    async fn swap(&mut self, cas: Resource<atomics::Cas>, value: Vec<u8>) -> Guest<(), CasError> {
        // The handle is the guest's no more, and yet stays in the table: see the top of this file.
        let Some(cas) = self.cas.get(cas.rep()).cloned() else {
            return Ok(Err(CasError::StoreError(Self::no_cas())));
        };
        let component = self.component.clone();
        let fail = |message| CasError::StoreError(Error::Other(message));
        let key_value = &component.host.key_value;
        let effect = async || key_value.swap(cas.clone(), value).await.map_err(fail);
        let swap = component
            .faults
            .around(CallKind::KvSwap, &cas.key, fail, effect)
            .await?;
        Ok(match swap {
            Ok(Swap::Done) => Ok(()),
            Ok(Swap::Lost) => Err(self.next_attempt(&cas.key, cas.bucket)),
            Err(error) => Err(error),
        })
    }
}

impl Instance {
    /// The handle that a lost swap gives back, with the value as it is now already read.
    fn next_attempt(&mut self, key: &str, bucket: u32) -> CasError {
        let number = match self.new_cas(bucket, key) {
            Ok(number) => number,
            Err(error) => return CasError::StoreError(error),
        };
        if let Some(cas) = self.cas.get(number)
            && let Err(message) = blocking(|| self.component.host.key_value.current(cas))
        {
            return CasError::StoreError(Error::Other(message));
        }
        CasError::CasFailed(Resource::new_own(number))
    }
}

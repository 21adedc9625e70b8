//! The key-value interfaces as guests call them: grants, handles, faults. The work itself is in `key_value`.
//!
//! The messages and the order of the checks are Spin's, and so is this: a swap does not free its handle in the
//! host's table. An instance that lives long enough to swap 256 times is told `too many compare_and_swaps opened`.

use std::sync::Arc;

use wasmtime::component::{Accessor, FutureReader, Resource, StreamReader};

use crate::{
    bindings::{
        spin::key_value::key_value as v3,
        wasi::keyvalue::{
            atomics::{self, CasError},
            batch,
            store::{self, Bucket, Error, KeyResponse},
        },
    },
    data::key_value::{KeyValue, Swap},
    guest::{
        instance::{ComponentShared, Glue, Instance},
        streams::Batch,
    },
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
        self.on_bucket(bucket.rep(), CallKind::KvGet, &key, |kv, store| {
            kv.get(store, &key)
        })
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

impl batch::Host for Instance {
    async fn get_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> Guest<Vec<(String, Option<Vec<u8>>)>> {
        if keys.is_empty() {
            return Ok(self.bucket(bucket.rep()).map(|_| Vec::new()));
        }
        let detail = keys.join(",");
        self.on_bucket(bucket.rep(), CallKind::KvBatch, &detail, |kv, store| {
            kv.get_many(store, keys)
        })
        .await
    }

    async fn set_many(
        &mut self,
        bucket: Resource<Bucket>,
        pairs: Vec<(String, Vec<u8>)>,
    ) -> Guest<()> {
        let detail = pairs
            .iter()
            .map(|(key, _)| key.as_str())
            .collect::<Vec<_>>()
            .join(",");
        self.on_bucket(bucket.rep(), CallKind::KvBatch, &detail, |kv, store| {
            kv.set_many(store, &pairs)
        })
        .await
    }

    async fn delete_many(&mut self, bucket: Resource<Bucket>, keys: Vec<String>) -> Guest<()> {
        let detail = keys.join(",");
        self.on_bucket(bucket.rep(), CallKind::KvBatch, &detail, |kv, store| {
            kv.delete_many(store, keys)
        })
        .await
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
        let effect = async || blocking(|| key_value.current(&cas)).map_err(Error::Other);
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
    async fn increment(&mut self, bucket: Resource<Bucket>, key: String, delta: i64) -> Guest<i64> {
        self.on_bucket(bucket.rep(), CallKind::KvIncrement, &key, |kv, store| {
            kv.increment(store, &key, delta)
        })
        .await
    }

    async fn swap(&mut self, cas: Resource<atomics::Cas>, value: Vec<u8>) -> Guest<(), CasError> {
        // The handle is the guest's no more, and yet stays in the table: see the top of this file.
        let Some(cas) = self.cas.get(cas.rep()).cloned() else {
            return Ok(Err(CasError::StoreError(Self::no_cas())));
        };
        let component = self.component.clone();
        let fail = |message| CasError::StoreError(Error::Other(message));
        let key_value = &component.host.key_value;
        let effect = async || blocking(|| key_value.swap(&cas, &value)).map_err(fail);
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

impl v3::Host for Instance {}

impl v3::HostStore for Instance {
    async fn drop(&mut self, store: Resource<v3::Store>) -> wasmtime::Result<()> {
        self.stores.remove(store.rep());
        Ok(())
    }
}

/// One operation on a store of the asynchronous interface, with the faults around it.
async fn on_store<T, R>(
    accessor: &Accessor<T, Glue>,
    store: &Resource<v3::Store>,
    kind: CallKind,
    detail: &str,
    work: impl FnOnce(&KeyValue, &str) -> Result<R, String>,
) -> Guest<R, v3::Error> {
    let handle = store.rep();
    let bucket = accessor.with(|mut access| access.get().bucket(handle));
    let Ok((label, component)) = bucket else {
        return Ok(Err(v3::Error::NoSuchStore));
    };
    let key_value = &component.host.key_value;
    let effect = async || blocking(|| work(key_value, &label)).map_err(v3::Error::Other);
    component
        .faults
        .around(kind, detail, v3::Error::Other, effect)
        .await
}

impl<T: Send> v3::HostStoreWithStore<T> for Glue {
    async fn open(
        accessor: &Accessor<T, Self>,
        label: String,
    ) -> Guest<Resource<v3::Store>, v3::Error> {
        let point = accessor.with(|mut access| access.get().component.faults.clone());
        let open = async || {
            accessor.with(|mut access| {
                let instance = access.get();
                if !instance.grant(&label) {
                    return Err(v3::Error::AccessDenied);
                }
                let number = instance.stores.push(label.clone());
                number
                    .map(Resource::new_own)
                    .map_err(|_| v3::Error::StoreTableFull)
            })
        };
        point
            .around(CallKind::KvOpen, &label, v3::Error::Other, open)
            .await
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        store: Resource<v3::Store>,
        key: String,
    ) -> Guest<Option<Vec<u8>>, v3::Error> {
        on_store(accessor, &store, CallKind::KvGet, &key, |kv, label| {
            kv.get(label, &key)
        })
        .await
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        store: Resource<v3::Store>,
        key: String,
        value: Vec<u8>,
    ) -> Guest<(), v3::Error> {
        on_store(accessor, &store, CallKind::KvSet, &key, |kv, label| {
            kv.set(label, &key, &value)
        })
        .await
    }

    async fn delete(
        accessor: &Accessor<T, Self>,
        store: Resource<v3::Store>,
        key: String,
    ) -> Guest<(), v3::Error> {
        on_store(accessor, &store, CallKind::KvDelete, &key, |kv, label| {
            kv.delete(label, &key)
        })
        .await
    }

    async fn exists(
        accessor: &Accessor<T, Self>,
        store: Resource<v3::Store>,
        key: String,
    ) -> Guest<bool, v3::Error> {
        on_store(accessor, &store, CallKind::KvExists, &key, |kv, label| {
            kv.exists(label, &key)
        })
        .await
    }

    async fn get_keys(
        accessor: &Accessor<T, Self>,
        store: Resource<v3::Store>,
    ) -> wasmtime::Result<(StreamReader<String>, FutureReader<Result<(), v3::Error>>)> {
        let keys = on_store(accessor, &store, CallKind::KvKeys, "", KeyValue::keys).await?;
        let (keys, end) = match keys {
            Ok(keys) => (keys, Ok(())),
            Err(error) => (Vec::new(), Err(error)),
        };
        accessor.with(|mut access| {
            let keys = StreamReader::new(&mut access, Batch::new(keys))?;
            let end = FutureReader::new(&mut access, async move { wasmtime::error::Ok(end) })?;
            Ok((keys, end))
        })
    }
}

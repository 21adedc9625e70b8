//! Faults on purpose: any call that a guest makes to the host can fail, be slow, or be the last thing before a crash.

use std::{sync::Arc, time::Duration};

/// Decides what goes wrong. Both methods are asked at every call; the default is that nothing does.
pub trait Faults: Send + Sync {
    /// Asked before the effect. A fault here means that the effect does not happen.
    fn before(&self, _call: &HostCall) -> FaultAction {
        FaultAction::None
    }

    /// Asked once the effect is done, before the guest hears of it: "committed, then failed".
    fn after(&self, _call: &HostCall) -> FaultAction {
        FaultAction::None
    }
}

/// One call of a guest to the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostCall {
    /// The component that calls.
    pub component: String,
    /// What it asks for.
    pub kind: CallKind,
    /// The key, the SQL text, the URL, or the label of what is opened.
    pub detail: String,
}

/// What a guest asks the host for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CallKind {
    /// Open a key-value store.
    KvOpen,
    /// Read a key.
    KvGet,
    /// Write a key.
    KvSet,
    /// Delete a key.
    KvDelete,
    /// Ask whether a key is there.
    KvExists,
    /// List all keys; the detail is empty.
    KvKeys,
    /// Read a key for a compare-and-swap.
    KvCurrent,
    /// The swap of a compare-and-swap.
    KvSwap,
    /// Open a database.
    SqlOpen,
    /// Run a statement.
    SqlExecute,
    /// Send an HTTP request.
    HttpSend,
}

/// What goes wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FaultAction {
    #[default]
    None,
    /// The guest gets an error with this text: `other` of key-value, `io` of SQLite, `internal-error` of HTTP.
    Fail(String),
    /// The call takes this much (real) time more, then goes on.
    Delay(Duration),
    /// The instance traps here: nothing of the guest runs after it.
    Crash,
}

/// The faults of one component.
#[derive(Clone)]
pub(crate) struct FaultPoint {
    pub(crate) component: Arc<str>,
    pub(crate) faults: Option<Arc<dyn Faults>>,
}

impl FaultPoint {
    /// Runs `effect` between the two questions. The outer error is a trap, the inner one the guest's.
    pub(crate) async fn around<T, E>(
        &self,
        kind: CallKind,
        detail: &str,
        fail: impl Fn(String) -> E,
        effect: impl AsyncFnOnce() -> Result<T, E>,
    ) -> wasmtime::Result<Result<T, E>> {
        let Some(faults) = &self.faults else {
            return Ok(effect().await);
        };
        let call = HostCall {
            component: self.component.to_string(),
            kind,
            detail: detail.to_owned(),
        };
        if let Some(message) = act(faults.before(&call), &call).await? {
            return Ok(Err(fail(message)));
        }
        let result = effect().await;
        if let Some(message) = act(faults.after(&call), &call).await? {
            return Ok(Err(fail(message)));
        }
        Ok(result)
    }
}

async fn act(action: FaultAction, call: &HostCall) -> wasmtime::Result<Option<String>> {
    match action {
        FaultAction::None => Ok(None),
        FaultAction::Fail(message) => Ok(Some(message)),
        FaultAction::Delay(time) => {
            tokio::time::sleep(time).await;
            Ok(None)
        }
        FaultAction::Crash => Err(wasmtime::Error::msg(format!(
            "crash on purpose at {:?} {:?}",
            call.kind, call.detail
        ))),
    }
}

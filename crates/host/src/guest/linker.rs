//! Links components with all that the host provides, and starts their instances.

use std::{sync::Arc, time::Duration};

use wasmtime::{
    Engine, Store, StoreContextMut,
    component::{Linker, Resource},
};
use wasmtime_wasi::{
    async_trait,
    p2::{DynPollable, Pollable, subscribe},
};

use crate::{
    bindings::Host_,
    guest::instance::{ComponentShared, Glue, Instance},
    testbench::clock::Clock,
};

/// The longest real sleep of a guest under a virtual clock.
const VIRTUAL_SLEEP_MAX: Duration = Duration::from_millis(1);

/// The version that Wasmtime's own WASI 0.2 has: guests built against older ones are given this.
const P2_MONOTONIC_CLOCK: &str = "wasi:clocks/monotonic-clock@0.2.12";
const P3_MONOTONIC_CLOCK: &str = "wasi:clocks/monotonic-clock@0.3.0";

/// A linker with every interface. What a component may do with them is decided at the call.
pub(crate) fn linker(engine: &Engine, clock: &Clock) -> wasmtime::Result<Linker<Instance>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    Host_::add_to_linker::<_, Glue>(&mut linker, |instance| instance)?;
    match clock {
        Clock::System => exact_short_sleeps(&mut linker)?,
        Clock::Virtual(_) => shorten_sleeps(&mut linker)?,
    }
    Ok(linker)
}

/// Tokio's timer counts in milliseconds, so Wasmtime's shortest sleep takes one or two of them. A guest that only wants to
/// let others have a turn gets that instead.
fn exact_short_sleeps(linker: &mut Linker<Instance>) -> wasmtime::Result<()> {
    /// Below this a turn of the scheduler is nearer to the time asked for than a tick of the timer.
    const TICK: Duration = Duration::from_millis(1);

    linker.allow_shadowing(true);
    linker.instance(P3_MONOTONIC_CLOCK)?.func_wrap_concurrent(
        "wait-for",
        |_, (nanos,): (u64,)| {
            Box::pin(async move {
                let time = Duration::from_nanos(nanos);
                if time < TICK {
                    tokio::task::yield_now().await;
                } else {
                    tokio::time::sleep(time).await;
                }
                Ok(())
            })
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

/// Wasmtime's sleeps take tokio's time, whatever the clock says; under a virtual clock they end at once.
fn shorten_sleeps(linker: &mut Linker<Instance>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut p3 = linker.instance(P3_MONOTONIC_CLOCK)?;
    for name in ["wait-for", "wait-until"] {
        p3.func_wrap_concurrent(name, |_, (_time,): (u64,)| {
            Box::pin(async {
                short_sleep().await;
                Ok(())
            })
        })?;
    }
    let mut p2 = linker.instance(P2_MONOTONIC_CLOCK)?;
    for name in ["subscribe-duration", "subscribe-instant"] {
        p2.func_wrap(
            name,
            |mut store: StoreContextMut<'_, Instance>, (_time,): (u64,)| {
                let table = &mut store.data_mut().table;
                let sleep = table.push(ShortSleep)?;
                let pollable: Resource<DynPollable> = subscribe(table, sleep)?;
                Ok((pollable,))
            },
        )?;
    }
    linker.allow_shadowing(false);
    Ok(())
}

async fn short_sleep() {
    tokio::task::yield_now().await;
    tokio::time::sleep(VIRTUAL_SLEEP_MAX).await;
}

struct ShortSleep;

#[async_trait]
impl Pollable for ShortSleep {
    async fn ready(&mut self) {
        short_sleep().await;
    }
}

/// A store for one instance, which gives the thread back at every epoch and so can be stopped.
pub(crate) fn store(engine: &Engine, component: Arc<ComponentShared>) -> Store<Instance> {
    let mut store = Store::new(engine, Instance::new(component));
    store.set_epoch_deadline(1);
    store.epoch_deadline_async_yield_and_update(1);
    store
}

//! A stream whose items are all there when it starts.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use wasmtime::{
    StoreContextMut,
    component::{Destination, StreamProducer, StreamResult, VecBuffer},
};

/// Hands all its items over at once.
pub(crate) struct Batch<T>(Vec<T>);

impl<T> Batch<T> {
    pub(crate) fn new(items: Vec<T>) -> Self {
        Self(items)
    }
}

impl<T: Send + Sync + Unpin + 'static + wasmtime::component::Lower, D> StreamProducer<D>
    for Batch<T>
{
    type Item = T;
    type Buffer = VecBuffer<T>;

    fn poll_produce<'a>(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        store: StoreContextMut<'a, D>,
        mut destination: Destination<'a, Self::Item, Self::Buffer>,
        _finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        // A reader with no room only asks whether there is something.
        if destination.remaining(store) == Some(0) {
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        let items = std::mem::take(&mut self.get_mut().0);
        if !items.is_empty() {
            destination.set_buffer(items.into());
        }
        Poll::Ready(Ok(StreamResult::Dropped))
    }
}

//! Writes of many guests in one commit. Each is answered only once it is on the disk; those that come while the disk is busy with the last
//! commit share the next one. A write sees all that were made before it, as if it had been alone.

use std::{
    sync::{Arc, Mutex, mpsc},
    thread::JoinHandle,
};

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::lock::lock;

/// The most writes of one commit, so that the first of them does not wait for long.
const TOGETHER_MAX: usize = 64;

/// A write that waits. What it gives back tells its guest, once the commit is made or has failed.
type Write = Box<dyn FnOnce(Result<&Connection, &str>) -> Tell + Send>;
type Tell = Box<dyn FnOnce(Result<(), &str>) + Send>;

/// The thread that makes the writes of a connection.
#[derive(Debug)]
pub(crate) struct GroupCommit {
    /// There until the end.
    queue: Option<mpsc::Sender<Write>>,
    writer: Option<JoinHandle<()>>,
}

impl GroupCommit {
    pub(crate) fn new(connection: Arc<Mutex<Connection>>) -> Self {
        let (queue, waiting) = mpsc::channel::<Write>();
        let writer = std::thread::spawn(move || {
            while let Ok(first) = waiting.recv() {
                let connection = lock(&connection);
                let others = waiting.try_iter().take(TOGETHER_MAX - 1);
                commit(&connection, std::iter::once(first).chain(others).collect());
            }
        });
        Self {
            queue: Some(queue),
            writer: Some(writer),
        }
    }

    /// Makes a write, which may be one of several in a transaction, and waits until it is committed.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        let (sender, receiver) = oneshot::channel();
        let write: Write = Box::new(move |connection| {
            let outcome = connection.map_err(ToOwned::to_owned).and_then(work);
            Box::new(move |committed: Result<(), &str>| {
                let outcome = committed.map_err(ToOwned::to_owned).and(outcome);
                // The guest may have gone.
                let _ = sender.send(outcome);
            })
        });
        let gone = || "the store is closed".to_owned();
        let queue = self.queue.as_ref().ok_or_else(gone)?;
        queue.send(write).map_err(|_| gone())?;
        receiver.await.map_err(|_| gone())?
    }
}

impl Drop for GroupCommit {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(writer) = self.writer.take() {
            // A panic of its was told when it happened.
            let _ = writer.join();
        }
    }
}

fn commit(connection: &Connection, writes: Vec<Write>) {
    // A statement alone is a transaction already.
    let together = writes.len() > 1;
    let begun = if together {
        run(connection, "BEGIN IMMEDIATE")
    } else {
        Ok(())
    };
    let open = begun.as_ref().map(|()| connection).map_err(String::as_str);
    let tell: Vec<Tell> = writes.into_iter().map(|write| write(open)).collect();
    let committed = if together && begun.is_ok() {
        run(connection, "COMMIT")
    } else {
        Ok(())
    };
    if !connection.is_autocommit() {
        let _ = connection.execute_batch("ROLLBACK");
    }
    for tell in tell {
        tell(committed.as_ref().copied().map_err(String::as_str));
    }
}

fn run(connection: &Connection, statement: &str) -> Result<(), String> {
    connection
        .execute_batch(statement)
        .map_err(|error| format!("{error:?}"))
}

//! What guests print: split into lines, kept for tests, printed by the binary.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::{
    async_trait,
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamError, StreamResult},
};

use crate::lock::lock;

/// Lines kept for [`crate::Host::logs`]; the oldest go first, so that a long run does not fill the memory.
const LINES_KEPT_MAX: usize = 10_000;

/// A line longer than this is cut into several, so that a guest cannot make the host buffer without end.
const LINE_BYTES_MAX: usize = 16 * 1024;

/// Where all guests of a host print to.
#[derive(Debug)]
pub(crate) struct Logs {
    lines: Mutex<VecDeque<String>>,
    print: bool,
}

impl Logs {
    pub(crate) fn new(print: bool) -> Arc<Self> {
        Arc::new(Self {
            lines: Mutex::default(),
            print,
        })
    }

    /// Adds a line, and prints it if this host prints.
    pub(crate) fn line(&self, component: &str, text: &str) {
        let line = format!("{component}: {text}");
        if self.print {
            eprintln!("{line}");
        }
        let mut lines = lock(&self.lines);
        if lines.len() == LINES_KEPT_MAX {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    pub(crate) fn all(&self) -> Vec<String> {
        lock(&self.lines).iter().cloned().collect()
    }
}

/// The stdout or stderr of one instance.
#[derive(Clone)]
pub(crate) struct GuestOutput(Arc<Output>);

struct Output {
    logs: Arc<Logs>,
    component: Arc<str>,
    partial: Mutex<Vec<u8>>,
}

impl GuestOutput {
    pub(crate) fn new(logs: Arc<Logs>, component: Arc<str>) -> Self {
        Self(Arc::new(Output {
            logs,
            component,
            partial: Mutex::default(),
        }))
    }

    fn write_bytes(&self, bytes: &[u8]) {
        let mut partial = lock(&self.0.partial);
        for byte in bytes {
            if *byte != b'\n' {
                partial.push(*byte);
            }
            if *byte == b'\n' || partial.len() >= LINE_BYTES_MAX {
                self.0
                    .logs
                    .line(&self.0.component, &String::from_utf8_lossy(&partial));
                partial.clear();
            }
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        let partial = std::mem::take(&mut *lock(&self.partial));
        if !partial.is_empty() {
            self.logs
                .line(&self.component, &String::from_utf8_lossy(&partial));
        }
    }
}

impl IsTerminal for GuestOutput {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestOutput {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    // Not the default, which hands the bytes to a task: a guest's last words before a trap would be lost with it.
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for GuestOutput {
    async fn ready(&mut self) {}
}

impl OutputStream for GuestOutput {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.write_bytes(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> Result<usize, StreamError> {
        Ok(LINE_BYTES_MAX)
    }
}

impl AsyncWrite for GuestOutput {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write_bytes(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

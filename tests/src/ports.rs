//! Ports of this machine.

use tokio::net::TcpListener;

/// A port that nobody listens on.
///
/// # Panics
/// When there is none.
pub async fn free() -> u16 {
    let probe = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    probe.local_addr().expect("an address").port()
}

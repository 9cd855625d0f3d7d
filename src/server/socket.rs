//! What the system does by itself on every connection: how much it keeps for a client that does not
//! read, and when it gives a client up.
//!
//! All of it is set on the listening socket, from which accepted ones take it over: no call a connection.

use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpSocket;

use super::ServerConfig;

/// How many probes stay unanswered before a silent connection is given up.
const PROBES: u32 = 4;
/// The longest silence that Linux takes.
const LONGEST_SILENCE: Duration = Duration::from_secs(32_767);
const SECOND: Duration = Duration::from_secs(1);

/// Prepares a socket that is about to listen. What a system lacks is left out.
pub(super) fn prepare(socket: &TcpSocket, config: &ServerConfig) {
    let socket = SockRef::from(socket);
    if let Some(bytes) = config.send_buffer_bytes {
        let _ = socket.set_send_buffer_size(bytes);
    }
    if let Some(silence) = config.tcp_keepalive {
        let _ = socket.set_tcp_keepalive(&keepalive(silence));
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(longest) = config.write_timeout {
        // It counts from when the client took the last byte, or from when what was sent to it was
        // neither acknowledged nor refused: both are a client that takes nothing.
        let _ = socket.set_tcp_user_timeout(Some(longest.max(Duration::from_millis(1))));
    }
}

fn keepalive(silence: Duration) -> TcpKeepalive {
    let silence = silence.clamp(SECOND, LONGEST_SILENCE);
    TcpKeepalive::new()
        .with_time(silence)
        .with_interval((silence / PROBES).max(SECOND))
        .with_retries(PROBES)
}

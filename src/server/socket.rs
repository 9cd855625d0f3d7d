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
/// What the system takes of us before it has sent it. Its own bound is several MB: so much would lie there
/// for a client that reads no more, and a slow one would make room so seldom that it looked like one that
/// takes nothing. Much less would not do: a test with one thread moves the clock first, and reads then.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 1 << 20;
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
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_notsent_lowat(UNSENT);
}

fn keepalive(silence: Duration) -> TcpKeepalive {
    let silence = silence.clamp(SECOND, LONGEST_SILENCE);
    TcpKeepalive::new()
        .with_time(silence)
        .with_interval((silence / PROBES).max(SECOND))
        .with_retries(PROBES)
}

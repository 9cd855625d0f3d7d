//! The listening sockets: bound at the start, closed and bound again as the gate says.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::net::{TcpListener, TcpSocket, lookup_host};

use super::{ServerConfig, Shared, accept::accept_loop, socket};
use crate::engine::gate::Door;

/// First and longest pause before an address that is taken is tried again.
const BACK_OFF: [Duration; 2] = [Duration::from_millis(20), Duration::from_secs(1)];

/// Accepts on a socket for as long as it is polled, but while the gate is closed.
pub(crate) async fn listen(mut listener: TcpListener, shared: Arc<Shared>, mut door: Door) {
    // The port that was found at the start comes back.
    let addr = match listener.local_addr() {
        Ok(addr) => addr,
        Err(e) => return tracing::error!("a listening socket has no address: {e}"),
    };
    loop {
        tokio::select! {
            biased;
            () = door.to_be_shut() => {}
            never = accept_loop(&listener, &shared) => match never {},
        }
        // What waits to be accepted goes with it.
        drop(listener);
        door.shut();
        tracing::debug!("not listening on {addr} for a while");
        listener = reopen(addr, &shared.config, &mut door).await;
        tracing::debug!("listening on {addr} again");
    }
}

/// Binds the address again once the gate is open.
async fn reopen(addr: SocketAddr, config: &ServerConfig, door: &mut Door) -> TcpListener {
    let mut pause = None;
    loop {
        door.to_be_open().await;
        match door.open(|| bind_one(addr, config)) {
            Some(Ok(listener)) => return listener,
            Some(Err(e)) => {
                if pause.is_none() {
                    tracing::warn!("cannot listen on {addr} again ({e}): trying until it is free");
                }
                let now = pause.map_or(BACK_OFF[0], |p: Duration| (p * 2).min(BACK_OFF[1]));
                pause = Some(now);
                tokio::time::sleep(now).await;
            }
            None => {}
        }
    }
}

/// Binds each address of the host; one that the machine lacks (often `::1`) is left out as long as
/// another one could be bound.
pub(crate) async fn bind_all(config: &ServerConfig) -> io::Result<Vec<TcpListener>> {
    let explain = |e: io::Error, what: &str| io::Error::new(e.kind(), format!("{what}: {e}"));
    let host = config.host.trim_start_matches('[').trim_end_matches(']');
    let mut addrs: Vec<SocketAddr> = match host.parse::<IpAddr>() {
        Ok(ip) => vec![SocketAddr::new(ip, config.port)],
        Err(_) => lookup_host((host, config.port))
            .await
            .map_err(|e| explain(e, &format!("cannot resolve host {host:?}")))?
            .collect(),
    };
    addrs.dedup();
    // With port 0 the system picks a port for the first address only; the others may find it taken.
    let attempts = if config.port == 0 { 20 } else { 1 };
    let mut result = Err(io::Error::new(
        io::ErrorKind::NotFound,
        format!("host {host:?} has no address"),
    ));
    for _ in 0..attempts {
        result =
            bind_each(&addrs, config).map_err(|(addr, e)| explain(e, &format!("cannot listen on {addr}")));
        if !matches!(&result, Err(e) if e.kind() == io::ErrorKind::AddrInUse) {
            break;
        }
    }
    result
}

fn bind_each(
    addrs: &[SocketAddr],
    config: &ServerConfig,
) -> Result<Vec<TcpListener>, (SocketAddr, io::Error)> {
    let mut listeners: Vec<TcpListener> = Vec::new();
    let mut absent = None;
    let mut port = addrs.first().map_or(0, SocketAddr::port);
    for addr in addrs {
        let addr = SocketAddr::new(addr.ip(), port);
        match bind_one(addr, config) {
            Ok(listener) => {
                port = listener.local_addr().map_or(port, |a| a.port());
                listeners.push(listener);
            }
            Err(e) if e.kind() == io::ErrorKind::AddrInUse => return Err((addr, e)),
            Err(e) => absent = Some((addr, e)),
        }
    }
    match absent {
        Some(failed) if listeners.is_empty() => return Err(failed),
        Some((addr, e)) => tracing::warn!("not listening on {addr}: {e}"),
        None => {}
    }
    Ok(listeners)
}

fn bind_one(addr: SocketAddr, config: &ServerConfig) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket::prepare(&socket, config);
    socket.bind(addr)?;
    socket.listen(4096)
}

//! A server that does not listen for a while.

mod transport_toy;
mod wire_toy;

use std::io::ErrorKind;
use std::time::Duration;

use mock_sse::{
    clock::Mode,
    server::{Phase, ServerConfig},
};
use tokio::net::{TcpListener, TcpStream};
use transport_toy::{read_head, read_until, soon};
use wire_toy::{Answer, Running, played, start_with};

async fn serve(host: &str) -> Running {
    let config = ServerConfig {
        host: host.into(),
        ..ServerConfig::default()
    };
    start_with(config, false, Mode::Manual, |engine, request| {
        Answer::reply(played(engine, &request.path))
    })
    .await
}

async fn close_for(server: &Running, seconds: u64) {
    let clock = &server.engine.session.clock;
    soon(server.engine.gate.close_for(clock, Duration::from_secs(seconds))).await;
}

async fn assert_refused(server: &Running) {
    for addr in &server.addrs {
        let error = TcpStream::connect(addr).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{addr}");
    }
}

#[tokio::test]
async fn connects_are_refused_until_the_time_is_over_and_open_streams_go_on() {
    // One address or two, as the machine has them: the same port comes back on each.
    let server = serve("localhost").await;
    let clock = server.engine.session.clock.clone();
    let mut before = server.ask("GET", "/held").await;
    read_until(&mut before, "data: a\n\n\r\n").await;
    for _ in 0..2 {
        close_for(&server, 5).await;
        assert_refused(&server).await;
        soon(clock.advance(Duration::from_secs(4))).await;
        assert_refused(&server).await;
        soon(clock.advance(Duration::from_secs(1))).await;
        for addr in &server.addrs {
            TcpStream::connect(addr).await.unwrap();
        }
        let mut again = server.ask("GET", "/stream").await;
        read_head(&mut again).await;
    }
    assert_eq!(server.engine.connections.count(), 1);
    server.engine.connections.shut_down();
    assert_eq!(read_until(&mut before, "0\r\n\r\n").await, "0\r\n\r\n");
}

#[tokio::test]
async fn a_connection_that_waits_to_be_accepted_is_dropped() {
    let server = serve("127.0.0.1").await;
    // The runtime has one thread and does not get to accept before the gate is closed.
    let socket = std::net::TcpStream::connect(server.addr()).unwrap();
    close_for(&server, 5).await;
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let error = std::io::Read::read(&mut &socket, &mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn an_address_that_was_taken_meanwhile_is_tried_until_it_is_free() {
    let server = serve("127.0.0.1").await;
    let clock = server.engine.session.clock.clone();
    close_for(&server, 5).await;
    let thief = TcpListener::bind(server.addr()).await.unwrap();
    // It is tried, in vain, and the clock is not held up.
    soon(clock.advance(Duration::from_secs(5))).await;
    let mine = TcpStream::connect(server.addr()).await.unwrap();
    let (_, peer) = soon(thief.accept()).await.unwrap();
    assert_eq!(peer, mine.local_addr().unwrap());
    drop(thief);
    soon(async {
        while TcpStream::connect(server.addr()).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let mut io = server.ask("GET", "/stream").await;
    read_head(&mut io).await;
}

#[tokio::test]
async fn a_server_that_is_offline_stops_when_told() {
    for phase in [Phase::Draining, Phase::Closed] {
        let server = serve("127.0.0.1").await;
        let clock = server.engine.session.clock.clone();
        close_for(&server, 5).await;
        server.phase.send(phase).unwrap();
        soon(server.served).await.unwrap();
        // Nobody is left whose door the clock would wait for.
        soon(clock.advance(Duration::from_secs(5))).await;
        let error = TcpStream::connect(server.addrs[0]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    }
}

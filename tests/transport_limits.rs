//! Limits, malformed requests, silence, and the steps of a shutdown.

mod transport_toy;

use std::time::Duration;

use mock_sse::{
    scenario::model::End,
    server::{Phase, Server, ServerConfig},
};
use tokio::net::TcpStream;
use transport_toy::{read_all, read_head, read_until, send, soon, start};

async fn check_problem(config: ServerConfig, request: &str, status: &str, detail: &str) {
    let server = start(config).await;
    let mut tcp = server.connect().await;
    send(&mut tcp, request).await;
    let all = read_all(&mut tcp).await.unwrap();
    assert!(all.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{all}");
    let (head, body) = all.split_once("\r\n\r\n").unwrap();
    assert!(
        head.contains("content-type: application/problem+json\r\n"),
        "{all}"
    );
    assert!(head.contains("connection: close\r\n"), "{all}");
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["detail"], detail);
    assert_eq!(body["status"].to_string(), status[..3]);
}

#[tokio::test]
async fn requests_that_cannot_be_parsed_get_a_problem() {
    let config = ServerConfig::default;
    let not_http = "the request is not valid HTTP";
    check_problem(config(), "nonsense\r\n\r\n", "400 Bad Request", not_http).await;
    check_problem(
        config(),
        "GET / HTTP/1.1\r\nb ad: x\r\n\r\n",
        "400 Bad Request",
        not_http,
    )
    .await;
    let long = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(70_000));
    let large = "the request head is larger than this server takes";
    check_problem(config(), &long, "431 Request Header Fields Too Large", large).await;
    let small = ServerConfig {
        max_header_bytes: 9000,
        ..config()
    };
    let long = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(10_000));
    check_problem(small, &long, "431 Request Header Fields Too Large", large).await;
}

#[tokio::test]
async fn a_malformed_request_after_a_good_one_gets_its_problem() {
    let server = start(ServerConfig::default()).await;
    let mut tcp = server.connect().await;
    send(&mut tcp, "GET /hello HTTP/1.1\r\nhost: t\r\n\r\nnonsense\r\n\r\n").await;
    let all = read_all(&mut tcp).await.unwrap();
    assert!(
        all.starts_with("HTTP/1.1 200 OK\r\n") && all.contains("helloHTTP/1.1 400 "),
        "{all}"
    );
    assert!(
        all.ends_with("\"detail\":\"the request is not valid HTTP\"}"),
        "{all}"
    );
}

#[tokio::test]
async fn a_header_just_below_the_limit_is_taken() {
    let server = start(ServerConfig::default()).await;
    let mut tcp = server.connect().await;
    let long = format!("GET /hello HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(60_000));
    send(&mut tcp, &long).await;
    assert!(read_head(&mut tcp).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn silent_connections_are_closed_and_streams_are_not() {
    let short = Duration::from_millis(200);
    let config = ServerConfig {
        handshake_timeout: short,
        header_read_timeout: short,
        ..Default::default()
    };
    let server = start(config).await;
    let mut stream = server.get("/script").await;
    read_head(&mut stream).await;
    let mut silent = server.connect().await;
    assert_eq!(read_all(&mut silent).await.unwrap(), "");
    let mut half = server.connect().await;
    send(&mut half, "GET / HTTP").await;
    assert_eq!(read_all(&mut half).await.unwrap(), "");
    server.write(&["still here"]);
    read_until(&mut stream, "still here\r\n").await;
}

#[tokio::test]
async fn connections_over_the_limit_are_told_so() {
    let server = start(ServerConfig {
        max_connections: 1,
        ..Default::default()
    })
    .await;
    let mut first = server.get("/script").await;
    read_head(&mut first).await;
    let mut second = server.get("/hello").await;
    let all = read_all(&mut second).await.unwrap();
    assert!(all.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{all}");
    assert!(all.contains("connection: close\r\n") && all.contains("application/problem+json"));
    assert!(
        all.ends_with("\"detail\":\"the limit of 1 connections is reached\"}"),
        "{all}"
    );
}

#[tokio::test]
async fn draining_closes_idle_connections_and_waits_for_streams() {
    let server = start(ServerConfig::default()).await;
    let mut stream = server.get("/script").await;
    read_head(&mut stream).await;
    let mut idle = server.get("/hello").await;
    read_head(&mut idle).await;
    read_until(&mut idle, "hello").await;
    let mut silent = server.connect().await;
    let mut other = server.get("/hello").await;
    read_head(&mut other).await; // the silent one was accepted before this
    server.phase.send(Phase::Draining).unwrap();
    assert_eq!(read_all(&mut idle).await.unwrap(), "");
    assert_eq!(read_all(&mut silent).await.unwrap(), "");
    let mut late = server.get("/hello").await;
    let answer = read_all(&mut late).await.unwrap();
    assert!(
        answer.contains("connection: close\r\n") && answer.ends_with("hello"),
        "{answer}"
    );
    assert!(!server.served.is_finished());
    server.write(&["bye"]);
    server.end(End::Close);
    assert_eq!(read_all(&mut stream).await.unwrap(), "3\r\nbye\r\n0\r\n\r\n");
    drop((idle, silent, other, late, stream));
    soon(server.served).await.unwrap();
    assert!(TcpStream::connect(server.addr).await.is_err());
}

#[tokio::test]
async fn closing_drops_everything() {
    let server = start(ServerConfig::default()).await;
    let mut stream = server.get("/script").await;
    read_head(&mut stream).await;
    server.phase.send(Phase::Closed).unwrap();
    soon(server.served).await.unwrap();
    assert_eq!(read_all(&mut stream).await.unwrap(), "");
    assert!(TcpStream::connect(server.addr).await.is_err());
}

#[tokio::test]
async fn a_host_with_several_addresses_gets_one_port_on_all() {
    let config = ServerConfig {
        host: "localhost".into(),
        port: 0,
        ..Default::default()
    };
    let addrs = Server::bind(config).await.unwrap().local_addrs();
    assert!(
        !addrs.is_empty() && addrs.iter().all(|a| a.port() == addrs[0].port()),
        "{addrs:?}"
    );
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let first = start(ServerConfig::default()).await;
    let config = ServerConfig {
        port: first.addr.port(),
        ..Default::default()
    };
    let Err(error) = Server::bind(config).await else {
        panic!("bound twice")
    };
    assert!(
        error
            .to_string()
            .starts_with(&format!("cannot listen on {}: ", first.addr)),
        "{error}"
    );
}

//! HTTP/1.1 and 1.0 on the wire: streams that leave hyper, and what becomes of their connection.

mod transport_toy;

use mock_sse::{scenario::model::End, server::ServerConfig};
use tokio::io::AsyncWriteExt;
use transport_toy::{Seen, read_all, read_head, read_once, read_until, send, start, without_date};

const STREAM_HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-first: 1\r\n\
                           transfer-encoding: chunked\r\n\r\n";

#[tokio::test]
async fn each_step_is_one_write() {
    let mut server = start(ServerConfig::default()).await;
    let mut tcp = server.get("/script").await;
    assert_eq!(without_date(&read_head(&mut tcp).await), STREAM_HEAD);
    for (step, chunk) in [("a\n\n", "3\r\na\n\n\r\n"), ("bb\n\n", "4\r\nbb\n\n\r\n")] {
        server.write(&[step]);
        assert_eq!(server.next_seen().await, Seen::Written);
        assert_eq!(read_once(&mut tcp).await, chunk);
    }
    server.write(&["x", "y"]);
    assert_eq!(read_once(&mut tcp).await, "1\r\nx\r\n1\r\ny\r\n");
    server.end(End::Close);
    assert_eq!(read_once(&mut tcp).await, "0\r\n\r\n");
    send(&mut tcp, "GET /hello HTTP/1.1\r\nhost: t\r\n\r\n").await;
    read_head(&mut tcp).await;
    assert_eq!(read_until(&mut tcp, "hello").await, "hello");
}

#[tokio::test]
async fn pipelined_requests_are_answered_after_a_clean_end() {
    let server = start(ServerConfig::default()).await;
    let mut tcp = server.connect().await;
    let stream = "GET /close HTTP/1.1\r\nhost: t\r\n\r\n";
    let last = "GET /hello HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n";
    send(&mut tcp, &[stream, stream, last].concat()).await;
    for _ in 0..2 {
        assert_eq!(without_date(&read_head(&mut tcp).await), STREAM_HEAD);
        assert_eq!(
            read_until(&mut tcp, "0\r\n\r\n").await,
            "2\r\na\n\r\n2\r\nb\n\r\n0\r\n\r\n"
        );
    }
    assert!(read_all(&mut tcp).await.unwrap().ends_with("\r\n\r\nhello"));
}

#[tokio::test]
async fn a_request_sent_while_the_stream_runs_is_kept() {
    let server = start(ServerConfig::default()).await;
    let mut tcp = server.get("/script").await;
    read_head(&mut tcp).await;
    send(&mut tcp, "GET /hel").await;
    server.write(&["a"]);
    assert_eq!(read_once(&mut tcp).await, "1\r\na\r\n");
    server.end(End::Close);
    assert_eq!(read_once(&mut tcp).await, "0\r\n\r\n");
    send(&mut tcp, "lo HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n").await;
    assert!(read_all(&mut tcp).await.unwrap().ends_with("\r\n\r\nhello"));
}

#[tokio::test]
async fn the_clients_going_away_is_noticed_at_once() {
    let mut server = start(ServerConfig::default()).await;
    let mut tcp = server.get("/script").await;
    read_head(&mut tcp).await;
    tcp.shutdown().await.unwrap();
    assert_eq!(server.next_seen().await, Seen::Gone);
}

async fn check_post(request: &str, head_has_close: bool, body: &str) {
    let server = start(ServerConfig::default()).await;
    let mut tcp = server.connect().await;
    send(&mut tcp, request).await;
    let mut head = read_head(&mut tcp).await;
    if head.starts_with("HTTP/1.1 100 ") {
        send(&mut tcp, "xyz").await;
        head = read_head(&mut tcp).await;
    }
    assert_eq!(head.contains("connection: close\r\n"), head_has_close, "{head}");
    assert_eq!(read_until(&mut tcp, "0\r\n\r\n").await, body, "{request}");
    if head_has_close {
        assert_eq!(read_all(&mut tcp).await.unwrap(), "");
    } else {
        send(
            &mut tcp,
            "GET /hello HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n",
        )
        .await;
        assert!(read_all(&mut tcp).await.unwrap().ends_with("hello"));
    }
}

#[tokio::test]
async fn request_bodies_decide_whether_the_connection_is_kept() {
    let xyz = "3\r\nxyz\r\n0\r\n\r\n";
    let ab = "2\r\na\n\r\n2\r\nb\n\r\n0\r\n\r\n";
    let post = |path: &str, rest: &str| format!("POST {path} HTTP/1.1\r\nhost: t\r\n{rest}");
    let sized = "content-length: 3\r\n\r\nxyz";
    let chunked = "transfer-encoding: chunked\r\n\r\n3\r\nxyz\r\n0\r\n\r\n";
    check_post(&post("/read-then-close", sized), false, xyz).await;
    check_post(&post("/read-then-close", chunked), false, xyz).await;
    check_post(&post("/close", sized), true, ab).await;
    check_post(&post("/close", chunked), true, ab).await;
    check_post(&post("/close", "content-length: 30000\r\n\r\nxyz"), true, ab).await;
    let expect = "expect: 100-continue\r\ncontent-length: 3\r\n\r\n";
    check_post(&post("/read-then-close", expect), false, xyz).await;
    check_post(&post("/close", expect), true, ab).await;
}

#[tokio::test]
async fn head_gets_the_head_alone() {
    let server = start(ServerConfig::default()).await;
    let mut tcp = server.connect().await;
    send(
        &mut tcp,
        "HEAD /close HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n",
    )
    .await;
    let all = read_all(&mut tcp).await.unwrap();
    assert!(
        all.starts_with("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"),
        "{all}"
    );
    assert!(
        all.ends_with("\r\n\r\n") && !all.contains("content-length"),
        "{all}"
    );
}

#[tokio::test]
async fn http_1_0_gets_a_body_that_ends_with_the_connection() {
    let server = start(ServerConfig::default()).await;
    let mut tcp = server.connect().await;
    send(&mut tcp, "GET /close HTTP/1.0\r\nconnection: keep-alive\r\n\r\n").await;
    let head = without_date(&read_head(&mut tcp).await);
    assert_eq!(
        head,
        "HTTP/1.0 200 OK\r\ncontent-type: text/event-stream\r\nx-first: 1\r\nconnection: close\r\n\r\n"
    );
    assert_eq!(read_all(&mut tcp).await.unwrap(), "a\nb\n");
}

#[tokio::test]
async fn a_cut_a_close_and_a_reset_look_different() {
    let server = start(ServerConfig::default()).await;
    let mut tcp = server.get("/goaway").await;
    read_head(&mut tcp).await;
    assert_eq!(read_all(&mut tcp).await.unwrap(), "2\r\na\n\r\n0\r\n\r\n");
    let mut tcp = server.get("/cut").await;
    read_head(&mut tcp).await;
    assert_eq!(read_all(&mut tcp).await.unwrap(), "2\r\na\n\r\n");
    let mut tcp = server.get("/reset").await;
    read_head(&mut tcp).await;
    assert_eq!(read_until(&mut tcp, "a\n\r\n").await, "2\r\na\n\r\n");
    let error = read_all(&mut tcp).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_reset_comes_after_all_that_was_written() {
    let config = ServerConfig {
        send_buffer_bytes: Some(8192),
        ..ServerConfig::default()
    };
    let server = start(config).await;
    let mut tcp = server.get("/reset-much").await;
    read_head(&mut tcp).await;
    let mut count = 0;
    while count < 400_000 {
        count += read_once(&mut tcp).await.matches('x').count();
    }
    let error = read_all(&mut tcp).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_panic_costs_one_connection() {
    let server = start(ServerConfig::default()).await;
    let mut tcp = server.get("/panic").await;
    let _ = read_all(&mut tcp).await;
    let mut tcp = server.get("/hello").await;
    read_head(&mut tcp).await;
}

//! Where a body ends: chunks, an announced length, the end of the connection; and whether the
//! connection serves another request after it.

mod transport_toy;
mod wire_toy;

use mock_sse::wire::Framing;
use transport_toy::{read_all, read_head, read_until, send, without_date};
use wire_toy::{Answer, BARE, CHUNKS, Running, ask_on, full, played, start};

/// `/full/chunked`, `/stream/sized` and so on; `/stream/sized/18` announces a length, and
/// `/stream/says/18` in a field of the head.
async fn serve(tls: bool) -> Running {
    start(tls, |engine, request| {
        let mut parts = request.path[1..].split('/');
        let mut reply = match parts.next().unwrap() {
            "full" => full(200, "body"),
            "empty" => full(200, ""),
            _ => played(engine, "/stream"),
        };
        reply.head.headers.clear();
        let framing = parts.next().unwrap();
        reply.framing = match framing {
            "chunked" => Some(Framing::Chunked),
            "sized" => Some(Framing::Sized),
            "close" => Some(Framing::Close),
            _ => None,
        };
        match parts.next() {
            Some(length) if framing == "says" => reply.head.push("Content-Length", length),
            length => reply.content_length = length.map(|n| n.parse().unwrap()),
        }
        Answer::reply(reply)
    })
    .await
}

/// The head of these fields, then the body; `kept`: then another request is answered.
async fn check(server: &Running, method: &str, path: &str, fields: &str, body: &str, kept: bool) {
    let mut io = server.ask(method, path).await;
    let head = without_date(&read_head(&mut io).await);
    assert_eq!(head, format!("HTTP/1.1 200 OK\r\n{fields}\r\n"), "{path}");
    if kept {
        let both = "HTTP/1.1 200 OK";
        assert_eq!(read_until(&mut io, body).await, body, "{path}");
        ask_on(&mut io, "GET", "/full/auto").await;
        assert_eq!(read_until(&mut io, both).await, both, "{path}");
    } else {
        assert_eq!(read_all(&mut io).await.unwrap(), body, "{path}");
    }
}

const CHUNKED: &str = "transfer-encoding: chunked\r\n";
const CLOSE: &str = "connection: close\r\n";

#[tokio::test]
async fn every_body_in_every_framing() {
    for tls in [false, true] {
        let server = serve(tls).await;
        let chunk = "4\r\nbody\r\n0\r\n\r\n";
        let four = "content-length: 4\r\n";
        for (path, fields, body, kept) in [
            ("/full/auto", four, "body", true),
            ("/full/chunked", CHUNKED, chunk, true),
            ("/full/sized", four, "body", true),
            ("/full/close", CLOSE, "body", false),
            ("/empty/chunked", CHUNKED, "0\r\n\r\n", true),
            ("/empty/sized", "content-length: 0\r\n", "", true),
            ("/empty/close", CLOSE, "", false),
            ("/stream/auto", CHUNKED, CHUNKS, true),
            ("/stream/chunked", CHUNKED, CHUNKS, true),
            ("/stream/sized/18", "content-length: 18\r\n", BARE, true),
            ("/stream/close", CLOSE, BARE, false),
            // No length to announce.
            ("/stream/sized", CLOSE, BARE, false),
        ] {
            check(&server, "GET", path, fields, body, kept).await;
        }
    }
}

#[tokio::test]
async fn a_length_that_is_a_lie_costs_the_connection() {
    for tls in [false, true] {
        let server = serve(tls).await;
        for (length, kept) in [("18", true), ("5", false), ("100", false), ("many", false)] {
            let fields = format!("Content-Length: {length}\r\n");
            check(
                &server,
                "GET",
                &format!("/stream/says/{length}"),
                &fields,
                BARE,
                kept,
            )
            .await;
        }
        for (length, kept) in [("4", true), ("2", false), ("9", false)] {
            let fields = format!("Content-Length: {length}\r\n");
            check(
                &server,
                "GET",
                &format!("/full/says/{length}"),
                &fields,
                "body",
                kept,
            )
            .await;
        }
        let fields = "content-length: 5\r\n";
        check(&server, "GET", "/stream/sized/5", fields, BARE, false).await;
        check(&server, "GET", "/full/auto/5", fields, "body", false).await;
    }
}

#[tokio::test]
async fn head_tells_the_framing_that_was_asked_for_and_sends_no_body() {
    let server = serve(false).await;
    for (path, fields, kept) in [
        ("/full/chunked", CHUNKED, true),
        ("/full/sized", "content-length: 4\r\n", true),
        ("/full/close", CLOSE, false),
        ("/full/says/99", "Content-Length: 99\r\n", true),
        ("/stream/chunked", CHUNKED, true),
        ("/stream/says/18", "Content-Length: 18\r\n", true),
        ("/stream/sized/18", "content-length: 18\r\n", true),
        ("/stream/sized", "", true),
        ("/stream/close", CLOSE, false),
    ] {
        check(&server, "HEAD", path, fields, "", kept).await;
    }
}

#[tokio::test]
async fn http_1_0_gets_no_chunks() {
    let server = serve(false).await;
    for (path, fields, body) in [
        ("/full/chunked", "", "body"),
        ("/stream/chunked", "", BARE),
        ("/stream/sized/18", "content-length: 18\r\n", BARE),
        ("/stream/close", "", BARE),
    ] {
        let mut io = server.connect("http/1.1").await;
        send(&mut io, &format!("GET {path} HTTP/1.0\r\n\r\n")).await;
        let head = without_date(&read_head(&mut io).await);
        assert_eq!(head, format!("HTTP/1.0 200 OK\r\n{fields}{CLOSE}\r\n"), "{path}");
        assert_eq!(read_all(&mut io).await.unwrap(), body, "{path}");
    }
}

#[tokio::test]
async fn what_has_no_body_is_framed_as_nothing() {
    let server = start(false, |_, request| {
        let status = request.path[1..].parse().unwrap();
        let mut reply = full(status, "never");
        reply.framing = Some(Framing::Chunked);
        Answer::reply(reply)
    })
    .await;
    let mut io = server.connect("http/1.1").await;
    for (path, line) in [("/204", "204 No Content"), ("/304", "304 Not Modified")] {
        ask_on(&mut io, "GET", path).await;
        let head = without_date(&read_head(&mut io).await);
        assert_eq!(head, format!("HTTP/1.1 {line}\r\n\r\n"));
    }
}

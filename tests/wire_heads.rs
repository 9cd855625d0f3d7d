//! The head of an answer, byte for byte as the scenario says it.

mod transport_toy;
mod wire_toy;

use mock_sse::engine::Reply;
use transport_toy::{read_all, read_head, read_until, soon, without_date};
use wire_toy::{Answer, CHUNKS, Running, ask_on, full, played, start};

/// Answers `/full` and `/stream`, both with the same change.
async fn serve(tls: bool, change: impl Fn(&mut Reply) + Send + Sync + 'static) -> Running {
    start(tls, move |engine, request| {
        let mut reply = match request.path.as_str() {
            "/full" => full(200, "body"),
            path => played(engine, path),
        };
        if request.path != "/plain" {
            change(&mut reply);
        }
        Answer::reply(reply)
    })
    .await
}

fn dictate(reply: &mut Reply) {
    reply.head.reason = Some("Quite OK \u{e9}".into());
    reply.head.headers.clear();
    for (name, value) in [("X-One", "1"), ("x-two", "2"), ("x-ONE", "3"), ("X-One", "4")] {
        reply.head.push(name, value);
    }
}

const DICTATED: &str = "HTTP/1.1 200 Quite OK \u{e9}\r\nX-One: 1\r\nx-two: 2\r\nx-ONE: 3\r\nX-One: 4\r\n";

#[tokio::test]
async fn reason_case_order_and_repetition_stand_as_written() {
    for tls in [false, true] {
        let server = serve(tls, dictate).await;
        let mut io = server.ask("GET", "/full").await;
        let head = without_date(&read_head(&mut io).await);
        assert_eq!(head, format!("{DICTATED}content-length: 4\r\n\r\n"));
        read_until(&mut io, "body").await;
        ask_on(&mut io, "GET", "/stream").await;
        let head = without_date(&read_head(&mut io).await);
        assert_eq!(head, format!("{DICTATED}transfer-encoding: chunked\r\n\r\n"));
        assert_eq!(read_until(&mut io, "0\r\n\r\n").await, CHUNKS);
        // HEAD: the same head, as far as it is known, and no body: the next answer follows at once.
        ask_on(&mut io, "HEAD", "/full").await;
        let head = without_date(&read_head(&mut io).await);
        assert_eq!(head, format!("{DICTATED}content-length: 4\r\n\r\n"));
        ask_on(&mut io, "HEAD", "/stream").await;
        let head = without_date(&read_head(&mut io).await);
        assert_eq!(head, format!("{DICTATED}\r\n"));
        ask_on(&mut io, "GET", "/full").await;
        read_until(&mut io, "body").await;
    }
}

#[tokio::test]
async fn an_http_1_0_client_gets_the_same_in_its_version() {
    let server = serve(false, dictate).await;
    let mut io = server.connect("http/1.1").await;
    transport_toy::send(&mut io, "GET /full HTTP/1.0\r\n\r\n").await;
    let head = without_date(&read_head(&mut io).await);
    let dictated = DICTATED.replace("HTTP/1.1", "HTTP/1.0");
    assert_eq!(
        head,
        format!("{dictated}content-length: 4\r\nconnection: close\r\n\r\n")
    );
    assert_eq!(read_all(&mut io).await.unwrap(), "body");
}

#[tokio::test]
async fn what_hyper_would_write_the_same_goes_through_it_as_before() {
    let server = serve(false, |reply| reply.head.push("x-one", "1")).await;
    let mut io = server.ask("GET", "/full").await;
    let head = without_date(&read_head(&mut io).await);
    assert_eq!(head, "HTTP/1.1 200 OK\r\nx-one: 1\r\ncontent-length: 4\r\n\r\n");
}

#[tokio::test]
async fn a_raw_head_is_all_that_is_sent_even_if_it_is_none() {
    for (tls, raw) in [
        (
            false,
            "HTTP/1.1 200 OK\r\nConTent-Type: text/event-stream\r\n\r\n",
        ),
        (true, "HTTP/1.1 200 OK\r\nConTent-Type: text/event-stream\r\n\r\n"),
        (false, "HTTP/3.7 abc \r\nno colon\r\n x: \u{0}\n\n"),
        (false, ""),
    ] {
        let server = serve(tls, |reply| reply.head.raw = Some(raw.into())).await;
        for (path, body) in [("/full", "body"), ("/stream", wire_toy::BARE)] {
            let mut io = server.ask("GET", path).await;
            assert_eq!(read_all(&mut io).await.unwrap(), format!("{raw}{body}"));
        }
        let mut io = server.ask("HEAD", "/stream").await;
        assert_eq!(read_all(&mut io).await.unwrap(), raw);
    }
}

#[tokio::test]
async fn a_raw_head_may_promise_chunks_and_keep_them() {
    let raw = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let server = serve(false, |reply| {
        reply.head.raw = Some(raw.into());
        reply.framing = Some(mock_sse::wire::Framing::Chunked);
    })
    .await;
    let mut io = server.ask("GET", "/stream").await;
    assert_eq!(read_head(&mut io).await, raw);
    assert_eq!(read_until(&mut io, "0\r\n\r\n").await, CHUNKS);
    ask_on(&mut io, "GET", "/full").await;
    assert_eq!(read_head(&mut io).await, raw);
    assert_eq!(read_until(&mut io, "0\r\n\r\n").await, "4\r\nbody\r\n0\r\n\r\n");
}

#[tokio::test]
async fn connection_close_ends_the_connection_after_the_answer() {
    let server = serve(false, |reply| reply.head.push("Connection", "Close")).await;
    for (path, framing, body) in [
        ("/full", "content-length: 4\r\n", "body"),
        ("/stream", "transfer-encoding: chunked\r\n", CHUNKS),
    ] {
        let mut io = server.ask("GET", path).await;
        let head = without_date(&read_head(&mut io).await);
        assert!(
            head.ends_with(&format!("Connection: Close\r\n{framing}\r\n")),
            "{head}"
        );
        assert_eq!(read_all(&mut io).await.unwrap(), body);
    }
}

#[tokio::test]
async fn fields_of_ours_are_overridden_or_left_out() {
    let server = serve(false, |reply| {
        reply.head.headers.clear();
        reply.head.push("Date", "today");
        reply.head.push("keep-alive", "timeout=5");
        reply.head.push("Upgrade", "h3");
    })
    .await;
    let mut io = server.ask("GET", "/full").await;
    assert_eq!(
        read_head(&mut io).await,
        "HTTP/1.1 200 OK\r\nDate: today\r\nkeep-alive: timeout=5\r\nUpgrade: h3\r\ncontent-length: 4\r\n\r\n"
    );
    let server = serve(false, |reply| {
        reply.head.headers.clear();
        reply.head.without = ["Date", "content-length", "connection"]
            .map(String::from)
            .to_vec();
    })
    .await;
    let mut io = server.ask("GET", "/full").await;
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    assert_eq!(read_head(&mut io).await, chunked);
    assert_eq!(read_until(&mut io, "0\r\n\r\n").await, "4\r\nbody\r\n0\r\n\r\n");
    ask_on(&mut io, "GET", "/stream").await;
    assert_eq!(read_head(&mut io).await, chunked);
}

#[tokio::test]
async fn a_draining_server_says_that_it_closes_behind_an_exact_head_too() {
    let server = serve(false, dictate).await;
    let mut io = server.ask("GET", "/held").await;
    read_until(&mut io, "data: a\n\n\r\n").await;
    server.phase.send(mock_sse::server::Phase::Draining).unwrap();
    let mut late = server.ask("GET", "/full").await;
    let all = read_all(&mut late).await.unwrap();
    assert!(all.contains("connection: close\r\n\r\nbody"), "{all}");
}

#[tokio::test]
async fn over_http2_names_are_lower_case_and_nothing_of_the_connection_remains() {
    for tls in [false, true] {
        let server = serve(tls, |reply| {
            dictate(reply);
            reply.head.raw = Some("never".into());
            reply.head.without.push("date".into());
            reply.head.without.push("content-length".into());
            for name in ["Connection", "Keep-Alive", "Upgrade", "Proxy-Connection"] {
                reply.head.push(name, "x-two");
            }
        })
        .await;
        let (mut client, connection) = h2::client::handshake(server.connect("h2").await).await.unwrap();
        tokio::spawn(connection);
        for path in ["/full", "/stream"] {
            let request = poem::http::Request::get(format!("http://t{path}"))
                .body(())
                .unwrap();
            let (response, _) = client.send_request(request, true).unwrap();
            let response = soon(response).await.unwrap();
            let fields: Vec<_> = response
                .headers()
                .iter()
                .map(|(n, v)| format!("{n}: {}", v.to_str().unwrap()))
                .collect();
            assert_eq!(fields, ["x-one: 1", "x-one: 3", "x-one: 4", "x-two: 2"]);
            let mut body = response.into_body();
            let mut text = Vec::new();
            while let Some(data) = soon(body.data()).await {
                text.extend(data.unwrap());
            }
            let expected = if path == "/full" { "body" } else { wire_toy::BARE };
            assert_eq!(String::from_utf8(text).unwrap(), expected);
        }
    }
}

#[tokio::test]
async fn head_over_http2_tells_the_length_and_sends_no_body() {
    let server = start(false, |_, request| {
        let status = request.path[1..].parse().unwrap();
        Answer::reply(full(status, "body"))
    })
    .await;
    let (mut client, connection) = h2::client::handshake(server.connect("h2").await).await.unwrap();
    tokio::spawn(connection);
    for (method, path, length) in [
        ("HEAD", "/200", Some("4")),
        ("HEAD", "/304", None),
        ("GET", "/204", None),
    ] {
        let request = poem::http::Request::builder()
            .method(method)
            .uri(format!("http://t{path}"));
        let (response, _) = client.send_request(request.body(()).unwrap(), true).unwrap();
        let response = soon(response).await.unwrap();
        let told = response
            .headers()
            .get("content-length")
            .map(|n| n.to_str().unwrap());
        assert_eq!(told, length, "{path}");
        assert!(response.into_body().is_end_stream(), "{path}");
    }
}

#[tokio::test]
async fn what_would_break_the_head_is_left_out() {
    let server = start(false, |_, _| {
        let mut reply = full(200, "body");
        reply.head.push("X-A", "1\r\nx-injected: 2");
        reply.head.push("X-B\r\nx-injected", "2");
        reply.head.reason = Some("no\r\nx-injected: 2".into());
        Answer::reply(reply)
    })
    .await;
    let mut io = server.ask("GET", "/full").await;
    let head = without_date(&read_head(&mut io).await);
    assert_eq!(head, "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n");
}

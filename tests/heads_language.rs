//! Heads as scenarios dictate them: status line, fields, framing, and no head at all.

mod byte_client;
mod transport_toy;
mod wire_toy;

use std::time::Duration;

use byte_client::{Answer, End, Mock, Via, mock, mock_on};
use mock_sse::clock::Mode;

/// A head without its date, which must be there.
fn dateless(answer: &Answer) -> String {
    transport_toy::without_date(&answer.head_text())
}

/// Endpoints, each at `/0`, `/1`…
async fn numbered(answers: &[&str]) -> Mock {
    let endpoints = answers.iter().enumerate();
    let endpoints: String = endpoints
        .map(|(at, answer)| format!("  - {{ path: /{at}, {answer} }}\n"))
        .collect();
    mock(&format!("endpoints:\n{endpoints}")).await
}

#[tokio::test]
async fn status_lines_and_fields_stand_as_written() {
    let cases = [
        (
            "status: 299, reason: Très bien, headers: { X-One: 1, x-two: [a, b], X-one-More: '' }, body: x",
            "HTTP/1.1 299 Très bien\r\ncontent-type: text/plain; charset=utf-8\r\nX-One: 1\r\nx-two: a\r\nx-two: b\r\nX-one-More: \r\ncontent-length: 1\r\n\r\n",
        ),
        (
            "headers: { Set-Cookie: [a=1; Path=/, 'b=2; Expires=Thu, 01 Jan 1970 00:00:00 GMT'], Content-Type: x bogus }, body: x",
            "HTTP/1.1 200 OK\r\nSet-Cookie: a=1; Path=/\r\nSet-Cookie: b=2; Expires=Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Type: x bogus\r\ncontent-length: 1\r\n\r\n",
        ),
        (
            "reason: '', headers: { content-type: '{{ none }}', x-a: [1, '{{ none }}', 3] }, body: x",
            "HTTP/1.1 200 \r\nx-a: 1\r\nx-a: 3\r\ncontent-length: 1\r\n\r\n",
        ),
        (
            "headers: { Content-Type: ~, Cache-Control: ~, X-Accel-Buffering: ~ }, stream: [{ data: a }]",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        ),
        (
            "headers: { content-type: text/event-stream;, Connection: close }, stream: [{ data: a }]",
            "HTTP/1.1 200 OK\r\ncache-control: no-store\r\nx-accel-buffering: no\r\ncontent-type: text/event-stream;\r\nConnection: close\r\ntransfer-encoding: chunked\r\n\r\n",
        ),
        (
            "headers: { connection: ~ }, wire: { framing: close }, stream: [{ data: a }]",
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-store\r\nx-accel-buffering: no\r\n\r\n",
        ),
        (
            "status: '{{ 200 + 3 }}', reason: \"{{ 'no' ~ 'pe' }}\"",
            "HTTP/1.1 203 nope\r\ncontent-length: 0\r\n\r\n",
        ),
        (
            "status: 418, json: [1]",
            "HTTP/1.1 418 I'm a teapot\r\ncontent-type: application/json\r\ncontent-length: 3\r\n\r\n",
        ),
    ];
    let mock = numbered(&cases.map(|(answer, _)| answer)).await;
    for (at, (_, expected)) in cases.iter().enumerate() {
        for via in [Via::Http1, Via::Http1Tls] {
            assert_eq!(
                dateless(&mock.get(via, &format!("/{at}")).await),
                *expected,
                "{via:?}"
            );
        }
    }
}

#[tokio::test]
async fn even_the_date_and_the_length_can_be_missing_or_a_lie() {
    let mock = numbered(&[
        "headers: { Date: ~, content-type: ~ }, body: x",
        "headers: { date: today, content-length: ~, content-type: ~ }, body: x",
        "headers: { content-length: 100, content-type: ~, date: ~ }, body: x",
        "headers: { content-length: 3, content-type: ~, date: ~, cache-control: ~, x-accel-buffering: ~ }, stream: [{ raw: abcdef }]",
    ])
    .await;
    let get = async |path: &str| mock.get(Via::Http1, path).await;
    assert_eq!(
        get("/0").await.head_text(),
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n"
    );
    let chunked = get("/1").await;
    assert_eq!(
        chunked.head_text(),
        "HTTP/1.1 200 OK\r\ndate: today\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    assert_eq!((chunked.text().as_str(), chunked.end), ("x", End::Clean));
    let short = get("/2").await;
    assert_eq!(
        short.head_text(),
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n"
    );
    assert_eq!(
        (short.text().as_str(), short.end),
        ("x", End::Closed),
        "99 bytes never come"
    );
    // All of it is sent, and then nothing: the client must not take the rest for another answer.
    let mut long = mock.open(Via::Http1, "/3", &[]).await;
    assert_eq!(long.head().await, b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n");
    let byte_client::Open::Http1(io) = &mut long else {
        unreachable!()
    };
    assert_eq!(transport_toy::read_all(io).await.unwrap(), "abcdef");
}

#[tokio::test]
async fn every_status_can_be_answered_with() {
    let mock = mock("endpoints: [{ path: '/{code}', status: '{{ code }}', body: 'body {{ code }}' }]").await;
    for code in 200..=599 {
        let answer = mock.get(Via::Http1, &format!("/{code}")).await;
        assert_eq!((answer.status(), answer.end), (code, End::Clean), "{code}");
        let expected = match code {
            204 | 205 | 304 => String::new(),
            code => format!("body {code}"),
        };
        assert_eq!(answer.text(), expected, "{code}");
    }
    for code in ["199", "600", "x", "-1", "2000"] {
        let answer = mock.get(Via::Http1, &format!("/{code}")).await;
        assert_eq!(answer.status(), 500, "{code}");
        assert!(answer.text().contains("use 200 to 599"), "{answer:?}");
    }
}

#[tokio::test]
async fn some_statuses_have_no_body_whatever_the_scenario_says() {
    let mock = mock(
        "
endpoints:
  - { path: '/body/{code}', status: '{{ code }}', body: never }
  - { path: '/stream/{code}', status: '{{ code }}', stream: [{ data: never }, { end: hold }] }
",
    )
    .await;
    for (code, fields) in [(204, ""), (205, "content-length: 0\r\n"), (304, "")] {
        for kind in ["body", "stream"] {
            let path = format!("/{kind}/{code}");
            let answer = mock.get(Via::Http1, &path).await;
            let head = answer.head_text();
            let end = head.split_once("date: ").unwrap().1.split_once("\r\n").unwrap().1;
            assert_eq!(
                (end, answer.body().len()),
                (&*format!("{fields}\r\n"), 0),
                "{path} {head}"
            );
            for via in [Via::Http2, Via::Http2Tls] {
                let answer = mock.get(via, &path).await;
                assert_eq!(
                    (answer.body().len(), answer.end),
                    (0, End::Clean),
                    "{via:?} {path}"
                );
            }
        }
    }
    // Nothing of it lies on the connection before the next answer.
    let twice = b"GET /body/205 HTTP/1.1\r\nhost: t\r\n\r\nGET /body/204 HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n";
    let mut io = mock.connect(Via::Http1).await;
    tokio::io::AsyncWriteExt::write_all(&mut io, twice).await.unwrap();
    let all = transport_toy::read_all(&mut io).await.unwrap();
    assert_eq!(all.matches("HTTP/1.1 20").count(), 2, "{all}");
    assert!(!all.contains("never"), "{all}");
}

#[tokio::test]
async fn redirects_lead_anywhere_or_nowhere() {
    let mock = mock(
        "
endpoints:
  - path: '/{code}'
    status: '{{ code }}'
    headers: { location: '{{ request.query.to | default(none) }}' }
",
    )
    .await;
    for code in [301, 302, 303, 307, 308] {
        for (query, location) in [
            ("?to=/sse", Some("/sse")),
            ("?to=..%2Fx%3Fa%3Db%23f", Some("../x?a=b#f")),
            (
                "?to=http%3A%2F%2Fother.test%3A81%2F%E2%98%83",
                Some("http://other.test:81/\u{2603}"),
            ),
            ("?to=", Some("")),
            ("", None),
        ] {
            let answer = mock.get(Via::Http1, &format!("/{code}{query}")).await;
            assert_eq!(
                (answer.status(), answer.value("location").as_deref()),
                (code, location),
                "{query}"
            );
            assert_eq!((answer.body().len(), answer.end), (0, End::Clean));
        }
    }
}

#[tokio::test]
async fn a_raw_head_is_sent_byte_for_byte() {
    let mock = numbered(&[
        r#"raw_head: "HTTP/1.1 200 OK\r\nX: 1\r\n\r\n", body: x"#,
        r#"raw_head: { hex: "48 54 54 50 2f 39 ff 00 0d 0a 0d 0a" }, stream: [{ data: a }]"#,
        r#"raw_head: ["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n", "x: {{ request.method }}\r\n\r\n"], wire: { framing: chunked }, stream: [{ data: a }]"#,
        r#"raw_head: "HTTP/1.1 200\nno colon\n: no name\nx : space\n\n", body: x"#,
        r#"status: 503, raw_head: "HTTP/1.1 200 OK\r\n\r\n", body: x"#,
        r#"raw_head: "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", body: x, wire: { framing: sized }"#,
    ])
    .await;
    for (path, expected) in [
        ("/0", &b"HTTP/1.1 200 OK\r\nX: 1\r\n\r\nx"[..]),
        ("/1", b"HTTP/9\xff\0\r\n\r\ndata: a\n\n"),
        (
            "/2",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx: GET\r\n\r\n9\r\ndata: a\n\n\r\n0\r\n\r\n",
        ),
        ("/3", b"HTTP/1.1 200\nno colon\n: no name\nx : space\n\nx"),
        ("/4", b"HTTP/1.1 200 OK\r\n\r\nx"),
        (
            "/5",
            b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx",
        ),
    ] {
        for via in [Via::Http1, Via::Http1Tls] {
            let mut io = mock.connect(via).await;
            let request = format!("GET {path} HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n");
            transport_toy::send(&mut io, &request).await;
            let mut all = Vec::new();
            transport_toy::soon(tokio::io::AsyncReadExt::read_to_end(&mut io, &mut all))
                .await
                .unwrap();
            assert_eq!(
                String::from_utf8_lossy(&all),
                String::from_utf8_lossy(expected),
                "{via:?} {path}"
            );
            assert_eq!(all, expected);
        }
    }
    assert_eq!(
        mock.get(Via::Http2, "/4").await.text(),
        "x",
        "HTTP/2 has no raw head"
    );
}

#[tokio::test]
async fn the_head_waits_and_is_flushed_before_any_byte_of_the_body() {
    let yaml = "
endpoints:
  - { path: /stream, after: 3s, stream: [{ after: 2s, data: '{{ elapsed }}' }] }
  - { path: /body, after: 3s, body: x }
  - { path: /none, after: 3s, end: close }
";
    for via in Via::ALL {
        let mock = mock_on(Mode::Manual, yaml).await;
        let mut open = mock.open(via, "/stream", &[]).await;
        assert_eq!(due(&mock).await, 3000, "{via:?}");
        mock.clock().advance(Duration::from_secs(3)).await;
        open.head().await;
        assert_eq!(mock.tick().await, Some(Duration::from_secs(2)), "{via:?}");
        assert_eq!(open.next().await, b"data: 2000\n\n");
        assert_eq!(open.remains().await.end, End::Clean);
        for (path, end) in [("/body", End::Clean), ("/none", End::Closed)] {
            let mut open = mock.open(via, path, &[]).await;
            due(&mock).await;
            assert_eq!(mock.tick().await, Some(Duration::from_secs(3)), "{via:?} {path}");
            let answer = open.rest().await;
            let expected = if path == "/none" && via.is_http2() {
                End::StreamReset(8)
            } else {
                end
            };
            assert_eq!(answer.end, expected, "{via:?} {path}");
        }
    }
}

/// When something is due, as soon as a request has arrived.
async fn due(mock: &Mock) -> u128 {
    let arrived = async {
        loop {
            if let Some(due) = mock.clock().next_due().await {
                return due - mock.clock().now();
            }
            tokio::task::yield_now().await;
        }
    };
    transport_toy::soon(arrived).await.as_millis()
}

#[tokio::test]
async fn no_answer_at_all_in_every_form() {
    let mock = mock(
        "
endpoints:
  - { path: /close, end: close }
  - { path: /cut, end: cut }
  - { path: /code, end: cut, code: 7 }
  - { path: /reset, end: reset }
  - { path: /goaway, end: goaway }
  - { path: /rude, end: close, wire: { close_notify: false } }
",
    )
    .await;
    use End::*;
    for (path, expected) in [
        ("/close", [Closed, Closed, StreamReset(8), StreamReset(8)]),
        ("/cut", [Closed, Unannounced, StreamReset(2), StreamReset(2)]),
        ("/code", [Closed, Unannounced, StreamReset(7), StreamReset(7)]),
        ("/reset", [Reset, Reset, Reset, Reset]),
        ("/goaway", [Closed, Closed, StreamReset(8), StreamReset(8)]),
        ("/rude", [Closed, Unannounced, StreamReset(8), StreamReset(8)]),
    ] {
        for (via, expected) in Via::ALL.into_iter().zip(expected) {
            let answer = mock.get(via, path).await;
            assert_eq!(
                (answer.end, answer.head_text(), answer.pieces.len()),
                (expected, String::new(), 0),
                "{via:?} {path}"
            );
        }
    }
}

#[tokio::test]
async fn every_end_of_a_stream_looks_different_where_the_protocol_can_show_it() {
    let ends = ["close", "cut", "cut, code: ENHANCE_YOUR_CALM", "reset", "goaway"];
    let endpoints: Vec<String> = ends
        .iter()
        .map(|end| format!("stream: [{{ data: a }}, {{ end: {end} }}]"))
        .chain(["wire: { close_notify: false }, stream: [{ data: a }]".to_owned()])
        .collect();
    let mock = numbered(&endpoints.iter().map(String::as_str).collect::<Vec<_>>()).await;
    use End::*;
    for (path, expected) in [
        ("/0", [Clean, Clean, Clean, Clean]),
        ("/1", [Closed, Unannounced, StreamReset(2), StreamReset(2)]),
        ("/2", [Closed, Unannounced, StreamReset(11), StreamReset(11)]),
        ("/3", [Reset, Reset, Reset, Reset]),
        ("/4", [Clean, Clean, Clean, Clean]),
        ("/5", [Clean, Clean, Clean, Clean]),
    ] {
        for (via, expected) in Via::ALL.into_iter().zip(expected) {
            let answer = mock.get(via, path).await;
            assert_eq!(
                (answer.texts(), answer.end),
                (vec!["data: a\n\n".to_owned()], expected),
                "{via:?} {path}"
            );
        }
    }
    // Behind the end the connection is closed in its own way.
    for (path, via, expected) in [
        ("/4", Via::Http1, Closed),
        ("/5", Via::Http1Tls, Unannounced),
        ("/4", Via::Http1Tls, Closed),
    ] {
        let mut open = mock.open(via, path, &[]).await;
        open.rest().await;
        assert_eq!(open.piece().await, Err((Vec::new(), expected)), "{via:?} {path}");
    }
}

#[tokio::test]
async fn bodies_and_streams_in_every_framing() {
    let stream = "stream: [{ data: a, id: uuid }, { after: 5ms, data: '{{ letter() }}' }]";
    let mut answers = Vec::new();
    for framing in ["chunked", "sized", "close"] {
        answers.push(format!("wire: {{ framing: {framing} }}, body: abc"));
        answers.push(format!(
            "wire: {{ framing: {framing}, bom: true, eol: crlf }}, {stream}"
        ));
    }
    let mock = numbered(&answers.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let length = 3 + "data: a\r\nid: 00000000-0000-4000-8000-000000000000\r\n\r\ndata: a\r\n\r\n".len();
    for via in [Via::Http1, Via::Http1Tls] {
        for (path, field, value, end) in [
            ("/0", "transfer-encoding", "chunked".to_owned(), End::Clean),
            ("/1", "transfer-encoding", "chunked".to_owned(), End::Clean),
            ("/2", "content-length", "3".to_owned(), End::Clean),
            ("/3", "content-length", length.to_string(), End::Clean),
            ("/4", "connection", "close".to_owned(), End::Closed),
            ("/5", "connection", "close".to_owned(), End::Closed),
        ] {
            let answer = mock.get(via, path).await;
            let framed: Vec<String> = ["transfer-encoding", "content-length", "connection"]
                .iter()
                .flat_map(|name| {
                    answer
                        .values(name)
                        .into_iter()
                        .map(move |v| format!("{name}: {v}"))
                })
                .collect();
            assert_eq!(framed, [format!("{field}: {value}")], "{via:?} {path}");
            let expected = if ["/0", "/2", "/4"].contains(&path) {
                3
            } else {
                length
            };
            assert_eq!(
                (answer.body().len(), answer.end),
                (expected, end),
                "{via:?} {path}"
            );
        }
    }
}

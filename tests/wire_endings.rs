//! No answer at all, a cut inside a chunk, and connections that end unannounced.

mod transport_toy;
mod wire_toy;

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use mock_sse::{
    engine::{Head, Reply, ReplyBody},
    scenario::model::End,
    server::Phase,
};
use tokio::io::AsyncWriteExt;
use transport_toy::{read_all, read_head, read_until, soon, without_date};
use wire_toy::{Answer, DATA, Frames, GOAWAY, HEADERS, Running, full, partly, played, start};

const CANCEL: u32 = 8;
const ENHANCE_YOUR_CALM: u32 = 11;

fn end(name: &str) -> End {
    match name {
        "close" => End::Close,
        "cut" => End::Cut {
            code: ENHANCE_YOUR_CALM,
        },
        "reset" => End::Reset,
        "goaway" => End::Goaway,
        "stall" => End::Stall,
        "hold" => End::Hold,
        other => panic!("no end {other}"),
    }
}

/// `/nothing/END`; `/partly/END`; any other path is the scenario's.
async fn serve(tls: bool) -> Running {
    start(tls, |engine, request| match request.path[1..].split_once('/') {
        Some(("nothing", name)) => {
            let body = ReplyBody::Nothing(end(name));
            Answer::reply(Reply::new(Head::new(200, None), body))
        }
        Some(("partly", name)) => partly(end(name)),
        _ if request.path == "/full" => Answer::reply(full(200, "body")),
        _ => Answer::reply(played(engine, &request.path)),
    })
    .await
}

/// What reading to the end comes to: all bytes, or the kind of error.
async fn outcome(io: &mut Box<dyn wire_toy::Io>) -> Result<String, ErrorKind> {
    read_all(io).await.map_err(|e| e.kind())
}

#[tokio::test]
async fn no_answer_over_http1_is_the_end_of_the_connection() {
    for (tls, name, expected) in [
        (false, "close", Ok("")),
        (false, "cut", Ok("")),
        (false, "goaway", Ok("")),
        (false, "reset", Err(ErrorKind::ConnectionReset)),
        // With close_notify it is a clean end, without it is none.
        (true, "close", Ok("")),
        (true, "goaway", Ok("")),
        (true, "cut", Err(ErrorKind::UnexpectedEof)),
        (true, "reset", Err(ErrorKind::ConnectionReset)),
    ] {
        let server = serve(tls).await;
        for method in ["GET", "HEAD"] {
            let mut io = server.ask(method, &format!("/nothing/{name}")).await;
            let expected = expected.map(str::to_owned);
            assert_eq!(outcome(&mut io).await, expected, "{name} {tls}");
        }
    }
}

#[tokio::test]
async fn silence_lasts_until_the_client_leaves_or_the_server_stops() {
    for tls in [false, true] {
        let server = serve(tls).await;
        let mut leaving = server.ask("GET", "/nothing/stall").await;
        let mut staying = server.ask("GET", "/nothing/hold").await;
        let mut frames = Frames::new(server.connect("h2").await).await;
        frames.get(1, "/nothing/stall").await;
        frames.get(3, "/nothing/hold").await;
        let open = async |count| {
            while server.engine.connections.count() != count {
                tokio::task::yield_now().await;
            }
        };
        soon(open(4)).await;
        leaving.shutdown().await.unwrap();
        soon(open(3)).await;
        frames.reset(1).await;
        soon(open(2)).await;
        server.engine.connections.shut_down();
        assert_eq!(outcome(&mut staying).await, Ok(String::new()));
        assert_eq!(frames.expect_reset(3).await, CANCEL);
        soon(open(0)).await;
    }
}

#[tokio::test]
async fn no_answer_comes_no_sooner_than_it_is_due() {
    let server = start(false, |_, _| {
        let mut reply = Reply::new(Head::new(200, None), ReplyBody::Nothing(End::Close));
        reply.after = Duration::from_millis(50);
        Answer::reply(reply)
    })
    .await;
    let began = Instant::now();
    let mut io = server.ask("GET", "/").await;
    assert_eq!(outcome(&mut io).await, Ok(String::new()));
    assert!(began.elapsed() >= Duration::from_millis(50));
}

#[tokio::test]
async fn no_answer_over_http2_resets_the_stream_and_others_live_on() {
    for tls in [false, true] {
        let server = serve(tls).await;
        let mut frames = Frames::new(server.connect("h2").await).await;
        for (stream, name, code) in [(1, "close", CANCEL), (3, "cut", ENHANCE_YOUR_CALM)] {
            frames.get(stream, &format!("/nothing/{name}")).await;
            assert_eq!(frames.expect_reset(stream).await, code, "{name}");
        }
        frames.get(5, "/full").await;
        frames.expect(HEADERS).await;
        assert_eq!(frames.expect(DATA).await.payload, b"body");

        let mut frames = Frames::new(server.connect("h2").await).await;
        frames.get(1, "/held").await;
        frames.expect(HEADERS).await;
        frames.expect(DATA).await;
        frames.get(3, "/nothing/goaway").await;
        let mut seen = Vec::new();
        while seen
            .last()
            .is_none_or(|frame: &wire_toy::WireFrame| frame.kind == GOAWAY)
        {
            seen.push(frames.next().await.unwrap().unwrap());
        }
        // GOAWAY comes first, and may come in two steps (RFC 9113 §6.8).
        assert_eq!(seen[0].kind, GOAWAY);
        let last = seen.last().unwrap();
        assert_eq!(
            (last.kind, last.stream, &last.payload[..]),
            (3, 3, &[0, 0, 0, 8][..])
        );
        // The other stream goes on until it ends.
        server.engine.connections.shut_down();
        loop {
            let frame = frames.next().await.unwrap().expect("the other stream's end");
            if frame.kind == DATA {
                assert_eq!((frame.stream, frame.flags), (1, 1));
                break;
            }
            assert_eq!(frame.kind, GOAWAY);
        }

        let mut frames = Frames::new(server.connect("h2").await).await;
        frames.get(1, "/nothing/reset").await;
        let error = frames.next().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
}

#[tokio::test]
async fn a_part_of_a_frame_is_cut_inside_its_chunk() {
    for (tls, name, expected) in [
        (false, "cut", Ok("")),
        (false, "reset", Err(ErrorKind::ConnectionReset)),
        (true, "cut", Err(ErrorKind::UnexpectedEof)),
        (true, "reset", Err(ErrorKind::ConnectionReset)),
        // No clean end is possible any more.
        (false, "close", Ok("")),
    ] {
        let server = serve(tls).await;
        let mut io = server.ask("GET", &format!("/partly/{name}")).await;
        let head = without_date(&read_head(&mut io).await);
        assert!(head.contains("transfer-encoding: chunked"), "{head}");
        let part = "9\r\ndata: a\n\n\r\nd\r\ndata: b";
        assert_eq!(read_until(&mut io, part).await, part);
        let expected = expected.map(str::to_owned);
        assert_eq!(outcome(&mut io).await, expected, "{name} {tls}");

        let mut frames = Frames::new(server.connect("h2").await).await;
        frames.get(1, &format!("/partly/{name}")).await;
        frames.expect(HEADERS).await;
        assert_eq!(frames.expect(DATA).await.payload, b"data: a\n\n");
        assert_eq!(frames.expect(DATA).await.payload, b"data: b");
        match name {
            "cut" => assert_eq!(frames.expect_reset(1).await, ENHANCE_YOUR_CALM),
            "reset" => {
                let error = frames.next().await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            }
            _ => assert_eq!(frames.expect(DATA).await.payload, b""),
        }
    }
}

/// `/stream`, `/held` and `/full` without close_notify.
async fn rude(tls: bool) -> Running {
    start(tls, |engine, request| {
        let mut reply = match request.path.as_str() {
            "/full" => full(200, "body"),
            "/nothing" => Reply::new(Head::new(200, None), ReplyBody::Nothing(End::Close)),
            path => played(engine, path),
        };
        reply.close_notify = request.path == "/polite";
        Answer::reply(reply)
    })
    .await
}

#[tokio::test]
async fn without_close_notify_an_encrypted_connection_looks_truncated() {
    let server = rude(true).await;
    for path in ["/full", "/stream", "/nothing"] {
        let mut io = server.ask("GET", path).await;
        if path != "/nothing" {
            let head = read_head(&mut io).await;
            assert!(head.contains("connection: close\r\n"), "{head}");
            let end = if path == "/full" { "body" } else { "0\r\n\r\n" };
            read_until(&mut io, end).await;
        }
        assert_eq!(outcome(&mut io).await, Err(ErrorKind::UnexpectedEof), "{path}");
    }
    let mut io = server.ask("GET", "/polite").await;
    read_head(&mut io).await;
    server.phase.send(Phase::Draining).unwrap();
    assert!(outcome(&mut io).await.is_ok());
}

#[tokio::test]
async fn over_http2_the_connection_ends_behind_such_an_answer_without_close_notify() {
    let server = rude(true).await;
    let mut frames = Frames::new(server.connect("h2").await).await;
    frames.get(1, "/polite").await;
    frames.expect(HEADERS).await;
    frames.expect(DATA).await;
    frames.get(3, "/stream").await;
    let mut kinds = Vec::new();
    let error = loop {
        match frames.next().await {
            Ok(Some(frame)) => kinds.push((frame.kind, frame.stream)),
            Ok(None) => panic!("a clean end: {kinds:?}"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    assert!(
        kinds.contains(&(GOAWAY, 0)) && kinds.contains(&(DATA, 3)),
        "{kinds:?}"
    );
}

#[tokio::test]
async fn in_the_clear_there_is_no_close_notify_to_leave_out() {
    let server = rude(false).await;
    let mut io = server.ask("GET", "/stream").await;
    read_head(&mut io).await;
    read_until(&mut io, "0\r\n\r\n").await;
    wire_toy::ask_on(&mut io, "GET", "/full").await;
    read_until(&mut io, "body").await;
}

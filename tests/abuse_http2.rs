//! Clients of HTTP/2 that mean harm, frame by frame.

mod abuse_support;
mod support;

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use abuse_support::frames::{self, *};
use abuse_support::{Scene, pour, until, until_ended};

const ENHANCE_YOUR_CALM: u32 = 11;
const PROTOCOL_ERROR: u32 = 1;
const FLOW_CONTROL_ERROR: u32 = 3;
const COMPRESSION_ERROR: u32 = 9;

/// A connection that has said hello with these settings.
fn hello(scene: &Scene, pairs: &[(u16, u32)]) -> TcpStream {
    scene.send([PREFACE, &settings(pairs)].concat())
}

/// Reads all that comes and throws it away, so that nothing the server says is in its own way.
fn swallow(socket: &TcpStream) -> std::thread::JoinHandle<Vec<u8>> {
    let reader = socket.try_clone().unwrap();
    std::thread::spawn(move || until_ended(reader))
}

/// The code of the last GOAWAY in what came.
fn last_word(bytes: &[u8]) -> Option<u32> {
    let (mut rest, mut code) = (bytes, None);
    while let Some(head) = rest.get(..9) {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let Some(payload) = rest.get(9..9 + length) else {
            break;
        };
        if head[3] == GOAWAY {
            code = Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
        }
        rest = &rest[9 + length..];
    }
    code
}

/// A flood of which nobody reads the answers ends with the connection, or waits: it costs no memory.
fn flood(scene: &Scene, socket: &mut TcpStream, piece: &[u8], times: usize) -> bool {
    let memory = scene.memory_now();
    let taken = pour(socket, piece, times);
    scene.undisturbed();
    let more = scene.memory_now().saturating_sub(memory);
    assert!(more < 64 << 20, "it costs {} MiB", more >> 20);
    taken
}

/// CVE-2023-44487: streams that are reset as soon as they are opened.
#[test]
fn rapid_resets_end_the_connection() {
    let scene = Scene::plain(&[]);
    for path in ["/small", "/held"] {
        let mut socket = hello(&scene, &[]);
        let heard = swallow(&socket);
        let mut sent = 0;
        while sent < 100_000 {
            let some: Vec<u8> = (sent..sent + 100)
                .flat_map(|n| [get(2 * n + 1, path), reset(2 * n + 1)].concat())
                .collect();
            if socket.write_all(&some).is_err() {
                break;
            }
            sent += 100;
        }
        scene.undisturbed();
        socket.shutdown(std::net::Shutdown::Both).ok();
        let code = last_word(&heard.join().unwrap());
        assert!(sent < 100_000, "{sent} resets are taken, goaway {code:?}");
    }
    scene.recovered();
}

/// Nobody may make the server reset streams without end either (CVE-2025-8671).
#[test]
fn resets_that_the_server_is_driven_to_end_the_connection() {
    let scene = Scene::plain(&[]);
    let mut socket = hello(&scene, &[]);
    let heard = swallow(&socket);
    let mut sent = 0;
    while sent < 100_000 {
        // A window that grows by nothing is an error of the stream.
        let some: Vec<u8> = (sent..sent + 100)
            .flat_map(|n| [get(2 * n + 1, "/held"), window_update(2 * n + 1, 0)].concat())
            .collect();
        if socket.write_all(&some).is_err() {
            break;
        }
        sent += 100;
    }
    scene.undisturbed();
    socket.shutdown(std::net::Shutdown::Both).ok();
    let code = last_word(&heard.join().unwrap());
    assert!(sent < 100_000, "all are taken, goaway {code:?}");
    scene.recovered();
}

/// CVE-2024-27316 and its kin: a head that goes on in frame after frame.
#[test]
fn continuations_without_end_are_cut_off() {
    let scene = Scene::plain(&[]);
    let mut field = vec![0];
    string(&mut field, b"x-more");
    string(&mut field, &b"y".repeat(1000));
    for piece in [field.repeat(16), Vec::new(), vec![0x20; 16]] {
        let mut socket = hello(&scene, &[]);
        let heard = swallow(&socket);
        socket
            .write_all(&frame(HEADERS, 0, 1, &block("GET", "/small", &[])))
            .unwrap();
        let more = frame(CONTINUATION, 0, 1, &piece);
        // More than all buffers on the way hold.
        let more = more.repeat(100);
        let taken = flood(&scene, &mut socket, &more, (64 << 20) / more.len());
        assert!(!taken, "{} bytes a frame are taken for ever", piece.len());
        assert!(matches!(
            last_word(&heard.join().unwrap()),
            Some(ENHANCE_YOUR_CALM | PROTOCOL_ERROR | COMPRESSION_ERROR)
        ));
    }
    scene.recovered();
}

/// Each of them wants an answer, which nobody reads.
#[test]
fn settings_and_pings_without_end_cost_nothing() {
    let scene = Scene::plain(&["--send-buffer", "16384", "--write-timeout", "1s"]);
    for piece in [
        settings(&[]),
        settings(&[(INITIAL_WINDOW, 65_535)]),
        frame(PING, 0, 0, b"12345678"),
    ] {
        let mut socket = hello(&scene, &[]);
        socket
            .set_write_timeout(Some(Duration::from_millis(500)))
            .unwrap();
        flood(&scene, &mut socket, &piece.repeat(1000), 1000);
    }
    // Whoever reads the answers may go on, as long as others get theirs.
    for piece in [settings(&[]), frame(PING, 0, 0, b"12345678")] {
        let mut socket = hello(&scene, &[]);
        let heard = swallow(&socket);
        flood(&scene, &mut socket, &piece.repeat(1000), 100);
        socket.shutdown(std::net::Shutdown::Both).ok();
        heard.join().unwrap();
    }
    scene.recovered();
}

#[test]
fn frames_that_say_nothing_cost_nothing() {
    let scene = Scene::plain(&["--body-timeout", "2s"]);
    let priority = frame(PRIORITY, 0, 3, &[0, 0, 0, 1, 255]);
    let unknown = frame(0xbb, 0xff, 0, b"whatever");
    let wider = window_update(0, 1);
    for piece in [frame(DATA, 0, 1, b""), priority, unknown, wider] {
        let mut socket = hello(&scene, &[]);
        let heard = swallow(&socket);
        socket.write_all(&post(1, "/echo")).unwrap();
        flood(&scene, &mut socket, &piece.repeat(1000), 200);
        socket.shutdown(std::net::Shutdown::Both).ok();
        heard.join().unwrap();
    }
    // A dependency upon itself, a frame of a wrong length: errors, and no more.
    for broken in [
        frame(PRIORITY, 0, 3, &[0, 0, 0, 3, 1]),
        frame(PRIORITY, 0, 3, b"x"),
        frame(PING, 0, 0, b"x"),
        frame(SETTINGS, 0, 0, b"xyz"),
        frame(SETTINGS, 0, 1, b""),
        frame(DATA, 0, 0, b"x"),
        frame(HEADERS, 4, 2, b""),
    ] {
        let mut socket = hello(&scene, &[]);
        socket.write_all(&broken).unwrap();
        // It may have been ended by then.
        let _ = socket.write_all(&get(5, "/small"));
        let _ = socket.shutdown(std::net::Shutdown::Write);
        until_ended(socket);
    }
    scene.recovered();
}

/// What the client does not make room for waits on the scenario's side of the window, not in memory.
#[test]
fn windows_that_stay_shut_cost_little_and_not_for_ever() {
    let scene = Scene::plain(&["--write-timeout", "1s"]);
    for window in [0, 1] {
        let memory = scene.memory_now();
        let mut sockets: Vec<TcpStream> = (0..10)
            .map(|_| hello(&scene, &[(INITIAL_WINDOW, window)]))
            .collect();
        for socket in &mut sockets {
            let asked: Vec<u8> = (0..100).flat_map(|n| get(2 * n + 1, "/flood")).collect();
            socket.write_all(&asked).unwrap();
        }
        scene.undisturbed();
        let each = scene.memory_now().saturating_sub(memory) / 1000;
        assert!(each < 96 << 10, "a stream costs {each} bytes");
        for socket in &mut sockets {
            let mut left = 100;
            while left > 0 {
                let came = frames::next(socket).expect("the connection stays");
                left -= usize::from(came.kind == RST_STREAM);
            }
            assert!(frames::answers(socket), "only the streams are ended");
        }
    }
    scene.recovered();
}

#[test]
fn windows_that_overflow_are_errors() {
    let scene = Scene::plain(&[]);
    let mut socket = hello(&scene, &[]);
    socket.write_all(&window_update(0, 0x7fff_ffff)).unwrap();
    assert_eq!(farewell(&mut socket), Some(FLOW_CONTROL_ERROR));
    let mut socket = hello(&scene, &[(INITIAL_WINDOW, 0x8000_0000)]);
    assert!(farewell(&mut socket).is_some());
    let mut socket = hello(&scene, &[]);
    socket
        .write_all(&[get(1, "/held"), window_update(1, 0x7fff_ffff)].concat())
        .unwrap();
    let mut reset = None;
    while reset.is_none() {
        let came = frames::next(&mut socket).expect("a reset");
        reset = (came.kind == RST_STREAM).then(|| came.code());
    }
    assert_eq!(reset, Some(FLOW_CONTROL_ERROR));
    drop(socket);
    // Settings that make windows of open streams overflow.
    let mut socket = hello(&scene, &[(INITIAL_WINDOW, 100)]);
    socket
        .write_all(
            &[
                get(1, "/held"),
                window_update(1, 0x7fff_0000),
                settings(&[(INITIAL_WINDOW, 0x7fff_ffff)]),
            ]
            .concat(),
        )
        .unwrap();
    assert_eq!(farewell(&mut socket), Some(FLOW_CONTROL_ERROR));
    scene.recovered();
}

#[test]
fn windows_that_go_up_and_down_cost_nothing() {
    let scene = Scene::plain(&[]);
    let mut socket = hello(&scene, &[]);
    let heard = swallow(&socket);
    let asked: Vec<u8> = (0..200).flat_map(|n| get(2 * n + 1, "/held")).collect();
    socket.write_all(&asked).unwrap();
    let game = [
        settings(&[(INITIAL_WINDOW, 0)]),
        settings(&[(INITIAL_WINDOW, 1 << 20)]),
    ]
    .concat();
    flood(&scene, &mut socket, &game, 2000);
    socket.shutdown(std::net::Shutdown::Both).ok();
    heard.join().unwrap();
    scene.recovered();
}

#[test]
fn streams_beyond_the_limit_are_refused() {
    let scene = Scene::plain(&["--http2-max-streams", "10"]);
    let mut socket = hello(&scene, &[]);
    for n in 0..50 {
        socket.write_all(&get(2 * n + 1, "/held")).unwrap();
    }
    let (mut opened, mut refused) = (0, 0);
    while opened + refused < 50 {
        let came = frames::next(&mut socket).expect("the connection stays");
        match came.kind {
            HEADERS => opened += 1,
            RST_STREAM => {
                assert_eq!(came.code(), 7, "REFUSED_STREAM");
                refused += 1;
            }
            _ => {}
        }
    }
    assert_eq!((opened, refused), (10, 40));
    assert!(frames::answers(&mut socket));
    drop(socket);
    scene.recovered();
}

/// A small block that is a large head: one entry of the table, named again and again.
#[test]
fn small_blocks_do_not_become_large_heads() {
    let scene = Scene::plain(&[]);
    let mut bomb = block("GET", "/small", &[]);
    bomb.push(0x40); // literal, indexed
    string(&mut bomb, b"x-bomb");
    string(&mut bomb, &b"y".repeat(3900));
    bomb.extend([0xbe; 12_000]); // the entry that is the newest one
    let mut streams = 1;
    let mut socket = hello(&scene, &[]);
    let heard = swallow(&socket);
    let memory = scene.memory_now();
    while streams < 400
        && socket
            .write_all(&frame(HEADERS, END_HEADERS | END_STREAM, streams, &bomb))
            .is_ok()
    {
        streams += 2;
    }
    scene.undisturbed();
    let more = scene.memory_now().saturating_sub(memory);
    assert!(more < 64 << 20, "it costs {} MiB", more >> 20);
    socket.shutdown(std::net::Shutdown::Both).ok();
    let heard = heard.join().unwrap();
    assert!(
        !heard.windows(5).any(|bytes| bytes == b"small"),
        "no such head is taken"
    );
    // A table larger than was agreed, an entry that is none.
    for broken in [
        &[0x3f, 0xe1, 0xff, 0xff, 0x7f][..],
        &[0xff, 0xff, 0xff, 0xff, 0x7f],
        &[0x80],
    ] {
        let mut socket = hello(&scene, &[]);
        socket
            .write_all(&frame(HEADERS, END_HEADERS | END_STREAM, 1, broken))
            .unwrap();
        assert!(matches!(
            farewell(&mut socket),
            Some(PROTOCOL_ERROR | COMPRESSION_ERROR)
        ));
    }
    scene.recovered();
}

/// Heads without the least of what a request needs, or with what none may have.
#[test]
fn heads_that_are_none_are_refused() {
    let scene = Scene::plain(&[]);
    let fields = |fields: &[(&str, &str)]| {
        let mut block = Vec::new();
        for (name, value) in fields {
            block.push(0);
            string(&mut block, name.as_bytes());
            string(&mut block, value.as_bytes());
        }
        block
    };
    let get = |more: &[(&str, &str)]| block("GET", "/small", more);
    for (n, head) in [
        fields(&[]),
        fields(&[("x", "y")]),
        get(&[("X-Upper", "y")]),
        get(&[("connection", "close")]),
        get(&[("transfer-encoding", "chunked")]),
        get(&[(":path", "/held")]),
        get(&[("x", "a\r\nb: c")]),
        get(&[("x y", "z")]),
        get(&[("content-length", "5")]),
    ]
    .iter()
    .enumerate()
    {
        let mut socket = hello(&scene, &[]);
        let head = frame(HEADERS, END_HEADERS | END_STREAM, 1, head);
        socket.write_all(&head).unwrap();
        let refused = std::iter::from_fn(|| frames::next(&mut socket)).find_map(|came| match came.kind {
            RST_STREAM | GOAWAY => Some(came.code() == PROTOCOL_ERROR || came.code() == COMPRESSION_ERROR),
            // 400 of the static table.
            HEADERS => Some(came.payload[0] == 0x8c),
            DATA => panic!("{n} is answered"),
            _ => None,
        });
        assert_eq!(refused, Some(true), "{n}");
    }
    scene.recovered();
}

#[test]
fn a_connection_that_says_no_more_than_hello_is_asked_whether_it_lives() {
    let scene = Scene::plain(&["--http2-keepalive", "300ms"]);
    let silent: Vec<TcpStream> = (0..50)
        .map(|n| {
            let hello = [PREFACE, &settings(&[])].concat();
            scene.send(&hello[..[24, hello.len()][n % 2]])
        })
        .collect();
    scene.undisturbed();
    let mut first = silent.into_iter();
    let mut socket = first.next().unwrap();
    until("it is asked", || {
        frames::next(&mut socket).is_some_and(|came| came.kind == PING && came.flags == 0)
    });
    drop((socket, first));
    scene.recovered();
}

//! Clients of HTTP/1.1 that mean harm: what they do disturbs nobody, and costs nothing for long.

mod abuse_support;
mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use abuse_support::{Scene, head_of, pour, until, until_ended};
use rustix::process::Signal;

const HOST: &str = "host: localhost\r\n";

/// Sends a byte after another until the server has had enough.
fn dribble(mut socket: TcpStream, piece: &[u8]) -> Vec<u8> {
    socket.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
    let mut ended = false;
    until("a slow client is sent away", || {
        let written = socket.write_all(piece).is_ok();
        match socket.read(&mut buffer) {
            Ok(0) => ended = true,
            Ok(n) => all.extend_from_slice(&buffer[..n]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => ended = true,
        }
        ended || !written
    });
    all
}

fn status(answer: &[u8]) -> &str {
    let text = std::str::from_utf8(answer.get(9..12).unwrap_or_default()).unwrap();
    if answer.is_empty() { "none" } else { text }
}

#[test]
fn heads_that_dribble_in_are_given_up() {
    let scene = Scene::plain(&["--header-timeout", "500ms"]);
    let many: Vec<TcpStream> = (0..100)
        .map(|_| scene.send("GET /small HTTP/1.1\r\nx-slow: "))
        .collect();
    assert_eq!(dribble(scene.send("GET /small HTTP/1.1\r\n"), b"x: y\r\n"), b"");
    // A connection that was answered before is no better.
    let mut kept = scene.send(format!("GET /small HTTP/1.1\r\n{HOST}\r\n"));
    head_of(&mut kept);
    assert!(dribble(kept, b"G").ends_with(b"small"));
    scene.undisturbed();
    many.into_iter()
        .for_each(|socket| assert_eq!(until_ended(socket), b""));
    scene.recovered();
}

#[test]
fn bodies_that_dribble_in_are_given_up() {
    let scene = Scene::plain(&["--body-timeout", "500ms"]);
    let sized = format!("POST /echo HTTP/1.1\r\n{HOST}content-length: 1000000\r\n\r\n");
    let chunked = format!("POST /echo HTTP/1.1\r\n{HOST}transfer-encoding: chunked\r\n\r\n");
    let many: Vec<TcpStream> = (0..100).map(|n| scene.send([&sized, &chunked][n % 2])).collect();
    for (head, piece) in [
        (&sized, "x"),
        (&chunked, "1\r\nx\r\n"),
        (&chunked, "1;a=b\r\nx\r\n"),
    ] {
        let answer = dribble(scene.send(head), piece.as_bytes());
        assert_eq!(status(&answer), "408", "{}", String::from_utf8_lossy(&answer));
        assert!(String::from_utf8_lossy(&answer).contains("--body-timeout"));
    }
    scene.undisturbed();
    many.into_iter()
        .for_each(|socket| assert_eq!(status(&until_ended(socket)), "408"));
    // The server's own paths take no slower ones.
    let own = sized.replace("/echo", "/__mock/reset");
    assert_eq!(status(&dribble(scene.send(own), b"x")), "408");
    scene.recovered();
}

#[test]
fn heads_of_any_size_are_refused_before_they_cost_anything() {
    let scene = Scene::plain(&[]);
    let line = "GET /small HTTP/1.1\r\n";
    let mebi = 1 << 20;
    for (head, refusal) in [
        (format!("{line}x: {}\r\n\r\n", "y".repeat(mebi)), "431"),
        (format!("{line}{}\r\n", "x: y\r\n".repeat(100_000)), "431"),
        (format!("{line}{}\r\n", "x: y\r\n".repeat(150)), "431"),
        (format!("{line}{}: y\r\n\r\n", "x".repeat(mebi)), "431"),
        (format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(mebi)), "431"),
        (format!("{} / HTTP/1.1\r\n\r\n", "X".repeat(mebi)), "431"),
        ("\r\n".repeat(mebi), "431"),
        ("x".repeat(mebi), "431"),
        (format!("{line}x: y\r\n z: folded\r\n\r\n"), "400"),
        (format!("{line}\0: y\r\n\r\n"), "400"),
    ] {
        let mut socket = scene.connect();
        pour(&mut socket, head.as_bytes(), 1);
        let answer = until_ended(socket);
        let shown = &head[..head.len().min(60)];
        // Who is still sending when it is refused may not see why.
        let seen = status(&answer);
        assert!(
            seen == refusal || seen == "none",
            "{shown:?}: {}",
            String::from_utf8_lossy(&answer)
        );
    }
    let memory = scene.memory_now();
    let endless: Vec<TcpStream> = (0..200)
        .map(|_| scene.send(format!("{line}x: {}", "y".repeat(60_000))))
        .collect();
    scene.undisturbed();
    let each = scene.memory_now().saturating_sub(memory) / 200;
    assert!(each < 256 << 10, "a head costs {each} bytes");
    drop(endless);
    scene.recovered();
}

#[test]
fn bodies_without_end_are_refused() {
    let scene = Scene::plain(&["--max-body", "1000000"]);
    let head = |fields: &str| format!("POST /echo HTTP/1.1\r\n{HOST}{fields}\r\n\r\n");
    // What is announced as too large is refused before it is sent.
    for length in ["1000001", "99999999999", "9223372036854775807"] {
        let answer = until_ended(scene.send(head(&format!("content-length: {length}"))));
        assert_eq!(status(&answer), "413", "{length}");
        assert!(String::from_utf8_lossy(&answer).contains("\r\nconnection: close\r\n"));
    }
    let expecting = head("content-length: 2000000\r\nexpect: 100-continue");
    assert_eq!(status(&until_ended(scene.send(expecting))), "413");
    for (fields, refusal) in [
        ("content-length: 99999999999999999999", "400"),
        ("content-length: -1", "400"),
        ("content-length: 5, 6", "400"),
        ("content-length: 5\r\ncontent-length: 6", "400"),
        ("content-length: 0x10", "400"),
        ("transfer-encoding: chunked, identity", "400"),
        ("transfer-encoding: gzip", "400"),
    ] {
        assert_eq!(
            status(&until_ended(scene.send(head(fields)))),
            refusal,
            "{fields}"
        );
    }
    let chunked = head("transfer-encoding: chunked");
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(65_536));
    let extension = format!("1;{}\r\nx\r\n", "e".repeat(20_000));
    for (what, piece) in [
        ("chunks", chunk),
        ("extensions", extension),
        ("one extension", "1;".to_owned() + &"e".repeat(100_000)),
    ] {
        let mut socket = scene.send(&chunked);
        assert!(
            !pour(&mut socket, piece.as_bytes(), 1_000_000),
            "{what} are taken for ever"
        );
        let seen = until_ended(socket);
        assert!(
            ["413", "400", "none"].contains(&status(&seen)),
            "{what}: {}",
            String::from_utf8_lossy(&seen)
        );
    }
    // Sizes that overflow, that are none, and trailers without end.
    for piece in ["ffffffffffffffffff\r\n", "zz\r\n", "-1\r\n", "1 0\r\nx", "\r\n"] {
        let answer = until_ended(scene.send(format!("{chunked}{piece}")));
        assert_eq!(status(&answer), "400", "{piece:?}");
    }
    let mut socket = scene.send(format!("{chunked}0\r\n"));
    assert!(
        !pour(&mut socket, &b"trailer: x\r\n".repeat(1000), 1_000_000),
        "trailers are taken for ever"
    );
    scene.recovered();
}

#[test]
fn many_large_bodies_at_once_do_not_fill_the_memory() {
    let scene = Scene::plain(&["--max-body", "8000000", "--body-timeout", "60s"]);
    let head = format!("POST /echo HTTP/1.1\r\n{HOST}content-length: 8000000\r\n\r\n");
    let body = vec![b'x'; 7_900_000];
    let mut open: Vec<TcpStream> = Vec::new();
    let mut refused = 0;
    // 60 × 7.9 MB: almost twice of what there is room for.
    for _ in 0..60 {
        let mut socket = scene.send(&head);
        if pour(&mut socket, &body, 1) {
            open.push(socket);
        } else {
            refused += 1;
        }
    }
    until("some are refused", || {
        open.retain(|socket| {
            socket.set_nonblocking(true).unwrap();
            let silent = socket
                .peek(&mut [0])
                .is_err_and(|e| e.kind() == std::io::ErrorKind::WouldBlock);
            refused += usize::from(!silent);
            silent
        });
        refused >= 20
    });
    // Small ones are taken all the while.
    scene.answers();
    scene.undisturbed();
    let more = scene.memory_now() - scene.memory_before();
    assert!(more < 700 << 20, "{} MiB", more >> 20);
    drop(open);
    scene.recovered();
}

#[test]
fn requests_without_end_whose_answers_nobody_reads_wait() {
    let scene = Scene::plain(&["--write-timeout", "1s", "--send-buffer", "16384"]);
    let requests = format!("GET /small HTTP/1.1\r\n{HOST}\r\n").repeat(1000);
    let mut sockets: Vec<TcpStream> = (0..4).map(|_| scene.connect()).collect();
    for socket in &mut sockets {
        socket
            .set_write_timeout(Some(Duration::from_millis(300)))
            .unwrap();
        // More than can be read and forgotten in the second that a closed connection lingers.
        assert!(!pour(socket, requests.as_bytes(), 20_000), "everything was taken");
    }
    scene.undisturbed();
    // Nobody reads: each is ended, though it is not told before it asks.
    for mut socket in sockets {
        until("a client that reads nothing is cut off", || {
            socket
                .write_all(b"x")
                .is_err_and(|e| e.kind() != std::io::ErrorKind::WouldBlock)
        });
    }
    scene.recovered();
}

#[test]
fn requests_behind_a_stream_are_kept_within_bounds() {
    let scene = Scene::plain(&[]);
    let mut socket = scene.send(format!("GET /held HTTP/1.1\r\n{HOST}\r\n"));
    head_of(&mut socket);
    let requests = format!("GET /small HTTP/1.1\r\n{HOST}\r\n").repeat(1000);
    let before = scene.memory_now();
    assert!(
        pour(&mut socket, requests.as_bytes(), 2000),
        "they are read, or the client's end is not seen"
    );
    scene.undisturbed();
    let more = scene.memory_now().saturating_sub(before);
    assert!(more < 16 << 20, "{more} bytes are kept");
    drop(socket);
    scene.recovered();
}

#[test]
fn answered_requests_in_a_row_are_all_answered() {
    let scene = Scene::plain(&[]);
    let mut socket = scene.connect();
    let reader = socket.try_clone().unwrap();
    let requests = format!("GET /small HTTP/1.1\r\n{HOST}\r\n").repeat(2000);
    let answers = std::thread::spawn(move || until_ended(reader));
    assert!(pour(&mut socket, requests.as_bytes(), 1));
    socket
        .write_all(format!("GET /small HTTP/1.1\r\n{HOST}connection: close\r\n\r\n").as_bytes())
        .unwrap();
    let answers = String::from_utf8(answers.join().unwrap()).unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2001);
    scene.recovered();
}

#[test]
fn connections_up_to_the_limit_of_descriptors_are_waited_for() {
    let scene = Scene::limited(200, &["--handshake-timeout", "60s"]);
    let flood: Vec<TcpStream> = (0..400).map(|_| scene.connect()).collect();
    scene.server.log.wait_for("cannot accept connections");
    let before = scene.processor_time();
    scene.undisturbed();
    std::thread::park_timeout(Duration::from_secs(2));
    scene.undisturbed();
    let used = scene.processor_time() - before;
    // The witnesses cost something; a loop that spins would take all of it.
    assert!(
        used < Duration::from_millis(1500),
        "it used {used:?} of more than 2 s"
    );
    let said = scene
        .server
        .log
        .text()
        .matches("cannot accept connections")
        .count();
    assert_eq!(said, 1, "{}", scene.server.log.text());
    drop(flood);
    scene.server.log.wait_for("accepting connections again");
    // Again, and it says so again.
    let flood: Vec<TcpStream> = (0..400).map(|_| scene.connect()).collect();
    scene.server.log.wait_for_times("cannot accept connections", 2);
    drop(flood);
    scene.server.log.wait_for_times("accepting connections again", 2);
    scene.recovered();
}

#[test]
fn connections_that_come_and_go_leave_nothing() {
    let scene = Scene::plain(&["--max-connections", "100"]);
    for round in 0..20 {
        let flood: Vec<TcpStream> = (0..500).map(|_| scene.connect()).collect();
        if round % 2 == 0 {
            flood
                .iter()
                .for_each(|socket| drop(socket2::SockRef::from(socket).set_linger(Some(Duration::ZERO))));
        }
    }
    until("there is room again", || {
        let mut socket = scene.send(format!("GET /small HTTP/1.1\r\n{HOST}connection: close\r\n\r\n"));
        let mut first = [0; 12];
        socket.read_exact(&mut first).is_ok() && &first == b"HTTP/1.1 200"
    });
    scene.recovered();
}

/// Whatever was done, it stops when it is told to.
#[test]
fn it_stops_under_attack() {
    let mut scene = Scene::plain(&["--drain", "500ms"]);
    let slow: Vec<TcpStream> = (0..50)
        .map(|_| scene.send("POST /echo HTTP/1.1\r\ncontent-length: 9\r\n\r\nx"))
        .collect();
    let held: Vec<TcpStream> = (0..50)
        .map(|_| scene.send(format!("GET /flood HTTP/1.1\r\n{HOST}\r\n")))
        .collect();
    scene.undisturbed();
    scene.server.signal(Signal::TERM);
    assert!(scene.server.exit().success());
    drop((slow, held));
}

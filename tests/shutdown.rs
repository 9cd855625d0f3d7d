//! SIGTERM and Ctrl-C: streams end cleanly, then the process does, in time.

mod support;

use std::io::Read;
use std::time::{Duration, Instant};

use support::{PATIENCE, Server, serve};

const SCENARIO: &str = "
topics: { news: {} }
endpoints:
  - path: /hold
    stream: [{ data: here }, { end: hold }]
  - path: /stall
    stream: [{ data: here }, { end: stall }]
  - path: /ticks
    stream: [{ data: here }, { every: 10ms, data: tick }]
  - path: /wait
    stream: [{ data: here }, { wait: 1h }]
  - path: /news
    stream: [{ data: here }, { follow: news }]
  - path: /slow
    after: 1h
    stream: [{ data: late }]
  - path: /flood
    stream:
      - repeat: { times: 1000000000, steps: [{ data: '{{ \"x\" * 50000 }}' }] }
";

fn code(server: &mut Server) -> Option<i32> {
    server.exit().code()
}

#[test]
fn streams_end_cleanly_and_the_process_exits_with_0() {
    for signal in ["TERM", "INT"] {
        let mut server = serve(SCENARIO, &[]);
        let paths = ["/hold", "/stall", "/ticks", "/wait", "/news", "/flood"];
        let mut streams: Vec<_> = paths.iter().map(|path| server.open(path, &[])).collect();
        streams
            .iter_mut()
            .for_each(|stream| drop(stream.event().unwrap()));
        let began = Instant::now();
        server.signal(signal);
        for (path, stream) in paths.iter().zip(&mut streams) {
            // `event` panics unless the terminating chunk comes.
            while stream.event().is_some() {}
            assert_eq!(stream.rest().unwrap(), b"", "{path} is closed behind its end");
        }
        assert_eq!(code(&mut server), Some(0));
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        let log = server.log.text();
        assert_eq!(log.matches(", shutdown").count(), paths.len(), "{log}");
        assert!(
            log.contains("stopping: 6 open streams") && log.trim_end().ends_with("stopped"),
            "{log}"
        );
    }
}

#[test]
fn streams_say_farewell_before_they_end() {
    for (farewell, expected) in [
        ("goodbye", ": goodbye"),
        (
            "{event: bye, data: {code: 7}, retry: 1s}",
            "event: bye\ndata: {\"code\":7}\nretry: 1000",
        ),
    ] {
        let mut server = serve(SCENARIO, &["--farewell", farewell]);
        let mut streams = ["/hold", "/stall", "/wait", "/news"].map(|path| server.open(path, &[]));
        streams
            .iter_mut()
            .for_each(|stream| assert_eq!(stream.field("data"), "here"));
        server.signal("TERM");
        for stream in &mut streams {
            assert_eq!(stream.event().as_deref(), Some(expected));
            assert_eq!(stream.event(), None);
        }
        assert_eq!(code(&mut server), Some(0));
    }
}

#[test]
fn http2_streams_end_with_end_stream_and_the_farewell() {
    let mut server = serve(SCENARIO, &["--farewell", "bye"]);
    let url = server.url("http", "/hold");
    let args = ["-sSN", "--http2-prior-knowledge", "--max-time", "20", &url];
    let mut curl = std::process::Command::new("curl");
    let mut curl = curl
        .args(args)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = curl.stdout.take().unwrap();
    let mut body = vec![0; "data: here\n\n".len()];
    out.read_exact(&mut body).unwrap();
    server.signal("TERM");
    out.read_to_end(&mut body).unwrap();
    assert_eq!(String::from_utf8(body).unwrap(), "data: here\n\n: bye\n\n");
    // curl fails on a stream that is reset or a connection that breaks off.
    assert_eq!(support::process::exit_of(&mut curl).code(), Some(0));
    assert_eq!(code(&mut server), Some(0));
}

#[test]
fn a_client_that_reads_nothing_holds_the_process_no_longer_than_the_drain() {
    let mut server = serve(SCENARIO, &["--drain", "500ms", "--farewell", "bye"]);
    let stalled = server.open("/flood", &[]);
    let mut other = server.open("/hold", &[]);
    assert_eq!(other.field("data"), "here");
    wait_until_full(&server, &stalled);
    let began = Instant::now();
    server.signal("TERM");
    assert_eq!(other.event().as_deref(), Some(": bye"));
    assert_eq!(other.event(), None);
    assert_eq!(code(&mut server), Some(0));
    let took = began.elapsed();
    assert!(
        (Duration::from_millis(500)..Duration::from_secs(4)).contains(&took),
        "{took:?}"
    );
    let log = server.log.text();
    assert!(log.contains("1 stream still open after 500ms"), "{log}");
    let flood = log.lines().find(|line| line.contains("GET /flood 200")).unwrap();
    assert!(
        flood.ends_with("cut by the shutdown") && !flood.contains(" 0 bytes"),
        "{log}"
    );
}

/// Waits until the server can write no more: the buffers of both sides are full, and it sleeps.
fn wait_until_full(server: &Server, stream: &support::Stream) {
    let (mut last, mut still) = (0, 0);
    let began = Instant::now();
    while still < 15 {
        assert!(began.elapsed() < PATIENCE);
        let now = rustix::io::ioctl_fionread(stream.socket()).unwrap();
        let full = now == last && now > 0 && sleeps(server);
        still = if full { still + 1 } else { 0 };
        last = now;
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// Whether all threads of the server sleep; one that waits for a processor does not (proc(5)).
fn sleeps(server: &Server) -> bool {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", server.child.id())).unwrap();
    let state = |stat: String| stat.rsplit_once(')').unwrap().1.trim_start().starts_with('S');
    tasks
        .filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("stat")).ok())
        .all(state)
}

#[test]
fn a_second_signal_ends_at_once() {
    let mut server = serve(SCENARIO, &["--drain", "1h"]);
    let stalled = server.open("/flood", &[]);
    wait_until_full(&server, &stalled);
    server.signal("TERM");
    server.log.wait_for("stopping: 1 open stream;");
    let began = Instant::now();
    server.signal("INT");
    assert_eq!(code(&mut server), Some(0));
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert!(server.log.text().contains("stopped at once"));
}

#[test]
fn connections_without_a_stream_do_not_hold_the_process() {
    let mut server = serve(SCENARIO, &["--drain", "1h"]);
    let silent = std::net::TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    let kept = server.open("/nowhere", &[]);
    assert_eq!(kept.status, 404);
    server.signal("TERM");
    assert_eq!(code(&mut server), Some(0));
    drop((silent, kept));
}

#[test]
fn an_answer_that_is_not_due_yet_does_not_outlast_the_drain() {
    let mut server = serve(SCENARIO, &["--drain", "300ms"]);
    let mut socket = std::net::TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    std::io::Write::write_all(&mut socket, b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    // A later connection's answer tells that the earlier request is under way.
    assert_eq!(server.get("/nowhere").status, 404);
    server.signal("TERM");
    assert_eq!(code(&mut server), Some(0));
    let mut rest = Vec::new();
    let _ = socket.read_to_end(&mut rest);
    assert!(!String::from_utf8_lossy(&rest).contains("late"));
}

#[test]
fn a_signal_as_soon_as_the_server_is_ready_is_heeded() {
    for _ in 0..10 {
        let folder = tempfile::tempdir().unwrap();
        let args = ["--port", "0", "--no-tls"];
        let mut started = support::process::start(folder, &args, &[]);
        started.signal(rustix::process::Signal::TERM);
        assert_eq!(started.exit().code(), Some(0), "{}", started.log.text());
    }
}

#[test]
fn an_idle_stream_is_never_timed_out() {
    // The transport's own limits are far below the silence here.
    let args = ["--handshake-timeout", "200ms", "--http2-keepalive", "200ms"];
    let server = serve(
        "endpoints:\n  - path: /late\n    stream: [{ comment: x }, { after: 3s, data: late }]\n",
        &args,
    );
    let mut stream = server.open("/late", &[]);
    let url = server.url("http", "/late");
    let h2 = support::process::curl(&["-N", "--http2-prior-knowledge", &url]);
    assert_eq!(String::from_utf8_lossy(&h2.stdout), ": x\n\ndata: late\n\n");
    assert_eq!(stream.field("data"), "late");
    assert_eq!(stream.event(), None);
}

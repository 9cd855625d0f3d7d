//! `mock-sse record`: what is recorded is what came, and what is served from it is the same again.

mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use mock_sse::scenario::load::{Origin, load};
use mock_sse::scenario::recording::{self, Write as Written};
use rustix::process::{Pid, Signal, kill_process};
use support::process::{exit_of, run, said, wait_for_file};
use support::{Log, Server, binary, serve, serve_in};

const ORIGINAL: &str = r#"
endpoints:
  - path: /all
    headers: { X-Odd-Case: "{{ '{{' }} x: '\" # {{ '{%' }} {#-#}!", x-two: [a, "true"], cache-control: ~ }
    wire: { eol: crlf, split: { inside: utf8, gap: 5ms } }
    stream:
      - { retry: 3s }
      - { id: "1", event: snow, data: "☃ man" }
      - { raw: { hex: "64 61 74 61 3a ff fe" }, after: 120ms }
      - { raw: "\r" }
      - { raw: "\n\r\n", after: 30ms }
      - { comment: the last, after: 40ms }
  - { path: /cut, stream: [{ data: x }, { after: 60ms, end: cut }] }
  - path: /torn
    faults: { after: { bytes: 13 }, end: cut }
    stream: [{ data: x }, { data: long enough, after: 20ms }]
  - { path: /reset, stream: [{ data: x }, { after: 500ms, end: reset }] }
  - { path: /nothing, stream: [{ after: 80ms, end: close }] }
  - { path: /bare, wire: { framing: close }, stream: [{ data: x }, { data: y, after: 40ms }] }
  - { path: /sized, wire: { framing: sized }, stream: [{ data: x }, { data: y, after: 40ms }, { end: cut }] }
  - { path: /late, after: 150ms, stream: [{ data: x }] }
  - { path: /a%20b/c, status: 404, reason: "Nowhere {{ '{{' }}", json: { error: "no {{ request.query.q }}" } }
  - { path: /moved, status: 302, headers: { location: /all?a=b } }
  - { path: /gone, status: 204 }
  - { path: /packed, compress: [gzip], stream: [{ data: aaaaaaaaaaaaaaaa, every: 20ms, times: 3 }] }
  - path: /ask
    method: POST
    stream: [{ data: "{{ request.headers['content-type'] }} {{ request.headers['x-own'] }}" }, { data: "{{ request.body }}" }]
  - { path: /ticks, stream: [{ id: counter, data: "{{ seq }}", every: 20ms }] }
  - { path: /three, stream: [{ raw: "data: 1\n\ndata: 2\r\n\r\ndata: 3\n\ndata: 4\n\n" }, { end: hold }] }
"#;

/// What a recording consists of.
#[derive(Debug, PartialEq)]
struct Tape {
    /// The scenario without its comments and the times of its end and its beginning.
    yaml: Vec<String>,
    writes: Vec<Vec<u8>>,
    /// When, in milliseconds.
    times: Vec<u64>,
}

/// Records with these arguments into `NAME.yaml`; what it said, and what is in the files.
fn record(folder: &Path, url: &str, name: &str, args: &[&str]) -> (String, Tape) {
    let file = format!("{name}.yaml");
    let all = [&["record", url, "-o", &file], args].concat();
    let (code, out, err) = said(&run(folder, &all, &[]));
    assert_eq!(code, Some(0), "{out}{err}");
    (out + &err, tape(folder, name))
}

fn tape(folder: &Path, name: &str) -> Tape {
    let yaml = std::fs::read_to_string(folder.join(name).with_extension("yaml")).unwrap();
    let writes = writes(folder, name);
    Tape {
        yaml: yaml.lines().filter_map(lasting).collect(),
        times: writes.iter().map(|write| write.at.as_millis() as u64).collect(),
        writes: writes.iter().map(|write| write.bytes.to_vec()).collect(),
    }
}

fn writes(folder: &Path, name: &str) -> Vec<Written> {
    let path = folder.join(format!("{name}.recording.ndjson"));
    match path.exists() {
        true => recording::parse(&std::fs::read(path).unwrap()).unwrap(),
        false => Vec::new(),
    }
}

/// A line of the scenario without what differs from one recording to the next.
fn lasting(line: &str) -> Option<String> {
    let line = line.trim();
    if line.starts_with('#') || line.starts_with("after:") || line.contains("replay:") {
        return None;
    }
    let end = line.find("end:").filter(|_| line.starts_with("- {"));
    Some(end.map_or(line.to_owned(), |at| {
        format!("- {}", line[at..].trim_end_matches([' ', '}']))
    }))
}

/// Serves what has been recorded, in a folder of its own.
fn serve_recorded(from: &Path, name: &str, args: &[&str]) -> Server {
    let folder = tempfile::tempdir().unwrap();
    for file in [format!("{name}.yaml"), format!("{name}.recording.ndjson")] {
        if from.join(&file).exists() {
            std::fs::copy(from.join(&file), folder.path().join(&file)).unwrap();
        }
    }
    let scenario = format!("{name}.yaml");
    serve_in(folder, &[&["--scenario", &scenario], args].concat())
}

#[test]
fn what_is_served_from_a_recording_is_recorded_the_same_again() {
    let server = serve(ORIGINAL, &["--no-tls"]);
    let folder = tempfile::tempdir().unwrap();
    for (path, name, args, ends) in [
        ("/all", "all", &[][..], "close"),
        ("/cut", "cut", &[], "cut"),
        ("/torn", "torn", &[], "cut"),
        ("/reset", "reset", &[], "reset"),
        ("/nothing", "nothing", &[], "close"),
        ("/bare", "bare", &[], "close"),
        ("/sized", "sized", &[], "cut"),
        ("/late", "late", &[], "close"),
        ("/a%20b/c?q=x", "missing", &[], "close"),
        ("/moved", "moved", &[], ""),
        ("/gone", "gone", &[], ""),
        ("/packed", "packed", &["-H", "accept-encoding: gzip"], "close"),
        (
            "/ask",
            "ask",
            &[
                "-d",
                "{\"a\":1}",
                "-H",
                "content-type: application/json",
                "-H",
                "x-own: mine",
            ],
            "close",
        ),
        ("/all", "head", &["-X", "HEAD"], ""),
    ] {
        let (_, first) = record(folder.path(), &server.url("http", path), name, args);
        let again = serve_recorded(folder.path(), name, &["--no-tls"]);
        let began = Instant::now();
        let (_, second) = record(
            folder.path(),
            &again.url("http", path),
            name,
            &[args, &["--force"]].concat(),
        );
        let took = began.elapsed().as_millis() as u64;
        assert_eq!(second.yaml, first.yaml, "{path}");
        // Without chunks a write is what one read brings, and the network may bring two at once.
        match name {
            "sized" | "bare" => assert_eq!(second.writes.concat(), first.writes.concat(), "{path}"),
            _ => assert_eq!(second.writes, first.writes, "{path}"),
        }
        assert!(
            took >= first.times.last().copied().unwrap_or(0),
            "{path}: {took} {first:?}"
        );
        let end = first.yaml.iter().find_map(|line| line.split_once("end: "));
        assert_eq!(end.map_or("", |(_, end)| end), ends, "{path}");
    }
}

#[test]
fn every_write_comes_at_its_time_with_its_bytes() {
    let server = serve(ORIGINAL, &["--no-tls"]);
    let folder = tempfile::tempdir().unwrap();
    let (said, tape) = record(folder.path(), &server.url("http", "/all"), "all", &[]);
    let expected: [&[u8]; 8] = [
        b"retry: 3000\r\n\r\n",
        b"event: snow\r\ndata: \xe2",
        b"\x98\x83 man\r\nid: 1\r\n\r\n",
        b"data:\xff\xfe",
        b"\r",
        b"\n\r\n",
        b": the last\r\n\r\n",
        b"",
    ];
    assert_eq!(tape.writes, expected[..7]);
    assert!(
        said.starts_with("recorded 2 events, 7 writes, 77 bytes in "),
        "{said}"
    );
    assert!(
        said.ends_with("it ended cleanly (close)\nserve it with: mock-sse --scenario all.yaml\n"),
        "{said}"
    );
    let times = &tape.times;
    assert!(times.is_sorted(), "{times:?}");

    let played = run(folder.path(), &["play", "all.yaml", "/all"], &[]);
    assert_eq!(played.stdout, expected.concat());
    let played = run(folder.path(), &["play", "all.yaml", "/all", "--json"], &[]);
    let played: serde_json::Value = serde_json::from_slice(&played.stdout).unwrap();
    let at = |write: &serde_json::Value| write["at_ms"].as_u64().unwrap();
    let waited = played["head_at_ms"].as_u64().unwrap();
    let when: Vec<u64> = played["writes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|w| at(w) - waited)
        .collect();
    assert_eq!(&when, times, "to the millisecond");
}

#[test]
fn headers_keep_their_spelling_their_order_and_their_braces() {
    let server = serve(ORIGINAL, &["--no-tls"]);
    let folder = tempfile::tempdir().unwrap();
    let heads = ["/all", "/a%20b/c?q=x", "/moved", "/sized"].map(|path| {
        record(folder.path(), &server.url("http", path), "x", &["--force"]);
        let again = serve_recorded(folder.path(), "x", &["--no-tls"]);
        let method = if path == "/all" { "HEAD" } else { "GET" };
        let head = |server: &Server| {
            let stream = server.open_with(method, path, &[], b"");
            let lines = stream.head.lines().filter(|line| !line.starts_with("date:"));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        let sorted = |server: &Server| {
            let mut lines = head(server);
            lines.sort();
            lines
        };
        assert_eq!(sorted(&again), sorted(&server), "{path}");
        head(&again)
    });
    let odd = heads[0]
        .iter()
        .position(|line| line.starts_with("X-Odd-Case: {{ x: '\" # {%!"));
    assert!(odd.is_some_and(|at| heads[0][at + 1] == "x-two: a"), "{heads:?}");
    assert_eq!(heads[1][0], "HTTP/1.1 404 Nowhere {{");
}

#[test]
fn a_compressed_answer_is_replayed_as_it_came_and_can_be_unpacked() {
    let server = serve(ORIGINAL, &["--no-tls"]);
    let folder = tempfile::tempdir().unwrap();
    let url = server.url("http", "/packed");
    let (_, plain) = record(folder.path(), &url, "plain", &[]);
    assert_eq!(
        plain.writes, [b"data: aaaaaaaaaaaaaaaa\n\n"; 3],
        "no coding is asked for"
    );
    let args = ["-H", "accept-encoding: gzip", "--events", "1"];
    let (said, _) = record(folder.path(), &url, "x", &args);
    assert!(said.contains("note: the body is compressed (gzip)"), "{said}");
    assert!(said.contains("note: --events had no effect"), "{said}");
    let again = serve_recorded(folder.path(), "x", &["--no-tls"]);
    // Whatever the client takes, and never compressed twice.
    for fields in [&[][..], &[("accept-encoding", "gzip, br, zstd")]] {
        let answer = again.send("GET", "/packed", fields, b"");
        assert_eq!(answer.header("content-encoding"), Some("gzip"));
        let mut unpacked = String::new();
        let mut reader = flate2::read::GzDecoder::new(&answer.bytes[..]);
        reader.read_to_string(&mut unpacked).unwrap();
        assert_eq!(unpacked, "data: aaaaaaaaaaaaaaaa\n\n".repeat(3));
    }
}

#[test]
fn a_recording_stops_behind_so_many_events_or_after_a_time() {
    let server = serve(ORIGINAL, &["--no-tls"]);
    let folder = tempfile::tempdir().unwrap();
    for (events, kept) in [
        ("1", "data: 1\n\n"),
        ("2", "data: 1\n\ndata: 2\r\n\r\n"),
        ("3", "data: 1\n\ndata: 2\r\n\r\ndata: 3\n\n"),
    ] {
        let args = ["--events", events, "--force"];
        let (said, tape) = record(folder.path(), &server.url("http", "/three"), "x", &args);
        assert_eq!(tape.writes, [kept.as_bytes()]);
        assert_eq!(tape.yaml.last().unwrap(), "- end: hold");
        assert!(said.contains("it was still open (hold)"), "{said}");
    }
    let url = server.url("http", "/ticks");
    let (_, tape) = record(folder.path(), &url, "ticks", &["--events", "5"]);
    assert_eq!(tape.writes.len(), 5);
    let began = Instant::now();
    let (_, tape) = record(folder.path(), &url, "timed", &["--for", "300ms"]);
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert!(tape.times.iter().all(|at| *at <= 300) && tape.yaml.last().unwrap() == "- end: hold");
    let again = serve_recorded(folder.path(), "ticks", &["--no-tls"]);
    let mut stream = again.open("/ticks", &[]);
    let data: Vec<String> = (0..5).map(|_| stream.field("data")).collect();
    assert_eq!(data, ["1", "2", "3", "4", "5"]);
}

#[test]
fn a_write_has_the_time_at_which_its_first_byte_came() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/x", listener.local_addr().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut child = begin(folder.path(), &url);
    let (mut socket, _) = listener.accept().unwrap();
    socket
        .write_all(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
        )
        .unwrap();
    socket.write_all(b"9\r\ndata: a\n\n\r\n").unwrap();
    // Each part goes out when the one before is known to have come.
    wait_for_writes(folder.path(), 1);
    std::thread::sleep(Duration::from_millis(150));
    socket.write_all(b"9\r\ndata: b\n\n\r\n1\r\n:").unwrap();
    wait_for_writes(folder.path(), 2);
    std::thread::sleep(Duration::from_millis(150));
    socket.write_all(b"\r\n1\r\n\n\r\n0\r\n\r\n").unwrap();
    assert_eq!(exit_of(&mut child).code(), Some(0));
    let tape = tape(folder.path(), "x");
    let expected: [&[u8]; 4] = [b"data: a\n\n", b"data: b\n\n", b":", b"\n"];
    assert_eq!(tape.writes, expected);
    let at = &tape.times;
    assert!(at[1] >= at[0] + 149 && at[3] >= at[1] + 149, "{at:?}");
    // From the last write to the end there was nothing to wait for.
    assert_eq!(tape.yaml.last().unwrap(), "- end: close");
}

#[test]
fn a_head_that_takes_its_time_takes_it_again() {
    let server = serve(ORIGINAL, &["--no-tls"]);
    let folder = tempfile::tempdir().unwrap();
    record(folder.path(), &server.url("http", "/late"), "late", &[]);
    let yaml = std::fs::read_to_string(folder.path().join("late.yaml")).unwrap();
    let after = yaml.lines().find_map(|line| line.strip_prefix("    after: "));
    let after: u64 = after.unwrap().trim_end_matches("ms").parse().unwrap();
    assert!(after >= 150, "{yaml}");
}

/// A recording under way.
fn begin(folder: &Path, url: &str) -> Child {
    let mut command = binary();
    command.current_dir(folder).args(["record", url, "-o", "x.yaml"]);
    let streams = command.stdin(Stdio::null()).stdout(Stdio::piped());
    streams.stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until so many writes are on the disk.
fn wait_for_writes(folder: &Path, most: usize) {
    let began = Instant::now();
    let path = folder.join("x.recording.ndjson");
    wait_for_file(&path, &Log::default());
    while std::fs::read_to_string(&path).unwrap().lines().count() < most {
        assert!(began.elapsed() < support::PATIENCE, "no writes came");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

#[test]
fn whatever_ends_a_recording_what_came_is_on_the_disk() {
    let server = serve(ORIGINAL, &["--no-tls"]);
    for (signal, code) in [
        (Signal::INT, Some(0)),
        (Signal::TERM, Some(0)),
        (Signal::KILL, None),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut child = begin(folder.path(), &server.url("http", "/ticks"));
        wait_for_writes(folder.path(), 3);
        let scenario = folder.path().join("x.yaml");
        // It could be served by now.
        assert!(load(&Origin::Paths(vec![scenario.clone()])).is_ok());
        kill_process(Pid::from_child(&child), signal).unwrap();
        let status = match code {
            Some(_) => exit_of(&mut child),
            None => child.wait().unwrap(),
        };
        assert_eq!(status.code(), code);
        let tape = tape(folder.path(), "x");
        assert!(
            tape.writes.len() >= 3 && tape.yaml.last().unwrap() == "- end: hold",
            "{tape:?}"
        );
        assert_eq!(tape.writes[0], b"data: 1\nid: 1\n\n");
        assert!(load(&Origin::Paths(vec![scenario])).is_ok());
        let files = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(files, 2, "nothing else is left behind");
        if code.is_some() {
            let mut out = String::new();
            child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
            assert!(out.starts_with("recorded ") && out.contains("(hold)"), "{out}");
        }
    }
}

#[test]
fn nothing_is_recorded_before_there_is_an_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/x", listener.local_addr().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut child = begin(folder.path(), &url);
    let (mut socket, _) = listener.accept().unwrap();
    let mut asked = Vec::new();
    while !asked.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        asked.extend(byte);
    }
    assert!(asked.starts_with(b"GET /x HTTP/1.1\r\nhost: 127.0.0.1:"));
    let asked = String::from_utf8(asked).unwrap();
    assert!(
        asked.contains("\r\naccept: text/event-stream\r\n") && !asked.contains("encoding"),
        "{asked}"
    );
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(exit_of(&mut child).code(), Some(1));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// Answers the next connection with these bytes, then closes it.
fn answer(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut asked = [0; 4096];
        let _ = socket.read(&mut asked).unwrap();
        socket.write_all(bytes).unwrap();
    });
    url
}

#[test]
fn strange_answers_are_recorded_as_far_as_they_can_be() {
    let folder = tempfile::tempdir().unwrap();
    let url = answer(
        b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 \r\nContent-Type: text/event-stream\r\nx-\xff: 1\r\n\
          connection: x-hop\r\nx-hop: 1\r\nkeep-alive: timeout=5\r\nx-bytes: \xfe\r\ntransfer-encoding: chunked\r\n\r\n\
          8;ext=1\r\ndata: a\n\r\nzz",
    );
    let (said, tape) = record(folder.path(), &url, "x", &[]);
    assert!(said.contains("note: the body is not properly chunked"), "{said}");
    assert!(said.contains("as no scenario can send them"), "{said}");
    assert_eq!(tape.writes, [b"data: a\n"]);
    let expected = [
        "endpoints:",
        "- path: /",
        "status: 200",
        "headers:",
        "Content-Type: text/event-stream",
        "x-bytes: \"{{ '/g==' | b64decode }}\"",
        "cache-control: ~",
        "x-accel-buffering: ~",
        "stream:",
        "- end: cut",
    ];
    assert_eq!(tape.yaml, expected);
    let again = serve_recorded(folder.path(), "x", &["--no-tls"]);
    let (_, second) = record(folder.path(), &again.url("http", "/"), "x", &["--force"]);
    assert_eq!(second.yaml, expected);

    for bytes in [&b"SSH-2.0-x\r\n\r\n"[..], b"HTTP/1.1 799 Odd\r\n\r\n", b""] {
        let folder = tempfile::tempdir().unwrap();
        let (code, _, err) = said_of(folder.path(), &answer(bytes), &["-o", "y.yaml"]);
        assert_eq!(code, Some(1), "{err}");
        assert!(
            err.starts_with("error: ") && std::fs::read_dir(folder.path()).unwrap().count() == 0,
            "{err}"
        );
    }
}

fn said_of(folder: &Path, url: &str, args: &[&str]) -> (Option<i32>, String, String) {
    said(&run(folder, &[&["record", url], args].concat(), &[]))
}

#[test]
fn no_secret_stands_in_the_files() {
    let server = serve(
        r#"
endpoints:
  - path: /x
    method: POST
    headers:
      set-cookie: [session=cookie-secret, b=c]
      x-auth-token: token-secret
      x-echo: "it was {{ request.headers['authorization'] }}"
      x-user: "{{ request.headers['cookie'] }}"
      location: /y?access_token=place-secret&page=2
      x-fine: fine
    stream: [{ data: x }]
"#,
        &["--no-tls"],
    );
    let folder = tempfile::tempdir().unwrap();
    let url = format!(
        "http://me:pass-secret@localhost:{}/x?api_key=key-secret&page=1#sig=f-secret",
        server.port
    );
    let args = [
        "-H",
        "X-Api-Key: header-secret",
        "-H",
        "cookie: a=crumb-secret; b=2",
        "-H",
        "x-mine: mine-secret",
        "-d",
        "body-secret",
    ];
    let (said, _) = record(folder.path(), &url, "x", &args);
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(!text.contains("secret\"") && !text.contains("-secret"), "{text}");
        // As it is sent: me:pass-secret
        assert!(!text.contains("bWU6cGFzcy1zZWNyZXQ"), "{text}");
    }
    assert!(!said.replace("--with-secrets", "").contains("-secret"), "{said}");
    let yaml = std::fs::read_to_string(folder.path().join("x.yaml")).unwrap();
    let told =
        "/x?api_key=…&page=1' -H 'x-api-key: …' -H 'cookie: …' -H 'x-mine: …' -H 'authorization: …' -d …\n";
    assert!(yaml.lines().next().unwrap().ends_with(told.trim_end()), "{yaml}");
    assert!(
        yaml.contains(
            "\n# Left out, as they may be secrets: set-cookie, x-auth-token, x-echo, x-user, location.\n"
        ),
        "{yaml}"
    );
    assert!(
        yaml.contains("x-fine: fine\n") && yaml.contains("location: \"/y?access_token=…&page=2\"\n"),
        "{yaml}"
    );

    record(
        folder.path(),
        &url,
        "x",
        &[&args[..], &["--force", "--with-secrets"]].concat(),
    );
    let yaml = std::fs::read_to_string(folder.path().join("x.yaml")).unwrap();
    assert!(
        yaml.contains("set-cookie: [\"session=cookie-secret\", \"b=c\"]\n"),
        "{yaml}"
    );
    assert!(yaml.contains("x-auth-token: token-secret\n"), "{yaml}");
}

#[test]
fn encrypted_servers_are_trusted_only_with_their_ca() {
    let server = serve(ORIGINAL, &[]);
    let ca = server.path("certs/ca.pem").display().to_string();
    let url = server.url("https", "/all");
    let folder = tempfile::tempdir().unwrap();
    let (code, _, err) = said_of(folder.path(), &url, &["-o", "x.yaml"]);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("--ca FILE") && err.contains("--insecure"), "{err}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);

    let (_, first) = record(folder.path(), &url, "x", &["--ca", &ca]);
    let again = serve_recorded(folder.path(), "x", &[]);
    let (_, second) = record(folder.path(), &again.url("https", "/all"), "y", &["-k"]);
    assert_eq!((second.writes, second.yaml), (first.writes, first.yaml));
    for (path, ends) in [("/cut", "cut"), ("/reset", "reset"), ("/bare", "close")] {
        let (_, tape) = record(folder.path(), &server.url("https", path), "z", &["-k", "--force"]);
        let last = tape.yaml.last().unwrap();
        assert!(last.ends_with(&format!("end: {ends}")), "{path}: {last}");
    }
    // What the system trusts.
    let trusted = run(
        folder.path(),
        &["record", &url, "-o", "s.yaml"],
        &[("SSL_CERT_FILE", &ca)],
    );
    assert_eq!(trusted.status.code(), Some(0), "{}", said(&trusted).2);
    let (code, _, err) = said_of(folder.path(), &url, &["-o", "n.yaml", "--ca", "none.pem"]);
    assert_eq!(code, Some(2), "{err}");
}

#[test]
fn what_cannot_be_done_is_told_before_anything_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{closed}/x");
    std::fs::write(folder.path().join("there.yaml"), "mine").unwrap();
    std::fs::write(folder.path().join("half.recording.ndjson"), "mine").unwrap();
    for (url, args, code, part) in [
        (
            url.as_str(),
            &["-o", "x.yaml"][..],
            1,
            "cannot connect: connection refused",
        ),
        (
            &url,
            &["-o", "there.yaml"],
            2,
            "there.yaml is there already: --force replaces it",
        ),
        (
            &url,
            &["-o", "half.yml"],
            2,
            "half.recording.ndjson is there already",
        ),
        (&url, &["-o", "x.json"], 2, "ends in .yaml or .yml"),
        (&url, &["-o", "none/x.yaml"], 2, "there is no such folder"),
        (&url, &[], 2, "--output"),
        (&url, &["-o", "x.yaml", "-H", "nonsense"], 2, "there is no colon"),
        (
            &url,
            &["-o", "x.yaml", "-d", "@none"],
            2,
            "--data: cannot read none",
        ),
        (&url, &["-o", "x.yaml", "--events", "0"], 2, "--events"),
        (&url, &["-o", "x.yaml", "--for", "5"], 2, "has no unit"),
        (
            &url,
            &["-o", "x.yaml", "-k", "--ca", "x"],
            2,
            "cannot be used with",
        ),
        (
            &url,
            &["-o", "x.yaml", "--last-event-id", "1", "-H", "last-event-id: 1"],
            2,
            "say the same",
        ),
        ("localhost:1/x", &["-o", "x.yaml"], 2, "is no usable address"),
        (
            "http://localhost/__mock/health",
            &["-o", "x.yaml"],
            2,
            "belong to mock-sse",
        ),
    ] {
        let (got, out, err) = said_of(folder.path(), url, args);
        assert_eq!(got, Some(code), "{args:?}: {err}");
        assert!(out.is_empty() && err.contains(part), "{args:?}: {err}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    assert_eq!(
        std::fs::read_to_string(folder.path().join("there.yaml")).unwrap(),
        "mine"
    );
}

#[test]
fn it_can_be_quiet() {
    let server = serve(ORIGINAL, &["--no-tls"]);
    let folder = tempfile::tempdir().unwrap();
    let (said, tape) = record(
        folder.path(),
        &server.url("http", "/cut"),
        "x",
        &["--quiet", "--last-event-id", "7"],
    );
    assert_eq!((said.as_str(), tape.writes.len()), ("", 1));
    let yaml = std::fs::read_to_string(folder.path().join("x.yaml")).unwrap();
    assert!(
        yaml.lines().next().unwrap().ends_with("-H 'last-event-id: 7'"),
        "{yaml}"
    );
}

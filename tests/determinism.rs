//! The same seed gives the same bytes: on every server, over every protocol, and in `play`.

mod support;

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use support::process::{run, said};
use support::{Server, repo, serve};

const CHANCE: &str = r#"
defaults: { event: message, id: uuid, retry: 1s..9s }
endpoints:
  - path: /a
    let: { n: "{{ random_int(1, 1000000) }}", who: "{{ uuid() }}" }
    headers: { x-who: "{{ who }}" }
    after: 1ms..20ms
    stream:
      - data: { n: "{{ n }}", who: "{{ who }}", word: "{{ pick(['x', 'y', 'z']) }}" }
      - repeat:
          times: 3
          steps:
            - { after: 10ms..50ms, data: "{{ letter() }}{{ letter() }} {{ elapsed }}" }
            - { wait: 1ms..30ms }
            - repeat: { every: 5ms..9ms, times: 2, steps: [{ data: "{{ random_int(-5, 5) }}" }] }
      - { every: 10ms..40ms, times: 4, data: "{{ seq }} {{ elapsed }} {{ uuid() }}" }
  - path: /b
    stream:
      - { every: 1ms, times: 5, data: "{{ letter() }}{{ uuid() }}" }
"#;

fn chance(args: &[&str]) -> Server {
    serve(CHANCE, &[&["--time-scale", "20"], args].concat())
}

fn body(server: &Server, path: &str) -> String {
    let answer = server.get(path);
    assert_eq!(answer.status, 200, "{answer:?}");
    let who = answer.header("x-who").unwrap_or_default();
    format!("{who}\n{}", answer.body)
}

/// What `play` prints.
fn play(file: &Path, path: &str, args: &[&str]) -> Vec<u8> {
    let file = file.to_str().unwrap();
    let output = run(&repo(""), &[&["play", file, path], args].concat(), &[]);
    assert!(output.status.success(), "{:?}", said(&output));
    output.stdout
}

#[test]
fn two_servers_with_one_seed_send_the_same_bytes_attempt_by_attempt() {
    let (one, two) = (chance(&["--seed", "7"]), chance(&["--seed", "7"]));
    let other = chance(&["--seed", "8"]);
    let mut seen = std::collections::HashSet::new();
    for attempt in 1..=2 {
        let bytes = body(&one, "/a");
        assert_eq!(body(&two, "/a"), bytes, "attempt {attempt}");
        assert!(seen.insert(bytes), "each attempt has its own");
        assert!(seen.insert(body(&other, "/a")), "each seed has its own");
    }
}

#[test]
fn what_happens_elsewhere_changes_nothing() {
    let (quiet, busy) = (chance(&["--seed", "7"]), chance(&["--seed", "7"]));
    for _ in 0..3 {
        busy.open("/b", &[]);
        body(&busy, "/b");
        busy.send("HEAD", "/a", &[], b"");
        busy.get("/nowhere");
    }
    assert_eq!(body(&busy, "/a"), body(&quiet, "/a"));
    // Several at once: which attempt is which is open, but none is lost or doubled.
    let mut at_once: Vec<_> = (0..4).map(|_| busy.open("/a", &[])).collect();
    let mut busy: Vec<_> = at_once.iter_mut().map(|stream| stream.all()).collect();
    let mut quiet: Vec<_> = (0..4).map(|_| quiet.get("/a").bytes).collect();
    busy.sort();
    quiet.sort();
    assert_eq!(busy, quiet);
}

#[test]
fn a_seed_in_the_file_holds_unless_the_command_line_has_one() {
    let in_file = serve(&format!("seed: 7\n{CHANCE}"), &["--time-scale", "20"]);
    let over = serve(
        &format!("seed: 9\n{CHANCE}"),
        &["--time-scale", "20", "--seed", "7"],
    );
    let plain = chance(&["--seed", "7"]);
    let expected = body(&plain, "/a");
    assert_eq!(
        (body(&in_file, "/a"), body(&over, "/a")),
        (expected.clone(), expected)
    );
    // Without any, the one that was drawn is told, and gives the same again.
    let drawn = chance(&[]);
    let seed = drawn
        .banner
        .split("seed ")
        .nth(1)
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap();
    assert_eq!(body(&chance(&["--seed", seed]), "/a"), body(&drawn, "/a"));
}

#[test]
fn the_alphabet_is_the_same_for_ever() {
    let golden = repo("tests/fixtures/golden/alphabet-seed-7.sse");
    let played = play(
        &repo("scenarios/alphabet.yaml"),
        "/sse",
        &["--for", "1m", "--seed", "7"],
    );
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &played).unwrap();
    }
    let expected = std::fs::read(&golden).unwrap();
    assert_eq!(
        String::from_utf8_lossy(&played),
        String::from_utf8_lossy(&expected)
    );
    let events = String::from_utf8_lossy(&expected).matches("data: ").count();
    assert_eq!(events, 13, "the first at once, then one every 5 s of a minute");
}

/// How curl speaks each protocol.
const PROTOCOLS: [(&str, &[&str]); 4] = [
    ("http", &["--http1.1"]),
    ("http", &["--http2-prior-knowledge"]),
    ("https", &["--http1.1", "--cacert", "certs/ca.pem"]),
    ("https", &["--http2", "--cacert", "certs/ca.pem"]),
];

/// The first bytes that curl gets from an address.
fn curl(server: &Server, scheme: &str, path: &str, args: &[&str], most: usize) -> Vec<u8> {
    let mut command = Command::new("curl");
    command
        .current_dir(server.folder.path())
        .args(["-sSN", "--max-time", "20"])
        .args(args);
    let mut child = command
        .arg(server.url(scheme, path))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut bytes = Vec::new();
    child
        .stdout
        .take()
        .unwrap()
        .take(most as u64)
        .read_to_end(&mut bytes)
        .unwrap();
    let _ = child.kill();
    child.wait().unwrap();
    bytes
}

#[test]
fn play_prints_what_curl_gets_over_every_protocol() {
    for (scheme, args) in PROTOCOLS {
        let server = chance(&["--seed", "42"]);
        let expected = play(&server.path("scenario.yaml"), "/a", &["--seed", "42"]);
        assert!(expected.len() > 1000);
        // One byte more than there is: nothing may come behind the end.
        let got = curl(&server, scheme, "/a", args, expected.len() + 1);
        assert_eq!(
            String::from_utf8_lossy(&got),
            String::from_utf8_lossy(&expected),
            "{scheme} {args:?}"
        );
    }
}

#[test]
fn play_prints_what_clients_of_the_alphabet_get() {
    let alphabet = repo("scenarios/alphabet.yaml");
    let expected = play(&alphabet, "/sse", &["--for", "1m", "--seed", "7"]);
    let yaml = std::fs::read_to_string(alphabet).unwrap();
    for (scheme, args) in PROTOCOLS {
        let server = serve(&yaml, &["--seed", "7", "--time-scale", "100"]);
        let got = curl(&server, scheme, "/sse", args, expected.len());
        assert!(
            got == expected,
            "{scheme} {args:?}: {}",
            String::from_utf8_lossy(&got)
        );
    }
}

#[test]
fn play_takes_queries_and_bodies_and_tells_failures() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("s.yaml");
    let yaml = "endpoints:\n  - { path: /q, body: 'q={{ request.query.q }}' }\n  - { path: /bad, stream: [{ data: a }, { data: 'x{{ request.query.q }}' }] }\n";
    std::fs::write(&file, yaml).unwrap();
    assert_eq!(play(&file, "/q?q=%E2%98%83", &[]), "q=☃".as_bytes());
    let name = file.to_str().unwrap();
    for (args, code, reason) in [
        (["play", name, "/none"], 1, "404"),
        (["play", name, "q"], 2, "does not begin with `/`"),
        (["play", "nowhere.yaml", "/q"], 1, "no such file"),
        (["play", name, "/bad"], 1, "this value is missing"),
    ] {
        let output = run(folder.path(), &args, &[]);
        let (got, _, err) = said(&output);
        assert!(
            got == Some(code) && err.contains(reason),
            "{args:?} {got:?} {err}"
        );
    }
}

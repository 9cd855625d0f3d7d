//! `play` prints what curl gets, head and body, byte for byte: of every endpoint of every shipped scenario.
//!
//! Two differences are allowed for. `date` is the time of day. And how many heartbeats fit into a silence
//! depends on how promptly a real timer fires: in streams that end by themselves they are left out.

mod support;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use mock_sse::scenario::load::{Origin, load};
use support::process::{curl, run, said};
use support::{Server, repo, serve_in};

/// How curl gets at what HTTP does not allow: the file, the path, further arguments.
const ODD: &[(&str, &str, &[&str])] = &[
    ("faults.yaml", "/too-long", &["--ignore-content-length"]),
    // Its chunks are the scenario's own, and broken.
    ("faults.yaml", "/bad-chunk", &["--raw"]),
    ("faults.yaml", "/no-http", &["--http0.9"]),
];

/// What is not compared, and why.
const LEFT_OUT: &[(&str, &str, &str)] = &[
    (
        "faults.yaml",
        "/bad-status-line",
        "curl shows nothing of what it does not understand",
    ),
    ("faults.yaml", "/no-answer/stall", "there is nothing to show"),
];

/// Requests that the list of endpoints does not give: the file, the path, the arguments of both commands.
const MORE: &[(&str, &str, &[&str])] = &[
    ("faults.yaml", "/status/418?reason=I%27m%20a%20teapot", &[]),
    ("faults.yaml", "/status/204", &[]),
    ("faults.yaml", "/status/205", &[]),
    ("faults.yaml", "/redirect/307", &[]),
    ("faults.yaml", "/redirect/302/absolute", &[]),
    ("faults.yaml", "/redirect/301/nowhere", &[]),
    ("faults.yaml", "/redirect/301/empty", &[]),
    ("faults.yaml", "/redirect/308/loop", &[]),
    ("faults.yaml", "/unauthorized", &["-H", "authorization: Bearer x"]),
    ("faults.yaml", "/compressed", &["-H", "accept-encoding: gzip"]),
    ("faults.yaml", "/compressed", &["-H", "accept-encoding: br"]),
    ("faults.yaml", "/compressed", &["-H", "accept-encoding: zstd"]),
    ("faults.yaml", "/close", &["-X", "DELETE"]),
    ("faults.yaml", "/nowhere", &[]),
    (
        "memory.yaml",
        "/echo?a=%E2%98%83&b",
        &["-X", "PUT", "-H", "X-One: 1", "-H", "x-one: 2"],
    ),
    ("memory.yaml", "/echo", &["-d", "a=1&b=☃"]),
    ("memory.yaml", "/count", &["-H", "last-event-id: 41"]),
    (
        "memory.yaml",
        "/rpc",
        &["-H", "content-type: application/json", "-d", r#"{"id":7}"#],
    ),
    ("memory.yaml", "/visits?token=t", &["-d", ""]),
    ("alphabet.yaml", "/post", &["-d", "msg=hello"]),
    (
        "alphabet.yaml",
        "/nowhere",
        &["-H", "origin: http://localhost:3000"],
    ),
    (
        "wpt.yaml",
        "/eventsource/resources/message.py?message=data:%20%E2%98%83&newline=none&mime=text/plain&sleep=50",
        &[],
    ),
    (
        "wpt.yaml",
        "/eventsource/resources/last-event-id.py",
        &["-H", "last-event-id: …"],
    ),
    (
        "wpt.yaml",
        "/eventsource/resources/status-reconnect.py?status=200",
        &["-H", "cookie: request200=200"],
    ),
    (
        "wpt.yaml",
        "/eventsource/resources/status-error.py?status=500",
        &[],
    ),
    (
        "wpt.yaml",
        "/eventsource/resources/cors.py?run=message&origin=a",
        &["-H", "origin: b"],
    ),
];

/// The same requests, made by both.
struct Both {
    server: Server,
    file: PathBuf,
    host: String,
}

impl Both {
    fn new(file: &Path) -> Both {
        let name = file.to_str().unwrap();
        let args = [
            "--scenario",
            name,
            "--seed",
            "7",
            "--time-scale",
            "20",
            "--no-tls",
        ];
        let server = serve_in(tempfile::tempdir().unwrap(), &args);
        Both {
            host: format!("host: localhost:{}", server.port),
            server,
            file: file.to_owned(),
        }
    }

    /// What `play` prints, and its timeline.
    fn play(&self, path: &str, args: &[&str]) -> (Vec<u8>, Timeline) {
        let command = [
            "play",
            self.file.to_str().unwrap(),
            path,
            "--seed",
            "7",
            "-H",
            &self.host,
        ];
        let shown = run(&repo(""), &[&command[..], args, &["--timeline"]].concat(), &[]);
        let timeline = Timeline::new(&said(&shown).1);
        // Of streams that stay open their beginning.
        let time = if timeline.stays_open() { "3s" } else { "1m" };
        let printed = run(
            &repo(""),
            &[&command[..], args, &["-i", "--for", time]].concat(),
            &[],
        );
        (printed.stdout, timeline)
    }

    /// What curl prints; of a stream that stays open so many bytes.
    fn curl(&self, path: &str, args: &[&str], most: Option<usize>) -> Vec<u8> {
        let url = self.server.url("http", path);
        let url = url.as_str();
        let plain = [
            "-i",
            "-N",
            "--http1.1",
            "--path-as-is",
            "-H",
            "user-agent:",
            "-H",
            "accept:",
            url,
        ];
        let args = [&plain[..], args].concat();
        let Some(most) = most else {
            return curl(&args).stdout;
        };
        let mut command = std::process::Command::new("curl");
        command.args(["-sS", "--max-time", "20"]).args(args);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut bytes = Vec::new();
        let out = child.stdout.take().unwrap();
        out.take(most as u64).read_to_end(&mut bytes).unwrap();
        let _ = child.kill();
        child.wait().unwrap();
        bytes
    }

    /// Compares them.
    fn check(&self, path: &str, args: &[&str], curls_own: &[&str], plays_own: &[&str]) {
        let (played, timeline) = self.play(path, &[args, plays_own].concat());
        let open = timeline.stays_open();
        let most = open.then_some(played.len());
        let got = match open && timeline.writes == 0 {
            // curl shows a head with the first byte of the body.
            true => self.server.open(path, &[]).head.into_bytes(),
            false => self.curl(path, &[args, curls_own].concat(), most),
        };
        let (mut played, mut got) = (undated(&played), undated(&got));
        if !open && timeline.beats {
            (played, got) = (without_heartbeats(&played), without_heartbeats(&got));
        }
        if timeline.end == "reset" {
            // It overtakes what the client has not read yet.
            played.truncate(got.len());
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(2000)]).into_owned();
        assert!(
            got == played,
            "{} {path} {args:?}\ncurl: {}\n{}\nplay: {}\n{}",
            self.file.display(),
            got.len(),
            text(&got),
            played.len(),
            text(&played)
        );
    }
}

/// What a timeline tells.
struct Timeline {
    end: String,
    writes: usize,
    beats: bool,
}

impl Timeline {
    fn new(text: &str) -> Timeline {
        let steps = text.lines().skip(1).map(|line| line.split_whitespace().nth(2));
        let steps: Vec<&str> = steps.map(|step| step.expect(text)).collect();
        let (end, before) = steps.split_last().expect(text);
        Timeline {
            end: end.to_string(),
            writes: before.iter().filter(|step| **step != "head").count(),
            beats: before.contains(&"heartbeat"),
        }
    }

    fn stays_open(&self) -> bool {
        matches!(self.end.as_str(), "stall" | "hold" | "open")
    }
}

/// With another time of day.
fn undated(bytes: &[u8]) -> Vec<u8> {
    const FIELD: &[u8] = b"\r\ndate: ";
    let mut bytes = bytes.to_vec();
    if let Some(at) = bytes.windows(FIELD.len()).position(|w| w == FIELD) {
        let from = at + FIELD.len();
        let length = bytes[from..].iter().take_while(|byte| **byte != b'\r').count();
        bytes[from..from + length].fill(b'x');
    }
    bytes
}

fn without_heartbeats(bytes: &[u8]) -> Vec<u8> {
    String::from_utf8(bytes.to_vec())
        .unwrap()
        .replace("\n:\n\n", "\n")
        .into_bytes()
}

fn scenarios(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = entries
        .flat_map(|path| {
            if path.is_dir() {
                scenarios(&path)
            } else {
                vec![path]
            }
        })
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .collect();
    found.sort();
    found
}

/// Every path of the endpoints that take GET, if nothing is captured in it.
fn paths(file: &Path) -> Vec<String> {
    let (scenario, _) = load(&Origin::Paths(vec![file.to_owned()])).unwrap();
    let takes_get = scenario
        .endpoints
        .iter()
        .filter(|endpoint| endpoint.methods.take("GET"));
    let all = takes_get.flat_map(|endpoint| endpoint.paths.iter().map(|path| path.source().to_owned()));
    let mut paths: Vec<String> = all.filter(|path| !path.contains('{')).collect();
    paths.dedup();
    paths
}

#[test]
fn play_prints_what_curl_gets_of_every_shipped_scenario() {
    let files = scenarios(&repo("scenarios"));
    assert!(files.len() >= 6, "{files:?}");
    let check = |file: &PathBuf| {
        let name = file.file_name().unwrap().to_str().unwrap();
        let both = Both::new(file);
        let mut seen = std::collections::HashMap::<String, u32>::new();
        // A client's nth request: `play` makes those before by itself.
        let mut nth = |path: &str| {
            let times = seen
                .entry(path.split('?').next().unwrap().to_owned())
                .or_default();
            *times += 1;
            times.to_string()
        };
        let paths = paths(file);
        for path in &paths {
            if LEFT_OUT
                .iter()
                .any(|(file, left_out, _)| *file == name && left_out == path)
            {
                continue;
            }
            let odd = ODD.iter().find(|(file, odd, _)| *file == name && odd == path);
            both.check(path, &[], odd.map_or(&[], |(.., args)| *args), &[]);
            nth(path);
        }
        for (_, path, args) in MORE.iter().filter(|(file, ..)| *file == name) {
            // The chance of an endpoint is drawn anew for each of a client's requests.
            let attempt = nth(path);
            both.check(path, args, &[], &["--attempt", &attempt]);
        }
        paths.len()
    };
    let compared: Vec<usize> = std::thread::scope(|scope| {
        let all: Vec<_> = files
            .iter()
            .map(|file| scope.spawn(move || check(file)))
            .collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(compared.iter().sum::<usize>() >= 90, "{compared:?}");
}

#[test]
fn a_clients_whole_life_is_the_same() {
    let both = Both::new(&repo("scenarios/reconnect.yaml"));
    for (attempt, last) in [
        ("1", ""),
        ("2", ""),
        ("3", "2"),
        ("4", "3"),
        ("5", "5"),
        ("6", "5"),
    ] {
        let header = format!("last-event-id: {last}");
        let args: &[&str] = if last.is_empty() { &[] } else { &["-H", &header] };
        both.check("/orders?client=me", args, &[], &["--attempt", attempt]);
    }
}

#[test]
fn heads_without_bodies_and_preflights_are_the_same() {
    let both = Both::new(&repo("scenarios/faults.yaml"));
    for path in [
        "/close",
        "/",
        "/too-short",
        "/status/404",
        "/empty",
        "/compressed",
    ] {
        both.check(path, &[], &["-I"], &["-X", "HEAD"]);
    }
    let preflight = [
        "-X",
        "OPTIONS",
        "-H",
        "origin: http://a.test",
        "-H",
        "access-control-request-method: GET",
    ];
    both.check("/close", &preflight, &[], &[]);
    both.check("/close", &["-X", "OPTIONS"], &[], &[]);
    both.check("/close", &["-H", "origin: http://a.test"], &[], &[]);
}

//! Clients that people use, unchanged and in fixed versions, do what `tests/clients/scenario.yaml` asks of them, but
//! for what each of them is known to do otherwise. `docs/clients.md` is made of the same tables
//! (`UPDATE_GOLDEN=1` writes it).

mod installed;
mod parser;
mod support;

use std::fmt::Write;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use installed::{command, copy, npm_ci, passes, there_is, venv};
use parser::Parser;
use serde_json::{Value as Json, json};
use support::{Server, repo, serve_in};

/// What a client is asked to do: the path, what it is called in the page, the events it must see, and how it must
/// come out: `done` (it closed at the event of this name), `failed`, `ended`, or `over` (one of these two).
struct Case(&'static str, &'static str, &'static str, &'static str);

const AGAIN: &str = r#"[["message","first","7"],["message","behind 7","8"]]"#;

const CASES: &[Case] = &[
    Case(
        "typed",
        "typed events",
        r#"[["message","plain",""],["tick","typed",""]]"#,
        "done",
    ),
    Case(
        "lines",
        "data of several lines",
        r#"[["message","one\n\n two",""]]"#,
        "done",
    ),
    Case(
        "ids",
        "an id stays until the next",
        r#"[["message","a","1"],["message","b","1"],["message","c","☃"]]"#,
        "done",
    ),
    Case(
        "forgets",
        "an empty id takes it away",
        r#"[["message","a","1"],["message","b",""]]"#,
        "done",
    ),
    Case(
        "comments",
        "comments and heartbeats pass",
        r#"[["message","a",""]]"#,
        "done",
    ),
    Case(
        "crlf",
        "CRLF, CR and LF in two writes",
        r#"[["message","a\nb",""]]"#,
        "done",
    ),
    Case("cr", "CR alone", r#"[["message","a\nb",""]]"#, "done"),
    Case("bom", "a byte order mark", r#"[["message","a",""]]"#, "done"),
    Case(
        "split",
        "cuts inside characters",
        r#"[["message","snow ☃ and 🎿",""]]"#,
        "done",
    ),
    Case(
        "bytes",
        "each byte alone",
        r#"[["tick","each byte alone",""]]"#,
        "done",
    ),
    Case(
        "big",
        "an event of 1 MiB",
        r#"[["message","1048576 characters",""]]"#,
        "done",
    ),
    Case(
        "half",
        "half an event is none",
        r#"[["message","whole",""]]"#,
        "over",
    ),
    Case("wrong-type", "fails for `text/html`", "[]", "failed"),
    Case("unauthorized", "fails for 401", "[]", "failed"),
    Case("broken", "fails for 500", "[]", "failed"),
    Case(
        "header",
        "a header of one's own",
        r#"[["message","yes",""]]"#,
        "done",
    ),
    Case(
        "post",
        "POST with a body",
        r#"[["message","POST hello",""]]"#,
        "done",
    ),
    Case(
        "moved",
        "follows a 307",
        r#"[["message","plain",""],["tick","typed",""]]"#,
        "done",
    ),
    Case(
        "leaves",
        "the server notices that it closes",
        r#"[["message","a",""]]"#,
        "done",
    ),
    Case(
        "close",
        "comes back after a clean end, with its last id",
        AGAIN,
        "done",
    ),
    Case("cut", "comes back after a cut, with its last id", AGAIN, "done"),
    Case(
        "reset",
        "comes back after a reset, with its last id",
        AGAIN,
        "done",
    ),
    Case("retry", "waits as `retry` says", AGAIN, "done"),
    Case(
        "stop",
        "stays away after 204",
        r#"[["message","first",""]]"#,
        "over",
    ),
];

/// What the verdict of the scenario has to say, too.
const JUDGED: [&str; 6] = ["leaves", "close", "cut", "reset", "retry", "stop"];

/// Left to whoever calls a client that only reads.
const CALLERS: [&str; 2] = ["retry", "stop"];

struct Client {
    name: &'static str,
    version: &'static str,
    /// Whether it comes back by itself. One that does not must tell a clean end from another.
    returns: bool,
    deviations: &'static [(&'static str, &'static str)],
}

const EMPTY_ID: &str = "an event without an id has none; the id it would come back with is kept inside";
const CLEAN: &str = "a clean end is the end for it";
const BROKEN: &str = "what breaks off is raised, and it is the caller who comes back";
const MARK: &str = "the mark becomes part of the first line, which is lost";

const EVENTSOURCE: Client = Client {
    name: "eventsource",
    version: "npm 4.1.1",
    returns: true,
    deviations: &[("ids", EMPTY_ID), ("post", "GET only")],
};
const UNDICI: Client = Client {
    name: "undici",
    version: "npm 7.30.2",
    returns: true,
    deviations: &[("header", "takes no headers"), ("post", "GET only")],
};
const FETCH_EVENT_SOURCE: Client = Client {
    name: "fetch-event-source",
    version: "npm 2.0.1",
    returns: true,
    deviations: &[("ids", EMPTY_ID), ("close", CLEAN), ("stop", CLEAN)],
};
const EVENTSOURCE_CLIENT: Client = Client {
    name: "eventsource-client",
    version: "npm 1.2.0",
    returns: true,
    deviations: &[
        ("ids", EMPTY_ID),
        ("wrong-type", "reads any type as events"),
        ("unauthorized", "reads the answer as events and comes back"),
        ("broken", "reads the answer as events and comes back"),
    ],
};
const HTTPX_SSE: Client = Client {
    name: "httpx-sse",
    version: "PyPI 0.4.3",
    returns: false,
    deviations: &[("bom", MARK)],
};
const SSECLIENT_PY: Client = Client {
    name: "sseclient-py",
    version: "PyPI 1.9.0",
    returns: false,
    deviations: &[
        ("ids", EMPTY_ID),
        ("bom", MARK),
        ("half", "takes half an event at the end for a whole one"),
        ("wrong-type", "reads any type as events"),
    ],
};
const AIOHTTP: Client = Client {
    name: "aiohttp-sse-client",
    version: "PyPI 0.2.1",
    returns: true,
    deviations: &[
        ("lines", "takes all spaces off the values"),
        ("cr", "knows no CR alone"),
        ("bom", MARK),
        ("big", "no line over 512 KiB"),
        ("cut", BROKEN),
        ("reset", BROKEN),
        ("retry", BROKEN),
    ],
};
const REQWEST_EVENTSOURCE: Client = Client {
    name: "reqwest-eventsource",
    version: "crate 0.6.0",
    returns: true,
    deviations: &[("bom", "panics if the mark comes in a piece of its own")],
};
const RUST_EVENTSOURCE_CLIENT: Client = Client {
    name: "rust-eventsource-client",
    version: "crate 0.16.0",
    returns: true,
    deviations: &[
        ("bom", MARK),
        ("half", RESTLESS),
        ("wrong-type", "reads any type as events"),
        ("retry", "waits a random part of it"),
        ("stop", RESTLESS),
    ],
};
const RESTLESS: &str = "comes back after 204, again and again";
const NO_TYPE: (&str, &str) = ("wrong-type", "takes any type");
const CURL: [(Client, &[&str]); 4] = [
    (
        Client {
            name: "curl-1.0",
            version: "HTTP/1.0",
            returns: false,
            deviations: &[NO_TYPE, ("cut", "HTTP/1.0 shows no difference to a clean end")],
        },
        &["--http1.0"],
    ),
    (
        Client {
            name: "curl-1.1",
            version: "HTTP/1.1",
            returns: false,
            deviations: &[NO_TYPE],
        },
        &["--http1.1"],
    ),
    (
        Client {
            name: "curl-h2",
            version: "HTTP/2, TLS",
            returns: false,
            deviations: &[NO_TYPE],
        },
        &["--http2"],
    ),
    (
        Client {
            name: "curl-h2c",
            version: "HTTP/2, prior knowledge",
            returns: false,
            deviations: &[NO_TYPE],
        },
        &["--http2-prior-knowledge"],
    ),
];

impl Client {
    fn cases(&self) -> impl Iterator<Item = &'static Case> {
        CASES.iter().filter(|case| self.is_asked(case))
    }

    fn is_asked(&self, case: &Case) -> bool {
        match case.0 {
            // curl 7.88 cannot use such a connection again (its exit code is 16), others can.
            "moved" => self.name != "curl-h2c",
            name => self.returns || !CALLERS.contains(&name),
        }
    }

    /// The events it must see and how it must come out.
    fn expected(&self, case: &Case) -> (Json, &'static str) {
        let once = json!([["message", "first", "7"]]);
        match case.0 {
            "close" if !self.returns => (once, "ended"),
            "cut" | "reset" if !self.returns => (once, "failed"),
            _ => (serde_json::from_str(case.2).unwrap(), case.3),
        }
    }

    fn deviation(&self, case: &Case) -> Option<&'static str> {
        self.deviations
            .iter()
            .find(|known| known.0 == case.0)
            .map(|known| known.1)
    }

    /// Holds what was seen, and what the server says of it, against what must be.
    fn hold(&self, server: &Server, seen: &Json) {
        let path = format!("/~{}/__mock/verify?wait=3s", self.name);
        let verdict: Json = serde_json::from_str(&server.get(&path).body).unwrap();
        let met = |name: &str| {
            let all = verdict["expectations"].as_array().unwrap();
            all.iter().any(|one| one["name"] == name && one["state"] == "met")
        };
        let mut wrong = Vec::new();
        for case in self.cases() {
            let (events, outcome) = self.expected(case);
            let one = &seen[case.0];
            let came = one["outcome"].as_str().expect("an outcome");
            let ends = if outcome == "over" {
                came == "ended" || came == "failed"
            } else {
                came == outcome
            };
            let judged = JUDGED.contains(&case.0) && (self.returns || case.0 == "leaves");
            let agrees = ends && one["events"] == events && (!judged || met(case.0));
            let known = self.deviation(case);
            // One that is no more is to be taken off the list.
            if agrees == known.is_some() {
                let verdict = judged.then(|| met(case.0));
                wrong.push(format!(
                    "{}: known {known:?}, verdict {verdict:?}\n  must: {outcome} {events}\n  did:  {came} {}",
                    case.0, one["events"]
                ));
            }
        }
        assert!(wrong.is_empty(), "{}:\n{}", self.name, wrong.join("\n"));
    }

    /// Runs its driver against a server of its own.
    fn drive(&self, mut driver: Command) {
        let server = real(&["--no-tls"]);
        driver
            .arg(self.name)
            .arg(format!("http://127.0.0.1:{}/~{}", server.port, self.name))
            .args(self.cases().map(|case| case.0));
        let seen = serde_json::from_str(&passes(&mut driver)).unwrap();
        self.hold(&server, &seen);
    }
}

fn real(args: &[&str]) -> Server {
    let path = repo("tests/clients/scenario.yaml");
    let own = ["--scenario", path.to_str().unwrap()];
    serve_in(tempfile::tempdir().unwrap(), &[&own, args].concat())
}

fn javascript(client: &Client) {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    if !there_is("node") || !there_is("npm") {
        return;
    }
    let folder = FOLDER.get_or_init(|| {
        let folder = copy(&repo("tests/clients/js"), "real-clients-js");
        npm_ci(&folder);
        folder
    });
    let mut node = command("node", folder);
    node.arg("drive.mjs");
    client.drive(node);
}

fn python(client: &Client) {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    if !there_is("python3") {
        return;
    }
    let python = PYTHON.get_or_init(|| venv(&copy(&repo("tests/clients/python"), "real-clients-python")));
    let mut driver = command(python, Path::new(env!("CARGO_TARGET_TMPDIR")));
    driver
        .args(["-B", "-W", "ignore"])
        .arg(repo("tests/clients/python/drive.py"));
    client.drive(driver);
}

#[test]
fn eventsource() {
    javascript(&EVENTSOURCE);
}

#[test]
fn undici() {
    javascript(&UNDICI);
}

#[test]
fn fetch_event_source() {
    javascript(&FETCH_EVENT_SOURCE);
}

#[test]
fn eventsource_client() {
    javascript(&EVENTSOURCE_CLIENT);
}

#[test]
fn httpx_sse() {
    python(&HTTPX_SSE);
}

#[test]
fn sseclient_py() {
    python(&SSECLIENT_PY);
}

#[test]
fn aiohttp_sse_client() {
    python(&AIOHTTP);
}

fn rust(client: &Client) {
    static DRIVER: OnceLock<PathBuf> = OnceLock::new();
    let driver = DRIVER.get_or_init(|| {
        let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join("real-clients-rust");
        let folder = repo("tests/clients/rust");
        let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
        let mut build = command(cargo, &folder);
        passes(
            build
                .args(["build", "--locked", "--quiet", "--target-dir"])
                .arg(&built),
        );
        built.join("debug/drive")
    });
    client.drive(command(driver, Path::new(env!("CARGO_TARGET_TMPDIR"))));
}

#[test]
fn reqwest_eventsource() {
    rust(&REQWEST_EVENTSOURCE);
}

#[test]
fn rust_eventsource_client() {
    rust(&RUST_EVENTSOURCE_CLIENT);
}

/// What curl makes of a path, its bytes read by the tests' own parser.
fn curl(name: &str, url: &str, args: &[&str]) -> Json {
    let mut curl = Command::new("curl");
    curl.args(["-sNfL", "--max-time", "30"]).args(args).arg(url);
    match name {
        "header" => _ = curl.args(["-H", "x-mine: yes"]),
        "post" => _ = curl.args(["-H", "content-type: text/plain", "-d", "hello"]),
        _ => {}
    }
    let mut child = curl.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let (mut parser, mut buffer) = (Parser::parse(b""), [0; 64 * 1024]);
    let done = loop {
        let n = stdout.read(&mut buffer).unwrap();
        parser.feed(&buffer[..n]);
        let done = parser.events.iter().any(|event| event.kind == "done");
        if n == 0 || done {
            break done;
        }
    };
    if done {
        child.kill().unwrap();
    }
    let left = child.wait().unwrap();
    let events = parser.events.iter().filter(|event| event.kind != "done");
    let events: Vec<_> = events
        .map(|event| match event.data.len() {
            0..1000 => json!([event.kind, event.data, event.id]),
            long => json!([event.kind, format!("{long} characters"), event.id]),
        })
        .collect();
    let outcome = match done {
        true => "done",
        false if left.success() => "ended",
        false => "failed",
    };
    json!({ "events": events, "outcome": outcome })
}

#[test]
fn curl_over_every_protocol() {
    if !there_is("curl") {
        return;
    }
    let server = real(&[]);
    let ca = server.path("certs/ca.pem");
    std::thread::scope(|scope| {
        for (client, args) in &CURL {
            let (server, ca) = (&server, ca.to_str().unwrap());
            scope.spawn(move || {
                let tls = client.name == "curl-h2";
                let scheme = if tls { "https" } else { "http" };
                let args = [args, &["--cacert", ca] as &[&str]].concat();
                let one = |case: &Case| {
                    let path = format!("/~{}/{}", client.name, case.0);
                    (case.0.to_owned(), curl(case.0, &server.url(scheme, &path), &args))
                };
                let seen = client.cases().map(one).collect();
                client.hold(server, &Json::Object(seen));
            });
        }
    });
}

/// What stands in the page for a behaviour of a client.
fn cell(client: &Client, case: &Case, notes: &mut Vec<&'static str>) -> String {
    if let Some(why) = client.deviation(case) {
        let known = notes.iter().position(|note| *note == why);
        let number = known.unwrap_or_else(|| {
            notes.push(why);
            notes.len() - 1
        });
        return format!("no ({})", number + 1);
    }
    let word = match case.0 {
        _ if !client.is_asked(case) => "",
        _ if client.returns => "yes",
        "close" => "ends",
        "cut" | "reset" => "raises",
        _ => "yes",
    };
    word.to_owned()
}

fn table(clients: &[&Client], notes: &mut Vec<&'static str>) -> String {
    let mut table = String::from("| |");
    for client in clients {
        write!(table, " {}<br>{} |", client.name, client.version).unwrap();
    }
    writeln!(table, "\n|---|{}", "---|".repeat(clients.len())).unwrap();
    for case in CASES {
        write!(table, "| {} |", case.1).unwrap();
        for client in clients {
            write!(table, " {} |", cell(client, case, notes)).unwrap();
        }
        table.push('\n');
    }
    table
}

fn page() -> String {
    let mut notes = Vec::new();
    let javascript = [&EVENTSOURCE, &UNDICI, &FETCH_EVENT_SOURCE, &EVENTSOURCE_CLIENT];
    let python = [&HTTPX_SSE, &SSECLIENT_PY, &AIOHTTP];
    let rust = [&REQWEST_EVENTSOURCE, &RUST_EVENTSOURCE_CLIENT];
    let curl: Vec<&Client> = CURL.iter().map(|(client, _)| client).collect();
    let mut page = String::from(
        "# What clients do\n\n\
        Clients that people use, as their registries have them, run against `mock-sse` by `cargo test --test \
        real_clients`.\nIt fails when one of them begins to do what stands here otherwise, or stops doing it. The \
        scenario is\n[tests/clients/scenario.yaml]\
        (https://github.com/mock-sse/mock-sse/blob/main/tests/clients/scenario.yaml).\nA client that only reads, and \
        leaves coming back to its caller, must tell its caller of a cut and a reset (`raises`), and\nnot of a clean \
        end (`ends`). curl's bytes are read by the tests' own parser.\n",
    );
    for (title, clients) in [
        ("JavaScript", javascript.as_slice()),
        ("Python", python.as_slice()),
        ("Rust", rust.as_slice()),
        ("curl", curl.as_slice()),
    ] {
        write!(page, "\n## {title}\n\n{}", table(clients, &mut notes)).unwrap();
    }
    page += "\n## What they do otherwise\n\n";
    for (number, note) in notes.iter().enumerate() {
        writeln!(page, "{}. {note}", number + 1).unwrap();
    }
    page
}

#[test]
fn the_page_says_the_same() {
    let path = repo("docs/clients.md");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    assert!(
        std::fs::read_to_string(path).unwrap() == page(),
        "UPDATE_GOLDEN=1 writes docs/clients.md"
    );
}

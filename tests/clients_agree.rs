//! Two public clients read event streams as the tests' own parser does, but for what they are
//! known to do otherwise.
//!
//! The clients are installed in fixed versions, below the build's folder: eventsource-parser from
//! npm, httpx-sse from PyPI.

#[path = "parser/cases.rs"]
mod cases;
mod parser;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mock_sse::event::Event;
use mock_sse::wire::{Eol, Style, encode};
use parser::Parser;

/// What a client makes of a stream: kind, data and id of each event.
type Events = Vec<(String, String, String)>;

/// A stream that a client reads otherwise than the standard says, and why.
type Deviation = (&'static str, &'static str);

fn corpus() -> Vec<(String, Vec<u8>)> {
    let mut corpus: Vec<(String, Vec<u8>)> = Vec::new();
    corpus.extend(
        cases::CASES
            .iter()
            .map(|case| (case.0.to_owned(), case.1.to_vec())),
    );
    for eol in [Eol::Lf, Eol::Crlf, Eol::Cr] {
        for space in [true, false] {
            let style = Style {
                eol,
                space,
                ..Style::STANDARD
            };
            let stream = events().iter().flat_map(|event| encode(event, &style)).collect();
            corpus.push((format!("encoded {eol:?}, space {space}"), stream));
        }
    }
    corpus
}

fn events() -> [Event; 4] {
    let event = |kind: &'static str, data: &'static [u8], id: &'static str| Event {
        event: Some(kind.into()),
        data: Some(data.into()),
        id: Some(id.into()),
        comment: Some("c\nd".into()),
        retry: Some(6000),
    };
    [
        event("message", b"a", "1"),
        event("", b" a\r\nb\n\n c", "two words"),
        event("é", b"snow \xe2\x98\x83 man \xff", ""),
        event("x", b"", "☃"),
    ]
}

fn ours(stream: &[u8]) -> Events {
    let events = Parser::parse(stream).events;
    events.into_iter().map(|e| (e.kind, e.data, e.id)).collect()
}

/// A folder for what a client needs, kept between runs.
fn folder(client: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("clients")
        .join(client);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn there_is(program: &str) -> bool {
    let found = Command::new(program)
        .arg("--version")
        .output()
        .is_ok_and(|out| out.status.success());
    if !found {
        eprintln!("SKIPPED: there is no {program} here; scripts/test installs it");
    }
    found
}

fn run(command: &mut Command) -> Vec<u8> {
    let out = command.output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{command:?}: {said}");
    out.stdout
}

/// Holds a client's reading of every stream, whole and byte by byte, against ours.
fn compare(output: &[u8], deviations: &[Deviation]) {
    let results: Vec<[Events; 2]> = serde_json::from_slice(output).unwrap();
    let corpus = corpus();
    assert_eq!(results.len(), corpus.len());
    let mut wrong = Vec::new();
    for ((name, stream), readings) in corpus.iter().zip(&results) {
        let expected = ours(stream);
        let known = deviations
            .iter()
            .find(|(stream, _)| stream == name)
            .map(|(_, why)| *why);
        let agrees = readings.iter().all(|reading| *reading == expected);
        // One that is no more is to be taken off the list.
        if agrees == known.is_some() {
            wrong.push(format!(
                "{name}: known {known:?}\n  we:   {expected:?}\n  they: {readings:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn corpus_file(folder: &Path) -> PathBuf {
    let streams: Vec<_> = corpus()
        .iter()
        .map(|(name, stream)| {
            let hex: String = stream.iter().map(|b| format!("{b:02x}")).collect();
            serde_json::json!({ "name": name, "hex": hex })
        })
        .collect();
    let file = folder.join("corpus.json");
    fs::write(&file, serde_json::to_vec(&streams).unwrap()).unwrap();
    file
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/clients")
        .join(name)
}

#[test]
fn eventsource_parser_agrees() {
    const VERSION: &str = "3.1.1";
    const WAITS: &str =
        "a CR at the very end waits for the LF that might follow, so the last event stays out";
    const DEVIATIONS: &[Deviation] = &[
        (
            "no data, no event",
            "the id of a block without data is not told to anybody",
        ),
        ("encoded Cr, space true", WAITS),
        ("encoded Cr, space false", WAITS),
    ];
    if !there_is("node") || !there_is("npm") {
        return;
    }
    let folder = folder("eventsource-parser");
    if !folder.join("node_modules/eventsource-parser").exists() {
        let package = format!("eventsource-parser@{VERSION}");
        run(Command::new("npm")
            .args([
                "install",
                "--no-audit",
                "--no-fund",
                "--ignore-scripts",
                "--prefix",
            ])
            .arg(&folder)
            .arg(package));
    }
    let mut node = Command::new("node");
    node.arg(script("eventsource_parser.mjs"))
        .arg(corpus_file(&folder))
        .arg(&folder);
    compare(&run(&mut node), DEVIATIONS);
}

#[test]
fn httpx_sse_agrees() {
    const PACKAGES: [&str; 2] = ["httpx-sse==0.4.3", "httpx==0.28.1"];
    const NO_DATA: &str = "a block without data is an event as well, if it has anything else";
    const DEVIATIONS: &[Deviation] = &[
        (
            "a byte order mark",
            "httpx decodes it as a character, which becomes part of the field's name",
        ),
        ("no data, no event", NO_DATA),
        ("retry", NO_DATA),
    ];
    if !there_is("python3") {
        return;
    }
    let folder = folder("httpx-sse");
    let python = folder.join("bin/python");
    let installed = folder.join("installed");
    if !installed.exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder));
        run(Command::new(&python)
            .args(["-m", "pip", "install", "--quiet"])
            .args(PACKAGES));
        fs::write(&installed, "").unwrap();
    }
    let mut script_run = Command::new(&python);
    script_run
        .arg(script("httpx_sse_events.py"))
        .arg(corpus_file(&folder));
    compare(&run(&mut script_run), DEVIATIONS);
}

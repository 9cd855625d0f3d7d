//! `docs/record.md` shows real commands with what they really write, and every flag.

mod support;

use support::docs::{assert_every_flag, blocks};
use support::process::{run, said};
use support::{repo, serve};

/// Without what differs each time: the times that something took.
fn timeless(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((at, mark)) = ["\"at\":", " in ", "after: "]
        .iter()
        .filter_map(|mark| rest.find(mark).map(|at| (at, mark)))
        .min()
    {
        let (before, behind) = rest.split_at(at + mark.len());
        out += before;
        rest = behind.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    }
    out + rest
}

#[test]
fn the_command_writes_what_the_page_shows() {
    let text = std::fs::read_to_string(repo("docs/record.md")).unwrap();
    let yaml = blocks(&text, "yaml");
    let [original, recorded] = yaml.as_slice() else {
        panic!("a scenario and what is recorded of it")
    };
    let server = serve(original, &["--no-tls"]);
    let port = format!("localhost:{}", server.port);
    let folder = tempfile::tempdir().unwrap();
    let shown = blocks(&text, "console").concat();
    let (command, output) = shown.split_once('\n').unwrap();
    let command = command.replace("localhost:4043", &port);
    let words = command.strip_prefix("$ mock-sse ").unwrap().split(' ');
    let args: Vec<&str> = words.map(|word| word.trim_matches('\'')).collect();
    let (_, out, err) = said(&run(folder.path(), &args, &[]));
    assert_eq!(timeless(&(err + &out)), timeless(output));
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let scenario = read("tape.yaml").replace(&port, "localhost:4043");
    // A slow machine makes the head late.
    let lines = scenario.lines().filter(|line| !line.starts_with("    after:"));
    let scenario: String = lines.map(|line| line.to_owned() + "\n").collect();
    assert_eq!(timeless(&scenario), timeless(recorded));
    let recording = blocks(&text, "json").concat();
    assert_eq!(timeless(&read("tape.recording.ndjson")), timeless(&recording));
}

#[test]
fn the_page_has_every_flag() {
    assert_every_flag("docs/record.md", "record");
}

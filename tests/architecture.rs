//! The invariants of ARCHITECTURE.md that the code's imports can show.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use support::repo;

/// The source files below a path, without their unit tests.
fn sources(path: &Path) -> Vec<(PathBuf, String)> {
    if path.is_dir() {
        let entries = fs::read_dir(path).unwrap();
        return entries.flat_map(|e| sources(&e.unwrap().path())).collect();
    }
    let text = fs::read_to_string(path).unwrap();
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    let lines: Vec<&str> = code
        .lines()
        .filter(|l| !l.trim_start().starts_with("//"))
        .collect();
    vec![(path.to_owned(), lines.join("\n"))]
}

fn nowhere(places: &[&str], words: &[&str], except: &[&str]) {
    for place in places {
        let path = repo("src").join(place);
        assert!(path.exists(), "{path:?}");
        for (file, code) in sources(&path) {
            if except.iter().any(|e| file.ends_with(e)) {
                continue;
            }
            for word in words {
                assert!(!code.contains(word), "{} must not use {word}", file.display());
            }
        }
    }
}

const PURE: &[&str] = &[
    "event.rs",
    "request.rs",
    "text.rs",
    "random.rs",
    "spelling.rs",
    "name.rs",
    "tick.rs",
    "scenario",
    "expr",
    "matching",
    "plan",
    "wire",
    "expect",
];

#[test]
fn the_pure_rooms_know_no_runtime_files_clock_or_global_chance() {
    let outside = [
        "tokio",
        "poem",
        "hyper",
        "std::fs",
        "SystemTime",
        "Instant",
        "thread_rng",
        "RandomState",
        "tracing::",
    ];
    let load = [
        "scenario/load.rs",
        "scenario/load/disk.rs",
        "scenario/load/seen.rs",
    ];
    nowhere(PURE, &outside, &load);
}

#[test]
fn the_pure_rooms_import_nothing_above_them() {
    let above = [
        "crate::engine",
        "crate::server",
        "crate::session",
        "crate::topic",
        "crate::clock",
        "crate::app",
        "crate::cli",
    ];
    nowhere(PURE, &above, &[]);
    nowhere(
        &[
            "clock.rs",
            "topic",
            "board.rs",
            "state.rs",
            "session.rs",
            "engine",
        ],
        &["crate::server", "crate::app", "crate::cli", "crate::watch"],
        &[],
    );
}

#[test]
fn the_journal_knows_no_sockets_files_or_clock() {
    // Of tokio it has `sync::watch`, so that others can wait for what comes.
    let outside = [
        "tokio::net",
        "tokio::time",
        "tokio::task",
        "tokio::spawn",
        "tokio::io",
        "tokio::fs",
        "poem",
        "hyper",
        "std::fs",
        "std::net::Tcp",
        "SystemTime",
        "Instant",
        "thread_rng",
        "tracing::",
        "crate::engine",
        "crate::server",
        "crate::session",
        "crate::topic",
        "crate::clock",
        "crate::app",
        "crate::cli",
    ];
    nowhere(&["journal"], &outside, &[]);
}

#[test]
fn expressions_know_neither_scenarios_nor_plans() {
    nowhere(
        &["expr", "wire", "event.rs", "request.rs", "text.rs", "random.rs"],
        &["crate::scenario", "crate::plan", "crate::matching"],
        &[],
    );
}

#[test]
fn only_the_clock_sleeps() {
    let rest = [
        "engine",
        "topic",
        "board.rs",
        "state.rs",
        "session.rs",
        "journal",
        "play",
        "app.rs",
    ];
    nowhere(
        &rest,
        &["tokio::time::sleep", "thread::sleep", "time::interval"],
        &[],
    );
}

#[test]
fn only_the_server_names_poem_and_hyper() {
    let others = [
        "control",
        "engine",
        "news.rs",
        "topic",
        "session.rs",
        "clock.rs",
        "watch.rs",
        "cli",
        "play",
        "testing.rs",
        "testing",
        "certs.rs",
    ];
    nowhere(&others, &["poem::", "hyper::"], &[]);
}

#[test]
fn no_room_is_a_lumber_room() {
    for (file, _) in sources(&repo("src")) {
        let name = file.file_stem().unwrap().to_str().unwrap();
        assert!(
            !["common", "util", "utils", "helpers", "types", "misc"].contains(&name),
            "{file:?}"
        );
    }
}

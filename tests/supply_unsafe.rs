//! No `unsafe` of our own, anywhere in the repository.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use support::repo;

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let below = |path: PathBuf| match path.is_dir() {
        true => rust_files(&path),
        false => vec![path],
    };
    entries
        .flat_map(below)
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .collect()
}

/// Code without its comments and texts: what stands in them is no code.
fn code(source: &str) -> String {
    let mut out = String::new();
    for line in source.lines() {
        let line = line.split("//").next().unwrap_or("").replace("\\\"", "");
        let parts = line.split('"').step_by(2);
        out += &parts.collect::<Vec<_>>().join("\"\"");
        out.push('\n');
    }
    out
}

/// The lines of code that have a word in them.
fn with_word(code: &str, word: &str) -> Vec<String> {
    let is_word = |line: &&str| {
        line.split(|c: char| !c.is_alphanumeric() && c != '_')
            .any(|w| w == word)
    };
    code.lines().filter(is_word).map(str::to_owned).collect()
}

/// Forbidden, the compiler lets nobody allow it again in some module.
#[test]
fn the_compiler_forbids_it_in_the_package() {
    let manifest = fs::read_to_string(repo("Cargo.toml")).unwrap();
    let lints = manifest
        .split("[lints.rust]\n")
        .nth(1)
        .expect("the manifest sets lints");
    assert!(lints.starts_with("unsafe_code = \"forbid\"\n"), "{lints}");
}

/// Also in what the package's lints do not reach.
#[test]
fn no_source_has_it() {
    let folders = ["src", "tests", "benches", "examples", "fuzz/fuzz_targets"];
    let mut files: Vec<PathBuf> = folders
        .iter()
        .flat_map(|folder| rust_files(&repo(folder)))
        .collect();
    files.push(repo("build.rs"));
    assert!(files.len() > 200, "only {} files were looked at", files.len());
    for file in files {
        let found = with_word(&code(&fs::read_to_string(&file).unwrap()), "unsafe");
        assert_eq!(found, [""; 0], "{}", file.display());
    }
}

#[test]
fn it_would_be_found() {
    for (source, expected) in [
        ("unsafe { *p }", 1),
        ("let a = \"unsafe\"; // unsafe", 0),
        ("pub unsafe fn f() {} // it is", 1),
        ("let unsafe_code = 1;", 0),
        ("call(\"a\", unsafe { b })", 1),
    ] {
        assert_eq!(with_word(&code(source), "unsafe").len(), expected, "{source}");
    }
}

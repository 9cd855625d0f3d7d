//! What fuzzing has learnt, and what comes near to it: every file of `fuzz/corpus`, and a fixed number of
//! seeded changes of them, through the functions that the fuzzers call. The long run is `scripts/fuzz`.

mod support;

#[path = "../fuzz/targets/mod.rs"]
mod targets;

use std::cell::Cell;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Once;

use support::chance::Chance;
use support::repo;

/// Changed inputs per target.
const CHANGES: usize = 150;
/// The longest input that is made.
const LONGEST: usize = 4096;

thread_local! {
    /// All panics of a test: those of tasks, which run on its thread, are swallowed by the runtime.
    static PANICS: Cell<usize> = const { Cell::new(0) };
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = repo("fuzz/corpus").join(target);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// The words of a dictionary, as libFuzzer reads them.
fn words(target: &str) -> Vec<Vec<u8>> {
    let path = repo("fuzz/dictionaries").join(format!("{target}.dict"));
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(word).collect()
}

fn word(line: &str) -> Option<Vec<u8>> {
    let inside = line.strip_prefix('"')?.strip_suffix('"')?;
    let (mut out, mut rest) = (Vec::new(), inside);
    while let Some((before, behind)) = rest.split_once('\\') {
        out.extend(before.bytes());
        let (taken, byte) = match behind.strip_prefix('x') {
            Some(hex) => (3, u8::from_str_radix(&hex[..2], 16).unwrap()),
            None => (1, behind.as_bytes()[0]),
        };
        out.push(byte);
        rest = &behind[taken..];
    }
    out.extend(rest.bytes());
    Some(out)
}

/// Changes an input in one place.
fn change(chance: &mut Chance, bytes: &mut Vec<u8>, all: &[Vec<u8>], words: &[Vec<u8>]) {
    let at = chance.below(bytes.len() + 1);
    let put = |bytes: &mut Vec<u8>, more: &[u8]| drop(bytes.splice(at..at, more.iter().copied()));
    match chance.below(6) {
        0 if at < bytes.len() => bytes[at] ^= 1 << chance.below(8),
        1 if at < bytes.len() => bytes[at] = chance.below(256) as u8,
        2 => drop(bytes.drain(at..(at + chance.below(16)).min(bytes.len()))),
        3 if !words.is_empty() => {
            let word = chance.one(words);
            put(bytes, word);
        }
        4 => {
            let other = chance.one(all);
            put(bytes, chance.part(other, 64));
        }
        _ => {
            let own = chance.part(bytes, 64).to_vec();
            put(bytes, &own);
        }
    }
    bytes.truncate(LONGEST);
}

/// Runs a target and shows what broke it.
fn feed(name: &str, run: fn(&[u8]), input: &[u8]) {
    let before = PANICS.get();
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| run(input)));
    if outcome.is_err() || PANICS.get() != before {
        let found = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.found"));
        std::fs::write(&found, input).unwrap();
        panic!(
            "{name} is broken by {}:\n{:?}",
            found.display(),
            String::from_utf8_lossy(input)
        );
    }
}

fn nothing_breaks(name: &str) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICS.set(PANICS.get() + 1);
            usual(info);
        }));
    });
    let (_, run) = *targets::ALL.iter().find(|(own, _)| *own == name).unwrap();
    let (all, words) = (corpus(name), words(name));
    assert!(all.len() >= 5, "{name} has learnt nothing");
    all.iter().for_each(|input| feed(name, run, input));
    let mut chance = Chance::new(1, 0);
    for _ in 0..CHANGES {
        let mut input = chance.one(&all).clone();
        for _ in 0..=chance.below(4) {
            change(&mut chance, &mut input, &all, &words);
        }
        feed(name, run, &input);
    }
}

macro_rules! nothing_breaks {
    ($($target:ident)*) => {
        /// What is tried here.
        const TRIED: &[&str] = &[$(stringify!($target)),*];
        $(
            #[test]
            fn $target() {
                nothing_breaks(stringify!($target));
            }
        )*
    };
}

nothing_breaks! { answers control encoder expressions http2 loader planner recordings requests sessions }

#[test]
fn the_corpora_are_small_and_hold_nothing_of_anybody() {
    let mut total = 0;
    for (name, _) in targets::ALL {
        for input in corpus(name) {
            total += input.len();
            let text = String::from_utf8_lossy(&input);
            for word in ["/home/", "/root/", "/work/", "PRIVATE KEY"] {
                assert!(!text.contains(word), "{name}: {word} in {text:?}");
            }
        }
    }
    assert!(total < 1_000_000, "{total} bytes");
}

#[test]
fn every_target_is_tried_here_a_fuzzer_and_has_a_place_in_the_script() {
    let (manifest, script) = (
        std::fs::read_to_string(repo("fuzz/Cargo.toml")).unwrap(),
        std::fs::read_to_string(repo("scripts/fuzz")).unwrap(),
    );
    for (name, _) in targets::ALL {
        assert!(TRIED.contains(&name), "{name}");
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
        let fuzzer = std::fs::read_to_string(repo(&format!("fuzz/fuzz_targets/{name}.rs"))).unwrap();
        assert!(fuzzer.contains(&format!("targets::{name}::run(bytes)")), "{name}");
        let all = script.lines().find(|line| line.starts_with("all=(")).unwrap();
        assert!(all.contains(name), "{name}");
    }
}

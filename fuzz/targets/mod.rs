//! What is done with made-up input: each target is a function of bytes that panics if something is
//! wrong. libFuzzer calls one of them (`fuzz_targets/`), `tests/fuzz_corpora.rs` all.
#![allow(dead_code, reason = "each fuzzer uses one of them")]

pub mod answers;
pub mod control;
pub mod encoder;
pub mod expressions;
pub mod http2;
pub mod loader;
mod memory;
pub mod planner;
pub mod recordings;
pub mod requests;
pub mod sessions;

/// A target's name, and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const ALL: [Target; 10] = [
    ("answers", answers::run),
    ("control", control::run),
    ("encoder", encoder::run),
    ("expressions", expressions::run),
    ("http2", http2::run),
    ("loader", loader::run),
    ("planner", planner::run),
    ("recordings", recordings::run),
    ("requests", requests::run),
    ("sessions", sessions::run),
];

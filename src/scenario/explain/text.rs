//! The JSON as lines for people.

use std::fmt::Write as _;

use serde_json::{Map, Value as Json};

/// Keys whose values are times: ranges are written out.
const TIMES: &[&str] = &["after", "every", "for", "gap", "delay", "time", "stall", "retry"];
/// Keys that hold lists of steps.
const STEPS: &[&str] = &["stream", "finally", "feed", "steps", "then", "else"];
/// Keys whose lists are data.
const JSON: &[&str] = &["data", "json", "in"];
/// Keys that say nothing that the step has not said.
const SILENT: &[&str] = &["how", "condition", "name", "names", "state"];
/// Keys that begin a block, whose value is its title.
const TITLES: &[&str] = &["endpoint", "topic"];

/// What `explain` says, as text.
pub fn to_text(explained: &Json) -> String {
    let mut out = String::new();
    let Json::Object(map) = explained else {
        return out;
    };
    for (key, value) in map {
        match value {
            Json::Array(sentences) if key == "expect" => expectations(&mut out, sentences),
            Json::Array(blocks) => {
                for block in blocks.iter().filter_map(Json::as_object) {
                    self::block(&mut out, block);
                }
            }
            value => line(&mut out, 0, key, value),
        }
    }
    out
}

/// What the client should do.
fn expectations(out: &mut String, sentences: &[Json]) {
    out.push_str("\nexpect:\n");
    for (at, sentence) in sentences.iter().enumerate() {
        let _ = writeln!(out, "  {}. {}", at + 1, plain(sentence));
    }
}

/// An endpoint or a topic.
fn block(out: &mut String, map: &Map<String, Json>) {
    if !out.is_empty() {
        out.push('\n');
    }
    for (key, value) in map {
        match TITLES.contains(&key.as_str()) {
            true if key == "topic" => line(out, 0, key, value),
            true => _ = writeln!(out, "{}", plain(value)),
            false => line(out, 1, key, value),
        }
    }
}

fn indent(depth: usize) -> String {
    "  ".repeat(depth)
}

fn line(out: &mut String, depth: usize, key: &str, value: &Json) {
    let space = indent(depth);
    match value {
        Json::Array(list) if STEPS.contains(&key) => {
            let nothing = if list.is_empty() { " nothing" } else { "" };
            let _ = writeln!(out, "{space}{key}:{nothing}");
            for (i, step) in list.iter().enumerate() {
                self::step(out, depth + 1, i + 1, step);
            }
        }
        Json::Array(list) if list.iter().any(Json::is_object) => {
            let _ = writeln!(out, "{space}{key}:");
            for (i, entry) in list.iter().enumerate() {
                let _ = writeln!(out, "{space}  {}.", i + 1);
                for (key, value) in entry.as_object().into_iter().flatten() {
                    line(out, depth + 2, key, value);
                }
            }
        }
        Json::Object(map) if !map.is_empty() && !JSON.contains(&key) => {
            let _ = writeln!(out, "{space}{key}:");
            for (key, value) in map {
                line(out, depth + 1, key, value);
            }
        }
        value => {
            let _ = writeln!(out, "{space}{key}: {}", shown(key, value));
        }
    }
}

/// One step in one line, what is inside it below.
fn step(out: &mut String, depth: usize, number: usize, step: &Json) {
    let Some(map) = step.as_object() else { return };
    let mut words = Vec::new();
    if let Some(after) = map.get("after") {
        words.push(format!("after {}:", shown("after", after)));
    }
    words.push(map.get("do").map(plain).unwrap_or_default());
    let below = |value: &Json| {
        value
            .as_array()
            .is_some_and(|list| list.iter().any(Json::is_object))
    };
    let own = map
        .iter()
        .filter(|(key, _)| !["after", "do"].contains(&key.as_str()));
    let (inner, flat): (Vec<_>, Vec<_>) =
        own.partition(|(key, value)| below(value) || STEPS.contains(&key.as_str()));
    let said = |(key, value): &(&String, &Json)| match SILENT.contains(&key.as_str()) {
        true => shown(key, value),
        false => format!("{key} {}", shown(key, value)),
    };
    let flat: Vec<String> = flat.iter().map(said).collect();
    words.push(flat.join(", "));
    let words = words.join(" ");
    let _ = writeln!(out, "{}{number}. {}", indent(depth), words.trim_end());
    for (key, value) in inner {
        line(out, depth + 1, key, value);
    }
}

fn shown(key: &str, value: &Json) -> String {
    match value {
        Json::String(text) if TIMES.contains(&key) && !text.contains("{{") => text.replace("..", " to "),
        Json::Array(_) if JSON.contains(&key) => value.to_string(),
        Json::Array(list) => list.iter().map(plain).collect::<Vec<_>>().join(", "),
        value => plain(value),
    }
}

/// A value in a line: text as it is where that cannot be mistaken, else as JSON.
fn plain(value: &Json) -> String {
    match value {
        Json::String(text) if !text.is_empty() && !text.contains(['\n', '\r', '\t', '\0']) => text.clone(),
        Json::Null => "~".into(),
        value => value.to_string(),
    }
}

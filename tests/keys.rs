//! Nothing that is accepted is ignored: for every key of the language a test shows what it changes.
//!
//! `fixtures/keys.txt` says which; a test that is named must hold the key, itself or in the scenario and
//! the functions it uses.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use mock_sse::scenario::schema::json_schema;
use serde_json::Value as Json;
use support::repo;

/// `Definition.key` of every mapping with fixed keys.
fn keys() -> BTreeSet<String> {
    let schema: Json = serde_json::from_str(&json_schema()).unwrap();
    let root = ("ScenarioFile", &schema);
    let all = schema["$defs"].as_object().unwrap().iter();
    let all = all
        .map(|(name, definition)| (name.as_str(), definition))
        .chain([root]);
    all.flat_map(|(name, definition)| {
        let keys = definition["properties"].as_object().into_iter().flatten();
        keys.map(move |(key, _)| format!("{name}.{key}"))
    })
    .collect()
}

/// The registry: a key, and `file::function`, or `refused fixture.yaml` for one that is always an error.
fn registry() -> BTreeMap<String, String> {
    let text = fs::read_to_string(repo("tests/fixtures/keys.txt")).unwrap();
    let lines = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut all = BTreeMap::new();
    for line in lines {
        let (key, shown) = line.split_once(char::is_whitespace).expect(line);
        let before = all.insert(key.to_owned(), shown.trim().to_owned());
        assert_eq!(before, None, "{key} stands twice");
    }
    all
}

fn list(all: &[&String]) -> String {
    all.iter().map(|key| format!("\n  {key}")).collect()
}

#[test]
fn every_key_is_registered() {
    let (keys, registry) = (keys(), registry());
    let missing: Vec<&String> = keys.iter().filter(|key| !registry.contains_key(*key)).collect();
    let gone: Vec<&String> = registry.keys().filter(|key| !keys.contains(*key)).collect();
    assert!(
        missing.is_empty(),
        "tests/fixtures/keys.txt names no test that shows these keys at work:{}",
        list(&missing)
    );
    assert!(
        gone.is_empty(),
        "these keys are no longer in the language:{}",
        list(&gone)
    );
}

/// The items of a Rust file that begin in its first column, by their names.
fn items(source: &str) -> BTreeMap<String, String> {
    let mut items: BTreeMap<String, String> = BTreeMap::new();
    let mut name = String::new();
    for line in source.lines() {
        let words: Vec<&str> = line.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
        let item = words
            .iter()
            .position(|word| matches!(*word, "fn" | "const" | "static"));
        let outer = line.starts_with(|c: char| c.is_alphabetic());
        if let Some(at) = item.filter(|at| outer && *at <= 2) {
            let named = words[at + 1..]
                .iter()
                .find(|word| !matches!(**word, "" | "fn" | "mut"));
            name = named.unwrap_or(&"").to_string();
        }
        let text = items.entry(name.clone()).or_default();
        text.push_str(line);
        text.push('\n');
    }
    items
}

fn has_word(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word)
        .any(|(at, _)| !text[..at].ends_with(part) && !text[at + word.len()..].starts_with(part))
}

/// A function with everything of its file that it uses, and the shipped scenarios that this names.
fn closure(items: &BTreeMap<String, String>, function: &str) -> String {
    let (mut names, mut text) = (vec![function], String::new());
    let mut at = 0;
    while at < names.len() {
        text += &items[names[at]];
        let used = items
            .keys()
            .filter(|name| !name.is_empty() && has_word(&items[names[at]], name));
        let used: Vec<&str> = used
            .map(String::as_str)
            .filter(|name| !names.contains(name))
            .collect();
        names.extend(used);
        at += 1;
    }
    let literals = text
        .split('"')
        .filter(|literal| literal.starts_with("scenarios/") || literal.starts_with("tests/fixtures/"));
    let shipped: Vec<String> = literals
        .filter(|literal| literal.ends_with(".yaml"))
        .filter_map(|path| fs::read_to_string(repo(path)).ok())
        .collect();
    text + &shipped.concat()
}

/// Whether a scenario in a text has a key: `key:`, not as the end of another word.
fn has_key(text: &str, key: &str) -> bool {
    let mapped = format!("{key}:");
    text.match_indices(&mapped).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + mapped.len()..].chars().next();
        before.is_none_or(|c| " {[(\"'\n".contains(c)) && after != Some(':')
    })
}

#[test]
fn the_tests_named_are_there_and_hold_their_keys() {
    let mut files: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (name, shown) in registry() {
        let key = name.split('.').nth(1).unwrap();
        if let Some(fixture) = shown.strip_prefix("refused ") {
            let text = fs::read_to_string(repo(&format!("tests/fixtures/invalid/{fixture}")));
            if !text.is_ok_and(|text| has_key(&text, key)) {
                wrong.push(format!("{name}: {fixture} does not hold it"));
            }
            continue;
        }
        let (file, function) = shown.split_once("::").expect(&shown);
        let items = files.entry(file.to_owned()).or_insert_with(|| {
            let source = fs::read_to_string(repo(&format!("tests/{file}.rs"))).unwrap_or_default();
            items(&source)
        });
        let Some(own) = items.get(function) else {
            wrong.push(format!("{name}: there is no test {shown}"));
            continue;
        };
        if !own.starts_with("fn ") && !own.starts_with("async fn ") {
            wrong.push(format!("{name}: {shown} is no function"));
        }
        if !has_key(&closure(items, function), key) {
            wrong.push(format!("{name}: {shown} has no `{key}`"));
        }
    }
    assert!(wrong.is_empty(), "tests/fixtures/keys.txt:\n{}", wrong.join("\n"));
}

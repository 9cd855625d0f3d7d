//! docs/language.md is the language: every key with its type and default, every word of expressions,
//! and examples that load.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use mock_sse::expr::vocabulary;
use mock_sse::scenario::diagnostic::render_all;
use mock_sse::scenario::load::{Origin, load};
use mock_sse::scenario::schema::json_schema;
use serde_json::Value as Json;
use support::repo;

/// Where the keys of each definition are documented. Without keys of its own: where it is explained.
const SECTIONS: &[(&str, &[&str])] = &[
    ("ScenarioFile", &["Scenario"]),
    ("CorsRulesFile", &["Cross-origin rules"]),
    ("DefaultsFile", &["Defaults"]),
    ("TopicFile", &["Topic"]),
    ("HistoryRulesFile", &["History"]),
    ("ExpectFile", &["Expectation"]),
    ("CountRulesFile", &["Count"]),
    ("RateRulesFile", &["Rate"]),
    ("GapRulesFile", &["Gap"]),
    ("EndpointFile", &["Endpoint", "Answer"]),
    ("EntryFile", &["Entry", "Answer"]),
    ("PresetFile", &["Model"]),
    ("ReplyFile", &["Model"]),
    ("TurnFile", &["Model"]),
    ("ToolFile", &["Tool call"]),
    ("UsageFile", &["Usage"]),
    ("PaceFile", &["Pace"]),
    ("FailureFile", &["Error"]),
    ("PublishFile", &["Message"]),
    ("PublishRulesFile", &["Message"]),
    ("HeartbeatRulesFile", &["Heartbeat"]),
    ("WireFile", &["Wire"]),
    ("SplitFile", &["Split"]),
    ("ThrottleFile", &["Throttle"]),
    ("FaultFile", &["Fault"]),
    ("FaultAfterFile", &["When a fault strikes"]),
    ("LimitsFile", &["Limits"]),
    ("EventFile", &["Event"]),
    ("WaitFile", &["Steps"]),
    ("RawStepFile", &["Steps", "raw"]),
    ("RawFile", &["raw"]),
    ("RawFormFile", &["Forms of raw bytes"]),
    ("ReplayStepFile", &["Steps"]),
    ("ReplayFile", &["replay"]),
    ("ReplayRulesFile", &["replay"]),
    ("OneWriteFile", &["Steps"]),
    ("RepeatFile", &["Steps"]),
    ("RepeatRulesFile", &["repeat"]),
    ("ForEachFile", &["Steps"]),
    ("ForEachRulesFile", &["for_each"]),
    ("ChooseFile", &["Steps"]),
    ("ChoiceFile", &["choose"]),
    ("IfFile", &["Steps", "if"]),
    ("ParallelFile", &["Steps"]),
    ("LetFile", &["Steps"]),
    ("SetFile", &["Steps"]),
    ("RunFile", &["Steps"]),
    ("FollowStepFile", &["Steps"]),
    ("FollowRulesFile", &["follow"]),
    ("PublishStepFile", &["Steps"]),
    ("SignalFile", &["Steps"]),
    ("WaitForFile", &["Steps"]),
    ("WaitForRulesFile", &["wait_for"]),
    ("DisconnectFile", &["Steps"]),
    ("DisconnectRulesFile", &["disconnect"]),
    ("OfflineFile", &["Steps"]),
    ("StallFile", &["Steps"]),
    ("EndFile", &["Steps", "end"]),
];

/// What a section may hold although not all of its definitions have it.
const SHARED: &[&str] = &["Steps", "Endpoint", "Entry", "raw", "if", "end", "Model"];

fn reference() -> String {
    fs::read_to_string(repo("docs/language.md")).unwrap()
}

fn sections_of(definition: &str) -> Option<&'static [&'static str]> {
    let found = SECTIONS.iter().find(|(name, _)| *name == definition);
    found.map(|(_, sections)| *sections)
}

/// As GitHub makes anchors of headings.
fn anchor(heading: &str) -> String {
    format!("(#{})", heading.to_lowercase().replace(',', "").replace(' ', "-"))
}

/// A row of a table of keys.
#[derive(Debug)]
struct Row {
    key: String,
    kind: String,
    default: String,
}

/// The tables of keys by the headings they stand under.
fn tables(text: &str) -> BTreeMap<String, Vec<Row>> {
    let mut tables: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    let (mut heading, mut in_table) = (String::new(), false);
    for line in text.lines() {
        if let Some(title) = line.strip_prefix('#') {
            heading = title.trim_start_matches('#').trim().to_owned();
        }
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        match cells.as_slice() {
            ["Key", "Type", "Default", "Meaning"] => in_table = true,
            [key, kind, default, meaning] if in_table && line.starts_with('|') => {
                if !key.starts_with('-') {
                    assert!(!meaning.is_empty(), "{heading}: {key} means nothing");
                    tables.entry(heading.clone()).or_default().push(Row {
                        key: key.trim_matches('`').to_owned(),
                        kind: (*kind).to_owned(),
                        default: default.replace('`', ""),
                    });
                }
            }
            _ => {
                assert!(
                    !(in_table && line.starts_with('|')),
                    "{heading}: four cells in {line}"
                );
                in_table = false;
            }
        }
    }
    tables
}

/// The schema that the loader's own types give.
struct Schema(Json);

impl Schema {
    fn new() -> Schema {
        Schema(serde_json::from_str(&json_schema()).unwrap())
    }

    /// All mappings with fixed keys, by name.
    fn definitions(&self) -> BTreeMap<&str, &serde_json::Map<String, Json>> {
        let all = self.0["$defs"].as_object().unwrap().iter();
        let named = all.filter_map(|(name, schema)| Some((name.as_str(), schema["properties"].as_object()?)));
        let root = ("ScenarioFile", self.0["properties"].as_object().unwrap());
        named.chain([root]).collect()
    }

    /// What the cell of a key's type must say: of each group one.
    fn kind(&self, schema: &Json) -> Vec<Vec<String>> {
        let say = |words: &[&str]| vec![words.iter().map(|word| (*word).to_owned()).collect()];
        if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
            return match sections_of(name) {
                Some(sections) => vec![sections.iter().map(|section| anchor(section)).collect()],
                None if name == "StepFile" => say(&["steps"]),
                None => self.kind(&self.0["$defs"][name]),
            };
        }
        if let Some(options) = schema["anyOf"].as_array() {
            let options = options.iter().filter(|option| option["type"] != "null");
            return options.flat_map(|option| self.kind(option)).collect();
        }
        if schema["const"].is_string() {
            return say(&["`off`"]);
        }
        if schema.get("pattern").is_some() {
            return say(&["duration"]);
        }
        let kinds: Vec<&str> = match &schema["type"] {
            Json::String(kind) => vec![kind],
            Json::Array(kinds) => kinds
                .iter()
                .filter_map(Json::as_str)
                .filter(|k| *k != "null")
                .collect(),
            _ => return say(&["value"]),
        };
        match kinds.as_slice() {
            ["integer"] => say(&["whole number"]),
            ["number"] => say(&["number"]),
            ["boolean"] => say(&["true or false"]),
            ["string"] => say(&["fixed text", "word"]),
            ["object"] => [say(&["mapping of"]), self.kind(&schema["additionalProperties"])].concat(),
            ["array"] => self.list(&schema["items"]),
            _ => say(&["text", "expression", "size", "numbers", "sizes", "word"]),
        }
    }

    fn list(&self, items: &Json) -> Vec<Vec<String>> {
        let steps = items["$ref"]
            .as_str()
            .is_some_and(|name| name.ends_with("/StepFile"));
        let more = (!steps).then(|| vec!["list".to_owned()]);
        self.kind(items).into_iter().chain(more).collect()
    }
}

#[test]
fn every_key_has_its_row_and_every_row_its_key() {
    let (schema, text) = (Schema::new(), reference());
    let (definitions, tables) = (schema.definitions(), tables(&text));
    let mut wrong = Vec::new();
    for (definition, keys) in &definitions {
        let Some(sections) = sections_of(definition) else {
            wrong.push(format!("{definition} has no section"));
            continue;
        };
        let rows = || sections.iter().flat_map(|section| tables.get(*section)).flatten();
        for key in keys.keys() {
            match rows().filter(|row| row.key == *key).count() {
                1 => {}
                n => wrong.push(format!("{definition}: {n} rows for `{key}` under {sections:?}")),
            }
        }
    }
    for (section, rows) in &tables {
        let owners = SECTIONS.iter().filter(|(name, sections)| {
            definitions.contains_key(name) && sections.contains(&section.as_str())
        });
        let owners: Vec<_> = owners.map(|(name, _)| definitions[name]).collect();
        for Row { key, .. } in rows {
            let known = owners.iter().filter(|keys| keys.contains_key(key)).count();
            if known == 0 || (known < owners.len() && !SHARED.contains(&section.as_str())) {
                wrong.push(format!("{section}: there is no key `{key}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "docs/language.md:\n{}", wrong.join("\n"));
}

#[test]
fn sections_are_those_of_the_language() {
    let (schema, text) = (Schema::new(), reference());
    let known = |name: &&str| *name == "ScenarioFile" || schema.0["$defs"].get(name).is_some();
    let gone: Vec<&str> = SECTIONS
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| !known(name))
        .collect();
    assert!(gone.is_empty(), "no longer in the schema: {gone:?}");
    let headings: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix('#'))
        .map(|heading| anchor(heading.trim_start_matches('#').trim()))
        .collect();
    let targets = text
        .split("](#")
        .skip(1)
        .map(|rest| rest.split(')').next().unwrap_or(rest));
    let broken: Vec<&str> = targets
        .filter(|t| !headings.contains(&format!("(#{t})")))
        .collect();
    assert!(broken.is_empty(), "links to nowhere: {broken:?}");
}

/// Words that say a type by themselves: they stand in a cell only where the schema says so, too.
const TELLING: &[&str] = &["duration", "whole number", "true or false", "steps", "mapping of"];

#[test]
fn types_agree_with_the_schema() {
    let (schema, text) = (Schema::new(), reference());
    let tables = tables(&text);
    let mut wrong = Vec::new();
    for (definition, keys) in schema.definitions() {
        let rows = sections_of(definition).unwrap_or_default().iter();
        for row in rows.flat_map(|section| tables.get(*section)).flatten() {
            let Some(key) = keys.get(&row.key) else { continue };
            let kind = schema.kind(key);
            let missing = kind
                .iter()
                .find(|one_of| !one_of.iter().any(|word| row.kind.contains(word)));
            if let Some(missing) = missing {
                wrong.push(format!(
                    "{definition}.{}: `{}` lacks {missing:?}",
                    row.key, row.kind
                ));
            }
            let said = TELLING.iter().filter(|word| row.kind.contains(**word));
            for word in said.filter(|word| !kind.iter().flatten().any(|w| w.contains(**word))) {
                wrong.push(format!("{definition}.{}: `{}` is no {word}", row.key, row.kind));
            }
        }
    }
    assert!(wrong.is_empty(), "docs/language.md:\n{}", wrong.join("\n"));
}

/// The default that a key's description tells: "…; 200 by default", "`lf` (the default)".
fn told_default(description: &str) -> Option<String> {
    if let Some((before, _)) = description.split_once(" by default") {
        let clause = before.rsplit_once("; ")?.1;
        // A longer clause tells what happens, not a value.
        return (clause.split(' ').count() <= 2).then(|| clause.replace('`', ""));
    }
    let (before, _) = description.split_once("the default")?;
    before.split('`').rev().nth(1).map(str::to_owned)
}

#[test]
fn defaults_agree_with_the_schema() {
    let (schema, text) = (Schema::new(), reference());
    let tables = tables(&text);
    let mut compared = 0;
    for (definition, keys) in schema.definitions() {
        let rows = sections_of(definition).unwrap_or_default().iter();
        for row in rows.flat_map(|section| tables.get(*section)).flatten() {
            let told = keys
                .get(&row.key)
                .and_then(|key| told_default(key["description"].as_str()?));
            if let Some(told) = told {
                let shown = &row.default;
                assert!(
                    shown.contains(&told),
                    "{definition}.{}: {told}, not {shown}",
                    row.key
                );
                compared += 1;
            }
        }
    }
    assert!(compared >= 20, "only {compared} descriptions tell a default");
}

/// The YAML blocks, with what stands behind `yaml` in their first line.
fn examples(text: &str) -> Vec<(&str, &str)> {
    text.split("\n```yaml")
        .skip(1)
        .map(|rest| {
            let (info, rest) = rest.split_once('\n').unwrap();
            (info.trim(), rest.split("\n```").next().unwrap())
        })
        .collect()
}

fn indented(text: &str, by: usize) -> String {
    text.lines().map(|line| format!("{:by$}{line}\n", "")).collect()
}

/// An example as a whole scenario, with topics that it may use.
fn whole(info: &str, example: &str) -> String {
    let endpoints = match info {
        "" => return example.to_owned(),
        "endpoint" => indented(example, 2),
        "steps" => format!(
            "  - path: /example/{{room}}\n    stream:\n{}",
            indented(example, 6)
        ),
        other => panic!("what is a `{other}`?"),
    };
    format!(
        "topics: {{ news: {{ history: 100 }}, \"room/{{room}}\": {{}} }}\nendpoints:\n{endpoints}\
         \n  - {{ path: /around, stream: [{{ follow: {{ topic: [news, \"room/{{room}}\"] }} }}] }}\
         \n  - {{ path: \"/around/{{room}}\", method: POST, publish: [news, \"room/{{{{ room }}}}\"] }}\n"
    )
}

/// The files that the examples name.
fn write_files(folder: &Path) {
    fs::create_dir(folder.join("static")).unwrap();
    for (name, text) in [
        ("more.yaml", "endpoints: [{ path: /more, body: more }]\n"),
        ("words.csv", "kind,word\nnoun,house\n"),
        ("page.html", "<p>hello</p>\n"),
        (
            "chat.recording.ndjson",
            "{\"at\":12.5,\"text\":\"data: x\\n\\n\"}\n",
        ),
        ("static/index.html", "<p>hello</p>\n"),
    ] {
        fs::write(folder.join(name), text).unwrap();
    }
}

#[test]
fn every_example_loads_without_a_warning() {
    let text = reference();
    let examples = examples(&text);
    for kind in ["", "endpoint", "steps"] {
        assert!(
            examples.iter().filter(|(info, _)| *info == kind).count() > 5,
            "{kind}"
        );
    }
    for (info, example) in examples {
        let folder = tempfile::tempdir().unwrap();
        write_files(folder.path());
        let path = folder.path().join("example.yaml");
        fs::write(&path, whole(info, example)).unwrap();
        let found = match load(&Origin::Paths(vec![path])) {
            Ok((_, warnings)) => warnings,
            Err(errors) => errors,
        };
        assert!(found.is_empty(), "{example}\n\n{}", render_all(&found, false));
    }
}

/// The words in backticks, without what they are called with.
fn words(text: &str) -> BTreeSet<&str> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted
        .map(|word| word.split('(').next().unwrap_or(word))
        .collect()
}

/// The first column of the table with this head.
fn column<'t>(text: &'t str, head: &str) -> BTreeSet<&'t str> {
    let (_, table) = text.split_once(&format!("| {head} |")).expect(head);
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.flat_map(|row| words(row.split('|').nth(1).unwrap_or("")))
        .collect()
}

/// The paragraph that begins so, its first sentence.
fn paragraph<'t>(text: &'t str, beginning: &str) -> BTreeSet<&'t str> {
    let (_, rest) = text.split_once(beginning).expect(beginning);
    words(&rest[..rest.find('.').unwrap()])
}

fn same(documented: &BTreeSet<&str>, known: impl IntoIterator<Item = impl AsRef<str>>, what: &str) {
    let known: BTreeSet<String> = known.into_iter().map(|word| word.as_ref().to_owned()).collect();
    let documented: BTreeSet<String> = documented.iter().map(|word| (*word).to_owned()).collect();
    assert_eq!(documented, known, "{what}");
}

#[test]
fn every_word_of_expressions_is_documented() {
    let (text, all) = (reference(), vocabulary());
    let (_, text) = text.split_once("## Expressions").unwrap();
    let mut names = column(text, "Name");
    names.remove("room");
    same(&names, &all.names, "names");
    same(&column(text, "Function"), &all.functions, "functions");
    let mut filters = column(text, "Filter");
    filters.extend(paragraph(text, "Jinja's other filters: "));
    same(&filters, &all.filters, "filters");
    same(
        &paragraph(text, "Tests, as in `x is defined`: "),
        &all.tests,
        "tests",
    );
    same(
        &paragraph(text, "The kinds of `fake`: "),
        &all.fakes,
        "kinds of fake",
    );
}

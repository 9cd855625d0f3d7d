//! The official SDKs of OpenAI, Anthropic and Google against scenarios that speak their APIs, the shipped ones (which
//! are made of presets) and ones that say every byte by hand: each behaviour, with a stream and without, must come to
//! what the same request means, in both; what they make of faults stands in `docs/llm-sdks.md`, which
//! `UPDATE_GOLDEN=1` writes anew.

mod installed;
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

use installed::{command, copy, npm_ci, passes, there_is, venv};
use serde_json::{Value, json};
use support::raw::shipped;
use support::{Server, repo};

const APIS: [&str; 4] = ["openai-chat", "openai-responses", "anthropic", "gemini"];
const HELLO: &str = "Hello from a mock.";
/// What comes of it before something goes wrong in mid-stream.
const PART: &str = "Hello from";
const UTF8: &str = "Grüße ☃ 日本 👋 done";

/// What an SDK made of each behaviour in each mode (`text.stream`), and the server that saw it.
struct Run {
    language: &'static str,
    api: &'static str,
    scenario: String,
    server: Server,
    seen: BTreeMap<String, Value>,
}

impl Run {
    fn new(
        language: &'static str,
        api: &'static str,
        folder: &str,
        driver: impl FnOnce(&[String]) -> Command,
    ) -> Run {
        let scenario = format!("{folder}/{api}.yaml");
        let server = shipped(&scenario, &["--max-sessions", "1000"]);
        let behaviours = repo("tests/clients/llm/behaviours.json");
        let base = format!("http://localhost:{}", server.port);
        let args = [api.to_owned(), base, behaviours.to_str().unwrap().to_owned()];
        let said = passes(&mut driver(&args));
        let seen = serde_json::from_str(&said).expect(&said);
        Run {
            language,
            api,
            scenario,
            server,
            seen,
        }
    }

    fn modes(&self) -> Vec<&'static str> {
        let all = ["whole", "stream", "helper"];
        let there = |mode: &&str| self.seen.contains_key(&format!("text.{mode}"));
        let modes: Vec<_> = all.into_iter().filter(there).collect();
        assert!(modes.starts_with(&["whole", "stream"]), "{modes:?}");
        modes
    }

    /// The requests of a behaviour, as the server's journal has them.
    fn requests(&self, name: &str) -> Vec<Value> {
        let path = format!("/~{}.{name}/__mock/journal", self.api);
        let journal: Value = serde_json::from_str(&self.server.get(&path).body).unwrap();
        journal["entries"].as_array().expect(name).clone()
    }

    fn assert_answers(&self) {
        for mode in self.modes() {
            self.assert_answer("text", mode, HELLO, 4);
            self.assert_answer("crlf", mode, HELLO, 4);
            self.assert_answer("slow", mode, HELLO, 4);
            self.assert_answer("utf8", mode, UTF8, 5);
            let [asked, said] = self.assert_answer("tools", mode, "It is 18 degrees.", 4);
            assert_eq!(asked["calls"], json!([weather()]), "{} {mode}", self.scenario);
            assert_eq!(said["calls"], json!([]), "{} {mode}", self.scenario);
            let [asked, _] = self.assert_answer("parallel-tools", mode, "It is 18 degrees and noon.", 6);
            assert_eq!(
                asked["calls"],
                json!([weather(), time()]),
                "{} {mode}",
                self.scenario
            );
            // Gemini counts thoughts apart.
            let tokens = if self.api == "gemini" { 4 } else { 7 };
            let [_, said] = self.assert_answer("reasoning", mode, HELLO, tokens);
            assert_eq!(said["thoughts"], self.thoughts(mode), "{} {mode}", self.scenario);
        }
        let took = self.seen["slow.stream"]["took"].as_u64().unwrap();
        assert!(took >= 400, "four tokens, each 100 ms after the last: {took} ms");
    }

    /// OpenAI's API has no `reasoning_content`; its JavaScript helper keeps the last piece of what it does not know.
    fn thoughts(&self, mode: &str) -> &'static str {
        match (self.language, self.api, mode) {
            ("JavaScript", "openai-chat", "helper") => " think.",
            _ => "Let me think.",
        }
    }

    /// The whole text, the usual end, and as many tokens as words; the first turn, if there were two, and the last.
    fn assert_answer(&self, behaviour: &str, mode: &str, text: &str, tokens: u64) -> [Value; 2] {
        let said = &self.seen[&format!("{behaviour}.{mode}")];
        let what = format!("{} {behaviour}.{mode}: {said:#}", self.scenario);
        assert_eq!(said["error"], Value::Null, "{what}");
        assert_eq!(said["text"], text, "{what}");
        let (usual, _) = self.ends();
        assert_eq!(said["finish"], usual, "{what}");
        assert_eq!(said["usage"], json!([12, tokens]), "{what}");
        if mode == "stream" {
            let pieces = text.split(' ').count();
            assert_eq!(said["pieces"], pieces, "{what}");
        }
        [said["first"].clone(), said.clone()]
    }

    /// The words for an answer that is complete, and for one that reached its bound.
    fn ends(&self) -> (&'static str, &'static str) {
        match self.api {
            "openai-chat" => ("stop", "length"),
            "openai-responses" => ("completed", "incomplete: max_output_tokens"),
            "anthropic" => ("end_turn", "max_tokens"),
            _ => ("STOP", "MAX_TOKENS"),
        }
    }

    fn assert_bounds_and_keys(&self) {
        for mode in ["whole", "stream"] {
            let said = &self.seen[&format!("incomplete.{mode}")];
            assert_eq!(
                said["finish"],
                self.ends().1,
                "{} {mode}: {said:#}",
                self.scenario
            );
            assert_eq!(said["text"], HELLO, "{} {mode}: {said:#}", self.scenario);
            let said = &self.seen[&format!("wrong-key.{mode}")];
            let status = if self.api == "gemini" { 400 } else { 401 };
            assert_eq!(
                said["error"]["status"], status,
                "{} {mode}: {said:#}",
                self.scenario
            );
        }
    }

    /// What came before the fault is there, in pieces, whatever comes of it then.
    fn assert_parts(&self) {
        for behaviour in ["overloaded", "failed", "clean-end", "cut", "reset"] {
            if behaviour == "failed" && self.api != "openai-responses" {
                continue;
            }
            let said = &self.seen[&format!("{behaviour}.stream")];
            let what = format!("{} {behaviour}: {said:#}", self.scenario);
            assert_eq!(said["text"], PART, "{what}");
            assert_eq!(said["pieces"], 2, "{what}");
        }
    }

    /// Who is to retry comes back once, no sooner than it was told, and says so.
    fn assert_retries(&self) {
        for mode in self.modes() {
            let once = self.requests(&format!("rate-limit-once.{mode}"));
            assert_eq!(once.len(), 1, "{} {mode}", self.scenario);
            let asked = format!("rate-limit-asked.{mode}");
            self.assert_answer("rate-limit-asked", mode, HELLO, 4);
            let requests = self.requests(&asked);
            let what = format!("{} {asked}: {requests:#?}", self.scenario);
            assert_eq!(requests.len(), 2, "{what}");
            assert_eq!(requests[0]["answered"]["status"], 429, "{what}");
            let count = &requests[1]["headers"]["x-stainless-retry-count"];
            if self.api != "gemini" {
                assert_eq!(count, "1", "{what}");
                let ended = requests[0]["ended"]["at_ms"].as_f64().unwrap();
                let gap = requests[1]["at_ms"].as_f64().unwrap() - ended;
                assert!(gap >= 990.0, "retry-after: 1, and a gap of {gap} ms: {what}");
            }
            assert_eq!(self.requests(&format!("server-error.{mode}")).len(), 2, "{what}");
        }
    }

    /// What has become of a behaviour, in words.
    fn outcome(&self, name: &str) -> String {
        let said = &self.seen[name];
        let error = &said["error"];
        let class = error["class"].as_str().unwrap_or_default();
        let part = said["text"] != "";
        let end = match (error.is_null(), &error["status"], part, &said["finish"]) {
            (true, _, _, Value::Null) => "a part, no error".to_owned(),
            (true, _, _, finish) => format!("the answer (`{}`)", finish.as_str().unwrap()),
            (_, Value::Null, false, _) => format!("`{class}`"),
            (_, Value::Null, true, _) => format!("a part, then `{class}`"),
            (_, status, false, _) => format!("`{class}` ({status})"),
            (_, status, true, _) => format!("a part, then `{class}` ({status})"),
        };
        match self.requests(name).len() {
            1 => end,
            requests => format!("{end}, {requests} requests"),
        }
    }

    fn rows(&self) -> String {
        const FAULTS: [(&str, &str); 13] = [
            ("text", "nothing is wrong"),
            ("incomplete", "the answer reaches its bound"),
            ("wrong-key", "the key is wrong"),
            ("rate-limit", "429 with `retry-after: 1`, then the answer"),
            ("rate-limit-once", "the same, no retries asked for"),
            ("rate-limit-asked", "the same, one retry asked for"),
            ("server-error", "500 each time, one retry asked for"),
            (
                "unavailable",
                "503 (Anthropic: 529) each time, one retry asked for",
            ),
            ("overloaded", "an error event in mid-stream"),
            ("failed", "`response.failed` in mid-stream"),
            ("clean-end", "a clean end in mid-stream"),
            ("cut", "a cut in mid-stream"),
            ("reset", "a reset in mid-stream"),
        ];
        let modes = self.modes();
        let mut rows = format!("| {} | {} |\n", "What happens", modes.join(" | "));
        rows += &format!("|---|{}\n", "---|".repeat(modes.len()));
        for (behaviour, meaning) in FAULTS {
            if !self.seen.contains_key(&format!("{behaviour}.stream")) {
                continue;
            }
            // What happens in mid-stream happens to no whole answer.
            let cell = |mode: &&str| match *mode == "whole" && meaning.contains("mid-stream") {
                true => "".to_owned(),
                false => self.outcome(&format!("{behaviour}.{mode}")),
            };
            let cells: Vec<String> = modes.iter().map(cell).collect();
            rows += &format!("| {meaning} | {} |\n", cells.join(" | "));
        }
        rows
    }
}

fn weather() -> Value {
    json!({ "name": "get_weather", "arguments": { "city": "Paris" } })
}

fn time() -> Value {
    json!({ "name": "get_time", "arguments": { "zone": "CET" } })
}

/// Runs all APIs with a language's SDKs, and holds the page's section to what came of it.
fn all(language: &'static str, driver: impl Fn(&[String]) -> Command) {
    let mut section = String::new();
    for api in APIS {
        let [by_hand, presets] = ["tests/fixtures/llm/by-hand", "scenarios/llm"].map(|folder| {
            let run = Run::new(language, api, folder, &driver);
            run.assert_answers();
            run.assert_bounds_and_keys();
            run.assert_parts();
            run.assert_retries();
            run.rows()
        });
        assert_eq!(
            presets, by_hand,
            "{language}: what {api}'s preset leads to, and what its bytes by hand do"
        );
        section += &format!("\n### {language}: {api}\n\n{by_hand}");
    }
    assert_page(language, &section);
}

/// One test at a time reads and writes the page.
static PAGE: Mutex<()> = Mutex::new(());

fn assert_page(language: &str, section: &str) {
    let _alone = PAGE.lock().unwrap();
    let path = repo("docs/llm-sdks.md");
    let page = fs::read_to_string(&path).unwrap();
    let begin = format!("<!-- {language}, from the run -->\n");
    let from = page.find(&begin).expect("a place for the section") + begin.len();
    let to = from + page[from..].find("<!-- end -->").expect("its end");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, format!("{}{section}\n{}", &page[..from], &page[to..])).unwrap();
        return;
    }
    assert_eq!(
        page[from..to].trim(),
        section.trim(),
        "{language}: UPDATE_GOLDEN=1 accepts this"
    );
}

fn client(program: PathBuf, script: PathBuf, args: &[String]) -> Command {
    let folder = script.parent().unwrap().to_owned();
    let mut client = command(program, &folder);
    // What a developer has set for these SDKs is not for this server.
    let own = ["OPENAI_", "ANTHROPIC_", "GOOGLE_", "GEMINI_"];
    for (name, _) in std::env::vars_os() {
        if own.iter().any(|own| name.to_string_lossy().starts_with(own)) {
            client.env_remove(name);
        }
    }
    client.arg(script).args(args);
    client
}

/// Both ways in which Anthropic's SDKs and others send the key.
#[test]
fn anthropic_takes_the_key_of_either_header() {
    let server = shipped("scenarios/llm/anthropic.yaml", &[]);
    let status = |header: (&str, &str)| server.send("POST", "/v1/messages", &[header], b"{}").status;
    assert_eq!(status(("x-api-key", "test-key")), 200);
    assert_eq!(status(("authorization", "Bearer test-key")), 200);
    assert_eq!(status(("authorization", "Bearer wrong")), 401);
}

#[test]
fn python_sdks() {
    if !there_is("python3") {
        return;
    }
    let folder = copy(&repo("tests/clients/llm/python"), "clients/llm-python");
    let python = venv(&folder);
    all("Python", |args| {
        client(python.clone(), folder.join("drive.py"), args)
    });
}

#[test]
fn javascript_sdks() {
    if !there_is("node") || !there_is("npm") {
        return;
    }
    let folder = copy(&repo("tests/clients/llm/js"), "clients/llm-js");
    npm_ci(&folder);
    all("JavaScript", |args| {
        client("node".into(), folder.join("drive.mjs"), args)
    });
}

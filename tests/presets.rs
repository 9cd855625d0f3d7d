//! Presets: a model's answer in a line, in the shapes of four APIs, made of ordinary steps.

mod commands;
mod support;

use std::fs;

use commands::{done, tell};
use serde_json::{Value as Json, json};
use support::process::{run, said};
use support::{Answer, Server, repo, serve};

const PATHS: [(&str, &str); 4] = [
    ("openai_chat", "/v1/chat/completions"),
    ("openai_responses", "/v1/responses"),
    ("anthropic_messages", "/v1/messages"),
    ("gemini", "/v1beta/models/tiny:streamGenerateContent"),
];

const JSON: &str = "content-type: application/json";

const MODELS: &str = "tests/fixtures/presets/models.yaml";

/// What a client of the fixture gets, head and all but the date.
fn play(path: &str, body: &Json) -> String {
    let body = body.to_string();
    let args = ["play", MODELS, path, "-H", JSON, "-d", &body, "-i"];
    let (_, out, err) = said(&run(&repo("."), &args, &[]));
    assert!(
        err.is_empty() || err.starts_with("the answer has status"),
        "{path}: {err}"
    );
    let lines = out.lines().filter(|line| !line.starts_with("date: "));
    lines.map(|line| format!("{}\n", line.trim_end())).collect()
}

/// `UPDATE_GOLDEN=1` writes the files anew.
#[test]
fn each_api_gets_the_bytes_of_its_golden_file() {
    for (api, path) in PATHS {
        let mut all = String::new();
        let mut cases = vec!["said", "pieces", "tools", "broken", "refused"];
        match api {
            "openai_chat" => cases.push("turns"),
            "openai_responses" => cases.push("failed"),
            _ => {}
        }
        for case in cases {
            for streamed in [true, false] {
                let path = match (api, streamed) {
                    ("gemini", true) => format!("{path}?alt=sse&case={case}"),
                    ("gemini", false) => format!("{}?case={case}", path.replace("streamG", "g")),
                    _ => format!("{path}?case={case}"),
                };
                let body = json!({ "model": "tiny", "user": "Ann", "stream": streamed });
                all += &format!("=== {case}, {}\n", if streamed { "streamed" } else { "whole" });
                all += &play(&path, &body);
            }
        }
        let golden = repo("tests/fixtures/presets").join(api).with_extension("txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&golden, all).unwrap();
        } else {
            assert_eq!(fs::read_to_string(&golden).unwrap(), all, "{api}");
        }
    }
}

#[test]
fn explain_prints_the_ordinary_steps_that_an_answer_is_made_of() {
    let yaml = "seed: 1\nendpoints: [{ openai_chat: { text: a b c, pace: { tokens_per_second: 10 } } }]";
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("s.yaml"), yaml).unwrap();
    let output = run(folder.path(), &["explain", "s.yaml", "--format", "json"], &[]);
    let explained: Json = serde_json::from_str(&said(&output).1).unwrap();
    let cases = &explained["endpoints"][0]["cases"];
    assert_eq!(cases.as_array().unwrap().len(), 2, "{cases}");
    assert_eq!(cases[0]["when"], "(request.json.stream)");
    assert_eq!(cases[0]["let"]["_text"], "a b c");
    assert_eq!(
        cases[1]["after"],
        "{{ 0 + ([(_tokens | length) - 0, 0] | max) * 100000 }}us"
    );
    let steps = cases[0]["stream"].to_string();
    assert!(
        steps.contains("\"in\":\"{{ _tokens }}\"") && steps.contains("100ms"),
        "{steps}"
    );
}

fn ask(server: &Server, path: &str, body: Json) -> Answer {
    server.post(path, &body.to_string())
}

fn texts(answer: &Answer) -> Vec<Json> {
    let data = answer.body.lines().filter_map(|line| line.strip_prefix("data: "));
    data.filter(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

/// The text of a chat completion, streamed or not.
fn content(answer: &Answer) -> String {
    if !answer.body.starts_with("data: ") {
        let whole: Json = serde_json::from_str(&answer.body).unwrap();
        return whole["choices"][0]["message"]["content"]
            .as_str()
            .unwrap()
            .to_owned();
    }
    let deltas = texts(answer);
    let deltas = deltas
        .iter()
        .map(|chunk| &chunk["choices"][0]["delta"]["content"]);
    deltas.filter_map(Json::as_str).collect()
}

#[test]
fn a_line_is_a_whole_endpoint() {
    let server = serve("endpoints: [{ openai_chat: Hello }]", &[]);
    for stream in [true, false] {
        let answer = ask(&server, "/v1/chat/completions", json!({ "stream": stream }));
        assert_eq!((answer.status, content(&answer).as_str()), (200, "Hello"));
    }
    assert_eq!(server.get("/v1/chat/completions").status, 405);
    let elsewhere = serve(
        "endpoints: [{ path: /llm, method: PUT, openai_chat: Hello }]",
        &[],
    );
    assert_eq!(elsewhere.send("PUT", "/llm", &[], b"{}").status, 200);
    assert_eq!(elsewhere.post("/v1/chat/completions", "{}").status, 404);
}

#[test]
fn gemini_answers_under_both_versions_and_in_its_three_forms() {
    let server = serve("endpoints: [{ gemini: Hello }]", &[]);
    for version in ["v1", "v1beta"] {
        let path = format!("/{version}/models/tiny:");
        let whole: Json =
            serde_json::from_str(&ask(&server, &format!("{path}generateContent"), json!({})).body).unwrap();
        assert_eq!(whole["candidates"][0]["content"]["parts"][0]["text"], "Hello");
        assert_eq!(whole["modelVersion"], "tiny");
        let listed = ask(&server, &format!("{path}streamGenerateContent"), json!({}));
        let listed: Json = serde_json::from_str(&listed.body).unwrap();
        assert_eq!(listed[0]["candidates"], whole["candidates"]);
        let stream = ask(
            &server,
            &format!("{path}streamGenerateContent?alt=sse"),
            json!({}),
        );
        assert!(
            stream.body.contains("\"Hello\"") && stream.body.ends_with("}\r\n\r\n"),
            "{}",
            stream.body
        );
    }
    let lf = serve("endpoints: [{ gemini: Hello, wire: { eol: lf } }]", &[]);
    let stream = ask(&lf, "/v1/models/tiny:streamGenerateContent?alt=sse", json!({}));
    assert!(!stream.body.contains('\r'), "the scenario's own word holds");
}

#[test]
fn an_endpoint_surrounds_its_preset() {
    let yaml = "
defaults: { event: message, id: uuid, retry: 1s }
endpoints:
  - path: /cut
    method: POST
    openai_chat: one two three
    headers: { x-of: endpoint }
    faults: { after: { events: 2 }, end: cut }
  - path: /split
    method: POST
    openai_chat: ☃
    wire: { split: { inside: utf8 } }
  - path: /entries
    method: POST
    openai_chat: inherited
    attempts: [{ status: 503, body: not yet }, {}]
";
    let server = serve(yaml, &["--no-tls"]);
    let mut cut = server.open_with(
        "POST",
        "/cut",
        &[("content-type", "application/json")],
        br#"{"stream":true}"#,
    );
    let events: Vec<String> = (0..2).map(|_| cut.event().unwrap()).collect();
    assert_eq!(cut.rest().unwrap(), b"", "no terminating chunk");
    assert_eq!((events.len(), cut.header("x-of")), (2, Some("endpoint")));
    assert!(
        events[1].starts_with("data: {") && events[1].contains("\"one\""),
        "{events:?}"
    );
    let mut split = server.open_with(
        "POST",
        "/split",
        &[("content-type", "application/json")],
        br#"{"stream":true}"#,
    );
    let chunks: Vec<Vec<u8>> = std::iter::from_fn(|| split.chunk()).collect();
    assert!(
        chunks.iter().any(|chunk| chunk.ends_with(b"\"content\":\"\xe2")),
        "cut inside the character"
    );
    let body = || ask(&server, "/entries", json!({}));
    assert_eq!((body().status, content(&body()).as_str()), (503, "inherited"));
}

#[test]
fn errors_stand_for_the_answer_and_go_by_attempts() {
    let yaml = "
endpoints:
  - attempts:
      - openai_chat: { error: { status: 429, code: slow_down, retry_after: 2500ms } }
      - openai_chat: At last.
  - path: /v1/messages
    anthropic_messages: { error: { type: overloaded_error } }
";
    let server = serve(yaml, &[]);
    let refused = ask(&server, "/v1/chat/completions", json!({ "stream": true }));
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("3")));
    assert_eq!(refused.header("retry-after-ms"), Some("2500"));
    let error: Json = serde_json::from_str(&refused.body).unwrap();
    let error = &error["error"];
    assert_eq!(
        (&error["type"], &error["code"]),
        (&json!("rate_limit_error"), &json!("slow_down"))
    );
    assert_eq!(
        content(&ask(&server, "/v1/chat/completions", json!({ "stream": true }))),
        "At last."
    );
    let overloaded = ask(&server, "/v1/messages", json!({}));
    assert_eq!(overloaded.status, 529);
    assert!(
        overloaded
            .body
            .starts_with(r#"{"type":"error","error":{"type":"overloaded_error","#)
    );
}

#[test]
fn turns_are_known_by_what_follows_the_last_word_of_the_person() {
    let turns =
        "{ turns: [{ tools: { name: look, id: c1 } }, { tools: { name: look, id: c2 } }, { text: Done. }] }";
    let yaml = format!(
        "endpoints: [{{ openai_chat: {turns} }}, {{ anthropic_messages: {turns} }}, {{ gemini: {turns} }}]"
    );
    let server = serve(&yaml, &[]);
    let user = json!({ "role": "user", "content": "x", "parts": [{ "text": "x" }] });
    let model = json!({ "role": "assistant", "content": "" });
    let answered = [
        (
            "/v1/chat/completions",
            json!({ "role": "tool", "content": "cold" }),
        ),
        (
            "/v1/messages",
            json!({ "role": "user", "content": [{ "type": "tool_result" }] }),
        ),
        (
            "/v1/models/m:generateContent",
            json!({ "role": "user", "parts": [{ "functionResponse": { "name": "look" } }] }),
        ),
    ];
    for (path, result) in answered {
        let said = |messages: &[&Json]| {
            let answer = ask(
                &server,
                path,
                json!({ "messages": messages, "contents": messages }),
            );
            ["c1", "c2", "Done."]
                .into_iter()
                .find(|word| answer.body.contains(&format!("\"{word}\"")))
        };
        assert_eq!(said(&[&user]), Some("c1"), "{path}");
        assert_eq!(said(&[&user, &model, &result]), Some("c2"), "{path}");
        let later = [&user, &model, &result, &model, &result];
        assert_eq!(said(&later), Some("Done."), "{path}");
        assert_eq!(
            said(&[&later[..], &[&model, &result]].concat()),
            Some("Done."),
            "{path}: the last repeats"
        );
        assert_eq!(
            said(&[&later[..], &[&model, &user]].concat()),
            Some("c1"),
            "{path}: a new question"
        );
        assert_eq!(said(&later), Some("Done."), "{path}: nothing is counted");
    }
}

#[test]
fn responses_know_their_turn_by_the_response_before() {
    let turns =
        "{ turns: [{ tools: { name: look, id: c1 } }, { tools: { name: look, id: c2 } }, { text: Done. }] }";
    let server = serve(&format!("endpoints: [{{ openai_responses: {turns} }}]"), &[]);
    let ask =
        |body: Json| -> Json { serde_json::from_str(&ask(&server, "/v1/responses", body).body).unwrap() };
    let output = json!([{ "type": "function_call_output", "call_id": "c", "output": "cold" }]);
    let first = ask(json!({ "input": "What is the weather?" }));
    assert_eq!(first["output"][0]["call_id"], "c1");
    let second = ask(json!({ "input": output, "previous_response_id": first["id"] }));
    assert_eq!(second["output"][0]["call_id"], "c2");
    let third = ask(json!({ "input": output, "previous_response_id": second["id"] }));
    assert_eq!(third["output"][0]["content"][0]["text"], "Done.");
    let fourth = ask(json!({ "input": output, "previous_response_id": third["id"] }));
    assert_eq!(
        fourth["output"][0]["content"][0]["text"], "Done.",
        "the last repeats"
    );
    let whole = json!([{ "role": "user", "content": "x" }, { "type": "function_call" }, output[0]]);
    assert_eq!(ask(json!({ "input": whole }))["output"][0]["call_id"], "c2");
    let anew = json!({ "input": "And tomorrow?", "previous_response_id": second["id"] });
    assert_eq!(ask(anew)["output"][0]["call_id"], "c1");
}

#[test]
fn a_pace_is_kept_by_the_sessions_clock() {
    let yaml =
        "endpoints: [{ openai_chat: { text: one two, pace: { first_token: 2s, tokens_per_second: 4 } } }]";
    let server = serve(yaml, &["--clock", "manual", "--no-tls"]);
    let headers = [("content-type", "application/json")];
    let mut stream = server.open_with("POST", "/v1/chat/completions", &headers, br#"{"stream":true}"#);
    let sent_after = |by: &str| {
        done(tell(
            &server,
            "POST",
            "/__mock/clock/advance",
            json!({ "by": by }),
        ));
        let journal = done(commands::ask(&server, "GET", "/__mock/journal/1"));
        journal["sent"]["events"].as_u64().unwrap()
    };
    assert_eq!(sent_after("1999ms"), 0);
    assert_eq!(sent_after("1ms"), 1);
    assert_eq!(sent_after("249ms"), 1);
    assert_eq!(sent_after("1ms"), 2);
    // The last token, the finish reason and the last word.
    assert_eq!(sent_after("250ms"), 5);
    for part in ["assistant", "\"one\"", "\" two\"", "\"stop\"", "[DONE]"] {
        let event = stream.event().unwrap();
        assert!(event.contains(part), "{part}: {event}");
    }
}

#[test]
fn a_turn_says_what_a_reply_may() {
    let yaml = "
endpoints:
  - openai_chat:
      pace: { first_token: 1h }
      turns:
        - text: Let me look.
          reasoning: hm
          tools: { name: look }
          finish_reason: other
          usage: { input: 1, output: 2 }
          pace: { first_token: 1ms }
        - { text: no pace of its own, error: { after: 1, status: 500 } }
";
    let server = serve(yaml, &["--clock", "manual", "--no-tls"]);
    let user = json!({ "role": "user", "content": "x" });
    let open = |messages: Json| {
        let body =
            json!({ "stream": true, "messages": messages, "stream_options": { "include_usage": true } })
                .to_string();
        let headers = [("content-type", "application/json")];
        server.open_with("POST", "/v1/chat/completions", &headers, body.as_bytes())
    };
    let advance = |by: &str| {
        done(tell(
            &server,
            "POST",
            "/__mock/clock/advance",
            json!({ "by": by }),
        ))
    };
    let mut first = open(json!([user]));
    let sent = || done(commands::ask(&server, "GET", "/__mock/journal/1"))["sent"]["events"].clone();
    assert_eq!(sent(), 0);
    advance("1ms");
    let all = String::from_utf8(first.all()).unwrap();
    for part in [
        r#""content":" look.""#,
        r#""reasoning_content":"hm""#,
        r#""name":"look""#,
        r#""finish_reason":"other""#,
        r#""prompt_tokens":1,"completion_tokens":2,"total_tokens":3"#,
    ] {
        assert!(all.contains(part), "{part}: {all}");
    }
    let mut second = open(json!([user, { "role": "tool" }]));
    advance("59m");
    assert_eq!(
        done(commands::ask(&server, "GET", "/__mock/connections"))["count"],
        1
    );
    advance("1m");
    let all = String::from_utf8(second.all()).unwrap();
    assert!(
        all.contains(r#""content":"no""#) && all.contains(r#""error":{"#),
        "{all}"
    );
}

#[test]
fn the_first_piece_comes_when_the_pace_says_and_the_whole_answer_with_the_last() {
    let reply = "{ text: a b c, pace: { first_token: 2s, tokens_per_second: 1 } }";
    let refused = "{ error: { status: 429 }, pace: { first_token: 3s } }";
    let yaml = format!(
        "endpoints: [{{ gemini: {reply} }}, {{ openai_chat: {reply} }}, {{ anthropic_messages: {refused} }}]"
    );
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("s.yaml"), yaml).unwrap();
    let times = |path: &str, body: &str| -> Vec<String> {
        let args = ["play", "s.yaml", path, "-H", JSON, "-d", body, "--timeline"];
        let (_, out, _) = said(&run(folder.path(), &args, &[]));
        let lines = out
            .lines()
            .filter(|line| line.contains(" s  event") || line.contains(" s  body"));
        lines
            .map(|line| line.trim().split(' ').next().unwrap().to_owned())
            .collect()
    };
    let gemini = "/v1/models/m:streamGenerateContent?alt=sse";
    assert_eq!(times(gemini, "{}"), ["2.000", "3.000", "4.000", "4.000"]);
    assert_eq!(times("/v1/models/m:generateContent", "{}"), ["4.000"]);
    let chat = "/v1/chat/completions";
    let streamed = times(chat, r#"{"stream":true}"#);
    assert_eq!(streamed[..4], ["2.000", "3.000", "4.000", "5.000"]);
    assert_eq!(times(chat, "{}"), ["5.000"]);
    assert_eq!(times("/v1/messages", "{}"), ["3.000"]);
}

#[test]
fn the_shipped_scenarios_cut_in_the_middle_of_a_token() {
    let streamed = json!({ "model": "cut", "stream": true });
    for (file, path, key) in [
        (
            "openai-chat",
            "/v1/chat/completions",
            "authorization: Bearer test-key",
        ),
        (
            "openai-responses",
            "/v1/responses",
            "authorization: Bearer test-key",
        ),
        ("anthropic", "/v1/messages", "x-api-key: test-key"),
        (
            "gemini",
            "/v1/models/cut:streamGenerateContent?alt=sse",
            "x-goog-api-key: test-key",
        ),
    ] {
        let file = format!("scenarios/llm/{file}.yaml");
        let body = streamed.to_string();
        let args = ["play", &file, path, "-H", JSON, "-H", key, "-d", &body];
        let (code, out, err) = said(&run(&repo("."), &args, &[]));
        assert_eq!((code, err.as_str()), (Some(0), ""), "{file}");
        assert!(out.ends_with("\" some"), "{file}: {out}");
    }
}

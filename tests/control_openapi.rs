//! The description of the control API is true of every answer.

mod commands;
mod support;

use std::collections::BTreeSet;

use commands::{ask, done, tell};
use serde_json::{Value as Json, json};
use support::{Server, serve};

const YAML: &str = "
topics: { chat: { history: 5 } }
endpoints:
  - path: /sse
    stream: [{ data: hello }, { end: hold }]
expect: [{ request: GET /sse }]
";

/// Everything once, so that every answer is one that succeeds: what is asked, and of which path.
const TOUR: &[(&str, &str, &str, &str)] = &[
    ("GET", "/__mock", "/__mock", ""),
    ("GET", "/__mock/health", "/__mock/health", ""),
    ("GET", "/__mock/version", "/__mock/version", ""),
    ("GET", "/__mock/openapi.json", "/__mock/openapi.json", ""),
    ("GET", "/__mock/scenario", "/__mock/scenario", ""),
    ("GET", "/__mock/diagnostics", "/__mock/diagnostics", ""),
    ("GET", "/__mock/endpoints", "/__mock/endpoints", ""),
    ("GET", "/__mock/clock", "/__mock/clock", ""),
    (
        "PUT",
        "/__mock/sessions/{name}",
        "/__mock/sessions/a",
        r#"{"clock":"scaled","scale":2}"#,
    ),
    ("GET", "/__mock/sessions/{name}", "/__mock/sessions/a", ""),
    ("GET", "/__mock/sessions", "/__mock/sessions", ""),
    ("PUT", "/__mock/clock", "/~b/__mock/clock", r#"{"mode":"manual"}"#),
    (
        "POST",
        "/__mock/clock/advance",
        "/__mock/clock/advance",
        r#"{"by":"1s"}"#,
    ),
    (
        "GET",
        "/__mock/connections",
        "/__mock/connections?count=4&wait=20s",
        "",
    ),
    ("GET", "/__mock/connections/{number}", "/__mock/connections/1", ""),
    (
        "POST",
        "/__mock/connections/{number}/events",
        "/__mock/connections/1/events",
        r#"{"data":1}"#,
    ),
    (
        "POST",
        "/__mock/connections/events",
        "/__mock/connections/events",
        r#"[{"data":1,"retry":"1s"}]"#,
    ),
    (
        "POST",
        "/__mock/connections/{number}/close",
        "/__mock/connections/1/close",
        "",
    ),
    (
        "POST",
        "/__mock/connections/{number}/cut",
        "/__mock/connections/2/cut",
        "",
    ),
    (
        "POST",
        "/__mock/connections/{number}/reset",
        "/__mock/connections/3/reset",
        "",
    ),
    (
        "POST",
        "/__mock/connections/{number}/goaway",
        "/__mock/connections/4/goaway",
        "",
    ),
    (
        "POST",
        "/__mock/connections/close",
        "/__mock/connections/close?endpoint=/sse",
        "",
    ),
    ("POST", "/__mock/connections/cut", "/__mock/connections/cut", ""),
    (
        "POST",
        "/__mock/connections/reset",
        "/__mock/connections/reset",
        "",
    ),
    (
        "POST",
        "/__mock/connections/goaway",
        "/__mock/connections/goaway",
        "",
    ),
    (
        "POST",
        "/__mock/topics/{name}",
        "/__mock/topics/chat",
        r#"{"id":"counter","event":"e","data":[1]}"#,
    ),
    ("GET", "/__mock/journal", "/__mock/journal?count=1&wait=20s", ""),
    ("GET", "/__mock/journal/{number}", "/__mock/journal/1", ""),
    ("GET", "/__mock/verify", "/__mock/verify", ""),
    ("DELETE", "/__mock/journal", "/__mock/journal", ""),
    ("GET", "/__mock/topics", "/__mock/topics", ""),
    ("GET", "/__mock/topics/{name}", "/__mock/topics/chat", ""),
    ("DELETE", "/__mock/topics/{name}", "/__mock/topics/chat", ""),
    ("POST", "/__mock/signals/{name}", "/__mock/signals/go", ""),
    ("GET", "/__mock/signals", "/__mock/signals", ""),
    (
        "PUT",
        "/__mock/state/{key}",
        "/__mock/state/k",
        r#"{"any":["thing",null]}"#,
    ),
    ("GET", "/__mock/state", "/__mock/state", ""),
    ("DELETE", "/__mock/state/{key}", "/__mock/state/k", ""),
    (
        "PUT",
        "/__mock/scenario",
        "/__mock/scenario",
        "\"endpoints: [{ path: /a, body: a }, { path: /a, body: b }]\"",
    ),
    ("POST", "/__mock/reload", "/__mock/reload", ""),
    ("DELETE", "/__mock/scenario", "/__mock/scenario", ""),
    ("POST", "/__mock/reset", "/__mock/reset?all=true", ""),
    ("DELETE", "/__mock/sessions/{name}", "/__mock/sessions/a", ""),
];

fn answer_of(server: &Server, method: &str, path: &str, body: &str) -> Json {
    if body.is_empty() {
        return done(ask(server, method, path));
    }
    let json: Json = serde_json::from_str(body).unwrap();
    match json.as_str() {
        // YAML stands as a string here.
        Some(yaml) => done(commands::read(server.send(method, path, &[], yaml.as_bytes()))),
        None => done(tell(server, method, path, json)),
    }
}

/// Refuses what the description does not mention, too.
fn closed(schema: &mut Json) {
    if let Some(members) = schema.as_object_mut() {
        if members.contains_key("properties") && !members.contains_key("allOf") {
            members.insert("unevaluatedProperties".into(), false.into());
        }
        members.values_mut().for_each(closed);
    } else if let Some(items) = schema.as_array_mut() {
        items.iter_mut().for_each(closed);
    }
}

fn check(document: &Json, schema: &Json, answer: &Json, what: &str) {
    let mut components = document["components"].clone();
    closed(&mut components);
    let whole = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "components": components,
        "allOf": [schema],
    });
    let validator = jsonschema::validator_for(&whole).unwrap();
    let wrong: Vec<String> = validator
        .iter_errors(answer)
        .map(|e| format!("{e} at {}", e.instance_path()))
        .collect();
    assert!(wrong.is_empty(), "{what}: {wrong:?} in {answer}");
}

#[test]
fn every_answer_is_as_described_and_nothing_is_described_that_is_not_there() {
    let server = serve(YAML, &["--clock", "manual", "--no-tls", "--watch", "off"]);
    let document = done(ask(&server, "GET", "/__mock/openapi.json"));
    let _streams: Vec<_> = (0..4).map(|_| server.open("/sse", &[])).collect();
    let mut seen = BTreeSet::new();
    for (method, pattern, path, body) in TOUR {
        let operation = &document["paths"][pattern][method.to_lowercase()];
        let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
        assert!(schema.is_object(), "{method} {pattern} is not described");
        let answer = answer_of(&server, method, path, body);
        check(&document, schema, &answer, &format!("{method} {path}"));
        let wants_body = operation["requestBody"].is_object();
        assert_eq!(wants_body, !body.is_empty(), "{method} {pattern}");
        if let Ok(sent) = serde_json::from_str::<Json>(body) {
            let media = operation["requestBody"]["content"].as_object().unwrap();
            let (_, described) = media.iter().next().unwrap();
            check(
                &document,
                &described["schema"],
                &sent,
                &format!("{method} {path}, its body"),
            );
        }
        assert!(seen.insert((pattern.to_string(), method.to_lowercase())));
    }
    for path in [
        "/__mock/journal.ndjson",
        "/__mock/verify.txt",
        "/__mock/verify.xml",
    ] {
        let operation = &document["paths"][path]["get"]["responses"];
        let media = operation["200"]["content"].as_object().unwrap();
        let answer = server.get(path);
        let kind = answer.header("content-type").unwrap();
        assert!(media.contains_key(kind), "{path}: {kind}");
        assert!(answer.status == 200 || operation[answer.status.to_string()].is_object());
        seen.insert((path.into(), "get".into()));
    }
    // The one that answers with a stream; control_events.rs knows more about it.
    seen.insert(("/__mock/events".into(), "get".into()));
    let described = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().keys();
            methods.map(move |method| (path.clone(), method.clone()))
        });
    assert_eq!(described.collect::<BTreeSet<_>>(), seen);
}

#[test]
fn the_index_lists_what_is_described() {
    let server = serve(YAML, &["--no-tls"]);
    let document = done(ask(&server, "GET", "/__mock/openapi.json"));
    let index = done(ask(&server, "GET", "/__mock/"));
    let paths = index["paths"].as_array().unwrap();
    assert_eq!(
        paths.len(),
        document["paths"]
            .as_object()
            .unwrap()
            .values()
            .map(|m| m.as_object().unwrap().len())
            .sum::<usize>()
    );
    for path in paths {
        let pattern = path["path"].as_str().unwrap().replace("...}", "}");
        let method = path["method"].as_str().unwrap().to_lowercase();
        assert_eq!(
            document["paths"][&pattern][&method]["summary"], path["about"],
            "{path}"
        );
    }
    assert_eq!(document["openapi"], "3.1.0");
    let names: Vec<&Json> = document["paths"]["/__mock/connections"]["get"]["parameters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|parameter| &parameter["name"])
        .collect();
    assert_eq!(json!(names), json!(["endpoint", "count", "max", "wait"]));
}

#[test]
fn errors_are_as_described() {
    let server = serve(YAML, &["--no-tls", "--watch", "off"]);
    let document = done(ask(&server, "GET", "/__mock/openapi.json"));
    let problem = json!({ "$ref": "#/components/schemas/Problem" });
    let broken = server.send("PUT", "/__mock/scenario", &[], b"endpoints: 1");
    assert_eq!(broken.header("content-type"), Some("application/problem+json"));
    for (status, answer) in [
        commands::read(broken),
        ask(&server, "GET", "/__mock/clokc"),
        ask(&server, "POST", "/__mock/clock"),
        tell(&server, "PUT", "/__mock/clock", json!({})),
    ] {
        assert!(status >= 400);
        check(&document, &problem, &answer, "a problem");
    }
    let (status, near) = commands::refused(ask(&server, "GET", "/__mock/clokc"));
    assert_eq!(
        (status, near.contains("did you mean `/__mock/clock`?")),
        (404, true),
        "{near}"
    );
    let put = server.send("POST", "/__mock/clock", &[], b"");
    assert_eq!((put.status, put.header("allow")), (405, Some("GET, PUT, HEAD")));
}

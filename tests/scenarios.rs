//! The shipped scenarios: all of them load without a word, and a client's life in `reconnect.yaml`.

mod support;

use std::path::{Path, PathBuf};

use mock_sse::scenario::load::{Origin, load};
use support::raw::{Death, drain, request, send, shipped};
use support::{Server, repo};

/// The YAML files of a folder and the folders in it.
fn scenarios(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(scenarios(&path));
        } else if path.extension().is_some_and(|e| e == "yaml" || e == "yml") {
            found.push(path);
        }
    }
    found
}

#[test]
fn every_shipped_scenario_is_fine_and_fits_the_schema() {
    let schema = serde_json::from_str(&mock_sse::scenario::schema::json_schema()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let files = scenarios(&repo("scenarios"));
    assert!(files.len() >= 5, "{files:?}");
    for file in files {
        let findings = match load(&Origin::Paths(vec![file.clone()])) {
            Ok((_, warnings)) => warnings,
            Err(errors) => errors,
        };
        let findings = mock_sse::scenario::diagnostic::render_all(&findings, false);
        assert_eq!(findings, "", "{file:?}");
        let options = serde_saphyr::options! { strict_booleans: true };
        let text = std::fs::read_to_string(&file).unwrap();
        let json: serde_json::Value = serde_saphyr::from_str_with_options(&text, options).unwrap();
        let errors: Vec<_> = validator
            .iter_errors(&json)
            .map(|e| format!("{}: {e}", e.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{file:?}: {errors:?}");
    }
}

/// Head, bare or chunked body and death of the next connection of a client's life.
fn next(server: &Server, client: &str, last_event_id: &str) -> (u16, String, Death) {
    let field = match last_event_id {
        "" => "connection: close\r\n".to_owned(),
        id => format!("connection: close\r\nlast-event-id: {id}\r\n"),
    };
    let path = format!("/orders?client={client}");
    let (bytes, death) = drain(send(server.port, request(&path, &field).as_bytes()));
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned(), death)
}

/// Writes as they stand in a chunked body.
fn chunked(writes: &[&str]) -> String {
    writes
        .iter()
        .map(|write| format!("{:x}\r\n{write}\r\n", write.len()))
        .collect()
}

#[test]
fn a_client_lives_its_whole_life() {
    let server = shipped("scenarios/reconnect.yaml", &[]);
    let order = |n: u32| format!("data: {{\"total\":{}}}\nid: {n}\n\n", 10 * n);
    let (status, body, death) = next(&server, "a", "");
    assert_eq!((status, death), (503, Death::Fin));
    assert_eq!(body, r#"{"error":"not ready","retry_after":1}"#);

    let (status, body, death) = next(&server, "a", "");
    assert_eq!((status, death), (200, Death::Reset));
    let before = chunked(&["retry: 500\n\n", &order(1), &order(2)]);
    // What a reset overtakes is lost.
    assert!(before.starts_with(&body), "{body}");

    let (status, body, death) = next(&server, "a", "2");
    assert_eq!((status, death), (200, Death::Fin));
    assert_eq!(
        body,
        chunked(&[&order(3), "id: 4\ndata: {\"total\":4"]),
        "cut in mid-event"
    );

    let (status, body, _) = next(&server, "a", "3");
    assert_eq!(
        (status, body),
        (200, chunked(&[&order(4), &order(5)]) + "0\r\n\r\n")
    );

    for _ in 0..2 {
        assert_eq!(next(&server, "a", "5"), (204, String::new(), Death::Fin));
    }
    assert_eq!(next(&server, "b", "").0, 503, "another life");
    let again = server.get("/orders");
    assert_eq!((again.status, again.header("retry-after")), (503, Some("1")));
}

#[test]
fn a_recorded_answer_is_replayed_as_it_was_faster_and_broken() {
    let server = shipped("scenarios/recorded.yaml", &[]);
    let tape = std::fs::read(repo("scenarios/recorded.recording.ndjson")).unwrap();
    let writes = mock_sse::scenario::recording::parse(&tape).unwrap();
    let whole: Vec<u8> = writes.iter().flat_map(|write| write.bytes.to_vec()).collect();
    for (method, path) in [("POST", "/v1/chat/completions"), ("GET", "/fast")] {
        let mut stream = server.open_with(method, path, &[], b"");
        let chunks: Vec<Vec<u8>> = std::iter::from_fn(|| stream.chunk()).collect();
        assert_eq!(chunks.len(), writes.len(), "{path}");
        assert_eq!(chunks.concat(), whole, "{path}");
    }
    let (bytes, death) = drain(send(server.port, request("/broken", "").as_bytes()));
    assert_eq!(death, Death::Reset);
    assert!(bytes.len() < whole.len());
}

/// Every endpoint of these scenarios is asked for in a test, by its path as it is written; in the place of a
/// captured name stands anything.
#[test]
fn no_endpoint_is_forgotten() {
    let tests = [
        include_str!("scenarios.rs"),
        include_str!("scenarios_chunks.rs"),
        include_str!("scenarios_faults.rs"),
        include_str!("scenarios_http2.rs"),
        include_str!("scenarios_memory.rs"),
        include_str!("alphabet.rs"),
        include_str!("mcp.rs"),
        include_str!("presets.rs"),
        include_str!("gallery_access.rs"),
        include_str!("gallery_relays.rs"),
        include_str!("gallery_rooms.rs"),
        include_str!("gallery_trouble.rs"),
    ]
    .concat();
    let asked: Vec<&str> = tests.split('"').collect();
    for exhibit in mock_sse::gallery::ALL {
        let (scenario, _) = load(&Origin::Text(exhibit.text()))
            .or_else(|_| load(&Origin::Paths(vec![repo("scenarios").join(exhibit.file_name())])))
            .ok()
            .unwrap();
        for path in scenario.endpoints.iter().flat_map(|endpoint| &endpoint.paths) {
            let path = path.source();
            let named = asked.iter().any(|asked| {
                let asked = asked.split('?').next().unwrap();
                asked == path || fits(asked, path)
            });
            assert!(named, "no test asks for {path} of {}.yaml", exhibit.name);
        }
    }
}

/// Whether a path is what a pattern with captured names takes.
fn fits(path: &str, pattern: &str) -> bool {
    let (parts, names) = (path.split('/'), pattern.split('/'));
    parts.clone().count() == names.clone().count()
        && parts
            .zip(names)
            .all(|(part, name)| part == name || name.starts_with('{'))
}

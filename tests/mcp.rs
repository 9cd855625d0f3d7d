//! `scenarios/llm/mcp-2025-11-25.yaml`: the official client, unchanged, gets through all of it; what the server
//! refuses, byte for byte.

mod installed;
mod support;

use installed::{command, copy, npm_ci, passes, there_is};
use serde_json::{Value as Json, json};
use support::raw::shipped;
use support::{Answer, Server, repo};

const SCENARIO: &str = "scenarios/llm/mcp-2025-11-25.yaml";

fn post(server: &Server, headers: &[(&str, &str)], body: &Json) -> Answer {
    let json = [("content-type", "application/json")];
    server.send(
        "POST",
        "/mcp",
        &[&json, headers].concat(),
        body.to_string().as_bytes(),
    )
}

fn request(method: &str, params: Json) -> Json {
    json!({ "jsonrpc": "2.0", "id": "seven", "method": method, "params": params })
}

/// A new session's name.
fn begin(server: &Server) -> String {
    let answer = post(server, &[], &request("initialize", json!({})));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.header("mcp-session-id").unwrap().to_owned()
}

#[test]
fn the_official_client_gets_through() {
    if !there_is("node") || !there_is("npm") {
        return;
    }
    let folder = copy(&repo("tests/clients/mcp"), "mcp-client");
    npm_ci(&folder);
    let server = shipped(SCENARIO, &[]);
    let mut node = command("node", &folder);
    node.arg("drive.mjs")
        .arg(format!("http://127.0.0.1:{}/mcp", server.port));
    let seen: Json = serde_json::from_str(&passes(&mut node)).unwrap();
    let late = json!({ "text": "done at last", "progress": [[1, 2]] });
    let must = json!({
        "server": "mock-sse",
        "revision": "2025-11-25",
        "tools": ["echo", "count", "polled", "cut", "announce", "forget"],
        "ping": {},
        "echo": { "text": "snow ☃", "progress": [] },
        "count": { "text": "counted to 3", "progress": [[1, 3], [2, 3], [3, 3]] },
        "polled": late,
        "cut": late,
        "both": [late, late],
        "told": "here is some news",
        "unknown": -32602,
        "errors": [],
        "lost": 404,
        "anew": true,
        "again": { "text": "again", "progress": [] },
        "ended": 404,
    });
    for (what, must) in must.as_object().unwrap() {
        let errors = if what == "unknown" {
            &seen["errors"]
        } else {
            &Json::Null
        };
        assert_eq!(&seen[what], must, "{what} {errors}");
    }
    returns(&server);
}

/// It comes back by the ids it was given, and not before it was told to.
fn returns(server: &Server) {
    let journal: Json = serde_json::from_str(&server.get("/__mock/journal?limit=1000").body).unwrap();
    let entries = journal["entries"].as_array().expect("entries");
    let (mut polls, mut resumes) = (0, 0);
    for entry in entries {
        let Some(id) = entry["headers"]["last-event-id"].as_str() else {
            continue;
        };
        // What the server said on its own stream has plain numbers.
        polls += usize::from(id.ends_with("/0"));
        resumes += usize::from(id.ends_with("/1"));
        let before = entries.iter().find(|one| one["sent"]["last_event_id"] == id);
        let ended = before.expect("a stream that ended there")["ended"]["at_ms"].as_f64();
        let away = entry["at_ms"].as_f64().unwrap() - ended.unwrap();
        // Timers may be a bit early.
        assert!(away > 290.0, "{id} after {away} ms");
    }
    // Each of the four calls was asked for again behind /1, the two that are polled behind /0 before.
    assert_eq!((polls, resumes), (2, 4), "{journal}");
}

#[test]
fn what_is_no_session_or_no_such_revision_is_refused() {
    let server = shipped(SCENARIO, &[]);
    let ping = request("ping", json!({}));
    let session = begin(&server);
    let own = ("mcp-session-id", session.as_str());
    assert_eq!(post(&server, &[], &ping).status, 400);
    assert_eq!(post(&server, &[("mcp-session-id", "x")], &ping).status, 404);
    assert_eq!(post(&server, &[own], &ping).status, 200);
    let of = |revision| post(&server, &[own, ("mcp-protocol-version", revision)], &ping).status;
    assert_eq!((of("2025-11-25"), of("1999-01-01")), (200, 400));
    let note = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let noted = post(&server, &[own], &note);
    assert_eq!((noted.status, noted.body.as_str()), (202, ""));
    let odd: Json = serde_json::from_str(&post(&server, &[own], &request("odd", json!({}))).body).unwrap();
    assert_eq!(
        (&odd["id"], &odd["error"]["code"]),
        (&json!("seven"), &json!(-32601))
    );
    let nameless: Json =
        serde_json::from_str(&post(&server, &[own], &request("tools/call", json!({}))).body).unwrap();
    assert_eq!(nameless["error"]["code"], -32602);
    assert_eq!(post(&server, &[own], &json!([ping])).status, 400, "no batches");
    assert_eq!(server.send("POST", "/mcp", &[own], b"{").status, 400);
    assert_eq!(server.send("DELETE", "/mcp", &[own], b"").status, 204);
    assert_eq!(server.send("GET", "/mcp", &[own], b"").status, 404);
}

#[test]
fn a_call_that_is_polled_is_asked_for_again() {
    let server = shipped(SCENARIO, &[]);
    let session = begin(&server);
    let own = ("mcp-session-id", session.as_str());
    let first = post(
        &server,
        &[own],
        &request("tools/call", json!({ "name": "polled" })),
    );
    let (data, rest) = first.body.split_once('\n').unwrap();
    let (id, rest) = rest.split_once('\n').unwrap();
    assert_eq!((data, rest), ("data:", "retry: 300\n\n"), "{first:?}");
    let call = id.strip_prefix("id: ").unwrap().strip_suffix("/0").unwrap();
    let behind = |place: &str| {
        let id = format!("{call}/{place}");
        server
            .send("GET", "/mcp", &[own, ("last-event-id", &id)], b"")
            .body
    };
    // Nobody asked for its progress.
    assert_eq!(behind("0"), format!("data:\nid: {call}/1\nretry: 300\n\n"));
    let done = behind("1");
    assert!(
        done.starts_with("data: {\"jsonrpc\":\"2.0\",\"id\":\"seven\","),
        "{done}"
    );
    assert!(done.ends_with(&format!("id: {call}/2\n\n")), "{done}");
}

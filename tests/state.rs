//! What requests leave behind for others: `set` and `let`, at endpoints and in streams.

mod support;

use support::{Server, serve};

fn posted(server: &Server, path: &str) -> String {
    let answer = server.send("POST", path, &[], b"");
    assert!(answer.status < 300, "{path} {answer:?}");
    answer.body
}

#[test]
fn state_is_kept_by_a_key_from_the_request() {
    let server = serve(
        r#"
endpoints:
  - { path: '/token/{token}', method: POST, set: { 'user {{ token }}': '{{ request.json }}', last: '{{ token }}' }, status: 204 }
  - { path: '/token/{token}', method: DELETE, set: { 'user {{ token }}': ~ }, status: 204 }
  - path: '/token/{token}'
    cases:
      - { when: 'state["user " ~ token]', json: { is: '{{ state["user " ~ token] }}', last: '{{ state.last }}' } }
      - { status: 401, body: 'who is {{ token }}?' }
"#,
        &[],
    );
    assert_eq!(server.get("/token/a").status, 401);
    assert_eq!(server.post("/token/a", r#"{"z":1,"a":[true]}"#).status, 204);
    assert_eq!(server.post("/token/b%20c", r#"{"n":2}"#).status, 204);
    let known = server.get("/token/a");
    assert_eq!(known.body, r#"{"is":{"z":1,"a":[true]},"last":"b c"}"#);
    assert_eq!(server.get("/token/b%20c").body, r#"{"is":{"n":2},"last":"b c"}"#);
    assert_eq!(server.send("DELETE", "/token/a", &[], b"").status, 204);
    assert_eq!(server.get("/token/a").body, "who is a?");
    assert_eq!(server.get("/token/b%20c").status, 200);
}

#[test]
fn a_counter_is_read_by_another_endpoint_and_by_open_streams() {
    let server = serve(
        r#"
topics: { go: {} }
endpoints:
  - { path: /count, method: POST, set: { n: '{{ (state.n or 0) + 1 }}' }, publish: { topic: go, data: '{{ state.n }}' }, body: '{{ state.n }}' }
  - { path: /count, json: '{{ state.n | default(0) }}' }
  - path: /watch
    stream: [{ data: '{{ state.n | default("none") }}' }, { follow: { topic: go, limit: 2 } }, { data: '{{ state.n }}' }]
"#,
        &[],
    );
    assert_eq!(server.get("/count").body, "0");
    let mut watch = server.open("/watch", &[]);
    assert_eq!(watch.field("data"), "none");
    assert_eq!([posted(&server, "/count"), posted(&server, "/count")], ["1", "2"]);
    let got: Vec<String> = (0..3).map(|_| watch.field("data")).collect();
    assert_eq!(
        got,
        ["1", "2", "2"],
        "what an endpoint publishes sees what it has set"
    );
    assert_eq!(server.get("/count").body, "2");
}

#[test]
fn the_id_of_a_call_is_remembered_and_answered_on_a_later_request() {
    let server = serve(
        r#"
endpoints:
  - path: /mcp
    method: POST
    when: 'request.json.method == "tools/call"'
    set: { call: '{{ request.json.id }}' }
    stream: [{ id: e1, data: "" }, { end: close }]
  - path: /mcp
    when: 'last_event_id == "e1" and state.call is defined'
    let: { call: '{{ state.call }}' }
    set: { call: ~ }
    stream: [{ id: e2, data: { jsonrpc: "2.0", id: '{{ call }}', result: { content: [] } } }]
  - { path: /mcp, status: 405 }
"#,
        &[],
    );
    assert_eq!(server.get("/mcp").status, 405);
    for id in ["7", r#""seven""#] {
        let call = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call"}}"#);
        assert_eq!(server.post("/mcp", &call).body, "data:\nid: e1\n\n");
        let resume = || server.send("GET", "/mcp", &[("last-event-id", "e1")], b"");
        let expected =
            format!("data: {{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"content\":[]}}}}\nid: e2\n\n");
        assert_eq!(resume().body, expected);
        assert_eq!(resume().status, 405, "it is delivered once");
    }
}

#[test]
fn all_values_of_one_change_are_those_before_it() {
    let server = serve(
        r#"
endpoints:
  - { path: /init, method: POST, set: { a: 1, b: [2, two], c: ~ }, status: 204 }
  - { path: /swap, method: POST, set: { a: '{{ state.b }}', b: '{{ state.a }}', c: '{{ state.a }}', gone: ~ }, json: ['{{ state.a }}', '{{ state.b }}'] }
  - path: /steps
    stream:
      - set: { a: '{{ state.b }}', b: '{{ state.a }}' }
      - data: ['{{ state.a }}', '{{ state.b }}', '{{ state.c }}']
      - set: { a: ~, 'k{{ state.c }}': '{{ seq }}' }
      - data: ['{{ state.a | default("gone") }}', '{{ state.k1 }}', '{{ state.a is defined }}']
"#,
        &[],
    );
    posted(&server, "/init");
    assert_eq!(posted(&server, "/swap"), r#"[[2,"two"],1]"#);
    assert_eq!(
        server.get("/steps").body,
        "data: [1,[2,\"two\"],1]\n\ndata: [\"gone\",1,false]\n\n"
    );
    assert_eq!(server.send("HEAD", "/steps", &[], b"").status, 200);
}

#[test]
fn two_hundred_increments_at_once_are_two_hundred() {
    let server = serve(
        r#"
endpoints:
  - { path: /inc, method: POST, set: { n: '{{ state.n | default(0) + 1 }}' }, status: 204 }
  - path: /steps
    stream: [{ repeat: { times: 10, steps: [{ set: { n: '{{ state.n | default(0) + 1 }}' } }] } }, { data: done }]
  - { path: /n, body: '{{ state.n }}' }
"#,
        &[],
    );
    std::thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| (0..10).for_each(|_| drop(posted(&server, "/inc"))));
            scope.spawn(|| assert_eq!(server.get("/steps").body, "data: done\n\n"));
        }
    });
    assert_eq!(server.get("/n").body, "200");
}

#[test]
fn a_name_has_its_value_from_its_step_on() {
    let server = serve(
        r#"
endpoints:
  - path: '/x/{who}'
    let: { a: '{{ who }}1', b: '{{ a }}2' }
    stream:
      - data: '{{ b }}'
      - let: { n: 1, list: ['{{ n }}', '{{ b }}'] }
      - data: '{{ list }}'
      - repeat: { times: 3, steps: [{ let: { n: '{{ n * 2 }}' } }, { data: '{{ n }}' }] }
      - parallel:
          - [{ let: { n: left, own: l } }, { wait: 1s }, { data: '{{ n }} {{ own }}' }]
          - [{ data: '{{ n }}' }, { let: { n: right } }, { wait: 2s }, { data: '{{ n }}' }]
      - data: '{{ n }}'
      - { after: 1s, let: { n: later } }
      - data: '{{ n }} {{ elapsed }}'
"#,
        &["--time-scale", "100"],
    );
    let body = server.get("/x/me").body;
    let got: Vec<&str> = body
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .collect();
    let expected = [
        "me12",
        "[1,\"me12\"]",
        "2",
        "4",
        "8",
        "8",
        "left l",
        "right",
        "8",
        "later 3000",
    ];
    assert_eq!(got, expected);
}

#[test]
fn the_entry_of_an_inner_list_does_not_replace_the_outer_one() {
    let server = serve(
        r#"
endpoints:
  - path: /x
    let: { w: outside }
    stream:
      - for_each: { in: [a, b], steps: [{ for_each: { in: [1, 2], steps: [{ data: 'in {{ item }}' }] } }, { data: 'out {{ item }}' }] }
      - for_each: { in: [c], as: w, steps: [{ data: '{{ w }}' }] }
      - for_each: { in: '{{ [] }}', as: w, steps: [{ data: '{{ w }}' }] }
      - data: '{{ w }}'
"#,
        &[],
    );
    let body = server.get("/x").body;
    let got: Vec<&str> = body
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .collect();
    assert_eq!(
        got,
        ["in 1", "in 2", "out a", "in 1", "in 2", "out b", "c", "outside"]
    );
}

const LIMITS: &str = r#"
endpoints:
  - { path: /deep, method: POST, set: { deep: ['{{ state.deep | default(none) }}'] }, status: 204 }
  - { path: /missing, method: POST, set: { a: 'x{{ request.query.nope }}' }, status: 204 }
  - { path: /keys, json: '{{ state | list }}' }
  - { path: /stream, stream: [{ data: a }, { set: { deep: ['{{ state.deep }}'] } }, { data: never }] }
"#;

#[test]
fn what_is_too_much_is_refused_and_says_why() {
    let server = serve(LIMITS, &[]);
    let deep = || server.send("POST", "/deep", &[], b"");
    let refused = (0..200)
        .map(|_| deep())
        .find(|answer| answer.status != 204)
        .unwrap();
    assert_eq!(refused.status, 507, "{refused:?}");
    assert!(
        refused.body.contains("`set`: the value for `deep`"),
        "{}",
        refused.body
    );
    assert_eq!(server.get("/keys").body, r#"["deep"]"#);
    let mut stream = server.open("/stream", &[]);
    assert_eq!(stream.event().as_deref(), Some("data: a"));
    assert_eq!(stream.rest().unwrap(), b"", "cut");
    server.log.wait_for("failed: `set`: the value for `deep`");
}

#[test]
fn a_value_that_cannot_be_worked_out_is_no_lack_of_room() {
    let server = serve(LIMITS, &[]);
    let failed = server.send("POST", "/missing", &[], b"");
    assert_eq!(failed.status, 500, "{failed:?}");
    assert!(failed.body.contains("this value is missing"), "{}", failed.body);
    assert_eq!(server.get("/keys").body, "[]");
}

#[test]
fn state_outlives_a_reload() {
    let scenario = |word: &str| {
        format!(
            "endpoints:
  - {{ path: /inc, method: POST, set: {{ n: '{{{{ state.n | default(0) + 1 }}}}' }}, body: '{word} {{{{ state.n }}}}' }}
"
        )
    };
    let server = serve(&scenario("old"), &[]);
    assert_eq!(
        [posted(&server, "/inc"), posted(&server, "/inc")],
        ["old 1", "old 2"]
    );
    server.save(&scenario("new"));
    server.log.wait_for("reloaded");
    assert_eq!(posted(&server, "/inc"), "new 3");
}

//! Many follow a topic whose messages come fast: what that changes for nobody.

mod support;

use support::serve;

const SCENARIO: &str = "
topics: { t: {} }
endpoints:
  - { path: /sse, stream: [{ follow: t }] }
  - { path: /post, method: POST, publish: { topic: t, data: '{{ request.body }}' } }
";
/// Enough for rounds that take a while.
const CLIENTS: usize = 400;
const MESSAGES: usize = 8;

#[test]
fn what_was_published_before_streams_are_ended_cleanly_has_gone_out() {
    let server = serve(SCENARIO, &[]);
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| server.open("/sse", &[])).collect();
    for n in 0..MESSAGES {
        assert_eq!(server.post("/post", &n.to_string()).status, 200);
    }
    assert_eq!(server.post("/__mock/connections/close", "").status, 200);
    let all: String = (0..MESSAGES).map(|n| format!("data: {n}\n\n")).collect();
    for (at, client) in clients.iter_mut().enumerate() {
        assert_eq!(String::from_utf8_lossy(&client.all()), all, "client {at}");
    }
}

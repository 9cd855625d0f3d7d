//! Sessions: worlds apart on one server, named by a prefix of the path or by a header.

mod commands;
mod support;

use std::collections::BTreeMap;
use std::io::Read;
use std::net::TcpStream;

use commands::{ask, done, refused, tell};
use serde_json::json;
use support::process::curl;
use support::raw::{drain, send};
use support::{Answer, PATIENCE, Server, serve};

const WORLD: &str = "
cors: { origins: 'http://page.test' }
topics: { chat: { history: 10 } }
endpoints:
  - path: /n
    attempts: [{ body: first }, { body: later }]
  - path: /chat
    stream: [{ data: '{{ base }}' }, { follow: chat }]
  - path: /say
    method: POST
    publish: { topic: chat, id: counter, data: '{{ request.body }}' }
    status: 202
  - path: /state
    method: POST
    set: { n: '{{ (state.n | default(0)) + 1 }}' }
    body: '{{ state.n }}'
  - path: /one
    limits: { connections: 1 }
    stream: [{ data: in }, { wait_for: { signal: go } }, { data: went }, { end: hold }]
  - path: /away
    stream: [{ data: begun }, { disconnect: { end: close } }, { data: alone }]
  - path: /time
    body: '{{ now }}'
  - { path: /moved, status: 302, headers: { location: /n } }
";

/// How a request names a session.
#[derive(Debug, Clone, Copy)]
enum By {
    Path,
    Header,
}

const WAYS: [By; 2] = [By::Path, By::Header];

impl By {
    /// The path and the header that name this session.
    fn name<'a>(self, session: &'a str, path: &str) -> (String, Vec<(&'static str, &'a str)>) {
        match self {
            By::Path => (format!("/~{session}{path}"), Vec::new()),
            By::Header => (path.to_owned(), vec![("X-Mock-Session", session)]),
        }
    }

    fn get(self, server: &Server, session: &str, path: &str) -> Answer {
        let (path, headers) = self.name(session, path);
        server.send("GET", &path, &headers, b"")
    }

    fn open(self, server: &Server, session: &str, path: &str) -> support::Stream {
        let (path, headers) = self.name(session, path);
        server.open(&path, &headers)
    }

    fn post(self, server: &Server, session: &str, path: &str, body: &str) -> Answer {
        let (path, mut headers) = self.name(session, path);
        headers.push(("content-type", "text/plain"));
        server.send("POST", &path, &headers, body.as_bytes())
    }
}

fn world(args: &[&str]) -> Server {
    serve(WORLD, &[&["--no-tls"], args].concat())
}

#[test]
fn attempts_state_and_topics_are_apart() {
    for by in WAYS {
        let server = world(&[]);
        for session in ["a", "b"] {
            assert_eq!(by.get(&server, session, "/n").body, "first", "{by:?}");
            assert_eq!(by.get(&server, session, "/n").body, "later", "{by:?}");
            assert_eq!(by.post(&server, session, "/state", "x").body, "1", "{by:?}");
        }
        let mut streams = ["a", "b"].map(|session| by.open(&server, session, "/chat"));
        streams.iter_mut().for_each(|stream| drop(stream.event()));
        for (session, text) in [("b", "to b"), ("a", "to a")] {
            let said = by.post(&server, session, "/say", text);
            assert_eq!((said.status, said.header("x-mock-reached")), (202, Some("1")));
        }
        for (stream, text) in streams.iter_mut().zip(["to a", "to b"]) {
            assert_eq!(
                stream.event(),
                Some(format!("data: {text}\nid: 1")),
                "nothing but its own"
            );
        }
        assert_eq!(
            server.get("/n").body,
            "first",
            "without a name: untouched by both"
        );
        assert_eq!(server.post("/say", "{}").header("x-mock-reached"), Some("0"));
    }
}

#[test]
fn a_prefix_and_a_header_name_the_same_session() {
    let server = world(&[]);
    assert_eq!(By::Path.get(&server, "a", "/n").body, "first");
    assert_eq!(By::Header.get(&server, "a", "/n").body, "later");
    let both = server.send("GET", "/~a/n", &[("x-mock-session", "a")], b"");
    assert_eq!(both.body, "later");
}

/// What a request for `/n` gets over HTTP/2.
fn over_http2(server: &Server, by: By, session: &str) -> String {
    let (path, headers) = by.name(session, "/n");
    let fields: Vec<String> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    let url = server.url("http", &path);
    let mut args = vec!["--http2-prior-knowledge", "-w", " over %{http_version}"];
    fields.iter().for_each(|field| args.extend(["-H", field]));
    args.push(&url);
    String::from_utf8(curl(&args).stdout).unwrap()
}

#[test]
fn over_http2_it_is_the_same() {
    let server = world(&[]);
    for (by, session) in [(By::Path, "a"), (By::Header, "b")] {
        for expected in ["first over 2", "later over 2"] {
            assert_eq!(over_http2(&server, by, session), expected, "{by:?}");
        }
        assert_eq!(by.get(&server, session, "/n").body, "later");
    }
    assert_eq!(server.get("/n").body, "first");
}

#[test]
fn streams_signals_and_limits_are_apart() {
    for by in WAYS {
        let server = world(&[]);
        let mut streams = ["a", "b"].map(|session| by.open(&server, session, "/one"));
        for stream in &mut streams {
            assert_eq!(stream.field("data"), "in", "{by:?}: one each");
        }
        assert_eq!(by.get(&server, "a", "/one").status, 503);
        for (session, expected) in [("a", 1), ("b", 1), ("c", 0)] {
            let listed = done(commands::read(by.get(&server, session, "/__mock/connections")));
            assert_eq!(listed["count"], expected, "{session}");
        }
        done(commands::read(by.post(&server, "b", "/__mock/signals/go", "")));
        assert_eq!(streams[1].field("data"), "went");
        let heard = done(commands::read(by.get(&server, "a", "/__mock/signals")));
        assert_eq!(heard, json!({ "signals": [] }));
        // `disconnect: all` means all of its session.
        let away = by.get(&server, "b", "/away");
        assert!(away.body.contains("alone"));
        assert_eq!(streams[1].event(), None);
        done(commands::read(by.post(&server, "a", "/__mock/signals/go", "")));
        assert_eq!(streams[0].field("data"), "went");
    }
}

#[test]
fn clocks_are_apart() {
    let server = world(&["--clock", "manual", "--now", "2026-01-01T00:00:00Z"]);
    let began = 1_767_225_600_000_u64;
    for by in WAYS {
        assert_eq!(by.get(&server, "a", "/time").body, began.to_string());
        let moved = by.post(&server, "a", "/__mock/clock/advance", r#"{"by": "1h"}"#);
        assert_eq!(moved.status, 200, "{moved:?}");
        assert_eq!(
            by.get(&server, "a", "/time").body,
            (began + 3_600_000).to_string()
        );
        for other in ["b", "c"] {
            assert_eq!(by.get(&server, other, "/time").body, began.to_string());
        }
        assert_eq!(server.get("/time").body, began.to_string());
        done(ask(&server, "POST", "/~a/__mock/reset"));
    }
}

/// As a page does that is told by the server where to post.
#[test]
fn base_keeps_a_client_in_its_session() {
    for by in WAYS {
        let server = world(&[]);
        let mut stream = by.open(&server, "a.b-C_1", "/chat");
        let base = stream.field("data");
        let origin = format!("http://localhost:{}", server.port);
        assert_eq!(base, format!("{origin}/~a.b-C_1"), "{by:?}");
        let path = base.strip_prefix(&origin).unwrap();
        let said = server.post(&format!("{path}/say"), r#"{"x":1}"#);
        assert_eq!(said.header("x-mock-reached"), Some("1"));
        assert_eq!(stream.event().as_deref(), Some("data: {\"x\":1}\nid: 1"));
        assert_eq!(server.open("/chat", &[]).field("data"), origin);
    }
}

#[test]
fn locations_go_out_as_they_are() {
    let server = world(&[]);
    assert_eq!(server.get("/~a/moved").header("location"), Some("/n"));
    let server = serve(WORLD, &["--redirect-https"]);
    let sent = server.get("/~a/n?x=1");
    assert_eq!(sent.status, 301);
    let secure = server.url("https", "/~a/n?x=1");
    assert_eq!(sent.header("location"), Some(&*secure), "the prefix stays");
    let ca = server.path("certs/ca.pem");
    let answer = curl(&[
        "--cacert",
        ca.to_str().unwrap(),
        "-L",
        &server.url("http", "/~a/n?x=1"),
    ]);
    assert_eq!(String::from_utf8_lossy(&answer.stdout), "first");
    assert_eq!(
        String::from_utf8_lossy(&curl(&["--cacert", ca.to_str().unwrap(), &secure]).stdout),
        "later"
    );
}

#[test]
fn what_names_no_session_is_refused_and_makes_none() {
    let server = world(&[]);
    let long = "x".repeat(65);
    let too_long = format!("/~{long}/n");
    for (path, header, status, said) in [
        ("/~a%20b/n", None, 400, "`a%20b` is no session's name"),
        ("/~a!/n", None, 400, "1 to 64 letters"),
        (&*too_long, None, 400, "1 to 64 letters"),
        ("/n", Some("a b"), 400, "`a b` is no session's name"),
        ("/n", Some("a/b"), 400, "1 to 64 letters"),
        ("/n", Some(&*long), 400, "1 to 64 letters"),
        ("/~a/n", Some("b"), 400, "name one"),
        ("/~/n", None, 404, "/~NAME/path"),
        ("/~", None, 404, "/~NAME/path"),
        ("/~//n", None, 404, "/~NAME/path"),
    ] {
        let headers: Vec<_> = header.map(|name| ("x-mock-session", name)).into_iter().collect();
        let answer = server.send("GET", path, &headers, b"");
        let kind = answer.header("content-type").map(str::to_owned);
        assert_eq!(
            kind.as_deref(),
            Some("application/problem+json"),
            "{path} {header:?}"
        );
        let (got, detail) = refused(commands::read(answer));
        assert_eq!(got, status, "{path} {header:?}");
        assert!(detail.contains(said), "{path} {header:?}: {detail}");
    }
    let two = [("x-mock-session", "a"), ("x-mock-session", "b")];
    assert_eq!(
        server.send("GET", "/n", &two, b"").status,
        400,
        "two headers name two"
    );
    assert_eq!(names(&server), [""]);
    assert_eq!(server.get("/n").body, "first", "and nobody's attempt was counted");
}

#[test]
fn an_empty_header_is_none_and_a_bare_prefix_is_the_root() {
    let server = serve(
        "endpoints: [{ path: /, body: 'root {{ attempt }} {{ request.path }}' }]",
        &["--no-tls"],
    );
    assert_eq!(server.get("/~a").body, "root 1 /");
    assert_eq!(server.get("/~a/").body, "root 2 /");
    let unnamed = server.send("GET", "/", &[("x-mock-session", "")], b"");
    assert_eq!(unnamed.body, "root 1 /");
}

#[test]
fn pages_of_other_origins_may_use_sessions() {
    let server = world(&[]);
    let page = ("origin", "http://page.test");
    let allowed = |answer: &Answer| answer.header("access-control-allow-origin").map(str::to_owned);
    let asks = [
        page,
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "x-mock-session"),
    ];
    for path in ["/~a/say", "/say"] {
        let preflight = server.send("OPTIONS", path, &asks, b"");
        assert_eq!(preflight.status, 204, "{path}");
        assert_eq!(allowed(&preflight).as_deref(), Some("http://page.test"));
        assert_eq!(
            preflight.header("access-control-allow-headers"),
            Some("x-mock-session")
        );
    }
    let answer = server.send("GET", "/~a/n", &[page], b"");
    assert_eq!(
        (answer.body.as_str(), allowed(&answer).as_deref()),
        ("first", Some("http://page.test"))
    );
    // A page is to see why, too.
    let bad = server.send("GET", "/~a!/n", &[page], b"");
    assert_eq!(
        (bad.status, allowed(&bad).as_deref()),
        (400, Some("http://page.test"))
    );
}

fn names(server: &Server) -> Vec<String> {
    let all = done(ask(server, "GET", "/__mock/sessions"));
    let names = all["sessions"].as_array().unwrap().iter();
    names
        .map(|one| one["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn there_are_only_so_many_sessions_at_a_time() {
    let server = world(&["--max-sessions", "3"]);
    for name in ["a", "b", "c"] {
        assert_eq!(By::Path.get(&server, name, "/n").body, "first");
    }
    // None of them is idle yet.
    for by in WAYS {
        let (status, detail) = refused(commands::read(by.get(&server, "d", "/n")));
        assert_eq!(status, 503);
        assert!(
            detail.contains("DELETE /__mock/sessions/NAME") && detail.contains("--max-sessions"),
            "{detail}"
        );
    }
    assert_eq!(
        refused(tell(&server, "PUT", "/__mock/sessions/d", json!({}))).0,
        503
    );
    assert_eq!(
        By::Path.get(&server, "a", "/n").body,
        "later",
        "those there go on"
    );
    assert_eq!(
        server.get("/n").body,
        "first",
        "the one without a name is always there"
    );
    done(ask(&server, "DELETE", "/__mock/sessions/b"));
    assert_eq!(By::Path.get(&server, "d", "/n").body, "first");
    assert_eq!(names(&server), ["", "a", "c", "d"]);
}

#[test]
fn idle_sessions_make_room_and_those_with_streams_stay() {
    let server = world(&["--max-sessions", "3", "--session-idle", "0"]);
    let mut held: Vec<_> = ["a", "b"]
        .map(|name| By::Path.open(&server, name, "/chat"))
        .into_iter()
        .collect();
    held.iter_mut().for_each(|stream| drop(stream.event()));
    assert_eq!(By::Path.get(&server, "idle", "/n").body, "first");
    held.push(By::Path.open(&server, "c", "/chat"));
    held[2].event();
    assert_eq!(names(&server), ["", "a", "b", "c"], "`idle` has gone");
    assert_eq!(By::Path.get(&server, "d", "/n").status, 503);
    drop(held.pop());
    done(ask(&server, "GET", "/~c/__mock/connections?max=0&wait=20s"));
    assert_eq!(
        By::Path.get(&server, "idle", "/n").body,
        "first",
        "it begins anew"
    );
    assert_eq!(names(&server), ["", "a", "b", "idle"]);
    By::Path.post(&server, "a", "/say", "still here");
    assert_eq!(held[0].field("data"), "still here");
}

#[test]
fn a_session_that_was_deleted_begins_anew() {
    let server = world(&[]);
    let mut held = [
        By::Path.open(&server, "a", "/chat"),
        By::Path.open(&server, "a", "/one"),
        By::Path.open(&server, "b", "/chat"),
    ];
    held.iter_mut().for_each(|stream| drop(stream.event()));
    assert_eq!(By::Path.get(&server, "a", "/n").body, "first");
    By::Path.post(&server, "a", "/say", "x");
    done(ask(&server, "DELETE", "/__mock/sessions/a"));
    assert_eq!(held[0].field("data"), "x");
    assert_eq!((held[0].event(), held[1].event()), (None, None), "clean ends");
    assert_eq!(By::Path.get(&server, "a", "/n").body, "first");
    let mut again = By::Path.open(&server, "a", "/chat");
    again.event();
    for session in ["a", "b"] {
        By::Path.post(&server, session, "/say", "y");
    }
    assert_eq!(again.event().as_deref(), Some("data: y\nid: 1"));
    assert_eq!(held[2].event().as_deref(), Some("data: y\nid: 1"));
}

#[test]
fn a_reload_reaches_all_sessions() {
    let server = world(&["--watch", "off"]);
    for name in ["a", "b"] {
        assert_eq!(By::Path.get(&server, name, "/n").body, "first");
    }
    let mut stream = By::Path.open(&server, "a", "/chat");
    stream.event();
    server.save(&WORLD.replace("body: later", "body: changed"));
    done(ask(&server, "POST", "/__mock/reload"));
    for name in ["a", "b"] {
        assert_eq!(
            By::Path.get(&server, name, "/n").body,
            "changed",
            "attempts go on"
        );
    }
    assert_eq!(By::Path.get(&server, "new", "/n").body, "first");
    assert_eq!(By::Path.get(&server, "new", "/n").body, "changed");
    By::Path.post(&server, "a", "/say", "still");
    assert_eq!(stream.field("data"), "still", "open streams go on");
}

/// Everything that could differ between sessions, and must not.
const CHANCE: &str = "
now: 2026-01-01T00:00:00Z
topics: { news: { history: 5 } }
endpoints:
  - path: /flaky
    attempts:
      - { status: 503, headers: { x-letter: '{{ letter() }}' }, json: { id: '{{ uuid() }}', n: '{{ attempt }}' } }
      - { body: \"{{ pick(['tea', 'milk', 'wine', 'rum']) }} {{ now }} {{ uuid() }}\" }
      - stream: [{ id: uuid, data: '{{ random_int(1, 1000000) }}' }, { data: '{{ attempt }}' }]
  - path: /ticks
    heartbeat: 700ms
    faults: { probability: 0.5, after: { events: 2..4 }, stall: 1500ms }
    wire: { split: { random: 5..20, gap: 1ms..9ms } }
    stream:
      - { id: uuid, retry: 1s..9s, data: { letter: '{{ letter() }}', at: '{{ now }}' } }
      - { every: 1s..2s, times: 5, id: counter, data: '{{ seq }} {{ elapsed }} {{ letter() }}' }
      - wait: 10ms..90ms
      - data: '{{ elapsed }} {{ now }}'
  - path: /breaks
    faults: { after: { bytes: 60..200 }, end: cut }
    stream: [{ every: 500ms, id: uuid, data: '{{ letter() }}' }]
  - path: /news
    stream: [{ data: hello }, { follow: { topic: news, limit: 4 } }, { data: '{{ seq }} {{ elapsed }}' }]
  - path: /say
    method: POST
    set: { said: '{{ (state.said | default(0)) + 1 }}' }
    publish: { topic: news, id: counter, data: { id: '{{ uuid() }}', text: '{{ request.body }}', at: '{{ now }}' } }
    json: { said: '{{ state.said }}', letter: '{{ letter() }}' }
";

/// A client of one session, and every byte it was sent.
struct Visit {
    port: u16,
    session: String,
    by: By,
    open: BTreeMap<&'static str, (TcpStream, Vec<u8>)>,
    tape: Vec<(String, String)>,
}

impl Visit {
    fn new(server: &Server, session: &str, by: By) -> Visit {
        Visit {
            port: server.port,
            session: session.to_owned(),
            by,
            open: BTreeMap::new(),
            tape: Vec::new(),
        }
    }

    /// A request on a connection of its own.
    fn request(&self, method: &str, path: &str, field: &str, body: &str) -> TcpStream {
        let (path, headers) = match self.session.as_str() {
            "" => (path.to_owned(), Vec::new()),
            session => self.by.name(session, path),
        };
        let named: String = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let length = body.len();
        let head =
            format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{named}{field}");
        send(
            self.port,
            format!("{head}content-length: {length}\r\n\r\n{body}").as_bytes(),
        )
    }

    /// All bytes of an answer but its date.
    fn keep(&mut self, what: &str, bytes: &[u8], end: impl std::fmt::Debug) {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let dateless = |line: &&str| !line.to_lowercase().starts_with("date:");
        let text: String = text.split_inclusive('\n').filter(dateless).collect();
        self.tape.push((what.to_owned(), format!("{text}{end:?}")));
    }

    fn ask(&mut self, method: &str, path: &str, body: &str) {
        let (bytes, end) = drain(self.request(method, path, "", body));
        assert!(!bytes.is_empty(), "{path}");
        self.keep(path, &bytes, end);
    }

    fn say(&mut self, text: &str) {
        self.ask("POST", "/say", text);
    }

    fn advance(&mut self, body: &str) {
        self.ask("POST", "/__mock/clock/advance?timeout=60s", body);
    }

    /// Opens a stream and reads it up to this text.
    fn open(&mut self, what: &'static str, path: &str, field: &str, up_to: &str) {
        let mut socket = self.request("GET", path, field, "");
        socket.set_read_timeout(Some(3 * PATIENCE)).unwrap();
        let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
        while !String::from_utf8_lossy(&bytes).contains(up_to) {
            let count = socket.read(&mut buffer).unwrap();
            assert!(count > 0, "{path}: {}", String::from_utf8_lossy(&bytes));
            bytes.extend(&buffer[..count]);
        }
        self.open.insert(what, (socket, bytes));
    }

    /// Reads a stream to its end.
    fn finish(&mut self, what: &str) {
        let (socket, mut bytes) = self.open.remove(what).unwrap();
        let (rest, end) = drain(socket);
        bytes.extend(rest);
        self.keep(what, &bytes, end);
    }
}

/// What a client does, step by step.
const STEPS: &[fn(&mut Visit)] = &[
    |visit| visit.ask("GET", "/flaky", ""),
    |visit| visit.open("ticks", "/ticks", "", "\r\n\r\n"),
    |visit| visit.open("news", "/news", "", "hello"),
    |visit| visit.say("one"),
    |visit| visit.ask("GET", "/flaky", ""),
    |visit| visit.advance(r#"{"by": "1500ms"}"#),
    |visit| visit.say("two"),
    |visit| visit.advance(r#"{"to": "next"}"#),
    |visit| visit.advance(r#"{"to": "next"}"#),
    |visit| visit.ask("GET", "/flaky", ""),
    |visit| visit.advance(r#"{"by": "30s"}"#),
    |visit| visit.finish("ticks"),
    |visit| visit.open("breaks", "/breaks", "", "\r\n\r\n"),
    |visit| visit.open("again", "/news", "last-event-id: 1\r\n", "two"),
    |visit| visit.say("three"),
    |visit| visit.advance(r#"{"by": "10s"}"#),
    |visit| visit.finish("breaks"),
    |visit| visit.say("four"),
    |visit| visit.finish("news"),
    |visit| visit.advance(r#"{"by": "1ms"}"#),
    |visit| visit.say("five"),
    |visit| visit.finish("again"),
    |visit| visit.ask("GET", "/flaky", ""),
    |visit| visit.ask("GET", "/__mock/state", ""),
];

fn chance() -> Server {
    serve(CHANCE, &["--no-tls", "--clock", "manual", "--seed", "7"])
}

#[test]
fn two_hundred_sessions_at_a_time_each_get_what_one_gets_alone() {
    let server = chance();
    let mut alone = Visit::new(&server, "alone", By::Path);
    STEPS.iter().for_each(|step| step(&mut alone));
    let said: String = alone.tape.iter().map(|(_, bytes)| bytes.as_str()).collect();
    for text in ["503", "x-letter", "hello", "five", "\"said\":5", "id: 4"] {
        assert!(said.contains(text), "{text}: {said}");
    }
    drop(server);

    let server = chance();
    let name = |n: usize| format!("session-{n}");
    let mut visits: Vec<Visit> = (0..200)
        .map(|n| Visit::new(&server, &name(n), WAYS[n % 2]))
        .collect();
    // Whoever names none is one more among them.
    visits.push(Visit::new(&server, "", By::Path));
    for (at, step) in STEPS.iter().enumerate() {
        // Each step in another order, and sixteen sessions at a time.
        visits.rotate_left(at * 37 % 201);
        std::thread::scope(|scope| {
            for part in visits.chunks_mut(13) {
                scope.spawn(move || part.iter_mut().for_each(step));
            }
        });
    }
    let listed = done(ask(&server, "GET", "/__mock/sessions"));
    assert_eq!(listed["sessions"].as_array().map(Vec::len), Some(201));
    assert!(listed["sessions"][0]["name"] == "");
    for visit in visits {
        for (got, expected) in visit.tape.iter().zip(&alone.tape) {
            assert_eq!(got, expected, "session {:?}", visit.session);
        }
        assert_eq!(visit.tape.len(), alone.tape.len());
    }
}

/// The others do everything there is before the one that is looked at begins.
#[test]
fn whoever_comes_last_finds_everything_untouched() {
    let server = chance();
    let mut tapes = Vec::new();
    for session in ["a", "b", ""] {
        let mut visit = Visit::new(&server, session, By::Header);
        STEPS.iter().for_each(|step| step(&mut visit));
        tapes.push(visit.tape);
    }
    assert_eq!(tapes[1], tapes[0]);
    assert_eq!(tapes[2], tapes[0]);
}

//! `flaky-proxy.yaml`, `reconnect-storm.yaml`: what a client must survive, and how.

mod commands;
mod support;

use std::net::TcpStream;

use commands::{Kept, done, tell};
use serde_json::json;
use support::Server;
use support::raw::{Death, drain, exchange, is_silent, request, send, shipped};

const BY_HAND: &[&str] = &["--clock", "manual"];

fn advance(server: &Server, by: &str) {
    done(tell(server, "POST", "/__mock/clock/advance", json!({ "by": by })));
}

#[test]
fn a_proxy_withholds_what_it_should_pass_on() {
    let server = shipped("scenarios/flaky-proxy.yaml", BY_HAND);
    let mut stream = server.open("/buffered", &[]);
    assert_eq!(stream.header("x-accel-buffering"), None);
    advance(&server, "1s");
    assert!(is_silent(stream.socket()));
    advance(&server, "4s");
    let chunk = String::from_utf8(stream.chunk().unwrap()).unwrap();
    assert!(
        chunk.len() >= 256 && chunk.matches("data: ").count() > 4,
        "{chunk:?}"
    );
    let rest = String::from_utf8(stream.all()).unwrap();
    assert!(rest.ends_with("data: {\"percent\":100}\nid: 20\n\n"), "{rest}");
}

#[test]
fn a_slow_network_delivers_everything_in_the_end() {
    let server = shipped("scenarios/flaky-proxy.yaml", &["--time-scale", "100"]);
    let answer = server.get("/slow");
    assert_eq!(answer.body.matches("data: ").count(), 20);
}

#[test]
fn silence_is_cut_and_heartbeats_are_not() {
    let server = shipped("scenarios/flaky-proxy.yaml", BY_HAND);
    let idle = send(server.port, request("/idle", "").as_bytes());
    let mut kept = server.open("/kept", &[]);
    assert_eq!(kept.event().unwrap(), "data: started\nid: 1\nretry: 1000");
    let open = server.get("/__mock/connections?count=2&wait=10s");
    assert_eq!(open.status, 200, "{}", open.body);
    advance(&server, "60s");
    let (bytes, death) = drain(idle);
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(death, Death::Fin);
    assert!(
        text.ends_with("retry: 1000\n\n\r\n"),
        "no closing chunk: {text:?}"
    );
    advance(&server, "30s");
    let rest = String::from_utf8(kept.all()).unwrap();
    assert!(rest.matches(":\n\n").count() >= 4, "{rest:?}");
    assert!(rest.ends_with("data: done\nid: 2\n\n"), "{rest:?}");
}

#[test]
fn a_gateway_answers_for_its_server() {
    let server = shipped("scenarios/flaky-proxy.yaml", &["--time-scale", "100"]);
    let gateway = || server.get("/gateway");
    let bad = gateway();
    assert_eq!((bad.status, bad.header("content-type")), (502, Some("text/html")));
    assert_eq!(gateway().status, 504);
    let up = gateway();
    assert_eq!(
        (up.status, up.header("content-type")),
        (200, Some("text/event-stream"))
    );
    assert!(up.body.contains("\"percent\":100"));
}

/// The ids that a client has seen when all is done, and how many connections that took.
fn persistent(server: &Server, client: &str) -> (Vec<u32>, usize) {
    let mut seen: Vec<u32> = Vec::new();
    for tries in 1..50 {
        let last = seen
            .last()
            .map_or(String::new(), |id| format!("last-event-id: {id}\r\n"));
        // HTTP/1.0 has no chunks: the body stands bare.
        let request = format!("GET {}{client} HTTP/1.0\r\n{last}\r\n", "/flaky?client=");
        let (_, body, _) = exchange(server.port, request.as_bytes());
        let whole = body.rfind("\n\n").map_or("", |end| &body[..end]);
        let ids = whole.lines().filter_map(|line| line.strip_prefix("id: "));
        seen.extend(ids.map(|id| id.parse::<u32>().unwrap()));
        if seen.last() == Some(&20) {
            return (seen, tries);
        }
    }
    panic!("{client} got no further than {seen:?}");
}

#[test]
fn a_client_that_resumes_gets_through_all_faults() {
    let server = shipped("scenarios/flaky-proxy.yaml", &["--time-scale", "100"]);
    let lives = ["a", "b", "c", "d"].map(|client| persistent(&server, client));
    for (seen, _) in &lives {
        assert_eq!(*seen, (1..=20).collect::<Vec<_>>(), "nothing twice, nothing lost");
    }
    let tries: usize = lives.iter().map(|(_, tries)| tries).sum();
    assert!(tries > lives.len(), "some were cut");
}

/// The deployment: everybody is cut, and the listener is back two seconds later.
fn deploy(server: &Server) -> Kept {
    // Commands come on a connection that is there already: nobody listens for new ones.
    let mut commands = Kept::new(TcpStream::connect(("127.0.0.1", server.port)).unwrap());
    assert_eq!(commands.ask("GET", "/__mock/clock", "").0, 200);
    let mut deploy = server.open("/deploy", &[]);
    assert_eq!(deploy.event().unwrap(), "event: deploy\ndata: cut");
    wait(&mut commands, "2s");
    assert_eq!(deploy.event().unwrap(), "event: deploy\ndata: up again");
    commands
}

fn wait(commands: &mut Kept, time: &str) {
    let (status, body) = commands.ask(
        "POST",
        "/__mock/clock/advance",
        &json!({ "by": time }).to_string(),
    );
    assert_eq!(status, 200, "{body}");
}

fn events(client: &str) -> String {
    format!("{}{client}", "/events?client=")
}

/// A first connection, read up to its first event.
fn begins(server: &Server, client: &str) -> support::Stream {
    let mut stream = server.open(&events(client), &[]);
    assert_eq!(
        stream.event().unwrap(),
        "event: welcome\ndata:\nid: 0\nretry: 2000"
    );
    stream
}

/// Comes back and is not answered.
fn refused(server: &Server, client: &str) {
    let (bytes, death) = drain(send(
        server.port,
        request(&events(client), "last-event-id: 0\r\n").as_bytes(),
    ));
    assert_eq!((bytes, death), (Vec::new(), Death::Fin));
}

#[test]
fn clients_that_come_back_with_care_pass() {
    let server = shipped("scenarios/reconnect-storm.yaml", BY_HAND);
    let mut streams = ["a", "b"].map(|client| begins(&server, client));
    let mut commands = deploy(&server);
    for stream in &mut streams {
        assert!(!stream.rest().unwrap().ends_with(b"0\r\n\r\n"), "cut");
    }
    refused(&server, "a");
    wait(&mut commands, "500ms");
    refused(&server, "b");
    wait(&mut commands, "4s");
    for client in ["a", "b"] {
        let mut back = server.open(&events(client), &[("last-event-id", "0")]);
        assert_eq!(back.event().unwrap(), "retry: 2000");
        assert_eq!(
            back.event().unwrap(),
            "event: news\ndata: {\"n\":1}\nid: 1",
            "what it missed"
        );
    }
    let verdict = server.get("/__mock/verify.txt");
    assert_eq!(verdict.status, 200, "{}", verdict.body);
}

#[test]
fn clients_that_storm_fail() {
    let server = shipped("scenarios/reconnect-storm.yaml", BY_HAND);
    let clients = ["a", "b", "c", "d", "e", "f"];
    let streams = clients.map(|client| begins(&server, client));
    let _commands = deploy(&server);
    drop(streams);
    clients.iter().for_each(|client| refused(&server, client));
    assert_eq!(server.open(&events("a"), &[("last-event-id", "0")]).status, 200);
    begins(&server, "b"); // has forgotten where it was
    let verdict = server.get("/__mock/verify.txt");
    assert_eq!(verdict.status, 409);
    let names = [
        "remembers where it was",
        "comes back",
        "not at once",
        "backs off",
        "spread out",
    ];
    for (n, name) in (1..).zip(names) {
        assert!(
            verdict.body.contains(&format!("not ok {n} - {name}")),
            "{name}: {}",
            verdict.body
        );
    }
}

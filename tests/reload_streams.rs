//! What open streams, topics and attempts see of a reload.

mod support;

use support::{Server, Stream, serve};

fn scenario(word: &str) -> String {
    format!(
        "topics: {{ news: {{ history: 10 }} }}
endpoints:
  - path: /ticks
    stream:
      - data: first {word}
      - every: 20ms
        times: 50
        data: \"{{{{ seq }}}} {word}\"
  - path: /news
    stream:
      - follow: {{ topic: news, from: earliest }}
  - path: /news
    method: POST
    publish: {{ topic: news, id: counter, data: \"{word} {{{{ attempt }}}}\" }}
    status: 204
"
    )
}

fn reload(server: &Server, word: &str, times: usize) {
    server.save(&scenario(word));
    server.log.wait_for_times("reloaded", times);
}

#[test]
fn an_open_stream_finishes_the_script_it_began_with() {
    let server = serve(&scenario("old"), &[]);
    let mut stream = server.open("/ticks", &[]);
    assert_eq!(stream.field("data"), "first old");
    for (n, word) in ["new", "newer"].iter().enumerate() {
        reload(&server, word, n + 1);
        assert_eq!(server.open("/ticks", &[]).field("data"), format!("first {word}"));
    }
    server.save("broken: true\n");
    server.log.wait_for("not reloaded");
    let expected: Vec<String> = (2..=51).map(|n| format!("data: {n} old")).collect();
    let got: Vec<String> = std::iter::from_fn(|| stream.event()).collect();
    assert_eq!(got, expected);
}

#[test]
fn a_restart_ends_open_streams_cleanly_so_that_clients_come_back() {
    let server = serve(&scenario("old"), &["--on-reload", "restart"]);
    let mut ticks = server.open("/ticks", &[]);
    let mut news = server.open("/news", &[]);
    assert_eq!(ticks.field("data"), "first old");
    reload(&server, "new", 1);
    // Both end with the terminating chunk: `event` panics where the body breaks off.
    assert_eq!(news.event(), None);
    while ticks.event().is_some() {}
    assert_eq!(server.open("/ticks", &[]).field("data"), "first new");
    server.log.wait_for_times("ended on order", 2);
}

#[test]
fn a_restart_reaches_a_stream_that_never_pauses() {
    let flood = "endpoints:\n  - path: /flood\n    stream:\n      - repeat: { times: 1000000000, steps: [{ data: x }] }\n";
    let server = serve(flood, &["--on-reload", "restart"]);
    let mut stream = server.open("/flood", &[]);
    assert_eq!(stream.field("data"), "x");
    server.save(&scenario("new"));
    while stream.event().is_some() {}
    server.log.wait_for("ended on order");
}

#[test]
fn history_and_attempts_outlive_a_reload() {
    let server = serve(&scenario("old"), &[]);
    let post = || assert_eq!(server.post("/news", "{}").status, 204);
    let mut before = server.open("/news", &[]);
    (0..2).for_each(|_| post());
    reload(&server, "new", 1);
    post();
    let mut after = server.open("/news", &[]);
    for stream in [&mut before, &mut after] {
        let events: Vec<String> = (0..3).map(|_| stream.event().unwrap()).collect();
        assert_eq!(
            events,
            ["data: old 1\nid: 1", "data: old 2\nid: 2", "data: new 3\nid: 3"]
        );
    }
    let mut resumed = server.open("/news", &[("last-event-id", "2")]);
    assert_eq!(
        resumed.event().as_deref(),
        Some("data: old 1\nid: 1"),
        "`from: earliest` says so"
    );
}

fn fed(word: &str, other: &str) -> String {
    format!(
        "topics: {{ ticks: {{ feed: [{{ every: 20ms, data: '{word} {{{{ seq }}}}' }}] }} }}
endpoints:
  - {{ path: /other, body: '{other} {{{{ 1 + 1 }}}}' }}
  - path: /ticks
    stream: [{{ follow: ticks }}]
  - path: /early
    stream: [{{ data: first }}, {{ wait_for: {{ signal: go }} }}, {{ follow: ticks }}]
  - {{ path: /go, stream: [{{ signal: go }}] }}
"
    )
}

#[test]
fn a_feed_that_has_changed_takes_the_place_of_the_one_before() {
    let server = serve(&fed("old", "a"), &[]);
    let word = |stream: &mut Stream| stream.field("data").split(' ').next().unwrap().to_owned();
    let mut before = server.open("/ticks", &[]);
    let mut early = server.open("/early", &[]);
    assert_eq!(
        (word(&mut before), word(&mut early)),
        ("old".into(), "first".into())
    );
    server.save(&fed("new", "a"));
    server.log.wait_for_times("reloaded", 1);
    // Nobody has come since: it goes on.
    assert_eq!(word(&mut before), "old");
    let mut after = server.open("/ticks", &[]);
    while word(&mut before) == "old" {}
    while word(&mut after) == "old" {}
    // A stream that began before finds the feed as it is now.
    assert_eq!(server.get("/go").status, 200);
    assert_eq!(word(&mut early), "new");
    for _ in 0..5 {
        assert_eq!(
            (word(&mut before), word(&mut after)),
            ("new".into(), "new".into())
        );
    }
}

#[test]
fn a_feed_goes_on_when_a_reload_changes_something_else() {
    let server = serve(&fed("same", "a"), &[]);
    let number =
        |stream: &mut Stream| -> u64 { stream.field("data").split(' ').nth(1).unwrap().parse().unwrap() };
    let mut before = server.open("/ticks", &[]);
    while number(&mut before) < 3 {}
    // One more template in front moves all others.
    let more = "topics: { more: { feed: [{ data: 'x {{ 2 + 2 }}' }] }, ";
    server.save(&fed("same", "b").replace("topics: { ", more));
    server.log.wait_for_times("reloaded", 1);
    let mut after = server.open("/ticks", &[]);
    let mut last = number(&mut after);
    assert!(last > 3);
    for _ in 0..5 {
        let next = number(&mut after);
        assert_eq!(next, last + 1);
        last = next;
    }
}

//! The server as a browser sees it: `EventSource` and `fetch` across origins, over HTTP/2 and TLS,
//! in headless Chromium.

#[path = "browser/engine.rs"]
mod engine;
#[path = "browser/mock.rs"]
mod mock;
#[path = "browser/site.rs"]
mod site;
mod support;
#[path = "browser/webdriver.rs"]
mod webdriver;

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use engine::Engine;
use mock::Mock;
use serde_json::{Value, json};
use site::Site;
use support::repo;
use webdriver::Browser;

const SCENARIO: &str = include_str!("browser/scenario.yaml");

/// One browser at a time: several would only slow each other down.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A browser with an empty page of an allowed origin, and a server of another.
struct Setup {
    _turn: MutexGuard<'static, ()>,
    browser: Browser,
    mock: Mock,
    site: Site,
}

impl Setup {
    fn new() -> Setup {
        let turn = turn();
        let browser = Browser::start(Engine::Chromium);
        let (mock, site) = (
            Mock::start(SCENARIO, &[]),
            Site::serve(repo("tests/browser/site")),
        );
        browser.open(&site.url("localhost"));
        Setup {
            _turn: turn,
            browser,
            mock,
            site,
        }
    }

    /// Runs the body of an async function in the page.
    fn run(&self, body: &str) -> Value {
        self.run_with(Value::Null, body)
    }

    fn run_with(&self, arg: Value, body: &str) -> Value {
        self.browser.run(&self.mock.url(), arg, body)
    }
}

fn texts<'a>(values: impl IntoIterator<Item = &'a Value>, field: &str) -> HashSet<&'a str> {
    values
        .into_iter()
        .map(|value| value[field].as_str().expect(field))
        .collect()
}

#[test]
fn an_event_source_of_another_origin_gets_letters_over_http2_and_tls() {
    let setup = Setup::new();
    let events = setup.run(
        "const letters = new Listener(server + '/sse');
         await letters.until(() => letters.of('message').length === 5);
         letters.source.close();
         return letters.events;",
    );
    let events = events.as_array().unwrap();
    assert_eq!(events[0], json!({ "type": "open", "state": 1 }));
    let origin = setup.site.url("localhost");
    let hello = json!({ "version": "HTTP/2", "origin": origin.trim_end_matches('/'), "visitor": "nobody", "last": "" });
    assert_eq!(events[1]["data"], hello);
    let letters = &events[2..7];
    assert_eq!(letters[0]["data"], json!({ "msg": "a" }));
    for letter in letters {
        let text = letter["data"]["msg"].as_str().unwrap();
        assert!(
            text.len() == 1 && text.as_bytes()[0].is_ascii_lowercase(),
            "{letter}"
        );
        assert_eq!(letter["origin"], setup.mock.url());
    }
    let ids = texts(letters, "id");
    assert_eq!(ids.len(), 5);
    assert!(ids.iter().all(|id| uuid::Uuid::parse_str(id).is_ok()), "{ids:?}");
    let log = &setup.mock.requests("GET /sse", 1)[0];
    assert_eq!(
        (&log["protocol"], &log["status"]),
        (&json!("HTTP/2+TLS"), &json!(200)),
        "{log}"
    );
}

#[test]
fn what_a_page_posts_comes_back_on_its_other_stream() {
    let setup = Setup::new();
    let seen = setup.run(
        "const messages = window.messages = new Listener(server + '/post');
         await messages.until((event) => event.type === 'open');
         const answer = await seen(post(server + '/post', { msg: 'hello ☃', n: [1, 2] }));
         const event = await messages.until((event) => event.type === 'message');
         return { answer, event };",
    );
    // 303 without a Location is no redirect: the page reads it like any other answer.
    let answer = &seen["answer"];
    assert_eq!(
        (&answer["status"], &answer["body"]),
        (&json!(303), &json!("broadcasted")),
        "{answer}"
    );
    assert_eq!(answer["type"], "cors");
    assert_eq!(
        answer["headers"]["x-mock-reached"], "1",
        "an exposed header: {answer}"
    );
    assert_eq!(seen["event"]["data"], json!({ "msg": "hello ☃", "n": [1, 2] }));
    assert!(uuid::Uuid::parse_str(seen["event"]["id"].as_str().unwrap()).is_ok());
    let preflight = &setup.mock.requests("OPTIONS /post", 1)[0];
    assert_eq!(
        (&preflight["status"], &preflight["protocol"]),
        (&json!(204), &json!("HTTP/2+TLS"))
    );
}

#[test]
fn without_tls_a_page_gets_the_same_over_http1() {
    let setup = Setup::new();
    let server = setup.mock.url().replace("https:", "http:");
    let seen = setup.browser.run(
        &server,
        Value::Null,
        "const letters = new Listener(server + '/sse');
         const messages = new Listener(server + '/post');
         await Promise.all([letters, messages].map((l) => l.until((event) => event.type === 'open')));
         const { status } = await post(server + '/post', { msg: 'hello' });
         const message = await messages.until((event) => event.type === 'message');
         await letters.until(() => letters.of('message').length === 5);
         letters.source.close();
         return { status, message: message.data, hello: letters.of('hello')[0].data };",
    );
    assert_eq!(seen["hello"]["version"], "HTTP/1.1");
    assert_eq!(
        (&seen["status"], &seen["message"]),
        (&json!(303), &json!({ "msg": "hello" }))
    );
    let log = &setup.mock.requests("GET /sse", 1)[0];
    assert_eq!(log["protocol"], "HTTP/1.1", "{log}");
}

#[test]
fn cookies_go_along_exactly_when_the_page_asks_for_it() {
    let setup = Setup::new();
    let visitors = setup.run(
        "await fetch(server + '/visit', { credentials: 'include' });
         const visitor = async (withCredentials) => {
           const stream = new Listener(server + '/sse', withCredentials);
           const hello = await stream.until((event) => event.type === 'hello');
           stream.source.close();
           return hello.data.visitor;
         };
         return [await visitor(true), await visitor(false)];",
    );
    assert_eq!(visitors, json!(["ann", "nobody"]));
}

#[test]
fn a_page_can_read_errors() {
    let setup = Setup::new();
    let answers = setup.run(
        "const broken = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{' };
         const image = { method: 'POST', headers: { 'content-type': 'image/png' }, body: 'x' };
         return {
           missing: await seen(fetch(server + '/ssee')),
           method: await seen(fetch(server + '/sse', { method: 'DELETE' })),
           broken: await seen(fetch(server + '/post', broken)),
           image: await seen(fetch(server + '/post', image)),
         };",
    );
    for (name, status, detail) in [
        ("missing", 404, "the nearest is `GET /sse`"),
        ("method", 405, "DELETE"),
        ("broken", 400, "not valid JSON"),
        ("image", 415, "image/png"),
    ] {
        let answer = &answers[name];
        assert_eq!(
            (&answer["status"], &answer["type"]),
            (&json!(status), &json!("cors")),
            "{answer}"
        );
        assert_eq!(answer["headers"]["content-type"], "application/problem+json");
        assert!(answer["body"].as_str().unwrap().contains(detail), "{answer}");
    }
}

#[test]
fn an_event_source_survives_restarts_and_says_what_it_saw_last() {
    let mut setup = Setup::new();
    setup.run(
        "window.letters = new Listener(server + '/sse');
         await letters.until((event) => event.type === 'message');",
    );
    // Stopped in good order, the stream ends cleanly; killed, it breaks off.
    for signal in ["TERM", "KILL"] {
        setup.mock.stop(signal);
        let lost = setup.run(
            "await letters.until(() => letters.events.at(-1).type === 'error');
             return { state: letters.source.readyState, hellos: letters.of('hello').length };",
        );
        assert_eq!(lost["state"], 0, "after {signal} it is connecting");
        setup.mock.start_again();
        let hello = setup.run_with(
            lost["hellos"].clone(),
            "await letters.until(() => letters.of('hello').length > arg);
             const hello = letters.of('hello')[arg];
             await letters.next((event) => event.type === 'message');
             return hello;",
        );
        let last = hello["data"]["last"].as_str().unwrap();
        assert!(uuid::Uuid::parse_str(last).is_ok(), "{hello}");
        assert_eq!(
            hello["before"], last,
            "what the server was told is what the page saw last"
        );
        assert_eq!(hello["id"], last, "and stays so until another id comes");
        assert_eq!(hello["data"]["version"], "HTTP/2");
    }
}

#[test]
fn an_origin_that_is_not_allowed_gets_an_error_and_nobody_else_notices() {
    let setup = Setup::new();
    setup.run(
        "window.messages = new Listener(server + '/post');
         await messages.until((event) => event.type === 'open');",
    );
    let allowed = setup.browser.new_tab();
    setup.browser.open(&setup.site.url("127.0.0.1"));
    let refused = setup.run(
        "const stream = new Listener(server + '/sse');
         await stream.until((event) => event.type === 'error');
         const read = await seen(fetch(server + '/visit')).catch((error) => error.name);
         const posted = await seen(post(server + '/post', { msg: 'evil' })).catch((error) => error.name);
         return { events: stream.events, read, posted };",
    );
    // 2: closed for good. A browser that is refused does not try again.
    assert_eq!(refused["events"], json!([{ "type": "error", "state": 2 }]));
    assert_eq!(
        (&refused["read"], &refused["posted"]),
        (&json!("TypeError"), &json!("TypeError"))
    );
    setup.browser.switch_to(&allowed);
    let events = setup.run(
        "await post(server + '/post', { msg: 'good' });
         await messages.until((event) => event.type === 'message');
         return messages.events;",
    );
    // The preflight failed, so what the other page wanted to post never came.
    let types = events
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect::<Vec<_>>();
    assert_eq!(types, ["open", "message"]);
    assert_eq!(events[1]["data"], json!({ "msg": "good" }));
}

#[test]
fn two_hundred_streams_share_one_connection() {
    let setup = Setup::new();
    let seen = setup.run(
        "const streams = Array.from({ length: 200 }, (_, n) => new Listener(server + '/many/' + n));
         const hellos = await Promise.all(streams.map((s) => s.until((event) => event.type === 'hello')));
         const reached = (await post(server + '/post', { msg: 'all' })).headers.get('x-mock-reached');
         await Promise.all(streams.map((s) => s.until((event) => event.type === 'message')));
         const errors = streams.flatMap((s) => s.of('error'));
         for (const stream of streams) stream.source.close();
         return { reached, errors, hellos: hellos.map((hello) => hello.data) };",
    );
    assert_eq!((&seen["reached"], &seen["errors"]), (&json!("200"), &json!([])));
    let hellos = seen["hellos"].as_array().unwrap();
    let numbers: Vec<String> = (0..200).map(|n| n.to_string()).collect();
    let mut heard: Vec<&str> = hellos.iter().map(|hello| hello["n"].as_str().unwrap()).collect();
    heard.sort_by_key(|n| n.parse::<u32>().unwrap());
    assert_eq!(heard, numbers);
    assert_eq!(texts(hellos, "peer").len(), 1, "one connection: {hellos:?}");
    let log = [
        setup.mock.requests("GET /many/", 200),
        setup.mock.requests("POST /post", 1),
    ]
    .concat();
    assert_eq!(log.len(), 201);
    assert_eq!(
        texts(&log, "peer"),
        texts(hellos, "peer"),
        "and the post takes it, too"
    );
    assert_eq!(texts(&log, "protocol"), HashSet::from(["HTTP/2+TLS"]));
}

/// Waits until an expression holds in a page that changes by itself; `arg` is a name in it.
fn wait_until(browser: &Browser, expression: &str, arg: Value) {
    let script = format!(
        "const holds = () => {expression};
         if (!holds()) await new Promise((resolve) => {{
           const watch = new MutationObserver(() => holds() && resolve());
           watch.observe(document.body, {{ subtree: true, childList: true, characterData: true }});
         }});"
    );
    browser.run("", arg, &script);
}

/// Waits until an element's text is so.
fn wait_for_text(browser: &Browser, selector: &str, text: &str) {
    let expression = "document.querySelector(arg[0])?.textContent === arg[1]";
    wait_until(browser, expression, json!([selector, text]));
}

#[test]
fn the_demo_page_shows_letters_and_messages() {
    let _turn = turn();
    let browser = Browser::start(Engine::Chromium);
    let scenario = std::fs::read_to_string(repo("scenarios/alphabet.yaml")).unwrap();
    let scenario = scenario
        .replace("http://localhost:3000", "\"http://localhost:*\"")
        .replace("retry: 6s", "retry: 200ms");
    let mut mock = Mock::start(&scenario, &["--seed", "7", "--time-scale", "50"]);
    let site = Site::serve(repo("examples/demo"));
    browser.open(&format!("{}?server={}", site.url("localhost"), mock.url()));
    for state in ["#letters .state", "#messages .state"] {
        wait_for_text(&browser, state, "open");
    }
    wait_for_text(&browser, "#letters li:nth-child(1)", "a");
    for (n, text) in ["hello", "<b onclick=alert(1)>&amp; 'quoted' ☃", "bye"]
        .into_iter()
        .enumerate()
    {
        browser.type_into("#text", &format!("{text}\u{e007}"));
        wait_for_text(&browser, &format!("#messages li:nth-child({}) span", n + 1), text);
        wait_for_text(&browser, "#answer", "303 broadcasted");
    }
    wait_until(
        &browser,
        "Number(document.querySelector('#letters .count').textContent) >= 20",
        Value::Null,
    );
    assert_eq!(browser.complaints(), Vec::<String>::new());
    picture(&browser);
    lives_on(&browser, &mut mock);
}

/// Pictures of the page for people to look at, light and dark.
fn picture(browser: &Browser) {
    let size = json!({ "width": 1000, "height": 640, "deviceScaleFactor": 1, "mobile": false });
    browser.devtools("Emulation.setDeviceMetricsOverride", size);
    browser.screenshot(&repo("artifacts/demo.png"));
    let dark = json!({ "features": [{ "name": "prefers-color-scheme", "value": "dark" }] });
    browser.devtools("Emulation.setEmulatedMedia", dark);
    browser.screenshot(&repo("artifacts/demo-dark.png"));
}

/// The page shows how its connections fare: lost, there again, closed.
fn lives_on(browser: &Browser, mock: &mut Mock) {
    mock.stop("KILL");
    wait_for_text(browser, "#letters .state", "connecting");
    let hint = "return getComputedStyle(document.querySelector('#hint')).display";
    assert_eq!(
        browser.run("", Value::Null, hint),
        "block",
        "a hint what to look for"
    );
    mock.start_again();
    for state in ["#letters .state", "#messages .state"] {
        wait_for_text(browser, state, "open");
    }
    assert_eq!(browser.run("", Value::Null, hint), "none");
    browser.click("#disconnect");
    wait_for_text(browser, "#letters .state", "closed");
    browser.click("#connection button");
    wait_for_text(browser, "#letters .state", "open");
}

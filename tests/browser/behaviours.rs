//! What each browser is asked: a function per section of `docs/browsers.md`. What every engine must do is asserted
//! here; what they may do differently is an answer.

use serde_json::{Value, json};

use crate::page::Page;

fn yes(holds: bool) -> &'static str {
    if holds { "yes" } else { "no" }
}

/// As text without quotes.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A header of a journal's entry.
fn header(entry: &Value, name: &str) -> String {
    match &entry["headers"][name] {
        Value::Null => "none".to_owned(),
        value => format!("`{}`", text(value)),
    }
}

pub fn opens(page: &mut Page) {
    let seen = page.run(
        "const open = async (base) => {
           const stream = new Listener(base + '/hello', false);
           await stream.until((event) => event.type === 'hello');
           return stream.events;
         };
         return [await open(server), await open(plain)];",
    );
    for events in seen.as_array().unwrap() {
        assert_eq!(events[0], json!({ "type": "open", "state": 1 }));
        assert_eq!(events[1]["data"]["last"], "", "it has seen nothing yet");
    }
    let asked = page.requests("/hello");
    for entry in &asked {
        assert_eq!(header(entry, "accept"), "`text/event-stream`");
        let origin = page.site.url("localhost");
        assert_eq!(entry["headers"]["origin"], origin.trim_end_matches('/'));
    }
    page.answers.is("with TLS", text(&seen[0][1]["data"]["version"]));
    page.answers.is("without", text(&seen[1][1]["data"]["version"]));
    for name in ["cache-control", "pragma", "sec-fetch-mode", "sec-fetch-dest"] {
        page.answers.is(format!("`{name}`"), header(&asked[0], name));
    }
    for (entry, how) in asked.iter().zip(["with TLS", "without"]) {
        let codings = header(entry, "accept-encoding");
        page.answers.is(format!("`accept-encoding` {how}"), codings);
    }
    for (scheme, how) in [("server", "HTTP/2"), ("plain", "HTTP/1.1")] {
        let body = format!(
            "const stream = new Listener({scheme} + '/silent');
             const late = new Promise((resolve) => setTimeout(resolve, 3000, 'the first bytes behind it'));
             const first = stream.until((event) => event.type === 'open').then(() => 'the head');
             const answer = await Promise.race([first, late]);
             fetch(plain + '/seen/silent', {{ mode: 'no-cors' }});
             await stream.until((event) => event.type === 'message');
             stream.source.close();
             return answer;"
        );
        let answer = text(&page.run(&body));
        page.answers.is(format!("`open` comes with, {how}"), answer);
    }
}

pub fn reads_events(page: &mut Page) {
    let mut seen = page.run(
        "const stream = new Listener(server + '/types', true, ['message', 'greeting']);
         await stream.until((event) => event.data === 5);
         return stream.events.slice(1).map(({ type, data, id, origin }) => ({ type, data, id, origin }));",
    );
    let origin = page.mock.url();
    let event =
        |kind: &str, data: Value, id: &str| json!({ "type": kind, "data": data, "id": id, "origin": origin });
    let sent = json!([
        event("message", json!(1), ""),
        event("greeting", json!("two\nlines"), "a"),
        event("message", json!(3), "a"),
        event("greeting", json!(4), ""),
        event("message", json!(5), "b"),
    ]);
    let last = seen[4]["id"].take();
    seen[4]["id"] = json!("b");
    assert_eq!(seen, sent);
    for question in [
        "events come with their types, data and ids",
        "an event without an id has the last one's",
        "an empty id takes it away",
        "comments are no events, nor is what has no data",
        "`event.origin` is the server's",
    ] {
        page.answers.is(question, "yes");
    }
    page.answers
        .is("an id without data is the next event's, too", yes(last == "b"));
}

/// Case of the scenario, what is asked, and the data and last id of the events that it sends.
const BYTES: [(&str, &str, &str); 9] = [
    ("bom", "a byte order mark is skipped", r#"[[1, ""]]"#),
    ("crlf", "lines end with CRLF", r#"[[1, ""], [2, ""]]"#),
    ("cr", "lines end with CR", r#"[[1, ""], [2, ""]]"#),
    ("cr-lf", "CR and LF come in two writes", r#"[[1, ""], [2, ""]]"#),
    ("utf8", "every byte comes alone", r#"[["☃ 🚀", ""]]"#),
    (
        "invalid",
        "bytes that are no UTF-8 become U+FFFD",
        r#"[["a\ufffdb", ""]]"#,
    ),
    (
        "nul",
        "an id with NUL is ignored, and nothing else",
        r#"[[1, ""], [2, ""], [3, ""]]"#,
    ),
    (
        "odd",
        "fields without a colon, unknown and misspelt ones",
        r#"[["", ""], ["\n", ""], ["1\n 2", ""]]"#,
    ),
    ("big", "an event of 5 MiB", "[[5242880, \"\"]]"),
];

pub fn reads_odd_bytes(page: &mut Page) {
    for (case, question, sent) in BYTES {
        let seen = page.run_with(
            case,
            "const stream = new EventSource(server + '/bytes/' + arg);
             const events = [];
             stream.onmessage = ({ data, lastEventId }) => {
               const short = data.length > 100 ? data.length : data;
               events.push([/^\\d$/.test(data) ? Number(data) : short, lastEventId]);
             };
             await new Promise((resolve) => stream.addEventListener('end', resolve));
             stream.close();
             return events;",
        );
        let sent: Value = serde_json::from_str(sent).unwrap();
        let answer = if seen == sent {
            "yes".to_owned()
        } else {
            format!("no: `{seen}`")
        };
        page.answers.is(question, answer);
    }
}

pub fn keeps_the_reconnection_time(page: &mut Page) {
    let asked = [
        ("2s", "after `retry: 2000`"),
        ("0", "after `retry: 0`"),
        ("none", "if no time was said"),
        (
            "broken",
            "after `retry: 50`, and then `1e9`, `-1` and `9` with a space behind it",
        ),
        ("empty", "after `retry: 50`, and then a `retry` with nothing"),
    ];
    page.run_with(
        json!(asked.map(|(case, _)| case)),
        "await Promise.all(arg.map(async (name) => {
           const stream = new Listener(server + '/retry/' + name);
           await stream.until((event) => event.type === 'hello');
           stream.source.close();
         }));",
    );
    for (case, question) in asked {
        let entries = page.requests(&format!("/retry/{case}"));
        let gap = entries[1]["gap_ms"].as_f64().unwrap() / 1000.0;
        page.answers.at_least(question, gap);
    }
}

/// How the first stream ends, and what that is called. Ends that take the connection along are tried alone.
const ENDS: [&[(&str, &str)]; 3] = [
    &[
        ("close", "`close`"),
        ("cut", "`cut` in the middle of an event"),
        ("refused", "no answer when it comes back"),
        ("at-first", "no answer at first"),
    ],
    &[("reset", "`reset`")],
    &[("goaway", "`goaway`")],
];

pub fn comes_back(page: &mut Page) {
    for ends in ENDS {
        let names: Vec<&str> = ends.iter().map(|(end, _)| *end).collect();
        let seen = page.run_with(
            names,
            "const live = async (base, end) => {
               const stream = new Listener(base + '/ends/' + end);
               // The server ends the stream when it hears that the event has come.
               stream.until((event) => event.type === 'message')
                 .then(() => fetch(plain + '/seen/' + end, { mode: 'no-cors' }));
               const last = await stream.soon((event) => event.type === 'hello' || event.state === 2);
               stream.source.close();
               return { last, messages: stream.of('message').length };
             };
             // One after the other: what one has seen would end the other, too.
             const both = async (end) => [await live(plain, end), await live(server, end)];
             return Promise.all(arg.map(both));",
        );
        for ((end, question), seen) in ends.iter().zip(seen.as_array().unwrap()) {
            for (seen, version) in seen.as_array().unwrap().iter().zip(["HTTP/1.1", "HTTP/2"]) {
                let first = usize::from(*end != "at-first");
                assert_eq!(seen["messages"], first, "{end}: no half event: {seen}");
                let answer = return_of(&seen["last"], ["☃", ""][1 - first]);
                page.answers.is(format!("{question}, {version}"), answer);
            }
        }
    }
}

/// What became of a stream: it came back, with this id as the last one if all is well.
fn return_of(last: &Value, wanted: &str) -> String {
    match last["type"].as_str().unwrap() {
        "hello" => came_with(&last["data"]["last"], wanted),
        "silence" => "does not notice".to_owned(),
        _ => "gives up".to_owned(),
    }
}

fn came_with(last: &Value, wanted: &str) -> String {
    match last.as_str().unwrap() {
        last if last == wanted => "comes back".to_owned(),
        "" => "comes back without its id".to_owned(),
        other => format!("comes back with the id `{other}`"),
    }
}

pub fn outlives_the_server(page: &mut Page) {
    for (whose, scheme) in [
        ("HTTP/1.1, another origin's page", "plain"),
        ("HTTP/2, another origin's page", "server"),
        ("HTTP/2, its own page", "server"),
    ] {
        for (signal, question) in [("TERM", "it is stopped"), ("KILL", "it is killed")] {
            if whose.contains("its own") {
                page.browser().open(&format!("{}/page", page.mock.url()));
                page.run(include_str!("site/listener.js"));
            }
            let end = loses_the_server(page, scheme, signal);
            page.answers
                .is(format!("{question}, {whose}"), return_of(&end, ""));
        }
    }
}

/// How a stream fares whose server goes, stays away for an attempt or more, and comes again.
fn loses_the_server(page: &mut Page, scheme: &str, signal: &str) -> Value {
    page.run(&format!(
        "window.stream = new Listener({scheme} + '/away');
         await stream.until((event) => event.type === 'hello');
         stream.events = [];"
    ));
    page.mock.stop(signal);
    let away = page.run(
        "const lost = await stream.soon((event) => event.type === 'error');
         if (lost.state !== 0) return lost;
         stream.events = [];
         return stream.soon((event) => event.type === 'error');",
    );
    page.mock.start_again();
    if away["state"] != 0 {
        return away;
    }
    page.run(
        "const end = await stream.soon((event) => event.type === 'hello' || event.state === 2);
         stream.source.close();
         return end;",
    )
}

pub fn stops(page: &mut Page) {
    let asked = [
        ("/status/204", "status 204"),
        ("/status/205", "status 205"),
        ("/status/210", "status 210"),
        ("/status/401", "status 401"),
        ("/status/404", "status 404"),
        ("/status/429", "status 429 with `Retry-After`"),
        ("/status/500", "status 500"),
        ("/status/503", "status 503 with `Retry-After`"),
        ("/no-type", "no type"),
        ("/type?type=text/plain", "`text/plain`"),
        ("/type?type=application/json", "`application/json`"),
        ("/type?type=text/event-streams", "`text/event-streams`"),
        (
            "/type?type=text/event-stream;charset=utf-8",
            "`text/event-stream;charset=utf-8`",
        ),
        (
            "/type?type=text/event-stream;charset=windows-1252",
            "`text/event-stream;charset=windows-1252`",
        ),
        ("/type?type=text/event-stream;", "`text/event-stream;`"),
        ("/type?type=TEXT/Event-Stream", "`TEXT/Event-Stream`"),
    ];
    let fates = page.run_with(
        json!(asked.map(|(path, _)| path)),
        "const fates = [];
         for (const path of arg) {
           const stream = new Listener(server + path);
           fates.push(await stream.fate());
           stream.source.close();
         }
         return fates;",
    );
    for ((_, question), fate) in asked.iter().zip(fates.as_array().unwrap()) {
        page.answers.is(*question, text(fate));
    }
    let stopped = page.run(
        "const stream = new Listener(server + '/stops');
         return await stream.until((event) => event.state === 2 || event.type === 'hello');",
    );
    assert_eq!(stopped, json!({ "type": "error", "state": 2 }));
    assert_eq!(page.requests("/stops").len(), 2);
    page.answers.is("204 when it comes back", "closed");
}

pub fn follows_redirects(page: &mut Page) {
    for status in [301, 302, 303, 307, 308] {
        let fate = page.run_with(
            status,
            "const stream = new Listener(server + '/moved/' + arg);
             const fate = await stream.fate();
             stream.source.close();
             return fate;",
        );
        page.answers
            .is(format!("{status} is followed"), yes(fate == "open"));
    }
    for status in [301, 302, 307, 308] {
        page.run_with(
            status,
            "const stream = new Listener(server + '/begin/' + arg);
             await stream.until((event) => event.type === 'hello');
             stream.source.close();",
        );
        let answer = match page.requests(&format!("/begin/{status}")).len() {
            2 => "where it began",
            _ => "where it was sent",
        };
        page.answers
            .is(format!("after {status} it comes back to"), answer);
    }
    let fate = page.run("return new Listener(server + '/to-204').fate()");
    page.answers.is("to an answer with 204", text(&fate));
    let (port, another) = (page.mock.port, format!("https://127.0.0.1:{}", page.mock.port));
    let seen = page.run_with(
        port,
        "const stream = new Listener(server + '/to-another?port=' + arg);
         if (await stream.fate() !== 'open') return stream.events[0];
         return await stream.until((event) => event.type === 'hello');",
    );
    let hello = &seen["data"]["headers"];
    let answer = if hello.is_null() {
        "fails".to_owned()
    } else {
        format!("`{}`", text(&hello["origin"]))
    };
    page.answers.is("`Origin` at a third origin", answer);
    let origin = if seen["origin"] == another {
        "the server's that answered"
    } else {
        "the first server's"
    };
    page.answers.is("`event.origin` of its events", origin);
}

pub fn reads_other_origins(page: &mut Page) {
    let asked = [
        ("/cors/nobody", true, "no CORS headers"),
        ("/cors/others", true, "another origin is allowed"),
        ("/cors/star", true, "`*`, with credentials"),
        ("/cors/star", false, "`*`, without credentials"),
        (
            "/cors/no-credentials",
            true,
            "credentials are not allowed, with credentials",
        ),
        (
            "/cors/no-credentials",
            false,
            "credentials are not allowed, without credentials",
        ),
        ("/hello", true, "origin and credentials are allowed"),
    ];
    for (path, credentials, question) in asked {
        let fate = page.run_with(
            json!([path, credentials]),
            "const stream = new Listener(server + arg[0], arg[1]);
             const fate = await stream.fate();
             stream.source.close();
             return fate;",
        );
        page.answers.is(question, text(&fate));
    }
    let cookies = page.run(
        "await fetch(server + '/cookies', { credentials: 'include' });
         const sent = async (withCredentials) => {
           const stream = new Listener(server + '/hello', withCredentials);
           const hello = await stream.until((event) => event.type === 'hello');
           stream.source.close();
           return hello.data.headers.cookie ?? '';
         };
         return [await sent(true), await sent(false)];",
    );
    let sent = |at: usize, name: &str| text(&cookies[at]).contains(name);
    page.answers.is(
        "a cookie `SameSite=None; Secure` comes back with credentials",
        yes(sent(0, "kept")),
    );
    page.answers.is(
        "one that says nothing of `SameSite` comes back with credentials",
        yes(sent(0, "lax")),
    );
    page.answers
        .is("cookies come back without credentials", yes(cookies[1] != ""));
}

pub fn asks_before_it_posts(page: &mut Page) {
    let seen = page.run(
        "const stream = new Listener(server + '/post');
         await stream.until((event) => event.type === 'open');
         for (const msg of ['first', 'second']) {
           await post(server + '/post', { msg });
           await stream.until((event) => event.data?.msg === msg);
         }
         stream.source.close();
         await fetch(server + '/asked', { headers: { 'last-event-id': '1' } });
         const back = new Listener(server + '/back');
         const hello = await back.until((event) => event.type === 'hello');
         back.source.close();
         return hello.data.last;",
    );
    assert_eq!(seen, "1", "it came back with its id");
    let preflights = page.mock.requests("OPTIONS ", 1);
    let of = |path: &str| preflights.iter().filter(|line| line["target"] == path).count();
    assert!(of("/post") > 0, "JSON is not posted unasked: {preflights:?}");
    page.answers.is("before JSON is posted", "yes");
    page.answers.is("before it is posted again", yes(of("/post") > 1));
    page.answers
        .is("before `fetch` sends `Last-Event-ID`", yes(of("/asked") > 0));
    page.answers
        .is("before `EventSource` sends `Last-Event-ID`", yes(of("/back") > 0));
}

pub fn opens_many(page: &mut Page) {
    let peers = page.run(
        "const streams = Array.from({ length: 120 }, (_, n) => new Listener(server + '/many/' + n));
         const hellos = await Promise.all(streams.map((s) => s.until((event) => event.type === 'hello')));
         for (const stream of streams) stream.source.close();
         return [...new Set(hellos.map((hello) => hello.data.peer))].length;",
    );
    page.command("GET", "connections?max=0&wait=15s");
    page.answers.is("connections for 120 streams over HTTP/2", peers);
    page.run("window.streams = Array.from({ length: 10 }, (_, n) => new Listener(plain + '/many/' + n));");
    page.streams(6, "15s");
    // That none follows can only be seen by waiting for it.
    let open = page.streams(7, "1s");
    page.answers
        .is("streams at once over HTTP/1.1, of 10 wanted", open);
    let first = page.browser().new_tab();
    page.browser().open(&page.site.url("localhost"));
    page.run("window.late = new Listener(plain + '/many/late');");
    let shared = page.streams(open + 1, "1s") == open;
    page.browser().switch_to(&first);
    page.run("for (const stream of streams) stream.source.close();");
    page.answers.is("all pages share them", yes(shared));
    // However it was held up: it comes when there is room.
    let (status, _) = page.command("GET", "connections?endpoint=/many/{n}&count=1&max=1&wait=15s");
    assert_eq!(status, 200);
}

pub fn unpacks(page: &mut Page) {
    for coding in ["gzip", "br", "zstd"] {
        let answer = page.run_with(
            coding,
            "const stream = new Listener(server + '/packed/' + arg);
             const first = stream.until((event) => event.data === 1);
             const late = new Promise((resolve) => setTimeout(resolve, 3000, 'late'));
             if (await Promise.race([first, late]) === 'late') return 'held back';
             fetch(server + '/seen/' + arg, { mode: 'no-cors' });
             await stream.until((event) => event.data === 2);
             stream.source.close();
             return 'event by event';",
        );
        let asked = &page.requests(&format!("/packed/{coding}"))[0];
        let accepts = header(asked, "accept-encoding").contains(coding);
        let answer = if accepts {
            text(&answer)
        } else {
            "not asked for".to_owned()
        };
        page.answers.is(format!("`{coding}`"), answer);
    }
}

pub fn passes_a_service_worker(page: &mut Page) {
    let there = page.run(
        "if (!navigator.serviceWorker) return false;
         const controls = new Promise((resolve) => {
           navigator.serviceWorker.addEventListener('controllerchange', resolve);
         });
         await navigator.serviceWorker.register('worker.js');
         await controls;
         window.stream = new Listener(server + '/through');
         window.passed = () => new Promise((resolve) => {
           const { port1, port2 } = new MessageChannel();
           port1.onmessage = (event) => resolve(event.data);
           navigator.serviceWorker.controller.postMessage(null, [port2]);
         });
         return true;",
    );
    assert_eq!(there, true, "no service workers");
    let passed = page.run(
        "await stream.until((event) => event.type === 'hello');
         return passed();",
    );
    page.answers
        .is("it sees the stream's request", yes(passed != json!([])));
    page.answers.is("and passes it on, event by event", "yes");
    page.answers
        .is("its `Accept`", format!("`{}`", text(&passed[0]["accept"])));
    page.answers
        .is("its mode", format!("`{}`", text(&passed[0]["mode"])));
    page.command("POST", "connections/close");
    let again = page.run(
        "const end = await stream.next((event) => event.type === 'hello' || event.state === 2);
         return [end.type, (await passed()).length];",
    );
    page.answers
        .is("a stream that ends is opened again", yes(again[0] == "hello"));
    page.answers.is("through it", yes(again[1] == 2));
    page.run("stream.source.close();");
    let (left, _) = page.command("GET", "connections?max=0&wait=10s");
    page.answers.is("the server notices `close()`", yes(left == 200));
    let fate = page.run("return new Listener(location.origin + '/made-up').fate()");
    page.answers.is("it can make up a stream", yes(fate == "open"));
}

pub fn leaves(page: &mut Page) {
    for (scheme, version) in [("plain", "HTTP/1.1"), ("server", "HTTP/2")] {
        let stream = |name: &str| {
            format!(
                "window.stream = new Listener({scheme} + '/left/{name}');
                 await stream.until((event) => event.type === 'hello');"
            )
        };
        page.run(&(stream("source") + "stream.source.close();"));
        let closed = noticed(page, "/left/source");
        page.answers.is(format!("`close()`, {version}"), closed);
        page.run(&stream("page"));
        page.browser()
            .open(&(page.site.url("localhost") + "?behind=" + version));
        let left = noticed(page, "/left/page");
        page.answers.is(format!("another page, {version}"), left);
        let first = page.browser().new_tab();
        page.browser().open(&page.site.url("localhost"));
        page.run(&stream("tab"));
        page.browser().close_tab();
        page.browser().switch_to(&first);
        let left = noticed(page, "/left/tab");
        page.answers.is(format!("the tab is closed, {version}"), left);
        page.command("DELETE", "journal");
    }
}

/// Whether the server saw that the client left a stream.
fn noticed(page: &Page, path: &str) -> &'static str {
    page.command(
        "GET",
        &format!("journal?endpoint=GET {path}&open=false&count=1&wait=5s"),
    );
    let ended = &page.requests(path)[0]["ended"];
    if ended.is_null() {
        return "not noticed";
    }
    assert_eq!(ended["by"], "client", "{ended}");
    "noticed"
}

//! What clients say ends up where it was meant to: not as a line of the log, not as a field of a head, not
//! as the path of a file, and not as a command.

mod abuse_support;
mod support;

use std::fs;
use std::os::unix::fs::symlink;

use abuse_support::{Scene, frames, until, until_ended};
use serde_json::Value;
use support::process::{run, said, start};

const ECHOES: &str = "
topics: { news: {}, 'room/{name}': {} }
endpoints:
  - { path: /ticks, stream: [{ every: 20ms, data: 'tick {{ seq }}' }] }
  - { path: /news, method: POST, publish: { topic: news, data: '{{ request.body }}' }, status: 204 }
  - { path: /news, stream: [{ follow: news }] }
  - { path: /echo, method: POST, body: 'got {{ request.body | length }}' }
  - { path: /number, body: '{{ request.query.n | int }}' }
  - { path: /late, stream: [{ data: '{{ request.query.n | int }}' }] }
  - { path: /field, headers: { x-echo: '{{ request.query.n }}' }, body: body }
  - { path: /reason, status: 200, reason: '{{ request.query.n }}', body: body }
  - { path: /to, status: 302, headers: { location: '{{ request.query.n }}' } }
  - { path: /cookie, headers: { set-cookie: 'n={{ request.headers[\"x-n\"] }}' }, body: body }
  - { path: /typed, headers: { content-type: '{{ request.query.n }}' }, body: body }
  - { path: '/topic/{name}', method: POST, publish: { topic: 'room/{{ name }}', data: x }, status: 204 }
  - { path: '/topic/{name}', stream: [{ follow: 'room/{{ name }}' }] }
  - { path: /event, stream: [{ event: '{{ request.query.n }}', id: '{{ request.query.n }}', data: x }] }
";

/// Line ends and what paints terminals, percent-encoded and as it is.
const NASTY: [&str; 8] = [
    "%0d%0a2026-01-01T00:00:00.0Z%20%20INFO%20forged",
    "%0aforged:%20yes",
    "%0dforged:%20yes",
    "%1b[31mred%1b[0m",
    "%1b]0;title%07",
    "%c2%9b31m%c2%85%e2%80%a8%e2%80%a9",
    "%00%7f%08",
    "%e2%80%ae%e2%81%a6",
];

/// Each line of the log is one of the server's own, and nothing in it moves the cursor.
fn check_log(log: &str) {
    for line in log.lines() {
        let head: Vec<&str> = line.split_whitespace().take(2).collect();
        let own = line.starts_with("20") && head[0].ends_with('Z') && head[0].len() > 20;
        assert!(
            own && ["INFO", "WARN", "DEBUG", "ERROR"].contains(&head[1]),
            "no line of ours: {line:?}"
        );
        let moves = |c: char| {
            c.is_control()
                || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
        };
        assert!(!line.chars().any(moves), "{line:?}");
    }
}

fn ask(method: &str, target: &str, fields: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{fields}\r\n")
}

#[test]
fn nothing_that_clients_say_becomes_a_line_of_the_log() {
    let scene = Scene::of(ECHOES, &["--no-tls", "--log-level", "debug"]);
    for nasty in NASTY {
        for target in [
            format!("/{nasty}?{nasty}"),
            format!("/number?n={nasty}"),
            format!("/late?n={nasty}"),
            format!("/field?n={nasty}"),
            format!("/reason?n={nasty}"),
            format!("/to?n={nasty}"),
            format!("/typed?n={nasty}"),
            format!("/event?n={nasty}"),
            format!("/~{nasty}/number"),
            format!("/__mock/{nasty}"),
            format!("/__mock/topics/{nasty}"),
        ] {
            until_ended(scene.send(ask("GET", &target, "")));
            until_ended(scene.send(ask("POST", &target, "content-length: 0\r\n")));
        }
        until_ended(scene.send(ask("POST", &format!("/topic/{nasty}"), "content-length: 0\r\n")));
    }
    // As they are, where a head lets them in.
    for raw in [
        &b"\x1b[31m"[..],
        b"a\rb",
        b"a\x7fb",
        b"\xc2\x9b31m",
        b"\xe2\x80\xae",
        b"\x80\xff",
        b"\t",
    ] {
        let request = |before: &[u8], after: &[u8]| [before, raw, after].concat();
        for bytes in [
            request(
                b"GET /",
                b" HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
            ),
            request(
                b"GE",
                b"T / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
            ),
            request(
                b"GET /number HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx-mock-session: ",
                b"\r\n\r\n",
            ),
            request(
                b"GET /cookie HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx-n: ",
                b"\r\n\r\n",
            ),
            request(
                b"GET /__mock/clock HTTP/1.1\r\nconnection: close\r\nhost: ",
                b"\r\n\r\n",
            ),
            request(
                b"GET /__mock/clock HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\norigin: ",
                b"\r\n\r\n",
            ),
            request(
                b"GET /number HTTP/1.1\r\nconnection: close\r\nlast-event-id: ",
                b"\r\n\r\n",
            ),
        ] {
            until_ended(scene.send(bytes));
        }
        let http2 = [
            frames::PREFACE,
            &frames::settings(&[]),
            &frames::frame(
                frames::HEADERS,
                5,
                1,
                &frames::block("GET", &format!("/{}", String::from_utf8_lossy(raw)), &[]),
            ),
            &frames::get(3, "/number"),
        ];
        let socket = scene.send(http2.concat());
        socket.shutdown(std::net::Shutdown::Write).unwrap();
        until_ended(socket);
    }
    let port = scene.port();
    until("all of it is in the log", || {
        until_ended(scene.send(ask("GET", "/the-last-one", "")));
        scene.server.log.text().contains("/the-last-one") && port > 0
    });
    check_log(&scene.server.log.text());
    scene.recovered();
}

/// A field's value that would be two fields is an error, and told as one.
#[test]
fn nothing_that_clients_say_becomes_a_field() {
    let scene = Scene::of(ECHOES, &["--no-tls"]);
    for split in [
        "%0d%0aforged:%20yes",
        "%0aforged:%20yes",
        "%0dforged:%20yes",
        "a%0d%0a%0d%0aforged:%20yes",
        "%00forged:%20yes",
        "%c4%8d%c4%8aforged:%20yes",
    ] {
        for path in ["/field", "/reason", "/to", "/typed"] {
            let answer = until_ended(scene.send(ask("GET", &format!("{path}?n={split}"), "")));
            let text = String::from_utf8_lossy(&answer);
            let (head, _) = text
                .split_once("\r\n\r\n")
                .unwrap_or_else(|| panic!("{path} {split}: {text}"));
            let fields = head.split(['\r', '\n']).filter(|line| line.starts_with("forged"));
            assert_eq!(fields.count(), 0, "{path} {split}: {head}");
            assert!(!head.contains('\0'), "{path} {split}: {head:?}");
            let status = &head[9..12];
            assert!(["200", "302", "500"].contains(&status), "{head}");
        }
        // Over HTTP/2 as well.
        let mut socket = scene.send(
            [
                frames::PREFACE,
                &frames::settings(&[]),
                &frames::get(1, &format!("/field?n={split}")),
            ]
            .concat(),
        );
        let answered = std::iter::from_fn(|| frames::next(&mut socket))
            .find(|came| [frames::HEADERS, frames::RST_STREAM].contains(&came.kind));
        assert_eq!(answered.map(|came| came.kind), Some(frames::HEADERS), "{split}");
        assert!(frames::answers(&mut socket));
    }
    scene.recovered();
}

/// Names that come from requests, or stand in recordings, are no way out of the scenario's folder.
#[test]
fn no_name_leads_out_of_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("in");
    fs::create_dir_all(inner.join("site/sub")).unwrap();
    fs::write(folder.path().join("secret.txt"), "the secret").unwrap();
    fs::write(inner.join("site/a.txt"), "a").unwrap();
    fs::write(
        inner.join("scenario.yaml"),
        abuse_support::SCENARIO.to_owned() + "  - { path: '/site/{file...}', files: site }\n",
    )
    .unwrap();
    let server = start(
        folder,
        &[
            "serve",
            "--no-tls",
            "--port",
            "0",
            "--scenario",
            "in/scenario.yaml",
        ],
        &[],
    );
    let port = server.port();
    // Links that appear while it runs are not followed out.
    symlink("../../secret.txt", inner.join("site/link.txt")).unwrap();
    symlink("../..", inner.join("site/up")).unwrap();
    symlink("/", inner.join("site/root")).unwrap();
    for dots in [
        "..",
        "%2e%2e",
        "%2E.",
        ".%2e",
        "%252e%252e",
        "..%00",
        "%c0%ae%c0%ae",
        "%e0%80%ae%e0%80%ae",
        "..;",
        "....//",
        "%uff0e%uff0e",
    ] {
        for slash in [
            "/",
            "%2f",
            "%5c",
            "\\",
            "%252f",
            "//",
            "/./",
            "%c0%af",
            "%ef%bc%8f",
        ] {
            for path in [
                format!("/site/{dots}{slash}{dots}{slash}secret.txt"),
                format!("/site/sub{slash}{dots}{slash}{dots}{slash}{dots}{slash}secret.txt"),
                format!("/site{slash}{dots}{slash}scenario.yaml"),
                format!("/{dots}{slash}{dots}{slash}secret.txt"),
            ] {
                let answer = until_ended(abuse_support::send_to(port, ask("GET", &path, "")));
                let text = String::from_utf8_lossy(&answer);
                assert!(
                    !text.contains("the secret") && !text.contains("endpoints:"),
                    "{path}: {text}"
                );
                assert!(
                    !text.starts_with("HTTP/1.1 200 ") && !text.starts_with("HTTP/1.1 5"),
                    "{path}: {text}"
                );
            }
        }
    }
    for path in [
        "/site/link.txt",
        "/site/up/secret.txt",
        "/site/up/in/site/a.txt",
        "/site/root/etc/passwd",
        "/site/%00",
        "/site/a.txt%00.js",
        "/site/a.txt/",
        "/site//a.txt",
    ] {
        let answer = until_ended(abuse_support::send_to(port, ask("GET", path, "")));
        assert!(
            answer.starts_with(b"HTTP/1.1 404 "),
            "{path}: {}",
            String::from_utf8_lossy(&answer)
        );
    }
    let answer = until_ended(abuse_support::send_to(port, ask("GET", "/site/a.txt", "")));
    assert!(answer.starts_with(b"HTTP/1.1 200 "));
}

/// Whatever key names a file, and however it is spelled, what lies outside is not read.
#[test]
fn no_scenario_reads_outside_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("in");
    fs::create_dir_all(inner.join("sub")).unwrap();
    let secret = folder.path().join("secret.yaml");
    fs::write(&secret, "a secret: 1\n").unwrap();
    symlink("../secret.yaml", inner.join("link.yaml")).unwrap();
    fs::copy(&secret, folder.path().join("secret.csv")).unwrap();
    symlink("../secret.csv", inner.join("link.csv")).unwrap();
    symlink("..", inner.join("up")).unwrap();
    let absolute = secret.to_str().unwrap();
    let spellings = [
        "../secret.yaml",
        "sub/../../secret.yaml",
        "./.././secret.yaml",
        "link.yaml",
        "up/secret.yaml",
        absolute,
    ];
    let server = start(
        tempfile::tempdir().unwrap(),
        &["serve", "--no-tls", "--port", "0"],
        &[],
    );
    for spelling in spellings {
        for scenario in [
            format!("include: {spelling}\nendpoints: [{{ path: /x, body: x }}]"),
            format!("endpoints: [{{ path: /x, file: {spelling} }}]"),
            format!("endpoints: [{{ path: '/x/{{f...}}', files: {spelling} }}]"),
            format!("endpoints: [{{ path: /x, stream: [{{ replay: {spelling} }}] }}]"),
            format!(
                "endpoints: [{{ path: /x, stream: [{{ for_each: {{ in: {}, as: row, steps: [{{ data: x }}] }} }}] }}]",
                spelling.replace(".yaml", ".csv")
            ),
        ] {
            fs::write(inner.join("scenario.yaml"), &scenario).unwrap();
            let (code, said, errors) = said(&run(folder.path(), &["check", "in/scenario.yaml"], &[]));
            let said = said + &errors;
            assert_eq!(code, Some(1), "{scenario}: {said}");
            assert!(
                said.contains("outside") && !said.contains("a secret"),
                "{scenario}: {said}"
            );
            // Whoever commands a server cannot make it read its disk.
            let length = format!("content-length: {}\r\n", scenario.len());
            let put = ask("PUT", "/__mock/scenario", &length) + &scenario;
            let answer = until_ended(abuse_support::send_to(server.port(), put));
            let answer = String::from_utf8_lossy(&answer).into_owned();
            assert!(answer.starts_with("HTTP/1.1 4"), "{scenario}: {answer}");
            assert!(!answer.contains("a secret"), "{scenario}: {answer}");
        }
    }
}

/// Sessions of such names would be folders elsewhere; here there are none.
#[test]
fn no_session_has_a_name_that_is_none() {
    let scene = Scene::plain(&[]);
    for name in [
        "..",
        ".",
        "%2e%2e",
        "a%2fb",
        "a%00",
        "%0a",
        "a\\b",
        "~",
        "__mock%2f",
        "a;b",
        "%41",
    ] {
        let text = until_ended(scene.send(ask("GET", &format!("/~{name}/small"), "")));
        let told = String::from_utf8_lossy(&text);
        let harmless = [".", ".."].contains(&name) && told.starts_with("HTTP/1.1 200 ");
        assert!(harmless || told.starts_with("HTTP/1.1 400 "), "{name}: {told}");
    }
    let made = until_ended(scene.send(ask("GET", "/__mock/sessions", "")));
    let body = String::from_utf8(made).unwrap();
    let body: Value = serde_json::from_str(body.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    for session in body["sessions"].as_array().unwrap() {
        let name = session["name"].as_str().unwrap_or_default();
        assert!(
            name.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)),
            "{name}"
        );
    }
    scene.recovered();
}

/// What tests/control_access.rs does not try: hosts that are spelled to be read in two ways.
#[test]
fn hosts_that_can_be_read_in_two_ways_command_nothing() {
    let scene = Scene::plain(&[]);
    let host = |fields: &str| {
        format!("POST /__mock/signals/go HTTP/1.1\r\nconnection: close\r\ncontent-length: 0\r\n{fields}\r\n")
    };
    for fields in [
        "host: localhost\r\nhost: evil.test\r\n",
        "host: evil.test\r\nhost: localhost\r\n",
        "host: localhost, evil.test\r\n",
        "host: localhost@evil.test\r\n",
        "host: evil.test@localhost\r\n",
        "host: localhost:80@evil.test\r\n",
        "host: localhost:\r\n",
        "host: localhost:4043:4043\r\n",
        "host: localhost:evil.test\r\n",
        "host: localhost/\r\n",
        "host: localhost#evil.test\r\n",
        "host: localhost\\.evil.test\r\n",
        "host: localhost.\r\n",
        "host: [::1]evil.test\r\n",
        "host: [::1%25eth0]\r\n",
        "host: ::1\r\n",
        "host: [::ffff:1.2.3.4]\r\n",
        "host: 127.0.0.1.evil.test\r\n",
        "host: 127.0.0.1.nip.io\r\n",
        "host: 0x7f.1\r\n",
        "host: 2130706433\r\n",
        "host: 0177.0.0.1\r\n",
        "host: 127.1\r\n",
        "host: \u{ff4c}ocalhost\r\n",
        "host: localhost\r\norigin: http://localhost\r\norigin: null\r\n",
        "host: localhost\r\norigin: null\r\n",
        "host: localhost\r\norigin: file://\r\n",
        "host: localhost\r\norigin: https://localhost.evil.test\r\n",
        "host: localhost\r\norigin: http://localhost@evil.test\r\n",
        "host: localhost\r\norigin: \r\n",
        "host: localhost\r\nsec-fetch-site: cross-site\r\n",
        "host: localhost\r\nsec-fetch-site: Same-Origin\r\n",
        "host: localhost\r\nsec-fetch-site: none\r\nsec-fetch-site: cross-site\r\n",
    ] {
        let answer = until_ended(scene.send(host(fields)));
        let text = String::from_utf8_lossy(&answer);
        assert!(
            text.starts_with("HTTP/1.1 403 ") || text.starts_with("HTTP/1.1 400 "),
            "{fields}: {text}"
        );
    }
    for fields in [
        "host: LOCALHOST\r\n",
        "host: 127.0.0.1:1\r\n",
        "host: [::1]\r\n",
        "host: 127.3.2.1\r\n",
        "host: [::ffff:127.0.0.1]\r\n",
    ] {
        let answer = until_ended(scene.send(host(fields)));
        assert!(
            answer.starts_with(b"HTTP/1.1 2"),
            "{fields}: {}",
            String::from_utf8_lossy(&answer)
        );
    }
    scene.recovered();
}

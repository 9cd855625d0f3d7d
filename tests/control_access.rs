//! Who may command the server: attempts to get in.

mod commands;
mod support;

use std::net::{IpAddr, UdpSocket};

use commands::exchange;
use support::process::{finish, run};
use support::{Server, serve};

const YAML: &str = "
cors: { origins: ['*'] }
endpoints:
  - path: '/{rest...}'
    method: ANY
    body: the scenario's
";

fn server(args: &[&str]) -> Server {
    serve(YAML, &[&["--no-tls"], args].concat())
}

/// The status of a GET with these headers, as they stand.
fn status(server: &Server, target: &str, headers: &str) -> u16 {
    answer(server, "GET", target, headers).0
}

fn answer(server: &Server, method: &str, target: &str, headers: &str) -> (u16, String) {
    let request = format!("{method} {target} HTTP/1.1\r\nconnection: close\r\n{headers}\r\n");
    exchange(("127.0.0.1", server.port), &request)
}

/// This machine's own address that is not the loopback's, if it has one.
fn other_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    // Nothing is sent: this only chooses a route.
    socket.connect("192.0.2.1:9").ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_loopback() && !ip.is_unspecified()).then_some(ip)
}

#[test]
fn a_host_that_others_may_point_here_is_refused() {
    let server = server(&[]);
    let here = format!("localhost:{}", server.port);
    for (headers, expected) in [
        (format!("host: {here}\r\n"), 200),
        ("host: 127.0.0.1\r\n".to_owned(), 200),
        ("host: [::1]:80\r\n".to_owned(), 200),
        ("host: evil.test\r\n".to_owned(), 403),
        ("host: localhost.evil.test\r\n".to_owned(), 403),
        ("host: 0.0.0.0\r\n".to_owned(), 403),
        (
            format!("host: evil.test\r\nx-forwarded-host: {here}\r\nx-forwarded-for: 127.0.0.1\r\n"),
            403,
        ),
        (
            format!("host: evil.test\r\nforwarded: for=127.0.0.1;host={here}\r\n"),
            403,
        ),
        ("host:\r\n".to_owned(), 403),
    ] {
        assert_eq!(status(&server, "/__mock/clock", &headers), expected, "{headers}");
    }
    // Over HTTP/1.0 there need be none.
    let (code, _) = exchange(("127.0.0.1", server.port), "GET /__mock/clock HTTP/1.0\r\n\r\n");
    assert_eq!(code, 403);
    let (_, text) = answer(&server, "GET", "/__mock/clock", "host: evil.test\r\n");
    assert!(
        text.contains("`evil.test`") && text.contains("--admin-token"),
        "{text}"
    );
}

#[test]
fn the_name_the_server_was_given_is_its_own() {
    let server = server(&["--host", "localhost"]);
    assert_eq!(status(&server, "/__mock/clock", "host: localhost\r\n"), 200);
    assert_eq!(status(&server, "/__mock/clock", "host: mock.test\r\n"), 403);
}

#[test]
fn a_target_that_names_another_host_is_refused_whatever_host_says() {
    let server = server(&[]);
    for (target, expected) in [
        ("http://evil.test/__mock/clock", 403),
        ("http://localhost/__mock/clock", 200),
        ("https://evil.test:4043/__mock/clock", 403),
    ] {
        assert_eq!(
            status(&server, target, "host: localhost\r\n"),
            expected,
            "{target}"
        );
    }
}

#[test]
fn pages_of_other_origins_are_refused_and_get_no_cors_headers() {
    let server = server(&[]);
    let own = format!("http://localhost:{}", server.port);
    let host = format!("host: localhost:{}\r\n", server.port);
    for (headers, expected) in [
        (format!("origin: {own}\r\nsec-fetch-site: same-origin\r\n"), 200),
        ("sec-fetch-site: none\r\n".to_owned(), 200),
        ("origin: http://evil.test\r\n".to_owned(), 403),
        ("origin: null\r\n".to_owned(), 403),
        ("origin: http://localhost:1\r\n".to_owned(), 403),
        (format!("origin: {own}\r\norigin: http://evil.test\r\n"), 403),
        ("sec-fetch-site: cross-site\r\n".to_owned(), 403),
        ("sec-fetch-site: same-site\r\n".to_owned(), 403),
    ] {
        let (code, text) = answer(&server, "GET", "/__mock/clock", &(host.clone() + &headers));
        assert_eq!(code, expected, "{headers}");
        assert!(!text.to_lowercase().contains("access-control-"), "{text}");
    }
    let asks = format!(
        "{host}origin: http://evil.test\r\naccess-control-request-method: POST\r\n\
         access-control-request-headers: authorization\r\n"
    );
    let (code, text) = answer(&server, "OPTIONS", "/__mock/reset", &asks);
    assert_eq!(code, 403);
    assert!(!text.to_lowercase().contains("access-control-"), "{text}");
    // Whether the server is well, everybody may know.
    let (code, text) = answer(
        &server,
        "GET",
        "/__mock/health",
        "host: evil.test\r\norigin: http://evil.test\r\n",
    );
    assert_eq!(code, 200);
    assert!(text.contains("access-control-allow-origin: *"), "{text}");
}

#[test]
fn nothing_happens_when_somebody_is_refused() {
    let server = server(&[]);
    let evil = "host: evil.test\r\ncontent-length: 0\r\n";
    for target in [
        "/__mock/reset",
        "/~x/__mock/reset",
        "/__mock/signals/go",
        "/__mock/connections/close",
    ] {
        assert_eq!(answer(&server, "POST", target, evil).0, 403, "{target}");
    }
    assert_eq!(
        status(
            &server,
            "/__mock/clock",
            "host: evil.test\r\nx-mock-session: y\r\n"
        ),
        403
    );
    let sessions = commands::done(commands::ask(&server, "GET", "/__mock/sessions"));
    assert_eq!(sessions["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(
        commands::done(commands::ask(&server, "GET", "/__mock/signals"))["signals"],
        serde_json::json!([])
    );
}

#[test]
fn no_other_spelling_leads_to_the_commands() {
    let server = server(&["--admin-token", "s3cret"]);
    for target in [
        "//__mock/clock",
        "/%5f_mock/clock",
        "/__mock%2fclock",
        "/__MOCK/clock",
        "/x/../__mock/clock",
        "/./__mock/clock",
        "/;/__mock/clock",
        "/__mock;x/clock",
        "/~a//__mock/clock",
        "/~a/~b/__mock/clock",
        "/__mockx",
    ] {
        let (code, text) = answer(&server, "GET", target, "host: localhost\r\n");
        assert_eq!(code, 200, "{target}");
        assert!(text.ends_with("the scenario's"), "{target}: {text}");
    }
    for target in [
        "/__mock",
        "/__mock/",
        "/__mock/clock",
        "/__mock/nothing",
        "/~a/__mock/clock",
        "/__mock/../x",
    ] {
        assert_eq!(status(&server, target, "host: localhost\r\n"), 401, "{target}");
    }
    let overridden = "host: localhost\r\nx-http-method-override: POST\r\nauthorization: Bearer s3cret\r\n";
    assert_eq!(status(&server, "/__mock/reset?_method=POST", overridden), 405);
}

#[test]
fn with_a_token_everybody_needs_it() {
    let server = server(&["--admin-token", "s3cret"]);
    for (headers, expected) in [
        ("host: localhost\r\n", 401),
        ("host: localhost\r\nauthorization: Bearer s3cre\r\n", 401),
        ("host: localhost\r\nauthorization: Basic s3cret\r\n", 401),
        ("host: localhost\r\nauthorization: Bearer s3cret\r\n", 200),
        ("host: mock.test\r\nauthorization: bearer s3cret\r\n", 200),
        (
            "host: localhost\r\norigin: http://evil.test\r\nauthorization: Bearer s3cret\r\n",
            403,
        ),
    ] {
        let (code, text) = answer(&server, "GET", "/__mock/clock", headers);
        assert_eq!(code, expected, "{headers}");
        assert_eq!(text.contains("www-authenticate: Bearer"), code == 401, "{text}");
        assert!(!text.contains("s3cret"), "{text}");
    }
    assert_eq!(server.get("/__mock/health").status, 200);
    assert!(!server.log.text().contains("s3cret"));
}

#[test]
fn another_machine_needs_the_token() {
    let Some(ip) = other_address() else { return };
    let ask = |server: &Server, more: &str| {
        exchange(
            (ip, server.port),
            &format!("GET /__mock/clock HTTP/1.1\r\nconnection: close\r\n{more}\r\n"),
        )
    };
    let open = server(&["--host", "0.0.0.0"]);
    let (code, text) = ask(&open, "host: localhost\r\n");
    assert_eq!(code, 403);
    assert!(
        text.contains(&format!("not {ip}")) && text.contains("--admin-token"),
        "{text}"
    );
    let (code, _) = ask(
        &open,
        "host: localhost\r\nx-forwarded-for: 127.0.0.1\r\nx-real-ip: 127.0.0.1\r\n",
    );
    assert_eq!(code, 403);
    let closed = server(&["--host", "0.0.0.0", "--admin-token", "s3cret"]);
    assert_eq!(
        ask(&closed, "host: mock.test\r\nauthorization: Bearer s3cret\r\n").0,
        200
    );
}

#[test]
fn without_admin_there_is_only_health() {
    let server = server(&["--no-admin"]);
    for path in [
        "/__mock",
        "/__mock/clock",
        "/__mock/openapi.json",
        "/~a/__mock/clock",
    ] {
        let answer = server.get(path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.body.contains("--no-admin"), "{}", answer.body);
    }
    assert_eq!(server.get("/__mock/health").status, 200);
}

#[test]
fn a_token_that_cannot_be_sent_is_refused_at_start() {
    let folder = tempfile::tempdir().unwrap();
    for (args, env) in [
        (&["--admin-token", "a b"][..], &[][..]),
        (&["--admin-token", ""], &[]),
        (&["--no-admin", "--admin-token", "x"], &[]),
        (&[], &[("MOCK_SSE_ADMIN_TOKEN", "a b")]),
    ] {
        let output = run(folder.path(), args, env);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
    }
}

/// Over HTTP/2 the host is in `:authority`.
#[test]
fn over_http2_it_is_the_same() {
    let server = server(&[]);
    let closed = self::server(&["--admin-token", "s3cret"]);
    for (port, host, headers, expected) in [
        (server.port, "localhost", &[][..], "200"),
        (server.port, "evil.test", &[], "403"),
        (server.port, "localhost", &["origin: http://evil.test"], "403"),
        (server.port, "localhost", &["sec-fetch-site: cross-site"], "403"),
        (closed.port, "localhost", &[], "401"),
        (closed.port, "localhost", &["authorization: Bearer s3cret"], "200"),
    ] {
        let mut curl = std::process::Command::new("curl");
        curl.args([
            "-sS",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code} %{http_version}",
            "--http2-prior-knowledge",
        ]);
        curl.args(["--resolve", &format!("{host}:{port}:127.0.0.1")]);
        for header in headers {
            curl.args(["-H", header]);
        }
        curl.arg(format!("http://{host}:{port}/__mock/clock"));
        let output = finish(curl);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(said, format!("{expected} 2"), "{host} {headers:?}");
    }
}

/// A target and a `host` field that differ: both must be this machine.
#[tokio::test]
async fn over_http2_a_host_field_does_not_hide_the_authority() {
    let server = server(&[]);
    for (authority, host, expected) in [
        ("localhost", "localhost", 200),
        ("evil.test", "localhost", 403),
        ("localhost", "evil.test", 403),
    ] {
        let socket = tokio::net::TcpStream::connect(("127.0.0.1", server.port))
            .await
            .unwrap();
        let (mut client, connection) = h2::client::handshake(socket).await.unwrap();
        let driving = tokio::spawn(connection);
        let request = http::Request::get(format!("http://{authority}/__mock/clock"));
        let request = request.header("host", host).body(()).unwrap();
        let (answer, _) = client.send_request(request, true).unwrap();
        let answer = tokio::time::timeout(support::PATIENCE, answer)
            .await
            .expect("an answer");
        assert_eq!(answer.unwrap().status(), expected, "{authority} {host}");
        driving.abort();
    }
}

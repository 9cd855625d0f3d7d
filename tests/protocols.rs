//! One port, every protocol, and certificates that need no thought.

mod support;

use std::fs;

use support::process::{curl, finish, run, said, start};
use support::{Server, binary, repo, serve, serve_in};

const SCENARIO: &str = "
endpoints:
  - path: /who
    stream:
      - { data: '{{ request.version }} {{ base }}' }
  - { path: /post, method: POST, body: '{{ request.body }}' }
";

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn ca(server: &Server) -> String {
    server.path("certs/ca.pem").to_str().unwrap().to_owned()
}

#[test]
fn one_port_speaks_every_protocol() {
    let server = serve(SCENARIO, &[]);
    let ca = ca(&server);
    for (scheme, args, protocol) in [
        ("http", &["--http1.0"][..], "HTTP/1.0"),
        ("http", &["--http1.1"], "HTTP/1.1"),
        ("http", &["--http2-prior-knowledge"], "HTTP/2"),
        ("https", &["--http1.1", "--cacert", &ca], "HTTP/1.1"),
        ("https", &["--http2", "--cacert", &ca], "HTTP/2"),
        ("https", &["--tls-max", "1.2", "--cacert", &ca], "HTTP/2"),
    ] {
        let url = server.url(scheme, "/who");
        let got = curl(&[args, &["-w", "%{http_code}", &url]].concat());
        let base = server.url(scheme, "");
        assert_eq!(
            text(&got.stdout),
            format!("data: {protocol} {base}\n\n200"),
            "{args:?} {}",
            text(&got.stderr)
        );
        let post = curl(&[args, &["-d", "a=1", &server.url(scheme, "/post")]].concat());
        assert_eq!(text(&post.stdout), "a=1", "{args:?} {}", text(&post.stderr));
    }
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("https://{host}:{}/who", server.port);
        assert!(curl(&["--cacert", &ca, &url]).status.success(), "{host}");
    }
    let untrusted = curl(&[&server.url("https", "/who")]);
    assert!(!untrusted.status.success(), "the CA is needed");
}

/// The client's view of the server's settings: a frame as `nghttp` prints it.
#[test]
fn http2_limits_are_settable() {
    let server = serve(
        SCENARIO,
        &["--no-tls", "--http2-max-streams", "7", "--max-header", "8192"],
    );
    let mut nghttp = std::process::Command::new("nghttp");
    nghttp.args(["-v", "--timeout=10", &server.url("http", "/who")]);
    let output = nghttp.output().expect("nghttp of Debian's nghttp2-client");
    let frames = text(&output.stdout);
    assert!(
        frames.contains("[SETTINGS_MAX_CONCURRENT_STREAMS(0x03):7]"),
        "{frames}"
    );
    let large = format!("x-large: {}", "a".repeat(10_000));
    let args = [
        "--http2-prior-knowledge",
        "-H",
        &large,
        "-w",
        "%{http_code}",
        &server.url("http", "/who"),
    ];
    let answer = text(&curl(&args).stdout);
    assert!(
        answer.ends_with("431") && answer.contains("request head is larger"),
        "{answer}"
    );
}

/// A connection that says nothing is not kept for ever.
#[test]
fn silent_connections_are_closed() {
    use std::io::Read;
    let server = serve(SCENARIO, &["--no-tls", "--handshake-timeout", "100ms"]);
    let mut silent = std::net::TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    silent.set_read_timeout(Some(support::PATIENCE)).unwrap();
    assert_eq!(silent.read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn cleartext_is_sent_to_https_on_the_same_port() {
    let server = serve(SCENARIO, &["--redirect-https"]);
    let ca = ca(&server);
    let port = server.port;
    for (method, path, status) in [
        ("GET", "/who?a=1", 301),
        ("HEAD", "/who", 301),
        ("POST", "/post", 307),
    ] {
        let answer = server.send(method, path, &[], b"");
        let location = format!("https://localhost:{port}{path}");
        assert_eq!(
            (answer.status, answer.header("location")),
            (status, Some(location.as_str())),
            "{path}"
        );
    }
    assert_eq!(server.get("/__mock/health").status, 200);
    for args in [&["--http1.1"][..], &["--http2-prior-knowledge"]] {
        let url = server.url("http", "/post");
        let followed = curl(&[args, &["-L", "--cacert", &ca, "--data", "kept", &url]].concat());
        assert_eq!(text(&followed.stdout), "kept", "{}", text(&followed.stderr));
    }
    let https = curl(&["--cacert", &ca, &server.url("https", "/who")]);
    assert!(text(&https.stdout).starts_with("data: HTTP/2"));
    let health = run(
        server.folder.path(),
        &["health", "--port", &port.to_string()],
        &[],
    );
    assert_eq!(said(&health).0, Some(0));
}

#[test]
fn certificates_are_made_once_and_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join("certs").join(name);
    let (code, out, _) = said(&run(folder.path(), &["cert", "--san", "mock.test"], &[]));
    assert!(
        code == Some(0) && out.contains("made certs/") && out.contains("trust"),
        "{out}"
    );
    let names: Vec<_> = fs::read_dir(folder.path().join("certs"))
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    let contents = || {
        names
            .iter()
            .map(|n| fs::read(at(n.to_str().unwrap())).unwrap())
            .collect::<Vec<_>>()
    };
    let made = contents();
    let (code, out, _) = said(&run(folder.path(), &["cert"], &[]));
    assert!(code == Some(0) && out.contains("found certs/"), "{out}");
    // A name that the certificate lacks is told, not silently ignored.
    for args in [
        &["cert", "--san", "other.test"][..],
        &["serve", "--san", "other.test"],
    ] {
        let (code, _, err) = said(&run(folder.path(), args, &[]));
        assert!(
            code == Some(1) && err.contains("the certificate is not for other.test"),
            "{err}"
        );
    }
    assert_eq!(contents(), made);

    use std::os::unix::fs::PermissionsExt;
    for name in names.iter().filter(|n| n.to_string_lossy().contains("key")) {
        let mode = fs::metadata(at(name.to_str().unwrap()))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name:?}");
    }
    fs::write(folder.path().join("scenario.yaml"), SCENARIO).unwrap();
    let server = serve_in(folder, &["--scenario", "scenario.yaml"]);
    let resolve = format!("mock.test:{}:127.0.0.1", server.port);
    let url = format!("https://mock.test:{}/who", server.port);
    let got = curl(&["--resolve", &resolve, "--cacert", &ca(&server), &url]);
    assert!(got.status.success(), "{}", text(&got.stderr));
}

#[test]
fn ports_come_from_flags_before_variables() {
    let free = || {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    for (args, names, picked) in [
        (&["--no-tls"][..], &["PORT"][..], Some("PORT")),
        (&["--no-tls"], &["PORT", "MOCK_SSE_PORT"], Some("MOCK_SSE_PORT")),
        (&["--no-tls", "--port", "0"], &["PORT", "MOCK_SSE_PORT"], None),
        (&["serve", "--no-tls"], &["MOCK_SSE_PORT"], Some("MOCK_SSE_PORT")),
    ] {
        let ports: Vec<(&str, String)> = names.iter().map(|name| (*name, free().to_string())).collect();
        let env: Vec<(&str, &str)> = ports.iter().map(|(name, port)| (*name, port.as_str())).collect();
        let started = start(tempfile::tempdir().unwrap(), args, &env);
        let port = started.port().to_string();
        let expected = env
            .iter()
            .find(|(name, _)| Some(*name) == picked)
            .map(|(_, port)| *port);
        match expected {
            Some(expected) => assert_eq!(port, expected, "{args:?} {env:?}"),
            None => assert!(env.iter().all(|(_, taken)| *taken != port)),
        }
        let health = run(started.folder.path(), &["health"], &[("PORT", &port)]);
        assert_eq!(said(&health), (Some(0), "ok\n".into(), String::new()));
    }
}

#[test]
fn the_ready_file_says_where_the_server_is() {
    let started = start(
        tempfile::tempdir().unwrap(),
        &["--port", "0", "--seed", "7"],
        &[("MOCK_SSE_LOG_FORMAT", "json")],
    );
    let (ready, port) = (&started.ready, started.port());
    let urls = [
        format!("https://localhost:{port}"),
        format!("http://localhost:{port}"),
    ];
    assert_eq!(ready["urls"], serde_json::json!(urls));
    assert_eq!(
        ready["addresses"],
        serde_json::json!([format!("127.0.0.1:{port}")])
    );
    assert_eq!(
        (ready["seed"].as_u64(), ready["pid"].as_u64()),
        (Some(7), Some(u64::from(started.child.id())))
    );
    assert_eq!(ready["ca"], "certs/ca.pem");
    let mut log = started.log.wait_for("listening");
    log.truncate(log.find('\n').unwrap());
    let line: serde_json::Value = serde_json::from_str(&log).unwrap();
    assert!(line["urls"].as_str().unwrap().contains(&urls[0]), "{line}");
    // It listens already: the file is there for whoever waits for that.
    let ca = started.folder.path().join("certs/ca.pem");
    let health = curl(&[
        "--cacert",
        ca.to_str().unwrap(),
        &format!("{}/__mock/health", urls[0]),
    ]);
    assert!(
        text(&health.stdout).contains("\"ok\""),
        "{}",
        text(&health.stderr)
    );
}

#[test]
fn what_cannot_be_served_is_told_with_an_exit_code() {
    let server = serve(SCENARIO, &[]);
    let port = server.port.to_string();
    let folder = server.folder.path();
    let taken = ["serve", "--no-tls", "--port", &port];
    for (args, env, code, reason) in [
        (&taken[..], ("X", ""), 1, "choose another with --port"),
        (
            &["serve", "--scenario", "nope.yaml"],
            ("X", ""),
            1,
            "no such file or folder",
        ),
        (
            &["serve", "--host", "no.such.host.invalid", "--no-tls"],
            ("X", ""),
            1,
            "no.such.host.invalid",
        ),
        (&["serve", "--port", "99999"], ("X", ""), 2, "99999"),
        (&["serve", "--nonsense"], ("X", ""), 2, "--nonsense"),
        (&["serve", "--time-scale", "0"], ("X", ""), 2, "0.001 to 1000000"),
        (&["serve", "--drain", "5"], ("X", ""), 2, "no unit"),
        (&["serve", "--farewell", "{evnt: x}"], ("X", ""), 2, "evnt"),
        (&["serve", "--cert", "x.pem"], ("X", ""), 2, "--key"),
        (
            &["serve", "--no-tls", "--redirect-https"],
            ("X", ""),
            2,
            "cannot be used with",
        ),
        (
            &["serve", "--no-tls"],
            ("PORT", "abc"),
            2,
            "the variable PORT holds `abc`",
        ),
        (&["serve", "--watch", "sometimes"], ("X", ""), 2, "sometimes"),
        (
            &["health", "--port", "1"],
            ("X", ""),
            1,
            "no healthy server at 127.0.0.1:1",
        ),
    ] {
        let (got, out, err) = said(&run(folder, args, &[env]));
        assert!(
            got == Some(code) && err.contains(reason),
            "{args:?}: {got:?} {out} {err}"
        );
    }
}

#[test]
fn the_example_of_the_readme_works_without_any_argument() {
    let mut command = binary();
    command.args(["check"]).arg(repo("scenarios/alphabet.yaml"));
    assert!(finish(command).status.success());
}

//! Files beside a scenario: served, sent as raw bytes, included; and never anything outside its folder.

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use support::process::{run, said};
use support::{Answer, Server, serve_in};

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn start(folder: tempfile::TempDir) -> Server {
    serve_in(folder, &["--scenario", "scenario.yaml", "--no-tls"])
}

fn told(answer: &Answer) -> (u16, Option<&str>, &str) {
    (answer.status, answer.header("content-type"), &answer.body)
}

const SITE: &str = "
endpoints:
  - { path: /one, file: site/a.js }
  - { path: '/site/{rest...}', files: site }
  - { path: '/typed/{rest...}', headers: { content-type: text/x-own, x-a: '{{ rest }}' }, status: 201, files: site }
";

#[test]
fn folders_are_served_with_their_media_types() {
    let server = start(folder(&[
        ("scenario.yaml", SITE),
        ("site/index.html", "<p>top"),
        ("site/a.js", "a()"),
        ("site/sub/index.html", "<p>sub"),
        ("site/sub/b.css", "b{}"),
        ("site/sub/deep/c.json", "{}"),
        ("site/d.png", "png"),
        ("site/e.wasm", "wasm"),
        ("site/none", "?"),
        ("site/with space.txt", "space"),
        ("site/☃.txt", "snow"),
        ("site/empty.txt", ""),
        ("site/.hidden", "hidden"),
    ]));
    let html = Some("text/html; charset=utf-8");
    let text = Some("text/plain; charset=utf-8");
    let js = Some("text/javascript; charset=utf-8");
    for (path, expected) in [
        ("/one", (200, js, "a()")),
        ("/site/", (200, html, "<p>top")),
        ("/site/index.html", (200, html, "<p>top")),
        ("/site/a.js", (200, js, "a()")),
        ("/site/a.js?v=1", (200, js, "a()")),
        ("/site/sub/", (200, html, "<p>sub")),
        ("/site/sub/b.css", (200, Some("text/css; charset=utf-8"), "b{}")),
        ("/site/sub/deep/c.json", (200, Some("application/json"), "{}")),
        ("/site/d.png", (200, Some("image/png"), "png")),
        ("/site/e.wasm", (200, Some("application/wasm"), "wasm")),
        ("/site/none", (200, Some("application/octet-stream"), "?")),
        ("/site/with%20space.txt", (200, text, "space")),
        ("/site/%E2%98%83.txt", (200, text, "snow")),
        ("/site/empty.txt", (200, text, "")),
        ("/typed/a.js", (201, Some("text/x-own"), "a()")),
    ] {
        assert_eq!(told(&server.get(path)), expected, "{path}");
    }
    for path in [
        "/site/x",
        "/site/sub",
        "/site/sub/deep/",
        "/site/.hidden",
        "/site/a.js/",
        "/site//a.js",
        "/site/A.js",
    ] {
        let answer = server.get(path);
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (404, Some("application/problem+json")),
            "{path}"
        );
        assert!(answer.body.contains("in this folder"), "{path} {answer:?}");
    }
    assert_eq!(server.get("/site").status, 404);
    assert_eq!(server.send("HEAD", "/site/a.js", &[], b"").status, 200);
    assert_eq!(server.send("HEAD", "/site/x", &[], b"").status, 404);
}

#[test]
fn no_path_leads_out_of_the_folder() {
    let server = start(folder(&[
        ("scenario.yaml", SITE),
        ("secret.txt", "secret"),
        ("site/a.js", "a()"),
        ("site/sub/b.css", "b{}"),
    ]));
    for path in [
        "/site/../secret.txt",
        "/site/..%2fsecret.txt",
        "/site/%2e%2e/secret.txt",
        "/site/%2e%2e%2fsecret.txt",
        "/site/sub/../../secret.txt",
        "/site/sub%2f..%2f..%2fsecret.txt",
        "/site/..%5csecret.txt",
        "/site/%252e%252e/secret.txt",
        "/site/a.js%00",
        "/site//etc/passwd",
        "/site/%2fetc%2fpasswd",
    ] {
        let answer = server.get(path);
        assert_eq!(answer.status, 404, "{path} {answer:?}");
        assert!(
            !answer.body.contains("secret\n") && answer.body != "secret",
            "{path}"
        );
    }
    assert_eq!(
        server.get("/site/sub/../a.js").status,
        404,
        "paths are taken as they are"
    );
}

/// What `check` says about a scenario that does not load.
fn refused(folder: &Path) -> String {
    let output = run(folder, &["check", "scenario.yaml"], &[]);
    let (code, out, err) = said(&output);
    assert_eq!(code, Some(1), "{out}{err}");
    out + &err
}

#[test]
fn what_is_missing_or_outside_is_an_error_with_its_place() {
    let endpoint = |answer: &str| format!("endpoints:\n  - {{ path: '/x/{{rest...}}', {answer} }}\n");
    for (answer, what) in [
        ("file: no.txt", "there is no file or folder `no.txt`"),
        ("file: sute/a.js", "there is no file or folder `sute/a.js`"),
        (
            "file: ../outside.txt",
            "`../outside.txt` is outside the scenario's folder",
        ),
        (
            "file: /etc/hostname",
            "`/etc/hostname` is outside the scenario's folder",
        ),
        ("file: link.txt", "`link.txt` is outside the scenario's folder"),
        ("file: site", "`site` is a folder"),
        ("files: no", "there is no file or folder `no`"),
        ("files: site/a.js", "`site/a.js` is no folder"),
        ("files: ..", "`..` is outside the scenario's folder"),
        (
            "files: linked",
            "`linked/up.txt` is outside the scenario's folder",
        ),
        (
            "stream: [{ raw: { file: no.bin } }]",
            "there is no file or folder `no.bin`",
        ),
        (
            "stream: [{ for_each: { in: no.csv, steps: [{ data: x }] } }]",
            "no.csv",
        ),
    ] {
        let above = folder(&[
            ("outside.txt", "secret"),
            ("in/scenario.yaml", &endpoint(answer)),
            ("in/site/a.js", "a()"),
            ("in/linked/ok.txt", "ok"),
        ]);
        let within = above.path().join("in");
        symlink("../outside.txt", within.join("link.txt")).unwrap();
        symlink("../../outside.txt", within.join("linked/up.txt")).unwrap();
        let said = refused(&within);
        assert!(
            said.contains(what) && said.contains("scenario.yaml:2:"),
            "{answer}\n{said}"
        );
    }
}

#[test]
fn links_that_stay_inside_are_followed() {
    let files = folder(&[
        (
            "scenario.yaml",
            "endpoints: [{ path: '/{rest...}', files: site }]",
        ),
        ("shared/a.txt", "a"),
        ("site/b.txt", "b"),
    ]);
    symlink("../shared", files.path().join("site/more")).unwrap();
    symlink("b.txt", files.path().join("site/c.txt")).unwrap();
    symlink(".", files.path().join("site/round")).unwrap();
    let server = start(files);
    for (path, expected) in [("/more/a.txt", "a"), ("/c.txt", "b"), ("/b.txt", "b")] {
        assert_eq!(server.get(path).body, expected, "{path}");
    }
}

#[test]
fn a_link_that_begins_to_lead_out_is_never_followed() {
    let above = folder(&[
        ("outside/a.txt", "secret"),
        (
            "in/scenario.yaml",
            "endpoints: [{ path: '/{rest...}', files: site }]",
        ),
        ("in/site/a.txt", "a"),
    ]);
    let scenario = above.path().join("in/scenario.yaml");
    let server = serve_in(above, &["--scenario", scenario.to_str().unwrap(), "--no-tls"]);
    assert_eq!(server.get("/a.txt").body, "a");
    fs::remove_file(server.path("in/site/a.txt")).unwrap();
    symlink("../../outside/a.txt", server.path("in/site/a.txt")).unwrap();
    server.log.wait_for("not reloaded");
    assert_ne!(server.get("/a.txt").body, "secret");
}

#[test]
fn a_change_of_any_file_is_served() {
    let yaml = "
endpoints:
  - { path: /file, file: a.txt }
  - { path: '/site/{rest...}', files: site }
  - { path: /raw, stream: [{ raw: { file: a.txt } }] }
  - { path: /list, stream: [{ for_each: { in: rows.csv, as: row, steps: [{ data: '{{ row.name }}' }] } }] }
";
    let server = start(folder(&[
        ("scenario.yaml", yaml),
        ("a.txt", "one"),
        ("site/b.txt", "b"),
        ("rows.csv", "name\nx\n"),
    ]));
    assert_eq!(server.get("/file").body, "one");
    assert_eq!(server.get("/list").body, "data: x\n\n");
    let changes: [(&str, &str, &str, &str); 4] = [
        ("a.txt", "two", "/file", "two"),
        ("site/b.txt", "changed", "/site/b.txt", "changed"),
        ("site/new.txt", "new", "/site/new.txt", "new"),
        ("rows.csv", "name\ny\n", "/list", "data: y\n\n"),
    ];
    for (n, (file, text, path, expected)) in changes.iter().enumerate() {
        let part = server.path("part");
        fs::write(&part, text).unwrap();
        fs::rename(part, server.path(file)).unwrap();
        server.log.wait_for_times("reloaded: 4 endpoints", n + 1);
        assert_eq!(server.get(path).body, *expected, "{file}");
    }
    assert_eq!(server.get("/raw").body, "two");
    fs::remove_file(server.path("site/b.txt")).unwrap();
    server.log.wait_for_times("reloaded: 4 endpoints", 5);
    assert_eq!(server.get("/site/b.txt").status, 404);
}

#[test]
fn included_files_name_files_relative_to_themselves() {
    let server = start(folder(&[
        (
            "scenario.yaml",
            "include: [parts/more.yaml]\nendpoints: [{ path: /top, file: a.txt }]",
        ),
        (
            "parts/more.yaml",
            "include: ../twice.yaml\nendpoints: [{ path: /part, file: a.txt }, { path: /up, file: ../a.txt }]",
        ),
        (
            "twice.yaml",
            "include: scenario.yaml\nendpoints: [{ path: /twice, body: once }]",
        ),
        ("a.txt", "top"),
        ("parts/a.txt", "part"),
    ]));
    for (path, expected) in [
        ("/top", "top"),
        ("/part", "part"),
        ("/up", "top"),
        ("/twice", "once"),
    ] {
        assert_eq!(server.get(path).body, expected, "{path}");
    }
    fs::write(
        server.path("parts/more.yaml"),
        "endpoints: [{ path: /part, body: changed }]",
    )
    .unwrap();
    server.log.wait_for("reloaded: 2 endpoints");
    assert_eq!(server.get("/part").body, "changed");
    assert_eq!(server.get("/twice").status, 404);
}

#[test]
fn includes_that_are_missing_or_outside_are_errors() {
    for (include, what) in [
        ("no.yaml", "there is no file or folder `no.yaml`"),
        (
            "../above.yaml",
            "`../above.yaml` is outside the scenario's folder",
        ),
        ("parts", "`parts` is a folder"),
    ] {
        let yaml = format!("include: {include}\nendpoints: [{{ path: /x, body: x }}]");
        let above = folder(&[
            ("above.yaml", "endpoints: []"),
            ("in/scenario.yaml", &yaml),
            ("in/parts/a.txt", ""),
        ]);
        let said = refused(&above.path().join("in"));
        assert!(said.contains(what) && said.contains("scenario.yaml:1:"), "{said}");
    }
}

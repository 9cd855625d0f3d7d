//! docs/control.md has every path there is. tests/docs.rs holds it to what its commands print.

mod commands;
mod support;

use std::fs;

use support::{repo, serve_in};

const DOC: &str = "docs/control.md";

#[test]
fn every_path_is_documented() {
    let text = fs::read_to_string(repo(DOC)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let server = serve_in(folder, &["--no-tls"]);
    let index = commands::done(commands::ask(&server, "GET", "/__mock"));
    for path in index["paths"].as_array().unwrap() {
        let path = path["path"].as_str().unwrap();
        let (name, key) = (
            path.replace("{name...}", "NAME").replace("{name}", "NAME"),
            "{key}",
        );
        let path = name.replace("{number}", "NUMBER").replace(key, "KEY");
        let ending = path.rsplit('/').next().unwrap();
        let one_of_four = ["cut", "reset", "goaway"].contains(&ending) && path.contains("/connections/");
        assert!(
            text.contains(&path) || (one_of_four && text.contains(&format!("`{ending}`"))),
            "{path}"
        );
    }
}

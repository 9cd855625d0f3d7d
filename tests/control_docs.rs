//! docs/control.md shows real commands with their real output, and every path there is.

mod commands;
mod support;

use std::fs;
use std::process::{Command, Stdio};

use support::docs::blocks;
use support::process::finish;
use support::{Server, repo, serve_in};

const DOC: &str = "docs/control.md";

/// Clients that go on while others are run; ended when dropped.
struct Background(Vec<std::process::Child>);

impl Drop for Background {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn run(server: &Server, line: &str, background: &mut Background) -> String {
    let command = line.replace("localhost:4043", &format!("localhost:{}", server.port));
    let mut shell = Command::new("sh");
    shell.current_dir(server.folder.path()).stdin(Stdio::null());
    if let Some(command) = command.strip_suffix(" &") {
        shell.args(["-c", &format!("exec {command}")]);
        background.0.push(shell.spawn().unwrap());
        return String::new();
    }
    shell.args(["-c", &command]);
    let output = finish(shell);
    let mut text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    steady(&text.replace(&server.port.to_string(), "4043"))
}

/// What differs from run to run, made the same.
fn steady(text: &str) -> String {
    let text = replaced(text, "127.0.0.1:", "50000");
    replaced(&text, "\"idle_ms\":", "12.5")
}

/// The number behind each `mark`, replaced.
fn replaced(text: &str, mark: &str, by: &str) -> String {
    let mut parts = text.split(mark);
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        out += &format!("{mark}{by}{rest}");
    }
    out
}

/// `UPDATE_GOLDEN=1` writes the outputs anew.
#[test]
fn the_commands_print_what_is_shown() {
    let path = repo(DOC);
    let mut text = fs::read_to_string(&path).unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ticker.yaml"), &blocks(&text, "yaml")[0]).unwrap();
    let server = serve_in(
        folder,
        &[
            "-s",
            "ticker.yaml",
            "--clock",
            "manual",
            "--no-tls",
            "--watch",
            "off",
        ],
    );
    let mut background = Background(Vec::new());
    let consoles: Vec<String> = blocks(&text, "console");
    assert!(consoles.len() >= 10);
    for shown in consoles {
        let commands = shown.lines().filter_map(|line| line.strip_prefix("$ "));
        let real: String = commands
            .map(|line| format!("$ {line}\n{}", run(&server, line, &mut background)))
            .collect();
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            text = text.replace(&shown, &real);
            fs::write(&path, &text).unwrap();
        } else {
            assert_eq!(shown, real, "{DOC} shows something else");
        }
    }
}

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

//! README shows real commands with their real output.

mod commands;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use commands::{ask, done, exchange, tell};
use support::docs::blocks;
use support::{binary, repo, serve_in};

/// Writes each YAML block whose first line is `# NAME.yaml` into a folder.
fn write_files(text: &str, folder: &Path) {
    for block in blocks(text, "yaml") {
        let name = block.lines().next().unwrap().trim_start_matches("# ");
        if name.ends_with(".yaml") && !name.contains(' ') {
            fs::write(folder.join(name), block).unwrap();
        }
    }
}

fn run(command: &str, folder: &Path) -> String {
    let args = command
        .strip_prefix("mock-sse ")
        .expect("a mock-sse command")
        .split(' ');
    let output = binary().args(args).current_dir(folder).output().unwrap();
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

/// `UPDATE_GOLDEN=1` writes the outputs anew.
#[test]
fn the_commands_print_what_readme_shows() {
    let path = repo("README.md");
    let mut text = fs::read_to_string(&path).unwrap();
    let folder = tempfile::tempdir().unwrap();
    write_files(&text, folder.path());
    let consoles: Vec<String> = blocks(&text, "console");
    assert!(consoles.len() >= 2);
    for shown in consoles {
        let command = shown.lines().next().unwrap();
        let real = format!(
            "{command}\n{}",
            run(command.strip_prefix("$ ").unwrap(), folder.path())
        );
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            text = text.replace(&shown, &real);
            fs::write(&path, &text).unwrap();
        } else {
            assert_eq!(shown, real, "README.md shows something else");
        }
    }
}

#[test]
fn the_verdict_in_readme_is_what_a_client_is_told() {
    let path = repo("README.md");
    let text = fs::read_to_string(&path).unwrap();
    let folder = tempfile::tempdir().unwrap();
    write_files(&text, folder.path());
    let args = [
        "-s",
        "strict.yaml",
        "--clock",
        "manual",
        "--no-tls",
        "--seed",
        "1",
    ];
    let server = serve_in(folder, &args);
    let advance = |by: &str| {
        let body = serde_json::json!({ "by": by });
        done(tell(&server, "POST", "/__mock/clock/advance", body));
    };
    let come = || {
        let head = "GET /orders HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        exchange(("127.0.0.1", server.port), head)
    };
    assert_eq!(come().0, 503);
    advance("1s");
    let port = server.port;
    let mut stream = support::open_at(port, "/orders");
    assert_eq!(stream.field("id"), "1");
    advance("800ms");
    done(ask(&server, "GET", "/__mock/journal?open=false&count=2&wait=20s"));
    assert_eq!(come().0, 200);
    done(ask(&server, "GET", "/__mock/journal?open=false&count=3&wait=20s"));
    let said = server.get("/__mock/verify.txt").body;
    let shown = blocks(&text, "text")
        .into_iter()
        .find(|block| block.contains("not ok"))
        .unwrap();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, text.replace(&shown, &said)).unwrap();
    } else {
        assert_eq!(shown, said);
    }
}

#[test]
fn the_scenarios_in_readme_are_valid_but_the_broken_one() {
    let folder = tempfile::tempdir().unwrap();
    write_files(&fs::read_to_string(repo("README.md")).unwrap(), folder.path());
    for entry in fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let output = binary().arg("check").arg(&path).output().unwrap();
        assert_eq!(
            output.status.success(),
            !path.ends_with("broken.yaml"),
            "{path:?}"
        );
    }
}

/// All scenario files below a folder.
fn scenarios_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let each = |path: PathBuf| match path.is_dir() {
        true => scenarios_below(&path),
        false => vec![path],
    };
    let files = entries.flat_map(each);
    files
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .collect()
}

#[test]
fn every_shipped_scenario_stands_in_readme() {
    let readme = fs::read_to_string(repo("README.md")).unwrap();
    let all = scenarios_below(&repo("scenarios"));
    assert!(all.len() >= 5);
    for path in all {
        let name = path.strip_prefix(repo("")).unwrap().display().to_string();
        assert!(
            readme.contains(&format!("| `{name}` |")),
            "{name}: add it to the table in README.md"
        );
    }
}

#[test]
fn the_banner_is_the_one_readme_shows() {
    let server = serve_in(tempfile::tempdir().unwrap(), &["--seed", "7"]);
    let real = server.banner.replace(&server.port.to_string(), "4043");
    let readme = fs::read_to_string(repo("README.md")).unwrap();
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let shown = blocks(&readme, "text")
        .into_iter()
        .find(|b| b.starts_with("mock-sse "))
        .unwrap();
    assert_eq!(words(&shown), words(&real));
}

#[test]
fn the_table_of_flags_is_whole() {
    let readme = fs::read_to_string(repo("README.md")).unwrap();
    let table = &readme[readme.find("## Flags").unwrap()..readme.find("Other commands").unwrap()];
    let shown: BTreeSet<&str> = table
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .filter(|w| w.starts_with("--") && w.len() > 3)
        .filter(|w| !w.starts_with("---"))
        .collect();
    let command = mock_sse::cli::command();
    let flags = command
        .get_arguments()
        .filter_map(|a| a.get_long())
        .map(|l| format!("--{l}"));
    let real: BTreeSet<String> = flags.filter(|f| f != "--help" && f != "--version").collect();
    assert_eq!(shown, real.iter().map(String::as_str).collect());
}

#[test]
fn every_flag_of_serve_has_its_variable() {
    for argument in mock_sse::cli::command().get_arguments() {
        let Some(long) = argument.get_long().filter(|l| !matches!(*l, "help" | "version")) else {
            continue;
        };
        let expected = format!("MOCK_SSE_{}", long.replace('-', "_").to_uppercase());
        assert_eq!(
            argument.get_env().and_then(|e| e.to_str()),
            Some(expected.as_str()),
            "--{long}"
        );
    }
}

//! The examples in other languages: what their README files say to run passes, and fails where it is said to.
//!
//! They run in a copy below the build's folder, where what they need is installed in fixed versions and stays.

mod installed;
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use installed::{command, npm_ci, passes, there_is, venv};
use serde_json::Value;
use support::process::said;
use support::repo;

/// A fresh copy of an example and of what it shares with others; what is installed there stays.
fn copy(example: &str) -> PathBuf {
    let to = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("examples")
        .join(example)
        .join("examples");
    fs::create_dir_all(to.join(example)).unwrap();
    for folder in ["", example] {
        for entry in fs::read_dir(repo("examples").join(folder)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                fs::copy(entry.path(), to.join(folder).join(entry.file_name())).unwrap();
            }
        }
    }
    to.join(example)
}

fn check(args: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let mut check = command(repo("examples/shell/check.sh"), folder.path());
    check.args(args).output().unwrap()
}

#[test]
fn the_shell_check_passes_a_client_that_comes_back() {
    let (code, stdout, stderr) = said(&check(&[]));
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    assert!(stdout.contains("{\"price\":103}\n"), "{stdout}");
    assert!(stdout.ends_with("passed: 3 met, 0 failed, 0 open\n"), "{stdout}");
}

#[test]
fn the_shell_check_fails_one_that_does_not() {
    let (code, stdout, stderr) = said(&check(&["curl", "-sN"]));
    assert_eq!(code, Some(22), "{stdout}{stderr}");
    assert!(stdout.ends_with("failed: 0 met, 3 failed, 0 open\n"), "{stdout}");
}

#[test]
fn pytest_passes() {
    if !there_is("python3") {
        return;
    }
    let folder = copy("pytest");
    let pinned = [
        "iniconfig==2.3.0",
        "packaging==25.0",
        "pluggy==1.6.0",
        "Pygments==2.19.2",
        "pytest==8.4.2",
    ];
    fs::write(folder.join("requirements.txt"), pinned.join("\n")).unwrap();
    let python = venv(&folder);
    let pytest = |args: &[&str]| {
        let mut pytest = command(&python, &folder);
        pytest.args(["-B", "-m", "pytest", "-p", "no:cacheprovider", "test_ticker.py"]);
        pytest.args(args).output().unwrap()
    };
    let (code, stdout, stderr) = said(&pytest(&[]));
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    assert!(stdout.contains("3 passed, 1 xfailed"), "{stdout}");
    let (code, stdout, _) = said(&pytest(&["--runxfail"]));
    assert_eq!(code, Some(1), "{stdout}");
    assert!(stdout.contains("1 failed, 3 passed"), "{stdout}");
    let verdict = "came:     #2 came without a Last-Event-ID";
    assert!(stdout.contains(verdict), "{stdout}");
}

#[test]
fn vitest_passes() {
    if !there_is("node") || !there_is("npm") {
        return;
    }
    let folder = copy("vitest");
    npm_ci(&folder);
    let stdout = passes(command("npm", &folder).arg("test"));
    assert!(stdout.contains("4 passed (4)"), "{stdout}");
}

#[test]
fn playwright_passes() {
    if !there_is("node") || !there_is("npm") || !there_is("chromium") {
        return;
    }
    let folder = copy("playwright");
    npm_ci(&folder);
    let stdout = passes(command("npm", &folder).arg("test"));
    assert!(stdout.contains("3 passed"), "{stdout}");
}

/// Ends the workflow's server by its id, whatever became of the steps.
struct Left(PathBuf);

impl Drop for Left {
    fn drop(&mut self) {
        if let Ok(pid) = fs::read_to_string(&self.0) {
            let _ = Command::new("kill")
                .arg(pid.trim())
                .stderr(Stdio::null())
                .status();
        }
    }
}

/// The steps of the workflow that run commands, but for the one that installs the binary.
fn steps() -> Vec<(String, String)> {
    let yaml = fs::read_to_string(repo("examples/github-actions/mock-sse.yml")).unwrap();
    let workflow: Value = serde_saphyr::from_str(&yaml).unwrap();
    let steps = workflow["jobs"]["client"]["steps"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let run = steps.iter().filter(|step| step["run"].is_string());
    let run: Vec<_> = run
        .map(|step| (text(&step["name"]), text(&step["run"])))
        .collect();
    assert_eq!(run[0].1, "cargo install --locked mock-sse");
    run[1..].to_vec()
}

/// Runs the workflow's steps as its runner does, with other commands for the client's tests if they are given;
/// how each of them ended, what they printed, and the JUnit file.
fn workflow(client: Option<&str>) -> (Vec<Option<i32>>, String, String) {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(repo("examples"), folder.path().join("examples")).unwrap();
    let _left = Left(folder.path().join("mock-sse.pid"));
    let env = folder.path().join("env");
    fs::write(&env, "").unwrap();
    let bin = Path::new(env!("CARGO_BIN_EXE_mock-sse")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let (mut codes, mut all) = (Vec::new(), String::new());
    for (name, run) in steps() {
        let run = client.filter(|_| name == "Test").map_or(run, str::to_owned);
        let mut bash = command("bash", folder.path());
        bash.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", &run]);
        bash.env("PATH", &path).env("GITHUB_ENV", &env);
        for line in fs::read_to_string(&env).unwrap().lines() {
            let (name, value) = line.split_once('=').unwrap();
            bash.env(name, value);
        }
        let (code, stdout, stderr) = said(&bash.output().unwrap());
        codes.push(code);
        all += &format!("--- {name}\n{stdout}{stderr}");
    }
    let junit = fs::read_to_string(folder.path().join("mock-sse.xml")).expect(&all);
    (codes, all, junit)
}

#[test]
fn the_workflow_passes_and_keeps_the_verdict() {
    let (codes, said, junit) = workflow(None);
    assert_eq!(codes, [Some(0); 4], "{said}");
    assert!(
        junit.contains("<testsuites tests=\"3\" failures=\"0\""),
        "{junit}"
    );
}

#[test]
fn the_workflow_fails_where_the_client_does() {
    let (codes, said, junit) = workflow(Some("curl -sN \"$SSE/ticker\""));
    assert_eq!(codes, [Some(0), Some(0), Some(22), Some(0)], "{said}");
    assert!(
        junit.contains("<testsuites tests=\"3\" failures=\"3\""),
        "{junit}"
    );
}

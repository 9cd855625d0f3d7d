//! The curl lines in the scenarios' opening comments do what stands beside them.

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use mock_sse::gallery::{ALL, Exhibit};
use support::process::finish;
use support::raw::shipped;
use support::{PATIENCE, Server};

/// A line of a comment: the command, and the statuses that may come.
struct Line {
    command: String,
    promised: Vec<u16>,
}

fn lines(exhibit: &Exhibit) -> Vec<Line> {
    // A line may go on in the next.
    let text = exhibit.text().replace(" \\\n#    ", "");
    let comment = text.lines().take_while(|line| line.starts_with('#'));
    let commands = comment.filter_map(|line| line.strip_prefix("#   curl "));
    commands
        .map(|line| {
            let (command, beside) = line.split_once("    ").unwrap_or((line, ""));
            let words = beside.trim().split(' ').filter(|word| *word != "or");
            let codes = words.map_while(|word| word.trim_end_matches([',', ';']).parse().ok());
            Line {
                command: command.to_owned(),
                promised: codes.collect(),
            }
        })
        .collect()
}

/// The status that a line of `curl -v` tells.
fn status(line: &str) -> Option<u16> {
    line.strip_prefix("< HTTP/1.1 ")?.get(..3)?.parse().ok()
}

/// Ends with its test.
struct Open(std::process::Child);

impl Drop for Open {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the line; a stream stays open behind its head.
fn run(server: &Server, command: &str, open: &mut Vec<Open>) -> Option<u16> {
    let command = command.replace("localhost:4043", &format!("localhost:{}", server.port));
    let mut shell = Command::new("sh");
    let most = PATIENCE.as_secs();
    shell.current_dir(server.folder.path()).stdin(Stdio::null());
    shell.args(["-c", &format!("exec curl -v --max-time {most} {command}")]);
    if !command.contains("-N ") {
        let output = finish(shell);
        return String::from_utf8_lossy(&output.stderr).lines().find_map(status);
    }
    let mut child = shell
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(child.stderr.take().unwrap());
    open.push(Open(child));
    said.lines().map_while(Result::ok).find_map(|line| status(&line))
}

#[test]
fn the_lines_of_every_comment_do_what_they_say() {
    let check = |exhibit: &Exhibit| {
        let server = shipped(&format!("scenarios/{}.yaml", exhibit.name), &[]);
        let mut open = Vec::new();
        let lines = lines(exhibit);
        for Line { command, promised } in &lines {
            let status = run(&server, command, &mut open);
            let status = status.unwrap_or_else(|| panic!("{}: no answer: {command}", exhibit.name));
            let kept = promised.contains(&status) || promised.is_empty() && (200..400).contains(&status);
            assert!(kept, "{}: {status}, not {promised:?}: {command}", exhibit.name);
        }
        lines.len()
    };
    let tried: Vec<usize> = std::thread::scope(|scope| {
        let all: Vec<_> = ALL.iter().map(|one| scope.spawn(move || check(one))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(tried.iter().sum::<usize>() >= 40, "{tried:?}");
}

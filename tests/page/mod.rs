//! A page of the documentation, and a shell that does what it says.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::ops::Range;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};

use crate::support::PATIENCE;

/// A fenced block.
pub struct Block {
    pub language: String,
    /// What stands behind the language: `ignore`, `fragment`.
    pub mark: String,
    pub text: String,
    /// Where its text stands in the page.
    pub at: Range<usize>,
}

impl Block {
    /// The name of the file that this is: its first line is a comment with nothing but it.
    pub fn name(&self) -> Option<&str> {
        let first = self.text.lines().next()?;
        let name = first.strip_prefix("# ").or_else(|| first.strip_prefix("// "))?;
        let known = name.contains('.') && !name.contains([' ', ':']) && !name.ends_with('.');
        known.then_some(name)
    }

    /// Its lines, those that go on with the next (`\`) joined with it.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        let mut goes_on = false;
        for line in self.text.lines() {
            match lines.last_mut().filter(|_| goes_on) {
                Some(last) => *last += &format!("\n{line}"),
                None => lines.push(line.to_owned()),
            }
            goes_on = line.ends_with('\\');
        }
        lines
    }
}

/// All fenced blocks of a page.
pub fn blocks(page: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<(&str, usize)> = None;
    let mut at = 0;
    for line in page.split_inclusive('\n') {
        let end = at + line.len();
        if let Some(info) = line.strip_prefix("```") {
            open = match open {
                None => Some((info.trim(), end)),
                Some((info, from)) => {
                    let (language, mark) = info.split_once([',', ' ']).unwrap_or((info, ""));
                    found.push(Block {
                        language: language.to_owned(),
                        mark: mark.to_owned(),
                        text: page[from..at].to_owned(),
                        at: from..at,
                    });
                    None
                }
            };
        }
        at = end;
    }
    assert!(open.is_none(), "a block is not closed");
    found
}

/// A page without its blocks and without code in its lines.
pub fn prose(page: &str) -> String {
    let mut prose = page.to_owned();
    for block in blocks(page).iter().rev() {
        prose.replace_range(block.at.clone(), "");
    }
    let pieces = prose.split('`').step_by(2);
    pieces.collect::<Vec<_>>().join("`")
}

/// A heading as a link names it.
pub fn anchor(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = heading
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The anchors of all headings.
pub fn anchors(page: &str) -> Vec<String> {
    let mut bare = page.to_owned();
    for block in blocks(page).iter().rev() {
        bare.replace_range(block.at.clone(), "");
    }
    let headings = bare.lines().filter(|line| line.starts_with('#'));
    headings.map(anchor).collect()
}

const DONE: &str = "-- done --";

/// A shell in a folder, in which `mock-sse` is the binary under test; what runs in it ends with it.
pub struct Shell {
    child: Child,
    stdin: ChildStdin,
    said: Receiver<String>,
    /// The port of the server that runs.
    port: Option<u16>,
}

impl Shell {
    pub fn new(folder: &Path) -> Shell {
        let binary = Path::new(env!("CARGO_BIN_EXE_mock-sse")).parent().unwrap();
        let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("sh");
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MOCK_SSE_") || name == "PORT")
        {
            command.env_remove(name);
        }
        command
            .current_dir(folder)
            .env("PATH", path)
            .env("NO_COLOR", "1")
            .process_group(0);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let (says, said) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = Vec::new();
            while stdout.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                if says.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    return;
                }
                line.clear();
            }
        });
        let mut shell = Shell {
            child,
            stdin,
            said,
            port: None,
        };
        assert_eq!(shell.run("exec 2>&1"), (String::new(), 0));
        shell
    }

    /// Runs a command: what it printed, and its exit code.
    pub fn run(&mut self, command: &str) -> (String, i32) {
        let command = match self.port {
            Some(port) => command.replace(":4043", &format!(":{port}")),
            None => {
                assert!(!command.contains(":4043"), "no server runs yet: {command}");
                command.to_owned()
            }
        };
        writeln!(
            self.stdin,
            "{{\n{command}\n}} </dev/null\nprintf '\\n%s %s\\n' '{DONE}' $?"
        )
        .unwrap();
        let mut said = String::new();
        loop {
            let line = self.said.recv_timeout(PATIENCE * 2);
            let line = line.unwrap_or_else(|why| panic!("{why}: {command}\n{said}"));
            if let Some(code) = line.strip_prefix(DONE) {
                return (self.steady(said), code.trim().parse().unwrap());
            }
            said += &line;
        }
    }

    /// What differs from run to run, made the same.
    fn steady(&self, mut said: String) -> String {
        // The one that stands before the mark.
        said.pop();
        if !said.is_empty() && !said.ends_with('\n') {
            said.push('\n');
        }
        if let Some(port) = self.port {
            said = said.replace(&format!(":{port}"), ":4043");
        }
        said
    }

    /// Starts the server of this command line in the place of the one that runs.
    pub fn serve(&mut self, command: &str) {
        assert!(
            !command.contains("--port"),
            "the port is ours to choose: {command}"
        );
        let mut script = String::from("[ -z \"$server\" ] || { kill $server; wait $server; }\n");
        script += "rm -f ready.json\n";
        let _ = write!(
            script,
            "MOCK_SSE_PORT=0 MOCK_SSE_READY_FILE=ready.json {command} >server.log 2>&1 &\nserver=$!\n"
        );
        script +=
            "until [ -e ready.json ]; do kill -0 $server || { cat server.log; break; }; sleep 0.05; done\n";
        script += "sed -n 's/.*\"port\": \\([0-9]*\\).*/\\1/p' ready.json";
        self.port = None;
        let (said, _) = self.run(&script);
        let port = said.lines().last().and_then(|port| port.parse().ok());
        self.port = Some(port.unwrap_or_else(|| panic!("{command}: {said}")));
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let group = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        let _ = self.child.wait();
    }
}

/// Whether a command line serves until it is stopped.
pub fn serves(line: &str) -> bool {
    // Variables may stand before it.
    let mut words = line.split_whitespace().skip_while(|word| word.contains('='));
    let first = words.next() == Some("mock-sse");
    let what = words.next().unwrap_or("--");
    let stays = !line.ends_with('&') && !line.contains("--version") && !line.contains("--help");
    first && stays && (what == "serve" || what.starts_with('-'))
}

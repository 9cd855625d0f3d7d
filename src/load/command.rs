//! Publishing by a command of the shell, once a message. What belongs here: how it gets the message,
//! and what it says when it fails.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// The variable that holds the message; standard input holds it, too.
pub const VARIABLE: &str = "MOCK_SSE_MESSAGE";

/// How much of what a command complains is read, in bytes, and how much of it is shown.
const MOST_COMPLAINTS: u64 = 16 * 1024;
const MOST_SHOWN: usize = 200;
/// A child of the command may keep its output open: it is not waited for.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// Runs the command for one message; an error text unless it succeeds in time.
pub async fn run(line: &str, message: &str, patience: Duration) -> Result<(), String> {
    let mut child = Command::new("sh")
        .args(["-c", line])
        .env(VARIABLE, message)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("the command cannot be run: sh: {error}"))?;
    let (status, complaint) = timeout(patience, outcome(&mut child, message))
        .await
        .map_err(|_| "the command did not end in time")??;
    match status.success() {
        true => Ok(()),
        false => Err(failure(status, &complaint)),
    }
}

async fn outcome(child: &mut Child, message: &str) -> Result<(ExitStatus, Vec<u8>), String> {
    let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
    let mut complaint = Vec::new();
    let status = {
        let listen = async {
            if let Some(stderr) = stderr {
                let _ = stderr.take(MOST_COMPLAINTS).read_to_end(&mut complaint).await;
            }
        };
        let speak = async {
            if let Some(mut stdin) = stdin {
                // It need not be read; and the end of it is told by closing it.
                let _ = stdin.write_all(message.as_bytes()).await;
            }
            child.wait().await
        };
        tokio::pin!(listen, speak);
        let mut silent = false;
        loop {
            tokio::select! {
                () = &mut listen, if !silent => silent = true,
                status = &mut speak => {
                    if !silent {
                        let _ = timeout(LAST_WORDS, listen).await;
                    }
                    break status;
                }
            }
        }
    };
    let status = status.map_err(|error| format!("the command was lost: {error}"))?;
    Ok((status, complaint))
}

/// The last line of what it complained: what went wrong mostly stands there.
fn failure(status: ExitStatus, complaint: &[u8]) -> String {
    let text = String::from_utf8_lossy(complaint);
    let last = text.lines().rev().map(str::trim).find(|line| !line.is_empty());
    let last: String = last.unwrap_or_default().chars().take(MOST_SHOWN).collect();
    match last.is_empty() {
        true => format!("the command failed ({status})"),
        false => format!("the command failed ({status}): {last}"),
    }
}

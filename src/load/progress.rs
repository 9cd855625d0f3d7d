//! The line on a terminal that says how far a run is. What belongs here: what is shown, and how
//! often; it is redrawn in place, and gone when the run is over.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::board::{Board, Seen, lock};
use super::settings::{LoadSettings, Work};

const BETWEEN: Duration = Duration::from_millis(200);
/// Characters of the bar, and of the whole line: what is wider would not be overwritten.
const BAR: usize = 20;
const WIDEST: usize = 79;

/// What a run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Connecting,
    WarmUp,
    Publishing,
    Listening,
}

/// Draws while it is there.
pub struct Progress {
    drawing: tokio::task::JoinHandle<()>,
    terminal: Terminal,
}

/// Standard error. Once it is let go of, nobody draws on it any more.
#[derive(Debug, Clone, Default)]
struct Terminal {
    left: Arc<Mutex<bool>>,
}

/// What is to be done in all.
#[derive(Debug, Clone, Copy)]
struct Whole {
    streams: u64,
    messages: u64,
    /// How long publishing or listening takes, as far as that is fixed.
    time: Option<Duration>,
}

impl Progress {
    /// Draws on standard error, if that is a terminal.
    pub fn begin(settings: &LoadSettings, board: &Arc<Board>) -> Option<Self> {
        if !settings.progress || !io::stderr().is_terminal() {
            return None;
        }
        let (whole, board) = (Whole::new(settings), board.clone());
        let terminal = Terminal::default();
        let shown = terminal.clone();
        let drawing = async move {
            let mut phase = (Phase::Connecting, Instant::now());
            loop {
                tokio::time::sleep(BETWEEN).await;
                let seen = board.seen();
                if seen.phase != phase.0 {
                    phase = (seen.phase, Instant::now());
                }
                shown.draw(&line(&seen, whole, phase.1.elapsed()));
            }
        };
        Some(Self {
            drawing: tokio::spawn(drawing),
            terminal,
        })
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.drawing.abort();
        self.terminal.leave();
    }
}

impl Terminal {
    /// Replaces the line. Nothing is to be done about a terminal that is gone.
    fn draw(&self, line: &str) {
        let left = lock(&self.left);
        if !*left {
            let _ = write!(io::stderr(), "\r\x1b[K{line}");
        }
    }

    /// Takes the line away, for good: the task may still be drawing when it is told to stop.
    fn leave(&self) {
        let mut left = lock(&self.left);
        let _ = write!(io::stderr(), "\r\x1b[K");
        *left = true;
    }
}

impl Whole {
    fn new(settings: &LoadSettings) -> Whole {
        let streams = settings.streams as u64;
        let (messages, time) = match &settings.work {
            Work::Listen(listen) => (0, Some(listen.time)),
            Work::Publish(publish) => {
                let seconds = |rate: f64| publish.messages as f64 / rate;
                let time = publish.rate.map(|rate| Duration::from_secs_f64(seconds(rate)));
                (publish.messages, time)
            }
        };
        Whole {
            streams,
            messages,
            time,
        }
    }
}

/// `publishing ██████████░░░░░░░░░░ 125/250 messages, 12,500 deliveries, 3 s left`
fn line(seen: &Seen, whole: Whole, elapsed: Duration) -> String {
    let Seen {
        phase,
        tried,
        settled,
        sent,
        delivered,
    } = *seen;
    let Whole {
        streams, messages, ..
    } = whole;
    let part = |done: u64, all: u64| done.min(all) as f64 / all.max(1) as f64;
    let of_time = |time: Duration| (elapsed.as_secs_f64() / time.as_secs_f64().max(1e-9)).min(1.0);
    let (what, done, text) = match phase {
        Phase::Connecting => (
            "connecting",
            part(tried, streams),
            format!("{tried}/{streams} streams"),
        ),
        Phase::WarmUp => (
            "warm-up",
            part(settled, streams),
            format!("{settled}/{streams} streams have had a message"),
        ),
        Phase::Publishing => (
            "publishing",
            part(sent, messages),
            format!("{sent}/{messages} messages, {delivered} deliveries"),
        ),
        Phase::Listening => (
            "listening",
            whole.time.map_or(0.0, of_time),
            format!("{} s", elapsed.as_secs()),
        ),
    };
    let filled = (done * BAR as f64) as usize;
    let mut line = format!(
        "{what:<10} {}{} {text}",
        "█".repeat(filled),
        "░".repeat(BAR - filled)
    );
    if let Some(left) = left(phase, done, whole, elapsed) {
        let _ = write!(line, ", {} s left", left.as_secs_f64().ceil());
    }
    line.chars().take(WIDEST).collect()
}

/// By the schedule if there is one, else by how long the part that is done took.
fn left(phase: Phase, done: f64, whole: Whole, elapsed: Duration) -> Option<Duration> {
    match (phase, whole.time) {
        (Phase::Publishing | Phase::Listening, Some(time)) => Some(time.saturating_sub(elapsed)),
        (Phase::Publishing, None) if done > 0.0 => Some(elapsed.mul_f64((1.0 - done) / done)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let seen = Seen {
            phase: Phase::Connecting,
            tried: 50,
            settled: 90,
            sent: 125,
            delivered: 12_500,
        };
        let whole = Whole {
            streams: 100,
            messages: 250,
            time: None,
        };
        let timed = Whole {
            time: Some(Duration::from_secs(8)),
            ..whole
        };
        let two = Duration::from_secs(2);
        for (phase, whole, expected) in [
            (
                Phase::Connecting,
                whole,
                "connecting ██████████░░░░░░░░░░ 50/100 streams",
            ),
            (
                Phase::WarmUp,
                whole,
                "warm-up    ██████████████████░░ 90/100 streams have had a message",
            ),
            (
                Phase::Publishing,
                whole,
                "publishing ██████████░░░░░░░░░░ 125/250 messages, 12500 deliveries, 2 s left",
            ),
            (
                Phase::Publishing,
                timed,
                "publishing ██████████░░░░░░░░░░ 125/250 messages, 12500 deliveries, 6 s left",
            ),
            (
                Phase::Listening,
                timed,
                "listening  █████░░░░░░░░░░░░░░░ 2 s, 6 s left",
            ),
        ] {
            assert_eq!(line(&Seen { phase, ..seen }, whole, two), expected);
        }
        let nothing = Seen {
            phase: Phase::Publishing,
            sent: 0,
            ..seen
        };
        let text = line(&nothing, whole, two);
        assert!(!text.contains("left"), "{text}");
        let huge = Seen {
            delivered: u64::MAX,
            sent: u64::MAX,
            ..nothing
        };
        assert_eq!(line(&huge, timed, two).chars().count(), WIDEST);
    }
}

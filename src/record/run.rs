//! A recording from beginning to end: connect, ask, write the scenario, write what comes, write the
//! scenario again with its end.

use std::io;
use std::ops::ControlFlow;
use std::pin::pin;
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::files::{Lines, Places};
use super::head::{Framing, Seen};
use super::scenario::{Answer, yaml};
use super::tape::{Full, Tape};
use super::{Ending, Progress, RecordError, Recorded, Settings};
use crate::client::body::{Body, Malformed, Progress as Fed};
use crate::client::connect::{Connector, Wire};
use crate::client::head;
use crate::client::http1::{exchange_whole, read};
use crate::scenario::load::LARGEST;

/// How often progress is told.
const TELL: Duration = Duration::from_millis(100);

/// An answer whose head has come.
struct Opened {
    wire: Box<dyn Wire>,
    seen: Seen,
    body: Body,
    /// What came behind the head already.
    rest: Vec<u8>,
    /// How long the head took.
    waited: Duration,
}

/// Makes the request and records the answer until it ends, there is enough, or `stop` is ready. Tells
/// `progress` as it goes.
///
/// # Errors
/// Nothing was asked for, no answer came, or the files cannot be written. What was written by then stays.
pub async fn record(
    settings: &Settings,
    stop: impl Future<Output = ()>,
    mut progress: impl FnMut(&Progress),
) -> Result<Recorded, RecordError> {
    let places = Places::new(&settings.output, settings.force)?;
    let mut stop = pin!(stop);
    let opened = tokio::select! {
        opened = open(settings) => opened?,
        () = &mut stop => {
            return Err(RecordError::NoAnswer("stopped before an answer came".into()));
        }
    };
    let (seen, waited) = (&opened.seen, opened.waited);
    let answer = |file, ending| {
        yaml(&Answer {
            asked: &settings.asked,
            seen,
            waited,
            file,
            ending,
        })
    };
    let mut notes = first_notes(seen);
    if seen.framing == Framing::Empty {
        places.scenario(&answer(None, None))?;
        let progress = Progress {
            events: None,
            writes: 0,
            bytes: 0,
            elapsed: Duration::ZERO,
        };
        return Ok(Recorded {
            progress,
            ending: Ending::Close,
            notes,
        });
    }
    let out = places.recording()?;
    places.scenario(&answer(Some(&places.name), None))?;
    let readable = seen.is_stream() && seen.coding.is_none();
    let mut deck = Deck {
        wire: opened.wire,
        body: opened.body,
        tape: Tape::new(out, readable, settings.events, LARGEST),
        began: Instant::now(),
    };
    let enough = async {
        match settings.time {
            Some(time) => tokio::select! { () = sleep(time) => {}, () = stop => {} },
            None => stop.await,
        }
    };
    let ending = deck.run(&opened.rest, enough, &mut progress, &mut notes).await;
    let elapsed = deck.began.elapsed();
    let written = deck.tape.flush();
    let ending = ending.and_then(|ending| written.map(|()| ending));
    let failed = |error: io::Error| RecordError::Write(format!("{} cannot be written: {error}", places.name));
    if deck.tape.full == Some(Full::Room) {
        notes.push("the recording is full: a larger file could not be read again".into());
    }
    let behind = elapsed.saturating_sub(deck.tape.last);
    let file = (deck.tape.writes > 0).then_some(places.name.as_str());
    let how = *ending.as_ref().unwrap_or(&Ending::Open);
    places.scenario(&answer(file, Some((how, behind))))?;
    if file.is_none() {
        places.remove_recording()?;
    }
    let progress = deck.progress();
    ending.map_err(failed).map(|ending| Recorded {
        progress,
        ending,
        notes,
    })
}

/// Connects, asks, and waits for the head.
async fn open(settings: &Settings) -> Result<Opened, RecordError> {
    let no_answer = RecordError::NoAnswer;
    let asked = &settings.asked;
    let connector = Connector::new(&asked.target, &settings.access, false).await?;
    let late = |what: &str| no_answer(format!("no {what} within {:?}", settings.patience));
    let connecting = timeout(settings.patience, connector.connect());
    let connected = connecting.await.map_err(|_| late("connection"))?;
    let mut wire = connected.map_err(|why| no_answer(format!("cannot connect: {why}")))?;
    let began = Instant::now();
    let request = asked.bytes();
    let asking = timeout(settings.patience, exchange_whole(&mut *wire, &request));
    let answered = asking.await.map_err(|_| late("answer"))?;
    let (bytes, answer) = answered.map_err(|why| no_answer(format!("no answer: {why}")))?;
    let waited = began.elapsed();
    let seen = Seen::new(&answer.head, head::lines(&bytes), asked, settings.with_secrets)?;
    Ok(Opened {
        wire,
        seen,
        body: answer.head.body,
        rest: answer.rest,
        waited,
    })
}

/// What there is to say about the head.
fn first_notes(seen: &Seen) -> Vec<String> {
    let mut notes = Vec::new();
    if !seen.is_stream() {
        let what = match seen.content_type.as_str() {
            "" => "no content type",
            content_type => content_type,
        };
        notes.push(format!("this is no event stream: status {}, {what}", seen.status));
    } else if seen.status != 200 {
        notes.push(format!(
            "the status is {}: a client takes no events from that",
            seen.status
        ));
    }
    if let Some(coding) = &seen.coding {
        notes.push(format!(
            "the body is compressed ({coding}): it is recorded as it is, its events are not counted"
        ));
    }
    if !seen.hidden.is_empty() {
        notes.push(format!(
            "left out, as they may be secrets: {} (--with-secrets keeps them)",
            seen.hidden.join(", ")
        ));
    }
    if !seen.impossible.is_empty() {
        notes.push(format!(
            "left out, as no scenario can send them: {}",
            seen.impossible.join(", ")
        ));
    }
    notes
}

/// A body that is recorded.
struct Deck {
    wire: Box<dyn Wire>,
    body: Body,
    tape: Tape<Lines>,
    began: Instant,
}

impl Deck {
    /// Records until the body ends or there is enough.
    async fn run(
        &mut self,
        rest: &[u8],
        enough: impl Future<Output = ()>,
        progress: &mut impl FnMut(&Progress),
        notes: &mut Vec<String>,
    ) -> io::Result<Ending> {
        let mut enough = pin!(enough);
        let mut ticks = interval(TELL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        if let Some(ending) = self.feed(rest, notes)? {
            return Ok(ending);
        }
        let mut bytes = Vec::new();
        loop {
            let came = tokio::select! {
                biased;
                () = &mut enough => return Ok(Ending::Open),
                came = read(&mut *self.wire, |piece| bytes.extend_from_slice(piece)) => came,
                _ = ticks.tick() => {
                    progress(&self.progress());
                    continue;
                }
            };
            match came {
                Ok(0) if self.body.may_close() => return Ok(Ending::Close),
                Ok(0) => return Ok(Ending::Cut),
                Ok(_) => {}
                Err(error) => return Ok(self.broken(&error)),
            }
            if let Some(ending) = self.feed(&bytes, notes)? {
                return Ok(ending);
            }
            bytes.clear();
        }
    }

    /// Takes what was read; the ending, if that is it.
    fn feed(&mut self, bytes: &[u8], notes: &mut Vec<String>) -> io::Result<Option<Ending>> {
        let at = self.began.elapsed();
        let mut took = Ok(ControlFlow::Continue(()));
        let tape = &mut self.tape;
        let fed = self.body.feed_pieces(bytes, |piece, ends| {
            if matches!(took, Ok(ControlFlow::Continue(()))) && !piece.is_empty() {
                took = tape.take(piece, ends, at);
            }
        });
        if took?.is_break() {
            return Ok(Some(Ending::Open));
        }
        Ok(match fed {
            Ok(Fed::Open) => None,
            Ok(Fed::Complete(_)) => Some(Ending::Close),
            Err(Malformed) => {
                notes.push("the body is not properly chunked: what follows is not recorded".into());
                Some(Ending::Cut)
            }
        })
    }

    /// How a connection ended that did not end well.
    fn broken(&self, error: &io::Error) -> Ending {
        match error.kind() {
            io::ErrorKind::ConnectionReset => Ending::Reset,
            io::ErrorKind::UnexpectedEof if self.body.may_close() => Ending::Unannounced,
            _ => Ending::Cut,
        }
    }

    fn progress(&self) -> Progress {
        let tape = &self.tape;
        Progress {
            events: tape.counts().then_some(tape.events),
            writes: tape.writes,
            bytes: tape.bytes,
            elapsed: self.began.elapsed(),
        }
    }
}

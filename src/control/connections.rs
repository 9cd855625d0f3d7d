//! The open streams of a session.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::clock::blocking;
use super::event::EventWishes;
use super::time::ms;
use super::{Failure, Time, in_time, until};
use crate::engine::Engine;
use crate::engine::connections::{LiveConnection, Order};
use crate::event::Event;
use crate::journal::is_meant;
use crate::scenario::duration;
use crate::scenario::model::End;

/// RFC 9113 §7.
const CANCEL: u32 = 8;

/// An open stream.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Connection {
    /// Its number in the session, in order of arrival.
    pub number: u64,
    /// The endpoint's key: `GET /sse#0`.
    pub endpoint: String,
    /// The path that was asked for.
    pub path: String,
    /// The client's address.
    pub peer: String,
    /// When it came: milliseconds since the session began.
    pub since_ms: f64,
    /// Events it was sent.
    pub events: u64,
    /// Bytes of the body it was sent, before they are compressed.
    pub bytes: u64,
    /// Whether something is being written that the client has not taken.
    pub writing: bool,
}

/// The open streams.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Connections {
    /// How many are meant.
    pub count: usize,
    /// In order of arrival.
    pub connections: Vec<Connection>,
}

/// Which streams are meant.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// Only those of this endpoint: its key, its key without the number, or a path.
    pub endpoint: Option<String>,
}

/// Which streams are meant, and how many are waited for.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Awaited {
    /// Only those of this endpoint: its key, its key without the number, or a path.
    pub endpoint: Option<String>,
    /// Until there are at least so many.
    pub count: Option<usize>,
    /// Until there are at most so many.
    pub max: Option<usize>,
    /// How long (in real time) that may take; without it, it must be so at once.
    pub wait: Option<Time>,
}

/// Which streams are sent something, and how long that may take.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Receivers {
    /// Only those of this endpoint: its key, its key without the number, or a path.
    pub endpoint: Option<String>,
    /// How long (in real time) it may take until clients have read what is written; usually 10s.
    pub timeout: Option<Time>,
}

/// Streams that were told to end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Ended {
    /// How many.
    pub ended: usize,
}

/// What became of events that were sent into streams.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Sent {
    /// How many streams got all of them.
    pub reached: usize,
    /// Those that could not be sent anything, and why.
    pub refused: Vec<Refused>,
}

/// A stream that could not be sent anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Refused {
    /// Its number.
    pub number: u64,
    /// Why.
    pub why: String,
}

/// How streams can be told to end.
pub fn ending(word: &str) -> Option<End> {
    match word {
        "close" => Some(End::Close),
        "cut" => Some(End::Cut { code: CANCEL }),
        "reset" => Some(End::Reset),
        "goaway" => Some(End::Goaway),
        _ => None,
    }
}

fn shown(live: &Arc<LiveConnection>) -> Connection {
    Connection {
        number: live.number,
        endpoint: live.endpoint().to_string(),
        path: live.path().to_owned(),
        peer: live.peer().to_string(),
        since_ms: ms(live.since()),
        events: live.events(),
        bytes: live.bytes(),
        writing: live.stuck_for().is_some(),
    }
}

fn is_of(live: &LiveConnection, endpoint: Option<&str>) -> bool {
    let Some(wanted) = endpoint else { return true };
    is_meant(live.endpoint(), wanted) || live.path() == wanted
}

fn meant(engine: &Engine, endpoint: Option<&str>) -> Vec<Arc<LiveConnection>> {
    let mut all = engine.connections.all();
    all.retain(|live| is_of(live, endpoint));
    all
}

/// The streams that are open, or will be within the time that is given for it.
///
/// # Errors
///
/// There are not as many as were waited for.
pub async fn list(engine: &Engine, wish: &Awaited) -> Result<Connections, Failure> {
    let endpoint = wish.endpoint.as_deref();
    let as_many = |count: usize| {
        wish.count.is_none_or(|least| count >= least) && wish.max.is_none_or(|most| count <= most)
    };
    let patience = wish.wait.map_or(Duration::ZERO, |time| time.0);
    let mut found = Vec::new();
    let met = until(&engine.session.board, patience, || {
        found = meant(engine, endpoint);
        as_many(found.len())
    })
    .await;
    if met {
        let connections: Vec<_> = found.iter().map(shown).collect();
        let count = connections.len();
        return Ok(Connections { count, connections });
    }
    let least = wish.count.map(|count| format!("at least {count}"));
    let most = wish.max.map(|max| format!("at most {max}"));
    let wanted: Vec<String> = least.into_iter().chain(most).collect();
    Err(Failure::TooLate(format!(
        "{} {} open after {}, not {}: {}",
        count_of(found.len(), "stream"),
        if found.len() == 1 { "is" } else { "are" },
        duration::format(patience),
        wanted.join(" and "),
        names(&found),
    )))
}

fn count_of(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn names(streams: &[Arc<LiveConnection>]) -> String {
    /// More would make no sentence.
    const MOST: usize = 10;
    if streams.is_empty() {
        return "nobody is connected".into();
    }
    let named = streams.iter().take(MOST);
    let mut names: Vec<String> = named
        .map(|live| format!("{} ({})", live.number, live.endpoint()))
        .collect();
    if streams.len() > MOST {
        names.push(format!("{} more", streams.len() - MOST));
    }
    names.join(", ")
}

/// An open stream.
///
/// # Errors
///
/// It is not open.
pub fn one(engine: &Engine, number: u64) -> Result<Connection, Failure> {
    find(engine, number).map(|live| shown(&live))
}

fn find(engine: &Engine, number: u64) -> Result<Arc<LiveConnection>, Failure> {
    let open = || names(&engine.connections.all());
    let missing = || Failure::Missing(format!("no stream {number} is open; there are: {}", open()));
    engine.connections.find(number).ok_or_else(missing)
}

/// Tells a stream to end. It answers at once: the stream is gone when its ending is written.
///
/// # Errors
///
/// It is not open.
pub fn end_one(engine: &Engine, number: u64, end: End) -> Result<Ended, Failure> {
    find(engine, number)?.order(Order::End(end));
    Ok(Ended { ended: 1 })
}

/// Tells streams to end.
pub fn end(engine: &Engine, which: &Which, end: End) -> Ended {
    let all = meant(engine, which.endpoint.as_deref());
    all.iter().for_each(|live| live.order(Order::End(end)));
    Ended { ended: all.len() }
}

/// Sends events into a stream, between those of its script. It answers when they are written.
///
/// # Errors
///
/// It is not open, takes no events, or its client does not read.
pub async fn send_one(
    engine: &Engine,
    number: u64,
    wishes: EventWishes,
    patience: Duration,
) -> Result<Sent, Failure> {
    let live = find(engine, number)?;
    let sent = send_to(engine, vec![live], wishes, patience).await?;
    match sent.refused.first() {
        Some(refused) => Err(Failure::Conflict(format!(
            "nothing was sent to stream {number}: {}",
            refused.why
        ))),
        None => Ok(sent),
    }
}

/// Sends events into all the streams that are meant. It answers when they are written.
///
/// # Errors
///
/// A client does not read.
pub async fn send(
    engine: &Engine,
    which: &Which,
    wishes: EventWishes,
    patience: Duration,
) -> Result<Sent, Failure> {
    let all = meant(engine, which.endpoint.as_deref());
    send_to(engine, all, wishes, patience).await
}

async fn send_to(
    engine: &Engine,
    streams: Vec<Arc<LiveConnection>>,
    wishes: EventWishes,
    patience: Duration,
) -> Result<Sent, Failure> {
    let events = events(wishes)?;
    let deadline = tokio::time::Instant::now() + patience;
    // All get them before any is waited for.
    let handed = streams.into_iter().map(|live| {
        let answer = live.hand_in(events.clone());
        (live, answer)
    });
    let handed: Vec<_> = handed.collect();
    let (mut sent, mut late) = (
        Sent {
            reached: 0,
            refused: Vec::new(),
        },
        Vec::new(),
    );
    for (live, answer) in handed {
        let left = deadline.saturating_duration_since(tokio::time::Instant::now());
        let outcome = match answer {
            None => Some(Err(())),
            Some(answer) => in_time(left, answer).await.map(|told| told.map_err(|_| ())),
        };
        let why = match outcome {
            Some(Ok(Ok(()))) => {
                sent.reached += 1;
                continue;
            }
            Some(Ok(Err(why))) => why,
            Some(Err(())) => "it has ended, or sends nothing any more".to_owned(),
            None => {
                late.push(live);
                continue;
            }
        };
        let number = live.number;
        sent.refused.push(Refused { number, why });
    }
    if late.is_empty() {
        return Ok(sent);
    }
    Err(Failure::TooLate(format!(
        "after {} these streams had not been sent all of it: {}; {}",
        duration::format(patience),
        names(&late),
        blocking(engine),
    )))
}

fn events(wishes: EventWishes) -> Result<Vec<Event>, Failure> {
    if wishes.0.is_empty() {
        return Err(Failure::Invalid("the list holds no event".into()));
    }
    if wishes.0.iter().any(|wish| wish.is_counted()) {
        let why = "`id: counter` numbers the messages of a topic; in a stream say the id itself";
        return Err(Failure::Invalid(why.into()));
    }
    wishes.0.into_iter().map(|wish| wish.event()).collect()
}

//! A run from beginning to end: checks, streams, warm-up, messages, report. What belongs here:
//! the order of things, and when to stop waiting.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::board::Board;
use super::error::LoadError;
use super::process::{self, Process};
use super::publisher::{Published, Publisher};
use super::report::{Facts, LoadReport};
use super::settings::{Listen, LoadSettings, Publish, Work};
use super::streams::Streams;

/// Rounds of warm-up messages before streams without any are given up.
const WARM_UP_ROUNDS: u32 = 5;

/// Opens the streams, publishes or listens, and reports. Ends by itself: every wait has a
/// time-out, and the number of messages is fixed.
///
/// # Errors
/// Only what keeps the run from beginning; failed streams and lost messages are in the report.
pub async fn run(settings: LoadSettings) -> Result<LoadReport, LoadError> {
    check(&settings)?;
    let enough = match &settings.work {
        Work::Listen(listen) => listen.events,
        Work::Publish(_) => None,
    };
    let mut publisher = match &settings.work {
        Work::Publish(publish) => Some(Publisher::new(publish, &settings).await?),
        Work::Listen(_) => None,
    };
    let server = settings.server_pid.map(Process::Pid);
    let board = Board::new(enough);
    let pss_before = server.and_then(Process::pss_kib);
    let streams = Streams::open(&settings, &board).await?;
    let mut facts = Facts {
        pss_before,
        ..Facts::default()
    };
    if streams.opened() > 0 {
        let measured = match (&settings.work, &mut publisher) {
            (Work::Publish(publish), Some(publisher)) => {
                facts.unsettled = settle(publish, publisher, &board, &streams, &settings).await;
                let publishing = publish_all(publisher, &board, &streams, &settings);
                measure(&board, server, publishing).await
            }
            (Work::Listen(listen), _) => {
                let listening = listen_until(*listen, &board, &streams);
                measure(&board, server, listening).await
            }
            (Work::Publish(_), None) => unreachable!("a publisher is made for publishing"),
        };
        facts.measured = Some(measured);
    }
    Ok(LoadReport::new(&settings, &board, &streams, facts))
}

fn check(settings: &LoadSettings) -> Result<(), LoadError> {
    let positive = [
        ("--streams", settings.streams),
        ("--connect-concurrency", settings.connect_concurrency),
        ("--streams-per-connection", settings.streams_per_connection),
    ];
    for (name, value) in positive {
        if value == 0 {
            let why = "it must be at least 1".to_owned();
            return Err(LoadError::Setting { name, why });
        }
    }
    if let Work::Publish(publish) = &settings.work {
        check_schedule(publish, settings.limit)?;
    }
    if let Some(pid) = settings.server_pid {
        process::check(pid)?;
    }
    process::make_room(settings.connections() as u64)
}

fn check_schedule(publish: &Publish, limit: Duration) -> Result<(), LoadError> {
    let Some(rate) = publish.rate else {
        return Ok(());
    };
    let wrong = |name, why: &str| {
        let why = why.to_owned();
        Err(LoadError::Setting { name, why })
    };
    if !rate.is_finite() || rate <= 0.0 {
        return wrong("--rate", "it must be above 0");
    }
    if publish.messages as f64 / rate > limit.as_secs_f64() {
        return wrong("--limit", "posting all messages at this rate takes longer");
    }
    Ok(())
}

/// Publishes warm-up messages until every stream has had one; returns how many never did.
///
/// A head alone does not show that a server has subscribed the stream to anything.
async fn settle(
    publish: &Publish,
    publisher: &mut Publisher,
    board: &Arc<Board>,
    streams: &Streams,
    settings: &LoadSettings,
) -> u64 {
    if publish.warm_up == 0 {
        return 0;
    }
    let alive = |board: &Board| {
        let ended = board.ended();
        streams.opened() - ended.clean - ended.broken
    };
    // The first round, at full length, also warms up; further ones only probe.
    let (mut count, mut sent) = (publish.warm_up, 0);
    for _ in 0..WARM_UP_ROUNDS {
        let round = publisher.warm_up(board, count).await;
        sent += round.accepted;
        let idle = (settings.timeout / WARM_UP_ROUNDS).min(settings.limit);
        board
            .wait(idle, |board| board.warm_ups.reached(sent * alive(board)))
            .await;
        let settled = board.settled.get() >= alive(board);
        if settled || round.accepted == 0 {
            break;
        }
        count = 1;
    }
    board.warm_ups.disarm();
    streams.opened() - board.settled.get()
}

async fn publish_all(
    publisher: &mut Publisher,
    board: &Arc<Board>,
    streams: &Streams,
    settings: &LoadSettings,
) -> Published {
    let deadline = tokio::time::Instant::now() + settings.limit;
    let published = publisher.publish(board).await;
    let delivered = board.wait(settings.timeout, |board| {
        let ended = board.ended();
        let alive = streams.opened() - ended.clean - ended.broken;
        let expected = published.accepted * alive + ended.delivered;
        board.delivered.reached(expected)
    });
    // What has not come by then shows as lost.
    let _ = tokio::time::timeout_at(deadline, delivered).await;
    board.delivered.disarm();
    published
}

async fn listen_until(listen: Listen, board: &Arc<Board>, streams: &Streams) -> Published {
    // Nothing is published, so nothing counts as delivered and the wait is never prolonged.
    board
        .wait(listen.time, |board| board.satisfied.reached(streams.opened()))
        .await;
    Published::default()
}

/// What was measured around the messages.
pub struct Measured {
    pub published: Published,
    /// When the work began: Unix time, nanoseconds.
    pub began_ns: u64,
    /// How long it took, waiting for what never came included.
    pub took: Duration,
    pub own_cpu_s: Option<f64>,
    pub server_cpu_s: Option<f64>,
    /// Server memory just before, with all streams open and idle.
    pub pss_open: Option<u64>,
    /// Server memory just after.
    pub pss_after: Option<u64>,
}

async fn measure(board: &Board, server: Option<Process>, work: impl Future<Output = Published>) -> Measured {
    let server_cpu = || server.and_then(Process::cpu_seconds);
    let pss_open = server.and_then(Process::pss_kib);
    let (own, theirs) = (Process::Own.cpu_seconds(), server_cpu());
    let (began, began_ns) = (Instant::now(), board.clock.now_ns());
    let published = work.await;
    let took = began.elapsed();
    let spent = |before: Option<f64>, after: Option<f64>| Some(after? - before?);
    Measured {
        published,
        began_ns,
        took,
        own_cpu_s: spent(own, Process::Own.cpu_seconds()),
        server_cpu_s: spent(theirs, server_cpu()),
        pss_open,
        pss_after: server.and_then(Process::pss_kib),
    }
}

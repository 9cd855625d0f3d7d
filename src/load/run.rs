//! A run from beginning to end: checks, streams, warm-up, messages, report. What belongs here:
//! the order of things, and when to stop waiting.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::board::Board;
use super::error::LoadError;
use super::process::{self, Process, Server};
use super::progress::{Phase, Progress};
use super::publishing::{Published, Publishing};
use super::report::{Facts, LoadReport};
use super::settings::{Listen, LoadSettings, Publish, Way, Work};
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
    let (mut publishing, publishers) = match &settings.work {
        Work::Publish(publish) => {
            let publishing = Publishing::new(publish, &settings).await?;
            (Some(publishing), publish.publishers)
        }
        Work::Listen(_) => (None, 1),
    };
    let server = Server::new(&settings.server_pids)?;
    let board = Board::new(enough, publishers);
    let pss_before = server.pss_kib();
    let cpu = (Process::Own.cpu_seconds(), server.cpu_seconds());
    let progress = Progress::begin(&settings, &board);
    let streams = Streams::open(&settings, &board).await?;
    let opened = streams.count.clone();
    let mut facts = Facts {
        pss_before,
        set_up_own_s: spent(cpu.0, Process::Own.cpu_seconds()),
        set_up_server_s: spent(cpu.1, server.cpu_seconds()),
        ..Facts::default()
    };
    if opened.opened > 0 {
        let crowd = Crowd {
            board: &board,
            opened: opened.opened,
            settings: &settings,
        };
        let measured = match (&settings.work, &mut publishing) {
            (Work::Publish(_), Some(publishing)) => {
                publishing.connect(settings.connect_concurrency).await;
                facts.unsettled = crowd.settle(publishing).await;
                measure(&board, &server, crowd.publish(publishing)).await
            }
            (Work::Listen(listen), _) => measure(&board, &server, crowd.listen(*listen)).await,
            (Work::Publish(_), None) => unreachable!("publishers are made for publishing"),
        };
        facts.measured = Some(measured);
    }
    drop(progress);
    let found = streams.close().await;
    Ok(LoadReport::new(&settings, &board, &opened, &found, facts))
}

fn check(settings: &LoadSettings) -> Result<(), LoadError> {
    let publishers = match &settings.work {
        Work::Publish(publish) => publish.publishers,
        Work::Listen(_) => 1,
    };
    let positive = [
        ("--streams", settings.streams),
        ("--connect-concurrency", settings.connect_concurrency),
        ("--streams-per-connection", settings.streams_per_connection),
        ("--threads", settings.threads),
        ("--publishers", publishers),
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
    process::make_room((settings.connections() + publishers * files(settings)) as u64)
}

/// Open files of a publisher: its connection, or the pipes to and from its command.
fn files(settings: &LoadSettings) -> usize {
    match &settings.work {
        Work::Publish(publish) if matches!(publish.way, Way::Command(_)) => 6,
        _ => 1,
    }
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

/// The opened streams, and how they are waited for.
struct Crowd<'a> {
    board: &'a Arc<Board>,
    opened: u64,
    settings: &'a LoadSettings,
}

impl Crowd<'_> {
    /// Streams that are still there.
    fn alive(&self) -> u64 {
        let ended = self.board.ended();
        self.opened - ended.clean - ended.broken
    }

    /// Publishes warm-up messages until every stream has had one; returns how many never did.
    ///
    /// A head alone does not show that a server has subscribed the stream to anything.
    async fn settle(&self, publishing: &mut Publishing) -> u64 {
        let Self { board, settings, .. } = self;
        board.enter(Phase::WarmUp);
        if publishing.warm_up_count() == 0 {
            return 0;
        }
        // The first round, at full length, also warms up; further ones only probe.
        let (mut count, mut sent) = (publishing.warm_up_count(), 0);
        for _ in 0..WARM_UP_ROUNDS {
            let round = publishing.warm_up(board, count).await;
            sent += round.accepted;
            let idle = (settings.timeout / WARM_UP_ROUNDS).min(settings.limit);
            board
                .wait(idle, |board| board.warm_ups.reached(sent * self.alive()))
                .await;
            let settled = board.settled.get() >= self.alive();
            if settled || round.accepted == 0 {
                break;
            }
            count = 1;
        }
        board.warm_ups.disarm();
        self.opened - board.settled.get()
    }

    async fn publish(&self, publishing: &mut Publishing) -> Published {
        let Self { board, settings, .. } = self;
        board.enter(Phase::Publishing);
        let deadline = tokio::time::Instant::now() + settings.limit;
        let published = publishing.publish(board).await;
        let delivered = board.wait(settings.timeout, |board| {
            let ended = board.ended();
            let alive = self.opened - ended.clean - ended.broken;
            let expected = published.accepted * alive + ended.delivered;
            board.delivered.reached(expected)
        });
        // What has not come by then shows as lost.
        let _ = tokio::time::timeout_at(deadline, delivered).await;
        board.delivered.disarm();
        published
    }

    async fn listen(&self, listen: Listen) -> Published {
        let Self { board, opened, .. } = self;
        board.enter(Phase::Listening);
        // Whatever else arrives does not prolong it.
        let satisfied = board.wait(listen.time, |board| {
            listen.events == Some(0) || board.satisfied.reached(*opened)
        });
        let _ = tokio::time::timeout(listen.time, satisfied).await;
        Published::default()
    }
}

/// What was measured around the messages.
pub struct Measured {
    pub published: Published,
    /// When the run began, and when the work did: Unix time, nanoseconds.
    pub run_began_ns: u64,
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

fn spent(before: Option<f64>, after: Option<f64>) -> Option<f64> {
    Some(after? - before?)
}

async fn measure(board: &Board, server: &Server, work: impl Future<Output = Published>) -> Measured {
    let pss_open = server.pss_kib();
    let (own, theirs) = (Process::Own.cpu_seconds(), server.cpu_seconds());
    let (began, began_ns) = (Instant::now(), board.clock.now_ns());
    let published = work.await;
    let took = began.elapsed();
    Measured {
        published,
        run_began_ns: board.clock.began_ns,
        began_ns,
        took,
        own_cpu_s: spent(own, Process::Own.cpu_seconds()),
        server_cpu_s: spent(theirs, server.cpu_seconds()),
        pss_open,
        pss_after: server.pss_kib(),
    }
}

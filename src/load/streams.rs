//! Opens the streams and keeps them. What belongs here: how many are opened at once, which have
//! come and which have failed. They are read in threads: `reader` (HTTP/1.1), `shared` (HTTP/2).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::board::{Board, count_text};
use super::desk::Findings;
use super::error::LoadError;
use super::reader::{Arrival, Reader};
use super::settings::LoadSettings;
use super::shared::Sharer;
use super::tls::Tls;
use super::{http1, http2};
use crate::client::ClientError;
use crate::client::connect::{Connector, Link, describe};
use crate::client::http1::{exchange, request};

/// What came of the attempt to open a stream.
type Opening = Result<(), String>;

/// How the attempts to open the streams went.
#[derive(Debug, Default, Clone)]
pub struct Opened {
    pub opened: u64,
    /// Streams that could not be opened.
    pub failed: u64,
    pub reasons: BTreeMap<String, u64>,
    /// From the first connection attempt to the last head.
    pub set_up: Duration,
}

/// All streams of a run; dropping it closes them.
pub struct Streams {
    pub count: Opened,
    threads: Threads,
}

enum Threads {
    Http1(Vec<Reader>),
    Http2(Vec<Sharer>),
}

/// What is needed to open a stream.
pub struct Plan {
    pub connector: Connector,
    http1: Vec<u8>,
    pub http2: http::Request<()>,
    pub patience: Duration,
    pub gate: Semaphore,
    board: Arc<Board>,
    results: mpsc::UnboundedSender<Opening>,
}

impl Streams {
    /// Opens the streams and returns when each one's head has come or it has failed.
    pub async fn open(settings: &LoadSettings, board: &Arc<Board>) -> Result<Self, LoadError> {
        // Unbounded, and yet bounded: each stream sends one result.
        let (results, incoming) = mpsc::unbounded_channel();
        let plan = Arc::new(Plan::new(settings, board, results).await?);
        let began = Instant::now();
        let mut tasks = JoinSet::new();
        let threads = match settings.http2 {
            true => Threads::Http2(share(settings, board, &plan)?),
            false => Threads::Http1(spread(settings, board, &plan, &mut tasks)?),
        };
        drop(plan);
        let mut count = gather(settings.streams, incoming).await;
        count.set_up = began.elapsed();
        Ok(Self { count, threads })
    }

    /// Closes them; what they have received.
    pub async fn close(self) -> Findings {
        let mut all = Findings::default();
        match self.threads {
            Threads::Http1(readers) => {
                for reader in readers {
                    all.merge(reader.finish().await);
                }
            }
            Threads::Http2(sharers) => {
                for sharer in sharers {
                    all.merge(sharer.finish().await);
                }
            }
        }
        all
    }
}

async fn gather(streams: usize, mut incoming: mpsc::UnboundedReceiver<Opening>) -> Opened {
    let mut count = Opened::default();
    for _ in 0..streams {
        // None: a task ended without a result, so it panicked.
        let died = || Err("the stream's task died".to_owned());
        match incoming.recv().await.unwrap_or_else(died) {
            Ok(()) => count.opened += 1,
            Err(reason) => {
                count.failed += 1;
                count_text(&mut count.reasons, reason, 1);
            }
        }
    }
    count
}

/// Connections of HTTP/2, dealt out to the threads.
fn share(settings: &LoadSettings, board: &Arc<Board>, plan: &Arc<Plan>) -> Result<Vec<Sharer>, LoadError> {
    let mut shares = vec![Vec::new(); settings.threads.min(settings.connections())];
    let (threads, mut left) = (shares.len(), settings.streams);
    for at in 0..settings.connections() {
        let streams = left.min(settings.streams_per_connection);
        shares[at % threads].push(streams);
        left -= streams;
    }
    shares
        .into_iter()
        .map(|connections| Sharer::start(board, plan.clone(), connections))
        .collect()
}

/// A connection a stream, dealt out to the threads when its head has come.
fn spread(
    settings: &LoadSettings,
    board: &Arc<Board>,
    plan: &Arc<Plan>,
    tasks: &mut JoinSet<()>,
) -> Result<Vec<Reader>, LoadError> {
    let threads = settings.threads.min(settings.streams);
    let readers = (0..threads).map(|_| Reader::start(board));
    let readers: Vec<Reader> = readers.collect::<Result<_, _>>()?;
    for at in 0..settings.streams {
        tasks.spawn(one(plan.clone(), readers[at % threads].clone()));
    }
    Ok(readers)
}

impl Plan {
    async fn new(
        settings: &LoadSettings,
        board: &Arc<Board>,
        results: mpsc::UnboundedSender<Opening>,
    ) -> Result<Self, LoadError> {
        let own = [("accept", "text/event-stream")];
        let mut http1 = request("GET", &settings.url, &own, &settings.headers);
        http1.extend_from_slice(b"\r\n");
        let http2 = http2::request(&settings.url, &settings.headers).map_err(|why| {
            let url = settings.url.url();
            ClientError::Url { url, why }
        })?;
        Ok(Self {
            connector: Connector::new(&settings.url, &settings.access(&settings.url)?, settings.http2)
                .await?,
            http1,
            http2,
            patience: settings.timeout,
            gate: Semaphore::new(settings.connect_concurrency),
            board: board.clone(),
            results,
        })
    }

    /// Tells that a stream is open.
    pub fn opened(&self) {
        self.tell(Ok(()));
    }

    /// Tells that a stream could not be opened.
    pub fn failed(&self, reason: String) {
        self.tell(Err(reason));
    }

    fn tell(&self, opening: Opening) {
        self.board.tried();
        let _ = self.results.send(opening);
    }
}

/// A stream with a connection of its own.
async fn one(plan: Arc<Plan>, reader: Reader) {
    // The gate is never closed, so a permit always comes.
    let Ok(_permit) = plan.gate.acquire().await else {
        return;
    };
    match timeout(plan.patience, arrive(&plan)).await {
        Ok(Ok(arrival)) => {
            reader.take(arrival);
            plan.opened();
        }
        Ok(Err(reason)) => plan.failed(reason),
        Err(_) => plan.failed("no answer in time".to_owned()),
    }
}

async fn arrive(plan: &Plan) -> Result<Arrival, String> {
    let mut link = plan.connector.link().await?;
    let answer = exchange(link.wire(), &plan.http1).await?;
    http1::check_stream(answer.head.status, &answer.head.content_type)?;
    let (tcp, tls) = match link {
        Link::Plain(tcp) => (tcp, None),
        Link::Tls(tls) => {
            let (tcp, session) = tls.into_inner();
            (tcp, Some(Tls::new(session)))
        }
    };
    Ok(Arrival {
        tcp: tcp.into_std().map_err(|error| describe(&error))?,
        tls,
        body: answer.head.body,
        rest: answer.rest,
    })
}

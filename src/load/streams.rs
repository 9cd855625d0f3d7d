//! Opens the streams and keeps them. What belongs here: how many are opened at once, which have
//! come and which have failed; the protocols are in `http1` and `http2`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, mpsc};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

use super::board::{Board, Receiver, count_text, lock};
use super::error::LoadError;
use super::settings::LoadSettings;
use super::tally::Tally;
use super::{http1, http2};
use crate::client::ClientError;
use crate::client::connect::Connector;
use crate::client::http1::{exchange, request};

/// What came of the attempt to open a stream.
type Opening = Result<Arc<Mutex<Tally>>, String>;

/// All streams of a run; dropping it closes them.
pub struct Streams {
    tallies: Vec<Arc<Mutex<Tally>>>,
    /// Streams that could not be opened.
    pub failed: u64,
    pub reasons: BTreeMap<String, u64>,
    /// From the first connection attempt to the last head.
    pub set_up: Duration,
    _tasks: JoinSet<()>,
}

/// What every stream's task needs.
struct Plan {
    connector: Connector,
    http1: Vec<u8>,
    http2: http::Request<()>,
    patience: Duration,
    board: Arc<Board>,
    gate: Semaphore,
    results: mpsc::UnboundedSender<Opening>,
}

impl Streams {
    /// Opens the streams and returns when each one's head has come or it has failed.
    pub async fn open(settings: &LoadSettings, board: &Arc<Board>) -> Result<Self, LoadError> {
        // Unbounded, and yet bounded: each stream sends one result.
        let (results, mut incoming) = mpsc::unbounded_channel();
        let plan = Arc::new(Plan::new(settings, board, results).await?);
        let mut tasks = JoinSet::new();
        let began = Instant::now();
        spawn_all(settings, plan, &mut tasks);
        let mut streams = Self {
            tallies: Vec::with_capacity(settings.streams),
            failed: 0,
            reasons: BTreeMap::new(),
            set_up: Duration::ZERO,
            _tasks: JoinSet::new(),
        };
        for _ in 0..settings.streams {
            match incoming.recv().await {
                Some(Ok(tally)) => streams.tallies.push(tally),
                Some(Err(reason)) => streams.fail(reason),
                // A task ended without a result: it panicked.
                None => streams.fail("the stream's task died".to_owned()),
            }
        }
        streams.set_up = began.elapsed();
        streams._tasks = tasks;
        Ok(streams)
    }

    fn fail(&mut self, reason: String) {
        self.failed += 1;
        count_text(&mut self.reasons, reason);
    }

    /// How many streams were opened.
    pub fn opened(&self) -> u64 {
        self.tallies.len() as u64
    }

    /// Each opened stream's count as it stands now.
    pub fn tallies(&self) -> impl Iterator<Item = Tally> + '_ {
        self.tallies.iter().map(|tally| lock(tally).clone())
    }
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
            board: board.clone(),
            gate: Semaphore::new(settings.connect_concurrency),
            results,
        })
    }

    /// Tells that a stream is open, and gives the place where it counts.
    fn opened(&self) -> Receiver {
        let tally = Arc::new(Mutex::new(Tally::default()));
        let receiver = Receiver::new(self.board.clone(), tally.clone());
        let _ = self.results.send(Ok(tally));
        receiver
    }

    fn failed(&self, reason: String) {
        let _ = self.results.send(Err(reason));
    }
}

fn spawn_all(settings: &LoadSettings, plan: Arc<Plan>, tasks: &mut JoinSet<()>) {
    if !settings.http2 {
        for _ in 0..settings.streams {
            tasks.spawn(one(plan.clone()));
        }
        return;
    }
    let mut left = settings.streams;
    while left > 0 {
        let streams = left.min(settings.streams_per_connection);
        tasks.spawn(many(plan.clone(), streams));
        left -= streams;
    }
}

/// A stream with a connection of its own.
async fn one(plan: Arc<Plan>) {
    let opening = async {
        // The gate is never closed, so a permit always comes.
        let _permit = plan.gate.acquire().await.map_err(|e| e.to_string())?;
        let connecting = async {
            let mut wire = plan.connector.connect().await?;
            let answer = exchange(&mut *wire, &plan.http1).await?;
            http1::check_stream(answer.head.status, &answer.head.content_type)?;
            Ok::<_, String>((wire, answer))
        };
        timeout(plan.patience, connecting)
            .await
            .map_err(|_| "no answer in time")?
    };
    match opening.await {
        Err(reason) => plan.failed(reason),
        Ok((wire, answer)) => {
            let receiver = plan.opened();
            drop(plan);
            http1::receive(wire, answer, receiver).await;
        }
    }
}

/// A connection with several streams, which end with it.
async fn many(plan: Arc<Plan>, streams: usize) {
    let mut tasks = JoinSet::new();
    let Ok(permit) = plan.gate.acquire().await else {
        return;
    };
    let connecting = http2::connect(&plan.connector, streams, |connection| {
        let _: AbortHandle = tasks.spawn(async move {
            // Its error reaches each stream, too.
            let _ = connection.await;
        });
    });
    let sender = match timeout(plan.patience, connecting).await {
        Ok(Ok(sender)) => sender,
        Ok(Err(reason)) => return (0..streams).for_each(|_| plan.failed(reason.clone())),
        Err(_) => return (0..streams).for_each(|_| plan.failed("no answer in time".to_owned())),
    };
    let (heads, mut incoming) = mpsc::unbounded_channel::<()>();
    for _ in 0..streams {
        tasks.spawn(shared(plan.clone(), sender.clone(), heads.clone()));
    }
    drop((heads, sender));
    // The permit is kept until all heads of this connection have come.
    while incoming.recv().await.is_some() {}
    drop(permit);
    drop(plan);
    while tasks.join_next().await.is_some() {}
}

/// One of several streams on a connection. `head` is dropped when its head has come or failed.
async fn shared(plan: Arc<Plan>, sender: http2::Sender, head: mpsc::UnboundedSender<()>) {
    match http2::open(sender, plan.http2.clone(), plan.patience).await {
        Err(reason) => plan.failed(reason),
        Ok(body) => {
            let receiver = plan.opened();
            drop((plan, head));
            http2::receive(body, receiver).await;
        }
    }
}

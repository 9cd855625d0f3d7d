//! Where all streams of a run count together, and where the run waits for them. What belongs
//! here: shared counters, cheap to add to; what one stream alone knows is in `tally`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;

use super::blocks::Blocks;
use super::histogram::Histogram;
use super::tally::{Bounds, Noted, Tally};

/// More different error texts than this are counted under one heading.
const MOST_TEXTS: usize = 16;

/// Wall-clock time that cannot jump: read once, then carried on by the monotonic clock.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    began_ns: u64,
    began: Instant,
}

impl Clock {
    fn start() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            began_ns: wall.map_or(0, |since| since.as_nanos() as u64),
            began: Instant::now(),
        }
    }

    /// Unix time in nanoseconds.
    pub fn now_ns(&self) -> u64 {
        self.began_ns + self.began.elapsed().as_nanos() as u64
    }
}

/// A counter that wakes the run when it reaches a goal, and not before.
pub struct Counter {
    count: AtomicU64,
    goal: AtomicU64,
}

impl Counter {
    fn new() -> Self {
        Self {
            count: AtomicU64::new(0),
            goal: AtomicU64::new(u64::MAX),
        }
    }

    /// The count so far.
    pub fn get(&self) -> u64 {
        self.count.load(SeqCst)
    }

    // Sequentially consistent, here and in `reached`: either the adder sees the goal, or who set
    // it sees the count.
    fn add(&self, more: u64, wake: &Notify) {
        let before = self.count.fetch_add(more, SeqCst);
        if before + more >= self.goal.load(SeqCst) {
            wake.notify_one();
        }
    }

    /// Sets the goal to wake at, and says whether it is reached already.
    pub fn reached(&self, goal: u64) -> bool {
        self.goal.store(goal, SeqCst);
        self.get() >= goal
    }

    /// No longer wakes anybody.
    pub fn disarm(&self) {
        self.goal.store(u64::MAX, SeqCst);
    }
}

/// How a stream ended by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The body came to its end.
    Clean,
    /// It was cut off, or was malformed.
    Broken(String),
}

/// Streams that are over before the run is.
#[derive(Debug, Default, Clone)]
pub struct Ended {
    pub clean: u64,
    pub broken: u64,
    /// Messages that they had received: nothing more is to be expected from them.
    pub delivered: u64,
    pub reasons: BTreeMap<String, u64>,
}

/// The shared state of a run.
pub struct Board {
    pub clock: Clock,
    pub latency: Histogram,
    /// Different messages, summed over the streams.
    pub delivered: Counter,
    /// Streams that have had a warm-up message.
    pub settled: Counter,
    /// Warm-up messages, summed over the streams.
    pub warm_ups: Counter,
    /// Streams that have had as many events as they were to wait for, or have ended.
    pub satisfied: Counter,
    published: AtomicU64,
    ended: Mutex<Ended>,
    wake: Notify,
    enough: Option<u64>,
}

impl Board {
    /// A board for a run that begins now; `enough` events satisfy a stream.
    pub fn new(enough: Option<u64>) -> Arc<Self> {
        Arc::new(Self {
            clock: Clock::start(),
            latency: Histogram::default(),
            delivered: Counter::new(),
            settled: Counter::new(),
            warm_ups: Counter::new(),
            satisfied: Counter::new(),
            published: AtomicU64::new(0),
            ended: Mutex::default(),
            wake: Notify::new(),
            enough,
        })
    }

    /// Announces a message's number before it is sent, and gives the time of sending to put in.
    pub fn announce(&self, number: u64) -> u64 {
        self.published.fetch_max(number, Relaxed);
        self.clock.now_ns()
    }

    fn bounds(&self) -> Bounds {
        Bounds {
            run_began_ns: self.clock.began_ns,
            published: self.published.load(Relaxed),
        }
    }

    /// The streams that are over so far.
    pub fn ended(&self) -> Ended {
        lock(&self.ended).clone()
    }

    /// Waits until `done` holds; gives up when nothing was delivered for `idle`, and says which.
    pub async fn wait(&self, idle: Duration, done: impl Fn(&Self) -> bool) -> bool {
        loop {
            let seen = self.delivered.get() + self.warm_ups.get();
            let waiting = async {
                while !done(self) {
                    self.wake.notified().await;
                }
            };
            if tokio::time::timeout(idle, waiting).await.is_ok() {
                return true;
            }
            if self.delivered.get() + self.warm_ups.get() == seen {
                return done(self);
            }
        }
    }
}

/// One stream's place at the board.
pub struct Receiver {
    board: Arc<Board>,
    tally: Arc<Mutex<Tally>>,
    blocks: Blocks,
}

impl Receiver {
    /// A place for a stream that is about to be read; `tally` can be read by others at any time.
    pub fn new(board: Arc<Board>, tally: Arc<Mutex<Tally>>) -> Self {
        Self {
            board,
            tally,
            blocks: Blocks::default(),
        }
    }

    /// Takes the next payload bytes. All events in them share one time of receipt.
    pub fn take(&mut self, bytes: &[u8]) {
        let board = &*self.board;
        let (now_ns, bounds) = (board.clock.now_ns(), board.bounds());
        let mut tally = lock(&self.tally);
        let before = tally.events;
        let (mut delivered, mut warm_ups, mut settled) = (0, 0, 0);
        self.blocks
            .feed(bytes, |marks| match tally.note(marks, now_ns, bounds) {
                Noted::Delivered { took_ns } => {
                    delivered += 1;
                    board.latency.record(took_ns);
                }
                Noted::WarmUp { first } => {
                    warm_ups += 1;
                    settled += u64::from(first);
                }
                Noted::Other | Noted::Duplicate => {}
            });
        let after = tally.events;
        drop(tally);
        // Once a read, not once an event: the counters are shared by all threads.
        for (counter, more) in [
            (&board.delivered, delivered),
            (&board.warm_ups, warm_ups),
            (&board.settled, settled),
        ] {
            if more > 0 {
                counter.add(more, &board.wake);
            }
        }
        if board.enough.is_some_and(|n| before < n && after >= n) {
            board.satisfied.add(1, &board.wake);
        }
    }

    /// The stream is over by itself.
    pub fn end(self, ending: Ending) {
        let tally = lock(&self.tally).clone();
        let mut ended = lock(&self.board.ended);
        ended.delivered += tally.delivered;
        match ending {
            Ending::Clean => ended.clean += 1,
            Ending::Broken(reason) => {
                ended.broken += 1;
                count_text(&mut ended.reasons, reason);
            }
        }
        drop(ended);
        if self.board.enough.is_none_or(|n| tally.events < n) {
            self.board.satisfied.add(1, &self.board.wake);
        }
        // Goals may depend on how many streams are left: let the run look again.
        self.board.wake.notify_one();
    }
}

/// Counts an error text, in bounded space.
pub fn count_text(texts: &mut BTreeMap<String, u64>, text: String) {
    let text = match texts.contains_key(&text) || texts.len() < MOST_TEXTS {
        true => text,
        false => "other reasons".to_owned(),
    };
    *texts.entry(text).or_default() += 1;
}

/// Counters stay usable after a panic elsewhere: nothing is ever half-written.
pub fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

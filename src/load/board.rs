//! Where all threads of a run count together, and where the run waits for them. What belongs
//! here: shared counters; what one stream alone knows is in `tally`, what one thread in `desk`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;

use super::progress::Phase;
use super::tally::Bounds;

/// More different error texts than this are counted under one heading.
const MOST_TEXTS: usize = 16;

/// Wall-clock time that cannot jump: read once, then carried on by the monotonic clock.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// When the run began: Unix time in nanoseconds.
    pub began_ns: u64,
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
        if more == 0 {
            return;
        }
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
    /// The body came to its end.
    pub clean: u64,
    /// Cut off, or malformed.
    pub broken: u64,
    /// Messages that they had received: nothing more is to be expected from them.
    pub delivered: u64,
    pub reasons: BTreeMap<String, u64>,
}

/// What a thread has counted since it last told.
#[derive(Debug, Default)]
pub struct News {
    pub delivered: u64,
    pub warm_ups: u64,
    pub settled: u64,
    pub satisfied: u64,
}

/// How far a run is.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    pub phase: Phase,
    /// Streams that were opened or could not be.
    pub tried: u64,
    /// Streams that have had a warm-up message.
    pub settled: u64,
    /// Messages that were sent, and answered or not.
    pub sent: u64,
    pub delivered: u64,
}

/// The shared state of a run.
pub struct Board {
    pub clock: Clock,
    /// Different messages, summed over the streams.
    pub delivered: Counter,
    /// Streams that have had a warm-up message.
    pub settled: Counter,
    /// Warm-up messages, summed over the streams.
    pub warm_ups: Counter,
    /// Streams that have had as many events as they were to wait for, or have ended.
    pub satisfied: Counter,
    /// Events that a stream is to wait for.
    pub enough: Option<u64>,
    publishers: u64,
    published: AtomicU64,
    phase: Mutex<Phase>,
    tried: AtomicU64,
    sent: AtomicU64,
    ended: Mutex<Ended>,
    wake: Notify,
}

impl Board {
    /// A board for a run that begins now; `enough` events satisfy a stream.
    pub fn new(enough: Option<u64>, publishers: usize) -> Arc<Self> {
        Arc::new(Self {
            clock: Clock::start(),
            delivered: Counter::new(),
            settled: Counter::new(),
            warm_ups: Counter::new(),
            satisfied: Counter::new(),
            enough,
            publishers: publishers as u64,
            published: AtomicU64::new(0),
            phase: Mutex::new(Phase::Connecting),
            tried: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            ended: Mutex::default(),
            wake: Notify::new(),
        })
    }

    /// Announces a message's number before it is sent, and gives the time of sending to put in.
    pub fn announce(&self, number: u64) -> u64 {
        self.published.fetch_max(number, Relaxed);
        self.clock.now_ns()
    }

    /// A stream was opened, or could not be.
    pub fn tried(&self) {
        self.tried.fetch_add(1, Relaxed);
    }

    /// A measured message was sent and answered, or has failed.
    pub fn sent(&self) {
        self.sent.fetch_add(1, Relaxed);
    }

    /// What the run does from now on.
    pub fn enter(&self, phase: Phase) {
        *lock(&self.phase) = phase;
    }

    /// How far it is.
    pub fn seen(&self) -> Seen {
        Seen {
            phase: *lock(&self.phase),
            tried: self.tried.load(Relaxed),
            settled: self.settled.get(),
            sent: self.sent.load(Relaxed),
            delivered: self.delivered.get(),
        }
    }

    /// What can have been sent by now.
    pub fn bounds(&self) -> Bounds {
        Bounds {
            run_began_ns: self.clock.began_ns,
            published: self.published.load(Relaxed),
            publishers: self.publishers,
        }
    }

    /// Adds what a thread has counted.
    pub fn tell(&self, news: &mut News) {
        let News {
            delivered,
            warm_ups,
            settled,
            satisfied,
        } = std::mem::take(news);
        // In this order: who has waited for all warm-up messages looks which streams had one.
        self.settled.add(settled, &self.wake);
        self.warm_ups.add(warm_ups, &self.wake);
        self.delivered.add(delivered, &self.wake);
        self.satisfied.add(satisfied, &self.wake);
    }

    /// A stream that had received so many messages is over by itself.
    pub fn end(&self, ending: Ending, delivered: u64) {
        let mut ended = lock(&self.ended);
        ended.delivered += delivered;
        match ending {
            Ending::Clean => ended.clean += 1,
            Ending::Broken(reason) => {
                ended.broken += 1;
                count_text(&mut ended.reasons, reason, 1);
            }
        }
        drop(ended);
        // Goals may depend on how many streams are left: let the run look again.
        self.wake.notify_one();
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

/// Counts an error text, in bounded space.
pub fn count_text(texts: &mut BTreeMap<String, u64>, text: String, count: u64) {
    let text = match texts.contains_key(&text) || texts.len() < MOST_TEXTS {
        true => text,
        false => "other reasons".to_owned(),
    };
    *texts.entry(text).or_default() += count;
}

/// Counters stay usable after a panic elsewhere: nothing is ever half-written.
pub fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! The notice board: where streams wait for what happens elsewhere.
//!
//! Signals are put up here; of anything else that may be waited for (a message, a client more or less)
//! the board is only told that it has changed. Whoever waits then looks for itself. All that happens in
//! a session has its place in one order: the stamps of signals and messages come from here.

use std::collections::{BTreeMap, HashMap};
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::clock::Clock;
use crate::name::short;
use crate::news::{Happening, News};

/// Signals remembered; their names may come from requests, so there must be a bound.
const MOST_SIGNALS: usize = 10_000;

/// A session's notice board.
#[derive(Debug)]
pub struct Board {
    clock: Arc<Clock>,
    news: Arc<News>,
    stamp: AtomicU64,
    signals: Mutex<Signals>,
    /// How many wait, to be looked at without the lock.
    waiting: AtomicUsize,
    waiters: Mutex<Waiters>,
}

#[derive(Debug, Default)]
struct Signals {
    stamps: HashMap<Arc<str>, u64>,
    /// The other way round, the least recently given first.
    names: BTreeMap<u64, Arc<str>>,
}

#[derive(Debug, Default)]
struct Waiters {
    next_id: u64,
    all: HashMap<u64, Waiter>,
}

#[derive(Debug)]
struct Waiter {
    waker: Waker,
    /// Woken, and counted as busy since.
    woken: bool,
}

impl Board {
    /// An empty board. The clock is told of those who are woken.
    pub fn new(clock: Arc<Clock>) -> Board {
        Board::telling(clock, Arc::default())
    }

    /// An empty board that adds to these news.
    pub fn telling(clock: Arc<Clock>, news: Arc<News>) -> Board {
        Board {
            clock,
            news,
            stamp: AtomicU64::new(0),
            signals: Mutex::default(),
            waiting: AtomicUsize::new(0),
            waiters: Mutex::default(),
        }
    }

    /// Gives a signal, which gets the next stamp. Of more than 10,000 names the least recently given is
    /// forgotten.
    pub fn signal(&self, name: &str) {
        lock(&self.signals).put(&short(name), || self.next_stamp());
        self.changed();
        self.tell(|| Happening::Signalled {
            signal: short(name).into_owned(),
        });
    }

    /// The signals that are remembered, the one given last at the end.
    pub fn signals(&self) -> Vec<Arc<str>> {
        lock(&self.signals).names.values().cloned().collect()
    }

    /// Tells those who listen to the session's news what happens now.
    pub fn tell(&self, what: impl FnOnce() -> Happening) {
        self.news.tell(|| self.clock.now(), what);
    }

    /// The session's news.
    pub fn news(&self) -> &Arc<News> {
        &self.news
    }

    /// The time of the session.
    pub(crate) fn now(&self) -> std::time::Duration {
        self.clock.now()
    }

    /// The stamp at which a signal was last given, if it was.
    pub fn signalled(&self, name: &str) -> Option<u64> {
        lock(&self.signals).stamps.get(&*short(name)).copied()
    }

    /// The latest stamp of a signal or message; 0 before the first.
    pub fn stamp(&self) -> u64 {
        self.stamp.load(SeqCst)
    }

    /// A stamp for what happens now.
    pub(crate) fn next_stamp(&self) -> u64 {
        self.stamp.fetch_add(1, SeqCst) + 1
    }

    /// Something that may be waited for has changed: whoever waits looks again. On a manual clock they
    /// are busy from now on. To be called after the change.
    pub fn changed(&self) {
        // The change before the look: whoever is not seen here will see the change.
        fence(SeqCst);
        if self.waiting.load(SeqCst) == 0 {
            return;
        }
        let mut woken = Vec::new();
        {
            let mut waiters = lock(&self.waiters);
            for waiter in waiters.all.values_mut().filter(|waiter| !waiter.woken) {
                waiter.woken = true;
                woken.push(waiter.waker.clone());
            }
            self.clock.begin(woken.len());
        }
        // Not under the lock: a waker may do anything.
        for waker in woken {
            waker.wake();
        }
    }

    /// Waits until `check` holds; asks it at once, and again at every change. Cancel-safe.
    pub async fn until(&self, mut check: impl FnMut() -> bool) {
        let mut place = Place {
            board: self,
            id: None,
        };
        poll_fn(|cx| {
            // Waiting before asking: a change in between is not missed.
            let woken = place.wait(cx);
            let holds = check();
            self.clock.done(woken);
            match holds {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }
}

/// Somebody's place among those who wait.
struct Place<'b> {
    board: &'b Board,
    id: Option<u64>,
}

impl Place<'_> {
    /// Waits for the next change; answers with what is counted for the one before.
    fn wait(&mut self, cx: &Context<'_>) -> usize {
        let mut waiters = lock(&self.board.waiters);
        if let Some(waiter) = self.id.and_then(|id| waiters.all.get_mut(&id)) {
            waiter.waker.clone_from(cx.waker());
            return usize::from(std::mem::take(&mut waiter.woken));
        }
        let id = waiters.next_id;
        waiters.next_id += 1;
        let (waker, woken) = (cx.waker().clone(), false);
        waiters.all.insert(id, Waiter { waker, woken });
        self.id = Some(id);
        self.board.waiting.fetch_add(1, SeqCst);
        fence(SeqCst);
        0
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let Some(id) = self.id else { return };
        let waiter = lock(&self.board.waiters).all.remove(&id);
        self.board.waiting.fetch_sub(1, SeqCst);
        if waiter.is_some_and(|waiter| waiter.woken) {
            self.board.clock.done(1);
        }
    }
}

impl Signals {
    /// The stamp is drawn under the lock: a later signal has a greater one.
    fn put(&mut self, name: &str, stamp: impl FnOnce() -> u64) {
        let stamp = stamp();
        let name = match self.stamps.get_key_value(name) {
            Some((known, last)) => {
                self.names.remove(last);
                known.clone()
            }
            None => Arc::from(name),
        };
        self.stamps.insert(name.clone(), stamp);
        self.names.insert(stamp, name);
        if self.names.len() > MOST_SIGNALS
            && let Some((_, oldest)) = self.names.pop_first()
        {
            self.stamps.remove(&oldest);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;
    use std::time::Duration;

    #[test]
    fn signals_have_growing_stamps_and_the_oldest_are_forgotten() {
        let board = Board::new(Clock::real());
        assert_eq!((board.stamp(), board.signalled("a")), (0, None));
        board.signal("a");
        board.signal("b");
        board.signal("a");
        assert_eq!(
            (board.signalled("a"), board.signalled("b"), board.stamp()),
            (Some(3), Some(2), 3)
        );
        for n in 0..MOST_SIGNALS - 1 {
            board.signal(&n.to_string());
        }
        assert_eq!((board.signalled("a"), board.signalled("b")), (Some(3), None));
        board.signal("a");
        board.signal("one more");
        assert!(board.signalled("a").is_some());
        assert_eq!(board.signalled("0"), None);
        assert_eq!(lock(&board.signals).stamps.len(), MOST_SIGNALS);
    }

    #[tokio::test]
    async fn whoever_waits_is_asked_again_at_every_change() {
        let board = Arc::new(Board::new(Clock::real()));
        board.until(|| true).await;
        let asked = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn({
            let (board, asked) = (board.clone(), asked.clone());
            async move {
                board
                    .until(|| {
                        asked.fetch_add(1, SeqCst);
                        board.signalled("go").is_some()
                    })
                    .await;
            }
        });
        for round in 1..=3 {
            while asked.load(SeqCst) < round {
                tokio::task::yield_now().await;
            }
            board.changed();
        }
        assert!(!task.is_finished());
        board.signal("go");
        task.await.unwrap();
        assert_eq!(board.waiting.load(SeqCst), 0);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn no_wake_up_is_lost() {
        let board = Arc::new(Board::new(Clock::real()));
        let flags: Vec<_> = (0..300).map(|_| Arc::new(AtomicBool::new(false))).collect();
        let waiters: Vec<_> = flags
            .iter()
            .map(|flag| {
                let (board, flag) = (board.clone(), flag.clone());
                tokio::spawn(async move { board.until(|| flag.load(SeqCst)).await })
            })
            .collect();
        let setter = tokio::spawn({
            let board = board.clone();
            async move {
                for flag in flags {
                    flag.store(true, SeqCst);
                    board.changed();
                    tokio::task::yield_now().await;
                }
            }
        });
        setter.await.unwrap();
        for waiter in waiters {
            waiter.await.unwrap();
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn time_stands_until_whoever_was_woken_waits_again() {
        for _ in 0..200 {
            let clock = Clock::manual();
            let board = Arc::new(Board::new(clock.clone()));
            let done = Arc::new(AtomicUsize::new(0));
            for n in 0..8usize {
                let (board, done) = (board.clone(), done.clone());
                let mut worker = clock.worker();
                tokio::spawn(async move {
                    let signal = async { board.until(|| board.signalled("go").is_some()).await };
                    assert!(worker.wait(None, signal).await.is_some());
                    tokio::task::yield_now().await;
                    done.fetch_add(1, SeqCst);
                    worker.sleep_until(Duration::from_secs(n as u64 + 5)).await;
                });
            }
            assert_eq!(clock.next_due().await, None);
            assert_eq!(lock(&board.waiters).all.len(), 8);
            // Looked at, and found wanting.
            board.changed();
            clock.advance(Duration::from_secs(1)).await;
            assert_eq!(done.load(SeqCst), 0);
            board.signal("go");
            clock.advance(Duration::from_secs(1)).await;
            assert_eq!(done.load(SeqCst), 8);
            assert_eq!(clock.next_due().await, Some(Duration::from_secs(5)));
            clock.advance(Duration::from_secs(60)).await;
            assert_eq!(clock.busy(), 0);
        }
    }

    #[tokio::test]
    async fn a_waiter_that_is_dropped_leaves_no_work_behind() {
        let clock = Clock::manual();
        let board = Board::new(clock.clone());
        let mut waits = Box::pin(board.until(|| false));
        assert!(futures_util::poll!(&mut waits).is_pending());
        board.changed();
        board.changed();
        assert_eq!(clock.busy(), 1);
        drop(waits);
        assert_eq!(clock.busy(), 0);
        assert_eq!(board.waiting.load(SeqCst), 0);
    }

    #[tokio::test]
    async fn a_time_may_come_first() {
        let clock = Clock::manual();
        let board = Arc::new(Board::new(clock.clone()));
        let mut worker = clock.worker();
        let task = tokio::spawn({
            let board = board.clone();
            async move {
                worker
                    .wait(Some(Duration::from_secs(3)), board.until(|| false))
                    .await
            }
        });
        assert_eq!(clock.next_due().await, Some(Duration::from_secs(3)));
        board.changed();
        clock.advance(Duration::from_secs(3)).await;
        assert_eq!(task.await.unwrap(), None);
        assert_eq!((clock.busy(), clock.next_due().await), (0, None));
    }
}

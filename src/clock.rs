//! The time of scripts: real, scaled, or moved by hand.
//!
//! Everything a script waits for is waited for here, by a [`Worker`]. On a manual clock `advance`
//! answers when every worker it woke has done its work and waits again: what fell due has then
//! been written. Deadlines of the transport are real time and none of this module's business.

mod real;
mod worker;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;
use tokio::time::Instant;

pub use real::{real_time, uptime};
pub use worker::Worker;

/// How a clock's time passes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mode {
    /// So many times as fast as real time; 1.0 is real time.
    Scaled(f64),
    /// Not by itself: it stands until it is advanced.
    Manual,
}

impl Mode {
    /// Time as it passes.
    pub const REAL: Mode = Mode::Scaled(1.0);
}

/// A clock cannot change how its time passes while so many scripts go by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InUse(pub usize);

impl fmt::Display for InUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let InUse(count) = self;
        let scripts = if *count == 1 { "script goes" } else { "scripts go" };
        write!(
            f,
            "{count} {scripts} by this clock (streams, delayed answers, feeds)"
        )
    }
}

/// A session's time, counted from the clock's making.
#[derive(Debug)]
pub struct Clock {
    began: Instant,
    began_ms: u64,
    /// The time of day at which the clock began, in milliseconds since 1970.
    epoch_ms: AtomicU64,
    /// The factor's bits; 0 on a manual clock. It changes only while nobody works by the clock.
    factor: AtomicU64,
    /// What the time is ahead of the factor times the real time since the beginning, in microseconds.
    ahead: AtomicI64,
    manual: Manual,
    workers: Mutex<usize>,
    /// Held by whoever moves a manual clock on.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Manual {
    state: Mutex<State>,
    quiet: Notify,
    /// The time has gone on.
    moved: Notify,
}

#[derive(Debug, Default)]
struct State {
    now: Duration,
    /// Workers not waiting, and deliveries not yet taken up.
    busy: usize,
    next_key: u64,
    sleepers: BTreeMap<(Duration, u64), Waker>,
}

impl Clock {
    /// Time as it passes.
    pub fn real() -> Arc<Clock> {
        Clock::new(Mode::REAL)
    }

    /// Time that passes `factor` times as fast; the factor must be positive and finite.
    pub fn scaled(factor: f64) -> Arc<Clock> {
        Clock::new(Mode::Scaled(factor))
    }

    /// Time that stands until it is advanced.
    pub fn manual() -> Arc<Clock> {
        Clock::new(Mode::Manual)
    }

    /// A clock at its beginning. The factor of a scaled one must be positive and finite.
    pub fn new(mode: Mode) -> Arc<Clock> {
        let began_ms = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| d.as_millis() as u64);
        Arc::new(Clock {
            began: Instant::now(),
            began_ms,
            epoch_ms: AtomicU64::new(began_ms),
            factor: AtomicU64::new(factor_of(mode).to_bits()),
            ahead: AtomicI64::new(0),
            manual: Manual::default(),
            workers: Mutex::new(0),
            turn: tokio::sync::Mutex::new(()),
        })
    }

    /// How its time passes.
    pub fn mode(&self) -> Mode {
        match self.factor() {
            None => Mode::Manual,
            Some(factor) => Mode::Scaled(factor),
        }
    }

    /// Lets the time pass otherwise from now on; it goes on from where it is. The factor of a scaled
    /// clock must be positive and finite.
    ///
    /// # Errors
    ///
    /// Somebody works by the clock.
    pub fn set_mode(&self, mode: Mode) -> Result<(), InUse> {
        let workers = lock(&self.workers);
        if mode == self.mode() {
            return Ok(());
        }
        // Work that was handed out to somebody who only looks counts, too.
        let busy = self
            .by_hand()
            .map_or(0, |manual| manual.lock().busy)
            .max(*workers);
        if busy > 0 {
            return Err(InUse(busy));
        }
        let (now, factor) = (self.now(), factor_of(mode));
        self.manual.lock().now = now;
        let passed = self.began.elapsed().mul_f64(factor);
        self.ahead
            .store(now.as_micros() as i64 - passed.as_micros() as i64, Relaxed);
        self.factor.store(factor.to_bits(), Relaxed);
        self.manual.moved.notify_waiters();
        Ok(())
    }

    /// The clock began at this time of day, in milliseconds since 1970; `None`: at the real one.
    pub fn pin(&self, epoch_ms: Option<u64>) {
        self.epoch_ms.store(epoch_ms.unwrap_or(self.began_ms), Relaxed);
    }

    /// `None` on a manual clock.
    fn factor(&self) -> Option<f64> {
        let factor = f64::from_bits(self.factor.load(Relaxed));
        (factor > 0.0).then_some(factor)
    }

    fn by_hand(&self) -> Option<&Manual> {
        self.factor().is_none().then_some(&self.manual)
    }

    /// The time since the clock was made.
    pub fn now(&self) -> Duration {
        let Some(factor) = self.factor() else {
            return self.manual.lock().now;
        };
        let passed = self.began.elapsed();
        let passed = if factor == 1.0 {
            passed
        } else {
            passed.mul_f64(factor)
        };
        match self.ahead.load(Relaxed) {
            0 => passed,
            ahead if ahead > 0 => passed + Duration::from_micros(ahead as u64),
            behind => passed.saturating_sub(Duration::from_micros(behind.unsigned_abs())),
        }
    }

    /// When a time of the clock comes in real time; not on a manual one.
    fn instant(&self, factor: f64, due: Duration) -> Instant {
        let ahead = self.ahead.load(Relaxed);
        let passed = match ahead {
            0 => due,
            ahead if ahead > 0 => due.saturating_sub(Duration::from_micros(ahead as u64)),
            behind => due.saturating_add(Duration::from_micros(behind.unsigned_abs())),
        };
        let passed = if factor == 1.0 {
            passed
        } else {
            passed.div_f64(factor)
        };
        self.began + passed
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn wall_ms(&self) -> u64 {
        self.epoch_ms
            .load(Relaxed)
            .saturating_add(self.now().as_millis() as u64)
    }

    /// A worker, busy until it waits.
    pub fn worker(self: &Arc<Clock>) -> Worker {
        let mut workers = lock(&self.workers);
        *workers += 1;
        self.begin(1);
        Worker::new(self.clone())
    }

    /// Work has been handed out (a message to this many subscribers) that nobody has taken up yet.
    pub fn begin(&self, count: usize) {
        if let Some(manual) = self.by_hand() {
            manual.lock().busy += count;
        }
    }

    /// Work that was handed out is done.
    pub fn done(&self, count: usize) {
        if let Some(manual) = self.by_hand()
            && count > 0
        {
            manual.rest(&mut manual.lock(), count);
        }
    }

    /// How much is at work; 0 on any clock but a manual one.
    #[cfg(test)]
    pub(crate) fn busy(&self) -> usize {
        self.by_hand().map_or(0, |manual| manual.lock().busy)
    }

    /// Moves a manual clock on, from one due time to the next, and answers when all that fell due
    /// is done. On any other clock it answers at once. Of several at a time each moves it by as much as
    /// it was asked to, one after the other. Dropped, it stops where it is.
    pub async fn advance(&self, by: Duration) {
        let Some(manual) = self.by_hand() else { return };
        let _turn = self.turn.lock().await;
        let target = manual.lock().now.saturating_add(by);
        manual.go_to(target).await;
    }

    /// Moves a manual clock on to what is due next, if anything is.
    pub async fn advance_to_next(&self) {
        let Some(manual) = self.by_hand() else { return };
        let _turn = self.turn.lock().await;
        manual.settle().await;
        let due = manual.first_due();
        if let Some(due) = due {
            manual.go_to(due).await;
        }
    }

    /// Waits until a time of the clock without being anybody that it waits for.
    pub async fn reached(&self, due: Duration) {
        loop {
            // Enabled before the look, so that a change in between is not missed.
            let moved = self.manual.moved.notified();
            tokio::pin!(moved);
            moved.as_mut().enable();
            if self.now() >= due {
                return;
            }
            match self.factor() {
                None => moved.await,
                Some(factor) => tokio::select! {
                    () = moved => {}
                    () = tokio::time::sleep_until(self.instant(factor, due)) => {}
                },
            }
        }
    }

    /// When the next waiting worker is due, whoever is still at work; only of a manual clock.
    pub fn first_due(&self) -> Option<Duration> {
        self.by_hand()?.first_due()
    }

    /// When the next waiting worker is due, once all work is done; `None` if none waits for a time.
    pub async fn next_due(&self) -> Option<Duration> {
        let manual = self.by_hand()?;
        manual.settle().await;
        manual.first_due()
    }
}

/// Whether a manual clock must be asked to fire again.
#[derive(PartialEq)]
enum Fired {
    /// Yes, when it is quiet.
    Some,
    /// Nobody is due any more.
    NoneLeft,
}

impl Manual {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn first_due(&self) -> Option<Duration> {
        self.lock().sleepers.keys().next().map(|(due, _)| *due)
    }

    /// From one due time to the next, until all up to `target` is done.
    async fn go_to(&self, target: Duration) {
        loop {
            self.settle().await;
            if self.fire(target) == Fired::NoneLeft {
                return;
            }
        }
    }

    /// Waits until nobody is busy.
    async fn settle(&self) {
        loop {
            let quiet = self.quiet.notified();
            tokio::pin!(quiet);
            // Enabled before the look, so that a change in between is not missed.
            quiet.as_mut().enable();
            if self.lock().busy == 0 {
                return;
            }
            quiet.await;
        }
    }

    /// So much less is at work.
    fn rest(&self, state: &mut State, count: usize) {
        debug_assert!(count <= state.busy, "work is given back that was never begun");
        state.busy = state.busy.saturating_sub(count);
        if state.busy == 0 {
            self.quiet.notify_waiters();
        }
    }

    /// Wakes those due at the earliest time up to `target`.
    fn fire(&self, target: Duration) -> Fired {
        let mut state = self.lock();
        // Somebody may have begun to work since it was quiet.
        if state.busy > 0 {
            return Fired::Some;
        }
        let Some(due) = state
            .sleepers
            .keys()
            .next()
            .map(|(due, _)| *due)
            .filter(|due| *due <= target)
        else {
            // Never back: another advance may have gone further.
            state.now = state.now.max(target);
            self.moved.notify_waiters();
            return Fired::NoneLeft;
        };
        state.now = state.now.max(due);
        self.moved.notify_waiters();
        while let Some(entry) = state.sleepers.first_entry().filter(|e| e.key().0 == due) {
            entry.remove().wake();
            state.busy += 1;
        }
        Fired::Some
    }
}

fn factor_of(mode: Mode) -> f64 {
    match mode {
        Mode::Manual => 0.0,
        Mode::Scaled(factor) => {
            assert!(
                factor.is_finite() && factor > 0.0,
                "a time scale must be positive"
            );
            factor
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;

//! The time of scripts: real, scaled, or moved by hand.
//!
//! Everything a script waits for is waited for here, by a [`Worker`]. On a manual clock `advance`
//! answers when every worker it woke has done its work and waits again: what fell due has then
//! been written. Deadlines of the transport are real time and none of this module's business.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;
use tokio::time::Instant;

/// A session's time, counted from the clock's making.
#[derive(Debug)]
pub struct Clock {
    began: Instant,
    began_ms: u64,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Real,
    Scaled(f64),
    Manual(Manual),
}

#[derive(Debug, Default)]
struct Manual {
    state: Mutex<State>,
    quiet: Notify,
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
        Clock::of(Kind::Real)
    }

    /// Time that passes `factor` times as fast; the factor must be positive and finite.
    pub fn scaled(factor: f64) -> Arc<Clock> {
        assert!(
            factor.is_finite() && factor > 0.0,
            "a time scale must be positive"
        );
        Clock::of(Kind::Scaled(factor))
    }

    /// Time that stands until it is advanced.
    pub fn manual() -> Arc<Clock> {
        Clock::of(Kind::Manual(Manual::default()))
    }

    fn of(kind: Kind) -> Arc<Clock> {
        let began_ms = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| d.as_millis() as u64);
        Arc::new(Clock {
            began: Instant::now(),
            began_ms,
            kind,
        })
    }

    /// The time since the clock was made.
    pub fn now(&self) -> Duration {
        match &self.kind {
            Kind::Real => self.began.elapsed(),
            Kind::Scaled(factor) => self.began.elapsed().mul_f64(*factor),
            Kind::Manual(manual) => manual.lock().now,
        }
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn wall_ms(&self) -> u64 {
        self.began_ms + self.now().as_millis() as u64
    }

    /// A worker, busy until it waits.
    pub fn worker(self: &Arc<Clock>) -> Worker {
        self.begin(1);
        Worker { clock: self.clone() }
    }

    /// Work has been handed out (a message to this many subscribers) that nobody has taken up yet.
    pub fn begin(&self, count: usize) {
        if let Kind::Manual(manual) = &self.kind {
            manual.lock().busy += count;
        }
    }

    /// Work that was handed out is done.
    pub fn done(&self, count: usize) {
        if let Kind::Manual(manual) = &self.kind
            && count > 0
        {
            manual.rest(&mut manual.lock(), count);
        }
    }

    /// How much is at work; 0 on any clock but a manual one.
    #[cfg(test)]
    pub(crate) fn busy(&self) -> usize {
        match &self.kind {
            Kind::Manual(manual) => manual.lock().busy,
            _ => 0,
        }
    }

    /// Moves a manual clock on, from one due time to the next, and answers when all that fell due
    /// is done. On any other clock it answers at once.
    pub async fn advance(&self, by: Duration) {
        let Kind::Manual(manual) = &self.kind else { return };
        let target = manual.lock().now.saturating_add(by);
        loop {
            manual.settle().await;
            if manual.fire(target) == Fired::NoneLeft {
                return;
            }
        }
    }

    /// When the next waiting worker is due, once all work is done; `None` if none waits for a time.
    pub async fn next_due(&self) -> Option<Duration> {
        let Kind::Manual(manual) = &self.kind else {
            return None;
        };
        manual.settle().await;
        manual.lock().sleepers.keys().next().map(|(due, _)| *due)
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
            return Fired::NoneLeft;
        };
        state.now = state.now.max(due);
        while let Some(entry) = state.sleepers.first_entry().filter(|e| e.key().0 == due) {
            entry.remove().wake();
            state.busy += 1;
        }
        Fired::Some
    }
}

/// Someone whose waiting goes through the clock: a player, a delayed answer.
#[derive(Debug)]
pub struct Worker {
    clock: Arc<Clock>,
}

impl Worker {
    /// The clock it works by.
    pub fn clock(&self) -> &Arc<Clock> {
        &self.clock
    }

    /// Waits until a time of the clock.
    pub async fn sleep_until(&mut self, due: Duration) {
        self.wait(Some(due), std::future::pending::<()>()).await;
    }

    /// Waits for something that is not the clock's, or until a time of the clock: `None` when the
    /// time came first.
    pub async fn wait<F: Future>(&mut self, due: Option<Duration>, other: F) -> Option<F::Output> {
        match &self.clock.kind {
            Kind::Manual(manual) => Parked::new(manual, due).join(other).await,
            kind => {
                let Some(due) = due else { return Some(other.await) };
                let factor = if let Kind::Scaled(factor) = kind {
                    *factor
                } else {
                    1.0
                };
                let due = if factor == 1.0 { due } else { due.div_f64(factor) };
                tokio::select! {
                    biased;
                    output = other => Some(output),
                    () = tokio::time::sleep_until(self.clock.began + due) => None,
                }
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.clock.done(1);
    }
}

/// A worker that waits on a manual clock.
///
/// Whenever it is polled it counts as busy: what the other future gives back meanwhile (a message, a
/// notice of the board) leaves no moment in which nobody seems to be at work.
struct Parked<'a> {
    manual: &'a Manual,
    due: Option<Duration>,
    key: Option<(Duration, u64)>,
    parked: bool,
}

impl<'a> Parked<'a> {
    fn new(manual: &'a Manual, due: Option<Duration>) -> Parked<'a> {
        Parked {
            manual,
            due,
            key: None,
            parked: false,
        }
    }

    async fn join<F: Future>(mut self, other: F) -> Option<F::Output> {
        tokio::pin!(other);
        std::future::poll_fn(|cx| {
            let fired = self.unpark();
            match other.as_mut().poll(cx) {
                Poll::Ready(output) => Poll::Ready(Some(output)),
                Poll::Pending if fired => Poll::Ready(None),
                Poll::Pending => self.park(cx).map(|()| None),
            }
        })
        .await
    }

    /// Ready if the time has come.
    fn park(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.manual.lock();
        if self.due.is_some_and(|due| due <= state.now) {
            return Poll::Ready(());
        }
        if let Some(due) = self.due {
            let key = (due, state.next_key);
            state.next_key += 1;
            state.sleepers.insert(key, cx.waker().clone());
            self.key = Some(key);
        }
        self.parked = true;
        self.manual.rest(&mut state, 1);
        Poll::Pending
    }

    /// Busy again; answers with whether its time has come.
    fn unpark(&mut self) -> bool {
        if !std::mem::take(&mut self.parked) {
            return false;
        }
        let mut state = self.manual.lock();
        let fired = self
            .key
            .take()
            .is_some_and(|key| state.sleepers.remove(&key).is_none());
        // Whoever fired it has counted it already.
        if !fired {
            state.busy += 1;
        }
        fired
    }
}

impl Drop for Parked<'_> {
    fn drop(&mut self) {
        self.unpark();
    }
}

#[cfg(test)]
mod tests;

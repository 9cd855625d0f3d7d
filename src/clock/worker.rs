//! Those who work by a clock, and how they wait on one that is moved by hand.

use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::{Clock, Manual, lock};

/// Someone whose waiting goes through the clock: a player, a delayed answer.
#[derive(Debug)]
pub struct Worker {
    pub(super) clock: Arc<Clock>,
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
        let Some(factor) = self.clock.factor() else {
            return Parked::new(&self.clock.manual, due).join(other).await;
        };
        let Some(due) = due else { return Some(other.await) };
        tokio::select! {
            biased;
            output = other => Some(output),
            () = tokio::time::sleep_until(self.clock.instant(factor, due)) => None,
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Under one lock: whoever sees that nobody works sees that nobody is busy.
        let mut workers = lock(&self.clock.workers);
        *workers -= 1;
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

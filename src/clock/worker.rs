//! Those who work by a clock, and how they wait on one that is moved by hand.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::{Clock, lock};

/// Someone whose waiting goes through the clock: a player, a delayed answer.
#[derive(Debug)]
pub struct Worker {
    pub(super) clock: Arc<Clock>,
    /// Real time's alarm. One that has gone off is kept, to be set anew.
    alarm: Option<Pin<Box<Sleep>>>,
    /// It waits on a manual clock.
    parked: Option<Box<Parked>>,
}

/// How a worker waits on a manual clock: among the sleepers, if it waits for a time.
#[derive(Debug)]
struct Parked {
    key: Option<(Duration, u64)>,
}

impl Worker {
    pub(super) fn new(clock: Arc<Clock>) -> Worker {
        Worker {
            clock,
            alarm: None,
            parked: None,
        }
    }

    /// The clock it works by.
    pub fn clock(&self) -> &Arc<Clock> {
        &self.clock
    }

    /// Gives back the memory of an alarm, which is made anew when there is something to wait for.
    pub fn forget(&mut self) {
        self.alarm = None;
    }

    /// Waits until a time of the clock.
    pub async fn sleep_until(&mut self, due: Duration) {
        self.wait(Some(due), std::future::pending::<()>()).await;
    }

    /// Waits for something that is not the clock's, or until a time of the clock: `None` when the
    /// time came first.
    pub async fn wait<F: Future>(&mut self, due: Option<Duration>, other: F) -> Option<F::Output> {
        let waiting = Waiting(self);
        let mut other = pin!(other);
        poll_fn(|cx| waiting.0.poll_wait(cx, due, |cx| other.as_mut().poll(cx))).await
    }

    /// The same, to be asked again and again: whoever stops asking must drop the worker, or ask once more.
    ///
    /// Whenever it is asked on a manual clock it counts as busy: what `other` gives back meanwhile (a
    /// message, a notice of the board) leaves no moment in which nobody seems to be at work.
    pub fn poll_wait<T>(
        &mut self,
        cx: &mut Context<'_>,
        due: Option<Duration>,
        other: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<Option<T>> {
        let factor = self.clock.factor();
        let fired = factor.is_none() && self.unpark();
        if let Poll::Ready(output) = other(cx) {
            return Poll::Ready(Some(output));
        }
        let came = match (factor, due) {
            (None, _) if fired => Poll::Ready(()),
            (None, due) => self.park(due, cx),
            (Some(_), None) => Poll::Pending,
            (Some(factor), Some(due)) => {
                let at = self.clock.instant(factor, due);
                poll_alarm(&mut self.alarm, at, cx)
            }
        };
        came.map(|()| None)
    }

    /// Ready if the time has come.
    fn park(&mut self, due: Option<Duration>, cx: &mut Context<'_>) -> Poll<()> {
        let manual = &self.clock.manual;
        let mut state = manual.lock();
        if due.is_some_and(|due| due <= state.now) {
            return Poll::Ready(());
        }
        let key = due.map(|due| {
            let key = (due, state.next_key);
            state.next_key += 1;
            state.sleepers.insert(key, cx.waker().clone());
            key
        });
        self.parked = Some(Box::new(Parked { key }));
        manual.rest(&mut state, 1);
        Poll::Pending
    }

    /// Busy again; answers with whether its time has come.
    fn unpark(&mut self) -> bool {
        let Some(parked) = self.parked.take() else {
            return false;
        };
        let mut state = self.clock.manual.lock();
        let key = parked.key;
        let fired = key.is_some_and(|key| state.sleepers.remove(&key).is_none());
        // Whoever fired it has counted it already.
        if !fired {
            state.busy += 1;
        }
        fired
    }
}

/// A wait that may be given up: the worker is busy from then on.
struct Waiting<'w>(&'w mut Worker);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.unpark();
    }
}

/// Ready once the time has come.
///
/// An alarm that is set to an earlier time stays there: it is set anew when it goes off. A heartbeat,
/// which every event puts off, does not touch the timers at every event.
fn poll_alarm(alarm: &mut Option<Pin<Box<Sleep>>>, at: Instant, cx: &mut Context<'_>) -> Poll<()> {
    let is_set = alarm.as_ref().is_some_and(|alarm| !alarm.is_elapsed());
    if !is_set && at <= Instant::now() {
        return Poll::Ready(());
    }
    let set = alarm.get_or_insert_with(|| Box::pin(sleep_until(at)));
    if set.deadline() > at || set.is_elapsed() {
        set.as_mut().reset(at);
    }
    while set.as_mut().poll(cx).is_ready() {
        if set.deadline() >= at {
            return Poll::Ready(());
        }
        set.as_mut().reset(at);
    }
    Poll::Pending
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.unpark();
        // Under one lock: whoever sees that nobody works sees that nobody is busy.
        let mut workers = lock(&self.clock.workers);
        *workers -= 1;
        self.clock.done(1);
    }
}

//! What calls a stream's task from outside: an order, or events that are handed in.

use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;

/// Rung by anybody, heard by the one task that plays the stream.
///
/// As long as nobody rings, asking costs no lock and registers nothing that must be taken back: it is
/// asked at every message.
#[derive(Debug, Default)]
pub(super) struct Bell {
    /// Whether it was rung and something may still be there.
    rung: AtomicBool,
    task: AtomicWaker,
}

impl Bell {
    /// Something is there: whoever waits looks.
    pub(super) fn ring(&self) {
        self.rung.store(true, Ordering::Release);
        self.task.wake();
    }

    /// What `look` finds, or a promise to wake. `look` must find whatever was put there before the
    /// bell was rung.
    pub(super) fn poll<T>(&self, cx: &Context<'_>, look: impl FnOnce() -> Option<T>) -> Poll<T> {
        // Before the look: what comes in between wakes.
        self.task.register(cx.waker());
        if !self.rung.load(Ordering::Acquire) {
            return Poll::Pending;
        }
        look().map_or(Poll::Pending, Poll::Ready)
    }
}

//! Events that are handed in to an open stream from outside, to be sent between those of its script.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::event::Event;

/// Events that are sent as one.
#[derive(Debug)]
pub(super) struct Parcel {
    /// In this order.
    pub(super) events: Vec<Event>,
    /// Told once they are written, or why they cannot be.
    pub(super) done: oneshot::Sender<Result<(), String>>,
}

/// What has been handed in to one stream and not been taken up.
#[derive(Debug, Default)]
pub(super) struct Parcels {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Into most streams nothing is ever handed in.
    #[expect(
        clippy::box_collection,
        reason = "a pointer instead of four words, and mostly there is none"
    )]
    parcels: Option<Box<VecDeque<Parcel>>>,
    closed: bool,
}

impl Parcels {
    /// Hands in; `None` if the stream has ended. If it ends before they are written, the answer is that
    /// the sender is gone.
    pub(super) fn put(&self, events: Vec<Event>) -> Option<oneshot::Receiver<Result<(), String>>> {
        let (done, answer) = oneshot::channel();
        let mut waiting = self.lock();
        if waiting.closed {
            return None;
        }
        waiting
            .parcels
            .get_or_insert_default()
            .push_back(Parcel { events, done });
        Some(answer)
    }

    /// The next parcel that somebody still waits for: whoever no longer does has been told that nothing
    /// was sent.
    pub(super) fn take(&self) -> Option<Parcel> {
        let mut waiting = self.lock();
        let parcels = waiting.parcels.as_mut()?;
        while let Some(parcel) = parcels.pop_front() {
            if !parcel.done.is_closed() {
                return Some(parcel);
            }
        }
        None
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock()
            .parcels
            .as_ref()
            .is_none_or(|parcels| parcels.is_empty())
    }

    /// The stream has ended.
    pub(super) fn close(&self) {
        let mut waiting = self.lock();
        waiting.closed = true;
        waiting.parcels = None;
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Events that are handed in to an open stream from outside, to be sent between those of its script.

use std::collections::VecDeque;

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
    /// Into most streams nothing is ever handed in.
    #[expect(
        clippy::box_collection,
        reason = "a pointer instead of four words, and mostly there is none"
    )]
    waiting: Option<Box<VecDeque<Parcel>>>,
    closed: bool,
}

impl Parcels {
    /// Hands in; `None` if the stream has ended. If it ends before they are written, the answer is that
    /// the sender is gone.
    pub(super) fn put(&mut self, events: Vec<Event>) -> Option<oneshot::Receiver<Result<(), String>>> {
        let (done, answer) = oneshot::channel();
        if self.closed {
            return None;
        }
        self.waiting
            .get_or_insert_default()
            .push_back(Parcel { events, done });
        Some(answer)
    }

    /// The next parcel that somebody still waits for: whoever no longer does has been told that nothing
    /// was sent.
    pub(super) fn take(&mut self) -> Option<Parcel> {
        let parcels = self.waiting.as_mut()?;
        while let Some(parcel) = parcels.pop_front() {
            if !parcel.done.is_closed() {
                return Some(parcel);
            }
        }
        None
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.as_ref().is_none_or(|parcels| parcels.is_empty())
    }

    /// The stream has ended.
    pub(super) fn close(&mut self) {
        self.closed = true;
        self.waiting = None;
    }
}

//! A follower's end of its topics.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::task::coop::cooperative;

use super::inbox::{Batch, Inbox, Next};
use super::memory::Shared;
use super::message::{Message, Messages, TooSlow};
use crate::scenario::model::Gap;

/// One stream's place in its topics.
#[derive(Debug)]
pub struct Subscription {
    pub(super) shared: Arc<Shared>,
    pub(super) inbox: Arc<Inbox>,
    /// Of most there is none.
    #[expect(
        clippy::box_collection,
        reason = "a pointer instead of four words, and mostly there is none"
    )]
    pub(super) backlog: Option<Box<VecDeque<Arc<Message>>>>,
    pub(super) gap: Option<Gap>,
    /// Work on the clock that is to be given back when the message taken last has been dealt with.
    pub(super) held: u32,
}

impl Subscription {
    /// The rule that was applied, if messages may be missing before the first: the id to resume behind
    /// was unknown, or some of what came behind it is no longer kept.
    pub fn gap(&self) -> Option<Gap> {
        self.gap
    }

    /// How many messages were dropped because the subscriber was too slow.
    pub fn dropped(&self) -> u64 {
        self.inbox.dropped()
    }

    /// A message that is there at once, from the history.
    pub fn backlog(&mut self) -> Option<Arc<Message>> {
        let next = self.backlog.as_mut()?.pop_front();
        if next.is_none() {
            self.backlog = None;
        }
        next
    }

    /// The next message: from the history, or live. Cancel-safe. Call `taken` once it has been dealt
    /// with; asking for the next says so too.
    ///
    /// # Errors
    ///
    /// The subscriber was too slow, and the history is too short for it to take up from.
    pub async fn live(&mut self) -> Result<Arc<Message>, TooSlow> {
        self.taken();
        // As with channels: a subscriber that always has something leaves others their turn.
        cooperative(poll_fn(|cx| self.poll_live(cx))).await
    }

    fn poll_live(&mut self, cx: &mut Context<'_>) -> Poll<Result<Arc<Message>, TooSlow>> {
        loop {
            if let Some(message) = self.backlog() {
                return Poll::Ready(Ok(message));
            }
            match std::task::ready!(self.inbox.poll_next(cx)) {
                Next::Message(message, held) => {
                    self.held = held;
                    return Poll::Ready(Ok(message));
                }
                Next::Lags => self.take_up()?,
            }
        }
    }

    /// Appends the messages that are there to `into`, up to `most` in all, or promises to wake. Call
    /// `taken` once they have been dealt with; asking for more says so too.
    ///
    /// # Errors
    ///
    /// As with `live`.
    pub fn poll_batch(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut Messages,
        most: usize,
    ) -> Poll<Result<(), TooSlow>> {
        self.taken();
        let taken = poll_fn(|cx| {
            loop {
                while into.len() < most
                    && let Some(message) = self.backlog()
                {
                    into.push(message);
                }
                if !into.is_empty() {
                    return Poll::Ready(Ok(()));
                }
                match std::task::ready!(self.inbox.poll_batch(cx, into, most)) {
                    Batch::Taken(held) => {
                        self.held = held;
                        return Poll::Ready(Ok(()));
                    }
                    Batch::Lags => self.take_up()?,
                }
            }
        });
        pin!(cooperative(taken)).poll(cx)
    }

    /// What `live` or `poll_batch` gave has been dealt with.
    pub fn taken(&mut self) {
        self.shared.clock.done(std::mem::take(&mut self.held) as usize);
    }

    /// For a follower that takes no message for now, though time goes on: the clock does not wait for
    /// what waits here, nor for what comes. To be asked again whenever the task is woken.
    pub fn rest(&self, cx: &mut Context<'_>) {
        self.shared.clock.done(self.inbox.rest(cx));
    }

    /// Too far behind: the history fills the hole if it is long enough.
    fn take_up(&mut self) -> Result<(), TooSlow> {
        let (messages, counted, missed) = self.shared.take_up(&self.inbox);
        self.backlog.get_or_insert_default().extend(messages);
        // One piece of work stays until the first of them has been dealt with.
        self.held = counted.min(1) as u32;
        self.shared.clock.done(counted - self.held as usize);
        match missed {
            0 => Ok(()),
            missed => Err(TooSlow { missed }),
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let counted = self.shared.unfollow(&self.inbox);
        self.shared.clock.done(counted + self.held as usize);
    }
}

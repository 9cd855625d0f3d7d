//! Topics: what is published reaches everyone who follows, and is kept for those who resume.
//!
//! - `message`: what is published, and how one asks for it
//! - `log`: one topic's history; `resume`: what of several histories a new follower gets
//! - `inbox`: what waits for one follower, of all its topics
//! - `rounds`: when followers are woken
//! - `memory`: all topics of a session; `subscription`: a follower's end
//!
//! All topics are behind one lock, under which a message gets its stamp and is put into the inboxes:
//! whoever follows several topics sees their messages in order of stamps. Followers read from their
//! own inboxes, without that lock.

mod inbox;
mod log;
mod memory;
mod message;
mod resume;
mod rounds;
mod subscription;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use memory::Topics;
pub use message::{Message, Messages, PublishError, Start, TooSlow, TopicState};
pub use subscription::Subscription;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

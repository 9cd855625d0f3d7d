//! A performance under way as a future that is as small as can be, for there may be very many.
//!
//! While it rests, it is one box with all that belongs to it, and touches little of that; only while it
//! works there is a future that borrows from it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::outcome::{Outcome, Stop};
use super::player::Performance;
use super::rest::Woken;
use super::sink::Sink;

/// What holds a performance, and what it plays to.
pub trait House: Send + 'static {
    /// What it plays to.
    type Sink: Sink;

    /// Both.
    fn parts(&mut self) -> (&mut Performance, &mut Self::Sink);
}

/// How often it works and rests before others have their turn.
pub(super) const ROUNDS: u32 = 64;

/// Plays to the end; the house comes back with how it came to that.
pub struct Playing<H>(State<H>);

type Work<H> = Pin<Box<dyn Future<Output = (Box<H>, Option<Outcome>)> + Send>>;

enum State<H> {
    /// Not begun: the work takes its memory once it is its turn, for many may come at once.
    Comes(Box<H>),
    Rests(Box<H>),
    Works(Work<H>),
    Over,
}

impl<H: House> Playing<H> {
    /// From the beginning.
    pub fn new(house: Box<H>) -> Playing<H> {
        Playing(State::Comes(house))
    }
}

async fn work<H: House>(mut house: Box<H>, woken: Result<Woken, Stop>) -> (Box<H>, Option<Outcome>) {
    let (performance, sink) = house.parts();
    let outcome = performance.work(woken, sink).await;
    (house, outcome)
}

impl<H: House> Future for Playing<H> {
    type Output = (Box<H>, Outcome);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let state = &mut self.0;
        // A script whose waits are all over at once would keep the thread for ever.
        for _ in 0..ROUNDS {
            *state = match state {
                State::Comes(_) => match std::mem::replace(state, State::Over) {
                    State::Comes(house) => State::Works(Box::pin(work(house, Ok(Woken::Due)))),
                    other => other,
                },
                State::Rests(house) => {
                    let (performance, sink) = house.parts();
                    let woken = ready!(performance.poll_rest(cx, sink));
                    match std::mem::replace(state, State::Over) {
                        State::Rests(house) => State::Works(Box::pin(work(house, woken))),
                        other => other,
                    }
                }
                State::Works(work) => match ready!(work.as_mut().poll(cx)) {
                    (house, None) => State::Rests(house),
                    (house, Some(outcome)) => {
                        *state = State::Over;
                        return Poll::Ready((house, outcome));
                    }
                },
                // Asked again after it was over: there is nothing more to say.
                State::Over => return Poll::Pending,
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

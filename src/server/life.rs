//! What one task does for a connection, or for a stream of HTTP/2, one thing after the other.
//!
//! The task stays as small as can be, for there may be very many that play a stream: whatever else it does
//! has memory of its own, as long as that takes.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use super::stream::Stage;
use crate::engine::playing::Playing;

/// What comes next.
pub(crate) enum Next {
    /// Nothing.
    Over,
    /// Something that comes to its end sooner or later.
    Work(Work),
    /// A stream that a script plays.
    Plays(Playing<Stage>),
}

/// What is done until something else comes next.
pub(crate) type Work = Pin<Box<dyn Future<Output = Next> + Send>>;

/// All that comes.
pub(crate) struct Life(pub(crate) Next);

impl Life {
    /// Begins with some work, which takes its memory when it is its turn: many may come at once.
    pub(crate) fn beginning<F>(work: impl FnOnce() -> F + Send + 'static) -> Life
    where
        F: Future<Output = Next> + Send + 'static,
    {
        Life(Next::Work(Box::pin(async move { Box::pin(work()).await })))
    }
}

impl Future for Life {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            self.0 = match &mut self.0 {
                Next::Over => return Poll::Ready(()),
                Next::Work(work) => ready!(work.as_mut().poll(cx)),
                Next::Plays(playing) => {
                    let (stage, outcome) = ready!(Pin::new(playing).poll(cx));
                    Next::Work(stage.end(&outcome))
                }
            };
        }
    }
}

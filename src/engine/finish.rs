//! How a performance comes to its end: the last event, what was held back, what the script does at last.

use std::future::poll_fn;
use std::time::Duration;

use futures_util::future::FutureExt;
use tokio::task::coop::unconstrained;

use super::connections::Order;
use super::outcome::{Outcome, Stop};
use super::player::Performance;
use super::sink::Sink;
use super::waits::Waits;
use crate::name::printable;
use crate::plan::{Cue, Source};
use crate::scenario::model::End;
use crate::topic::Messages;

impl Drop for Performance {
    fn drop(&mut self) {
        self.conclude();
    }
}

impl Performance {
    /// Comes to the end.
    pub(super) async fn close<S: Sink>(&mut self, stop: Stop, sink: &mut S) -> Outcome {
        let mut outcome = match stop {
            Stop::Over(outcome) => outcome,
            Stop::Gone => Outcome::Left,
            Stop::Order(order) => self.obey(order, sink).await,
        };
        if matches!(outcome.end(), Some(End::Close | End::Goaway)) {
            outcome = self.let_go(sink).await.err().unwrap_or(outcome);
        }
        // While the clock still waits for it.
        if let Some(witnessed) = &self.witnessed {
            witnessed.finished(&outcome);
        }
        outcome
    }

    async fn obey<S: Sink>(&mut self, order: Order, sink: &mut S) -> Outcome {
        let passed_on = match order.is_abrupt() {
            true => Ok(()),
            false => self.pass_last_on(sink).await,
        };
        match passed_on {
            Ok(()) => {}
            Err(Stop::Order(Order::End(end))) => return Outcome::Ordered(end),
            Err(Stop::Over(outcome)) => return outcome,
            Err(Stop::Order(Order::Shutdown) | Stop::Gone) => return Outcome::Left,
        }
        match order {
            Order::End(end) => Outcome::Ordered(end),
            Order::Shutdown => self.say_farewell(sink).await,
        }
    }

    /// An order overtakes messages that were published before it. Those that would be written at once go
    /// out before a clean end.
    async fn pass_last_on<S: Sink>(&mut self, sink: &mut S) -> Result<(), Stop> {
        if !self.is_simple() {
            return Ok(());
        }
        let mut messages = Messages::new();
        // Whatever the task has done in this turn already.
        let taken = poll_fn(|cx| self.waits.poll_messages(cx, &mut messages));
        if let Some(Ok(())) = unconstrained(taken).now_or_never() {
            self.waits.passing_on(&messages);
        }
        let now = self.worker.clock().now();
        for message in &messages {
            sink.about(Source::Relayed);
            self.write(sink, message.frame.clone(), 1, now).await?;
        }
        Ok(())
    }

    /// The last event when the server stops; not in the middle of another, nor where the length of
    /// the body has been announced.
    async fn say_farewell<S: Sink>(&mut self, sink: &mut S) -> Outcome {
        let severed = self.outlet.as_ref().is_some_and(|outlet| outlet.is_severed());
        let open = !self.plan.is_mid_event() && !severed && !self.sized;
        let Some(frame) = self.stage.farewell.clone().filter(|_| open) else {
            return Outcome::Shutdown;
        };
        let now = self.worker.clock().now();
        match self.write(sink, frame, 1, now).await {
            Ok(()) => Outcome::Shutdown,
            Err(_) => Outcome::Left,
        }
    }

    /// What the script does in the end, whatever ended the stream; once.
    fn conclude(&mut self) {
        // It is no longer among those that are open, nor among its topics' followers.
        self.live.leave();
        self.waits = Waits::default();
        let elapsed = self.elapsed();
        if !self.plan.conclude(elapsed) {
            return;
        }
        let scenario = self.plan.scenario().clone();
        loop {
            let failed = match self.plan.next(Duration::MAX) {
                Cue::Publish(all) => {
                    let published = self.stage.publish(&scenario, all);
                    published.err().map(|error| error.to_string())
                }
                Cue::Set(setting) => {
                    let set = self.stage.set(&scenario, &setting);
                    set.err().map(|error| error.to_string())
                }
                Cue::Signal(name) => {
                    self.stage.board.signal(&name);
                    None
                }
                Cue::Fail(why) => Some(why),
                Cue::Wait(_) => None,
                _ => break,
            };
            if let Some(why) = failed {
                tracing::warn!("`finally` could not go on: {}", printable(&why));
                break;
            }
        }
    }
}

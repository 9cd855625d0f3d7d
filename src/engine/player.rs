//! Cues + topics + clock → writes, each acknowledged when the transport has taken it.

use std::sync::Arc;
use std::time::Duration;

use super::connections::{Order, Registered};
use super::sink::{Gone, Sink};
use crate::clock::Worker;
use crate::plan::{Cue, Following, Plan};
use crate::scenario::model::{End, From};
use crate::topic::{Message, Start, Subscription, TooSlow, Topics};
use crate::wire::Frame;

/// A stream that is ready to be played to a client.
pub struct Performance {
    pub(super) plan: Plan,
    pub(super) worker: Worker,
    pub(super) topics: Arc<Topics>,
    pub(super) live: Registered,
    pub(super) heartbeat: Option<Duration>,
    pub(super) farewell: Option<Frame>,
    pub(super) last_event_id: Option<Vec<u8>>,
    /// When the stream began, on the clock.
    pub(super) began: Duration,
    /// When something was last written, on the clock: heartbeats count from there.
    pub(super) wrote: Duration,
    pub(super) following: Option<Relay>,
}

/// A subscription under way.
pub(super) struct Relay {
    what: Following,
    subscription: Subscription,
    left: Option<u64>,
}

/// How a performance came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The script ended like this.
    Ended(End),
    /// Somebody ended it from outside like this.
    Ordered(End),
    /// The client left.
    Left,
    /// The server stopped.
    Shutdown,
    /// The script could not go on.
    Failed(String),
    /// The client was too slow for a topic and lost this many messages.
    TooSlow(u64),
}

/// Whoever interrupts a performance.
enum Stop {
    Gone,
    Order(Order),
}

impl std::convert::From<Gone> for Stop {
    fn from(_: Gone) -> Stop {
        Stop::Gone
    }
}

impl Outcome {
    /// How the transport is to end the stream; `None` if the client has gone.
    pub fn end(&self) -> Option<End> {
        /// RFC 9113 §7: INTERNAL_ERROR.
        const INTERNAL_ERROR: u32 = 2;
        match self {
            Outcome::Ended(end) | Outcome::Ordered(end) => Some(*end),
            Outcome::Left => None,
            Outcome::Shutdown => Some(End::Close),
            Outcome::Failed(_) | Outcome::TooSlow(_) => Some(End::Cut { code: INTERNAL_ERROR }),
        }
    }

    /// In a word or two, for the log.
    pub fn describe(&self) -> String {
        match self {
            Outcome::Ended(_) => "script ended".into(),
            Outcome::Ordered(_) => "ended on order".into(),
            Outcome::Left => "client left".into(),
            Outcome::Shutdown => "shutdown".into(),
            Outcome::Failed(why) => format!("failed: {why}"),
            Outcome::TooSlow(missed) => format!("cut: too slow, missed {missed} messages"),
        }
    }
}

impl Performance {
    /// The connection it plays to.
    pub fn live(&self) -> &Registered {
        &self.live
    }

    /// Whether the client resumes behind an id that is no longer known.
    pub fn has_gap(&self) -> bool {
        self.following
            .as_ref()
            .is_some_and(|relay| relay.subscription.gap())
    }

    /// Subscribes early if the script begins with a topic: before the head is sent.
    pub(super) fn prepare(&mut self) -> Result<(), String> {
        if !self.plan.follow_is_next(Duration::ZERO) {
            return Ok(());
        }
        match self.plan.next(Duration::ZERO) {
            Cue::Follow(what) => self.subscribe(what),
            Cue::Fail(why) => Err(why),
            _ => Ok(()),
        }
    }

    /// Plays to the end; the sink comes back, to be ended as the outcome says.
    pub async fn play<S: Sink>(mut self, mut sink: S) -> (S, Outcome, u64, u64) {
        let outcome = match self.perform(&mut sink).await {
            Ok(outcome) => outcome,
            Err(Stop::Gone) => Outcome::Left,
            Err(Stop::Order(Order::End(end))) => Outcome::Ordered(end),
            Err(Stop::Order(Order::Shutdown)) => self.say_farewell(&mut sink).await,
        };
        (sink, outcome, self.live.events(), self.live.bytes())
    }

    async fn say_farewell<S: Sink>(&mut self, sink: &mut S) -> Outcome {
        match self.farewell.take() {
            Some(frame) if self.write(sink, std::slice::from_ref(&frame)).await.is_err() => Outcome::Left,
            _ => Outcome::Shutdown,
        }
    }

    async fn perform<S: Sink>(&mut self, sink: &mut S) -> Result<Outcome, Stop> {
        loop {
            // A script that never waits would hear of nothing else.
            if let Some(order) = self.live.given() {
                return Err(Stop::Order(order));
            }
            if let Some(relay) = self.following.take()
                && let Some(outcome) = self.relay(relay, sink).await?
            {
                return Ok(outcome);
            }
            match self.plan.next(self.elapsed()) {
                Cue::Wait(due) => self.wait(self.began + due, sink).await?,
                Cue::Send(frame) => {
                    if let Err(why) = self.send(frame, sink).await? {
                        return Ok(Outcome::Failed(why));
                    }
                }
                Cue::Follow(what) => {
                    if let Err(why) = self.subscribe(what) {
                        return Ok(Outcome::Failed(why));
                    }
                }
                Cue::End(End::Hold) => self.wait_for_ever(sink).await?,
                Cue::End(End::Stall) => {
                    self.heartbeat = None;
                    self.wait_for_ever(sink).await?;
                }
                Cue::End(end) => return Ok(Outcome::Ended(end)),
                Cue::Fail(why) => return Ok(Outcome::Failed(why)),
            }
        }
    }

    fn elapsed(&self) -> Duration {
        self.worker.clock().now().saturating_sub(self.began)
    }

    /// Writes a step. If a topic comes next, it is subscribed to before.
    async fn send<S: Sink>(&mut self, frame: Frame, sink: &mut S) -> Result<Result<(), String>, Stop> {
        let mut subscribed = Ok(());
        if self.plan.follow_is_next(self.elapsed()) {
            subscribed = match self.plan.next(self.elapsed()) {
                Cue::Follow(what) => self.subscribe(what),
                Cue::Fail(why) => Err(why),
                _ => Ok(()),
            };
        }
        self.write(sink, &[frame]).await?;
        Ok(subscribed)
    }

    fn subscribe(&mut self, what: Following) -> Result<(), String> {
        let start = match (what.from, &self.last_event_id) {
            (From::Earliest, _) => Start::Earliest,
            (From::LastEventId, Some(id)) => Start::After(id),
            (From::LastEventId, None) | (From::Live, _) => Start::Live,
        };
        let subscription = self
            .topics
            .subscribe(&what.topic, start)
            .map_err(|e| e.to_string())?;
        let left = what.limit;
        self.following = Some(Relay {
            what,
            subscription,
            left,
        });
        Ok(())
    }

    /// Relays messages until the limit is reached; `Some` if the stream must end.
    async fn relay<S: Sink>(&mut self, mut relay: Relay, sink: &mut S) -> Result<Option<Outcome>, Stop> {
        while relay.left != Some(0) {
            let next = match relay.subscription.backlog() {
                Some(message) => Ok((message, false)),
                None => self.live_message(&mut relay.subscription, sink).await?,
            };
            let (message, live) = match next {
                Ok(message) => message,
                Err(TooSlow { missed }) => return Ok(Some(Outcome::TooSlow(missed))),
            };
            let written = self.write(sink, std::slice::from_ref(&message.frame)).await;
            if live {
                relay.subscription.taken();
            }
            written?;
            // A later `follow` in this stream goes on where this one stopped.
            self.last_event_id = message
                .event
                .id
                .as_ref()
                .map(|id| id.to_vec())
                .or(self.last_event_id.take());
            relay.left = relay.left.map(|n| n - 1);
        }
        debug_assert!(relay.what.limit.is_some());
        self.plan.resume_at(self.elapsed());
        Ok(None)
    }

    async fn live_message<S: Sink>(
        &mut self,
        subscription: &mut Subscription,
        sink: &mut S,
    ) -> Result<Result<(Arc<Message>, bool), TooSlow>, Stop> {
        loop {
            let beat = self.next_heartbeat();
            let Performance { worker, live, .. } = &mut *self;
            let event = async {
                tokio::select! {
                    biased;
                    order = live.ordered() => Err(Stop::Order(order)),
                    message = subscription.live() => Ok(message),
                    () = sink.gone() => Err(Stop::Gone),
                }
            };
            match worker.wait(beat, event).await {
                Some(message) => return Ok(message?.map(|m| (m, true))),
                None => self.beat(sink).await?,
            }
        }
    }

    async fn wait<S: Sink>(&mut self, due: Duration, sink: &mut S) -> Result<(), Stop> {
        loop {
            let beat = self.next_heartbeat().filter(|beat| *beat < due);
            match self.interruption(Some(beat.unwrap_or(due)), sink).await {
                Some(stop) => return Err(stop),
                None if beat.is_some() => self.beat(sink).await?,
                None => return Ok(()),
            }
        }
    }

    async fn wait_for_ever<S: Sink>(&mut self, sink: &mut S) -> Result<(), Stop> {
        loop {
            let beat = self.next_heartbeat();
            match self.interruption(beat, sink).await {
                Some(stop) => return Err(stop),
                None => self.beat(sink).await?,
            }
        }
    }

    /// Waits until a time of the clock; `Some` if the client or an order came first.
    async fn interruption<S: Sink>(&mut self, due: Option<Duration>, sink: &mut S) -> Option<Stop> {
        let Performance { worker, live, .. } = self;
        let event = async {
            tokio::select! {
                biased;
                order = live.ordered() => Stop::Order(order),
                () = sink.gone() => Stop::Gone,
            }
        };
        worker.wait(due, event).await
    }

    fn next_heartbeat(&self) -> Option<Duration> {
        self.heartbeat.map(|beat| self.wrote + beat)
    }

    async fn beat<S: Sink>(&mut self, sink: &mut S) -> Result<(), Stop> {
        let frame = Frame::new(b":\n\n");
        sink.write(std::slice::from_ref(&frame)).await?;
        self.live.wrote(0, frame.len() as u64);
        self.wrote = self.worker.clock().now();
        Ok(())
    }

    async fn write<S: Sink>(&mut self, sink: &mut S, frames: &[Frame]) -> Result<(), Stop> {
        sink.write(frames).await?;
        self.live
            .wrote(frames.len() as u64, frames.iter().map(|f| f.len() as u64).sum());
        self.wrote = self.worker.clock().now();
        Ok(())
    }
}

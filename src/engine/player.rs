//! Cues + topics + clock → writes, each acknowledged when the transport has taken it.

use std::sync::Arc;
use std::time::Duration;

use super::connections::{Order, Registered};
use super::sink::{Gone, Sink};
use crate::clock::Worker;
use crate::plan::{Cue, Following, Plan};
use crate::scenario::model::{End, From};
use crate::topic::{Message, Selector, Start, Subscription, TooSlow, TopicRules, Topics};
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
    /// The topic last relayed, and the stamp of its last message that was sent.
    pub(super) relayed: Option<(String, u64)>,
}

/// A subscription under way.
pub(super) struct Relay {
    topic: String,
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

/// Why a performance does not begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotBegun {
    /// The script cannot go on.
    Failed(String),
    /// The server stops, or somebody ended it.
    Ordered,
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
            .is_some_and(|relay| relay.subscription.gap().is_some())
    }

    /// Waits until the head is due, and subscribes if the script begins with a topic: whoever has
    /// seen the head misses nothing.
    pub async fn begin(&mut self) -> Result<(), NotBegun> {
        let Performance {
            worker, live, began, ..
        } = &mut *self;
        if worker.wait(Some(*began), live.ordered()).await.is_some() {
            return Err(NotBegun::Ordered);
        }
        self.subscribe_ahead(Duration::ZERO).map_err(NotBegun::Failed)
    }

    /// Subscribes if a topic comes next, before what precedes it is written.
    fn subscribe_ahead(&mut self, elapsed: Duration) -> Result<(), String> {
        if !self.plan.follow_is_next(elapsed) {
            return Ok(());
        }
        match self.plan.next(elapsed) {
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
            if let Some(relay) = self.following.take() {
                if let Some(outcome) = self.relay(relay, sink).await? {
                    return Ok(outcome);
                }
                // It may have subscribed to the next one already.
                continue;
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
        let due = self.began + self.plan.due();
        let subscribed = self.subscribe_ahead(self.elapsed());
        self.write(sink, &[frame]).await?;
        self.quiet_since(due);
        Ok(subscribed)
    }

    fn subscribe(&mut self, what: Following) -> Result<(), String> {
        let relayed = self.relayed.as_ref().filter(|(topic, _)| *topic == what.topic);
        let start = match (what.from, relayed, &self.last_event_id) {
            (From::Earliest, ..) => Start::Earliest,
            (From::Live, ..) => Start::Live,
            // A later `follow` of a topic goes on where the one before stopped.
            (From::LastEventId, Some((_, stamp)), _) => Start::Behind(*stamp),
            (From::LastEventId, None, Some(id)) => Start::After(id),
            (From::LastEventId, None, None) => Start::Live,
        };
        let subscription = self
            .topics
            .subscribe(&[Selector::Name(what.topic.clone())], start, &|_| {
                TopicRules::default()
            })
            .map_err(|e| e.to_string())?;
        self.following = Some(Relay {
            topic: what.topic,
            subscription,
            left: what.limit,
        });
        Ok(())
    }

    /// Relays messages until the limit is reached; `Some` if the stream must end.
    async fn relay<S: Sink>(&mut self, mut relay: Relay, sink: &mut S) -> Result<Option<Outcome>, Stop> {
        while relay.left != Some(0) {
            if let Some(order) = self.live.given() {
                return Err(Stop::Order(order));
            }
            let next = match relay.subscription.backlog() {
                Some(message) => Ok((message, false)),
                None => self.live_message(&mut relay.subscription, sink).await?,
            };
            let (message, live) = match next {
                Ok(message) => message,
                Err(TooSlow { missed }) => return Ok(Some(Outcome::TooSlow(missed))),
            };
            relay.left = relay.left.map(|n| n - 1);
            let mut subscribed = Ok(());
            if relay.left == Some(0) {
                self.relayed = Some((relay.topic.clone(), message.stamp));
                self.plan.resume_at(self.elapsed());
                subscribed = self.subscribe_ahead(self.elapsed());
            }
            let written = self.write(sink, std::slice::from_ref(&message.frame)).await;
            if live {
                relay.subscription.taken();
            }
            written?;
            if let Err(why) = subscribed {
                return Ok(Some(Outcome::Failed(why)));
            }
        }
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

    /// Heartbeats count from when something was due, not from when its write finished: they do not
    /// drift. After a write that was held up they count from now, instead of catching up.
    fn quiet_since(&mut self, due: Duration) {
        let now = self.worker.clock().now();
        let held_up = self.heartbeat.is_some_and(|beat| now >= due + beat);
        self.wrote = if held_up { now } else { due };
    }

    async fn beat<S: Sink>(&mut self, sink: &mut S) -> Result<(), Stop> {
        let due = self.next_heartbeat().unwrap_or(self.wrote);
        let frame = Frame::new(b":\n\n");
        sink.write(std::slice::from_ref(&frame)).await?;
        self.live.wrote(0, frame.len() as u64);
        self.quiet_since(due);
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

//! Cues + topics + clock → writes, each acknowledged when the transport has taken it.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::FutureExt;

use super::connections::Registered;
use super::outcome::{NotBegun, Outcome, Stop, failed};
use super::outlet::{Blow, Outlet};
use super::playing::ROUNDS;
use super::rest::Woken;
use super::sink::Sink;
use super::stage::Stage;
use super::stepping::Stepping;
use super::waits::{Came, Waits};
use super::witness::Witnessed;
use crate::clock::Worker;
use crate::plan::{BranchId, Cue, Following, Plan, Source, Write};
use crate::scenario::model::{End, Gap};
use crate::tick::Tick;
use crate::topic::{Message, Messages};

/// A stream that is ready to be played to a client.
pub struct Performance {
    pub(super) plan: Plan,
    pub(super) worker: Worker,
    pub(super) stage: Arc<Stage>,
    pub(super) live: Registered,
    /// When the stream began, on the clock.
    pub(super) began: Tick,
    /// When something was last written, on the clock: heartbeats count from there.
    pub(super) wrote: Tick,
    /// `None`: no steps come any more.
    pub(super) stepping: Option<Box<Stepping>>,
    pub(super) waits: Waits,
    pub(super) outlet: Option<Box<Outlet>>,
    /// The script is over, but the stream stays open, with heartbeats.
    pub(super) held: bool,
    /// The length of the body has been announced.
    pub(super) sized: bool,
    /// Where what is sent is told.
    pub(super) witnessed: Option<Witnessed>,
    /// Until when it rests at most, on the clock.
    pub(super) rests_until: Option<Tick>,
    /// Messages that the client has not taken yet.
    pub(super) passing: Option<Box<Messages>>,
    /// What is due and comes next, made ahead of the others' turn.
    pub(super) prepared: Option<Box<Cue>>,
}

/// Why a stream is cut that cannot go on where it stopped.
const TOO_LATE: &str = "the history no longer holds the client's last event id";

/// What comes after a step.
enum Next {
    /// Another one.
    Step,
    /// Nothing until this time of the clock, or until something comes; `None`: whenever.
    Rest(Option<Duration>),
}

/// How long one stream goes on before others have their turn.
const TURN: Duration = Duration::from_millis(2);

impl Performance {
    /// The connection it plays to.
    pub fn live(&self) -> &Registered {
        &self.live
    }

    /// Where what is sent is told.
    pub fn witnessed(&self) -> Option<&Witnessed> {
        self.witnessed.as_ref()
    }

    /// What is done about an id to resume behind that is no longer known.
    pub fn gap(&self) -> Option<Gap> {
        self.waits.gap()
    }

    /// Waits until the head is due, and subscribes if the script begins with a topic: whoever has
    /// seen the head misses nothing.
    pub async fn begin(&mut self) -> Result<(), NotBegun> {
        let Performance {
            worker, live, began, ..
        } = &mut *self;
        if let Some(order) = worker.wait(Some(began.time()), live.ordered()).await {
            return Err(NotBegun::Ordered(order));
        }
        self.subscribe_ahead(Duration::ZERO).map_err(NotBegun::Failed)?;
        match self.gap() {
            Some(Gap::Error) => Err(NotBegun::Gone),
            _ => Ok(()),
        }
    }

    /// Subscribes if a topic comes next, before what precedes it is written.
    pub(super) fn subscribe_ahead(&mut self, elapsed: Duration) -> Result<(), String> {
        while let Some(cue) = self.plan.follow_ahead(elapsed) {
            match cue {
                Cue::Follow(branch, what) => self.subscribe(branch, what)?,
                Cue::Fail(why) => return Err(why),
                _ => return Ok(()),
            }
        }
        Ok(())
    }

    /// Plays to the end: how it came to that.
    pub async fn play<S: Sink>(&mut self, sink: &mut S) -> Outcome {
        let mut woken = Ok(Woken::Due);
        let mut rounds = 0;
        loop {
            if let Some(outcome) = Box::pin(self.work(woken, sink)).await {
                return outcome;
            }
            woken = poll_fn(|cx| self.poll_rest(cx, sink)).await;
            rounds = (rounds + 1) % ROUNDS;
            if rounds == 0 {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Does what is due, until there is nothing to do but to rest, or it is over: how.
    pub(super) async fn work<S: Sink>(
        &mut self,
        woken: Result<Woken, Stop>,
        sink: &mut S,
    ) -> Option<Outcome> {
        let done = match woken {
            Ok(woken) => self.go_on(woken, sink).await,
            Err(stop) => Err(stop),
        };
        match done {
            Ok(due) => {
                self.rests_until = due.map(Tick::from);
                None
            }
            Err(stop) => Some(self.close(stop, sink).await),
        }
    }

    /// Does what is due, until there is nothing to do but to rest: until when.
    async fn go_on<S: Sink>(&mut self, mut woken: Woken, sink: &mut S) -> Result<Option<Duration>, Stop> {
        loop {
            match woken {
                Woken::Came(came) => self.receive(came, sink).await?,
                Woken::Beat => self.beat(sink).await?,
                Woken::Due => {}
                Woken::Cue(cue) => {
                    if let Next::Rest(due) = self.carry_out(*cue, sink).await? {
                        return Ok(due);
                    }
                }
                Woken::Sending(write, due, subscribed) => {
                    self.deliver(write, due, sink).await?;
                    subscribed.map_err(failed)?;
                }
                Woken::ToWait => {
                    woken = self.wait(sink).await?;
                    continue;
                }
            }
            return self.steps(sink).await;
        }
    }

    async fn steps<S: Sink>(&mut self, sink: &mut S) -> Result<Option<Duration>, Stop> {
        let mut turn = Instant::now();
        loop {
            if let Next::Rest(due) = self.step(sink).await? {
                return Ok(due);
            }
            // A client that is always ready, or steps without writes, would keep the thread for ever.
            if turn.elapsed() >= TURN {
                tokio::select! {
                    biased;
                    () = sink.gone() => return Err(Stop::Gone),
                    () = tokio::task::yield_now() => turn = Instant::now(),
                }
            }
        }
    }

    async fn step<S: Sink>(&mut self, sink: &mut S) -> Result<Next, Stop> {
        // A script that never waits would hear of nothing else.
        if let Some(order) = self.live.given() {
            return Err(Stop::Order(order));
        }
        self.stay_calm()?;
        let elapsed = self.elapsed();
        if let Some(blow) = self.outlet.as_mut().and_then(|outlet| outlet.strikes(elapsed)) {
            self.suffer(blow, sink).await?;
            return Ok(Next::Step);
        }
        if self.held {
            return Ok(Next::Rest(None));
        }
        if !self.plan.is_mid_event() {
            if let Some((branch, until, satisfied)) = self.waits.expired(elapsed) {
                // The schedule goes on from when the time was up, not from when that was noticed.
                match satisfied {
                    true => self.plan.release(branch, until),
                    false => self.plan.time_up(branch, until),
                }
                return Ok(Next::Step);
            }
            if self.gap() == Some(Gap::Error) {
                return Err(failed(TOO_LATE.into()));
            }
            if let Some(came) = self.waits.backlog() {
                self.receive(came, sink).await?;
                return Ok(Next::Step);
            }
        }
        let cue = self.plan.next(elapsed);
        self.carry_out(cue, sink).await
    }

    async fn carry_out<S: Sink>(&mut self, cue: Cue, sink: &mut S) -> Result<Next, Stop> {
        match cue {
            Cue::Wait(due) if due <= self.elapsed() => {}
            Cue::Wait(due) => return Ok(Next::Rest(Some(self.began.time() + due))),
            Cue::Idle => {
                self.forget();
                return Ok(Next::Rest(None));
            }
            Cue::Send(write) => {
                self.send(write, sink).await?;
                self.overhear(sink).await?;
            }
            Cue::Follow(branch, what) => self.subscribe(branch, what).map_err(failed)?,
            Cue::Await(branch, awaiting) => self.waits.wait(branch, awaiting),
            Cue::End(end @ (End::Hold | End::Stall)) => self.suffer(Blow::End(end), sink).await?,
            Cue::End(end) => return Err(Stop::Over(Outcome::Ended(end))),
            Cue::Fail(why) => return Err(failed(why)),
            Cue::Quiet(until) => {
                if let Some(stepping) = &mut self.stepping {
                    stepping.quiet = stepping.quiet.max(until);
                }
            }
            effect => self.cause(effect).await.map_err(failed)?,
        }
        Ok(Next::Step)
    }

    /// What changes the world around the stream.
    async fn cause(&mut self, effect: Cue) -> Result<(), String> {
        let scenario = self.plan.scenario().clone();
        match effect {
            Cue::Publish(all) => {
                if self.plan.is_feed() {
                    self.calms();
                }
                let published = self.stage.publish(&scenario, all);
                published.map_err(|e| e.to_string())?;
            }
            Cue::Set(setting) => self.stage.set(&scenario, &setting).map_err(|e| e.to_string())?,
            Cue::Signal(name) => self.stage.board.signal(&name),
            Cue::Disconnect(which) => self.stage.disconnect(&which, &self.live),
            Cue::Offline(how_long) => self.stage.go_offline(how_long).await,
            _ => {}
        }
        Ok(())
    }

    /// Writes a step. If a topic comes next, it is subscribed to before.
    async fn send<S: Sink>(&mut self, write: Write, sink: &mut S) -> Result<(), Stop> {
        let due = self.began.time() + self.plan.due();
        let subscribed = self.subscribe_ahead(self.elapsed());
        self.deliver(write, due, sink).await?;
        subscribed.map_err(failed)
    }

    /// Writes a step that was due at this time of the clock.
    async fn deliver<S: Sink>(&mut self, write: Write, due: Duration, sink: &mut S) -> Result<(), Stop> {
        sink.about(write.source);
        self.write(sink, write.frame, write.events, due).await?;
        self.quiet_since(due, self.worker.clock().now());
        Ok(())
    }

    /// A script that is behind its schedule never waits: what others wait for has its turn between
    /// two writes.
    async fn overhear<S: Sink>(&mut self, sink: &mut S) -> Result<(), Stop> {
        if (self.waits.is_empty() && !self.live.has_parcels()) || self.plan.is_mid_event() {
            return Ok(());
        }
        let came = self.waits.come(&self.stage, &self.live);
        match came.now_or_never() {
            Some(came) => self.receive(came, sink).await,
            None => Ok(()),
        }
    }

    fn subscribe(&mut self, branch: BranchId, what: Following) -> Result<(), String> {
        let scenario = self.plan.scenario().clone();
        let topics = what.topics.clone();
        let last = self.stepping.as_ref();
        let last = last.and_then(|stepping| stepping.last_event_id.as_deref());
        self.waits
            .subscribe(branch, what, last, &self.stage, &scenario)
            .map_err(|e| e.to_string())?;
        self.stage.feed(&scenario, &topics)
    }

    /// Deals with what a branch waited for.
    async fn receive<S: Sink>(&mut self, came: Came, sink: &mut S) -> Result<(), Stop> {
        match came {
            Came::TooSlow(missed) => Err(Stop::Over(Outcome::TooSlow(missed))),
            Came::Awaited(branches) => {
                let elapsed = self.elapsed();
                branches
                    .iter()
                    .for_each(|branch| self.plan.release(*branch, elapsed));
                Ok(())
            }
            Came::HandedIn(parcel) => self.insert(parcel, sink).await,
            Came::Message { relay, message, live } => self.relay(relay, &message, live, sink).await,
        }
    }

    async fn relay<S: Sink>(
        &mut self,
        relay: usize,
        message: &Message,
        live: bool,
        sink: &mut S,
    ) -> Result<(), Stop> {
        // The worker is busy by now: the clock waits for it, and no longer for the delivery.
        if live {
            self.waits.relay(relay).subscription.taken();
        }
        let mut subscribed = Ok(());
        if let Some(branch) = self.waits.counted(relay, message) {
            self.plan.release(branch, self.elapsed());
            subscribed = self.subscribe_ahead(self.elapsed());
        }
        // In a style of its own the message goes through the plan: it comes with the next cues.
        if !self.plan.relay(&message.event, self.elapsed()) {
            let now = self.worker.clock().now();
            sink.about(Source::Relayed);
            self.write(sink, message.frame.clone(), 1, now).await?;
        }
        subscribed.map_err(failed)
    }
}

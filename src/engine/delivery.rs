//! How a performance reaches its client: writes, heartbeats, silence, and what goes wrong on the way.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use super::outcome::{Outcome, Stop, failed};
use super::outlet::{Blow, Piece};
use super::parcel::Parcel;
use super::player::Performance;
use super::sink::Sink;
use crate::plan::Source;
use crate::scenario::model::End;
use crate::wire::{Frame, encode};

impl Performance {
    /// How long the stream has been going on.
    pub(super) fn elapsed(&self) -> Duration {
        self.worker.clock().now().saturating_sub(self.began.time())
    }

    /// A fault strikes.
    pub(super) async fn suffer<S: Sink>(&mut self, blow: Blow, sink: &mut S) -> Result<(), Stop> {
        match blow {
            Blow::End(End::Stall) => {
                self.stays(End::Stall, sink);
                self.silence(None, sink).await
            }
            Blow::End(End::Hold) => {
                self.stays(End::Hold, sink);
                self.held = true;
                Ok(())
            }
            Blow::End(end) => Err(Stop::Over(Outcome::Struck(end))),
            Blow::Stall(how_long) => self.silence(Some(how_long), sink).await,
        }
    }

    /// Silence, even of heartbeats; `None`: for ever.
    pub(super) async fn silence<S: Sink>(
        &mut self,
        how_long: Option<Duration>,
        sink: &mut S,
    ) -> Result<(), Stop> {
        let mut due = how_long.map(|how_long| self.worker.clock().now() + how_long);
        if due.is_none() {
            self.live.falls_silent();
        }
        loop {
            self.undisturbed(due.into_iter().chain(self.next_strike()).min(), sink)
                .await?;
            let (now, elapsed) = (self.worker.clock().now(), self.elapsed());
            self.wrote = now.into();
            let outlet = self.outlet.as_mut();
            match outlet.and_then(|outlet| outlet.strikes_in_time(elapsed)) {
                None if due.is_some_and(|due| due <= now) => return Ok(()),
                None => {}
                Some(Blow::Stall(more)) => due = due.map(|due| due.max(now + more)),
                Some(Blow::End(End::Stall)) => {
                    self.stays(End::Stall, sink);
                    due = None;
                }
                Some(Blow::End(End::Hold)) => {
                    self.stays(End::Hold, sink);
                    self.held = true;
                    return Ok(());
                }
                Some(Blow::End(end)) => return Err(Stop::Over(Outcome::Struck(end))),
            }
        }
    }

    /// Waits until a time of the clock; an error if the client or an order came first.
    pub(super) async fn undisturbed<S: Sink>(
        &mut self,
        due: Option<Duration>,
        sink: &mut S,
    ) -> Result<(), Stop> {
        let Performance {
            worker, live, waits, ..
        } = self;
        let event = async {
            tokio::select! {
                biased;
                order = live.ordered() => Stop::Order(order),
                () = sink.gone() => Stop::Gone,
                never = waits.rest() => match never {},
            }
        };
        match worker.wait(due, event).await {
            Some(stop) => Err(stop),
            None => Ok(()),
        }
    }

    pub(super) fn next_heartbeat(&self) -> Option<Duration> {
        let heartbeat = self.plan.script().heartbeat.as_ref()?;
        let quiet = self.stepping.as_ref().map(|stepping| stepping.quiet);
        let quiet = quiet.map_or(Duration::ZERO, |quiet| self.began.time() + quiet);
        Some(quiet.max(self.wrote.into()) + heartbeat.every)
    }

    /// Heartbeats count from when something was due, not from when its write finished: they do not
    /// drift. After a write that was held up they count from now, instead of catching up.
    pub(super) fn quiet_since(&mut self, due: Duration, now: Duration) {
        let every = self
            .plan
            .script()
            .heartbeat
            .as_ref()
            .map(|heartbeat| heartbeat.every);
        let held_up = every.is_some_and(|every| now >= due + every);
        self.wrote = if held_up { now } else { due }.into();
    }

    pub(super) async fn beat<S: Sink>(&mut self, sink: &mut S) -> Result<(), Stop> {
        let due = self.next_heartbeat().unwrap_or(self.wrote.time());
        let at = due.saturating_sub(self.began.time());
        if let Some(frame) = self.plan.heartbeat(at).map_err(|error| failed(error.0))? {
            sink.about(Source::Heartbeat);
            self.write(sink, frame, 0, due).await?;
        }
        self.quiet_since(due, self.worker.clock().now());
        Ok(())
    }

    /// Writes a frame, through what stands between the script and its client.
    pub(super) async fn write<S: Sink>(
        &mut self,
        sink: &mut S,
        frame: Frame,
        events: u64,
        due: Duration,
    ) -> Result<(), Stop> {
        if self.outlet.is_some() {
            self.write_through(sink, &frame, events, due).await?;
        } else {
            self.put(sink, &frame).await?;
        }
        self.written(&frame, events, self.worker.clock().now());
        Ok(())
    }

    /// A frame has been written at this time of the clock, and so many events with it.
    pub(super) fn written(&mut self, frame: &Frame, events: u64, now: Duration) {
        self.calms();
        self.live.wrote(events, frame.len() as u64);
        let whole = self.outlet.as_ref().is_none_or(|outlet| outlet.is_coded());
        // Otherwise the pieces have been told as they were written.
        self.tell(if whole { frame.as_bytes() } else { &[] }, events, now);
        self.wrote = now.into();
    }

    /// Tells what a client has got, as it was before it was compressed.
    fn tell(&self, bytes: &[u8], events: u64, now: Duration) {
        if let Some(witnessed) = &self.witnessed {
            witnessed.wrote(bytes, events, now);
        }
    }

    /// Tells a piece of a write that goes out as it is.
    fn tell_piece(&self, bytes: &[u8]) {
        if self.outlet.as_ref().is_some_and(|outlet| !outlet.is_coded()) {
            self.tell(bytes, 0, Duration::ZERO);
        }
    }

    /// The stream stays open, but nothing more comes.
    fn stays<S: Sink>(&self, end: End, sink: &mut S) {
        sink.stays(end);
        if let Some(witnessed) = &self.witnessed {
            witnessed.silent();
        }
    }

    async fn write_through<S: Sink>(
        &mut self,
        sink: &mut S,
        frame: &Frame,
        events: u64,
        due: Duration,
    ) -> Result<(), Stop> {
        let elapsed = self.elapsed();
        let Some(outlet) = &mut self.outlet else {
            return Ok(());
        };
        if !outlet.admit(events, frame.len() as u64) {
            return Err(Stop::Over(Outcome::Struck(End::Close)));
        }
        let latency = outlet
            .latency(&self.plan, elapsed)
            .map_err(|error| failed(error.0))?;
        outlet.arrived = outlet.arrived.max(due + latency);
        let mut bytes = outlet.through(&frame.body());
        self.slices(sink, &mut bytes).await
    }

    /// Writes events that were handed in, in the stream's style, but without its cuts.
    pub(super) async fn insert<S: Sink>(&mut self, parcel: Parcel, sink: &mut S) -> Result<(), Stop> {
        let Parcel { events, done } = parcel;
        let severed = self.outlet.as_ref().is_some_and(|outlet| outlet.is_severed());
        if self.sized || severed {
            let why = if self.sized {
                "the length of its body is announced"
            } else {
                "a fault has cut it off"
            };
            let _ = done.send(Err(why.to_owned()));
            return Ok(());
        }
        for event in &events {
            let frame = Frame::new(&encode(event, self.plan.style()));
            let now = self.worker.clock().now();
            sink.about(Source::Relayed);
            self.write(sink, frame, 1, now).await?;
            // A fault may have struck within it.
            if self.outlet.as_ref().is_some_and(|outlet| outlet.is_severed()) {
                let _ = done.send(Err("a fault has cut it off".to_owned()));
                return Ok(());
            }
        }
        // Its last event is another one now.
        if let (true, Some(witnessed)) = (self.held, &self.witnessed) {
            witnessed.silent();
        }
        // Whoever asked may have given up.
        let _ = done.send(Ok(()));
        Ok(())
    }

    /// Writes what has been held back so far: the end is a clean one.
    pub(super) async fn let_go<S: Sink>(&mut self, sink: &mut S) -> Result<(), Outcome> {
        let Some(mut rest) = self.outlet.as_mut().map(|outlet| outlet.rest()) else {
            return Ok(());
        };
        sink.about(Source::Rest);
        match self.slices(sink, &mut rest).await {
            Ok(()) => Ok(()),
            Err(Stop::Over(outcome)) => Err(outcome),
            Err(_) => Err(Outcome::Left),
        }
    }

    /// Writes a frame. While the client takes none of it, whatever ends the stream abruptly does so.
    async fn put<S: Sink>(&mut self, sink: &mut S, frame: &Frame) -> Result<(), Stop> {
        let outlet = self.outlet.as_ref();
        let strike = outlet.and_then(|outlet| outlet.next_end());
        let strike = strike.map(|time| self.began.time() + time);
        let Performance { worker, live, .. } = self;
        let written = poll_fn(|cx| match sink.poll_write(cx, &[frame]) {
            Poll::Ready(written) => Poll::Ready(written.map_err(Stop::from)),
            Poll::Pending => {
                live.is_stuck(true);
                live.poll_cut_short(cx).map(|order| Err(Stop::Order(order)))
            }
        });
        let written = match strike {
            None => Some(written.await),
            Some(time) => worker.wait(Some(time), written).await,
        };
        live.is_stuck(false);
        match written {
            Some(Ok(())) => Ok(()),
            Some(Err(stop)) => Err(stop),
            // A write that has begun cannot be followed by a clean end.
            None => {
                let elapsed = self.elapsed();
                let blow = self
                    .outlet
                    .as_mut()
                    .and_then(|outlet| outlet.strikes_in_time(elapsed));
                let end = match blow {
                    Some(Blow::End(end @ (End::Cut { .. } | End::Reset))) => end,
                    _ => End::Cut { code: CANCEL },
                };
                Err(Stop::Over(Outcome::Struck(end)))
            }
        }
    }

    /// When something happens by itself, on the clock.
    fn next_strike(&self) -> Option<Duration> {
        let outlet = self.outlet.as_ref()?;
        Some(self.began.time() + outlet.next_time()?)
    }

    /// Writes bytes as fast as the network is to be, until a fault strikes.
    pub(super) async fn slices<S: Sink>(&mut self, sink: &mut S, bytes: &mut Vec<u8>) -> Result<(), Stop> {
        let written = self.trickle(sink, bytes).await;
        if let (Some(outlet), false) = (&mut self.outlet, bytes.is_empty()) {
            outlet.sever();
        }
        written
    }

    async fn trickle<S: Sink>(&mut self, sink: &mut S, bytes: &mut Vec<u8>) -> Result<(), Stop> {
        let held = self.held;
        while !bytes.is_empty() && self.held == held {
            let Some(outlet) = &self.outlet else { return Ok(()) };
            let until = outlet.arrived;
            let until = self.next_strike().map_or(until, |strike| strike.min(until));
            if until > self.worker.clock().now() {
                self.undisturbed(Some(until), sink).await?;
            }
            let elapsed = self.elapsed();
            let Some(outlet) = &mut self.outlet else {
                return Ok(());
            };
            if let Some(blow) = outlet.strikes_in_time(elapsed) {
                self.suffer(blow, sink).await?;
                continue;
            }
            if outlet.arrived > self.worker.clock().now() {
                continue;
            }
            match outlet.piece(bytes) {
                None => return Ok(()),
                Some(Piece::Write(frame, pause)) => {
                    outlet.arrived = on_time(outlet.arrived, self.worker.clock().now()) + pause;
                    self.put(sink, &frame).await?;
                    self.tell_piece(frame.as_bytes());
                }
                Some(Piece::Part(frame, length, blow)) => self.part(sink, &frame, length, blow).await?,
            }
        }
        Ok(())
    }

    /// Writes so many bytes of a frame, then a fault strikes.
    async fn part<S: Sink>(
        &mut self,
        sink: &mut S,
        frame: &Frame,
        length: usize,
        blow: Blow,
    ) -> Result<(), Stop> {
        match blow {
            _ if length == 0 => {}
            Blow::End(End::Cut { .. } | End::Reset) => sink.write_part(frame, length).await?,
            _ => sink.write(frame).await?,
        }
        self.tell_piece(&frame.as_bytes()[..length.min(frame.len())]);
        self.suffer(blow, sink).await
    }
}

/// RFC 9113 §7.
const CANCEL: u32 = 8;

/// What was due a moment ago counts from when it was due, so that many short pauses do not add up.
fn on_time(due: Duration, now: Duration) -> Duration {
    const MOMENT: Duration = Duration::from_millis(100);
    if now.saturating_sub(due) < MOMENT {
        due
    } else {
        now
    }
}

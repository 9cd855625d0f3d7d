//! A performance that has nothing to do but to wait, and to pass messages on meanwhile.
//!
//! There may be very many of them, and a message may go to all: here it counts how much memory a
//! future takes, and how much is done for a message.

use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::connections::LiveConnection;
use super::outcome::{Stop, failed};
use super::player::Performance;
use super::sink::Sink;
use super::waits::{BATCH, Came, Waits};
use crate::plan::{Cue, Source, Write};
use crate::topic::{Message, Messages};

/// What ends a rest.
pub(super) enum Woken {
    /// What the script waits for, or what was handed in.
    Came(Came),
    /// It is time for a heartbeat.
    Beat,
    /// It is time for what is due.
    Due,
    /// A cue of the script is to be carried out.
    Cue(Box<Cue>),
    /// A write has begun, due at this time of the clock; and whether the topic behind it could be
    /// subscribed to.
    Sending(Write, Duration, Result<(), String>),
    /// There is something to wait for that the rest knows nothing of.
    ToWait,
}

/// What a resting stream hears.
enum Heard {
    /// Messages to be passed on as they are.
    Messages(Messages),
    Came(Came),
    Stop(Stop),
}

impl Performance {
    /// Waits for a time of the clock, a message, the client or an order, and passes messages on
    /// meanwhile. What is waited for besides must be waited for by the work.
    pub(super) fn poll_rest<S: Sink>(
        &mut self,
        cx: &mut Context<'_>,
        sink: &mut S,
    ) -> Poll<Result<Woken, Stop>> {
        loop {
            if let Some(messages) = self.passing.take()
                && ready!(self.poll_pass_on(cx, sink, *messages))?
            {
                return Poll::Ready(Ok(Woken::Due));
            }
            if self.prepared.is_some()
                && let Some(woken) = ready!(self.poll_script(cx, sink))?
            {
                return Poll::Ready(Ok(woken));
            }
            if !self.is_simple() {
                return Poll::Ready(Ok(Woken::ToWait));
            }
            let (until, beats) = self.alarm(self.due());
            let Performance {
                worker, live, waits, ..
            } = &mut *self;
            let heard = worker.poll_wait(cx, until, |cx| hear(live, waits, sink, cx));
            match ready!(heard) {
                Some(Heard::Messages(messages)) => {
                    if ready!(self.poll_pass_on(cx, sink, messages))? {
                        return Poll::Ready(Ok(Woken::Due));
                    }
                }
                Some(Heard::Came(came)) => return Poll::Ready(Ok(Woken::Came(came))),
                Some(Heard::Stop(stop)) => return Poll::Ready(Err(stop)),
                None if beats => return Poll::Ready(Ok(Woken::Beat)),
                None if self.is_plain() => {
                    if let Some(woken) = ready!(self.poll_script(cx, sink))? {
                        return Poll::Ready(Ok(woken));
                    }
                }
                None => return Poll::Ready(Ok(Woken::Due)),
            }
        }
    }

    /// Whether nothing stands between the script and its client, and nothing is half done.
    fn is_plain(&self) -> bool {
        self.outlet.is_none() && !self.held && self.waits.is_empty() && !self.plan.is_mid_event()
    }

    /// Sends what is due, as long as that is all there is to do; `None`: until what comes next is due.
    /// What comes up else is done by the work.
    ///
    /// Before it sends, others whose time has come at once make theirs: what all of them send then goes out
    /// in one go, and a client that has several of them is woken once.
    fn poll_script<S: Sink>(
        &mut self,
        cx: &mut Context<'_>,
        sink: &mut S,
    ) -> Poll<Result<Option<Woken>, Stop>> {
        let mut elapsed = self.elapsed();
        let mut next = self.prepared.take().map(|cue| *cue);
        if next.is_none() {
            let cue = self.plan.next(elapsed);
            if matches!(cue, Cue::Send(_)) {
                self.prepared = Some(Box::new(cue));
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            next = Some(cue);
        }
        for _ in 0..BATCH {
            match next.take().unwrap_or_else(|| self.plan.next(elapsed)) {
                Cue::Wait(due) if due > elapsed => {
                    self.rests_until = Some((self.began.time() + due).into());
                    return Poll::Ready(Ok(None));
                }
                Cue::Send(write) => {
                    let due = self.began.time() + self.plan.due();
                    let subscribed = self.subscribe_ahead(elapsed);
                    sink.about(write.source);
                    match sink.poll_write(cx, &[&write.frame]) {
                        Poll::Ready(written) => written?,
                        Poll::Pending => {
                            let sending = Woken::Sending(write, due, subscribed);
                            return Poll::Ready(Ok(Some(sending)));
                        }
                    }
                    let now = self.worker.clock().now();
                    self.written(&write.frame, write.events, now);
                    self.quiet_since(due, now);
                    elapsed = now.saturating_sub(self.began.time());
                    subscribed.map_err(failed)?;
                    if !self.is_plain() {
                        return Poll::Ready(Ok(Some(Woken::Due)));
                    }
                }
                cue => return Poll::Ready(Ok(Some(Woken::Cue(Box::new(cue))))),
            }
        }
        // Others have their turn.
        Poll::Ready(Ok(Some(Woken::Due)))
    }

    /// Waits for all there may be to wait for.
    pub(super) async fn wait<S: Sink>(&mut self, sink: &mut S) -> Result<Woken, Stop> {
        let (until, beats) = self.alarm(self.due());
        let mid_event = self.is_mid_write();
        let Performance {
            worker,
            live,
            waits,
            stage,
            held,
            ..
        } = &mut *self;
        let event = async {
            let came = async {
                match () {
                    () if mid_event => match waits.rest().await {},
                    () if *held => Came::HandedIn(waits.only_handed_in(live).await),
                    () => waits.come(stage, live).await,
                }
            };
            tokio::select! {
                biased;
                order = live.ordered() => Err(Stop::Order(order)),
                came = came => Ok(came),
                () = sink.gone() => Err(Stop::Gone),
            }
        };
        match worker.wait(until, event).await {
            Some(came) => came.map(Woken::Came),
            None if beats => Ok(Woken::Beat),
            None => Ok(Woken::Due),
        }
    }

    fn due(&self) -> Option<Duration> {
        self.rests_until.map(Duration::from)
    }

    /// Until when it may rest, and whether a heartbeat comes then. Nothing comes in the middle of an
    /// event, nor once the script is over.
    fn alarm(&self, due: Option<Duration>) -> (Option<Duration>, bool) {
        let mid_event = self.is_mid_write();
        let until = match mid_event || self.held {
            true => None,
            false => self.waits.first_until(),
        };
        let strike = self.outlet.as_ref().and_then(|outlet| outlet.next_time());
        let by_itself = until.into_iter().chain(strike).min();
        let by_itself = by_itself.map(|time| self.began.time() + time);
        let first = due.into_iter().chain(by_itself).min();
        let beat = if mid_event { None } else { self.next_heartbeat() };
        match beat.filter(|beat| first.is_none_or(|first| *beat < first)) {
            Some(beat) => (Some(beat), true),
            None => (first, false),
        }
    }

    fn is_mid_write(&self) -> bool {
        self.plan.is_mid_event() && !self.held
    }

    /// Whether nothing is waited for but time, and perhaps one topic whose messages are passed on as they
    /// are.
    pub(super) fn is_simple(&self) -> bool {
        !self.is_mid_write()
            && match self.waits.simple() {
                None => false,
                Some(0) => true,
                Some(_) => self.outlet.is_none() && self.plan.relays_as_it_is() && !self.held,
            }
    }

    /// Writes messages that were taken up: several at once to a client that is behind. Whether something
    /// else is due by then: where there is always another message nobody would look at the time.
    fn poll_pass_on<S: Sink>(
        &mut self,
        cx: &mut Context<'_>,
        sink: &mut S,
        messages: Messages,
    ) -> Poll<Result<bool, Stop>> {
        let Some(first) = messages.first() else {
            return Poll::Ready(Ok(false));
        };
        let mut frames = [&first.frame; BATCH];
        for (frame, message) in frames.iter_mut().zip(&messages) {
            *frame = &message.frame;
        }
        sink.about(Source::Relayed);
        match sink.poll_write(cx, &frames[..messages.len()]) {
            Poll::Ready(Ok(())) => {
                self.passed_on(&messages);
                let (until, _) = self.alarm(self.due());
                Poll::Ready(Ok(until.is_some_and(|until| until <= self.wrote.time())))
            }
            Poll::Ready(Err(gone)) => Poll::Ready(Err(gone.into())),
            Poll::Pending => {
                self.passing = Some(Box::new(messages));
                self.live.is_stuck(true);
                let order = self.live.poll_cut_short(cx);
                order.map(|order| Err(Stop::Order(order)))
            }
        }
    }

    fn passed_on(&mut self, messages: &[Arc<Message>]) {
        self.live.is_stuck(false);
        self.calms();
        let bytes: usize = messages.iter().map(|message| message.frame.len()).sum();
        self.live.wrote(messages.len() as u64, bytes as u64);
        let now = self.worker.clock().now();
        self.wrote = now.into();
        if let Some(witnessed) = &self.witnessed {
            witnessed.relayed(messages, now);
        }
    }
}

/// An order comes first, then messages, then what was handed in, then that the client has gone.
fn hear<S: Sink>(
    live: &LiveConnection,
    waits: &mut Waits,
    sink: &mut S,
    cx: &mut Context<'_>,
) -> Poll<Heard> {
    let called = live.is_called(cx);
    if called && let Some(order) = live.given() {
        return Poll::Ready(Heard::Stop(Stop::Order(order)));
    }
    let mut messages = Messages::new();
    if let Poll::Ready(taken) = waits.poll_messages(cx, &mut messages) {
        return Poll::Ready(match taken {
            Ok(()) => {
                waits.passing_on(&messages);
                Heard::Messages(messages)
            }
            Err(slow) => Heard::Came(Came::TooSlow(slow.missed)),
        });
    }
    if called && let Some(parcel) = live.take_parcel() {
        return Poll::Ready(Heard::Came(Came::HandedIn(parcel)));
    }
    sink.poll_gone(cx).map(|()| Heard::Stop(Stop::Gone))
}

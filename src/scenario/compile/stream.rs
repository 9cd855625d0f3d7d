//! A stream around its steps: heartbeat, throttle, faults, limits, what is done at its end.

use std::sync::Arc;

use super::Compiler;
use super::end::ENDINGS;
use super::flow;
use super::layers::Layers;
use super::place::{Place, Room};
use crate::expr::Text;
use crate::scenario::decode::At;
use crate::scenario::file::{FaultFile, HeartbeatRulesFile, LimitsFile, StepFile, ThrottleFile};
use crate::scenario::model::{EventTemplate, Fault, Heartbeat, Limits, Script, Steps, Strike, Throttle};
use crate::wire::Framing;

impl Compiler<'_> {
    /// The script of a stream; `sized`: its length is told by a header of its own.
    pub(super) fn stream(
        &mut self,
        file: &At<Vec<StepFile>>,
        layers: &Layers,
        place: &Place,
        sized: bool,
    ) -> Script {
        let steps = self.steps(&file.value, place);
        let faults = layers.last(|l| l.faults.as_ref()).map_or(&[][..], |list| &list.0);
        let faults: Vec<Fault> = faults
            .iter()
            .filter_map(|f| self.stream_fault(f, place))
            .collect();
        self.check_framing(&steps, &faults, layers, sized);
        self.check_resume(&steps, layers);
        let finally = layers.last(|l| l.finally.as_ref());
        let heartbeat = layers.last(|l| l.heartbeat.as_ref());
        let throttle = layers.last(|l| l.throttle.as_ref());
        let limits = layers.last(|l| l.limits.as_ref());
        Script {
            heartbeat: heartbeat.and_then(|h| self.heartbeat(&h.0, place)),
            wire: self.wire(layers, place),
            throttle: throttle.and_then(|t| self.throttle(t, place)),
            faults,
            limits: limits.map(|l| self.limits(l)).unwrap_or_default(),
            resume: layers.last(|l| l.resume.as_ref()).is_some_and(|at| at.value),
            finally: finally.map_or_else(
                || Arc::from([]),
                |f| self.steps(&f.value, &place.inside(Room::Finally)),
            ),
            steps,
        }
    }

    /// What the chosen framing does to this stream.
    fn check_framing(&mut self, steps: &Steps, faults: &[Fault], layers: &Layers, sized: bool) {
        let Some(at) = layers.wire(|w| w.framing.as_ref()) else {
            return;
        };
        let framing = self.framing(layers);
        if framing == Some(Framing::Sized)
            && !sized
            && let Some(what) = flow::unknown_length(steps)
        {
            let message = format!("the length of this stream is not known beforehand: it has {what}");
            let hint = "add a `content-length` header, or use `framing: chunked` or `close`";
            self.error_hint(&at.span, message, hint);
        }
        if framing == Some(Framing::Sized)
            && let Some(heartbeat) = layers.last(|l| l.heartbeat.as_ref())
        {
            let message =
                "heartbeats do not fit into a body of a known length: nobody knows how many there will be";
            let hint = "remove `heartbeat`, or use `framing: chunked` or `close`";
            self.error_hint(&heartbeat.0.span, message, hint);
        }
        if framing == Some(Framing::Sized)
            && !sized
            && let Some(limits) = layers.last(|l| l.limits.as_ref())
            && (limits.value.events.is_some() || limits.value.bytes.is_some() || limits.value.time.is_some())
        {
            let message = "a stream that limits end has no length that is known beforehand";
            let hint = "remove the limits, or use `framing: chunked` or `close`";
            self.error_hint(&limits.span, message, hint);
        }
        if framing == Some(Framing::Close) && flow::cuts(steps, faults) {
            let message =
                "with `framing: close` a client of HTTP/1.1 cannot tell `end: cut` from `end: close`";
            let hint = "use `framing: chunked` (the default), or `end: reset`";
            self.warn(&at.span, message, hint);
        }
    }

    /// Ids that are drawn anew for each request are never found again.
    fn check_resume(&mut self, steps: &Steps, layers: &Layers) {
        let resume = layers.last(|l| l.resume.as_ref()).filter(|at| at.value);
        if let Some(at) = resume
            && flow::draws_ids(steps)
        {
            let message = "`resume` never finds an id that is a `uuid`: each request draws its own";
            let hint = "use `id: counter`, or ids of your own";
            self.warn(&at.span, message, hint);
        }
    }

    fn heartbeat(&mut self, at: &At<HeartbeatRulesFile>, place: &Place) -> Option<Heartbeat> {
        let (file, names) = (&at.value, &place.names);
        let Some(every) = &file.every else {
            self.error_hint(&at.span, "this heartbeat has no interval", "add `every: 15s`");
            return None;
        };
        let duration = self.duration(every)?;
        if duration.is_zero() {
            self.error(&every.0.span, "a heartbeat needs an interval greater than 0");
            return None;
        }
        let given = file.event.is_some() || file.data.is_some() || file.comment.is_some();
        let event = EventTemplate {
            comment: match given {
                true => file.comment.as_ref().and_then(|s| self.text(s, names)),
                false => Some(Text::fixed("")),
            },
            event: file.event.as_ref().and_then(|s| self.text(s, names)),
            data: file.data.as_ref().and_then(|d| self.data(d, names)),
            ..Default::default()
        };
        Some(Heartbeat {
            every: duration,
            event,
        })
    }

    fn throttle(&mut self, at: &At<ThrottleFile>, place: &Place) -> Option<Throttle> {
        let file = &at.value;
        if file.rate.is_none() && file.delay.is_none() && file.buffer.is_none() {
            let message = "this `throttle` slows nothing down";
            self.error_hint(&at.span, message, "give it `rate`, `delay` or `buffer`");
            return None;
        }
        let positive = |this: &mut Self, scalar| this.positive_size(scalar);
        Some(Throttle {
            rate: file.rate.as_ref().and_then(|s| positive(self, s)),
            delay: file.delay.as_ref().and_then(|d| self.pace(d, &place.names)),
            buffer: file
                .buffer
                .as_ref()
                .and_then(|s| positive(self, s))
                .map(|n| n as usize),
        })
    }

    fn stream_fault(&mut self, at: &At<FaultFile>, place: &Place) -> Option<Fault> {
        let file = &at.value;
        let probability = file.probability.as_ref().map_or(1.0, |p| p.value);
        if let Some(p) = file
            .probability
            .as_ref()
            .filter(|p| !(0.0..=1.0).contains(&p.value))
        {
            self.error(&p.span, format!("a probability is 0 to 1, not {}", p.value));
        }
        self.check_after(file);
        let after = file.after.as_ref().map(|a| &a.value);
        let events = after.and_then(|a| a.events.as_ref());
        let bytes = after.and_then(|a| a.bytes.as_ref());
        let time = after.and_then(|a| a.time.as_ref());
        let fault = Fault {
            probability,
            events: events.and_then(|s| self.numbers(s)),
            bytes: bytes.and_then(|s| self.sizes(s)),
            time: time.and_then(|d| self.pace(d, &place.names)),
            strike: self.strike(at, place)?,
        };
        Some(fault)
    }

    fn check_after(&mut self, file: &FaultFile) {
        if let Some(after) = &file.after
            && after.value.events.is_none()
            && after.value.bytes.is_none()
            && after.value.time.is_none()
        {
            let hint = "give it `events`, `bytes` or `time`, or remove it: then the fault strikes at once";
            self.error_hint(&after.span, "`after` does not say after what", hint);
        }
    }

    fn strike(&mut self, at: &At<FaultFile>, place: &Place) -> Option<Strike> {
        let file = &at.value;
        Some(match (&file.end, &file.stall) {
            (Some(_), Some(stall)) => {
                let message = "a fault does one thing: it ends the stream, or stalls it for a while";
                self.error_hint(&stall.0.span, message, "write a fault for each");
                return None;
            }
            (None, Some(stall)) => {
                if let Some(code) = &file.code {
                    self.ending(None, Some(code), ENDINGS);
                }
                Strike::Stall(self.some_time(stall, "a stall", &place.names)?)
            }
            (None, None) => {
                self.error_hint(
                    &at.span,
                    "this fault does nothing",
                    "add `end: cut`, or `stall: 10s`",
                );
                return None;
            }
            (end, None) => Strike::End(self.ending(end.as_ref(), file.code.as_ref(), ENDINGS)?),
        })
    }

    fn limits(&mut self, written: &At<LimitsFile>) -> Limits {
        let file = &written.value;
        if file.connections.is_none() && file.events.is_none() && file.bytes.is_none() && file.time.is_none()
        {
            let hint = "write one of `connections`, `events`, `bytes`, `time`, or remove it";
            self.warn(&written.span, "these limits limit nothing", hint);
        }
        let count = |this: &mut Self, at: &Option<At<u64>>| {
            let at = at.as_ref()?;
            if at.value == 0 {
                this.error_hint(&at.span, "a limit of 0 lets nothing through", "write 1 or more");
            }
            Some(at.value)
        };
        let time = file.time.as_ref().and_then(|d| self.duration(d));
        if let (Some(written), Some(time)) = (&file.time, time)
            && time.is_zero()
        {
            self.error_hint(
                &written.0.span,
                "a limit of 0 lets nothing through",
                "write for example 30s",
            );
        }
        Limits {
            connections: count(self, &file.connections).map(|n| n as usize),
            events: count(self, &file.events),
            bytes: file.bytes.as_ref().and_then(|s| self.positive_size(s)),
            time,
        }
    }
}

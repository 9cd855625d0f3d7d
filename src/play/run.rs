//! One request through the engine, its stream on a clock that is moved from one due time to the next.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::audience::Audience;
use super::{Answered, How, Opening, Played, Settings, Viewer};
use crate::clock::Clock;
use crate::engine::memory::{MemorySink, Written};
use crate::engine::{Engine, Head, NotBegun, Outcome, Performance, Reply, ReplyBody};
use crate::plan::Source;
use crate::request::Request;
use crate::scenario::describe::ending as in_words;
use crate::scenario::model::End;
use crate::scenario::{Scenario, duration};
use crate::server::{cors, preview};
use crate::session::Session;

/// Plays the answer to a request to all who look. An error is one of theirs.
pub async fn play(
    scenario: Scenario,
    settings: Settings,
    viewers: &mut [Box<dyn Viewer + '_>],
) -> io::Result<Played> {
    let clock = Clock::manual();
    let engine = Engine::new(scenario, Session::new(clock.clone()), settings.seed);
    for _ in 1..settings.attempt {
        drop(engine.answer(settings.request.clone()));
    }
    let mut reply = engine.answer(settings.request.clone());
    add_cors(&settings.request, &mut reply);
    let seed = engine.seed(&engine.catalog.current());
    let mut play = Play {
        audience: Audience::new(viewers, settings.events),
        settings,
        seed,
        clock,
    };
    play.reply(reply).await
}

/// One answer under way.
struct Play<'p, 'v> {
    settings: Settings,
    seed: u64,
    clock: Arc<Clock>,
    audience: Audience<'p, 'v>,
}

/// How it came to its end, and what else there is to say.
struct Over {
    at: Duration,
    how: How,
    detail: String,
    failed: Option<String>,
}

impl Over {
    fn new(at: Duration, how: How, detail: impl Into<String>) -> Over {
        Over {
            at,
            how,
            detail: detail.into(),
            failed: None,
        }
    }
}

impl Play<'_, '_> {
    async fn reply(&mut self, reply: Reply) -> io::Result<Played> {
        let Reply {
            head,
            after,
            body,
            framing,
            content_length,
            cors,
            ..
        } = reply;
        let mut bounds = preview::Bounds {
            whole: None,
            framing,
            content_length,
        };
        let request = &self.settings.request;
        let bodied = preview::is_bodied(request, &head);
        match body {
            ReplyBody::Nothing(end) => self.nothing(end, after),
            ReplyBody::Full(bytes) => {
                bounds.whole = Some(bytes.len());
                let bytes = if bodied { bytes } else { Bytes::new() };
                self.full(head, bounds, after, bytes)
            }
            ReplyBody::Stream(performance) if !bodied => {
                drop(performance);
                bounds.whole = Some(0);
                self.full(head, bounds, after, Bytes::new())
            }
            ReplyBody::Stream(mut performance) => {
                let begun = begin(&mut performance, &self.clock, after).await;
                match begun.map_err(NotBegun::reply) {
                    Ok(()) => self.stream(head, bounds, after, *performance).await,
                    Err(Ok(refused)) => {
                        drop(performance);
                        let mut refused = refused.with_cors(cors);
                        add_cors(&self.settings.request, &mut refused);
                        refused.after = after;
                        Box::pin(self.reply(refused)).await
                    }
                    Err(Err(end)) => self.nothing(end, after),
                }
            }
        }
    }

    fn opening(&self, at: Duration, head: Option<(&Head, preview::Bounds)>) -> Opening {
        let request = &self.settings.request;
        Opening {
            at,
            request: request.clone(),
            attempt: self.settings.attempt,
            seed: self.seed,
            head: head.map(|(head, bounds)| Answered {
                status: head.status,
                headers: head.headers.clone(),
                bytes: preview::head_bytes(request, head, bounds),
            }),
        }
    }

    fn nothing(&mut self, end: End, at: Duration) -> io::Result<Played> {
        self.audience.begin(&self.opening(at, None))?;
        let over = match end {
            End::Stall | End::Hold => {
                Over::new(at + self.settings.time, of(end), "no answer, and still open")
            }
            end => Over::new(at, of(end), "no answer"),
        };
        self.over(None, over)
    }

    fn full(
        &mut self,
        head: Head,
        bounds: preview::Bounds,
        at: Duration,
        bytes: Bytes,
    ) -> io::Result<Played> {
        self.audience.begin(&self.opening(at, Some((&head, bounds))))?;
        self.audience.compressed = head.get("content-encoding").is_some();
        if !bytes.is_empty() {
            let written = Written {
                at,
                source: Source::Body,
                bytes,
                announced: None,
            };
            // All of it comes at once: there is nothing to leave.
            let _ = self.audience.write(&written)?;
        }
        self.over(Some(head.status), Over::new(at, How::Close, ""))
    }

    async fn stream(
        &mut self,
        mut head: Head,
        bounds: preview::Bounds,
        after: Duration,
        performance: Performance,
    ) -> io::Result<Played> {
        head.push_gap(performance.gap());
        self.audience.begin(&self.opening(after, Some((&head, bounds))))?;
        self.audience.compressed = head.get("content-encoding").is_some();
        let over = self.perform(performance, after + self.settings.time).await?;
        self.over(Some(head.status), over)
    }

    /// Plays until it ends, the time is up, or nobody wants more.
    async fn perform(&mut self, mut performance: Performance, end: Duration) -> io::Result<Over> {
        let body = MemorySink::new(self.clock.clone());
        let (mut sink, clock) = (body.clone(), self.clock.clone());
        // Not a task of its own: when it ends, the time has not gone on.
        let mut playing = pin!(async {
            let outcome = performance.play(&mut sink).await;
            drop(performance);
            (clock.now(), outcome)
        });
        loop {
            let next = tokio::select! {
                biased;
                (at, outcome) = &mut playing => Next::Ended(at, outcome),
                // A script that sends without waiting is written out as it comes.
                () = body.filled() => Next::More,
                next = go_on(&self.clock, end) => next,
            };
            let seen = self.audience.write_all(&body)?;
            match (seen, next) {
                (ControlFlow::Break(at), _) => return Ok(self.left(at)),
                (_, Next::Ended(at, outcome)) => return Ok(ended(at, outcome)),
                (_, Next::TimeUp) => return Ok(self.open(&body, end)),
                (_, Next::More) => {}
            }
        }
    }

    /// Nothing more comes in the time that is played.
    fn open(&self, body: &MemorySink, end: Duration) -> Over {
        let time = duration::format(self.settings.time);
        match body.stays_open() {
            Some((since, how)) => {
                let detail = format!("since {}, still open after {time}", duration::format(since));
                Over::new(end, of(how), detail)
            }
            None => Over::new(end, How::Open, format!("still open after {time}")),
        }
    }

    fn left(&self, at: Duration) -> Over {
        let detail = match self.settings.events {
            Some(most) if self.audience.events >= most => {
                format!("after {most} event{}", if most == 1 { "" } else { "s" })
            }
            _ => "no more can be shown".into(),
        };
        Over::new(at, How::Left, detail)
    }

    fn over(&mut self, status: Option<u16>, over: Over) -> io::Result<Played> {
        let ending = self.audience.end(over.at, over.how, over.detail)?;
        Ok(Played {
            status,
            failed: over.failed,
            ending,
        })
    }
}

/// What happens next to a stream.
enum Next {
    /// It ends, at this time of the clock.
    Ended(Duration, Outcome),
    /// It goes on.
    More,
    /// Nothing more is due in time.
    TimeUp,
}

/// Moves the clock to what is due next, unless that is later than `end`.
async fn go_on(clock: &Clock, end: Duration) -> Next {
    match clock.next_due().await {
        Some(due) if due <= end => {
            clock.advance(due.saturating_sub(clock.now())).await;
            Next::More
        }
        _ => Next::TimeUp,
    }
}

/// Waits for the head's time.
async fn begin(performance: &mut Performance, clock: &Clock, after: Duration) -> Result<(), NotBegun> {
    let moved = async {
        clock.advance(after).await;
        pending::<Infallible>().await
    };
    tokio::select! {
        biased;
        begun = performance.begin() => begun,
        never = moved => match never {},
    }
}

fn add_cors(request: &Request, reply: &mut Reply) {
    if let Some(policy) = &reply.cors {
        cors::apply(policy, request, reply.allow.as_deref(), &mut reply.head);
    }
}

fn of(end: End) -> How {
    match end {
        End::Close => How::Close,
        End::Cut { .. } => How::Cut,
        End::Reset => How::Reset,
        End::Goaway => How::Goaway,
        End::Stall => How::Stall,
        End::Hold => How::Hold,
    }
}

fn ended(at: Duration, outcome: Outcome) -> Over {
    let end = outcome.end().unwrap_or(End::Close);
    let mut over = Over::new(at, of(end), "");
    match outcome {
        Outcome::Ended(End::Cut { .. }) => {
            let words = in_words(end);
            over.detail = words
                .strip_prefix("cut ")
                .map_or(String::new(), |code| code.to_owned());
        }
        Outcome::Ended(_) => {}
        Outcome::Struck(_) => over.detail = "a fault or a limit".into(),
        Outcome::Failed(why) => {
            over.detail = format!("the script failed: {why}");
            over.failed = Some(why);
        }
        other => over.detail = other.describe(),
    }
    over
}

//! What a client would receive, at once: the same engine on a clock that is moved by hand.

use std::io::{self, Write};
use std::time::Duration;

use crate::clock::Clock;
use crate::engine::memory::MemorySink;
use crate::engine::{Engine, NotBegun, Outcome, Reply, ReplyBody, Seed};
use crate::request::Request;
use crate::scenario::Scenario;
use crate::session::Session;

/// What was played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Played {
    /// The status code.
    pub status: u16,
    /// Why the script could not go on, if it could not.
    pub failed: Option<String>,
}

/// Plays the answer to a request for a time of the script's clock, and writes its body as it comes.
pub async fn play(
    scenario: Scenario,
    seed: Seed,
    request: Request,
    limit: Duration,
    out: &mut impl Write,
) -> io::Result<Played> {
    let clock = Clock::manual();
    let engine = Engine::new(scenario, Session::new(clock.clone()), seed, None);
    let Reply {
        head, after, body, ..
    } = engine.answer(request);
    // RFC 9110 §15: these have no body, whatever the scenario says.
    if matches!(head.status, 204 | 205 | 304) {
        let status = head.status;
        return Ok(Played { status, failed: None });
    }
    let mut performance = match body {
        ReplyBody::Full(bytes) => {
            out.write_all(&bytes)?;
            let status = head.status;
            return Ok(Played { status, failed: None });
        }
        ReplyBody::Nothing(_) => {
            let status = head.status;
            return Ok(Played { status, failed: None });
        }
        ReplyBody::Stream(performance) => performance,
    };
    let sink = MemorySink::default();
    let body = sink.clone();
    let playing = tokio::spawn(async move {
        match performance.begin().await {
            Ok(()) => performance.play(sink).await.1,
            Err(NotBegun::Failed(why)) => Outcome::Failed(why),
            Err(NotBegun::Gone) => {
                Outcome::Failed("the history does not reach back to the last event id".into())
            }
            Err(NotBegun::Ordered(_)) => Outcome::Shutdown,
        }
    });
    let end = limit + after;
    loop {
        let next = tokio::select! {
            next = clock.next_due() => next,
            // A script that sends without waiting is written out as it comes.
            () = body.filled() => {
                out.write_all(&body.take())?;
                continue;
            }
        };
        out.write_all(&body.take())?;
        match next {
            Some(due) if due <= end && !playing.is_finished() => clock.advance(due - clock.now()).await,
            _ => break,
        }
    }
    out.flush()?;
    playing.abort();
    let failed = match playing.await {
        Ok(Outcome::Failed(why)) => Some(why),
        _ => None,
    };
    Ok(Played {
        status: head.status,
        failed,
    })
}

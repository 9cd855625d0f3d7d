//! The time of a session's scripts.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::time::ms;
use super::{Failure, PATIENCE, Time, in_time};
use crate::clock::Mode;
use crate::engine::Engine;
use crate::engine::connections::LiveConnection;
use crate::news::Happening;
use crate::scenario::{duration, time_of_day};

/// How time passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ClockMode {
    /// As it does.
    Real,
    /// Faster or slower.
    Scaled,
    /// Only when it is advanced.
    Manual,
}

/// A session's time.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ClockState {
    /// How it passes.
    pub mode: ClockMode,
    /// How many times as fast as real time, unless it is moved by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<f64>,
    /// Milliseconds since the session began.
    pub now_ms: f64,
    /// The time of day that scripts see (RFC 3339).
    pub wall: String,
    /// When the next script has something to do; only of a clock that is moved by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_due_ms: Option<f64>,
}

/// How time is to pass from now on; what is not said stays.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SetClock {
    /// How it passes.
    pub mode: Option<ClockMode>,
    /// How many times as fast as real time: 0.001 to 1000000. Alone it means `scaled`.
    pub scale: Option<f64>,
    /// The time of day that it is now (RFC 3339).
    pub now: Option<String>,
}

/// How far time is to be moved on: `by` or `to`.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Advance {
    /// So far.
    pub by: Option<Time>,
    /// To what is due next.
    pub to: Option<To>,
}

/// Where time is to be moved to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum To {
    /// When the next script has something to do.
    Next,
}

/// How long a command may take, in real time.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Timeout {
    /// How long (in real time) it may take until clients have read what is written; usually 10s.
    pub timeout: Option<Time>,
}

impl Timeout {
    /// In real time.
    pub fn patience(&self) -> Duration {
        self.timeout.map_or(PATIENCE, |time| time.0)
    }
}

/// Where the time is after it was moved.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Advanced {
    /// How far it was moved.
    pub advanced_ms: f64,
    /// Milliseconds since the session began.
    pub now_ms: f64,
    /// The time of day that scripts see (RFC 3339).
    pub wall: String,
    /// When the next script has something to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_due_ms: Option<f64>,
}

/// The session's time.
pub fn state(engine: &Engine) -> ClockState {
    let clock = &engine.session.clock;
    let (mode, scale) = match clock.mode() {
        Mode::Manual => (ClockMode::Manual, None),
        Mode::Scaled(1.0) => (ClockMode::Real, Some(1.0)),
        Mode::Scaled(factor) => (ClockMode::Scaled, Some(factor)),
    };
    ClockState {
        mode,
        scale,
        now_ms: ms(clock.now()),
        wall: time_of_day::format(clock.wall_ms()),
        next_due_ms: clock.first_due().map(ms),
    }
}

/// Lets the time pass otherwise.
///
/// # Errors
///
/// The command contradicts itself, or scripts go by the clock.
pub fn set(engine: &Engine, wish: &SetClock) -> Result<ClockState, Failure> {
    let clock = &engine.session.clock;
    let (mode, now) = wish.checked(clock.mode())?;
    clock.set_mode(mode).map_err(|in_use| {
        Failure::Conflict(format!(
            "how time passes cannot change now: {in_use}; begin the session anew first \
             (POST /__mock/reset), or use a session that begins with such a clock (PUT /__mock/sessions/NAME)"
        ))
    })?;
    if let Some(now) = now {
        let passed = clock.now().as_millis() as u64;
        clock.pin(Some(now.saturating_sub(passed)));
    }
    Ok(state(engine))
}

impl SetClock {
    /// Whether nothing is said.
    pub(super) fn is_empty(&self) -> bool {
        self.mode.is_none() && self.scale.is_none() && self.now.is_none()
    }

    /// How time is to pass, and what time of day it is to be.
    pub(super) fn checked(&self, current: Mode) -> Result<(Mode, Option<u64>), Failure> {
        let mode = mode(self, current)?;
        let now = self.now.as_deref().map(time_of_day::parse).transpose();
        Ok((mode, now.map_err(Failure::Invalid)?))
    }
}

fn mode(wish: &SetClock, current: Mode) -> Result<Mode, Failure> {
    let invalid = |why: &str| Err(Failure::Invalid(why.to_owned()));
    match (wish.mode, wish.scale) {
        (_, Some(scale)) if !(0.001..=1e6).contains(&scale) => invalid("`scale` is to be 0.001 to 1000000"),
        (Some(ClockMode::Manual), Some(_)) => invalid("a manual clock has no `scale`: leave it out"),
        (Some(ClockMode::Real), Some(scale)) if scale != 1.0 => {
            invalid("a real clock has no `scale`: say `mode: scaled`")
        }
        (Some(ClockMode::Scaled), None) => invalid("a scaled clock needs a `scale`: how many times as fast"),
        (Some(ClockMode::Manual), None) => Ok(Mode::Manual),
        (Some(ClockMode::Real), _) => Ok(Mode::REAL),
        (_, Some(scale)) => Ok(Mode::Scaled(scale)),
        (None, None) if wish.now.is_none() => invalid("say a `mode`, a `scale` or what time it is `now`"),
        (None, None) => Ok(current),
    }
}

/// Moves a manual clock on. It answers when all that fell due has been written.
///
/// If clients do not read what is written to them, it gives up after `patience` (real time): then the
/// time stands where it has got to.
///
/// # Errors
///
/// The clock is not moved by hand, or something does not get done in time.
pub async fn advance(engine: &Engine, wish: &Advance, patience: Duration) -> Result<Advanced, Failure> {
    let clock = &engine.session.clock;
    if clock.mode() != Mode::Manual {
        return Err(Failure::Conflict(
            "this clock goes by itself: make it manual first (PUT /__mock/clock with {\"mode\": \"manual\"}), \
             or start the server with --clock manual"
                .into(),
        ));
    }
    let before = clock.now();
    let moved = match (wish.by, wish.to) {
        (Some(by), None) => in_time(patience, clock.advance(by.0)).await,
        (None, Some(To::Next)) => in_time(patience, clock.advance_to_next()).await,
        _ => {
            let why = "say either how far, {\"by\": \"5s\"}, or {\"to\": \"next\"}";
            return Err(Failure::Invalid(why.into()));
        }
    };
    let now = clock.now();
    let by_ms = ms(now.saturating_sub(before));
    engine.session.board.tell(|| Happening::Advanced { by_ms });
    if engine.connections.is_over() {
        let why = "the session was deleted or began anew meanwhile: its time is another one now";
        return Err(Failure::Conflict(why.into()));
    }
    if moved.is_none() {
        return Err(Failure::TooLate(format!(
            "not everything was done within {}: {}; the time stands at {} and may be advanced further",
            duration::format(patience),
            blocking(engine),
            duration::format(now),
        )));
    }
    Ok(Advanced {
        advanced_ms: by_ms,
        now_ms: ms(now),
        wall: time_of_day::format(clock.wall_ms()),
        next_due_ms: clock.first_due().map(ms),
    })
}

/// Who does not read what is written, in words.
pub(super) fn blocking(engine: &Engine) -> String {
    let all = engine.connections.all();
    let stuck = all.iter().filter_map(|live| Some((live, live.stuck_for()?)));
    let said: Vec<String> = stuck.map(|(live, time)| says(live, time)).collect();
    match said.as_slice() {
        [] => "a script was still at work".to_owned(),
        some => some.join(", "),
    }
}

fn says(live: &LiveConnection, stuck: Duration) -> String {
    let millis = Duration::from_millis(stuck.as_millis() as u64);
    format!(
        "connection {} ({}, from {}) has not read for {}",
        live.number,
        live.endpoint(),
        live.peer(),
        duration::format(millis)
    )
}

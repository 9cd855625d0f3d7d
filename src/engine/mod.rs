//! Matching, plan and player together: what server, `play` and feeds share.
//!
//! A request goes in, a [`Reply`] comes out; a stream in it is a [`Performance`] that is played to
//! a [`sink::Sink`]. No HTTP library here, no files.

mod answer;
pub mod catalog;
pub mod connections;
pub mod memory;
mod player;
mod refusal;
mod reply;
pub mod sink;
mod visit;

use std::sync::Arc;

pub use player::{NotBegun, Outcome, Performance};
pub use reply::{Head, PROBLEM_JSON, Reply, ReplyBody, problem_body};

use crate::event::Event;
use crate::scenario::Scenario;
use crate::session::Session;
use crate::wire::{Frame, Style, encode};
use catalog::Catalog;
use connections::Connections;

/// Answers requests from the current scenario.
#[derive(Debug)]
pub struct Engine {
    /// What is served.
    pub catalog: Catalog,
    /// The world it is served in.
    pub session: Session,
    /// The open streams.
    pub connections: Arc<Connections>,
    /// The seed that the scenario does not override: from the command line, or drawn at start.
    seed: Seed,
    farewell: Option<Frame>,
}

/// Where the seed comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seed {
    /// Said by the user: it holds whatever the scenario says.
    Fixed(u64),
    /// Drawn: it holds unless the scenario says one.
    Drawn(u64),
}

impl Engine {
    /// Serves a scenario in a session; `farewell` is sent to streams when the server stops.
    pub fn new(scenario: Scenario, session: Session, seed: Seed, farewell: Option<&Event>) -> Engine {
        Engine {
            catalog: Catalog::new(scenario),
            session,
            connections: Arc::default(),
            seed,
            farewell: farewell.map(|event| Frame::new(&encode(event, &Style::STANDARD))),
        }
    }

    /// The seed in force for a scenario.
    pub fn seed(&self, scenario: &Scenario) -> u64 {
        match self.seed {
            Seed::Fixed(seed) => seed,
            Seed::Drawn(seed) => scenario.seed.unwrap_or(seed),
        }
    }
}

//! Matching, plan and player together: what server, `play` and feeds share.
//!
//! A request goes in, a [`Reply`] comes out; a stream in it is a [`Performance`] that is played to
//! a [`sink::Sink`]. No HTTP library here, no files.

mod answer;
mod bell;
pub mod catalog;
mod choose;
pub mod connections;
mod crowd;
mod delivery;
mod effects;
mod feeds;
mod finish;
pub mod gate;
mod live;
pub mod memory;
mod outcome;
mod outlet;
mod parcel;
mod player;
pub mod playing;
mod refusal;
mod reply;
mod rest;
pub mod sessions;
pub mod sink;
mod stage;
mod stepping;
mod visit;
mod waits;
pub mod witness;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub use outcome::{NotBegun, Outcome};
pub use player::Performance;
pub use reply::{Head, PROBLEM_JSON, Reply, ReplyBody, problem_body};

use crate::news::Happening;
use crate::scenario::Scenario;
use crate::session::Session;
use crate::wire::Frame;
use catalog::Catalog;
use connections::Connections;
use gate::Gate;
use sessions::SessionRules;
use stage::Stage;
use witness::Witness;

/// Answers the requests of one session.
#[derive(Debug)]
pub struct Engine {
    /// The session's name; empty for the one without.
    pub name: Arc<str>,
    /// What is served.
    pub catalog: Arc<Catalog>,
    /// The world it is served in.
    pub session: Session,
    /// The open streams.
    pub connections: Arc<Connections>,
    /// Whether new connections are let in.
    pub gate: Arc<Gate>,
    /// What its clients have done.
    pub witness: Arc<Witness>,
    /// The seed that the scenario does not override: from the command line, or drawn at start.
    seed: Seed,
    /// Whether the scenario is this session's alone.
    own: AtomicBool,
    /// What players may reach of all this.
    stage: Arc<Stage>,
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
    /// Serves a scenario in a session that is alone in the world.
    pub fn new(scenario: Scenario, session: Session, seed: Seed) -> Engine {
        session.clock.pin(scenario.now);
        let catalog = Arc::new(Catalog::new(Arc::new(scenario)));
        Engine::within("", catalog, session, seed, None, Arc::default())
    }

    /// One of several sessions behind one gate; `farewell` is sent to streams when the server stops.
    fn within(
        name: &str,
        catalog: Arc<Catalog>,
        session: Session,
        seed: Seed,
        farewell: Option<Frame>,
        gate: Arc<Gate>,
    ) -> Engine {
        let connections = Arc::new(Connections::new(session.board.clone()));
        session.topics.declare(declared(&catalog.current()));
        let stage = Stage::new(
            &session,
            catalog.clone(),
            connections.clone(),
            gate.clone(),
            seed,
            farewell,
        );
        Engine {
            name: name.into(),
            witness: Witness::new(session.clock.clone(), catalog.current()),
            catalog,
            session,
            connections,
            gate,
            seed,
            own: AtomicBool::new(false),
            stage: Arc::new(stage),
        }
    }

    /// Puts another scenario in force.
    fn serve(&self, scenario: Arc<Scenario>, rules: &SessionRules) {
        self.session.topics.declare(declared(&scenario));
        let time_of_day = |scenario: &Scenario| rules.now.or(scenario.now);
        // Else it stays what it is: a test may have told the clock.
        if time_of_day(&scenario) != time_of_day(&self.catalog.current()) {
            self.session.clock.pin(time_of_day(&scenario));
        }
        self.witness.expect(&scenario);
        let endpoints = scenario.endpoints.len();
        self.catalog.swap(scenario);
        self.session.board.tell(|| Happening::Reloaded { endpoints });
    }

    /// Whether the scenario is this session's alone.
    pub fn has_its_own(&self) -> bool {
        self.own.load(Ordering::Relaxed)
    }

    fn set_its_own(&self, own: bool) {
        self.own.store(own, Ordering::Relaxed);
    }

    /// The seed in force for a scenario.
    pub fn seed(&self, scenario: &Scenario) -> u64 {
        self.seed.of(scenario)
    }
}

/// The names of topics that are declared as they are.
fn declared(scenario: &Scenario) -> impl Iterator<Item = String> {
    let literal = scenario.topics.iter().filter(|spec| spec.name.names().is_empty());
    literal.map(|spec| spec.name.source().to_owned())
}

impl Seed {
    /// The seed in force for a scenario.
    fn of(self, scenario: &Scenario) -> u64 {
        match self {
            Seed::Fixed(seed) => seed,
            Seed::Drawn(seed) => scenario.seed.unwrap_or(seed),
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stage.stop_feeds();
    }
}

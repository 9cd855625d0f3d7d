//! All sessions of a server: the one without a name, and those that requests name.
//!
//! A session is a world of its own, with an engine of its own: attempts, topics, state, clock,
//! connections. What sessions share is the listener, and the scenario unless one is given its own.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

mod rules;

use rules::is_name;
pub use rules::{NoSession, SessionRules};

use super::Engine;
use super::catalog::Catalog;
use super::connections::Order;
use super::gate::Gate;
use crate::clock::{Clock, Mode};
use crate::event::Event;
use crate::news::{Happening, News};
use crate::scenario::Scenario;
use crate::scenario::model::End;
use crate::session::Session;
use crate::wire::{Frame, Style, encode};

/// All sessions of a server.
#[derive(Debug)]
pub struct Sessions {
    rules: SessionRules,
    farewell: Option<Frame>,
    gate: Arc<Gate>,
    closing: AtomicBool,
    /// The session without a name has begun anew.
    renewed: watch::Sender<()>,
    deleted: AtomicBool,
    all: Mutex<All>,
}

#[derive(Debug)]
struct All {
    /// What sessions serve that were given nothing of their own.
    scenario: Arc<Scenario>,
    main: Arc<Engine>,
    named: HashMap<Arc<str>, Held>,
}

#[derive(Debug)]
struct Held {
    engine: Arc<Engine>,
    /// The time of day at which it begins, if it was given one of its own.
    now: Option<u64>,
    used: Instant,
}

impl Sessions {
    /// With the session without a name; `farewell` is sent to streams when the server stops.
    pub fn new(
        scenario: impl Into<Arc<Scenario>>,
        rules: SessionRules,
        farewell: Option<&Event>,
    ) -> Sessions {
        let farewell = farewell.map(|event| Frame::new(&encode(event, &Style::STANDARD)));
        let gate = Arc::<Gate>::default();
        let scenario = scenario.into();
        let session = Session::new(Clock::new(rules.mode));
        let main = engine("", &scenario, session, &rules, &farewell, &gate);
        Sessions {
            rules,
            farewell,
            gate,
            closing: AtomicBool::new(false),
            renewed: watch::Sender::new(()),
            deleted: AtomicBool::new(false),
            all: Mutex::new(All {
                scenario,
                main,
                named: HashMap::new(),
            }),
        }
    }

    /// How time passes in a session that is told nothing else.
    pub fn usual_mode(&self) -> Mode {
        self.rules.mode
    }

    /// The session without a name.
    pub fn main(&self) -> Arc<Engine> {
        self.lock().main.clone()
    }

    /// Changes when the session without a name begins anew.
    pub fn renewed(&self) -> watch::Receiver<()> {
        self.renewed.subscribe()
    }

    /// Whether new connections are let in.
    pub fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// The session of a name (`""`: the one without), made if there is none.
    ///
    /// # Errors
    ///
    /// The name is none, or there are too many sessions.
    pub fn enter(&self, name: &str) -> Result<Arc<Engine>, NoSession> {
        self.enter_on(name, self.rules.mode, None)
    }

    /// The same; if it is made, its time passes like this from its beginning, which is at this time of
    /// day (in milliseconds since 1970) if one is said; so it is after each reset.
    ///
    /// # Errors
    ///
    /// The name is none, or there are too many sessions.
    pub fn enter_on(&self, name: &str, mode: Mode, now: Option<u64>) -> Result<Arc<Engine>, NoSession> {
        let mut all = self.lock();
        if name.is_empty() {
            return Ok(all.main.clone());
        }
        if let Some(held) = all.named.get_mut(name) {
            held.used = Instant::now();
            return Ok(held.engine.clone());
        }
        if !is_name(name) {
            return Err(NoSession::BadName(crate::name::short(name).into_owned()));
        }
        let forgotten = all.make_room(&self.rules);
        if all.named.len() >= self.rules.most {
            return Err(NoSession::TooMany(self.rules.most));
        }
        let engine = self.begin(name, &all.scenario, Clock::new(mode), now, Arc::default());
        let held = Held {
            engine: engine.clone(),
            now,
            used: Instant::now(),
        };
        all.named.insert(engine.name.clone(), held);
        drop(all);
        for held in forgotten {
            self.retire(&held.engine);
            held.engine.session.board.news().close();
        }
        Ok(engine)
    }

    /// The session of a name (`""`: the one without), if there is one.
    pub fn find(&self, name: &str) -> Option<Arc<Engine>> {
        let all = self.lock();
        match name {
            "" => Some(all.main.clone()),
            name => all.named.get(name).map(|held| held.engine.clone()),
        }
    }

    /// The named sessions, by name.
    pub fn named(&self) -> Vec<Arc<Engine>> {
        let mut named: Vec<_> = self
            .lock()
            .named
            .values()
            .map(|held| held.engine.clone())
            .collect();
        named.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        named
    }

    /// Ends a named session and its streams; false if there is none.
    pub fn delete(&self, name: &str) -> bool {
        let held = self.lock().named.remove(name);
        let found = held.is_some();
        if let Some(held) = held {
            self.deleted.store(true, Ordering::SeqCst);
            self.retire(&held.engine);
            held.engine.session.board.news().close();
        }
        found
    }

    /// Begins a session anew (`""`: the one without a name): its streams end; attempts, topics, state,
    /// time are as at the beginning, and the scenario is the server's. False if there is none.
    pub fn reset(&self, name: &str) -> bool {
        let mut all = self.lock();
        let Some((old, now)) = (match name {
            "" => Some((all.main.clone(), None)),
            name => all.named.get(name).map(|held| (held.engine.clone(), held.now)),
        }) else {
            return false;
        };
        old.session.board.tell(|| Happening::Reset {});
        let news = old.session.board.news().clone();
        let clock = Clock::new(old.session.clock.mode());
        let fresh = self.begin(name, &all.scenario, clock, now, news);
        match all.named.get_mut(name) {
            Some(held) => held.engine = fresh,
            None => {
                all.main = fresh;
                self.renewed.send_replace(());
            }
        }
        drop(all);
        self.retire(&old);
        true
    }

    /// A world is over: its streams end, and nothing goes by its clock any more.
    fn retire(&self, engine: &Engine) {
        engine.connections.end();
        self.gate.forget(&engine.session.clock);
    }

    /// What sessions serve that were given nothing of their own.
    pub fn scenario(&self) -> Arc<Scenario> {
        self.lock().scenario.clone()
    }

    /// Puts another scenario in force, in all sessions but those that have been given their own.
    pub fn swap(&self, scenario: Scenario) {
        let scenario = Arc::new(scenario);
        let mut all = self.lock();
        all.scenario = scenario.clone();
        for engine in all.engines().filter(|engine| !engine.has_its_own()) {
            engine.serve(scenario.clone(), &self.rules);
        }
    }

    /// Gives one session a scenario of its own; without a name it is that of the server.
    pub fn swap_in(&self, engine: &Engine, scenario: Scenario) {
        if engine.name.is_empty() {
            return self.swap(scenario);
        }
        let _all = self.lock();
        engine.set_its_own(true);
        engine.serve(Arc::new(scenario), &self.rules);
    }

    /// Gives a session the server's scenario again.
    pub fn swap_back(&self, engine: &Engine) {
        let all = self.lock();
        engine.set_its_own(false);
        engine.serve(all.scenario.clone(), &self.rules);
    }

    /// How long (in real time) ago a named session was last asked for.
    pub fn idle(&self, name: &str) -> Option<Duration> {
        self.lock().named.get(name).map(|held| held.used.elapsed())
    }

    /// Ends the streams of all sessions that serve the server's scenario.
    pub fn restart_streams(&self) {
        for engine in self.lock().engines().filter(|engine| !engine.has_its_own()) {
            engine.connections.order_all(Order::End(End::Close));
        }
    }

    /// Whether a session has been deleted.
    pub fn any_deleted(&self) -> bool {
        self.deleted.load(Ordering::SeqCst)
    }

    /// Whether the server stops.
    pub fn closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// Tells every open stream.
    pub fn order_all(&self, order: Order) {
        for engine in self.lock().engines() {
            engine.connections.order_all(order);
        }
    }

    /// How many streams are open.
    pub fn open_streams(&self) -> usize {
        self.lock()
            .engines()
            .map(|engine| engine.connections.count())
            .sum()
    }

    /// Tells every stream, those to come included, that the server stops.
    pub fn shut_down(&self) {
        self.closing.store(true, Ordering::SeqCst);
        for engine in self.lock().engines() {
            engine.connections.shut_down();
            engine.session.board.news().close();
        }
    }

    fn begin(
        &self,
        name: &str,
        scenario: &Arc<Scenario>,
        clock: Arc<Clock>,
        now: Option<u64>,
        news: Arc<News>,
    ) -> Arc<Engine> {
        let session = Session::telling(clock, news);
        let engine = engine(name, scenario, session, &self.rules, &self.farewell, &self.gate);
        if now.is_some() {
            engine.session.clock.pin(now);
        }
        if self.closing.load(Ordering::SeqCst) {
            engine.connections.shut_down();
            engine.session.board.news().close();
        }
        engine
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn engine(
    name: &str,
    scenario: &Arc<Scenario>,
    session: Session,
    rules: &SessionRules,
    farewell: &Option<Frame>,
    gate: &Arc<Gate>,
) -> Arc<Engine> {
    session.clock.pin(rules.now.or(scenario.now));
    let catalog = Arc::new(Catalog::new(scenario.clone()));
    Arc::new(Engine::within(
        name,
        catalog,
        session,
        rules.seed,
        farewell.clone(),
        gate.clone(),
    ))
}

impl All {
    fn engines(&self) -> impl Iterator<Item = &Arc<Engine>> {
        std::iter::once(&self.main).chain(self.named.values().map(|held| &held.engine))
    }

    /// If there are too many sessions, takes out those that nobody uses any more.
    fn make_room(&mut self, rules: &SessionRules) -> Vec<Held> {
        if self.named.len() < rules.most {
            return Vec::new();
        }
        let unused = |_: &Arc<str>, held: &mut Held| {
            held.used.elapsed() >= rules.idle && held.engine.connections.count() == 0
        };
        self.named.extract_if(unused).map(|(_, held)| held).collect()
    }
}

#[cfg(test)]
mod tests;

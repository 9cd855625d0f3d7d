//! One expectation, and what has been seen of it.

mod ends;
mod say;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use super::check::{Asking, Mismatch, fields, looks_at_gap};
use super::client::Client;
use super::group::{Group, Kind};
use super::judge::Arrival;
use super::line::Line;
use super::words;
use crate::expr::Expressions;
use crate::matching;
use crate::scenario::model::{Asked, Expectation, Subject};

/// Clients that are told apart: their names come from requests, so there must be a bound.
const MOST_CLIENTS: usize = 10_000;
/// Requests whose end is awaited.
const MOST_RUNNING: usize = 10_000;
/// Requests that are shown as evidence.
const MOST_LINES: usize = 20;

/// What is needed besides an expectation to hold a request against it.
pub(super) struct Rules<'r> {
    pub e: &'r Expectation,
    pub expressions: &'r Expressions,
}

#[derive(Debug)]
pub(super) struct Watch {
    all: Group,
    clients: IndexMap<Arc<str>, Client>,
    /// Clients that are held to it on their own and have not met it yet.
    unmet: usize,
    running: BTreeMap<u64, Running>,
    lines: VecDeque<Line>,
    failure: Option<Failure>,
    met: bool,
    met_since: Option<Duration>,
}

/// A request that has not ended yet.
#[derive(Debug)]
struct Running {
    client: Arc<str>,
    nth: u64,
    /// When its stream began.
    began: Option<Duration>,
    /// When its client must have left at the latest.
    deadline: Option<Duration>,
    /// The next request of its client, whose gap begins when this one ends.
    next: Option<Next>,
}

#[derive(Debug)]
struct Next {
    at: Duration,
    asking: Asking,
}

#[derive(Debug, Clone)]
pub(super) struct Failure {
    mismatch: Mismatch,
    client: Option<Arc<str>>,
    lines: Vec<Line>,
}

impl Watch {
    pub fn new(e: &Expectation) -> Watch {
        let all = Group::new(e);
        Watch {
            met: !e.per_client && all.met(e),
            all,
            clients: IndexMap::new(),
            unmet: 0,
            running: BTreeMap::new(),
            lines: VecDeque::new(),
            failure: None,
            met_since: None,
        }
    }

    /// A request has come.
    pub fn arrived(&mut self, rules: &Rules, a: &Arrival) {
        let e = rules.e;
        let is = |asked: &Asked| fits(asked, a);
        let concerned = match &e.subject {
            Subject::Requests(asked) => is(asked),
            Subject::Order(all) => all.iter().any(is),
        };
        if self.failure.is_some() || !concerned {
            return;
        }
        let mut line = Line::of(a);
        let Some(client) = self.client(e, a) else {
            return self.keep(line);
        };
        let before = self.clients[&client].last;
        let ended = before.and_then(|(_, ended)| ended);
        let gap = ended.map(|ended| a.at.saturating_sub(ended));
        line.gap = gap;
        let came = format!("{} {}", line.method, line.target);
        self.clients[&client].remember(line.clone());
        self.keep(line);
        self.clients[&client].last = Some((a.number, None));
        let wrong = self.group(&client).arrive(e, a.number, a.at, is, &came);
        let nth = self.group(&client).count;
        self.run(a.number, &client, nth);
        let wrong = wrong.or_else(|| self.dismissed(e, a, &client));
        let asking = Asking {
            number: a.number,
            nth,
            scope: a.scope.clone(),
            moment: a.moment,
        };
        let wrong = wrong.or_else(|| self.look(rules, a, &client, &asking));
        if let Some(wrong) = wrong {
            return self.fail(wrong, Some(&client));
        }
        match (before, gap) {
            (Some(_), Some(gap)) => self.gap_known(rules, &client, &asking, gap),
            (Some((number, _)), None) => self.gap_awaited(e, number, a.at, asking),
            (None, _) => self.no_gap(rules, &client, &asking),
        }
    }

    /// The client's name as it is kept, if there is room for it.
    fn client(&mut self, e: &Expectation, a: &Arrival) -> Option<Arc<str>> {
        let name = crate::name::short(a.client);
        if let Some((name, _)) = self.clients.get_key_value(&*name) {
            return Some(name.clone());
        }
        if self.clients.len() == MOST_CLIENTS {
            let expected = words::sentence(e);
            let came = format!(
                "#{} is of another client: more than {MOST_CLIENTS} cannot be told apart",
                a.number
            );
            self.fail(Mismatch { expected, came }, None);
            return None;
        }
        let name: Arc<str> = (*name).into();
        let client = Client::new(e);
        self.unmet += usize::from(client.group.as_ref().is_some_and(|group| !group.met(e)));
        self.clients.insert(name.clone(), client);
        Some(name)
    }

    fn group(&mut self, client: &str) -> &mut Group {
        let own = self
            .clients
            .get_mut(client)
            .and_then(|client| client.group.as_mut());
        own.unwrap_or(&mut self.all)
    }

    fn run(&mut self, number: u64, client: &Arc<str>, nth: u64) {
        if self.running.len() == MOST_RUNNING {
            self.running.pop_first();
        }
        let running = Running {
            client: client.clone(),
            nth,
            began: None,
            deadline: None,
            next: None,
        };
        self.running.insert(number, running);
    }

    /// Its client has been told to stay away.
    fn dismissed(&self, e: &Expectation, a: &Arrival, client: &str) -> Option<Mismatch> {
        let (number, at) = self.clients[client].dismissed?;
        Some(Mismatch {
            expected: words::nothing_after(e)?,
            came: format!(
                "#{} came {} after #{number} had been answered with {}",
                a.number,
                words::seconds(a.at.saturating_sub(at)),
                e.nothing_after?
            ),
        })
    }

    /// All that can be checked at once.
    fn look(&mut self, rules: &Rules, a: &Arrival, client: &str, asking: &Asking) -> Option<Mismatch> {
        let e = rules.e;
        // The first body counts, also of a request that is not checked.
        let same = e
            .same_body
            .then(|| self.clients[client].same_body(a.request))
            .flatten();
        if !e.is_about(asking.nth) {
            return None;
        }
        if let Some(wrong) = fields(e, a) {
            return Some(wrong);
        }
        if !looks_at_gap(e)
            && let Some(wrong) = asking.condition(e, None, rules.expressions)
        {
            return Some(wrong);
        }
        match same {
            Some(true) => self.group(client).done(e, asking.nth, Kind::SameBody),
            Some(false) => {
                let came = "had another body";
                return Some(Mismatch::of(e, &words::same_body(), a.number, came));
            }
            None if e.same_body && !e.nth.is_empty() => {
                let came = "is the first one of its client";
                return Some(Mismatch::of(e, &words::same_body(), a.number, came));
            }
            None => {}
        }
        if !looks_at_gap(e) {
            self.group(client).done(e, asking.nth, Kind::Seen);
        }
        None
    }

    fn gap_awaited(&mut self, e: &Expectation, before: u64, at: Duration, asking: Asking) {
        if (e.gap.is_some() || looks_at_gap(e))
            && let Some(running) = self.running.get_mut(&before)
        {
            running.next = Some(Next { at, asking });
        }
    }

    /// The first request of a client has no gap.
    fn no_gap(&mut self, rules: &Rules, client: &Arc<str>, asking: &Asking) {
        let e = rules.e;
        if !e.is_about(asking.nth) {
            return;
        }
        if let Some(gap) = e.gap.filter(|_| !e.nth.is_empty()) {
            let clause = if gap.bounds_each() {
                words::gap(&gap)
            } else {
                words::growing()
            };
            let came = "is the first one of its client: no connection came before it";
            return self.fail(Mismatch::of(e, &clause, asking.number, came), Some(client));
        }
        self.ask_with_gap(rules, client, asking, None);
    }

    fn ask_with_gap(&mut self, rules: &Rules, client: &Arc<str>, asking: &Asking, gap: Option<Duration>) {
        if !looks_at_gap(rules.e) {
            return;
        }
        match asking.condition(rules.e, gap, rules.expressions) {
            Some(wrong) => self.fail(wrong, Some(client)),
            None => self.group(client).done(rules.e, asking.nth, Kind::Seen),
        }
    }

    /// How long the client stayed away before a request.
    fn gap_known(&mut self, rules: &Rules, client: &Arc<str>, asking: &Asking, gap: Duration) {
        let e = rules.e;
        let grown = match e.gap {
            Some(rule) if rule.growing => self.clients[client].growing(e, asking.number, gap),
            _ => Err(()),
        };
        if !e.is_about(asking.nth) {
            return;
        }
        if let Some(rule) = e.gap {
            let wrong = self.clients[client].each(e, &rule, asking.number, gap);
            let wrong = wrong.or_else(|| match &grown {
                Ok(wrong) => wrong.clone(),
                Err(()) if rule.growing && !e.nth.is_empty() => {
                    let came = "has no gap before its own to compare with";
                    Some(Mismatch::of(e, &words::growing(), asking.number, came))
                }
                Err(()) => None,
            });
            if let Some(wrong) = wrong {
                return self.fail(wrong, Some(client));
            }
            self.group(client).done(e, asking.nth, Kind::Gap);
            if grown.is_ok() {
                self.group(client).done(e, asking.nth, Kind::Growing);
            }
        }
        self.ask_with_gap(rules, client, asking, Some(gap));
    }

    fn keep(&mut self, line: Line) {
        if self.lines.len() == MOST_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    fn fail(&mut self, mismatch: Mismatch, client: Option<&Arc<str>>) {
        let lines = self.evidence(client);
        self.failure.get_or_insert(Failure {
            mismatch,
            client: client.cloned(),
            lines,
        });
    }

    /// Looks whether it is met now.
    pub fn refresh(&mut self, e: &Expectation, now: Duration, touched: Option<(Arc<str>, bool)>) {
        if let Some((client, before)) = touched {
            let after = self.clients[&client]
                .group
                .as_ref()
                .is_none_or(|group| group.met(e));
            match (before, after) {
                (false, true) => self.unmet -= 1,
                (true, false) => self.unmet += 1,
                _ => {}
            }
        }
        self.met = match e.per_client {
            true => !self.clients.is_empty() && self.unmet == 0,
            false => self.all.met(e),
        };
        self.met_since = match self.met {
            true => self.met_since.or(Some(now)),
            false => None,
        };
    }

    /// Whether a client has met it, before something happens that may change that.
    pub fn before(&self, e: &Expectation, client: &str) -> Option<(Arc<str>, bool)> {
        let name = crate::name::short(client);
        let (name, client) = self.clients.get_key_value(&*name)?;
        let group = client.group.as_ref()?;
        Some((name.clone(), group.met(e)))
    }

    /// Whether a client that has done nothing yet has met it.
    pub fn begins_met(e: &Expectation) -> bool {
        Group::new(e).met(e)
    }

    /// Whose request it is, if it has not ended.
    pub fn client_of(&self, number: u64) -> Option<Arc<str>> {
        self.running.get(&number).map(|running| running.client.clone())
    }
}

/// Whether a request is one of those asked for.
fn fits(asked: &Asked, a: &Arrival) -> bool {
    match asked {
        Asked::Endpoint { key, .. } => a.endpoint == Some(key),
        Asked::Path { methods, path } => {
            methods.take(&a.request.method) && matching::takes(path, &a.request.path)
        }
    }
}

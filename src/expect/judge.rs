//! The judge: what happens goes in, the verdict comes out.

use std::sync::Arc;
use std::time::Duration;

use super::verdict::Verdict;
use super::watch::{Rules, Watch};
use crate::expr::{Moment, RequestScope};
use crate::journal::By;
use crate::request::Request;
use crate::scenario::Scenario;

/// Holds what clients do against a scenario's expectations. All times are those of the session's clock.
///
/// What happens must be told in its order; each call takes time in proportion to the number of expectations.
#[derive(Debug)]
pub struct Judge {
    scenario: Arc<Scenario>,
    watches: Vec<Watch>,
    /// When the session's first request came.
    first: Option<Duration>,
}

/// A request that has come.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// Its number in the journal; no other request of the session has it.
    pub number: u64,
    /// When it came.
    pub at: Duration,
    /// The request.
    pub request: &'a Request,
    /// The key of the endpoint that answers it; `None`: none does.
    pub endpoint: Option<&'a str>,
    /// What counts as its client, as the endpoint's `client` says; empty if nothing says so.
    pub client: &'a str,
    /// What a `when` would see of it.
    pub scope: &'a RequestScope,
    /// The moment, for `now`.
    pub moment: Moment,
}

/// What a request got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// When.
    pub at: Duration,
    /// The status; `None`: there was no answer, the connection was ended.
    pub status: Option<u16>,
    /// The reconnection time in its `Retry-After` (RFC 9110 §10.2.3), if that was a number of seconds.
    pub retry_after: Option<Duration>,
    /// Whether a stream begins, whose end follows; else the whole answer has been given.
    pub stream: bool,
}

/// The end of a stream, or of a request that was never answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// When.
    pub at: Duration,
    /// Who or what ended it.
    pub by: By,
    /// When its last event was written; `None`: there was none.
    pub last_write: Option<Duration>,
    /// The last reconnection time that it sent (`retry:`).
    pub retry: Option<Duration>,
}

impl Judge {
    /// For a scenario's expectations; nothing has happened yet.
    pub fn new(scenario: Arc<Scenario>) -> Judge {
        Judge {
            watches: scenario.expect.iter().map(Watch::new).collect(),
            scenario,
            first: None,
        }
    }

    /// Whether another scenario expects the same, so that this judge can go on after a reload.
    pub fn same(&self, other: &Scenario) -> bool {
        format!("{:?}", self.scenario.expect) == format!("{:?}", other.expect)
    }

    /// Whether there is anything to judge.
    pub fn expects_something(&self) -> bool {
        !self.watches.is_empty()
    }

    /// Whether somebody waits to be told when streams fall [`silent`](Judge::silent).
    pub fn waits_for_silence(&self) -> bool {
        self.scenario.expect.iter().any(|e| e.hangs_up.is_some())
    }

    /// A request has come, answered or not. Not for the server's own paths.
    pub fn arrived(&mut self, a: &Arrival) {
        self.first.get_or_insert(a.at);
        self.each(a.at, |watch, rules| {
            let before = watch.before(rules.e, a.client);
            watch.arrived(rules, a);
            // A client that has just come stood where all begin.
            let fresh = before
                .is_none()
                .then(|| watch.before(rules.e, a.client))
                .flatten();
            before.or(fresh.map(|(name, _)| (name, Watch::begins_met(rules.e))))
        });
    }

    /// A request has been answered: its stream begins, or it is over.
    pub fn answered(&mut self, number: u64, answer: &Answered) {
        self.ongoing(number, answer.at, |watch, rules| {
            watch.answered(rules, number, answer)
        });
    }

    /// A stream stays open, but its script has nothing more to send (`end: hold`, `end: stall`).
    pub fn silent(&mut self, number: u64, at: Duration, last_write: Option<Duration>) {
        self.ongoing(number, at, |watch, rules| {
            watch.silent(rules.e, number, last_write)
        });
    }

    /// A stream has ended, or a connection that got no answer.
    pub fn ended(&mut self, number: u64, ended: &Ended) {
        self.ongoing(number, ended.at, |watch, rules| watch.ended(rules, number, ended));
    }

    /// What is known by now. `last`: nothing more will come, so that what is open has failed.
    pub fn verdict(&self, now: Duration, last: bool) -> Verdict {
        let all = self.watches.iter().zip(&self.scenario.expect).enumerate();
        let judged = all.map(|(i, (watch, e))| watch.judged(e, i + 1, self.first, now, last));
        Verdict {
            expectations: judged.collect(),
        }
    }

    /// When the verdict changes though nothing happens, later than `now`; `None`: never.
    pub fn next_change(&self, now: Duration) -> Option<Duration> {
        let all = self.watches.iter().zip(&self.scenario.expect);
        all.filter_map(|(watch, e)| watch.next_change(e, self.first, now))
            .min()
    }

    fn ongoing(&mut self, number: u64, at: Duration, mut tell: impl FnMut(&mut Watch, &Rules)) {
        self.each(at, |watch, rules| {
            let client = watch.client_of(number);
            let before = client.and_then(|client| watch.before(rules.e, &client));
            tell(watch, rules);
            before
        });
    }

    /// Tells every watch; what it answers is a client that may have changed, and whether it had met all.
    fn each(&mut self, at: Duration, mut tell: impl FnMut(&mut Watch, &Rules) -> Option<(Arc<str>, bool)>) {
        for (watch, e) in self.watches.iter_mut().zip(&self.scenario.expect) {
            let rules = Rules {
                e,
                expressions: &self.scenario.expressions,
            };
            watch.pass(e, self.first, at);
            let touched = tell(watch, &rules);
            watch.refresh(e, at, touched);
        }
    }
}

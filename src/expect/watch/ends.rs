//! How requests go on and end, and what time alone decides.

use std::time::Duration;

use super::{Failure, Rules, Watch, words};
use crate::expect::check::Mismatch;
use crate::expect::group::Kind;
use crate::expect::judge::{Answered, Ended};
use crate::expect::line::Line;
use crate::journal::By;
use crate::scenario::model::Expectation;

/// The first moment after a time.
const AFTER: Duration = Duration::from_micros(1);

impl Watch {
    /// A request has been answered: a stream has begun, or the whole answer was given.
    pub fn answered(&mut self, rules: &Rules, number: u64, answer: &Answered) {
        self.correct(number, |line| line.status = answer.status);
        let Some(running) = self.running.get_mut(&number) else {
            return;
        };
        running.began = answer.stream.then_some(answer.at);
        let (client, nth) = (running.client.clone(), running.nth);
        if let Some(retry) = answer.retry_after {
            self.clients[&client].retry = Some(retry);
        }
        let e = rules.e;
        if e.nothing_after.is_some() && e.nothing_after == answer.status && e.is_about(nth) {
            self.clients[&client].dismissed = Some((number, answer.at));
            self.group(&client).done(e, nth, Kind::NothingAfter);
        }
        if !answer.stream {
            self.over(rules, number, answer.at, By::Answer, None);
        }
    }

    /// A connection has ended.
    pub fn ended(&mut self, rules: &Rules, number: u64, ended: &Ended) {
        if let (Some(running), Some(retry)) = (self.running.get(&number), ended.retry) {
            let client = running.client.clone();
            self.clients[&client].retry = Some(retry);
        }
        self.over(rules, number, ended.at, ended.by, ended.last_write);
    }

    fn over(&mut self, rules: &Rules, number: u64, at: Duration, by: By, last_write: Option<Duration>) {
        self.correct(number, |line| line.ended = Some((at, by)));
        let Some(running) = self.running.remove(&number) else {
            return;
        };
        let client = running.client.clone();
        if let Some(last) = self.clients[&client]
            .last
            .as_mut()
            .filter(|(last, _)| *last == number)
        {
            last.1 = Some(at);
        }
        if let (Some(began), true) = (running.began, self.failure.is_none()) {
            let took = at.saturating_sub(last_write.unwrap_or(began));
            match hung_up(rules.e, number, running.nth, took, by) {
                Some(wrong) => self.fail(wrong, Some(&client)),
                None if by == By::Client && rules.e.is_about(running.nth) => {
                    self.group(&client).done(rules.e, running.nth, Kind::HangsUp);
                }
                None => {}
            }
        }
        if let (Some(next), true) = (running.next, self.failure.is_none()) {
            let gap = next.at.saturating_sub(at);
            self.correct(next.asking.number, |line| line.gap = Some(gap));
            self.gap_known(rules, &client, &next.asking, gap);
        }
    }

    /// A stream stays open, but nothing more comes: from now on the time runs for its client.
    pub fn silent(&mut self, e: &Expectation, number: u64, last_write: Option<Duration>) {
        if let (Some(limit), Some(running)) = (e.hangs_up, self.running.get_mut(&number))
            && let (Some(began), true) = (running.began, e.is_about(running.nth))
        {
            running.deadline = Some(last_write.unwrap_or(began).saturating_add(limit));
        }
    }

    /// Adds to what is remembered of a request.
    fn correct(&mut self, number: u64, change: impl Fn(&mut Line)) {
        let client = self.client_of(number);
        let own = client.and_then(|client| self.clients.get_mut(&client));
        let own = own.into_iter().flat_map(|client| client.lines.iter_mut());
        let evidence = self
            .failure
            .iter_mut()
            .flat_map(|failure| failure.lines.iter_mut());
        let all = self.lines.iter_mut().chain(own).chain(evidence);
        all.filter(|line| line.number == number).for_each(change);
    }

    /// What has failed by time alone.
    pub fn overdue(&self, e: &Expectation, first: Option<Duration>, now: Duration) -> Option<Failure> {
        let open = self
            .running
            .iter()
            .filter_map(|(number, r)| Some((number, r, r.deadline?)));
        if let Some((number, running, _)) = open.into_iter().find(|(_, _, deadline)| now > *deadline) {
            let limit = words::seconds(e.hangs_up.unwrap_or_default());
            let mismatch = Mismatch {
                expected: words::hangs_up(e)?,
                came: format!("#{number} was still open {limit} after its last event"),
            };
            return Some(Failure {
                mismatch,
                client: Some(running.client.clone()),
                lines: self.evidence(Some(&running.client)),
            });
        }
        if self.met || now <= first?.saturating_add(e.within?) {
            return None;
        }
        let mut failure = self.missing(e);
        failure.mismatch.came += &format!(" within {}", words::seconds(e.within?));
        Some(failure)
    }

    /// Time has passed; what it has decided stays so.
    pub fn pass(&mut self, e: &Expectation, first: Option<Duration>, now: Duration) {
        if self.failure.is_none() {
            self.failure = self.overdue(e, first, now);
        }
    }

    /// When time alone changes what is said of it.
    pub fn next_change(&self, e: &Expectation, first: Option<Duration>, now: Duration) -> Option<Duration> {
        if self.failure.is_some() || self.overdue(e, first, now).is_some() {
            return None;
        }
        let hold = match (self.met_since, e.hold) {
            (Some(since), Some(hold)) => Some(since.saturating_add(hold)),
            _ => None,
        };
        let unmet = first.filter(|_| !self.met);
        let within = unmet.zip(e.within).map(|(first, within)| first + within + AFTER);
        let open = self.running.values().filter_map(|running| running.deadline);
        let times = open.map(|deadline| deadline + AFTER).chain(within).chain(hold);
        times.filter(|time| *time > now).min()
    }
}

/// What is wrong with how a client has left a stream, so long after its last event.
fn hung_up(e: &Expectation, number: u64, nth: u64, took: Duration, by: By) -> Option<Mismatch> {
    let limit = e.hangs_up.filter(|_| e.is_about(nth))?;
    // A stream that ends before its time is up says nothing of the client, unless it is the one meant.
    if took <= limit && (by == By::Client || e.nth.is_empty()) {
        return None;
    }
    let (how, took) = (by.describe(), words::seconds(took));
    Some(Mismatch {
        expected: words::hangs_up(e)?,
        came: format!("#{number} was {how} {took} after its last event"),
    })
}

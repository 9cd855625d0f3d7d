//! Requests that are counted together: all of an expectation, or those of one client.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::check::Mismatch;
use super::words;
use crate::scenario::model::{Asked, Expectation, Subject};

/// What must have been checked at least once, or of each request that `nth` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It has come, and looks as expected.
    Seen,
    Gap,
    Growing,
    SameBody,
    NothingAfter,
    HangsUp,
}

impl Kind {
    fn bit(self) -> u8 {
        1 << self as u8
    }
}

#[derive(Debug)]
pub(super) struct Group {
    pub count: u64,
    /// The last arrivals, one more than may come within the rate's time.
    arrivals: VecDeque<(u64, Duration)>,
    /// What is still to be checked: of the nth request, or (0) of any.
    wanted: BTreeMap<u64, u8>,
}

/// What an expectation wants checked.
fn wanted(e: &Expectation) -> u8 {
    let gap = |is: bool, kind: Kind| is.then_some(kind);
    let all = [
        gap(!e.nth.is_empty(), Kind::Seen),
        gap(e.gap.is_some_and(|g| g.bounds_each()), Kind::Gap),
        gap(e.gap.is_some_and(|g| g.growing), Kind::Growing),
        gap(e.same_body, Kind::SameBody),
        gap(e.nothing_after.is_some(), Kind::NothingAfter),
        gap(e.hangs_up.is_some(), Kind::HangsUp),
    ];
    all.into_iter().flatten().map(Kind::bit).sum()
}

impl Group {
    pub fn new(e: &Expectation) -> Group {
        let wanted = wanted(e);
        let nth = match e.nth.is_empty() {
            true => vec![0],
            false => e.nth.clone(),
        };
        let mut group = Group {
            count: 0,
            arrivals: VecDeque::new(),
            wanted: BTreeMap::new(),
        };
        group.wanted.extend(nth.into_iter().map(|nth| (nth, wanted)));
        group
    }

    /// Counts a request; what is wrong with its coming now. `fits`: which of an order's requests it is.
    pub fn arrive(
        &mut self,
        e: &Expectation,
        number: u64,
        at: Duration,
        fits: impl Fn(&Asked) -> bool,
        came: &str,
    ) -> Option<Mismatch> {
        self.count += 1;
        if let Subject::Order(all) = &e.subject {
            let due = usize::try_from(self.count - 1).ok().and_then(|at| all.get(at))?;
            return (!fits(due)).then(|| Mismatch {
                expected: words::order(all),
                came: format!("#{number} is {came}, where {} was due", words::asked(due)),
            });
        }
        if let Some(count) = e
            .count
            .filter(|count| count.max.is_some_and(|max| self.count > max))
        {
            return Some(Mismatch {
                expected: words::count(e, count),
                came: format!("#{number} is the {} request", words::ordinal(self.count)),
            });
        }
        self.rate(e, number, at)
    }

    fn rate(&mut self, e: &Expectation, number: u64, at: Duration) -> Option<Mismatch> {
        let rate = e.rate?;
        self.arrivals.push_back((number, at));
        if self.arrivals.len() as u64 <= rate.at_most {
            return None;
        }
        let (first, since) = self.arrivals.pop_front()?;
        let took = at.saturating_sub(since);
        (took < rate.per).then(|| Mismatch {
            expected: words::rate(e).unwrap_or_default(),
            came: format!(
                "{} came in {}, #{first} to #{number}",
                words::requests(rate.at_most + 1),
                words::seconds(took)
            ),
        })
    }

    /// Something has been checked of the nth request, and was as expected.
    pub fn done(&mut self, e: &Expectation, nth: u64, kind: Kind) {
        let key = if e.nth.is_empty() { 0 } else { nth };
        if let Some(wanted) = self.wanted.get_mut(&key) {
            *wanted &= !kind.bit();
        }
    }

    fn least(e: &Expectation) -> u64 {
        match (&e.subject, e.count) {
            (Subject::Order(all), _) => all.len() as u64,
            (_, Some(count)) => count.min,
            (_, None) => 1,
        }
    }

    /// Whether all that is wanted has happened.
    pub fn met(&self, e: &Expectation) -> bool {
        self.count >= Group::least(e) && self.wanted.values().all(|wanted| *wanted == 0)
    }

    /// What has not happened yet.
    pub fn missing(&self, e: &Expectation) -> Mismatch {
        let came = |n| match n {
            1 => "1 request came".to_owned(),
            n => format!("{} came", words::requests(n)),
        };
        if self.count < Group::least(e) {
            let expected = match (&e.subject, e.count) {
                (Subject::Order(all), _) => words::order(all),
                (_, Some(count)) => words::count(e, count),
                (_, None) => words::sentence(e),
            };
            let came = match &e.subject {
                Subject::Order(all) => format!("only the first {} of {} came", self.count, all.len()),
                Subject::Requests(_) => came(self.count),
            };
            return Mismatch { expected, came };
        }
        let open = self.wanted.iter().find(|(_, wanted)| **wanted != 0);
        let (nth, wanted) = open.map_or((0, 0), |(nth, wanted)| (*nth, *wanted));
        Mismatch {
            expected: words::sentence(e),
            came: match nth > self.count {
                true => came(self.count),
                false => unchecked(e, nth, wanted),
            },
        }
    }
}

/// Why something could not be checked yet.
fn unchecked(e: &Expectation, nth: u64, wanted: u8) -> String {
    let is = |kind: Kind| wanted & kind.bit() != 0;
    let who = match (nth, e.per_client) {
        (0, false) => "no client has".to_owned(),
        (0, true) => "the client has not".to_owned(),
        (nth, _) => format!("at the {} request, its client has not", words::ordinal(nth)),
    };
    match () {
        () if is(Kind::Gap) => format!("{who} come back after its connection had ended"),
        () if is(Kind::SameBody) => format!("{who} come again"),
        () if is(Kind::Growing) => format!("{who} come back twice after its connection had ended"),
        () if is(Kind::NothingAfter) => match (nth, e.nothing_after.unwrap_or_default()) {
            (0, status) => format!("no request has been answered with {status}"),
            (nth, status) => format!(
                "the {} request has not been answered with {status}",
                words::ordinal(nth)
            ),
        },
        () if is(Kind::HangsUp) => format!("{who} left a stream by itself"),
        () => "it could not be checked".to_owned(),
    }
}

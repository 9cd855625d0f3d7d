//! What is said of an expectation, and what shows it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Failure, MOST_LINES, Watch, words};
use crate::expect::check::Mismatch;
use crate::expect::client::Client;
use crate::expect::line::Line;
use crate::expect::verdict::{Judged, State};
use crate::scenario::model::Expectation;

impl Watch {
    /// What is to be said of it.
    pub fn judged(
        &self,
        e: &Expectation,
        number: usize,
        first: Option<Duration>,
        now: Duration,
        last: bool,
    ) -> Judged {
        let late = self
            .failure
            .is_none()
            .then(|| self.overdue(e, first, now))
            .flatten();
        let failure = self.failure.clone().or(late);
        let state = match &failure {
            Some(_) => State::Failed,
            None if self.met && self.held(e, now) => State::Met,
            None if last => State::Failed,
            None => State::Open,
        };
        let shown = match (state, self.met) {
            (State::Met, _) => None,
            (_, true) if failure.is_none() => None,
            _ => failure.or_else(|| Some(self.missing(e))),
        };
        let (client, lines, mismatch) = match shown {
            Some(shown) => (shown.client, shown.lines, Some(shown.mismatch)),
            None => (None, Vec::new(), None),
        };
        let waiting = match (state, self.met && mismatch.is_none()) {
            (State::Open, true) => Some("it is true so far, but not for long enough".to_owned()),
            (State::Failed, true) => Some("it was true, but not for long enough".to_owned()),
            _ => None,
        };
        Judged {
            number,
            name: e.name.clone(),
            sentence: words::sentence(e),
            state,
            expected: mismatch.as_ref().map(|m| m.expected.clone()),
            came: mismatch.map(|m| m.came).or(waiting),
            client: client
                .filter(|client| !client.is_empty())
                .map(|client| words::excerpt(&client, 100)),
            lines,
        }
    }

    fn held(&self, e: &Expectation, now: Duration) -> bool {
        e.hold.is_none_or(|hold| {
            self.met_since
                .is_some_and(|since| now >= since.saturating_add(hold))
        })
    }

    /// What is not met yet, and by whom.
    pub(super) fn missing(&self, e: &Expectation) -> Failure {
        let unmet = |client: &Client| client.group.as_ref().is_some_and(|group| !group.met(e));
        let client = self.clients.iter().find(|(_, client)| unmet(client));
        let mismatch = match client.and_then(|(_, client)| client.group.as_ref()) {
            Some(group) => group.missing(e),
            None if e.per_client => Mismatch {
                expected: words::sentence(e),
                came: "no client came".into(),
            },
            None => self.all.missing(e),
        };
        let client = client.map(|(name, _)| name);
        Failure {
            mismatch,
            client: client.cloned(),
            lines: self.evidence(client),
        }
    }

    /// The last requests; those of one client, if they are what it is about.
    pub(super) fn evidence(&self, client: Option<&Arc<str>>) -> Vec<Line> {
        let own = client.and_then(|name| self.clients.get(name));
        let several = self.clients.len() > 1 && own.is_some_and(|own| own.group.is_some());
        let mut lines: BTreeMap<u64, Line> = BTreeMap::new();
        let recent = self.lines.iter();
        let recent = recent.filter(|line| !several || Some(line.client.as_str()) == client.map(|c| &**c));
        lines.extend(
            own.iter()
                .flat_map(|own| &own.lines)
                .chain(recent)
                .map(|line| (line.number, line.clone())),
        );
        while lines.len() > MOST_LINES {
            lines.pop_first();
        }
        lines.into_values().collect()
    }
}

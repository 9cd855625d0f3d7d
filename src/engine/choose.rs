//! Which of an endpoint's answers a request gets: conditions, cases, attempts.

use std::sync::Arc;

use super::Engine;
use super::answer::Seen;
use crate::expr::{Expr, RenderError, RequestScope};
use crate::matching::Captures;
use crate::random::Purpose;
use crate::request::Request;
use crate::scenario::Scenario;
use crate::scenario::model::{Answer, Choice, Endpoint, Entry};

/// What was chosen, and what the choice uses up.
pub(super) struct Chosen {
    pub(super) answer: Arc<Answer>,
    /// What counts as the client.
    pub(super) client: String,
    /// Which of this client's requests to this endpoint it is, from 1.
    pub(super) attempt: u64,
    /// Counters, and their numbers at the time of the choice.
    pub(super) counts: Vec<(String, u64)>,
}

/// A choice on its way.
struct Choosing<'c> {
    engine: &'c Engine,
    scenario: &'c Scenario,
    endpoint: &'c Endpoint,
    scope: RequestScope,
    client: &'c str,
    attempt: u64,
    counts: Vec<(String, u64)>,
}

impl Engine {
    /// Chooses among an endpoint's answers; `None`: the request goes on to the next endpoint.
    pub(super) fn choose(
        &self,
        scenario: &Scenario,
        request: &Arc<Request>,
        endpoint: &Endpoint,
        captures: &Captures,
        seen: &mut Seen,
    ) -> Result<Option<Chosen>, RenderError> {
        let scope = |client: &str, attempt| {
            let captures = captures.clone();
            self.scope(
                scenario,
                request,
                endpoint,
                captures,
                (client, attempt),
                Purpose::Matching,
            )
        };
        let client = match &endpoint.client {
            Some(client) => {
                let scope = scope("", 0);
                let client = scenario.expressions.client(client, &scope, self.moment())?;
                seen.note(&scope);
                client
            }
            None => String::new(),
        };
        let attempt = self.session.attempt(&endpoint.named.key, &client);
        let mut choosing = Choosing {
            engine: self,
            scenario,
            endpoint,
            scope: scope(&client, attempt),
            client: &client,
            attempt,
            counts: vec![(endpoint.named.key.clone(), attempt)],
        };
        let answer = match choosing.holds(endpoint.when.as_ref()) {
            Ok(true) => choosing.pick(&endpoint.choice, ""),
            Ok(false) => Ok(None),
            Err(error) => Err(error),
        };
        seen.note(&choosing.scope);
        let counts = choosing.counts;
        Ok(answer?.map(|answer| Chosen {
            answer,
            client,
            attempt,
            counts,
        }))
    }
}

impl Choosing<'_> {
    fn holds(&self, when: Option<&Expr>) -> Result<bool, RenderError> {
        match when {
            Some(when) => self
                .scenario
                .expressions
                .holds(when, &self.scope, self.engine.moment()),
            None => Ok(true),
        }
    }

    /// `place` names the list within the endpoint; lists inside others count on their own.
    fn pick(&mut self, choice: &Choice, place: &str) -> Result<Option<Arc<Answer>>, RenderError> {
        match choice {
            Choice::Answer(answer) => Ok(Some(answer.clone())),
            Choice::Attempts(entries) => {
                let number = match place {
                    "" => self.attempt,
                    place => {
                        let key = format!("{}{place}", self.endpoint.named.key);
                        let number = self.engine.session.attempt(&key, self.client);
                        self.counts.push((key, number));
                        number
                    }
                };
                let at = usize::try_from(number - 1)
                    .unwrap_or(usize::MAX)
                    .min(entries.len() - 1);
                self.entry(&entries[at], &format!("{place} attempt {at}"))
            }
            Choice::Cases(entries) => {
                for (at, entry) in entries.iter().enumerate() {
                    let counted = self.counts.len();
                    if let Some(answer) = self.entry(entry, &format!("{place} case {at}"))? {
                        return Ok(Some(answer));
                    }
                    self.counts.truncate(counted);
                }
                Ok(None)
            }
        }
    }

    fn entry(&mut self, entry: &Entry, place: &str) -> Result<Option<Arc<Answer>>, RenderError> {
        match self.holds(entry.when.as_ref())? {
            true => self.pick(&entry.choice, place),
            false => Ok(None),
        }
    }
}

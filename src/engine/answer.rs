//! Request → reply: which endpoint answers, and with what in scope.

use std::sync::Arc;

use super::refusal::{Refusal, is_preflight, missed, options, refuse};
use super::visit::Visit;
use super::{Engine, Reply};
use crate::expr::{BadParams, Moment, RenderError, RequestScope};
use crate::matching::{self, Captures, Match, Miss};
use crate::random::{Draw, DrawKey, Purpose};
use crate::request::Request;
use crate::scenario::Scenario;
use crate::scenario::model::{CorsPolicy, Endpoint, Methods};

/// Every request of a session counts as one client's unless the scenario tells them apart.
const ONE_CLIENT: &str = "";

/// What a visit uses up.
enum Take {
    /// Nothing: HEAD has no effects.
    Nothing,
    /// An attempt: the one its condition was asked with, if it has one.
    Attempt(Option<u64>),
}

/// What was seen on the way to an endpoint.
#[derive(Default)]
struct Seen {
    /// Why a condition could not read the request, if one could not.
    bad: Option<BadParams>,
    /// The attempt with which the last condition was asked.
    attempt: Option<u64>,
}

impl Engine {
    /// Answers a request. Effects (publishing) have happened when it returns.
    pub fn answer(&self, request: Request) -> Reply {
        let scenario = self.catalog.current();
        let request = Arc::new(request);
        loop {
            // It fails only when another request has taken the attempt meanwhile, so that the
            // condition must be asked again.
            if let Some(reply) = self.try_answer(&scenario, &request) {
                return reply;
            }
        }
    }

    fn try_answer(&self, scenario: &Arc<Scenario>, request: &Arc<Request>) -> Option<Reply> {
        let mut seen = Seen::default();
        let found = self.find(scenario, request, &request.method, &mut seen);
        Some(match found {
            // `ANY` names neither OPTIONS nor HEAD: they mean there what they mean everywhere.
            Ok(Match::Found(endpoint, _)) if endpoint.methods == Methods::Any && is_preflight(request) => {
                options(scenario, request).with_cors(endpoint.cors.clone())
            }
            Ok(Match::Found(endpoint, captures)) => {
                let head_only = request.method == "HEAD" && endpoint.methods == Methods::Any;
                let visit = match head_only {
                    true => Take::Nothing,
                    false => Take::Attempt(seen.attempt.filter(|_| endpoint.when.is_some())),
                };
                return self.visit(scenario, request, endpoint, captures, visit);
            }
            Ok(Match::Missed(Miss::Method(_))) if request.method == "HEAD" => self.head(scenario, request),
            Ok(Match::Missed(Miss::Method(_))) if request.method == "OPTIONS" => {
                options(scenario, request).with_cors(self.cors_of(scenario, request))
            }
            Ok(Match::Missed(_)) if is_preflight(request) => {
                options(scenario, request).with_cors(self.cors_of(scenario, request))
            }
            Ok(Match::Missed(miss)) => match seen.bad {
                Some(bad) => refuse(&Refusal::Params(bad)),
                None => missed(request, miss),
            }
            .with_cors(self.cors_of(scenario, request)),
            Err(error) => refuse(&Refusal::Render(error)).with_cors(self.cors_of(scenario, request)),
        })
    }

    /// GET's head without its effects.
    fn head(&self, scenario: &Arc<Scenario>, request: &Arc<Request>) -> Reply {
        match self.find(scenario, request, "GET", &mut Seen::default()) {
            Ok(Match::Found(endpoint, captures)) => {
                let visited = self.visit(scenario, request, endpoint, captures, Take::Nothing);
                visited.expect("only an attempt that is taken can be lost")
            }
            Ok(Match::Missed(miss)) => missed(request, miss).with_cors(self.cors_of(scenario, request)),
            Err(error) => refuse(&Refusal::Render(error)).with_cors(self.cors_of(scenario, request)),
        }
    }

    /// The rules of the first endpoint on the path, whatever its method: what a preflight asks for.
    pub fn cors_of(&self, scenario: &Scenario, request: &Request) -> Option<Arc<CorsPolicy>> {
        let asked = request.header("access-control-request-method");
        let mut on_path = matching::on_path(scenario, &request.path);
        let method = asked.map_or(request.method.as_bytes(), |method| method);
        match on_path
            .clone()
            .find(|e| takes(e, method))
            .or_else(|| on_path.next())
        {
            Some(endpoint) => endpoint.cors.clone(),
            None => scenario.cors.clone(),
        }
    }

    fn find<'s>(
        &self,
        scenario: &'s Scenario,
        request: &Arc<Request>,
        method: &str,
        seen: &mut Seen,
    ) -> Result<Match<'s>, RenderError> {
        matching::find(scenario, method, request, |endpoint, when, captures| {
            let attempt = self.session.attempt(&endpoint.key, ONE_CLIENT);
            let scope = self.scope(
                scenario,
                request,
                endpoint,
                captures.clone(),
                attempt,
                Purpose::Matching,
            );
            seen.attempt = Some(attempt);
            let holds = scenario.expressions.holds(when, &scope, self.moment());
            if let Some(broken) = scope.bad_params() {
                seen.bad.get_or_insert(broken);
            }
            holds
        })
    }

    fn scope(
        &self,
        scenario: &Scenario,
        request: &Arc<Request>,
        endpoint: &Endpoint,
        captures: Captures,
        attempt: u64,
        purpose: Purpose,
    ) -> RequestScope {
        let draw = Draw::new(self.seed(scenario), &draw_key(endpoint, attempt), purpose);
        let topics = self.session.topics.clone();
        RequestScope::new(
            request.clone(),
            scenario.vars.clone(),
            attempt,
            captures,
            draw,
            topics,
        )
    }

    fn moment(&self) -> Moment {
        Moment {
            seq: 0,
            elapsed_ms: 0,
            now_ms: self.session.clock.wall_ms(),
        }
    }

    fn visit(
        &self,
        scenario: &Arc<Scenario>,
        request: &Arc<Request>,
        endpoint: &Endpoint,
        captures: Captures,
        take: Take,
    ) -> Option<Reply> {
        let head_only = matches!(take, Take::Nothing);
        let attempt = match take {
            Take::Nothing => self.session.attempt(&endpoint.key, ONE_CLIENT),
            Take::Attempt(expected) => {
                let attempt = expected.unwrap_or_else(|| self.session.attempt(&endpoint.key, ONE_CLIENT));
                let taken = self
                    .session
                    .take_attempts(ONE_CLIENT, &[(&endpoint.key, attempt)]);
                taken.then_some(attempt)?
            }
        };
        let mut visit = Visit {
            engine: self,
            scenario: scenario.clone(),
            request: request.clone(),
            scope: self.scope(scenario, request, endpoint, captures, attempt, Purpose::Data),
            timing: Draw::new(self.seed(scenario), &draw_key(endpoint, attempt), Purpose::Timing),
            moment: self.moment(),
        };
        let reply = visit.run(endpoint, head_only);
        let reply = match (reply, visit.scope.bad_params()) {
            // What an expression could not read explains more than what it then lacked.
            (Err(_) | Ok(_), Some(bad)) => refuse(&Refusal::Params(bad)),
            (Ok(reply), None) => reply,
            (Err(refusal), None) => refuse(&refusal),
        };
        Some(reply.with_cors(endpoint.cors.clone()))
    }
}

fn takes(endpoint: &Endpoint, method: &[u8]) -> bool {
    std::str::from_utf8(method).is_ok_and(|method| endpoint.methods.take(method))
}

fn draw_key(endpoint: &Endpoint, attempt: u64) -> DrawKey {
    DrawKey {
        endpoint: endpoint.key.clone(),
        client: ONE_CLIENT.into(),
        attempt,
    }
}

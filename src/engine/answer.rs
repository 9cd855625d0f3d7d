//! Request → reply: which endpoint answers, and with what in scope.

use std::sync::Arc;

use super::refusal::{Refusal, is_preflight, missed, options, refuse};
use super::visit::Visit;
use super::{Engine, Reply};
use crate::expr::{BadParams, Moment, RenderError, RequestScope};
use crate::matching::{self, Captures, Match, Miss};
use crate::plan::random::{Draw, DrawKey, Purpose};
use crate::request::Request;
use crate::scenario::Scenario;
use crate::scenario::model::{CorsPolicy, Endpoint, Methods};

/// Every request of a session counts as one client's unless the scenario tells them apart.
const ONE_CLIENT: &str = "";

impl Engine {
    /// Answers a request. Effects (publishing) have happened when it returns.
    pub fn answer(&self, request: Request) -> Reply {
        let scenario = self.catalog.current();
        let request = Arc::new(request);
        let mut bad = None;
        let found = self.find(&scenario, &request, &request.method, &mut bad);
        match found {
            // `ANY` names neither OPTIONS nor HEAD: they mean there what they mean everywhere.
            Ok(Match::Found(endpoint, _)) if endpoint.methods == Methods::Any && is_preflight(&request) => {
                options(&scenario, &request).with_cors(endpoint.cors.clone())
            }
            Ok(Match::Found(endpoint, captures)) => {
                let head_only = request.method == "HEAD" && endpoint.methods == Methods::Any;
                self.visit(&scenario, &request, endpoint, captures, head_only)
            }
            Ok(Match::Missed(Miss::Method(_))) if request.method == "HEAD" => self.head(&scenario, &request),
            Ok(Match::Missed(Miss::Method(_))) if request.method == "OPTIONS" => {
                options(&scenario, &request).with_cors(self.cors_of(&scenario, &request))
            }
            Ok(Match::Missed(_)) if is_preflight(&request) => {
                options(&scenario, &request).with_cors(self.cors_of(&scenario, &request))
            }
            Ok(Match::Missed(miss)) => match bad {
                Some(bad) => refuse(&Refusal::Params(bad)),
                None => missed(&request, miss),
            }
            .with_cors(self.cors_of(&scenario, &request)),
            Err(error) => refuse(&Refusal::Render(error)).with_cors(self.cors_of(&scenario, &request)),
        }
    }

    /// GET's head without its effects.
    fn head(&self, scenario: &Arc<Scenario>, request: &Arc<Request>) -> Reply {
        let mut bad = None;
        match self.find(scenario, request, "GET", &mut bad) {
            Ok(Match::Found(endpoint, captures)) => self.visit(scenario, request, endpoint, captures, true),
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
        bad: &mut Option<BadParams>,
    ) -> Result<Match<'s>, RenderError> {
        matching::find(scenario, method, request, |endpoint, captures| {
            let attempt = self.session.attempt(&endpoint.key, ONE_CLIENT);
            let scope = self.scope(
                scenario,
                request,
                endpoint,
                captures.clone(),
                attempt,
                Purpose::Matching,
            );
            let Some(when) = &endpoint.when else {
                return Ok(true);
            };
            let holds = scenario.expressions.holds(when, &scope, self.moment());
            if let Some(broken) = scope.bad_params() {
                bad.get_or_insert(broken);
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
        head_only: bool,
    ) -> Reply {
        let attempt = match head_only {
            true => self.session.attempt(&endpoint.key, ONE_CLIENT),
            false => self.session.take_attempt(&endpoint.key, ONE_CLIENT),
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
        reply.with_cors(endpoint.cors.clone())
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

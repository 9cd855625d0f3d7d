//! Request → reply: which endpoint answers, and with what in scope.

use std::sync::Arc;

use super::choose::Chosen;
use super::refusal::{Refusal, is_of_the_server, is_preflight, missed, options, refuse};
use super::visit::Visit;
use super::witness::{Visitor, Witnessed};
use super::{Engine, Reply, ReplyBody};
use crate::expr::{BadParams, Moment, RenderError, RequestScope};
use crate::matching::{self, Captures, Match, Miss};
use crate::plan::Chance;
use crate::random::{Draw, DrawKey, Purpose};
use crate::request::Request;
use crate::scenario::Scenario;
use crate::scenario::model::{Answer, Body, CorsPolicy, Endpoint, Methods};

/// What was seen on the way to an endpoint.
pub(super) struct Seen {
    /// Why a condition could not read the request, if one could not.
    bad: Option<BadParams>,
    /// Where it is told who answers.
    witnessed: Witnessed,
    /// Somebody does.
    matched: bool,
}

impl Seen {
    fn new(witnessed: Witnessed) -> Seen {
        Seen {
            bad: None,
            witnessed,
            matched: false,
        }
    }

    /// Remembers why a condition could not read the request.
    pub(super) fn note(&mut self, scope: &RequestScope) {
        if let Some(broken) = scope.bad_params() {
            self.bad.get_or_insert(broken);
        }
    }
}

impl Engine {
    /// Answers a request. Effects (publishing) have happened when it returns.
    pub fn answer(&self, request: Request) -> Reply {
        let scenario = self.catalog.current();
        let request = Arc::new(request);
        let mut seen = Seen::new(self.witness.begin(&request));
        loop {
            // It fails only when another request has taken the attempt meanwhile, so that the
            // condition must be asked again.
            if let Some(reply) = self.try_answer(&scenario, &request, &mut seen) {
                return self.witnessed(&scenario, &request, reply, seen);
            }
        }
    }

    /// A request that is refused before anybody is asked for an answer.
    pub fn refuse(&self, request: Request, status: u16, detail: &str) -> Reply {
        let scenario = self.catalog.current();
        let reply = Reply::problem(status, detail).with_cors(self.cors_of(&scenario, &request));
        let request = Arc::new(request);
        let seen = Seen::new(self.witness.begin(&request));
        self.witnessed(&scenario, &request, reply, seen)
    }

    /// A reply that tells what becomes of it.
    fn witnessed(&self, scenario: &Scenario, request: &Arc<Request>, mut reply: Reply, seen: Seen) -> Reply {
        if !seen.matched {
            let scope = self.scope_without_endpoint(scenario, request);
            seen.witnessed.arrived(request, None, &scope, self.moment());
        }
        if let ReplyBody::Stream(performance) = &mut reply.body {
            performance.witnessed = Some(seen.witnessed.clone());
        }
        reply.witnessed = Some(seen.witnessed);
        reply
    }

    fn try_answer(&self, scenario: &Arc<Scenario>, request: &Arc<Request>, seen: &mut Seen) -> Option<Reply> {
        seen.bad = None;
        let found = self.find(scenario, request, &request.method, seen);
        Some(match found {
            // `ANY` names neither OPTIONS nor HEAD: they mean there what they mean everywhere.
            Ok(Match::Found(endpoint, ..)) if endpoint.methods == Methods::Any && is_preflight(request) => {
                options(scenario, request).with_cors(endpoint.cors.clone())
            }
            Ok(Match::Found(endpoint, captures, chosen)) => {
                let head_only = request.method == "HEAD" && endpoint.methods == Methods::Any;
                if let Some(full) = self.full(endpoint, &chosen.answer).filter(|_| !head_only) {
                    self.turned_away(scenario, request, endpoint, captures, &chosen, seen);
                    return Some(refuse(&full).with_cors(endpoint.cors.clone()));
                }
                let counts: Vec<_> = chosen.counts.iter().map(|(key, n)| (key.as_str(), *n)).collect();
                if !head_only && !self.session.take_attempts(&chosen.client, &counts) {
                    return None;
                }
                self.visit(scenario, request, endpoint, captures, &chosen, (head_only, seen))
            }
            Ok(Match::Missed(Miss::Method(_))) if request.method == "HEAD" => {
                self.head(scenario, request, seen)
            }
            Ok(Match::Missed(Miss::Method(_))) if request.method == "OPTIONS" => {
                options(scenario, request).with_cors(self.cors_of(scenario, request))
            }
            Ok(Match::Missed(_)) if is_preflight(request) || is_of_the_server(request) => {
                options(scenario, request).with_cors(self.cors_of(scenario, request))
            }
            Ok(Match::Missed(miss)) => match seen.bad.take() {
                Some(bad) => refuse(&Refusal::Params(bad)),
                None => missed(request, miss),
            }
            .with_cors(self.cors_of(scenario, request)),
            Err(error) => refuse(&Refusal::Render(error)).with_cors(self.cors_of(scenario, request)),
        })
    }

    /// Asked before the attempt is taken: who is sent away has not been answered.
    fn full(&self, endpoint: &Endpoint, answer: &Answer) -> Option<Refusal> {
        let Body::Stream(script) = &answer.body else {
            return None;
        };
        let open = || self.connections.count_of(&endpoint.named.key);
        let most = script.limits.connections.filter(|most| open() >= *most);
        most.map(Refusal::Full)
    }

    /// Who is sent away has come all the same.
    fn turned_away(
        &self,
        scenario: &Scenario,
        request: &Arc<Request>,
        endpoint: &Endpoint,
        captures: Captures,
        chosen: &Chosen,
        seen: &mut Seen,
    ) {
        let attempt = (chosen.client.as_str(), chosen.attempt);
        let scope = self.scope(scenario, request, endpoint, captures, attempt, Purpose::Data);
        let visitor = Visitor {
            endpoint,
            client: &chosen.client,
            attempt: chosen.attempt,
            counts: true,
        };
        seen.witnessed
            .arrived(request, Some(&visitor), &scope, self.moment());
        seen.matched = true;
    }

    /// GET's head without its effects.
    fn head(&self, scenario: &Arc<Scenario>, request: &Arc<Request>, seen: &mut Seen) -> Reply {
        match self.find(scenario, request, "GET", seen) {
            Ok(Match::Found(endpoint, captures, chosen)) => {
                self.visit(scenario, request, endpoint, captures, &chosen, (true, seen))
            }
            Ok(Match::Missed(miss)) => missed(request, miss).with_cors(self.cors_of(scenario, request)),
            Err(error) => refuse(&Refusal::Render(error)).with_cors(self.cors_of(scenario, request)),
        }
    }

    /// The rules of the first endpoint on the path, whatever its method: what a preflight asks for.
    pub fn cors_of(&self, scenario: &Scenario, request: &Request) -> Option<Arc<CorsPolicy>> {
        let asked = request.header("access-control-request-method");
        let mut on_path = matching::on_path(scenario, request);
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
    ) -> Result<Match<'s, Chosen>, RenderError> {
        matching::find(scenario, method, request, |endpoint, captures| {
            self.choose(scenario, request, endpoint, captures, seen)
        })
    }

    /// What expressions see; `attempt` is this client's, and its number.
    pub(super) fn scope(
        &self,
        scenario: &Scenario,
        request: &Arc<Request>,
        endpoint: &Endpoint,
        captures: Captures,
        attempt: (&str, u64),
        purpose: Purpose,
    ) -> RequestScope {
        RequestScope::new(
            request.clone(),
            scenario.vars.clone(),
            attempt.1,
            captures,
            self.draw(scenario, endpoint, attempt, purpose),
            self.session.topics.clone(),
            self.session.state.clone(),
        )
    }

    /// What expressions see of a request that no endpoint answers.
    fn scope_without_endpoint(&self, scenario: &Scenario, request: &Arc<Request>) -> RequestScope {
        let key = DrawKey {
            endpoint: String::new(),
            client: String::new(),
            attempt: 1,
        };
        RequestScope::new(
            request.clone(),
            scenario.vars.clone(),
            1,
            Captures::new(),
            Draw::new(self.seed(scenario), &key, Purpose::Data),
            self.session.topics.clone(),
            self.session.state.clone(),
        )
    }

    fn draw(&self, scenario: &Scenario, endpoint: &Endpoint, attempt: (&str, u64), purpose: Purpose) -> Draw {
        let key = DrawKey {
            endpoint: endpoint.named.key.clone(),
            client: attempt.0.to_owned(),
            attempt: attempt.1,
        };
        Draw::new(self.seed(scenario), &key, purpose)
    }

    pub(super) fn moment(&self) -> Moment {
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
        chosen: &Chosen,
        (head_only, seen): (bool, &mut Seen),
    ) -> Reply {
        let attempt = (chosen.client.as_str(), chosen.attempt);
        let draw = |purpose| self.draw(scenario, endpoint, attempt, purpose);
        let mut visit = Visit {
            engine: self,
            scenario: scenario.clone(),
            request: request.clone(),
            endpoint,
            scope: self.scope(
                scenario,
                request,
                endpoint,
                captures.clone(),
                attempt,
                Purpose::Data,
            ),
            captures,
            chance: Chance::new(draw),
            faults: draw(Purpose::Faults),
            moment: self.moment(),
            head_only,
        };
        let reply = visit.run(&chosen.answer);
        let visitor = Visitor {
            endpoint,
            client: &chosen.client,
            attempt: chosen.attempt,
            counts: !head_only,
        };
        seen.witnessed
            .arrived(request, Some(&visitor), &visit.scope, visit.moment);
        seen.matched = true;
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

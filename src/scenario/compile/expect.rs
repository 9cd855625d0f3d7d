//! Expectations: what they are about, and what is checked. `sense` refuses what can never hold.

mod sense;

use std::time::Duration;

use super::endpoint::check_method;
use super::values::constant;
use super::{Compiler, gather};
use crate::scenario::decode::{Anything, At, DurationText, Entries, Scalar};
use crate::scenario::diagnostic::Span;
use crate::scenario::duration;
use crate::scenario::file::{CountFile, ExpectFile, GapRulesFile, RateRulesFile, ScenarioFile};
use crate::scenario::model::{
    About, Asked, Count, Expectation, ExpectedBody, GapRule, Methods, Rate, Subject,
};
use crate::spelling::{nearest, suggest};

/// Every request is held against all of them.
const MOST_EXPECTATIONS: usize = 1000;
/// A window's arrivals are remembered.
const HIGHEST_RATE: u64 = 1000;
/// How far a gap may be from what it is about, unless the scenario says otherwise.
const USUAL_TOLERANCE: Duration = Duration::from_millis(500);
/// What a `where` sees besides the usual names.
const OWN_NAMES: [&str; 2] = ["gap", "nth"];

impl Compiler<'_> {
    /// All expectations, in file order. The endpoints are declared by now.
    pub(super) fn expectations(&mut self, files: &[ScenarioFile]) -> Vec<Expectation> {
        let all: Vec<&At<ExpectFile>> = files.iter().flat_map(|f| f.expect.iter().flatten()).collect();
        if let Some(first) = all.get(MOST_EXPECTATIONS) {
            let message = format!("a scenario has at most {MOST_EXPECTATIONS} expectations");
            self.error(&first.span, message);
            return Vec::new();
        }
        all.into_iter().filter_map(|at| self.expectation(at)).collect()
    }

    /// An endpoint's name: no other one has it, and it cannot be taken for a path.
    pub(super) fn endpoint_name(&mut self, name: &At<String>) -> Option<At<String>> {
        let text = name.value.as_str();
        if text.trim() != text || text.is_empty() || text.contains(['/', '\n']) {
            let message = format!("`{}` cannot be an endpoint's name", text.escape_debug());
            self.error_hint(&name.span, message, "a name has no `/`, and no space at its ends");
            return None;
        }
        let mut before = self.endpoints.iter().filter_map(|e| e.name.as_ref());
        if let Some(first) = before.find(|first| first.value == text) {
            let error = gather::clash(&name.span, &first.span, &format!("the endpoint name `{text}`"));
            self.errors.push(error);
        }
        Some(name.clone())
    }

    fn expectation(&mut self, at: &At<ExpectFile>) -> Option<Expectation> {
        let file = &at.value;
        let subject = self.subject(at);
        let per = self.one_of(
            file.per.as_ref(),
            "way to count requests apart",
            &[("client", ())],
        );
        let nth = file
            .nth
            .as_ref()
            .map(|list| self.nth(&list.0))
            .unwrap_or_default();
        let names = OWN_NAMES.map(str::to_owned);
        let condition = file.r#where.as_ref();
        let fixed = |this: &mut Self, d: &Option<DurationText>, key| {
            d.as_ref().and_then(|d| this.some_duration(d, key))
        };
        let expectation = Expectation {
            name: file.name.as_ref().map(|at| at.value.clone()),
            per_client: per.is_some(),
            nth,
            count: file.count.as_ref().and_then(|c| self.request_count(c)),
            rate: file.rate.as_ref().and_then(|r| self.rate(r)),
            gap: file.gap.as_ref().and_then(|g| self.gap(g)),
            last_event_id: file.last_event_id.as_ref().map(text_form),
            headers: file
                .headers
                .as_ref()
                .map(|h| self.expected_headers(h))
                .unwrap_or_default(),
            body: file.body.as_ref().and_then(|b| self.expected_body(b)),
            same_body: self.switched_on(file.same_body.as_ref(), "same_body"),
            condition: condition.and_then(|w| self.condition(w, "where", &names)),
            nothing_after: file.nothing_after.as_ref().and_then(|at| self.final_status(at)),
            hangs_up: file.hangs_up.as_ref().and_then(|d| self.duration(d)),
            within: fixed(self, &file.within, "`within`"),
            hold: fixed(self, &file.r#for, "`for`"),
            subject: subject?,
        };
        self.sensible(at, &expectation);
        Some(expectation)
    }

    fn subject(&mut self, at: &At<ExpectFile>) -> Option<Subject> {
        let file = &at.value;
        match (&file.request, &file.order) {
            (Some(request), None) => {
                let never = matches!(&file.count, Some(CountFile::Exactly(n)) if n.value == 0)
                    || matches!(&file.count, Some(CountFile::Rules(r))
                        if r.value.max.as_ref().is_some_and(|max| max.value == 0));
                self.asked(request, !never).map(Subject::Requests)
            }
            (None, Some(order)) => {
                if order.value.len() < 2 {
                    let message = "an order has at least two requests";
                    self.error_hint(&order.span, message, "for one write `request: GET /sse`");
                }
                let all: Vec<Option<Asked>> = order.value.iter().map(|r| self.asked(r, true)).collect();
                all.into_iter().collect::<Option<_>>().map(Subject::Order)
            }
            (Some(_), Some(order)) => {
                let message = "an expectation has `request` or `order`, not both";
                self.error_hint(&order.span, message, "make two expectations of it");
                None
            }
            (None, None) => {
                let message = "this expectation does not say which requests it is about";
                self.error_hint(
                    &at.span,
                    message,
                    "add `request: GET /sse`, or the name of an endpoint",
                );
                None
            }
        }
    }

    /// An endpoint's name, or a method and a path; `wanted`: there should be an endpoint for it.
    fn asked(&mut self, at: &At<String>, wanted: bool) -> Option<Asked> {
        if !at.value.contains('/') {
            return self.asked_by_name(at);
        }
        let Some((method, path)) = at.value.split_once(' ').filter(|(m, _)| !m.contains('/')) else {
            let message = format!("`{}` has no method", at.value);
            let hint = format!("write GET {0}, or ANY {0} for all methods", at.value);
            self.error_hint(&at.span, message, hint);
            return None;
        };
        let methods = match method {
            "ANY" => Methods::Any,
            method => {
                if let Err(hint) = check_method(method) {
                    self.error_hint(&at.span, format!("`{method}` is no method"), hint);
                    return None;
                }
                Methods::Only(vec![method.to_owned()])
            }
        };
        let path = self.path(&At {
            span: at.span.clone(),
            value: path.trim_start().to_owned(),
        })?;
        if wanted && !self.endpoints.iter().any(|e| e.may_get(&methods, &path)) {
            self.warn_of_unserved(at);
        }
        Some(Asked::Path { methods, path })
    }

    fn asked_by_name(&mut self, at: &At<String>) -> Option<Asked> {
        let named = |e: &super::Address| e.name.as_ref().is_some_and(|name| name.value == at.value);
        if let Some(found) = self.endpoints.iter().find(|e| named(e)) {
            return Some(Asked::Endpoint {
                key: found.key.clone(),
                name: at.value.clone(),
            });
        }
        let names: Vec<&str> = self
            .endpoints
            .iter()
            .filter_map(|e| Some(e.name.as_ref()?.value.as_str()))
            .collect();
        let hint = match names.is_empty() {
            true => "no endpoint has a `name`: give it one, or write `GET /path`".to_owned(),
            false => suggest(&at.value, &names),
        };
        let message = format!("no endpoint is called `{}`", at.value.escape_debug());
        self.error_hint(&at.span, message, hint);
        None
    }

    fn warn_of_unserved(&mut self, at: &At<String>) {
        let names: Vec<String> = self.endpoints.iter().flat_map(|e| e.names(true)).collect();
        let hint = match nearest(&at.value, names.iter().map(String::as_str)) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "add an endpoint for it, or expect `count: 0`".to_owned(),
        };
        let message = format!("no endpoint serves `{}`: such requests get an error", at.value);
        self.warn(&at.span, message, hint);
    }

    fn nth(&mut self, list: &[At<u64>]) -> Vec<u64> {
        if let Some(zero) = list.iter().find(|at| at.value == 0) {
            self.error_hint(&zero.span, "there is no request 0", "the first request is 1");
        }
        let mut nth: Vec<u64> = list.iter().map(|at| at.value).collect();
        nth.sort_unstable();
        nth.dedup();
        nth
    }

    fn request_count(&mut self, file: &CountFile) -> Option<Count> {
        let rules = match file {
            CountFile::Exactly(at) => {
                return Some(Count {
                    min: at.value,
                    max: Some(at.value),
                });
            }
            CountFile::Rules(rules) => rules,
        };
        let (min, max) = (&rules.value.min, &rules.value.max);
        if min.is_none() && max.is_none() {
            let message = "`count` has no bounds";
            self.error_hint(&rules.span, message, "give it `min` or `max`, or write a number");
        }
        if let (Some(min), Some(max)) = (min, max)
            && min.value > max.value
        {
            let message = format!("at least {} and at most {} can never hold", min.value, max.value);
            self.error_hint(&max.span, message, "`max` is not less than `min`");
        }
        Some(Count {
            min: min.as_ref().map_or(0, |at| at.value),
            max: max.as_ref().map(|at| at.value),
        })
    }

    fn rate(&mut self, file: &At<RateRulesFile>) -> Option<Rate> {
        let (Some(at_most), Some(per)) = (&file.value.at_most, &file.value.per) else {
            let hint = "for example: { at_most: 3, per: 1s }";
            self.error_hint(&file.span, "`rate` needs `at_most` and `per`", hint);
            return None;
        };
        if at_most.value == 0 || at_most.value > HIGHEST_RATE {
            let message = format!("`at_most` is 1 to {HIGHEST_RATE}, not {}", at_most.value);
            self.error_hint(&at_most.span, message, "`count: 0` expects none at all");
        }
        Some(Rate {
            at_most: at_most.value.clamp(1, HIGHEST_RATE),
            per: self.some_duration(per, "`per`")?,
        })
    }

    fn gap(&mut self, file: &At<GapRulesFile>) -> Option<GapRule> {
        let rules = &file.value;
        let about = match &rules.about {
            Some(about) if about.text.as_deref() == Some("retry") => Some(About::Retry),
            Some(about) => Some(About::Time(self.duration(&DurationText(about.clone()))?)),
            None => None,
        };
        let mut optional = |d: &Option<DurationText>| d.as_ref().and_then(|d| self.duration(d));
        let gap = GapRule {
            about,
            within: optional(&rules.within).unwrap_or(USUAL_TOLERANCE),
            at_least: optional(&rules.at_least),
            at_most: optional(&rules.at_most),
            growing: self.switched_on(rules.growing.as_ref(), "growing"),
        };
        self.sensible_gap(file, &gap);
        Some(gap)
    }

    fn expected_headers(&mut self, headers: &Entries<Scalar>) -> Vec<(String, Option<String>)> {
        let mut all = Vec::new();
        for (name, value) in &headers.0 {
            let text = value.text.as_ref().map(|_| text_form(value));
            all.extend(
                self.header_name(name)
                    .map(|name| (name.to_ascii_lowercase(), text)),
            );
        }
        all
    }

    fn expected_body(&mut self, body: &Anything) -> Option<ExpectedBody> {
        let node = &body.0;
        if node.is_null() {
            let hint = "write \"\" for no body, \"null\" for the JSON";
            self.error_hint(&node.span, "this does not say which body is expected", hint);
            return None;
        }
        Some(match node.scalar() {
            Some(text) => ExpectedBody::Text(crate::text::from_bytes(text.as_bytes())),
            None => ExpectedBody::Json(constant(node)),
        })
    }

    /// A switch that is on or not written at all: off would expect nothing.
    fn switched_on(&mut self, at: Option<&At<bool>>, key: &str) -> bool {
        let off = at.filter(|at| !at.value);
        if let Some(at) = off {
            let message = format!("`{key}: false` expects nothing");
            self.error_hint(&at.span, message, format!("leave `{key}` out"));
        }
        at.is_some() && off.is_none()
    }

    fn final_status(&mut self, at: &At<u64>) -> Option<u16> {
        match crate::scenario::status_code(&at.value.to_string()) {
            Ok(status) => Some(status),
            Err(message) => {
                self.error(&at.span, message);
                None
            }
        }
    }

    /// One duration that is known now and is not 0.
    fn some_duration(&mut self, file: &DurationText, key: &str) -> Option<Duration> {
        let time = self.duration(file)?;
        if time.is_zero() {
            self.error_hint(
                &file.0.span,
                format!("{key} of 0 takes no time"),
                "write for example 1s",
            );
            return None;
        }
        Some(time)
    }

    fn contradiction(&mut self, span: &Span, message: impl Into<String>) {
        self.error_hint(span, message, "this could never be met");
    }
}

/// As it is compared with what requests bring; nothing is empty text.
fn text_form(scalar: &Scalar) -> String {
    crate::text::from_bytes(scalar.text.as_deref().unwrap_or("").as_bytes())
}

/// A tolerance around a time, for messages.
fn around(time: Duration, within: Duration) -> String {
    format!(
        "{} give or take {}",
        duration::format(time),
        duration::format(within)
    )
}

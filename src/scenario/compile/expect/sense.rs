//! What can never be met, or checks nothing.

use super::{Compiler, around};
use crate::scenario::decode::At;
use crate::scenario::diagnostic::Span;
use crate::scenario::duration;
use crate::scenario::file::{CountFile, ExpectFile, GapRulesFile};
use crate::scenario::model::{About, Expectation, GapRule, Subject};

/// Checks of single requests: their keys, and the first request of a client they can be made of.
fn single(file: &ExpectFile) -> Vec<(&'static str, &Span, u64)> {
    let growing = file.gap.as_ref().and_then(|gap| gap.value.growing.as_ref());
    let headers = file.headers.as_ref().and_then(|h| h.0.first());
    let all = [
        ("gap", file.gap.as_ref().map(|at| &at.span), 2),
        ("growing", growing.map(|at| &at.span), 3),
        ("last_event_id", file.last_event_id.as_ref().map(|s| &s.span), 1),
        ("headers", headers.map(|(name, _)| &name.span), 1),
        ("body", file.body.as_ref().map(|b| &b.0.span), 1),
        ("same_body", file.same_body.as_ref().map(|at| &at.span), 2),
        ("where", file.r#where.as_ref().map(|s| &s.span), 1),
        ("nothing_after", file.nothing_after.as_ref().map(|at| &at.span), 1),
        ("hangs_up", file.hangs_up.as_ref().map(|d| &d.0.span), 1),
    ];
    all.into_iter()
        .filter_map(|(key, span, first)| Some((key, span?, first)))
        .collect()
}

fn count_span(file: &CountFile) -> &Span {
    match file {
        CountFile::Exactly(at) => &at.span,
        CountFile::Rules(at) => &at.span,
    }
}

impl Compiler<'_> {
    /// Refuses what can never be met, and what checks nothing.
    pub(super) fn sensible(&mut self, at: &At<ExpectFile>, expectation: &Expectation) {
        let (file, checks) = (&at.value, single(&at.value));
        if let Subject::Order(_) = expectation.subject {
            return self.only_an_order(file, &checks);
        }
        if let Some(headers) = &file.headers
            && headers.0.is_empty()
        {
            self.error_hint(&at.span, "`headers` names no header", "leave it out, or name one");
        }
        let nth = file.nth.as_ref();
        if let Some(list) = nth {
            let span = list.0.first().map_or(&at.span, |first| &first.span);
            if list.0.is_empty() {
                self.error_hint(span, "`nth` names no request", "leave it out, or write a number");
            } else if checks.is_empty() {
                let message = "`nth` says which request is checked, but nothing is checked of it";
                let least = list.0.iter().map(|at| at.value).max().unwrap_or_default();
                let hint = format!("add for example `last_event_id`; or write `count: {{ min: {least} }}`");
                self.error_hint(span, message, hint);
            }
        }
        for nth in nth.into_iter().flat_map(|list| &list.0) {
            self.sensible_nth(nth, &checks, expectation);
        }
        if let Some(count) = &file.count {
            self.sensible_count(count_span(count), &checks, expectation);
        }
    }

    fn only_an_order(&mut self, file: &ExpectFile, checks: &[(&str, &Span, u64)]) {
        let nth = file.nth.as_ref().and_then(|list| list.0.first());
        let more = [
            ("nth", nth.map(|at| &at.span)),
            ("count", file.count.as_ref().map(count_span)),
            ("rate", file.rate.as_ref().map(|at| &at.span)),
        ];
        let more = more.into_iter().filter_map(|(key, span)| Some((key, span?)));
        let first = more
            .chain(checks.iter().map(|(key, span, _)| (*key, *span)))
            .next();
        if let Some((key, span)) = first {
            let message = format!("`{key}` does not go with `order`");
            self.error_hint(span, message, "write another expectation with `request` for it");
        }
    }

    fn sensible_nth(&mut self, nth: &At<u64>, checks: &[(&str, &Span, u64)], expectation: &Expectation) {
        if let Some(most) = expectation.most().filter(|most| nth.value > *most) {
            let message = format!("request {} is expected, but `count` allows {most}", nth.value);
            self.contradiction(&nth.span, message);
        }
        let early = checks
            .iter()
            .find(|(_, _, first)| (1..*first).contains(&nth.value));
        if let Some((key, _, first)) = early {
            let why = match *key {
                "growing" => "there are no two gaps before it to compare",
                "gap" => "no connection comes before the first request",
                _ => "it is the first request that the others are compared with",
            };
            let message = format!("`{key}` cannot be checked of request {}: {why}", nth.value);
            self.error_hint(&nth.span, message, format!("write {first} or more"));
        }
    }

    fn sensible_count(&mut self, span: &Span, checks: &[(&str, &Span, u64)], expectation: &Expectation) {
        let Some(most) = expectation.most() else { return };
        if expectation.per_client && most == 0 {
            let message = "no client comes without a request, so `per: client` and no requests never hold";
            return self.contradiction(span, message);
        }
        if let Some((key, at, first)) = checks.iter().filter(|c| c.2 > most).max_by_key(|c| c.2) {
            let message = match most {
                0 => format!("`{key}` checks requests, but none is to come"),
                most => format!("`{key}` needs {first} requests, but `count` allows {most}"),
            };
            self.contradiction(at, message);
        }
        if let Some(rate) = expectation.rate
            && most <= rate.at_most
        {
            let message = format!(
                "`count` allows {most} requests, so more than {} never come",
                rate.at_most
            );
            self.error_hint(span, message, "leave `rate` out, or allow more");
        }
    }

    /// Refuses a gap that nothing is said of, and bounds that exclude one another.
    pub(super) fn sensible_gap(&mut self, file: &At<GapRulesFile>, gap: &GapRule) {
        if !gap.bounds_each() && !gap.growing {
            let hint = "add `about: retry`, `at_least`, `at_most` or `growing: true`";
            return self.error_hint(&file.span, "`gap` does not say how long", hint);
        }
        if let (Some(within), None) = (&file.value.within, gap.about) {
            self.error_hint(
                &within.0.span,
                "`within` needs `about`",
                "add for example `about: retry`",
            );
        }
        let (least, most) = (gap.at_least, gap.at_most);
        if let (Some(least), Some(most)) = (least, most)
            && least > most
        {
            let (least, most) = (duration::format(least), duration::format(most));
            self.contradiction(
                &file.span,
                format!("at least {least} and at most {most} exclude one another"),
            );
        }
        if let Some(About::Time(time)) = gap.about {
            let low = time.saturating_sub(gap.within);
            let high = time.saturating_add(gap.within);
            if most.is_some_and(|most| most < low) || least.is_some_and(|least| least > high) {
                let message = format!("{} lies outside of the other bounds", around(time, gap.within));
                self.contradiction(&file.span, message);
            }
        }
    }
}

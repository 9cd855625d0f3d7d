//! What is expected, in words.

use std::time::Duration;

use crate::scenario::duration::format as time;
use crate::scenario::model::{About, Asked, Count, Expectation, ExpectedBody, GapRule, Subject};

/// An expectation in one sentence, without a full stop.
pub fn sentence(e: &Expectation) -> String {
    let mut parts = Vec::new();
    if let Subject::Order(all) = &e.subject {
        parts.push(order(all));
    }
    if let Some(counted) = counted(e) {
        parts.push(counted);
    }
    parts.extend(rate(e));
    let clauses = clauses(e);
    if !clauses.is_empty() {
        parts.push(format!("{} {}", one(e), listed(&clauses)));
    }
    parts.extend(nothing_after(e));
    parts.extend(hangs_up(e));
    let per = if e.per_client { "for each client: " } else { "" };
    let within = e
        .within
        .map(|t| format!(", within {} of the first request", time(t)));
    let hold = e.hold.map(|t| format!(", and this stays true for {}", time(t)));
    format!(
        "{per}{}{}{}",
        parts.join("; "),
        within.unwrap_or_default(),
        hold.unwrap_or_default()
    )
}

/// The requests it is about: `GET /sse`, or an endpoint's name.
pub(super) fn asked(asked: &Asked) -> String {
    match asked {
        Asked::Endpoint { name, .. } => name.clone(),
        Asked::Path { methods, path } => format!("{} {}", methods.describe(), path.source()),
    }
}

pub(super) fn subject(e: &Expectation) -> String {
    match &e.subject {
        Subject::Requests(one) => asked(one),
        Subject::Order(all) => all.iter().map(asked).collect::<Vec<_>>().join(", "),
    }
}

pub(super) fn order(all: &[Asked]) -> String {
    let all: Vec<String> = all.iter().map(asked).collect();
    format!("requests come in this order: {}", all.join(", "))
}

/// How many requests come, unless something else is said of them.
fn counted(e: &Expectation) -> Option<String> {
    match e.count {
        Some(count) => Some(self::count(e, count)),
        None if matches!(e.subject, Subject::Order(_)) => None,
        None if e.rate.is_some() || !clauses(e).is_empty() => None,
        None if e.nothing_after.is_some() || e.hangs_up.is_some() => None,
        None => Some(format!("{} is requested", subject(e))),
    }
}

pub(super) fn count(e: &Expectation, count: Count) -> String {
    let many = match count {
        Count { max: Some(0), .. } => return format!("{} is never requested", subject(e)),
        Count { min, max: Some(max) } if min == max => times(min),
        Count {
            min: 0,
            max: Some(max),
        } => format!("at most {}", times(max)),
        Count { min, max: Some(max) } => format!("{min} to {}", times(max)),
        Count { min, max: None } => format!("at least {}", times(min)),
    };
    format!("{} is requested {many}", subject(e))
}

pub(super) fn rate(e: &Expectation) -> Option<String> {
    let rate = e.rate?;
    Some(format!(
        "{} is requested at most {} in any {}",
        subject(e),
        times(rate.at_most),
        time(rate.per)
    ))
}

/// "the 3rd request to GET /sse", "each request to GET /sse".
pub(super) fn one(e: &Expectation) -> String {
    let name = subject(e);
    match e.nth.as_slice() {
        [] => format!("each request to {name}"),
        [nth] => format!("the {} request to {name}", ordinal(*nth)),
        all => {
            let all: Vec<String> = all.iter().map(|n| ordinal(*n)).collect();
            format!("each of the {} requests to {name}", listed(&all))
        }
    }
}

/// The same for what need not happen to all of them.
fn any(e: &Expectation) -> String {
    match e.nth.as_slice() {
        [] => format!("a request to {}", subject(e)),
        _ => one(e),
    }
}

/// "a", "a and b", "a, b and c".
fn listed(all: &[String]) -> String {
    match all {
        [before @ .., last] if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        all => all.concat(),
    }
}

/// What is expected of single requests: verbs for [`one`].
fn clauses(e: &Expectation) -> Vec<String> {
    let mut all = Vec::new();
    all.extend(e.last_event_id.as_deref().map(last_event_id));
    all.extend(
        e.headers
            .iter()
            .map(|(name, value)| header(name, value.as_deref())),
    );
    all.extend(e.body.as_ref().map(body));
    if e.same_body {
        all.push(same_body());
    }
    all.extend(e.condition.as_ref().map(|c| condition(c.source())));
    if let Some(gap) = &e.gap {
        all.extend(gap.bounds_each().then(|| self::gap(gap)));
        all.extend(gap.growing.then(growing));
    }
    all
}

pub(super) fn last_event_id(id: &str) -> String {
    match id {
        "" => "comes without a Last-Event-ID".into(),
        id => format!("comes with the Last-Event-ID {}", quoted(id)),
    }
}

pub(super) fn header(name: &str, value: Option<&str>) -> String {
    match value {
        Some(value) => format!("has the header {}", quoted(&format!("{name}: {value}"))),
        None => format!("has no header {}", quoted(name)),
    }
}

pub(super) fn body(body: &ExpectedBody) -> String {
    match body {
        ExpectedBody::Text(text) if text.is_empty() => "has no body".into(),
        ExpectedBody::Text(text) => format!("has the body {}", quoted(text)),
        ExpectedBody::Json(json) => format!("has a body equal to {}", quoted(&json.to_string())),
    }
}

pub(super) fn same_body() -> String {
    "brings the body of the client's first request again".into()
}

pub(super) fn condition(source: &str) -> String {
    format!("fulfils {}", quoted(source))
}

pub(super) fn gap(gap: &GapRule) -> String {
    let mut bounds = Vec::new();
    let tolerance = time(gap.within);
    match gap.about {
        Some(About::Retry) => {
            bounds.push(format!("about the reconnection time (give or take {tolerance})"));
        }
        Some(About::Time(about)) => bounds.push(format!("about {} (give or take {tolerance})", time(about))),
        None => {}
    }
    bounds.extend(gap.at_least.map(|t| format!("at least {}", time(t))));
    bounds.extend(gap.at_most.map(|t| format!("at most {}", time(t))));
    format!(
        "comes {} after the client's last connection ended",
        bounds.join(" and ")
    )
}

pub(super) fn growing() -> String {
    "comes after a longer gap than the one before".into()
}

pub(super) fn nothing_after(e: &Expectation) -> Option<String> {
    let status = e.nothing_after?;
    Some(format!(
        "once {} is answered with {status}, its client stays away",
        any(e)
    ))
}

pub(super) fn hangs_up(e: &Expectation) -> Option<String> {
    let limit = time(e.hangs_up?);
    let stream = match e.nth.as_slice() {
        [] => format!("each stream of {}", subject(e)),
        _ => format!("the stream of {}", one(e)),
    };
    Some(format!(
        "the client leaves {stream} within {limit} of its last event"
    ))
}

/// "1 request", "2 requests".
pub(super) fn requests(n: u64) -> String {
    match n {
        0 => "no request".into(),
        1 => "1 request".into(),
        n => format!("{n} requests"),
    }
}

fn times(n: u64) -> String {
    match n {
        1 => "once".into(),
        2 => "twice".into(),
        n => format!("{n} times"),
    }
}

pub(super) fn ordinal(n: u64) -> String {
    let ending = match (n % 10, n % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{n}{ending}")
}

/// A measured time in seconds, to the millisecond.
pub(super) fn seconds(time: Duration) -> String {
    let millis = time.as_millis();
    let text = format!("{}.{:03}", millis / 1000, millis % 1000);
    format!("{}s", text.trim_end_matches('0').trim_end_matches('.'))
}

/// Text in backticks, short and in one line.
pub(super) fn quoted(text: &str) -> String {
    format!("`{}`", excerpt(text, 200))
}

/// Text in one line, cut after so many characters; bytes that are no text stand as `\xff`.
pub(super) fn excerpt(text: &str, most: usize) -> String {
    let mut out = String::new();
    for (n, c) in text.chars().enumerate() {
        if n == most {
            out.push('…');
            break;
        }
        match c as u32 {
            escaped @ 0x10_FF00..=0x10_FFFF => out += &format!("\\x{:02x}", escaped & 0xff),
            _ if c.is_control() => out.extend(c.escape_default()),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measured_times_and_odd_texts_are_short() {
        for (micros, expected) in [
            (0, "0s"),
            (1_500_400, "1.5s"),
            (10_000_000, "10s"),
            (2_000, "0.002s"),
        ] {
            assert_eq!(seconds(Duration::from_micros(micros)), expected);
        }
        for (n, expected) in [
            (1, "1st"),
            (2, "2nd"),
            (3, "3rd"),
            (4, "4th"),
            (11, "11th"),
            (22, "22nd"),
            (112, "112th"),
        ] {
            assert_eq!(ordinal(n), expected);
        }
        let odd = crate::text::from_bytes(b"a\n\xff\0\xe2\x98\x83");
        assert_eq!(excerpt(&odd, 10), "a\\n\\xff\\u{0}☃");
        assert_eq!(excerpt("abc", 2), "ab…");
    }
}

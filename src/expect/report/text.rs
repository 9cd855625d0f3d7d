//! The verdict for people.

use std::fmt::Write as _;

use crate::expect::words::{quoted, seconds};
use crate::expect::{By, Judged, Line, State, Verdict};

/// One line for each expectation; below those that failed, what was expected, what came, and the requests
/// that show it. The last line is the verdict.
pub fn text(verdict: &Verdict) -> String {
    let mut out = String::new();
    for judged in &verdict.expectations {
        let state = match judged.state {
            State::Met => "ok",
            State::Failed => "not ok",
            State::Open => "open",
        };
        let _ = writeln!(out, "{state} {} - {}", judged.number, title(judged));
        out += &details(judged);
    }
    let count = |state| verdict.expectations.iter().filter(|j| j.state == state).count();
    let (met, failed, open) = (count(State::Met), count(State::Failed), count(State::Open));
    let _ = writeln!(out, "{}: {met} met, {failed} failed, {open} open", verdict.word());
    out
}

/// The name with the sentence, or the sentence alone.
pub(super) fn title(judged: &Judged) -> String {
    match &judged.name {
        Some(name) => format!("{name}: {}", judged.sentence),
        None => judged.sentence.clone(),
    }
}

/// What was expected, what came, and the requests that show it.
pub(super) fn details(judged: &Judged) -> String {
    let mut out = String::new();
    let told = [("expected", &judged.expected), ("came", &judged.came)];
    for (what, said) in told {
        if let Some(said) = said {
            let _ = writeln!(out, "    {:<9} {said}", format!("{what}:"));
        }
    }
    if let Some(client) = &judged.client {
        let _ = writeln!(out, "    {:<9} {}", "client:", quoted(client));
    }
    out += &table(&judged.lines);
    out
}

/// The requests in columns, so that numbers and times can be compared.
fn table(lines: &[Line]) -> String {
    let cells = |line: &Line| {
        [
            format!("#{}", line.number),
            seconds(line.at),
            format!("{} {}", line.method, line.target),
        ]
    };
    let rows: Vec<[String; 3]> = lines.iter().map(cells).collect();
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let (number, at, request) = (width(0), width(1), width(2));
    let mut out = String::new();
    for (row, line) in rows.iter().zip(lines) {
        let [n, t, r] = row;
        let _ = writeln!(out, "      {n:<number$}  {t:>at$}  {r:<request$}  {}", fate(line));
    }
    out
}

/// What became of a request, in words.
fn fate(line: &Line) -> String {
    let mut parts = Vec::new();
    parts.extend(
        line.last_event_id
            .as_ref()
            .map(|id| format!("Last-Event-ID {}", quoted(id))),
    );
    parts.push(match (line.status, line.ended) {
        (Some(status), _) => status.to_string(),
        (None, Some((_, By::Answer))) => "no answer".into(),
        (None, _) => "not answered".into(),
    });
    match line.ended {
        Some((_, By::Answer)) => {}
        Some((at, by)) => parts.push(format!("{} at {}", by.describe(), seconds(at))),
        None if line.status.is_some() => parts.push("open".into()),
        None => {}
    }
    parts.extend(line.gap.map(|gap| format!("gap {}", seconds(gap))));
    parts.join(", ")
}

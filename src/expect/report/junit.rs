//! The verdict as JUnit XML: what CI systems read.

use std::fmt::Write as _;

use super::text::{details, title};
use crate::expect::{Judged, State, Verdict};

/// A suite for each verdict, by its name, with a test case for each expectation. What is open counts as
/// skipped.
pub fn junit(suites: &[(&str, &Verdict)]) -> String {
    let all: Vec<&Judged> = suites.iter().flat_map(|(_, v)| &v.expectations).collect();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(out, "<testsuites {}>", counts(&all));
    for (name, verdict) in suites {
        suite(&mut out, &escaped(name), verdict);
    }
    out + "</testsuites>\n"
}

fn counts(all: &[&Judged]) -> String {
    let count = |state| all.iter().filter(|judged| judged.state == state).count();
    let (failures, skipped) = (count(State::Failed), count(State::Open));
    format!(
        "tests=\"{}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\"",
        all.len()
    )
}

fn suite(out: &mut String, suite: &str, verdict: &Verdict) {
    let all: Vec<&Judged> = verdict.expectations.iter().collect();
    let _ = writeln!(out, "  <testsuite name=\"{suite}\" {}>", counts(&all));
    for judged in all {
        let name = escaped(&format!("{} - {}", judged.number, title(judged)));
        let came = escaped(judged.came.as_deref().unwrap_or_default());
        let _ = write!(out, "    <testcase classname=\"{suite}\" name=\"{name}\"");
        let _ = match judged.state {
            State::Met => writeln!(out, "/>"),
            State::Open => writeln!(out, "><skipped message=\"not decided: {came}\"/></testcase>"),
            State::Failed => {
                let details = escaped(&details(judged));
                writeln!(
                    out,
                    ">\n      <failure message=\"{came}\">\n{details}</failure>\n    </testcase>"
                )
            }
        };
    }
    *out += "  </testsuite>\n";
}

/// Text as it may stand in attributes and elements; what XML 1.0 (§2.2) cannot hold becomes U+FFFD.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\n' | '\t' => out.push(c),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c if c < ' ' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

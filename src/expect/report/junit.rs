//! The verdict as JUnit XML: what CI systems read.

use std::fmt::Write as _;

use super::text::{details, title};
use crate::expect::{State, Verdict};

/// One test case for each expectation, in a suite of this name. What is open counts as skipped.
pub fn junit(verdict: &Verdict, suite: &str) -> String {
    let all = &verdict.expectations;
    let count = |state| all.iter().filter(|judged| judged.state == state).count();
    let (failures, skipped) = (count(State::Failed), count(State::Open));
    let counts = format!(
        "tests=\"{}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\"",
        all.len()
    );
    let suite = escaped(suite);
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        out,
        "<testsuites {counts}>\n  <testsuite name=\"{suite}\" {counts}>"
    );
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
    out + "  </testsuite>\n</testsuites>\n"
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

//! Expressions that are cheap by the fuel that minijinja itself counts. Most of them hang by that alone,
//! or take all memory, and those that nest overflow the stack; the rest stands here for completeness.

use std::sync::mpsc;
use std::time::Duration;

use super::*;

/// Far more than any of them takes, on a slow machine and without optimization.
const PATIENCE: Duration = Duration::from_secs(60);

fn assert_bounded(sources: impl IntoIterator<Item = String>) {
    for source in sources {
        let (done, waits) = mpsc::channel();
        let run = source.clone();
        std::thread::spawn(move || done.send(render(&run).map(|text| text.len())));
        let end: String = source
            .chars()
            .skip(source.chars().count().saturating_sub(200))
            .collect();
        let result = waits.recv_timeout(PATIENCE);
        assert!(result.is_ok(), "{end}: still running, or the thread is gone");
        if let Ok(Err(RenderError(message))) = result {
            let bound = ["steps", "16 MiB", "nested more than", "too large"]
                .iter()
                .any(|b| message.contains(b));
            assert!(bound, "{end}: {message}");
        }
    }
}

/// Most of the steps are taken already, so that the rest is gone soon.
const SPENT: &str = "{% set spent = 'x' * 31500000 %}";

/// Two values that are equal and not the same, each with more parts than could ever be read.
fn grown(kind: &str) -> String {
    let begin = |value: &str| format!("{SPENT}{{% set c = {value} %}}{{% set d = {value} %}}");
    let twice = |step: &str| {
        format!(
            "{{% set c = {} %}}{{% set d = {} %}}",
            step.replace('v', "c"),
            step.replace('v', "d")
        )
    };
    match kind {
        "repeated" => begin("[1]") + &twice("[v] * 1000").repeat(4),
        "lists" => begin("['x']") + &twice("[v, v]").repeat(40),
        "tuples" => begin("(1, 2)") + &twice("(v, v)").repeat(40),
        _ => begin("{'a': 1}") + &twice("{'a': v, 'b': v}").repeat(40),
    }
}

const COMPARISONS: &[&str] = &[
    "c == d",
    "c != d",
    "c < d",
    "c >= d",
    "1 < 2 == c == d",
    "c in [d]",
    "((c | string) ~ 'a') in [d | string] * 100000",
    "d not in [c]",
    "c is eq(d)",
    "c is in [d]",
    "[c]|select('eq', d)|list",
    "[c]|select('in', [d])|list",
    "[c, d]|sort",
    "[c, d]|unique",
    "[c, d]|min",
    "[{'k': c}, {'k': d}]|groupby('k')",
    "[{'k': c}, {'k': d}]|sort(attribute='k')",
    "{'x': c, 'y': d}|dictsort(by='value')",
];

#[test]
fn what_compares_values_with_endless_parts_is_bounded() {
    for kind in ["repeated", "lists", "tuples", "maps"] {
        let grown = grown(kind);
        assert_bounded(
            COMPARISONS
                .iter()
                .map(|used| format!("{grown}{{% if {used} %}}{{% endif %}}")),
        );
        let changed = "{% for x in [c, d] %}{{ loop.changed(x) }}{% endfor %}";
        assert_bounded([format!("{grown}{changed}")]);
    }
}

const READERS: &[&str] = &[
    "c",
    "c ~ 'x'",
    "'x' ~ c",
    "c in 'x'",
    "{c: 1}",
    "{1: 1}[c]|default('')",
    "{1: 1}|attr(c)|default('')",
    "'%s'|format(c)",
    "'x'|replace(c, 'y')",
    "c|replace('x', 'y')",
    "c|split(',')",
    "c|lines",
    "c|escape",
    "c|safe",
    "c|join",
    "[1, 2]|join(c)",
    "c|upper",
    "c|title",
    "c|trim",
    "'x'|trim(c)",
    "c|indent(2)",
    "c|pprint",
    "c|string",
    "c|json",
    "c|sha256",
    "c|words",
    "c|chunks(2)",
    "c is startingwith('x')",
    "'x' is endingwith(c)",
    "[c]|map('upper')|list",
    "fake(c)",
    "topic(c).count",
];

#[test]
fn what_writes_values_with_endless_parts_is_bounded() {
    for kind in ["lists", "maps"] {
        let grown = grown(kind);
        assert_bounded(READERS.iter().map(|used| format!("{grown}x{{{{ {used} }}}}")));
    }
}

/// What each round of a loop costs, where minijinja takes it for one step.
#[test]
fn long_texts_and_lists_are_paid_for_each_time() {
    let long = "{% set s = 'x' * 2000000 %}{% set t = s ~ 'y' %}{% set big = [1] * 200000 %}";
    let loops = "{% for i in range(99999) %}{% for j in range(9) %}";
    let each = [
        "s == t",
        "s < t",
        "s is upper",
        "s[0:1] == 'y'",
        "s[1999999] == 'y'",
        "s[j - 1] == 'y'",
        "big[199999:] == 'y'",
        "pick(big|chain(range(9))) == 7",
    ];
    assert_bounded(
        each.map(|used| format!("{long}{loops}{{% if {used} %}}{{% endif %}}{{% endfor %}}{{% endfor %}}")),
    );
    let once = [
        "s|trim(s)",
        "s|trim(['y' * 1000000, 'x'])",
        "([s] + range(99999)|map('string')|list)|min",
        "([{}] * 9999)|sort(attribute='a,' * 99999)",
        "([{}] * 9999)|map(attribute=s)|list",
        "('%(a)s' * 1000)|format(a=s)|length",
        "([[1]] * 200000)|sum(start=[])|length",
        "(['xxxxxxxxxx'] * 99999)|sum(start='')|length",
        &format!("(big|zip({}))|length", ["big"; 300].join(", ")),
    ];
    assert_bounded(once.map(|used| format!("{long}{{{{ {used} }}}}")));
}

/// Lists that are made while they are walked, and what is worked out when a scenario loads.
#[test]
fn lists_that_are_made_late_are_bounded() {
    let sources = [
        "{% set a, b = [1] * 99999999 %}",
        "{{ ([1] * 99999999)[99999998:] }}",
        "{{ [1] * 99999999 == [1] * 99999999 }}",
        "{{ '' ~ [1] * 99999999 }}",
        "{{ [1] * 99999999 in [[1] * 99999998] }}",
        "{{ ([1] * 99999999)[99999998] }}",
    ];
    assert_bounded(sources.map(str::to_owned));
    let again = |first: &str, step: &str, last: &str| {
        let steps = format!("{{% set a = {step} %}}").repeat(80);
        format!("{{% set a = {first} %}}{steps}{{{{ {last} }}}}")
    };
    assert_bounded([
        again("[1]", "a + a", "a|length"),
        again("[1]", "a|chain(a)", "a|length"),
        again("[1]", "a|zip(a)", "(a|first)|length"),
        again("{'x': 1}", "a|chain(a)", "a.y|default(1)"),
    ]);
}

/// Dropping what is nested takes stack.
#[test]
fn lists_do_not_get_too_deep_to_be_dropped() {
    let sources = ["[a]", "a|batch(1)", "{1: a}", "(a,)", "[[[[a]]]]"].map(|step| {
        let steps = format!("{{% set a = {step} %}}").repeat(10_000);
        format!("{{% set a = [1] %}}{steps}{{{{ a|length }}}}")
    });
    assert_bounded(sources);
    let with = format!(
        "{{% with a = [1]{} %}}{{% endwith %}}",
        ", a = [a]".repeat(10_000)
    );
    assert_bounded([with]);
}

//! Plain templates: whoever renders them, the text, the value, the error and the draws are the same.

use super::*;

/// What may stand in a template, plain or not, right or wrong.
const PIECES: &[&str] = &[
    "text, {with} a brace",
    "{{ seq }}",
    "{{ elapsed }}{{ now }}",
    "{{ attempt }} {{ last_event_id }} {{ base }}",
    "{{ room }}",
    "  {{- room -}}  ",
    "{{ item }}",
    "{{ item.name }}",
    "{{ item.list }}",
    "{{ unset }}",
    "{{ null }}",
    "{{ yes }} {{ half }}",
    "{{ vars.model }}",
    "{{ request.path }} {{ request.query.q }}",
    "{{ request.json.n }} {{ request.json.deep }}",
    "{{ request.headers.last_event_id }}",
    "{{ request.nope.deeper }}",
    "{{ request }}",
    "{{ state.count }}",
    "{{ state.nope }}",
    "{{ letter() }}",
    "{{ uuid() }}",
    "{{ random_int(1, 6) }}",
    "{{ random_int(-9223372036854775808, 9223372036854775807) }}",
    "{{ random_int(2, 1.0) }}",
    "{{ random_int(1, 1.5) }}",
    "{{ random_int(1, 18446744073709551615) }}",
    "{{ random_float(0, 1) }}",
    "{{ random_float(-1e3, 1e999) }}",
    "{{ fake('name') }}",
    "{{ fake(room) }}",
    "{{ pick(['x', 2, 0.5, true]) }}",
    "{{ pick([[1], none]) }}",
    "{{ pick([]) }}",
    "{{ pick('text') }}",
    "{{ pick({'a': 1}) }}",
    "{{ topic('post').count }}",
    "{{ letter }}",
    "{{ seq + 1 }}",
    "{{ room | upper }}",
    "{% if room %}yes{% endif %}",
    "{% set result_ = (seq) %}",
    "{# nothing #}",
];

/// Names of the scenario's own; `letter` hides a function once it is bound.
const NAMES: &[&str] = &["room", "item", "unset", "null", "yes", "half", "letter", "seq"];

fn names() -> Vec<String> {
    NAMES.iter().map(|name| (*name).to_owned()).collect()
}

fn bound(hiding: bool) -> RequestScope {
    let scope = scope(1);
    let bind = |name: &str, value: Json| drop(scope.bind(name, Value::from(Serde(value))));
    bind("item", serde_json::json!({"name": "n", "list": [1]}));
    bind("null", Json::Null);
    bind("yes", Json::Bool(true));
    bind("half", serde_json::json!(0.5));
    if hiding {
        bind("letter", Json::from("a letter"));
        bind("seq", Json::from("a number"));
    }
    scope
}

const MOMENT: Moment = Moment {
    seq: 4,
    elapsed_ms: 1500,
    now_ms: 10,
};

/// What is rendered, as text and with its type; what would be drawn next, and the steps that it took.
fn all_of(all: &Expressions, text: &Text, hiding: bool) -> impl PartialEq + std::fmt::Debug + use<> {
    let scope = bound(hiding);
    let written = all.text(text, &scope, MOMENT);
    let optional = all.optional(text, &scope, MOMENT);
    let tree = all.tree(&Tree::Text(text.clone()), &scope, MOMENT);
    let next = scope.draws().bits();
    (written, optional, tree, next, scope.spent())
}

fn compare(source: &str) {
    let mut builder = Builder::new(vec!["model".into()]);
    let text = builder.text(source, &names()).expect(source);
    let all = builder.finish();
    for hiding in [false, true] {
        let usual = all_of(&all, &text, hiding);
        let other = text.clone().by_the_machine();
        let machine = all_of(&all, &other, hiding);
        assert_eq!(usual, machine, "{source} (hiding: {hiding})");
    }
}

#[test]
fn the_same_comes_out_whoever_renders_it() {
    for first in PIECES {
        compare(first);
        for second in PIECES {
            compare(&format!("{first}{second}"));
            compare(&format!("{{{{ uuid() }}}} {first} {second}"));
        }
    }
}

#[test]
fn what_is_metered_is_the_machines() {
    let brackets = "(".repeat(1001);
    let source = format!("{{{{ pick(['{brackets}']) }}}}");
    assert!(!is_plain(&source));
    compare(&source);
}

fn is_plain(source: &str) -> bool {
    let mut builder = Builder::new(vec!["model".into()]);
    match builder.text(source, &names()).unwrap() {
        Text::Template(expr) | Text::Value(expr) => expr.plain.is_some(),
        Text::Fixed(_) => false,
    }
}

#[test]
fn what_names_and_draws_is_plain_and_nothing_else() {
    for source in [
        "{{ seq }}",
        "n: {{ seq }}, {{ request.query.q }} {{ vars.model }}",
        "{{ letter() }}{{ uuid() }}{{ random_int(1, -6) }}{{ random_float(0, 1) }}",
        "{{ pick(['a', 'b']) }} {{ fake('name') }}",
    ] {
        assert!(is_plain(source), "{source}");
    }
    for source in [
        "{{ seq + 1 }}",
        "{{ room | upper }}",
        "{% if seq %}x{% endif %}",
        "{{ random_int(1, seq) }}",
        "{{ random_float(0, 1e999) }}",
        "{{ topic('post').count }}",
        "{{ pick }}",
        &"{{ seq }}".repeat(65),
    ] {
        assert!(!is_plain(source), "{source}");
    }
}

#[test]
fn what_is_too_much_is_told_and_draws_as_before() {
    let mut builder = Builder::new(vec![]);
    let text = builder
        .text("{{ letter() }}{{ room }}{{ room }}", &names())
        .unwrap();
    let all = builder.finish();
    let render = |text: &Text| {
        let scope = scope(1);
        scope.bind("room", Value::from("x".repeat(MAX_OUTPUT / 2)));
        let error = all.text(text, &scope, MOMENT).unwrap_err().0;
        (error, scope.draws().bits())
    };
    let usual = render(&text);
    assert_eq!(usual, render(&text.clone().by_the_machine()));
    assert!(usual.0.contains("16 MiB"), "{}", usual.0);
}

#[test]
fn the_bytes_of_a_text_count_where_it_is_written_and_not_where_it_is_named() {
    let steps = |source: &str| {
        let mut builder = Builder::new(vec![]);
        let text = builder.text(source, &names()).unwrap();
        let all = builder.finish();
        let spent = |text: &Text| {
            let scope = scope(1);
            scope.bind("room", Value::from("x".repeat(64_000)));
            all.text(text, &scope, MOMENT).unwrap();
            scope.spent()
        };
        assert_eq!(spent(&text), spent(&text.clone().by_the_machine()), "{source}");
        spent(&text)
    };
    assert_eq!(steps("{{ room }}"), 2);
    assert_eq!(steps("{{ room }} {{ seq }}"), 1_006);
}

#[test]
fn conditions_and_values_are_the_same() {
    let sources = [
        "seq",
        "room",
        "item.name",
        "unset",
        "null",
        "uuid()",
        "pick(['', 1])",
    ];
    for source in sources {
        let mut builder = Builder::new(vec![]);
        let expr = builder.expr(source, &names()).unwrap();
        assert!(expr.plain.is_some(), "{source}");
        let machine = Expr {
            plain: None,
            ..expr.clone()
        };
        let all = builder.finish();
        let asked = |expr: &Expr| {
            let scope = bound(false);
            let holds = all.holds(expr, &scope, MOMENT);
            let client = all.client(expr, &scope, MOMENT);
            let value = all.value(expr, &scope, MOMENT).unwrap();
            let next = scope.draws().bits();
            (
                holds,
                client,
                value.kind(),
                value.to_string(),
                next,
                scope.spent(),
            )
        };
        assert_eq!(asked(&expr), asked(&machine), "{source}");
    }
}

#[test]
fn too_long_a_value_is_the_machines_to_refuse() {
    let mut builder = Builder::new(vec![]);
    let text = builder.text("{{ room }}", &names()).unwrap();
    let all = builder.finish();
    let scope = scope(1);
    scope.bind("room", Value::from("x".repeat(MAX_OUTPUT + 1)));
    let error = all.text(&text, &scope, MOMENT).unwrap_err().0;
    let machine = all.text(&text.by_the_machine(), &scope, MOMENT).unwrap_err().0;
    assert_eq!(error, machine);
    assert!(error.contains("16 MiB"), "{error}");
}

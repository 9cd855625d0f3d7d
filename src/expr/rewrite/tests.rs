use std::sync::LazyLock;

use minijinja::machinery::parse;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, context};

use super::*;
use crate::expr::{costly, meter};

fn syntax() -> SyntaxConfig {
    SyntaxConfig::builder()
        .keep_trailing_newline(true)
        .build()
        .unwrap()
}

fn parsed(source: &str) -> Stmt<'_> {
    parse(source, "", syntax()).expect(source)
}

fn environment() -> Environment<'static> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Chainable);
    env.set_syntax(syntax());
    costly::add(&mut env);
    meter::add(&mut env);
    env
}

/// What a template yields as it is written, and as it is compiled.
fn both(source: &str) -> (Result<String, String>, Result<String, String>) {
    static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(environment);
    let env = &*ENVIRONMENT;
    let render = |source: &str| {
        let context = context! {
            n => 3, m => -2.5, s => "a\u{10ff41}b☃", t => "x", yes => true, no => false,
            list => vec![3, 1, 2], nested => vec![vec![1, 2], vec![3]],
            map => context! { b => 1, a => context! { c => vec!["p", "q"] } }, key => "b", at => 1,
        };
        env.render_str(source, context).map_err(|error| error.to_string())
    };
    let anew = written(&parsed(source), true).out;
    (render(source), render(&anew))
}

const EXPRESSIONS: &[&str] = &[
    "1",
    "1.5",
    "1e3",
    "1e-7",
    "1e300",
    "0.1",
    "1e999",
    "0x1f",
    "1_000",
    "true",
    "none",
    "'a'",
    r#""a\"b""#,
    r"'a\\b\n\'c'",
    "'\u{10ff41}☃\0'",
    "'{{ x }}'",
    "'{% if %}'",
    "'a' 'b'",
    "170141183460469231731687303715884105727",
    "340282366920938463463374607431768211455",
    "18446744073709551615",
    "9223372036854775808",
    "1 + 2 * 3",
    "(1 + 2) * 3",
    "1 - 2 - 3",
    "1 - (2 - 3)",
    "2 ** 3 ** 2",
    "2 ** (3 ** 2)",
    "-2 ** 2",
    "-(2 ** 2)",
    "7 // 2 * 2",
    "7 // (2 * 2)",
    "7 % 4 / 2",
    "n * m",
    "n + m * 2 - 1",
    "- -n",
    "--n",
    "-n|abs",
    "(-n)|abs",
    "-(n|abs)",
    "-map.b",
    "(1).x",
    "1.5|int",
    "n ~ m ~ s",
    "n ~ (m ~ s)",
    "n ~ n + 1",
    "n + (1 ~ '')",
    "'a' ~ 1 + 2",
    "n * 2 ~ 'x'",
    "list ~ map",
    "list + [4]",
    "list + list * 2",
    "(list + [1]) * 2",
    "[0] * n",
    "'ab' * n",
    "n * 'ab'",
    "(1, 2) * 2",
    "(1, 2) + (3,)",
    "(1,)",
    "()",
    "[]",
    "{}",
    "{'a': 1, 'b': [n]}",
    "{n: 1, (1, 2): 2}",
    "{{'a': 1}: 2}",
    "[[1, 2], [3]] == nested",
    "nested != [[1, 2], [3]]",
    "list < [3, 2]",
    "list <= list",
    "[1] > list",
    "list >= [3, 1]",
    "1 < n < 5",
    "1 < n > 5",
    "1 < n <= 3 == 3",
    "list == list == list",
    "n in list",
    "n not in list",
    "[1, 2] in nested",
    "'b' in map",
    "t in s",
    "not n in list",
    "not n",
    "not not n",
    "not (n and no)",
    "n and t",
    "no and t",
    "no or t",
    "yes or no and no",
    "(yes or no) and no",
    "not yes or yes",
    "not (yes or yes)",
    "n == 3 and t == 'x' or no",
    "1 if yes else 2",
    "1 if no else 2",
    "1 if no",
    "1 if no else 2 if no else 3",
    "(1 if no else 2) if yes else 3",
    "1 if (no if yes else yes) else 2",
    "[1 if yes else 2, 3]",
    "(1 if yes else 2) + 1",
    "1 if yes else 2 + 1",
    "n is odd",
    "n is not odd",
    "n is divisibleby 3",
    "n is divisibleby(3) and yes",
    "n is not divisibleby 2 or no",
    "missing is defined",
    "missing is not defined",
    "n is defined == yes",
    "1 if n is defined else 2",
    "n is eq 3",
    "(n is odd) ~ 'x'",
    "n is odd ~ 'x'",
    "(not yes)|string",
    "n is in list",
    "n|string is string",
    "-n is odd",
    "n is lt 4",
    "list|sort",
    "list|sort(reverse=true)|first",
    "list|join(', ')",
    "list|map('string')|join",
    "nested|map('first')|list",
    "map|items|list",
    "map|dictsort(by='value', reverse=true)",
    "list|batch(2, 'x')",
    "[map, map]|map(attribute='b')|sum",
    "s|replace('a', 'b')",
    "s|replace('', '-', 2)",
    "s|replace('', '-', count=1)",
    "list|select('odd')|list",
    "'%s-%d'|format(t, n)",
    "list|select('in', [1, 2])|list",
    "list|reject('gt', 1)|list",
    "list|zip(nested)|list",
    "list|chain(nested)|list",
    "list|unique|list",
    "(list|chain(nested))[3]",
    "({'a': 1}|chain({'b': 2}))['b']",
    "[[1], [2]]|sum(start=[])",
    "list|max + (list|min)",
    "list[0]",
    "list[-1]",
    "list[at]",
    "list[at + 1]",
    "list[9]",
    "list[5000]",
    "nested[0][at]",
    "nested[at][0]",
    "nested[at].0",
    "map.a.c[at]",
    "map['a']['c'][0]",
    "map[key]",
    "map[key ~ '']",
    "map[missing]",
    "missing[key]",
    "missing.x[key].y",
    "s[1]",
    "s[-1]",
    "s[at]",
    "(list + [9])[at]",
    "list[1:]",
    "list[:-1]",
    "list[::2]",
    "list[::-1]",
    "list[at:n]",
    "list[:][1:]",
    "s[1:]",
    "s[::-1]",
    "'abc'[1:]",
    "(list * 2)[at:]",
    "list[1:] + list[:1]",
    "list[1:][0]",
    "range(n)|list",
    "range(3)[1:]",
    "range(5)[at]",
    "dict(a=1, b=n)",
    "dict(**map)",
    "dict(map, x=2)",
    "range(*[1, 4])|list",
    "{'a': 1}.a",
    "[1, 2][0]",
    "(1, 2)[1]",
    "-list[0]",
    "-list[at]",
    "-list[at]|abs",
    "missing + 1",
    "list + 1",
    "1 + missing",
    "list * 1.5",
    "missing ~ 'x'",
    "missing == none",
    "missing == missing",
    "list in 3",
    "1 / 0",
    "2 ** 200",
    "map.nope.deeper",
    "list|nope",
    "[n, [m, {'k': s}]]",
    "(n)",
    "((n))",
    "((n + 1))",
    "(n, (m,))",
    "'a' < 'b'",
    "1 == 1.0",
    "true == 1",
    "[1] == [1.0]",
    "list is sequence",
    "(list + list) is iterable",
    "(list + list)|length",
    "(list * 2)|first",
    "([1] * 3)|sum",
    "'a' in 'abc' and 'x' in 'abc'",
];

#[test]
fn expressions_mean_what_they_mean_as_written() {
    for expression in EXPRESSIONS {
        for source in [
            format!("{{{{ {expression} }}}}"),
            format!("a {{% set v = {expression} %}}\n{{{{ v }}}}\n"),
            format!("{{{{ [({expression}), 1]|first }}}}"),
        ] {
            let (as_written, anew) = both(&source);
            match (as_written, anew) {
                (Ok(as_written), Ok(anew)) => assert_eq!(anew, as_written, "{source}"),
                (Err(_), Err(_)) => {}
                (as_written, anew) => panic!("{source}: {as_written:?}, {anew:?}"),
            }
        }
    }
}

/// Each with each: what binds tighter, and where brackets belong.
#[test]
fn operators_keep_their_order() {
    let operators = [
        "+", "-", "~", "*", "/", "//", "%", "**", "==", "!=", "<", ">=", "in", "not in", "and", "or",
    ];
    let operands = [
        "n",
        "[1]",
        "'x'",
        "-n",
        "not yes",
        "n is odd",
        "list|first",
        "list[at]",
    ];
    for first in operators {
        for second in operators {
            for (i, operand) in operands.iter().enumerate() {
                let next = operands[(i + 1) % operands.len()];
                for source in [
                    format!("{{{{ {operand} {first} {next} {second} n }}}}"),
                    format!("{{{{ {operand} {first} ({next} {second} n) }}}}"),
                    format!("{{{{ ({operand} {first} {next}) {second} n }}}}"),
                ] {
                    // `is odd not` is read as a test with an argument of the name `not`.
                    if source.contains("odd not in") || parse(&source, "", syntax()).is_err() {
                        continue;
                    }
                    let (as_written, anew) = both(&source);
                    assert_eq!(
                        anew.is_ok(),
                        as_written.is_ok(),
                        "{source}: {as_written:?} {anew:?}"
                    );
                    assert_eq!(
                        anew.unwrap_or_default(),
                        as_written.unwrap_or_default(),
                        "{source}"
                    );
                }
            }
        }
    }
}

#[test]
fn statements_mean_what_they_mean_as_written() {
    for source in [
        "",
        "\n",
        "plain { text } with }} and %}",
        "{% raw %}{{ not }} {% this %}{% endraw %}!",
        "{{ '{{' }}{{{ 'a': 1 } }}",
        "a\n  {%- if n %}\n b \n{%- elif no %} c {% else %} d {%- endif -%}\n e",
        "{% if no %}1{% elif yes %}2{% endif %}{% if no %}1{% else %}{% if yes %}3{% endif %}4{% endif %}",
        "{% for x in list if x > 1 %}{{ loop.index }}{{ x }}{% if not loop.last %},{% endif %}{% else %}none{% endfor %}",
        "{% for x in [] %}{% else %}none{% endfor %}{% for x in list + [1] %}{{ x }}{% endfor %}",
        "{% for k, v in map|items %}{{ k }}={{ v }};{% endfor %}{% for (a, b), c in [[[1, 2], 3]] %}{{ a ~ b ~ c }}{% endfor %}",
        "{% for x in nested recursive %}{% if x is number %}{{ x }}{% else %}({{ loop(x) }}){% endif %}{% endfor %}",
        "{% for x in list if (yes if x > 1 else no) recursive %}{{ x }}{% endfor %}",
        "{% for x in (list if yes else []) %}{{ x }}{{ loop.changed(x * 0) }}{{ loop.cycle(*['a', 'b']) }}{% endfor %}",
        "{% set a = 1 %}{% set b, c = [2, 3] %}{% set d = 1, 2 %}{% set (e, f) = (4, 5) %}{{ [a, b, c, d, e, f] }}",
        "{% set x %}<b>{{ n }}</b>{% endset %}{% set y | upper | replace('B', 'i') %}<b>{{ x }}{% endset %}{{ y ~ x }}",
        "{% with a = n + 1, b = list * 2 %}{{ a }}{{ b }}{% with (c, d) = [1, 2] %}{{ c + d }}{% endwith %}{% endwith %}",
        "{% filter upper | replace('A', '-', 1) %}banana {{ s }}{% endfilter %}",
        "{% autoescape true %}{{ '<' }}{{ '<' ~ ('<'|safe) }}{% endautoescape %}{% autoescape 'none' %}{{ '<' }}{% endautoescape %}",
        "{% do range(3) %}{# a comment #}x{#- another -#} y",
    ] {
        let (as_written, anew) = both(source);
        assert!(as_written.is_ok(), "{source}: {as_written:?}");
        assert_eq!(anew, as_written, "{source}");
    }
}

#[test]
fn ordinary_templates_are_compiled_as_they_are() {
    for source in [
        "plain",
        "{{ room }} {{ request.query.q | default('none') | upper }}",
        "{{ seq + 1 }} {{ seq % 2 == 0 and request.path == '/x' }} {{ request.headers['last-event-id'] }}",
        "{% for x in request.json.list %}{{ x.name }}{% endfor %}{{ 'x' * 3 }}",
    ] {
        assert_eq!(metered(&parsed(source), false), None, "{source}");
    }
    let anew = metered(&parsed("{{ [a] * 2 }}{{ a ~ 1 }}{{ a == b }}{{ a[b] }}"), false);
    assert_eq!(
        anew.as_deref(),
        Some("{{ ([a] * 2)|made_ }}{{ a|metered_ ~ 1 }}{{ a|metered_ == b|metered_ }}{{ a|at_(b) }}")
    );
}

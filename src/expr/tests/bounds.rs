//! What a scenario cannot make the process do.

use super::*;

/// On a stack of the size that threads have by default; a debug build needs the most of it.
#[test]
fn no_source_overflows_the_stack() {
    let sources: Vec<String> = [38, 95, 130, 195, 390, 3000]
        .into_iter()
        .flat_map(deep_sources)
        .collect();
    let mut compiled = 0;
    for source in sources {
        let thread = std::thread::Builder::new().stack_size(2 << 20);
        let run = thread.spawn(move || render(&source).map(|text| text.len()));
        let result = run.unwrap().join().expect("no panic");
        // Either is fine; what is not ends the whole process.
        compiled += u32::from(result.is_ok());
    }
    assert!(compiled > 40, "{compiled}");
}

fn deep_sources(n: usize) -> Vec<String> {
    let around = |open: &str, inside: &str, close: &str| {
        format!("{{{{ {}{inside}{} }}}}", open.repeat(n), close.repeat(n))
    };
    let blocks = |open: &str, close: &str| format!("{}{}", open.repeat(n), close.repeat(n));
    vec![
        around("(", "1", ")"),
        around("[", "1", "]"),
        around("{'a':", "1", "}"),
        around("not ", "1", ""),
        around("-", "1", ""),
        around("1 + ", "1", ""),
        around("1 ** ", "1", ""),
        around("seq ~ ", "1", ""),
        around("seq and ", "1", ""),
        around("seq < ", "1", ""),
        around("1 if 1 else ", "1", ""),
        around("", "request", ".a"),
        around("", "request", "['a']"),
        around("", "seq", "|abs"),
        around("", "seq", " is defined"),
        around("", "seq", "|list"),
        around("", "[seq]", "|batch(1)"),
        around("", "letter", "()"),
        around("abs(", "1", ")"),
        around("pick([", "1", "])"),
        around("", "seq", "[1:]"),
        around("", "seq", "if 1 else 2"),
        blocks("{% if 1 %}", "{% endif %}"),
        blocks("{% for x in [1] %}", "{% endfor %}"),
        blocks("{% with a = 1 %}", "{% endwith %}"),
        blocks("{% filter upper %}", "{% endfilter %}"),
        blocks("{% set x %}", "{% endset %}"),
        format!("{{% if 0 %}}{}{{% endif %}}", "{% elif 0 %}".repeat(n)),
        format!("{}{{{{ 1 }}}}", "{% set x = 1 %}".repeat(n)),
        "{{ 1 }}".repeat(n),
        format!(
            "{}{{{{ {}1 }}}}{}",
            "{% if 1 %}".repeat(n.min(39)),
            "1 + ".repeat(n),
            "{% endif %}".repeat(n.min(39))
        ),
        format!(
            "{{{{ {}{}1{} }}}}",
            "(".repeat(n.min(39)),
            "1 + ".repeat(n),
            ")".repeat(n.min(39))
        ),
        "{% if 0 %}{% elif 1 %}{% elif 2 %}{% endif %}".repeat(n),
        format!(
            "{{% for x in [0] recursive %}}{{{{ loop([{}x{}]) }}}}{{% endfor %}}",
            "[".repeat(n),
            "]".repeat(n)
        ),
        format!(
            "{{% for x in [0] recursive %}}{{{{ loop([x{}]) }}}}{{% endfor %}}",
            "|batch(1)".repeat(n)
        ),
    ]
}

#[test]
fn what_grows_without_bounds_is_stopped() {
    let nested = "{% set a = [1] * 1000 %}{% set b = [a] * 1000 %}{% set c = [b] * 1000 %}";
    for (source, expected) in [
        ("{{ 'x' * 999999999 }}".to_owned(), "steps"),
        ("{{ ('x' * 1000000 ~ request.path) * 9999 }}".to_owned(), "steps"),
        ("{{ [1] * 999999999 }}".to_owned(), "steps"),
        ("{{ range(999999999) | list }}".to_owned(), "100000 entries"),
        (
            "{{ ('x' * 9999) | replace('x', 'y' * 9999) }}".to_owned(),
            "steps",
        ),
        ("{{ range(99999) | join('x' * 9999) }}".to_owned(), "steps"),
        ("{{ '%999999999d' | format(1) }}".to_owned(), "steps"),
        (
            "{{ 'a' | indent(999999999) }}{{ 'a\nb' | indent(999999999) }}".to_owned(),
            "steps",
        ),
        ("{{ [1] | batch(999999999, 1) }}".to_owned(), "steps"),
        ("{{ [1] | slice(999999999) }}".to_owned(), "steps"),
        ("{{ ('x' * 9999999) | chunks(1) }}".to_owned(), "pieces"),
        (
            "{% for i in range(9999) %}{{ 'x' * 9999 }}{% endfor %}".to_owned(),
            "steps",
        ),
        (format!("{nested}{{{{ c }}}}"), "16 MiB when written out"),
        (
            "{{ [[range(99999)] * 1000] * 1000 }}".to_owned(),
            "16 MiB when written out",
        ),
        (
            "{% for x in [0] recursive %}{{ loop([x]) }}{% endfor %}".to_owned(),
            "60 deep",
        ),
        (
            format!("{{{{ '{}' }}}}", "x".repeat(1 << 20)),
            "1024 KiB are the most",
        ),
    ] {
        let error = render(&source).expect_err(&source).0;
        assert!(error.contains(expected), "{}: {error}", excerpt(&source));
    }
}

/// Each of the parts keeps within its bounds; all together they do not.
#[test]
fn a_tree_of_many_templates_is_bounded_as_a_whole() {
    let tree = |template: &str, parts: usize| {
        let mut builder = Builder::new(vec![]);
        let part = Tree::Text(builder.text(template, &[]).unwrap());
        let tree = Tree::List(vec![part; parts]);
        let made = builder.finish().tree(&tree, &scope(1), Moment::default());
        made.map(|json| json.to_string().len()).map_err(|error| error.0)
    };
    assert_eq!(tree("{{ 'x' * 5000000 }}", 3), Ok(15_000_010));
    let long = tree("{{ 'x' * 5000000 }}", 4).unwrap_err();
    assert!(long.contains("16 MiB"), "{long}");
    let long = tree("{{ 'x' * 5000000 }}!", 4).unwrap_err();
    assert!(long.contains("16 MiB"), "{long}");
    let busy = tree("{{ ('x' * 5000000) | length }}", 20).unwrap_err();
    assert!(busy.contains("500000 steps together"), "{busy}");
}

//! What makes large scenarios load fast must not be seen in what they mean, or in what is said of them.

mod support;

use mock_sse::scenario::load::{Origin, load};
use support::serve;

fn findings(yaml: &str) -> Vec<(usize, String)> {
    let findings = match load(&Origin::Text(yaml.into())) {
        Ok((_, warnings)) => warnings,
        Err(errors) => errors,
    };
    let line = |d: &mock_sse::scenario::diagnostic::Diagnostic| (d.span.position().0, d.message.clone());
    findings.iter().map(line).collect()
}

/// The same text is compiled once; its names are looked for in each place.
#[test]
fn a_template_that_stands_in_several_places_is_checked_in_each() {
    let yaml = r#"
endpoints:
  - { path: "/a/{room}", body: "in {{ room }}" }
  - { path: "/b", body: "in {{ room }}" }
  - { path: "/c", let: { room: 1 }, body: "in {{ room }}" }
topics:
  t: { feed: [ { data: "of {{ request.path }}", every: 1s } ] }
"#;
    let unknown = "there is no name `room`".to_owned();
    let hidden = "`request` is not available here".to_owned();
    assert_eq!(findings(yaml), [(4, unknown), (7, hidden)]);
}

#[test]
fn an_error_tells_the_place_where_the_template_stands_not_another_with_the_same() {
    let server = serve(
        r#"
endpoints:
  - { path: /a, body: "{{ request.query.n | int }}" }
  - { path: /b, body: "{{ request.query.n | int }}" }
"#,
        &[],
    );
    for (path, line) in [
        ("/a?n=x", ":3: `x` is no number"),
        ("/b?n=x", ":4: `x` is no number"),
    ] {
        let answer = server.get(path);
        assert_eq!(answer.status, 500);
        assert!(answer.body.contains(line), "{path}: {}", answer.body);
    }
}

/// Each endpoint behind one that takes its requests is found, whatever the shape of the two.
#[test]
fn endpoints_that_are_never_reached_are_found_among_many() {
    let mut yaml = String::from("endpoints:\n");
    for n in 0..300 {
        yaml += &format!("  - {{ path: /things/{n}, body: x }}\n");
    }
    yaml += "  - { path: '/things/{id}', body: x }\n"; // line 302
    yaml += "  - { path: /things/299, body: x }\n";
    yaml += "  - { path: /things/new, body: x }\n";
    yaml += "  - { path: '/things/{id}.json', body: x }\n";
    yaml += "  - { path: [/things/7, /other/7], body: x }\n";
    yaml += "  - { path: /things/8, method: [GET, PUT], body: x }\n";
    yaml += "  - { path: '/{rest...}', host: a.test, body: x }\n";
    yaml += "  - { path: '/deep/{rest...}', host: a.test, body: x }\n";
    let behind = |line: usize, before: &str| {
        (
            line,
            format!("this endpoint is never reached: `GET {before}` before it takes all its requests"),
        )
    };
    let expected = [
        behind(303, "/things/299"),
        behind(304, "/things/{id}"),
        behind(305, "/things/{id}"),
        behind(309, "/{rest...}"),
    ];
    assert_eq!(findings(&yaml), expected);
}

//! The language's own functions and filters, and what it says about mistakes.

use super::*;

#[test]
fn state_is_seen_and_what_is_missing_is_chainable() {
    for (source, expected) in [
        ("{{ state.count + 1 }}", "42"),
        ("{{ state[7] }} {{ state['7'] }}", "seven seven"),
        ("{{ state.none.deeper | default('-') }}", "-"),
        ("{{ state[request.nope] | default('-') }}", "-"),
        ("{{ state.none == 1 }}{{ state.none == none }}", "falsefalse"),
        ("{{ state }}", r#"{"count":41,"7":"seven"}"#),
        ("{{ 'count' in state }}", "true"),
    ] {
        assert_eq!(render(source).as_deref(), Ok(expected), "{source}");
    }
}

#[test]
fn filters_cut_hash_and_encode() {
    for (source, expected) in [
        (
            "{{ 'Hello from a mock.' | words }}",
            r#"["Hello"," from"," a"," mock."]"#,
        ),
        ("{{ ' \n a  b \t' | words }}", r#"[" \n a","  b \t"]"#),
        ("{{ '  ' | words }}{{ '' | words }}", r#"["  "][]"#),
        ("{{ 'a☃céd' | chunks(2) }}", r#"["a☃","cé","d"]"#),
        ("{{ '' | chunks(3) }}{{ 123 | chunks(2) }}", r#"[]["12","3"]"#),
        (
            r#"{{ {"b": "<'&>", "a": [1.0, none]} | json }}"#,
            r#"{"b":"<'&>","a":[1.0,null]}"#,
        ),
        ("{{ 'a' | json }}", r#""a""#),
        (
            "{{ 'abc' | sha256 }}",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
        ("{{ 'a☃' | b64 }}", "YeKYgw=="),
        ("{{ 'YeKYgw==' | b64decode }}{{ 'YQ' | b64decode }}", "a☃a"),
        ("{{ true | string }}{{ [1] | string }}", "true[1]"),
        ("{{ ' 12 ' | int(default=0) }}{{ 'x' | int(default=3) }}", "03"),
        (
            "{{ '12' | int + 1 }}{{ '-1.5' | float }}{{ 'x' | float(default=2.5) }}",
            "13-1.52.5",
        ),
        ("{{ request.nope | int + 1 }}", "1"),
    ] {
        assert_eq!(render(source).as_deref(), Ok(expected), "{source}");
    }
}

#[test]
fn pieces_put_together_are_the_text() {
    for text in ["", " ", "a", " a\u{2003}b\n", "☃ \u{10ff41}\u{10ffff} x"] {
        let mut builder = Builder::new(vec![]);
        let words = builder.expr("text | words | join", &["text".into()]).unwrap();
        let chunks = builder.expr("text | chunks(1) | join", &["text".into()]).unwrap();
        let all = builder.finish();
        let scope = scope(1);
        scope.bind("text", Value::from(text));
        for expr in [words, chunks] {
            let joined = all.value(&expr, &scope, Moment::default()).unwrap();
            assert_eq!(joined.as_str(), Some(text));
        }
    }
}

#[test]
fn errors_of_functions_and_filters_say_what_to_do() {
    for (source, expected) in [
        ("{{ fake('nam') }}", "fake() knows no `nam`"),
        (
            "{{ fake(request.query.q) }}",
            "fake() knows no `☃\u{10ffff}`; use one of: city, color,",
        ),
        ("{{ fake('e' ~ 'mial') }}", "did you mean `email`?"),
        ("{{ random_float(1, 1e999) }}", "finite"),
        ("{{ 'a' | chunks(0) }}", "at least 1"),
        ("{{ 'a' | chunks(-1) }}", "cannot convert"),
        ("{{ '!' | b64decode }}", "`!` is no base64"),
        ("{{ request.nope | sha256 }}", "this value is missing"),
        ("{{ request.nope | json }}", "this value is missing"),
        (
            "{{ request.method | int + 1 }}",
            "`POST` is no number; say what to take instead: `int(default=0)`",
        ),
        ("{{ '' | int }}", "`` is no number"),
        ("{{ [] | float }}", "a sequence is no number"),
    ] {
        let error = render(source).expect_err(source).0;
        assert!(error.contains(expected), "{source}: {error}");
    }
    let fault = Builder::new(vec![])
        .text("{{ fake('frist_name') }}", &[])
        .unwrap_err();
    assert_eq!(fault.hint.as_deref(), Some("did you mean `first_name`?"));
    assert_eq!(fault.word, "frist_name");
}

/// Frozen, as the draws themselves.
#[test]
fn seeded_functions_are_golden() {
    let source = "{{ random_int(1, 6) }} {{ random_float(0, 1) }} {{ fake('name') }} {{ letter() }}";
    assert_eq!(render(source).unwrap(), "5 0.17403081093238515 Ida Fischer j");
}

#[test]
fn forks_and_copies_do_not_share() {
    let mut builder = Builder::new(vec![]);
    let draw = builder.expr("uuid()", &[]).unwrap();
    let name = builder.expr("room", &["room".into()]).unwrap();
    let all = builder.finish();
    let read = |expr: &Expr, scope: &RequestScope| {
        let value = all.value(expr, scope, Moment::default()).unwrap();
        value.to_string()
    };
    let parent = scope(1);
    let (first, second, again) = (parent.fork(0), parent.fork(1), parent.fork(0));
    let ahead = parent.copy();
    let drawn = [&first, &second, &ahead].map(|scope| read(&draw, scope));
    assert_eq!(drawn[0], read(&draw, &again));
    assert_eq!(drawn[2], read(&draw, &parent));
    assert!(drawn[0] != drawn[1] && drawn[0] != drawn[2] && drawn[1] != drawn[2]);
    first.bind("room", Value::from("mine"));
    let rooms = [&parent, &first, &ahead].map(|scope| read(&name, scope));
    assert_eq!(rooms, ["r1", "mine", "r1"]);
}

#[test]
fn hidden_names_are_not_available() {
    let mut builder = Builder::new(vec![]);
    builder.hide(&["request", "attempt"], "a feed serves no request");
    builder.hide(&["base"], "");
    let fault = builder.text("{{ seq }}{{ request.path }}", &[]).unwrap_err();
    assert_eq!(fault.message, "`request` is not available here");
    assert_eq!(fault.hint.as_deref(), Some("a feed serves no request"));
    assert_eq!(fault.word, "request");
    assert_eq!(builder.expr("base", &[]).unwrap_err().hint, None);
    assert!(builder.expr("attempt", &["attempt".into()]).is_ok());
    builder.show_all();
    assert!(builder.expr("request.path and base", &[]).is_ok());
}

#[test]
fn what_can_never_be_a_condition_is_a_fault() {
    let mut builder = Builder::new(vec![]);
    for (source, expected) in [
        ("'x'", "this is a text, not a condition: it would always hold"),
        ("''", "this is a text, not a condition: it would never hold"),
        ("1", "a number"),
        ("-1", "a number"),
        ("none", "nothing"),
        ("[]", "a list, not a condition: it would never hold"),
        ("[seq]", "a list, not a condition: it would always hold"),
        ("(seq, 1)", "a list"),
        ("{'a': 1}", "a mapping"),
        ("seq + 1", "a calculation"),
        ("seq % 2", "a calculation"),
        ("'a' ~ seq", "a text"),
        ("(('x'))", "a text"),
        ("not 'x'", "a text"),
        ("request.path == '/a' or '/b'", "a text"),
        ("'a' and seq > 1", "a text"),
    ] {
        let fault = builder.condition(source, &[]).expect_err(source);
        assert!(fault.message.contains(expected), "{source}: {}", fault.message);
        assert_eq!(fault.hint.as_deref(), Some("compare it: request.path == \"…\""));
    }
    for source in [
        "true",
        "false",
        "request.json.stream",
        "seq % 2 == 0",
        "not request.query.q",
        "'x' in request.headers",
        "request.query.q is defined",
        "request.path | length",
        "request.path.startswith('x')",
        "1 < seq < 3",
        "true if seq == 1 else false",
        "request.query['a'] and (seq > 1 or attempt == 2)",
    ] {
        assert!(builder.condition(source, &[]).is_ok(), "{source}");
    }
    assert!(
        builder
            .condition("{{ true }}", &[])
            .unwrap_err()
            .message
            .contains("braces")
    );
    assert!(
        builder
            .condition("a b", &[])
            .unwrap_err()
            .message
            .contains("parse")
    );
}

/// Bytes that are no text, NUL and ☃ come through whatever they are echoed with.
#[test]
fn bytes_come_back_as_they_came() {
    let raw = b"\xff\0 \xe2\x98\x83,\xe2\x98\xf4\x8f\xbd\x81";
    let mut request = Request::example("POST", "/echo");
    let encoded: String = raw.iter().map(|b| format!("%{b:02X}")).collect();
    request.query = Some(format!("q={encoded}"));
    let header = |value: &[u8]| bytes::Bytes::copy_from_slice(value);
    request.headers.push(("x-raw".into(), header(raw)));
    request
        .headers
        .push(("cookie".into(), header(&[b"c=", &raw[..]].concat())));
    request.body = header(raw);
    let sources = [
        "request.query.q",
        "request.params.q",
        "request.headers['x-raw']",
        "request.cookies.c",
        "request.body",
    ];
    let scope = scope_of(request, 1);
    for source in sources {
        for (suffix, expected) in [
            ("", &raw[..]),
            (" | default('none')", raw),
            (" ~ '!'", &[raw, &b"!"[..]].concat()),
            (" | replace('x', 'y')", raw),
            (
                " | replace(' ', '') | split(',') | join(',')",
                &raw.iter().copied().filter(|b| *b != b' ').collect::<Vec<_>>(),
            ),
            (" | words | join", raw),
            (" | chunks(1) | join", raw),
            (" | b64 | b64decode", raw),
            (" | upper | lower", raw),
            (" | b64", b"/wAg4piDLOKY9I+9gQ=="),
            (
                " | sha256",
                b"2638258198495e3afc296e4c9431208973d01ceb38654cbf0218db9bcae87b8c",
            ),
        ] {
            let mut builder = Builder::new(vec![]);
            let text = builder.text(&format!("{{{{ {source}{suffix} }}}}"), &[]).unwrap();
            let got = builder.finish().text(&text, &scope, Moment::default()).unwrap();
            assert_eq!(&crate::text::to_bytes(&got)[..], expected, "{source}{suffix}");
        }
    }
}

#[test]
fn all_headers_are_an_object() {
    let mut request = Request::example("GET", "/");
    request.headers.push(("accept".into(), "a".into()));
    request.headers.push(("accept".into(), "b".into()));
    let mut builder = Builder::new(vec![]);
    let text = builder.text("{{ request.headers }}", &[]).unwrap();
    let got = builder
        .finish()
        .text(&text, &scope_of(request, 1), Moment::default());
    assert_eq!(got.unwrap(), r#"{"host":"localhost","accept":"a, b"}"#);
}

#[test]
fn whole_objects_can_be_asked_and_bound() {
    let mut builder = Builder::new(vec!["model".into()]);
    let sources = [
        "request",
        "request.headers",
        "state",
        "vars",
        "topic('post')",
        "request.json",
    ];
    let exprs = sources.map(|source| builder.condition(source, &[]).unwrap());
    let functions = builder.expr("letter", &[]).unwrap();
    let all = builder.finish();
    for (source, expr) in sources.iter().zip(&exprs) {
        assert_eq!(
            all.holds(expr, &scope(1), Moment::default()),
            Ok(true),
            "{source}"
        );
    }
    assert!(all.value(&functions, &scope(1), Moment::default()).is_ok());
}

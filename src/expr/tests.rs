use super::*;
use crate::random::{Draw, DrawKey, Purpose};
use crate::request::Request;
use minijinja::value::Serde;

struct NoTopics;
impl TopicView for NoTopics {
    fn clients(&self, _: &str) -> u64 {
        3
    }
    fn count(&self, _: &str) -> u64 {
        7
    }
    fn last(&self, _: &str) -> Option<String> {
        None
    }
}

struct Remembered;
impl StateView for Remembered {
    fn get(&self, key: &str) -> Option<Value> {
        match key {
            "count" => Some(Value::from(41)),
            "7" => Some(Value::from("seven")),
            _ => None,
        }
    }
    fn keys(&self) -> Vec<String> {
        vec!["count".into(), "7".into()]
    }
}

fn scope(seed: u64) -> RequestScope {
    let mut request = Request::example("POST", "/chat/r1");
    request.query = Some("q=%E2%98%83%ff".into());
    request.headers.push(("last-event-id".into(), "9".into()));
    request.headers.push(("cookie".into(), "a=1; b=2".into()));
    request.body = r#"{"stream": true, "n": 12, "deep": {"x": null}}"#.into();
    scope_of(request, seed)
}

fn scope_of(request: Request, seed: u64) -> RequestScope {
    let key = DrawKey {
        endpoint: "GET /x#0".into(),
        client: String::new(),
        attempt: 1,
    };
    let vars = Value::from(Serde(serde_json::json!({"model": "m1"})));
    let draw = Draw::new(seed, &key, Purpose::Data);
    RequestScope::new(
        Arc::new(request),
        vars,
        2,
        vec![("room".into(), "r1".into())],
        draw,
        Arc::new(NoTopics),
        Arc::new(Remembered),
    )
}

fn render(source: &str) -> Result<String, RenderError> {
    let mut builder = Builder::new(vec!["model".into()]);
    let text = builder
        .text(source, &["room".into()])
        .map_err(|f| RenderError(f.message))?;
    builder.finish().text(
        &text,
        &scope(1),
        Moment {
            seq: 4,
            elapsed_ms: 1500,
            now_ms: 10,
        },
    )
}

#[test]
fn everything_in_scope_renders() {
    for (source, expected) in [
        ("plain {not} a template", "plain {not} a template"),
        (
            "{{ room }}-{{ seq }}-{{ elapsed }}-{{ now }}-{{ attempt }}",
            "r1-4-1500-10-2",
        ),
        (
            "{{ request.method }} {{ request.path }} {{ request.version }}",
            "POST /chat/r1 HTTP/1.1",
        ),
        ("{{ request.json.n + 1 }}", "13"),
        ("{{ request.json.deep }}", r#"{"x":null}"#),
        (
            "{{ request.headers['Last-Event-ID'] }}{{ request.headers.last_event_id }}",
            "99",
        ),
        ("{{ request.cookies.b }} {{ last_event_id | int + 1 }}", "2 10"),
        ("{{ request.nope.deeper | default('none') }}", "none"),
        ("{% if request.nope %}yes{% else %}no{% endif %}\n", "no\n"),
        ("{{ request.nope == 1 }}", "false"),
        ("{{ vars.model }} {{ base }}", "m1 http://localhost"),
        (
            "{{ topic('post').clients }}/{{ topic('post').count }}/{{ topic('post').last }}",
            "3/7/null",
        ),
        ("<{{ '<&\\'' }}>", "<<&'>"),
        ("{{ 1.0 }} {{ true }} {{ [1, 'a'] }}", r#"1.0 true [1,"a"]"#),
    ] {
        assert_eq!(render(source).as_deref(), Ok(expected), "{source}");
    }
    assert_eq!(
        &crate::text::to_bytes(&render("{{ request.query.q }}!").unwrap())[..],
        b"\xe2\x98\x83\xff!"
    );
}

#[test]
fn errors_say_what_is_wrong() {
    for (source, expected) in [
        ("{{ rom }}", "there is no name `rom`"),
        ("{{ letters() }}", "there is no name `letters`"),
        ("{{ room | upcase }}", "there is no filter `upcase`"),
        ("{{ 1 is evn }}", "there is no test `evn`"),
        ("{{ vars.modell }}", "there is no member of `vars` `modell`"),
        ("x{{ request.nope }}", "this value is missing"),
        ("{{ request.nope }}", "this value is missing"),
        ("{% include 'x' %}", "does not parse"),
        ("{{ 1 + }}", "does not parse"),
        (
            "{% for i in range(9999) %}{% for j in range(9999) %}x{% endfor %}{% endfor %}",
            "steps",
        ),
        ("{{ pick([]) }}", "at least one entry"),
    ] {
        let error = render(source).expect_err(source).0;
        assert!(error.contains(expected), "{source}: {error}");
    }
}

#[test]
fn chance_is_seeded() {
    let source = "{{ letter() }}{{ random_int(1, 6) }}{{ pick(['x', 'y']) }}{{ uuid() }}";
    assert_eq!(render(source), render(source));
    let both = render("{{ letter() }}{{ letter() }}{{ letter() }}{{ letter() }}").unwrap();
    assert!(
        both.chars().collect::<std::collections::HashSet<_>>().len() > 1,
        "{both}"
    );
}

#[test]
fn a_lone_expression_keeps_its_type_in_trees() {
    let mut builder = Builder::new(vec![]);
    let n = Tree::Text(builder.text("{{ request.json.n }}", &[]).unwrap());
    let s = Tree::Text(builder.text("n={{ request.json.n }}", &[]).unwrap());
    let tree = Tree::List(vec![n, s, Tree::Fixed(Json::Null)]);
    let json = builder
        .finish()
        .tree(&tree, &scope(1), Moment::default())
        .unwrap();
    assert_eq!(json.to_string(), r#"[12,"n=12",null]"#);
}

#[test]
fn conditions_are_bare() {
    let mut builder = Builder::new(vec![]);
    let yes = builder.expr("request.json.stream and attempt == 2", &[]).unwrap();
    let no = builder.expr("request.json.missing.deep", &[]).unwrap();
    assert!(
        builder
            .expr("{{ true }}", &[])
            .unwrap_err()
            .message
            .contains("braces")
    );
    let env = builder.finish();
    assert_eq!(env.holds(&yes, &scope(1), Moment::default()), Ok(true));
    assert_eq!(env.holds(&no, &scope(1), Moment::default()), Ok(false));
}

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
        (format!("{nested}{{{{ c }}}}"), "larger than 16 MiB"),
        (format!("{nested}{{{{ c | json }}}}"), "larger than 16 MiB"),
        (format!("{nested}{{{{ c | string }}}}"), "larger than 16 MiB"),
        (format!("{nested}{{{{ c | sha256 }}}}"), "larger than 16 MiB"),
        (
            "{{ [[range(99999)] * 1000] * 1000 }}".to_owned(),
            "larger than 16 MiB",
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
        let t=std::time::Instant::now();
        let error = render(&source).expect_err(&source).0;
        println!("{:?} {}", t.elapsed(), excerpt(&source));
        assert!(error.contains(expected), "{}: {error}", excerpt(&source));
    }
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

mod bounds;
mod hostile;
mod language;
mod plain;

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

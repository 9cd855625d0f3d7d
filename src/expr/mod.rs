//! Templates and expressions (Jinja): what is in scope, the seeded functions, what they yield.
//!
//! Everything is compiled when a scenario loads, with the names checked; rendering is pure and
//! bounded in steps (fuel) and output. Text here is the text form of bytes (`crate::text`).

mod build;
mod functions;
mod query;
mod scope;

use std::fmt::{self, Write as _};
use std::sync::Arc;

use minijinja::{Environment, Value};
use serde_json::Value as Json;

pub use build::{Builder, Fault};
pub use query::{BadParams, Params};
pub use scope::{Moment, RequestScope, TopicView};

/// Steps that one rendering may take.
const FUEL: u64 = 200_000;
/// Bytes that one rendering may yield.
const MAX_OUTPUT: usize = 16 << 20;

/// All templates of one scenario, compiled.
#[derive(Debug)]
pub struct Expressions {
    env: Environment<'static>,
}

/// An expression that yields a value.
#[derive(Debug, Clone)]
pub struct Expr(Arc<str>, Arc<str>);

impl Expr {
    /// As written, with its braces if it has any.
    pub fn source(&self) -> &str {
        &self.1
    }
}

/// Text, fixed or rendered.
#[derive(Debug, Clone)]
pub enum Text {
    /// As written.
    Fixed(Arc<str>),
    /// A template with text around its expressions, or with several.
    Template(Expr),
    /// One expression and nothing else: its value keeps its type.
    Value(Expr),
}

/// A tree of values whose leaves may be templates: becomes JSON.
#[derive(Debug, Clone)]
pub enum Tree {
    /// Nothing to render in here.
    Fixed(Json),
    /// A leaf.
    Text(Text),
    /// A list.
    List(Vec<Tree>),
    /// An object, key order kept.
    Map(Vec<(Text, Tree)>),
}

/// Why a rendering failed, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderError(pub String);

impl fmt::Display for RenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<minijinja::Error> for RenderError {
    fn from(error: minijinja::Error) -> RenderError {
        RenderError(describe(&error))
    }
}

/// A minijinja error in one line, without its generated template names.
pub(crate) fn describe(error: &minijinja::Error) -> String {
    let mut text = error.kind().to_string();
    if let Some(detail) = error.detail() {
        let _ = write!(text, ": {detail}");
    }
    text
}

impl Text {
    /// Fixed text.
    pub fn fixed(text: &str) -> Text {
        Text::Fixed(text.into())
    }
}

impl Tree {
    /// Whether it renders the same every time.
    pub fn as_fixed(&self) -> Option<&Json> {
        match self {
            Tree::Fixed(json) => Some(json),
            _ => None,
        }
    }
}

impl Expressions {
    /// The value of an expression.
    pub fn value(&self, expr: &Expr, scope: &RequestScope, moment: Moment) -> Result<Value, RenderError> {
        let template = self.env.get_template(&expr.0)?;
        let captured = template.render_captured(scope.at(moment))?;
        Ok(captured.state().lookup(build::RESULT).unwrap_or(Value::UNDEFINED))
    }

    /// Whether a condition holds: false, zero, empty and missing do not.
    pub fn holds(&self, expr: &Expr, scope: &RequestScope, moment: Moment) -> Result<bool, RenderError> {
        Ok(self.value(expr, scope, moment)?.is_true())
    }

    /// Text rendered; a missing value is an error.
    pub fn text(&self, text: &Text, scope: &RequestScope, moment: Moment) -> Result<String, RenderError> {
        match text {
            Text::Fixed(text) => Ok(text.to_string()),
            Text::Template(expr) => {
                let template = self.env.get_template(&expr.0)?;
                let mut out = Bounded(Vec::new());
                template.render_captured_to(scope.at(moment), &mut out)?;
                String::from_utf8(out.0).map_err(|e| RenderError(e.to_string()))
            }
            Text::Value(expr) => print(&self.value(expr, scope, moment)?),
        }
    }

    /// Text rendered, or `None` where its one expression yields none.
    pub fn optional(
        &self,
        text: &Text,
        scope: &RequestScope,
        moment: Moment,
    ) -> Result<Option<String>, RenderError> {
        match text {
            Text::Value(expr) => {
                let value = self.value(expr, scope, moment)?;
                if value.is_none() {
                    Ok(None)
                } else {
                    print(&value).map(Some)
                }
            }
            other => self.text(other, scope, moment).map(Some),
        }
    }

    /// A tree as JSON; the value of a lone expression keeps its type.
    pub fn tree(&self, tree: &Tree, scope: &RequestScope, moment: Moment) -> Result<Json, RenderError> {
        Ok(match tree {
            Tree::Fixed(json) => json.clone(),
            Tree::Text(Text::Value(expr)) => to_json(&self.value(expr, scope, moment)?)?,
            Tree::Text(text) => Json::String(self.text(text, scope, moment)?),
            Tree::List(items) => {
                let items: Result<_, _> = items.iter().map(|t| self.tree(t, scope, moment)).collect();
                Json::Array(items?)
            }
            Tree::Map(entries) => {
                let mut map = serde_json::Map::new();
                for (key, value) in entries {
                    map.insert(self.text(key, scope, moment)?, self.tree(value, scope, moment)?);
                }
                Json::Object(map)
            }
        })
    }
}

/// A value as JSON; a missing one is an error, as it is when printed.
pub fn to_json(value: &Value) -> Result<Json, RenderError> {
    if value.is_undefined() {
        return Err(missing());
    }
    serde_json::to_value(value).map_err(|e| RenderError(format!("this value is no JSON: {e}")))
}

/// A value as it stands inside text: strings raw, everything else as compact JSON.
fn print(value: &Value) -> Result<String, RenderError> {
    match value.as_str() {
        Some(text) => Ok(text.to_owned()),
        None => Ok(to_json(value)?.to_string()),
    }
}

fn missing() -> RenderError {
    RenderError("this value is missing; give it another with `| default(…)`".into())
}

/// Output that stops growing at the limit instead of filling memory.
struct Bounded(Vec<u8>);

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_OUTPUT {
            let text = format!("the output is larger than {} MiB", MAX_OUTPUT >> 20);
            return Err(std::io::Error::other(text));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
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

    fn scope(seed: u64) -> RequestScope {
        let mut request = Request::example("POST", "/chat/r1");
        request.query = Some("q=%E2%98%83%ff".into());
        request.headers.push(("last-event-id".into(), "9".into()));
        request.headers.push(("cookie".into(), "a=1; b=2".into()));
        request.body = r#"{"stream": true, "n": 12, "deep": {"x": null}}"#.into();
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
                "fuel",
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
}

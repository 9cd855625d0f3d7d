//! Templates and expressions (Jinja): what is in scope, the seeded functions, what they yield.
//!
//! Everything is compiled when a scenario loads, with the names checked; rendering is pure and
//! bounded in steps (fuel) and output. Text here is the text form of bytes (`crate::text`).

mod build;
mod condition;
mod costly;
mod fake;
mod fake_words;
mod fault;
mod filters;
mod functions;
mod limits;
mod meter;
mod plain;
mod query;
mod remarks;
mod request;
mod rewrite;
mod scope;
mod state;
mod turns;
mod vocabulary;

use std::fmt::{self, Write as _};
use std::sync::Arc;

use minijinja::{Environment, Value};
use serde_json::Value as Json;

pub use build::{Builder, is_template};
pub use fault::Fault;
pub use query::{BadParams, Params};
pub use remarks::Remarks;
pub use scope::{Moment, NoTopics, RequestScope, TopicView};
pub use state::{NoState, StateView};
pub use vocabulary::{Vocabulary, vocabulary};

use limits::MAX_OUTPUT;
use plain::Plain;

/// All templates of one scenario, compiled.
#[derive(Debug)]
pub struct Expressions {
    env: Environment<'static>,
}

/// An expression that yields a value.
#[derive(Clone)]
pub struct Expr {
    name: Arc<str>,
    source: Arc<str>,
    place: Arc<str>,
    /// If it can be had without the machine.
    plain: Option<Arc<Plain>>,
}

impl std::fmt::Debug for Expr {
    /// As written, wherever it stands in its scenario: a feed that a reload leaves as it is can be told
    /// by that.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Expr").field(&self.source).finish()
    }
}

impl Expr {
    /// As written, with its braces if it has any.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// An error with where the expression stands, and what it says.
    fn located(&self, error: RenderError) -> RenderError {
        let source: Vec<&str> = self.source.split_whitespace().collect();
        let source = excerpt(&source.join(" "));
        let place = if self.place.is_empty() { "" } else { ": " };
        RenderError(format!("{}{place}{error} (in `{source}`)", self.place))
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
    if let Some(limit) = limits::reached(error) {
        return limit;
    }
    let kind = error.kind();
    match error.detail() {
        // Says nothing that the detail does not.
        Some(detail) if kind == minijinja::ErrorKind::InvalidOperation => detail.to_owned(),
        Some(detail) => format!("{kind}: {detail}"),
        None => kind.to_string(),
    }
}

impl Text {
    /// Fixed text.
    pub fn fixed(text: &str) -> Text {
        Text::Fixed(text.into())
    }

    /// The same, rendered by minijinja in any case: what is compared with what is usual.
    #[doc(hidden)]
    pub fn by_the_machine(self) -> Text {
        match self {
            Text::Template(expr) => Text::Template(Expr { plain: None, ..expr }),
            Text::Value(expr) => Text::Value(Expr { plain: None, ..expr }),
            fixed => fixed,
        }
    }

    /// Why what it was rendered to is of no use, with where it stands.
    pub fn located(&self, why: String) -> RenderError {
        match self {
            Text::Fixed(_) => RenderError(why),
            Text::Template(expr) | Text::Value(expr) => expr.located(RenderError(why)),
        }
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
        let value = self.evaluate(expr, scope, moment);
        value.map_err(|error| expr.located(error))
    }

    fn evaluate(&self, expr: &Expr, scope: &RequestScope, moment: Moment) -> Result<Value, RenderError> {
        if let Some(value) = expr.plain.as_ref().and_then(|plain| plain.value(scope, moment)) {
            return Ok(value);
        }
        let template = self.env.get_template(&expr.name)?;
        let captured = template.render_captured(scope.at(moment))?;
        account(scope, captured.state());
        let value = captured.state().lookup(build::RESULT).unwrap_or(Value::UNDEFINED);
        limits::check(&value)?;
        Ok(value)
    }

    /// The text of a template with several parts.
    fn written(&self, expr: &Expr, scope: &RequestScope, moment: Moment) -> Result<String, RenderError> {
        if let Some(text) = expr.plain.as_ref().and_then(|plain| plain.text(scope, moment)) {
            return Ok(text);
        }
        let template = self.env.get_template(&expr.name)?;
        let mut out = Bounded(Vec::new());
        let captured = template.render_captured_to(scope.at(moment), &mut out)?;
        account(scope, captured.state());
        String::from_utf8(out.0).map_err(|e| RenderError(e.to_string()))
    }

    /// Whether a condition holds: false, zero, empty and missing do not.
    pub fn holds(&self, expr: &Expr, scope: &RequestScope, moment: Moment) -> Result<bool, RenderError> {
        Ok(self.value(expr, scope, moment)?.is_true())
    }

    /// What counts as one client: the value as text; empty where there is none.
    pub fn client(&self, expr: &Expr, scope: &RequestScope, moment: Moment) -> Result<String, RenderError> {
        let value = self.value(expr, scope, moment)?;
        if value.is_none() || value.is_undefined() {
            return Ok(String::new());
        }
        print(&value).map_err(|error| expr.located(error))
    }

    /// Text rendered; a missing value is an error.
    pub fn text(&self, text: &Text, scope: &RequestScope, moment: Moment) -> Result<String, RenderError> {
        match text {
            Text::Fixed(text) => Ok(text.to_string()),
            Text::Template(expr) => {
                let text = self.written(expr, scope, moment);
                text.map_err(|error| expr.located(error))
            }
            Text::Value(expr) => {
                let value = self.value(expr, scope, moment)?;
                print(&value).map_err(|error| expr.located(error))
            }
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
                    print(&value).map(Some).map_err(|error| expr.located(error))
                }
            }
            other => self.text(other, scope, moment).map(Some),
        }
    }

    /// A tree as JSON; the value of a lone expression keeps its type.
    pub fn tree(&self, tree: &Tree, scope: &RequestScope, moment: Moment) -> Result<Json, RenderError> {
        let mut left = limits::Left::new(scope.spent());
        self.branch(tree, scope, moment, &mut left)
    }

    /// A part of a tree; all of its parts are bounded together.
    fn branch(
        &self,
        tree: &Tree,
        scope: &RequestScope,
        moment: Moment,
        left: &mut limits::Left,
    ) -> Result<Json, RenderError> {
        Ok(match tree {
            Tree::Fixed(json) => json.clone(),
            Tree::Text(Text::Value(expr)) => {
                let value = self.value(expr, scope, moment)?;
                left.take(&value, scope.spent())?;
                to_json(&value).map_err(|error| expr.located(error))?
            }
            Tree::Text(text) => {
                let text = self.text(text, scope, moment)?;
                left.take_bytes(text.len(), scope.spent())?;
                Json::String(text)
            }
            Tree::List(items) => {
                let items: Result<_, _> = items
                    .iter()
                    .map(|t| self.branch(t, scope, moment, left))
                    .collect();
                Json::Array(items?)
            }
            Tree::Map(entries) => {
                let mut map = serde_json::Map::new();
                for (key, value) in entries {
                    let key = self.text(key, scope, moment)?;
                    left.take_bytes(key.len(), scope.spent())?;
                    map.insert(key, self.branch(value, scope, moment, left)?);
                }
                Json::Object(map)
            }
        })
    }
}

/// What a rendering took.
fn account(scope: &RequestScope, state: &minijinja::State) {
    scope.spend(state.fuel_levels().map_or(0, |(consumed, _)| consumed));
}

/// A value as JSON; a missing one is an error, as it is when printed.
pub fn to_json(value: &Value) -> Result<Json, RenderError> {
    if value.is_undefined() {
        return Err(missing());
    }
    limits::check(value)?;
    serde_json::to_value(value).map_err(|e| RenderError(format!("this value is no JSON: {e}")))
}

/// A value as it stands inside text: strings raw, everything else as compact JSON.
fn print(value: &Value) -> Result<String, RenderError> {
    let mut out = String::new();
    print_into(&mut out, value)?;
    Ok(out)
}

fn print_into(out: &mut String, value: &Value) -> Result<(), RenderError> {
    if let Some(text) = value.as_str() {
        out.push_str(text);
        return Ok(());
    }
    let written = match value.is_integer().then(|| value.as_i64()).flatten() {
        // As JSON has it.
        Some(number) => write!(out, "{number}"),
        None => write!(out, "{}", to_json(value)?),
    };
    written.map_err(|e| RenderError(e.to_string()))
}

fn missing() -> RenderError {
    RenderError("this value is missing; give it another with `| default(…)`".into())
}

/// The beginning of a text, for messages.
fn excerpt(text: &str) -> String {
    const LENGTH: usize = 40;
    match text.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Output that stops growing at the limit instead of filling memory.
struct Bounded(Vec<u8>);

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_OUTPUT {
            return Err(std::io::Error::other(limits::too_large().0));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;

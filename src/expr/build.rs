//! Compiling templates when a scenario loads, and checking the names in them.

use std::sync::Arc;

use minijinja::machinery::{Token, tokenize};
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value};

use super::{Expr, Expressions, FUEL, Text, describe, functions, to_json};
use crate::spelling::nearest;

/// The name under which an expression's value is found after rendering.
pub(super) const RESULT: &str = "result_";

/// Names that are always in scope.
const SCOPE: &[&str] = &[
    "request",
    "vars",
    "attempt",
    "last_event_id",
    "seq",
    "elapsed",
    "now",
    "topic",
    "base",
];

/// What is wrong with an expression, and at which word of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The word it is about; empty if it is about the whole.
    pub word: String,
}

/// Collects the templates of a scenario.
pub struct Builder {
    env: Environment<'static>,
    vars: Vec<String>,
    count: usize,
}

impl Builder {
    /// For a scenario with these names under `vars`.
    pub fn new(vars: Vec<String>) -> Builder {
        let mut env = Environment::new();
        env.set_undefined_behavior(UndefinedBehavior::Chainable);
        env.set_fuel(Some(FUEL));
        let syntax = SyntaxConfig::builder().keep_trailing_newline(true).build();
        env.set_syntax(syntax.expect("the default delimiters are distinct"));
        env.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        env.set_formatter(|out, _, value| print(out, value));
        functions::add(&mut env);
        Builder { env, vars, count: 0 }
    }

    /// The finished collection.
    pub fn finish(self) -> Expressions {
        Expressions { env: self.env }
    }

    /// A bare expression (`when`, `if`): no braces around it.
    pub fn expr(&mut self, source: &str, names: &[String]) -> Result<Expr, Fault> {
        if source.trim_start().starts_with("{{") {
            let hint = "this key takes the expression itself: leave the {{ }} away";
            return Err(Fault {
                message: "braces around a bare expression".into(),
                hint: Some(hint.into()),
                word: "{{".into(),
            });
        }
        minijinja::machinery::parse_expr(source).map_err(|e| syntax(&e))?;
        self.add(format!("{{% set {RESULT} = ({source}) %}}"), source, true, names)
    }

    /// Text that may hold templates.
    pub fn text(&mut self, source: &str, names: &[String]) -> Result<Text, Fault> {
        if !source.contains("{{") && !source.contains("{%") && !source.contains("{#") {
            return Ok(Text::fixed(source));
        }
        if let Some(inner) = lone_expression(source) {
            let template = format!("{{% set {RESULT} = ({inner}) %}}");
            return self.add(template, source, false, names).map(Text::Value);
        }
        self.add(source.to_owned(), source, false, names)
            .map(Text::Template)
    }

    fn add(&mut self, template: String, source: &str, bare: bool, names: &[String]) -> Result<Expr, Fault> {
        let name: Arc<str> = format!("t{}", self.count).into();
        self.env
            .add_template_owned(name.to_string(), template)
            .map_err(|e| syntax(&e))?;
        self.count += 1;
        self.check_names(&name, names)?;
        self.check_words(source, bare)?;
        Ok(Expr(name, source.into()))
    }

    fn check_names(&self, template: &str, names: &[String]) -> Result<(), Fault> {
        let Ok(template) = self.env.get_template(template) else {
            return Ok(());
        };
        let globals: Vec<String> = self.env.globals().map(|(name, _)| name.to_owned()).collect();
        let known: Vec<&str> = SCOPE
            .iter()
            .copied()
            .chain(names.iter().map(String::as_str))
            .chain(globals.iter().map(String::as_str))
            .collect();
        let mut used: Vec<String> = template.undeclared_variables(false).into_iter().collect();
        used.sort();
        match used.into_iter().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(unknown("name", &name, &known)),
            None => Ok(()),
        }
    }

    /// Filters, tests and members of `vars`: minijinja looks them up only while rendering.
    fn check_words(&self, source: &str, bare: bool) -> Result<(), Fault> {
        let tokens: Vec<Token> = tokenize(source, bare, Default::default())
            .map_while(Result::ok)
            .map(|(t, _)| t)
            .collect();
        for (i, token) in tokens.iter().enumerate() {
            let next = |n: usize| match tokens.get(i + n) {
                Some(Token::Ident(name)) => Some(*name),
                _ => None,
            };
            match token {
                Token::Pipe => next(1).map_or(Ok(()), |name| self.check_filter(name))?,
                Token::Ident("is") => {
                    let name = if next(1) == Some("not") { next(2) } else { next(1) };
                    name.map_or(Ok(()), |name| self.check_test(name))?;
                }
                Token::Ident("vars") if matches!(tokens.get(i + 1), Some(Token::Dot)) => {
                    let member_of = i > 0 && matches!(tokens[i - 1], Token::Dot);
                    next(2)
                        .filter(|_| !member_of)
                        .map_or(Ok(()), |name| self.check_var(name))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn check_var(&self, name: &str) -> Result<(), Fault> {
        let known: Vec<&str> = self.vars.iter().map(String::as_str).collect();
        if known.contains(&name) {
            Ok(())
        } else {
            Err(unknown("member of `vars`", name, &known))
        }
    }

    fn check_filter(&self, name: &str) -> Result<(), Fault> {
        let known = self.env.empty_state().apply_filter(name, &[Value::UNDEFINED]);
        match known.map_err(|e| e.kind()) {
            Err(ErrorKind::UnknownFilter) => Err(unknown("filter", name, functions::FILTERS)),
            _ => Ok(()),
        }
    }

    fn check_test(&self, name: &str) -> Result<(), Fault> {
        let known = self.env.empty_state().perform_test(name, &[Value::UNDEFINED]);
        match known.map_err(|e| e.kind()) {
            Err(ErrorKind::UnknownTest) => Err(unknown("test", name, functions::TESTS)),
            _ => Ok(()),
        }
    }
}

fn unknown(what: &str, name: &str, known: &[&str]) -> Fault {
    let hint = match nearest(name, known.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None if known.is_empty() => "there are none".to_owned(),
        None => format!("in scope: {}", known.join(", ")),
    };
    Fault {
        message: format!("there is no {what} `{name}`"),
        hint: Some(hint),
        word: name.to_owned(),
    }
}

fn syntax(error: &Error) -> Fault {
    Fault {
        message: format!("this expression does not parse: {}", describe(error)),
        hint: None,
        word: String::new(),
    }
}

/// The inside of text that is one `{{ … }}` and nothing else.
fn lone_expression(source: &str) -> Option<&str> {
    let inner = source.strip_prefix("{{")?.strip_suffix("}}")?;
    let inner = inner.strip_prefix('-').unwrap_or(inner);
    let inner = inner.strip_suffix('-').unwrap_or(inner);
    minijinja::machinery::parse_expr(inner).is_ok().then_some(inner)
}

fn print(out: &mut minijinja::Output, value: &Value) -> Result<(), Error> {
    let text = match value.as_str() {
        Some(text) => return Ok(out.write_str(text)?),
        None => to_json(value).map_err(|e| Error::new(ErrorKind::UndefinedError, e.0))?,
    };
    Ok(out.write_str(&text.to_string())?)
}

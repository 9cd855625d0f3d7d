//! Compiling templates when a scenario loads, and checking the names in them.

use std::collections::HashMap;
use std::sync::Arc;

use minijinja::machinery::{Token, parse, tokenize};
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value};

use super::fault::{Fault, about_all, syntax, unavailable, unknown};
use super::{
    Expr, Expressions, Remarks, Text, condition, costly, fake, filters, functions, limits, meter,
    plain::Plain, print, rewrite, vocabulary,
};

/// The name under which an expression's value is found after rendering.
pub(super) const RESULT: &str = "result_";

/// Names that are always in scope.
pub(super) const SCOPE: &[&str] = &[
    "request",
    "vars",
    "attempt",
    "last_event_id",
    "seq",
    "elapsed",
    "now",
    "topic",
    "base",
    "state",
];

/// A template that has been compiled, whose words are known.
#[derive(Clone)]
struct Compiled {
    name: Arc<str>,
    /// The names that it takes from outside, in their order.
    used: Arc<[String]>,
    plain: Option<Arc<Plain>>,
}

/// Whether there is anything to render in a text.
pub fn is_template(source: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|begin| source.contains(begin))
}

/// Collects the templates of a scenario.
pub struct Builder {
    env: Environment<'static>,
    /// The functions there are, in order of their names.
    globals: Vec<String>,
    /// By their text: what stands in many places is compiled once.
    compiled: HashMap<String, Compiled>,
    vars: Vec<String>,
    hidden: Vec<(&'static str, String)>,
    place: Arc<str>,
    remarks: Remarks,
    count: usize,
}

impl Builder {
    /// For a scenario with these names under `vars`.
    pub fn new(vars: Vec<String>) -> Builder {
        let mut env = Environment::new();
        env.set_undefined_behavior(UndefinedBehavior::Chainable);
        env.set_fuel(Some(limits::FUEL));
        env.set_recursion_limit(limits::MAX_RECURSION);
        let syntax = SyntaxConfig::builder().keep_trailing_newline(true).build();
        env.set_syntax(syntax.expect("the default delimiters are distinct"));
        env.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        env.set_formatter(|out, _, value| emit(out, value));
        functions::add(&mut env);
        filters::add(&mut env);
        costly::add(&mut env);
        meter::add(&mut env);
        let mut globals: Vec<String> = env.globals().map(|(name, _)| name.to_owned()).collect();
        globals.sort();
        Builder {
            env,
            globals,
            compiled: HashMap::new(),
            vars,
            hidden: Vec::new(),
            place: "".into(),
            remarks: Remarks::default(),
            count: 0,
        }
    }

    /// Where what is compiled next stands, for errors while rendering.
    pub fn stands_at(&mut self, place: &str) {
        self.place = place.into();
    }

    /// What was noticed since this was last asked.
    pub fn take_remarks(&mut self) -> Remarks {
        std::mem::take(&mut self.remarks)
    }

    /// Names of the usual scope that what is compiled next cannot use, and why (a half-sentence:
    /// "a feed serves no request"). A capture or a `let` of the same name can be used.
    pub fn hide(&mut self, names: &'static [&'static str], why: &str) {
        self.hidden
            .extend(names.iter().map(|name| (*name, why.to_owned())));
    }

    /// The functions there are, in order of their names.
    pub(super) fn functions(&self) -> Vec<String> {
        self.globals.clone()
    }

    /// What minijinja knows, as it shows it.
    #[cfg(test)]
    pub(super) fn describe(&self) -> String {
        format!("{:?}", self.env)
    }

    /// The whole scope again.
    pub fn show_all(&mut self) {
        self.hidden.clear();
    }

    /// The finished collection.
    pub fn finish(self) -> Expressions {
        Expressions { env: self.env }
    }

    /// A bare expression (`client`, `for_each`): no braces around it.
    pub fn expr(&mut self, source: &str, names: &[String]) -> Result<Expr, Fault> {
        let tokens = tokens_of(source, true)?;
        no_braces(source)?;
        minijinja::machinery::parse_expr(source).map_err(|e| syntax(&e))?;
        let template = format!("{{% set {RESULT} = ({source}) %}}");
        self.add(template, source, &tokens, names)
    }

    /// A bare expression that is asked whether it holds (`when`, `if`, `while`). One that can be
    /// seen to hold always, or never, is a fault: a text, a number, a list, a calculation.
    pub fn condition(&mut self, source: &str, names: &[String]) -> Result<Expr, Fault> {
        tokens_of(source, true)?;
        no_braces(source)?;
        let expr = minijinja::machinery::parse_expr(source).map_err(|e| syntax(&e))?;
        if let Some(fault) = condition::never_one(&expr) {
            return Err(fault);
        }
        drop(expr);
        self.expr(source, names)
    }

    /// Text that may hold templates.
    pub fn text(&mut self, source: &str, names: &[String]) -> Result<Text, Fault> {
        if !is_template(source) {
            return Ok(Text::fixed(source));
        }
        let tokens = tokens_of(source, false)?;
        if let Some(inner) = lone_expression(source) {
            let template = format!("{{% set {RESULT} = ({inner}) %}}");
            return self.add(template, source, &tokens, names).map(Text::Value);
        }
        self.add(source.to_owned(), source, &tokens, names)
            .map(Text::Template)
    }

    fn add(
        &mut self,
        template: String,
        source: &str,
        tokens: &[Token],
        names: &[String],
    ) -> Result<Expr, Fault> {
        let known = self.compiled.get(&template).cloned();
        let is_new = known.is_none();
        let compiled = match known {
            Some(compiled) => compiled,
            None => self.compiled_anew(&template)?,
        };
        self.check_names(&compiled.used, names)?;
        if is_new {
            self.check_words(tokens)?;
            self.compiled.insert(template, compiled.clone());
        }
        let functions: Vec<String> = compiled
            .used
            .iter()
            .filter(|n| self.is_global(n))
            .cloned()
            .collect();
        self.remarks.note(tokens, &functions, names);
        Ok(Expr {
            name: compiled.name,
            source: source.into(),
            place: self.place.clone(),
            plain: compiled.plain,
        })
    }

    fn compiled_anew(&mut self, template: &str) -> Result<Compiled, Fault> {
        let name: Arc<str> = format!("t{}", self.count).into();
        // What does not parse is told by the compiler.
        let parsed = parse(template, "", self.env.syntax().clone()).ok();
        let deep = limits::may_build_up(template);
        let metered = parsed.as_ref().and_then(|parsed| rewrite::metered(parsed, deep));
        let plain = match &metered {
            None => parsed.and_then(|parsed| Plain::of(&parsed, &|name| self.is_global(name))),
            Some(_) => None,
        };
        self.compile(&name, template, metered)?;
        self.count += 1;
        let compiled = self.env.get_template(&name).ok();
        let used = compiled.map(|template| template.undeclared_variables(false));
        let mut used: Vec<String> = used.into_iter().flatten().collect();
        used.sort();
        Ok(Compiled {
            name,
            used: used.into(),
            plain: plain.map(Arc::new),
        })
    }

    fn is_global(&self, name: &str) -> bool {
        self.globals
            .binary_search_by(|global| global.as_str().cmp(name))
            .is_ok()
    }

    fn compile(&mut self, name: &str, template: &str, metered: Option<String>) -> Result<(), Fault> {
        let written_anew = metered.is_some();
        let source = metered.unwrap_or_else(|| template.to_owned());
        let added = self.env.add_template_owned(name.to_owned(), source);
        match added {
            // Brackets that were not there before.
            Err(error) if written_anew && limits::is_too_deep(&error) => {
                Err(about_all(limits::too_deep(), None))
            }
            added => added.map_err(|e| syntax(&e)),
        }
    }

    /// Finds the names that there are not, among those that are used.
    fn check_names(&self, used: &[String], names: &[String]) -> Result<(), Fault> {
        let own = |name: &str| names.iter().any(|n| n == name);
        let hidden = |name: &String| self.hidden.iter().find(|(n, _)| n == name && !own(name));
        if let Some((name, why)) = used.iter().find_map(hidden) {
            return Err(unavailable(name, why));
        }
        let is_known = |name: &str| SCOPE.contains(&name) || own(name) || self.is_global(name);
        let Some(name) = used.iter().find(|name| !is_known(name)) else {
            return Ok(());
        };
        let own = names.iter().chain(&self.globals).map(String::as_str);
        let known: Vec<&str> = SCOPE.iter().copied().chain(own).collect();
        Err(unknown("name", name, &known))
    }

    /// Filters, tests and members of `vars`: minijinja looks them up only while rendering.
    fn check_words(&self, tokens: &[Token]) -> Result<(), Fault> {
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
                Token::Ident("fake") if matches!(tokens.get(i + 1), Some(Token::ParenOpen)) => {
                    if let (Some(Token::Str(kind)), Some(Token::ParenClose)) =
                        (tokens.get(i + 2), tokens.get(i + 3))
                    {
                        check_fake(kind)?;
                    }
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
        match vocabulary::FILTERS.contains(&name) {
            true => Ok(()),
            false => Err(unknown("filter", name, vocabulary::FILTERS)),
        }
    }

    fn check_test(&self, name: &str) -> Result<(), Fault> {
        match vocabulary::TESTS.contains(&name) {
            true => Ok(()),
            false => Err(unknown("test", name, vocabulary::TESTS)),
        }
    }
}

/// The words and signs of a source that is small enough to compile, up to one that is none.
fn tokens_of(source: &str, bare: bool) -> Result<Vec<Token<'_>>, Fault> {
    let too_much = |message| about_all(message, None);
    if let Some(message) = limits::source_too_large(source) {
        return Err(too_much(message));
    }
    let tokens: Vec<Token> = tokenize(source, bare, Default::default())
        .map_while(Result::ok)
        .map(|(token, _)| token)
        .collect();
    match limits::tokens_too_deep(&tokens) {
        Some(message) => Err(too_much(message)),
        None => Ok(tokens),
    }
}

fn no_braces(source: &str) -> Result<(), Fault> {
    if !source.trim_start().starts_with("{{") {
        return Ok(());
    }
    Err(Fault {
        message: "braces around a bare expression".into(),
        hint: Some("this key takes the expression itself: leave the {{ }} away".into()),
        word: "{{".into(),
    })
}

fn check_fake(kind: &str) -> Result<(), Fault> {
    let kinds = fake::kinds();
    if kinds.contains(&kind) {
        return Ok(());
    }
    Err(Fault {
        message: format!("fake() knows no `{}`", super::excerpt(kind)),
        hint: Some(crate::spelling::suggest(kind, &kinds)),
        word: kind.to_owned(),
    })
}

/// The inside of text that is one `{{ … }}` and nothing else.
fn lone_expression(source: &str) -> Option<&str> {
    let inner = source.strip_prefix("{{")?.strip_suffix("}}")?;
    let inner = inner.strip_prefix('-').unwrap_or(inner);
    let inner = inner.strip_suffix('-').unwrap_or(inner);
    minijinja::machinery::parse_expr(inner).is_ok().then_some(inner)
}

fn emit(out: &mut minijinja::Output, value: &Value) -> Result<(), Error> {
    if let Some(text) = value.as_str() {
        return Ok(out.write_str(text)?);
    }
    let text = print(value).map_err(|e| Error::new(ErrorKind::UndefinedError, e.0))?;
    Ok(out.write_str(&text)?)
}

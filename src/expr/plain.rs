//! Templates that only name things and draw: written without minijinja's machine.
//!
//! Most events are some text around a number, a member of the request, a draw. To set up a machine
//! costs more than all the rest of such an event. What is not plain is the machine's, and so is what
//! turns out not to be while it is written: a missing value, a list, too much text. The draws are then
//! as they were before, so that values and errors are those of the machine in any case.

use std::fmt::Write;

use minijinja::Value;
use minijinja::machinery::ast::{CallArg, CallType, Expr, Stmt};
use minijinja::value::ValueKind;

use super::build::RESULT;
use super::limits::MAX_OUTPUT;
use super::scope::{Moment, RequestScope};
use super::{fake, print};
use crate::random;

/// Parts of one template: more are not worth to be kept twice.
const MOST_PARTS: usize = 64;
/// Bytes of text that count as a step, as they do in the machine.
const STEP: usize = 64;

/// A template that is plain.
pub(super) enum Plain {
    /// One expression, whose value keeps its type.
    Value(Part),
    /// Text with expressions in it.
    Text(Box<[Part]>),
}

pub(super) enum Part {
    Text(Box<str>),
    /// A name in scope, and the members to go to from there.
    Name(Box<str>, Box<[Box<str>]>),
    /// A function that draws, by its name: one of the scenario's own may hide it.
    Draw(Box<str>, Draw),
}

/// What is drawn; the arguments were written into the template.
pub(super) enum Draw {
    Letter,
    Uuid,
    Int(i64, i64),
    Float(f64, f64),
    Fake(Box<str>),
    Pick(Value),
}

impl Plain {
    /// A template, if it is plain. `is_function` tells the names of functions from others.
    pub(super) fn of(template: &Stmt, is_function: &dyn Fn(&str) -> bool) -> Option<Plain> {
        let Stmt::Template(template) = template else {
            return None;
        };
        let part = |expr: &Expr| Part::of(expr).filter(|part| !part.is_bare(is_function));
        match &template.children[..] {
            [Stmt::Set(set)] if matches!(&set.target, Expr::Var(name) if name.id == RESULT) => {
                part(&set.expr).map(Plain::Value)
            }
            parts if parts.len() <= MOST_PARTS => {
                let one = |stmt: &Stmt| match stmt {
                    Stmt::EmitRaw(raw) => Some(Part::Text(raw.raw.into())),
                    Stmt::EmitExpr(emit) => part(&emit.expr),
                    _ => None,
                };
                parts.iter().map(one).collect::<Option<_>>().map(Plain::Text)
            }
            _ => None,
        }
    }

    /// The value of a lone expression, unless it is the machine's to say.
    pub(super) fn value(&self, scope: &RequestScope, moment: Moment) -> Option<Value> {
        let Plain::Value(part) = self else { return None };
        let mut draws = scope.draws().clone();
        let value = part.value(scope, moment, &mut draws)?;
        let bytes = value.as_bytes().map_or(0, <[u8]>::len);
        if bytes > MAX_OUTPUT || !is_simple(&value) {
            return None;
        }
        *scope.draws() = draws;
        scope.spend(1 + (bytes / STEP) as u64);
        Some(value)
    }

    /// The text of a template with several parts, unless it is the machine's to write.
    pub(super) fn text(&self, scope: &RequestScope, moment: Moment) -> Option<String> {
        let Plain::Text(parts) = self else { return None };
        let mut draws = scope.draws().clone();
        let mut out = String::new();
        for part in parts {
            match part {
                Part::Text(text) => out.push_str(text),
                part => put(&mut out, &part.value(scope, moment, &mut draws)?)?,
            }
            if out.len() > MAX_OUTPUT {
                return None;
            }
        }
        *scope.draws() = draws;
        scope.spend((parts.len() + out.len() / STEP) as u64);
        Some(out)
    }
}

impl Part {
    fn of(expr: &Expr) -> Option<Part> {
        match expr {
            Expr::Var(name) => Some(Part::Name(name.id.into(), Box::new([]))),
            Expr::GetAttr(attr) => match Part::of(&attr.expr)? {
                Part::Name(name, path) => {
                    let path = path.into_iter().chain([attr.name.into()]).collect();
                    Some(Part::Name(name, path))
                }
                _ => None,
            },
            Expr::Call(call) => match call.identify_call() {
                CallType::Function(name) => Some(Part::Draw(name.into(), Draw::of(name, &call.args)?)),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether it names a function and does not call it.
    fn is_bare(&self, is_function: &dyn Fn(&str) -> bool) -> bool {
        matches!(self, Part::Name(name, _) if is_function(name))
    }

    /// `None` if the machine must say: its errors name the place.
    fn value(&self, scope: &RequestScope, moment: Moment, draws: &mut random::Draw) -> Option<Value> {
        match self {
            Part::Text(text) => Some(Value::from(&**text)),
            Part::Name(name, path) => {
                let value = scope.named(name, moment)?;
                path.iter()
                    .try_fold(value, |value, member| value.get_attr(member).ok())
            }
            Part::Draw(function, _) if scope.hides(function) => None,
            Part::Draw(_, draw) => draw.value(draws),
        }
    }
}

impl Draw {
    fn of(function: &str, args: &[CallArg]) -> Option<Draw> {
        let value = |arg: &CallArg| match arg {
            CallArg::Pos(value) => value.as_const(),
            _ => None,
        };
        let args = args.iter().map(value).collect::<Option<Vec<Value>>>()?;
        match (function, &args[..]) {
            ("letter", []) => Some(Draw::Letter),
            ("uuid", []) => Some(Draw::Uuid),
            ("random_int", [a, b]) => Some(Draw::Int(a.clone().try_into().ok()?, b.clone().try_into().ok()?)),
            ("random_float", [a, b]) => {
                let (a, b): (f64, f64) = (a.clone().try_into().ok()?, b.clone().try_into().ok()?);
                (a.is_finite() && b.is_finite()).then_some(Draw::Float(a, b))
            }
            ("fake", [kind]) => Some(Draw::Fake(kind.as_str()?.into())),
            ("pick", [list]) => (list.kind() == ValueKind::Seq).then(|| Draw::Pick(list.clone())),
            _ => None,
        }
    }

    fn value(&self, draws: &mut random::Draw) -> Option<Value> {
        Some(match self {
            Draw::Letter => Value::from(draws.letter().to_string()),
            Draw::Uuid => Value::from(draws.uuid()),
            Draw::Int(a, b) => Value::from(draws.between(*a, *b)),
            Draw::Float(a, b) => Value::from(draws.float(*a, *b)),
            Draw::Fake(kind) => Value::from(fake::make(kind, draws)?),
            Draw::Pick(list) => {
                let length = list.len().filter(|length| *length > 0)?;
                let index = draws.below(length as u64);
                list.get_item(&Value::from(index)).ok()?
            }
        })
    }
}

/// Whether a value is what it is written as: no list, nothing missing, nothing made on the way.
fn is_simple(value: &Value) -> bool {
    matches!(
        value.kind(),
        ValueKind::String | ValueKind::Number | ValueKind::Bool
    )
}

fn put(out: &mut String, value: &Value) -> Option<()> {
    match value.as_str() {
        Some(text) => out.push_str(text),
        None if !is_simple(value) => return None,
        None => match value.as_i64().filter(|_| value.is_integer()) {
            Some(number) => write!(out, "{number}").ok()?,
            None => out.push_str(&print(value).ok()?),
        },
    }
    Some(())
}

//! Templates that only name things and draw: written without minijinja's machine.
//!
//! Most events are some text around a number, a member of the request, a draw. To set up a machine
//! costs more than all the rest of such an event. What is not plain is the machine's, and so is what
//! turns out not to be while it is written: a missing value, a list, too much text. The draws are then
//! as they were before, so that values, errors and steps are those of the machine in any case.

use minijinja::Value;
use minijinja::machinery::ast::{self, CallArg, CallType, Stmt};
use minijinja::value::ValueKind;

use super::build::RESULT;
use super::limits::MAX_OUTPUT;
use super::scope::{Moment, RequestScope};
use super::{fake, print_into};
use crate::random::Draw;

/// Pieces of one template: beyond that the machine's beginning is the smaller part of the work.
const MOST_PIECES: usize = 64;
/// What the machine counts for an instruction, in the bytes that count as much.
const STEP: usize = 64;

/// A template that is plain.
pub(super) enum Plain {
    /// One expression, whose value keeps its type.
    Value(Term),
    /// Text with expressions in it.
    Text {
        pieces: Box<[Piece]>,
        /// Bytes that it will likely have.
        length: usize,
    },
}

pub(super) enum Piece {
    Text(Box<str>),
    Term(Term),
}

pub(super) enum Term {
    /// A name in scope, and the members to go to from there.
    Name(Box<str>, Box<[Box<str>]>),
    /// A function that draws, by its name: one of the scenario's own may hide it.
    Call(Box<str>, Drawn),
}

/// What is drawn; the arguments were written into the template.
pub(super) enum Drawn {
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
        let term = |expr: &ast::Expr| Term::of(expr).filter(|term| !term.is_bare(is_function));
        match &template.children[..] {
            [Stmt::Set(set)] if matches!(&set.target, ast::Expr::Var(name) if name.id == RESULT) => {
                term(&set.expr).map(Plain::Value)
            }
            pieces if pieces.len() <= MOST_PIECES => {
                let one = |stmt: &Stmt| match stmt {
                    Stmt::EmitRaw(raw) => Some(Piece::Text(raw.raw.into())),
                    Stmt::EmitExpr(emit) => term(&emit.expr).map(Piece::Term),
                    _ => None,
                };
                let pieces: Box<[Piece]> = pieces.iter().map(one).collect::<Option<_>>()?;
                let length = pieces.iter().map(Piece::likely_length).sum();
                Some(Plain::Text { pieces, length })
            }
            _ => None,
        }
    }

    /// The value of a lone expression, unless it is the machine's to say.
    pub(super) fn value(&self, scope: &RequestScope, moment: Moment) -> Option<Value> {
        let Plain::Value(term) = self else { return None };
        let mut drawing = Drawing::begin(scope);
        let value = term.value(scope, moment, &mut drawing)?;
        let bytes = value.as_bytes().map_or(0, <[u8]>::len);
        if bytes > MAX_OUTPUT || !is_simple(&value) {
            return None;
        }
        // It is kept: an instruction of its own.
        drawing.done(STEP + term.cost(&value));
        Some(value)
    }

    /// The text of a template with several pieces, unless it is the machine's to write.
    pub(super) fn text(&self, scope: &RequestScope, moment: Moment) -> Option<String> {
        let Plain::Text { pieces, length } = self else {
            return None;
        };
        let mut drawing = Drawing::begin(scope);
        let mut out = String::with_capacity(*length);
        let mut cost = 0;
        for piece in pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Term(term) => {
                    let value = term.value(scope, moment, &mut drawing)?;
                    if !is_simple(&value) {
                        return None;
                    }
                    print_into(&mut out, &value).ok()?;
                    cost += term.cost(&value);
                }
            }
            if out.len() > MAX_OUTPUT {
                return None;
            }
            cost += STEP;
        }
        drawing.done(cost + out.len());
        Some(out)
    }
}

impl Piece {
    fn likely_length(&self) -> usize {
        match self {
            Piece::Text(text) => text.len(),
            Piece::Term(_) => 20,
        }
    }
}

/// Draws that do not count unless all goes well.
struct Drawing<'s> {
    scope: &'s RequestScope,
    /// Once something is drawn.
    draws: Option<Draw>,
}

impl Drawing<'_> {
    fn begin(scope: &RequestScope) -> Drawing<'_> {
        Drawing { scope, draws: None }
    }

    fn draws(&mut self) -> &mut Draw {
        self.draws.get_or_insert_with(|| self.scope.draws().clone())
    }

    /// They count, and so does what was done: in bytes.
    fn done(self, cost: usize) {
        if let Some(draws) = self.draws {
            *self.scope.draws() = draws;
        }
        self.scope.spend(cost.div_ceil(STEP) as u64);
    }
}

impl Term {
    fn of(expr: &ast::Expr) -> Option<Term> {
        match expr {
            ast::Expr::Var(name) => Some(Term::Name(name.id.into(), Box::new([]))),
            ast::Expr::GetAttr(attr) => match Term::of(&attr.expr)? {
                Term::Name(name, path) => {
                    let path = path.into_iter().chain([attr.name.into()]).collect();
                    Some(Term::Name(name, path))
                }
                Term::Call(..) => None,
            },
            ast::Expr::Call(call) => match call.identify_call() {
                CallType::Function(name) => Some(Term::Call(name.into(), Drawn::of(name, &call.args)?)),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether it names a function and does not call it.
    fn is_bare(&self, is_function: &dyn Fn(&str) -> bool) -> bool {
        matches!(self, Term::Name(name, _) if is_function(name))
    }

    /// `None` if the machine must say: its errors name the place.
    fn value(&self, scope: &RequestScope, moment: Moment, drawing: &mut Drawing) -> Option<Value> {
        match self {
            Term::Name(name, path) => {
                let value = scope.named(name, moment)?;
                path.iter()
                    .try_fold(value, |value, member| value.get_attr(member).ok())
            }
            Term::Call(function, _) if scope.hides(function) => None,
            Term::Call(_, drawn) => drawn.value(drawing.draws()),
        }
    }

    /// What the machine counts for its value: its instructions, and the bytes of what is made.
    fn cost(&self, value: &Value) -> usize {
        match self {
            Term::Name(_, path) => STEP * (1 + path.len()),
            Term::Call(_, drawn) => {
                let made = value.as_bytes().map_or(0, <[u8]>::len);
                STEP * (1 + drawn.arguments()) + made
            }
        }
    }
}

impl Drawn {
    fn of(function: &str, args: &[CallArg]) -> Option<Drawn> {
        let value = |arg: &CallArg| match arg {
            CallArg::Pos(value) => value.as_const(),
            _ => None,
        };
        let args = args.iter().map(value).collect::<Option<Vec<Value>>>()?;
        match (function, &args[..]) {
            ("letter", []) => Some(Drawn::Letter),
            ("uuid", []) => Some(Drawn::Uuid),
            ("random_int", [a, b]) => {
                let (a, b) = (a.clone().try_into().ok()?, b.clone().try_into().ok()?);
                Some(Drawn::Int(a, b))
            }
            ("random_float", [a, b]) => {
                let (a, b): (f64, f64) = (a.clone().try_into().ok()?, b.clone().try_into().ok()?);
                (a.is_finite() && b.is_finite()).then_some(Drawn::Float(a, b))
            }
            ("fake", [kind]) => Some(Drawn::Fake(kind.as_str()?.into())),
            ("pick", [list]) => (list.kind() == ValueKind::Seq).then(|| Drawn::Pick(list.clone())),
            _ => None,
        }
    }

    fn arguments(&self) -> usize {
        match self {
            Drawn::Letter | Drawn::Uuid => 0,
            Drawn::Fake(_) | Drawn::Pick(_) => 1,
            Drawn::Int(..) | Drawn::Float(..) => 2,
        }
    }

    fn value(&self, draws: &mut Draw) -> Option<Value> {
        Some(match self {
            Drawn::Letter => Value::from(draws.letter().to_string()),
            Drawn::Uuid => Value::from(draws.uuid()),
            Drawn::Int(a, b) => Value::from(draws.between(*a, *b)),
            Drawn::Float(a, b) => Value::from(draws.float(*a, *b)),
            Drawn::Fake(kind) => Value::from(fake::make(kind, draws)?),
            Drawn::Pick(list) => {
                let length = list.len().filter(|length| *length > 0)?;
                let index = draws.below(length as u64);
                list.get_item(&Value::from(index)).ok()?
            }
        })
    }
}

/// A text, a number, true or false: what needs no look inside.
fn is_simple(value: &Value) -> bool {
    matches!(
        value.kind(),
        ValueKind::String | ValueKind::Number | ValueKind::Bool
    )
}

//! A template as it is compiled: with what its operators take and make metered (`meter`).
//!
//! The source is parsed, and written anew with filters around operands: a list compared with a list
//! is read as a whole, a list times a number is made at once. What cannot be more than a number or
//! a text of its own is left alone, and a template without anything to meter is compiled as it was
//! written. Errors and hints are always about the original.

use std::fmt::Write;

use minijinja::Value;
use minijinja::machinery::ast::{self, BinOpKind, CallArg, CallType, CompareOpKind, Expr, Stmt, UnaryOpKind};
use minijinja::machinery::parse;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::ValueKind;

use super::meter::{AT, MADE, METERED};

/// How tightly parts of an expression are bound, loosest first: what stands where something tighter
/// is due is put in brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Bound {
    Any,
    Or,
    And,
    Not,
    Compare,
    Sum,
    Concat,
    Product,
    Power,
    /// What a filter may stand behind.
    Filter,
    /// What a dot may stand behind.
    Primary,
}

/// The source to compile instead of this one; `None` if this one will do, or does not parse.
/// In a `deep` template lists may grow one into the other by many `set`s.
pub(super) fn metered(source: &str, syntax: SyntaxConfig, deep: bool) -> Option<String> {
    let written = written(source, syntax, deep)?;
    written.metered.then_some(written.out)
}

fn written(source: &str, syntax: SyntaxConfig, deep: bool) -> Option<Writer> {
    let template = parse(source, "", syntax).ok()?;
    let mut writer = Writer {
        out: String::new(),
        metered: false,
        deep,
    };
    writer.stmt(&template);
    Some(writer)
}

struct Writer {
    out: String,
    metered: bool,
    deep: bool,
}

impl Writer {
    fn put(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn filter(&mut self, name: &str) {
        self.metered = true;
        self.put("|");
        self.put(name);
    }

    fn body(&mut self, body: &[Stmt]) {
        for stmt in body {
            self.stmt(stmt);
        }
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::Template(template) => self.body(&template.children),
            Stmt::EmitExpr(emit) => {
                self.put("{{ ");
                self.expr(&emit.expr, Bound::Any);
                self.put(" }}");
            }
            Stmt::EmitRaw(raw) if raw.raw.contains('{') => {
                self.put("{{ ");
                self.text(raw.raw);
                self.put(" }}");
            }
            Stmt::EmitRaw(raw) => self.put(raw.raw),
            Stmt::ForLoop(each) => self.for_loop(each),
            Stmt::IfCond(cond) => {
                self.put("{% if ");
                self.if_cond(cond);
            }
            Stmt::WithBlock(with) => self.with(with),
            Stmt::Set(set) => {
                self.put("{% set ");
                self.target(&set.target);
                self.put(" = ");
                self.kept(&set.expr);
                self.put(" %}");
            }
            Stmt::SetBlock(set) => {
                self.put("{% set ");
                self.target(&set.target);
                if let Some(filter) = &set.filter {
                    self.put("|");
                    self.chain(filter);
                }
                self.block(&set.body, "endset");
            }
            Stmt::AutoEscape(escape) => {
                self.put("{% autoescape ");
                self.expr(&escape.enabled, Bound::Any);
                self.block(&escape.body, "endautoescape");
            }
            Stmt::FilterBlock(filter) => {
                self.put("{% filter ");
                self.chain(&filter.filter);
                self.block(&filter.body, "endfilter");
            }
            Stmt::Do(call) => {
                self.put("{% do ");
                self.call(&call.call);
                self.put(" %}");
            }
        }
    }

    /// From the end of a tag to the end of its block.
    fn block(&mut self, body: &[Stmt], end: &str) {
        self.put(" %}");
        self.body(body);
        self.put("{% ");
        self.put(end);
        self.put(" %}");
    }

    fn for_loop(&mut self, each: &ast::ForLoop) {
        self.put("{% for ");
        self.target(&each.target);
        self.put(" in ");
        self.expr(&each.iter, Bound::Or);
        if let Some(filter) = &each.filter_expr {
            self.put(" if ");
            // A bare `recursive` behind it would belong to a ternary without brackets.
            self.expr(filter, Bound::Or);
        }
        if each.recursive {
            self.put(" recursive");
        }
        self.put(" %}");
        self.body(&each.body);
        self.otherwise(&each.else_body);
        self.put("{% endfor %}");
    }

    fn otherwise(&mut self, body: &[Stmt]) {
        if !body.is_empty() {
            self.put("{% else %}");
            self.body(body);
        }
    }

    fn if_cond(&mut self, cond: &ast::IfCond) {
        self.expr(&cond.expr, Bound::Or);
        self.put(" %}");
        self.body(&cond.true_body);
        if let [Stmt::IfCond(next)] = &cond.false_body[..] {
            self.put("{% elif ");
            return self.if_cond(next);
        }
        self.otherwise(&cond.false_body);
        self.put("{% endif %}");
    }

    fn with(&mut self, with: &ast::WithBlock) {
        self.put("{% with ");
        for (i, (target, value)) in with.assignments.iter().enumerate() {
            self.put(if i > 0 { ", " } else { "" });
            self.target(target);
            self.put(" = ");
            self.kept(value);
        }
        self.block(&with.body, "endwith");
    }

    /// The names on the left of an assignment.
    fn target(&mut self, target: &Expr) {
        match target {
            Expr::Var(var) => self.put(var.id),
            Expr::GetAttr(attr) => {
                self.target(&attr.expr);
                self.put(".");
                self.put(attr.name);
            }
            Expr::List(list) => {
                self.put("(");
                for item in &list.items {
                    self.target(item);
                    self.put(", ");
                }
                self.put(")");
            }
            // Nothing else can be assigned to.
            _ => {}
        }
    }

    /// The value of a name: one that is built up step by step must not get too deep to be dropped.
    fn kept(&mut self, value: &Expr) {
        if self.deep {
            self.whole(value, Bound::Any);
        } else {
            self.expr(value, Bound::Any);
        }
    }

    /// Filters without what they are applied to.
    fn chain(&mut self, filter: &Expr) {
        let Expr::Filter(filter) = filter else { return };
        if let Some(before) = &filter.expr {
            self.chain(before);
            self.put("|");
        }
        self.named(filter.name, &filter.args);
    }

    /// An operand that is read as a whole.
    fn whole(&mut self, expr: &Expr, bound: Bound) {
        if is_scalar(expr) {
            return self.expr(expr, bound);
        }
        self.bracketed(Bound::Filter, bound, |out| {
            out.expr(expr, Bound::Filter);
            out.filter(METERED);
        });
    }

    /// An expression; a list that would be made anew each time it is walked is made at once.
    fn expr(&mut self, expr: &Expr, bound: Bound) {
        if !is_lazy(expr) {
            return self.plain(expr, bound);
        }
        self.bracketed(Bound::Filter, bound, |out| {
            out.plain(expr, Bound::Filter);
            out.filter(MADE);
        });
    }

    /// A term of a sum or product, which is made with it.
    fn term(&mut self, expr: &Expr, bound: Bound) {
        match expr {
            Expr::BinOp(op) if matches!(op.op, BinOpKind::Add | BinOpKind::Mul) => self.plain(expr, bound),
            _ => self.expr(expr, bound),
        }
    }

    fn bracketed(&mut self, own: Bound, bound: Bound, inside: impl FnOnce(&mut Writer)) {
        if own >= bound {
            return inside(self);
        }
        self.put("(");
        inside(self);
        self.put(")");
    }

    fn plain(&mut self, expr: &Expr, bound: Bound) {
        self.bracketed(bound_of(expr), bound, |out| out.bare(expr));
    }

    fn bare(&mut self, expr: &Expr) {
        match expr {
            Expr::Var(var) => self.put(var.id),
            Expr::Const(literal) => self.literal(&literal.value),
            Expr::Slice(slice) => self.slice(slice),
            Expr::UnaryOp(op) => self.unary(op),
            Expr::BinOp(op) => self.binary(op),
            Expr::Compare(compare) => {
                self.whole(&compare.expr, Bound::Sum);
                for next in &compare.ops {
                    self.put(compare_sign(next.op));
                    self.whole(&next.expr, Bound::Sum);
                }
            }
            Expr::IfExpr(either) => self.either(either),
            Expr::Filter(filter) => {
                if let Some(input) = &filter.expr {
                    self.expr(input, Bound::Filter);
                    self.put("|");
                }
                self.named(filter.name, &filter.args);
            }
            Expr::Test(test) => {
                self.expr(&test.expr, Bound::Filter);
                self.put(" is ");
                self.put(test.name);
                // With brackets always: what stands behind would be taken for an argument.
                self.args(&test.args, false);
            }
            Expr::GetAttr(attr) => {
                self.expr(&attr.expr, Bound::Primary);
                self.put(".");
                self.put(attr.name);
            }
            Expr::GetItem(item) => self.item(item),
            Expr::Call(call) => self.call(call),
            Expr::List(list) => self.list("[", &list.items, "]"),
            Expr::Tuple(tuple) if tuple.items.len() == 1 => self.list("(", &tuple.items, ",)"),
            Expr::Tuple(tuple) => self.list("(", &tuple.items, ")"),
            Expr::Map(map) => self.map(map),
        }
    }

    fn literal(&mut self, value: &Value) {
        match value.as_str() {
            Some(text) => self.text(text),
            None if value.kind() == ValueKind::Number && !value.is_integer() => {
                let number = f64::try_from(value.clone()).unwrap_or_default();
                // A literal cannot be negative or no number, but it can be too large.
                let _ = match number.is_finite() {
                    true => write!(self.out, "{number:?}"),
                    false => write!(self.out, "1e999"),
                };
            }
            None => {
                let _ = write!(self.out, "{value}");
            }
        }
    }

    fn text(&mut self, text: &str) {
        self.put("\"");
        for c in text.chars() {
            if matches!(c, '"' | '\\') {
                self.put("\\");
            }
            self.out.push(c);
        }
        self.put("\"");
    }

    fn slice(&mut self, slice: &ast::Slice) {
        if is_scalar(&slice.expr) {
            self.expr(&slice.expr, Bound::Primary);
        } else {
            // Lists are cut by walking to where the piece begins.
            self.put("(");
            self.expr(&slice.expr, Bound::Filter);
            self.filter(MADE);
            self.put(")");
        }
        self.put("[");
        for (i, part) in [&slice.start, &slice.stop, &slice.step].into_iter().enumerate() {
            self.put(if i > 0 { ":" } else { "" });
            if let Some(part) = part {
                self.expr(part, Bound::Any);
            }
        }
        self.put("]");
    }

    fn unary(&mut self, op: &ast::UnaryOp) {
        match (&op.op, &op.expr) {
            (UnaryOpKind::Not, inner) => {
                self.put("not ");
                self.expr(inner, Bound::Not);
            }
            (UnaryOpKind::Neg, inner @ Expr::UnaryOp(_)) if bound_of(inner) == Bound::Filter => {
                self.put("- ");
                self.bare(inner);
            }
            (UnaryOpKind::Neg, inner) => {
                self.put("-");
                self.expr(inner, Bound::Primary);
            }
        }
    }

    fn binary(&mut self, op: &ast::BinOp) {
        let (sign, own, next) = sign(op.op);
        let either_scalar = is_scalar(&op.left) || is_scalar(&op.right);
        let (left, right) = (&op.left, &op.right);
        match op.op {
            BinOpKind::Add | BinOpKind::Mul => {
                self.term(left, own);
                self.put(sign);
                self.term(right, next);
            }
            BinOpKind::Concat => {
                self.whole(left, own);
                self.put(sign);
                self.whole(right, next);
            }
            BinOpKind::Eq
            | BinOpKind::Ne
            | BinOpKind::Lt
            | BinOpKind::Lte
            | BinOpKind::Gt
            | BinOpKind::Gte
                if !either_scalar =>
            {
                self.whole(left, next);
                self.put(sign);
                self.whole(right, next);
            }
            BinOpKind::In if !is_scalar(left) => {
                self.whole(left, next);
                self.put(sign);
                self.whole(right, next);
            }
            _ => {
                // Comparisons cannot stand side by side.
                self.expr(left, if own == Bound::Compare { next } else { own });
                self.put(sign);
                self.expr(right, next);
            }
        }
    }

    fn either(&mut self, either: &ast::IfExpr) {
        self.expr(&either.true_expr, Bound::Or);
        self.put(" if ");
        self.expr(&either.test_expr, Bound::Or);
        if let Some(otherwise) = &either.false_expr {
            self.put(" else ");
            self.expr(otherwise, Bound::Any);
        }
    }

    fn item(&mut self, item: &ast::GetItem) {
        if !is_costly_key(&item.subscript_expr) {
            self.expr(&item.expr, Bound::Primary);
            return self.list("[", std::slice::from_ref(&item.subscript_expr), "]");
        }
        self.expr(&item.expr, Bound::Filter);
        self.filter(AT);
        self.list("(", std::slice::from_ref(&item.subscript_expr), ")");
    }

    fn call(&mut self, call: &ast::Call) {
        let whole = match call.identify_call() {
            CallType::Function(name) => {
                self.put(name);
                false
            }
            CallType::Method(object, name) => {
                self.expr(object, Bound::Primary);
                self.put(".");
                self.put(name);
                true
            }
            CallType::Object(object) => {
                self.expr(object, Bound::Primary);
                true
            }
        };
        self.args(&call.args, whole);
    }

    fn named(&mut self, name: &str, args: &[CallArg]) {
        self.put(name);
        if !args.is_empty() {
            self.args(args, false);
        }
    }

    fn args(&mut self, args: &[CallArg], whole: bool) {
        self.put("(");
        for (i, arg) in args.iter().enumerate() {
            self.put(if i > 0 { ", " } else { "" });
            match arg {
                CallArg::Pos(value) if whole => self.whole(value, Bound::Any),
                CallArg::Pos(value) => self.expr(value, Bound::Any),
                CallArg::Kwarg(name, value) => {
                    self.put(name);
                    self.put("=");
                    self.expr(value, Bound::Any);
                }
                CallArg::PosSplat(list) => {
                    self.put("*");
                    self.expr(list, Bound::Any);
                }
                CallArg::KwargSplat(map) => {
                    // A filter is charged for the size of what it yields; copying a mapping is free.
                    self.put("**");
                    self.expr(map, Bound::Filter);
                    self.filter(MADE);
                }
            }
        }
        self.put(")");
    }

    fn list(&mut self, open: &str, items: &[Expr], close: &str) {
        self.put(open);
        for (i, item) in items.iter().enumerate() {
            self.put(if i > 0 { ", " } else { "" });
            self.expr(item, Bound::Any);
        }
        self.put(close);
    }

    fn map(&mut self, map: &ast::Map) {
        // Two braces would begin an expression within a template.
        self.put("{ ");
        for (i, (key, value)) in map.keys.iter().zip(&map.values).enumerate() {
            self.put(if i > 0 { ", " } else { "" });
            self.whole(key, Bound::Any);
            self.put(": ");
            self.expr(value, Bound::Any);
        }
        self.put(" }");
    }
}

/// How tightly an expression is bound as it is written here.
fn bound_of(expr: &Expr) -> Bound {
    match expr {
        Expr::IfExpr(_) => Bound::Any,
        Expr::BinOp(op) => sign(op.op).1,
        Expr::Compare(_) => Bound::Compare,
        Expr::UnaryOp(op) if matches!(op.op, UnaryOpKind::Not) => Bound::Not,
        Expr::UnaryOp(_) | Expr::Filter(_) | Expr::Test(_) => Bound::Filter,
        Expr::GetItem(item) if is_costly_key(&item.subscript_expr) => Bound::Filter,
        // `1.x` would be read as a number.
        Expr::Const(literal) if literal.value.is_number() => Bound::Filter,
        _ => Bound::Primary,
    }
}

/// Whether a key may be a long way to go, or a list that has to be hashed.
fn is_costly_key(key: &Expr) -> bool {
    const NEAR: i64 = 1000;
    match key {
        Expr::Const(literal) => literal
            .value
            .as_i64()
            .is_some_and(|index| !(0..NEAR).contains(&index)),
        _ => true,
    }
}

/// Whether an expression can only be a text or a number (or true, or nothing), and one that was paid
/// for when it was made.
fn is_scalar(expr: &Expr) -> bool {
    match expr {
        Expr::Const(_) | Expr::UnaryOp(_) | Expr::Compare(_) | Expr::Test(_) => true,
        Expr::BinOp(op) => match op.op {
            BinOpKind::ScAnd | BinOpKind::ScOr => is_scalar(&op.left) && is_scalar(&op.right),
            BinOpKind::Add | BinOpKind::Mul => !is_lazy(expr),
            _ => true,
        },
        _ => false,
    }
}

/// Whether an expression may be a list that is made while it is walked.
fn is_lazy(expr: &Expr) -> bool {
    match expr {
        Expr::Slice(slice) => !is_scalar(&slice.expr),
        Expr::BinOp(op) => match op.op {
            BinOpKind::Add => !is_scalar(&op.left) && !is_scalar(&op.right),
            BinOpKind::Mul => !is_scalar(&op.left) || !is_scalar(&op.right),
            _ => false,
        },
        _ => false,
    }
}

/// The sign of an operator, how tightly it binds, and how tightly what stands behind it has to.
fn sign(op: BinOpKind) -> (&'static str, Bound, Bound) {
    use Bound::{And, Compare, Concat, Filter, Not, Or, Power, Product, Sum};
    match op {
        BinOpKind::ScOr => (" or ", Or, And),
        BinOpKind::ScAnd => (" and ", And, Not),
        BinOpKind::Eq => (" == ", Compare, Sum),
        BinOpKind::Ne => (" != ", Compare, Sum),
        BinOpKind::Lt => (" < ", Compare, Sum),
        BinOpKind::Lte => (" <= ", Compare, Sum),
        BinOpKind::Gt => (" > ", Compare, Sum),
        BinOpKind::Gte => (" >= ", Compare, Sum),
        BinOpKind::In => (" in ", Compare, Sum),
        BinOpKind::Add => (" + ", Sum, Concat),
        BinOpKind::Sub => (" - ", Sum, Concat),
        BinOpKind::Concat => (" ~ ", Concat, Product),
        BinOpKind::Mul => (" * ", Product, Power),
        BinOpKind::Div => (" / ", Product, Power),
        BinOpKind::FloorDiv => (" // ", Product, Power),
        BinOpKind::Rem => (" % ", Product, Power),
        BinOpKind::Pow => (" ** ", Power, Filter),
    }
}

fn compare_sign(op: CompareOpKind) -> &'static str {
    match op {
        CompareOpKind::Eq => " == ",
        CompareOpKind::Ne => " != ",
        CompareOpKind::Lt => " < ",
        CompareOpKind::Lte => " <= ",
        CompareOpKind::Gt => " > ",
        CompareOpKind::Gte => " >= ",
        CompareOpKind::In => " in ",
        CompareOpKind::NotIn => " not in ",
    }
}

#[cfg(test)]
mod tests;

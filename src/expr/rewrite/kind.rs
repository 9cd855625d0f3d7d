//! What can be told of an expression from how it is written: how tightly it binds, and what it can be.

use minijinja::machinery::ast::{BinOpKind, CompareOpKind, Expr, UnaryOpKind};

/// How tightly parts of an expression are bound, loosest first: what stands where something tighter
/// is due is put in brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Bound {
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

/// How tightly an expression is bound as it is written here.
pub(super) fn bound_of(expr: &Expr) -> Bound {
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
pub(super) fn is_costly_key(key: &Expr) -> bool {
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
pub(super) fn is_scalar(expr: &Expr) -> bool {
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

/// Whether what is looked for in a list may be a list or a long text: it is compared with every entry.
pub(super) fn may_be_long(expr: &Expr) -> bool {
    const SHORT: usize = 64;
    match expr {
        Expr::Const(literal) => literal.value.as_str().is_some_and(|text| text.len() > SHORT),
        Expr::BinOp(op) => match op.op {
            BinOpKind::ScAnd | BinOpKind::ScOr => may_be_long(&op.left) || may_be_long(&op.right),
            BinOpKind::Concat | BinOpKind::Add | BinOpKind::Mul => true,
            _ => false,
        },
        expr => !is_scalar(expr),
    }
}

/// Whether an expression may be a list that is made while it is walked.
pub(super) fn is_lazy(expr: &Expr) -> bool {
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
pub(super) fn sign(op: BinOpKind) -> (&'static str, Bound, Bound) {
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

pub(super) fn compare_sign(op: CompareOpKind) -> &'static str {
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

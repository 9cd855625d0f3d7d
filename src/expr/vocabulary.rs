//! The words of expressions: what is in scope, and what functions, filters and tests there are.

use super::build::{Builder, SCOPE};
use super::fake;

/// All filters: our own and those of minijinja.
pub(super) const FILTERS: &[&str] = &[
    "abs",
    "attr",
    "b64",
    "b64decode",
    "batch",
    "bool",
    "capitalize",
    "chain",
    "chunks",
    "count",
    "d",
    "default",
    "dictsort",
    "e",
    "escape",
    "first",
    "float",
    "format",
    "groupby",
    "indent",
    "int",
    "items",
    "join",
    "json",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "pprint",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "safe",
    "select",
    "selectattr",
    "sha256",
    "slice",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "trim",
    "turn",
    "unique",
    "upper",
    "words",
    "zip",
];

/// All tests but those that are signs (`==`).
pub(super) const TESTS: &[&str] = &[
    "boolean",
    "defined",
    "divisibleby",
    "endingwith",
    "eq",
    "equalto",
    "escaped",
    "even",
    "false",
    "filter",
    "float",
    "ge",
    "greaterthan",
    "gt",
    "in",
    "int",
    "integer",
    "iterable",
    "le",
    "lessthan",
    "lower",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "safe",
    "sameas",
    "sequence",
    "startingwith",
    "string",
    "test",
    "true",
    "undefined",
    "upper",
];

/// The words that every expression may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vocabulary {
    /// Names that are always in scope.
    pub names: Vec<&'static str>,
    /// Functions.
    pub functions: Vec<String>,
    /// Filters: `x | filter`.
    pub filters: Vec<&'static str>,
    /// Tests: `x is test`.
    pub tests: Vec<&'static str>,
    /// What `fake` can make up.
    pub fakes: Vec<&'static str>,
}

/// All words, for the reference.
pub fn vocabulary() -> Vocabulary {
    Vocabulary {
        names: SCOPE.to_vec(),
        functions: Builder::new(Vec::new()).functions(),
        filters: FILTERS.to_vec(),
        tests: TESTS.to_vec(),
        fakes: fake::kinds(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::meter::{AT, MADE, METERED};

    /// minijinja tells its filters and tests only where it shows an environment.
    fn shown<'t>(environment: &'t str, field: &str) -> Vec<&'t str> {
        let (_, list) = environment.split_once(&format!("{field}: [")).unwrap();
        let (list, _) = list.split_once(']').unwrap();
        list.split(", ").map(|name| name.trim_matches('"')).collect()
    }

    #[test]
    fn the_lists_are_those_that_minijinja_goes_by() {
        let environment = Builder::new(Vec::new()).describe();
        let mut filters = shown(&environment, "filters");
        // Those that no template can name.
        filters.retain(|name| ![METERED, MADE, AT].contains(name));
        assert_eq!(filters, FILTERS);
        let tests = shown(&environment, "tests");
        let words = tests
            .into_iter()
            .filter(|name| name.contains(char::is_alphabetic));
        assert_eq!(words.collect::<Vec<_>>(), TESTS);
    }

    #[test]
    fn functions_are_those_of_the_language_and_two_of_minijinja() {
        let all = vocabulary().functions;
        let expected = [
            "dict",
            "fake",
            "letter",
            "pick",
            "random_float",
            "random_int",
            "range",
            "topic",
            "uuid",
        ];
        assert_eq!(all, expected);
    }
}

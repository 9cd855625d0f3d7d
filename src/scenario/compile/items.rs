//! The lists that `for_each` goes through.

use serde_json::{Map, Value as Json};

use super::Compiler;
use crate::expr::{Text, Tree};
use crate::scenario::diagnostic::Span;
use crate::scenario::model::Items;
use crate::scenario::yaml::{Kind, Node};

impl Compiler<'_> {
    /// A list, an expression that yields one, or the entries of a file.
    pub(super) fn items(&mut self, node: &Node, names: &[String]) -> Option<Items> {
        match &node.kind {
            Kind::List(_) => Some(Items::Tree(self.tree(node, names))),
            Kind::Text(text) if ending(text).is_some() && !text.contains("{{") => self.data_file(node, text),
            Kind::Text(_) => {
                let tree = self.tree(node, names);
                if matches!(tree, Tree::Text(Text::Value(_))) {
                    return Some(Items::Tree(tree));
                }
                self.no_list(node);
                None
            }
            _ => {
                self.no_list(node);
                None
            }
        }
    }

    fn no_list(&mut self, node: &Node) {
        let message = "`in` is no list";
        let hint = "use a list, one \"{{ expression }}\" that yields a list, or a file that ends in .json, .ndjson, .jsonl or .csv";
        self.error_hint(&node.span, message, hint);
    }

    fn data_file(&mut self, node: &Node, path: &str) -> Option<Items> {
        let bytes = self.read_file(&node.span, path)?;
        let entries = match ending(path)? {
            "json" => from_json(&bytes),
            "csv" => from_csv(&bytes),
            _ => from_lines(&bytes),
        };
        match entries {
            Ok(entries) => Some(Items::Fixed(entries.into())),
            Err(why) => {
                self.broken(&node.span, path, &why);
                None
            }
        }
    }

    fn broken(&mut self, span: &Span, path: &str, why: &str) {
        self.error(span, format!("the entries of `{path}` cannot be read: {why}"));
    }
}

/// The ending of a file that holds entries.
fn ending(path: &str) -> Option<&str> {
    let (_, ending) = path.rsplit_once('.')?;
    ["json", "ndjson", "jsonl", "csv"]
        .contains(&ending)
        .then_some(ending)
}

fn from_json(bytes: &[u8]) -> Result<Vec<Json>, String> {
    match serde_json::from_slice(without_bom(bytes)).map_err(|e| broken_json(&e, 1))? {
        Json::Array(entries) => Ok(entries),
        other => {
            let found = match other {
                Json::Object(_) => "a mapping",
                _ => "a single value",
            };
            Err(format!("it holds {found}, but `for_each` needs a list"))
        }
    }
}

/// Where JSON is broken that begins in a certain line, and why.
fn broken_json(error: &serde_json::Error, first: usize) -> String {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or(&text);
    let line = first + error.line().saturating_sub(1);
    format!("line {line}, column {}: {what}", error.column())
}

fn broken_csv(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths {
            pos: Some(pos),
            expected_len,
            len,
        } => format!(
            "line {}: the number of values is {len}, but the first row names {expected_len}",
            pos.line()
        ),
        csv::ErrorKind::Utf8 { pos: Some(pos), .. } => format!("line {}: this is not UTF-8", pos.line()),
        _ => error.to_string(),
    }
}

/// One JSON value a line; empty lines are skipped.
fn from_lines(bytes: &[u8]) -> Result<Vec<Json>, String> {
    let lines = without_bom(bytes).split(|byte| *byte == b'\n');
    let filled = lines
        .enumerate()
        .filter(|(_, line)| !line.trim_ascii().is_empty());
    let read = |(i, line)| serde_json::from_slice(line).map_err(|e| broken_json(&e, i + 1));
    filled.map(read).collect()
}

/// The first row names the columns; all values are texts (RFC 4180).
fn from_csv(bytes: &[u8]) -> Result<Vec<Json>, String> {
    let mut reader = csv::Reader::from_reader(without_bom(bytes));
    let names = reader.headers().map_err(|e| broken_csv(&e))?.clone();
    let mut entries = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|e| broken_csv(&e))?;
        let fields = names.iter().zip(row.iter());
        let entry: Map<String, Json> = fields.map(|(n, v)| (n.to_owned(), v.into())).collect();
        entries.push(Json::Object(entry));
    }
    Ok(entries)
}

fn without_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn entries_come_from_three_kinds_of_file() {
        assert_eq!(
            from_json(b"[1, {\"a\": 2}]").unwrap(),
            [json!(1), json!({"a": 2})]
        );
        assert_eq!(
            from_lines(b"1\r\n\n{\"a\": 2}").unwrap(),
            [json!(1), json!({"a": 2})]
        );
        let rows = from_csv(b"\xef\xbb\xbfa,b\n1,\"x, y\"\n,\n").unwrap();
        assert_eq!(rows, [json!({"a": "1", "b": "x, y"}), json!({"a": "", "b": ""})]);
        for (result, expected) in [
            (from_json(b"{}"), "it holds a mapping"),
            (from_json(b"[1,"), "line 1, column 3: "),
            (from_lines(b"1\n2 3\n"), "line 2, column 3: "),
            (from_csv(b"a,b\n1\n"), "line 2: the number of values is 1"),
        ] {
            let error = result.unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}

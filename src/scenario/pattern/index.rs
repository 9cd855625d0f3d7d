//! Many patterns → the few that may take a path, found along its segments rather than one by one.

use std::collections::HashMap;

use super::{Pattern, Segment};

/// Segments that are told apart: a path of a million of them is not worth a tree that deep.
const DEEPEST: usize = 32;

/// Which of many patterns may take a path: a tree of their segments. A pattern stands in it under a number;
/// several may share one, as the paths of one endpoint do.
#[derive(Debug, Default)]
pub struct Index {
    root: Node,
}

/// What may follow once the segments before have matched.
#[derive(Debug, Default)]
struct Node {
    literals: HashMap<String, Node>,
    captures: Captures,
    /// Patterns that need another segment, whatever it is: their `{rest...}` stands here, or they go
    /// on too deep.
    more: Vec<usize>,
    /// Patterns that end here.
    end: Vec<usize>,
}

/// Captured segments, by the text before and behind the name, which itself is of no consequence.
#[derive(Debug, Default)]
struct Captures {
    /// The lengths of these texts: as many look-ups as there are different ones.
    shapes: Vec<(usize, usize)>,
    nodes: HashMap<String, HashMap<String, Node>>,
}

impl Index {
    /// Of patterns that have been decoded if what is looked up is.
    pub fn new<'p>(patterns: impl IntoIterator<Item = (usize, &'p Pattern)>) -> Index {
        let mut index = Index::default();
        for (number, pattern) in patterns {
            index.add(number, pattern);
        }
        index
    }

    fn add(&mut self, number: usize, pattern: &Pattern) {
        let mut node = &mut self.root;
        for (depth, segment) in pattern.segments.iter().enumerate() {
            node = match segment {
                Segment::Rest(_) => return node.more.push(number),
                _ if depth == DEEPEST => return node.more.push(number),
                Segment::Literal(text) => node.literals.entry(text.clone()).or_default(),
                Segment::Capture { prefix, suffix, .. } => node.captures.entry(prefix, suffix),
            };
        }
        node.end.push(number);
    }

    /// The numbers of all patterns that take a path, and of few that do not; ascending, each once.
    pub fn candidates(&self, parts: &[impl AsRef<str>]) -> Vec<usize> {
        let mut found = Vec::new();
        self.root.find(parts, &mut found);
        found.sort_unstable();
        found.dedup();
        found
    }
}

impl Node {
    fn find(&self, parts: &[impl AsRef<str>], found: &mut Vec<usize>) {
        let Some((part, others)) = parts.split_first() else {
            return found.extend(&self.end);
        };
        found.extend(&self.more);
        if let Some(node) = self.literals.get(part.as_ref()) {
            node.find(others, found);
        }
        for node in self.captures.taking(part.as_ref()) {
            node.find(others, found);
        }
    }
}

impl Captures {
    fn entry(&mut self, prefix: &str, suffix: &str) -> &mut Node {
        let shape = (prefix.len(), suffix.len());
        if !self.shapes.contains(&shape) {
            self.shapes.push(shape);
        }
        let suffixes = self.nodes.entry(prefix.to_owned()).or_default();
        suffixes.entry(suffix.to_owned()).or_default()
    }

    /// Those whose texts a part has at its ends, with at least a character in between.
    fn taking(&self, part: &str) -> impl Iterator<Item = &Node> {
        self.shapes.iter().filter_map(move |&(prefix, suffix)| {
            let behind = part.len().checked_sub(suffix).filter(|end| *end > prefix)?;
            let suffixes = self.nodes.get(part.get(..prefix)?)?;
            suffixes.get(part.get(behind..)?)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn segment() -> impl Strategy<Value = String> {
        prop_oneof![
            3 => "[ab]{0,2}",
            2 => "[aé]{0,2}",
            2 => Just("{x}".to_owned()),
            2 => "[aé]{0,2}\\{x\\}[bé]{0,2}",
        ]
    }

    /// Patterns of few letters, so that they share beginnings and take the same paths.
    fn pattern() -> impl Strategy<Value = String> {
        let rest = prop_oneof![3 => Just(""), 1 => Just("/{rest...}")];
        (prop::collection::vec(segment(), 0..4), rest).prop_map(|(segments, rest)| {
            // A name is captured once.
            let named = segments.iter().enumerate();
            let named = named.map(|(i, segment)| segment.replace("{x}", &format!("{{x{i}}}")));
            format!("/{}{rest}", named.collect::<Vec<_>>().join("/"))
        })
    }

    /// What the index names, and what looking at each pattern finds.
    fn both(sources: &[(usize, String)], path: &str) -> (Vec<usize>, Vec<usize>) {
        let parse = |(number, source): &(usize, String)| (*number, Pattern::parse(source).unwrap());
        let patterns: Vec<(usize, Pattern)> = sources.iter().map(parse).collect();
        let parts: Vec<&str> = path.split('/').collect();
        let takes = |(_, pattern): &&(usize, Pattern)| pattern.matches_segments(&parts).is_some();
        let mut taking: Vec<usize> = patterns.iter().filter(takes).map(|(number, _)| *number).collect();
        taking.sort_unstable();
        taking.dedup();
        let index = Index::new(patterns.iter().map(|(number, pattern)| (*number, pattern)));
        (index.candidates(&parts), taking)
    }

    proptest! {
        #[test]
        fn names_just_those_that_looking_at_each_pattern_finds(
            sources in prop::collection::vec((0usize..6, pattern()), 0..12),
            path in "/[abé]{0,3}(/[abé]{0,3}){0,3}",
        ) {
            let (candidates, taking) = both(&sources, &path);
            prop_assert_eq!(candidates, taking);
        }

        #[test]
        fn what_covers_a_pattern_takes_its_example(own in pattern(), other in pattern()) {
            let (own, other) = (Pattern::parse(&own).unwrap(), Pattern::parse(&other).unwrap());
            let example = other.example();
            prop_assert!(other.matches_segments(&example).is_some(), "{:?}", example);
            if own.covers(&other) {
                prop_assert!(own.matches_segments(&example).is_some(), "{:?}", example);
            }
        }
    }

    #[test]
    fn patterns_that_go_on_too_deep_are_candidates_wherever_they_go() {
        let deep = |last: &str| format!("{}/{last}", "/a".repeat(DEEPEST + 3));
        let sources = [
            (0, deep("x")),
            (1, deep("{y}")),
            (2, "/a/b".into()),
            (3, deep("z")),
        ];
        let (candidates, taking) = both(&sources, &deep("x"));
        assert_eq!((candidates, taking), (vec![0, 1, 3], vec![0, 1]));
        // Not deep enough for any of them.
        assert_eq!(both(&sources, &"/a".repeat(DEEPEST - 1)), (vec![], vec![]));
        // A million segments build no million nodes, nor does looking for them.
        let endless = "/a".repeat(1_000_000);
        assert_eq!(both(&[(7, endless.clone())], &endless), (vec![7], vec![7]));
    }
}

//! Paths and topic names with captured parts: `/chat/{room}`, `/v{n}/x`, `/files/{rest...}`.

mod index;

pub use index::Index;

/// A pattern: matched segment by segment, so that a capture never holds a `/` it should not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    source: String,
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(String),
    /// `prefix{name}suffix`: at least one character between them.
    Capture {
        prefix: String,
        name: String,
        suffix: String,
    },
    /// `{name...}`: all the rest, also nothing.
    Rest(String),
}

impl Pattern {
    /// Reads a pattern; the error says what is wrong with it.
    pub fn parse(source: &str) -> Result<Pattern, String> {
        let parts: Vec<&str> = source.split('/').collect();
        let mut segments = Vec::new();
        for (i, part) in parts.iter().enumerate() {
            let segment = segment(part)?;
            if matches!(segment, Segment::Rest(_)) && i + 1 < parts.len() {
                return Err(format!("`{part}` takes all the rest, so it must come last"));
            }
            segments.push(segment);
        }
        let pattern = Pattern {
            source: source.to_owned(),
            segments,
        };
        let names = pattern.names();
        match names
            .iter()
            .enumerate()
            .find(|(i, name)| names[..*i].contains(name))
        {
            Some((_, name)) => Err(format!("the name `{name}` is captured twice")),
            None => Ok(pattern),
        }
    }

    /// Reads the pattern of a path. Paths are matched once they are percent-decoded, so the pattern
    /// is decoded too: `/a%20b` is how a space is written.
    pub fn parse_path(source: &str) -> Result<Pattern, String> {
        let mut pattern = Pattern::parse(source)?;
        for segment in &mut pattern.segments {
            let parts = match segment {
                Segment::Literal(literal) => [Some(literal), None],
                Segment::Capture { prefix, suffix, .. } => [Some(prefix), Some(suffix)],
                Segment::Rest(_) => [None, None],
            };
            for part in parts.into_iter().flatten() {
                *part = crate::text::percent_decode(&*part, false)
                    .ok_or_else(|| format!("`{part}` has a broken percent-escape: write % as %25"))?;
            }
        }
        Ok(pattern)
    }

    /// As written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The names it captures.
    pub fn names(&self) -> Vec<String> {
        let name = |segment: &Segment| match segment {
            Segment::Literal(_) => None,
            Segment::Capture { name, .. } | Segment::Rest(name) => Some(name.clone()),
        };
        self.segments.iter().filter_map(name).collect()
    }

    /// The name that takes all the rest, if there is one.
    pub fn rest(&self) -> Option<&str> {
        match self.segments.last() {
            Some(Segment::Rest(name)) => Some(name),
            _ => None,
        }
    }

    /// What stands before the first captured part.
    pub fn beginning(&self) -> &str {
        self.source.split('{').next().unwrap_or("")
    }

    /// The segments of a text that it matches: whatever covers it matches them, too.
    pub fn example(&self) -> Vec<String> {
        let example = |segment: &Segment| match segment {
            Segment::Literal(text) => text.clone(),
            Segment::Capture { prefix, suffix, .. } => format!("{prefix}x{suffix}"),
            Segment::Rest(_) => "x".to_owned(),
        };
        self.segments.iter().map(example).collect()
    }

    /// Whether everything that matches `other` matches this, too.
    pub fn covers(&self, other: &Pattern) -> bool {
        for (i, segment) in self.segments.iter().enumerate() {
            let covered = match (segment, other.segments.get(i)) {
                (_, None) => false,
                (Segment::Rest(_), Some(_)) => return true,
                (own, Some(other)) => covers(own, other),
            };
            if !covered {
                return false;
            }
        }
        self.segments.len() == other.segments.len()
    }

    /// Whether some text matches both.
    pub fn overlaps(&self, other: &Pattern) -> bool {
        let mut pairs = self.segments.iter().zip(&other.segments);
        let rest = |segment: &Segment| matches!(segment, Segment::Rest(_));
        let apart = pairs.find_map(|(a, b)| match (rest(a) || rest(b), overlap(a, b)) {
            (true, _) => Some(true),
            (false, false) => Some(false),
            (false, true) => None,
        });
        apart.unwrap_or(self.segments.len() == other.segments.len())
    }

    /// The captured parts, if it matches a text whose segments stand between slashes.
    pub fn matches(&self, text: &str) -> Option<Vec<(&str, String)>> {
        // The last part takes what is left: a captured name may hold a slash that was escaped.
        self.matches_segments(&text.splitn(self.segments.len(), '/').collect::<Vec<_>>())
    }

    /// The same for a text that has been split already: a path is split before its segments are
    /// percent-decoded, so that an escaped slash stays inside its segment.
    pub fn matches_segments(&self, parts: &[impl AsRef<str>]) -> Option<Vec<(&str, String)>> {
        let mut captures = Vec::new();
        for (i, segment) in self.segments.iter().enumerate() {
            let part = parts.get(i)?.as_ref();
            match segment {
                Segment::Literal(literal) if literal == part => {}
                Segment::Capture { prefix, name, suffix } => {
                    let inner = part
                        .strip_prefix(prefix.as_str())?
                        .strip_suffix(suffix.as_str())?;
                    if inner.is_empty() {
                        return None;
                    }
                    captures.push((name.as_str(), inner.to_owned()));
                }
                Segment::Rest(name) => {
                    let rest: Vec<&str> = parts[i..].iter().map(AsRef::as_ref).collect();
                    captures.push((name.as_str(), rest.join("/")));
                    return Some(captures);
                }
                Segment::Literal(_) => return None,
            }
        }
        (parts.len() == self.segments.len()).then_some(captures)
    }
}

fn covers(own: &Segment, other: &Segment) -> bool {
    match (own, other) {
        (Segment::Literal(a), Segment::Literal(b)) => a == b,
        (Segment::Capture { prefix, suffix, .. }, Segment::Literal(text)) => {
            text.len() > prefix.len() + suffix.len() && text.starts_with(prefix) && text.ends_with(suffix)
        }
        (
            Segment::Capture { prefix, suffix, .. },
            Segment::Capture {
                prefix: other_prefix,
                suffix: other_suffix,
                ..
            },
        ) => other_prefix.starts_with(prefix) && other_suffix.ends_with(suffix),
        _ => false,
    }
}

fn overlap(a: &Segment, b: &Segment) -> bool {
    match (a, b) {
        (
            Segment::Capture { prefix, suffix, .. },
            Segment::Capture {
                prefix: other_prefix,
                suffix: other_suffix,
                ..
            },
        ) => {
            let prefixes = prefix.starts_with(other_prefix) || other_prefix.starts_with(prefix);
            prefixes && (suffix.ends_with(other_suffix) || other_suffix.ends_with(suffix))
        }
        (literal @ Segment::Literal(_), other) => covers(other, literal),
        (other, literal) => covers(other, literal),
    }
}

fn segment(part: &str) -> Result<Segment, String> {
    let Some(open) = part.find('{') else {
        return match part.contains('}') {
            true => Err(format!("`{part}` has a `}}` without its `{{`")),
            false => Ok(Segment::Literal(part.to_owned())),
        };
    };
    let Some(close) = part[open..].find('}').map(|i| open + i) else {
        return Err(format!("`{part}` has a `{{` without its `}}`"));
    };
    let (prefix, name, suffix) = (&part[..open], &part[open + 1..close], &part[close + 1..]);
    if suffix.contains(['{', '}']) || prefix.contains('}') {
        return Err(format!(
            "`{part}` captures twice in one segment: use one name between two slashes"
        ));
    }
    if let Some(name) = name.strip_suffix("...") {
        valid_name(name)?;
        if !prefix.is_empty() || !suffix.is_empty() {
            return Err(format!("`{part}`: a `{{rest...}}` must be a whole segment"));
        }
        return Ok(Segment::Rest(name.to_owned()));
    }
    valid_name(name)?;
    Ok(Segment::Capture {
        prefix: prefix.into(),
        name: name.into(),
        suffix: suffix.into(),
    })
}

/// Names are those that expressions can use.
pub fn valid_name(name: &str) -> Result<(), String> {
    let mut chars = name.chars();
    let first = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if first && chars.all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Ok(());
    }
    Err(format!(
        "`{name}` cannot be a name: use letters, digits and _, and begin with a letter"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(pattern: &str, text: &str) -> Option<String> {
        let pattern = Pattern::parse(pattern).unwrap();
        let captures = pattern.matches_segments(&text.split('/').collect::<Vec<_>>())?;
        Some(
            captures
                .iter()
                .map(|(n, v)| format!("{n}={v}"))
                .collect::<Vec<_>>()
                .join(" "),
        )
    }

    #[test]
    fn patterns_cover_and_overlap() {
        for (a, b, covers, overlaps) in [
            ("/a", "/a", true, true),
            ("/a", "/b", false, false),
            ("/{x}", "/a", true, true),
            ("/a", "/{x}", false, true),
            ("/{x}", "/", false, false),
            ("/v{n}", "/{x}", false, true),
            ("/{x}", "/v{n}", true, true),
            ("/v{n}", "/w{n}", false, false),
            ("/v{n}x", "/vx", false, false),
            ("/{r...}", "/a/b", true, true),
            ("/{r...}", "/", true, true),
            ("/a/{r...}", "/a", false, false),
            ("/a/b", "/a/{r...}", false, true),
            ("/{x}/b", "/a/{r...}", false, true),
            ("/a/{r...}", "/b/{r...}", false, false),
            ("/a/b", "/a", false, false),
        ] {
            let (one, other) = (Pattern::parse(a).unwrap(), Pattern::parse(b).unwrap());
            assert_eq!(
                (one.covers(&other), one.overlaps(&other)),
                (covers, overlaps),
                "{a} {b}"
            );
            assert_eq!(other.overlaps(&one), overlaps, "{b} {a}");
        }
    }

    #[test]
    fn segments_match_whole() {
        for (pattern, text, expected) in [
            ("/sse", "/sse", Some("")),
            ("/sse", "/sse/", None),
            ("/sse", "/SSE", None),
            ("/chat/{room}", "/chat/a%2Fb", Some("room=a%2Fb")),
            ("/chat/{room}", "/chat/", None),
            ("/chat/{room}", "/chat/a/b", None),
            ("/v{n}/x.{ext}", "/v1/x.json", Some("n=1 ext=json")),
            ("/files/{rest...}", "/files/a/b", Some("rest=a/b")),
            ("/files/{rest...}", "/files/", Some("rest=")),
            ("/files/{rest...}", "/files", None),
            ("/m/{model}:stream", "/m/g:1:stream", Some("model=g:1")),
            ("/m/{a}aa", "/m/aa", None),
        ] {
            assert_eq!(matched(pattern, text).as_deref(), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn the_last_part_of_a_topic_takes_what_is_left() {
        let pattern = Pattern::parse("room/{room}").unwrap();
        assert_eq!(
            pattern.matches("room/a/b"),
            Some(vec![("room", "a/b".to_owned())])
        );
        assert_eq!(pattern.matches("rooms/a"), None);
    }

    #[test]
    fn bad_patterns_are_explained() {
        for (pattern, expected) in [
            ("/{a}{b}", "twice in one segment"),
            ("/{a}/{a}", "captured twice"),
            ("/{a", "without its"),
            ("/a}", "without its"),
            ("/{}", "cannot be a name"),
            ("/{1a}", "cannot be a name"),
            ("/{r...}/x", "must come last"),
            ("/x{r...}", "whole segment"),
        ] {
            let error = Pattern::parse(pattern).unwrap_err();
            assert!(error.contains(expected), "{pattern}: {error}");
        }
    }
}

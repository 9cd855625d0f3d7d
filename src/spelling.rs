//! What was probably meant: the valid name nearest to a misspelt one.

/// Longer texts are no slips of a name, and comparing them is costly.
const LONGEST: usize = 200;

/// The valid name nearest to a wrong one, if any is near enough to be meant; of several, the first.
pub fn nearest<'a>(wrong: &str, valid: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = wrong.chars().count();
    if length > LONGEST {
        return None;
    }
    let lower = wrong.to_lowercase();
    let letters = Letters::of(&lower);
    let most = (length / 3).max(1);
    // How near the next one must be to be nearer than those before.
    let mut limit = most;
    let mut best = None;
    for name in valid {
        let count = name.chars().count();
        if count.abs_diff(length) > most {
            continue;
        }
        let name_in_lower = name.to_lowercase();
        if letters.differ_from(&Letters::of(&name_in_lower)) > limit {
            continue;
        }
        let distance = strsim::damerau_levenshtein(&lower, &name_in_lower);
        if distance > limit || distance >= count.max(2) {
            continue;
        }
        best = Some(name);
        match distance.checked_sub(1) {
            Some(nearer) => limit = nearer,
            None => break,
        }
    }
    best
}

/// How often letters occur in a text. Two texts are at least as many slips apart as letters of one are
/// too many for the other: that is counted much faster than the slips are.
struct Letters([i16; 64]);

impl Letters {
    fn of(text: &str) -> Letters {
        let mut counts = [0; 64];
        for letter in text.chars().take(2 * LONGEST) {
            // Some letters share a place: then they seem more alike than they are.
            counts[letter as usize % 64] += 1;
        }
        Letters(counts)
    }

    fn differ_from(&self, other: &Letters) -> usize {
        let (mut more, mut less) = (0, 0);
        for (own, other) in self.0.iter().zip(&other.0) {
            match own - other {
                difference if difference > 0 => more += difference,
                difference => less -= difference,
            }
        }
        usize::from(more.max(less).unsigned_abs())
    }
}

/// "did you mean `x`?" for the nearest of the names, or the list of all of them.
pub fn suggest(wrong: &str, valid: &[&str]) -> String {
    match nearest(wrong, valid.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None if valid.is_empty() => "there are none here".into(),
        None => format!("use one of: {}", valid.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Each name compared with all there is to compare.
    fn compared_with_each<'a>(wrong: &str, valid: &[&'a str]) -> Option<&'a str> {
        let lower = wrong.to_lowercase();
        let length = wrong.chars().count();
        let limit = (length / 3).max(1);
        let near = |name: &&str| length <= LONGEST && name.chars().count().abs_diff(length) <= limit;
        let score = |name: &str| strsim::damerau_levenshtein(&lower, &name.to_lowercase());
        let scored = valid.iter().copied().filter(near).map(|name| (score(name), name));
        let meant = scored.filter(|(d, name)| *d <= limit && *d < name.chars().count().max(2));
        meant.min_by_key(|(d, _)| *d).map(|(_, name)| name)
    }

    proptest! {
        #[test]
        fn what_is_left_out_would_not_have_been_the_nearest(
            wrong in "[abAB/é{ÄäßİΣ]{0,9}",
            valid in prop::collection::vec("[abAB/é{ÄäßİΣ]{0,9}", 0..12),
        ) {
            let valid: Vec<&str> = valid.iter().map(String::as_str).collect();
            prop_assert_eq!(nearest(&wrong, valid.iter().copied()), compared_with_each(&wrong, &valid));
        }
    }

    #[test]
    fn the_first_of_the_nearest_is_meant() {
        for (wrong, valid, expected) in [
            ("dat", vec!["datum", "date", "data"], Some("date")),
            ("DATA", vec!["date", "data"], Some("data")),
            ("xyz", vec!["data"], None),
            ("a", vec!["b"], Some("b")),
            ("", vec!["a", ""], Some("")),
        ] {
            assert_eq!(nearest(wrong, valid.iter().copied()), expected, "{wrong}");
            assert_eq!(compared_with_each(wrong, &valid), expected, "{wrong}");
        }
        let long = "a".repeat(LONGEST + 1);
        assert_eq!(nearest(&long, [long.as_str()]), None);
    }
}

//! What was probably meant: the valid name nearest to a misspelt one.

/// The valid name nearest to a wrong one, if any is near enough to be meant.
pub fn nearest<'a>(wrong: &str, valid: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = wrong.to_lowercase();
    /// Longer texts are no slips of a name, and comparing them is costly.
    const LONGEST: usize = 200;
    let length = wrong.chars().count();
    let limit = (length / 3).max(1);
    let near = |name: &&str| length <= LONGEST && name.chars().count().abs_diff(length) <= limit;
    let score = |name: &str| strsim::damerau_levenshtein(&lower, &name.to_lowercase());
    valid
        .into_iter()
        .filter(near)
        .map(|name| (score(name), name))
        .filter(|(d, name)| *d <= limit && *d < name.chars().count().max(2))
        .min_by_key(|(d, _)| *d)
        .map(|(_, name)| name)
}

/// "did you mean `x`?" for the nearest of the names, or the list of all of them.
pub fn suggest(wrong: &str, valid: &[&str]) -> String {
    match nearest(wrong, valid.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None if valid.is_empty() => "there are none here".into(),
        None => format!("use one of: {}", valid.join(", ")),
    }
}

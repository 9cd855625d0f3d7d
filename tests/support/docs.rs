//! Pages that are held to what they show.

use std::collections::BTreeSet;

use super::repo;

/// The fenced blocks of one language, as they stand.
pub fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let behind = text.split(fence.as_str()).skip(1);
    behind
        .map(|rest| rest[..rest.find("```").expect("a closing fence")].to_owned())
        .collect()
}

/// A page's tables have all the flags of a command, and no others.
pub fn assert_every_flag(page: &str, command: &str) {
    let text = std::fs::read_to_string(repo(page)).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `-"));
    let flags = rows.flat_map(|row| {
        let first = row.split('|').nth(1).unwrap();
        let words = first.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
        words
            .filter(|word| word.starts_with("--"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    });
    let shown: BTreeSet<String> = flags.collect();
    let all = mock_sse::cli::command();
    let real = all
        .find_subcommand(command)
        .unwrap()
        .get_arguments()
        .filter_map(|argument| argument.get_long())
        .map(|long| format!("--{long}"));
    let real: BTreeSet<String> = real.filter(|flag| flag != "--help").collect();
    assert_eq!(shown, real);
}

//! `docs/play.md` shows real commands with their real output, and every flag.

mod support;

use std::collections::BTreeSet;

use support::process::{run, said};
use support::repo;

/// The fenced blocks of one language, as they stand.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let behind = text.split(fence.as_str()).skip(1);
    behind
        .map(|rest| rest[..rest.find("```").expect("a closing fence")].to_owned())
        .collect()
}

/// `UPDATE_GOLDEN=1` writes the outputs anew.
#[test]
fn the_commands_print_what_the_page_shows() {
    let path = repo("docs/play.md");
    let mut text = std::fs::read_to_string(&path).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for block in blocks(&text, "yaml") {
        let name = block.lines().next().unwrap().trim_start_matches("# ");
        std::fs::write(folder.path().join(name), &block).unwrap();
    }
    let shown = blocks(&text, "console");
    assert_eq!(shown.len(), 2);
    for shown in shown {
        let command = shown.lines().next().unwrap();
        let args: Vec<&str> = command.strip_prefix("$ mock-sse ").unwrap().split(' ').collect();
        let (_, out, err) = said(&run(folder.path(), &args, &[]));
        let real = format!("{command}\n{out}{err}");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            text = text.replace(&shown, &real);
            std::fs::write(&path, &text).unwrap();
        } else {
            assert_eq!(shown, real, "docs/play.md shows something else");
        }
    }
}

#[test]
fn the_page_has_every_flag() {
    let text = std::fs::read_to_string(repo("docs/play.md")).unwrap();
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
    let command = mock_sse::cli::command();
    let play = command.find_subcommand("play").unwrap();
    let real = play
        .get_arguments()
        .filter_map(|argument| argument.get_long())
        .map(|long| format!("--{long}"));
    let real: BTreeSet<String> = real.filter(|flag| flag != "--help").collect();
    assert_eq!(shown, real);
}

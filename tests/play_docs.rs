//! `docs/play.md` shows real commands with their real output, and every flag.

mod support;

use support::docs::{assert_every_flag, blocks};
use support::process::{run, said};
use support::repo;

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
    assert_every_flag("docs/play.md", "play");
}

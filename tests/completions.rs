//! Completions that shells take, and a manual page that `man` takes, both of what `--help` says.

mod installed;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};

use installed::{command, passes, there_is};
use support::process::{finish, run, said};

/// All commands, by name.
fn names() -> BTreeSet<String> {
    let all = mock_sse::cli::command();
    let names = all.get_subcommands().map(|sub| sub.get_name().to_owned());
    names.collect()
}

fn printed(args: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let (code, out, err) = said(&run(folder.path(), args, &[]));
    assert_eq!((code, err.as_str()), (Some(0), ""), "{args:?}");
    out
}

/// What bash offers behind these words; the last one is being typed.
fn offered(script: &str, words: &[&str]) -> BTreeSet<String> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("script"), script).unwrap();
    let ask = r#"
        source ./script
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        function="$(complete -p mock-sse | sed 's/.* -F \([^ ]*\) .*/\1/')"
        "$function" mock-sse "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let mut bash = command("bash", folder.path());
    let out = passes(bash.args(["--norc", "-c", ask, "bash"]).args(words));
    out.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_options_and_words() {
    if !there_is("bash") {
        return;
    }
    let script = printed(&["completions", "bash"]);
    let all = offered(&script, &["mock-sse", ""]);
    assert!(all.is_superset(&names()), "{all:?}");
    for (words, expected) in [
        (&["mock-sse", "ch"][..], &["check"][..]),
        (&["mock-sse", "--unt"], &["--until-verified"]),
        (&["mock-sse", "serve", "--unt"], &["--until-verified"]),
        (&["mock-sse", "--clock", ""], &["manual", "real"]),
        (&["mock-sse", "play", "--tim"], &["--timeline"]),
        (&["mock-sse", "completions", "f"], &["fish"]),
        (&["mock-sse", "check", "--format", "j"], &["json"]),
    ] {
        let expected: BTreeSet<String> = expected.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(offered(&script, words), expected, "{words:?}");
    }
}

#[test]
fn every_shell_gets_a_script_with_all_commands() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = printed(&["completions", shell]);
        for name in names() {
            assert!(script.contains(&name), "{shell} lacks {name}");
        }
        let reads = Command::new(shell)
            .arg("--version")
            .stdout(Stdio::null())
            .status()
            .is_ok();
        // The two others have no way to only look.
        if reads && matches!(shell, "bash" | "fish" | "zsh") {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("script"), &script).unwrap();
            passes(command(shell, folder.path()).args(["-n", "script"]));
        }
    }
}

#[test]
fn the_manual_page_has_every_command_and_option() {
    let page = printed(&["man"]);
    assert!(page.is_ascii(), "not every troff reads UTF-8");
    let plain = page.replace("\\-", "-");
    let all = mock_sse::cli::command();
    for command in all.get_subcommands() {
        let heading = format!(".SH \"mock-sse {}\"\n", command.get_name());
        assert_eq!(plain.matches(&heading).count(), 1, "{heading}");
        for flag in command.get_arguments().filter_map(|arg| arg.get_long()) {
            assert!(plain.contains(&format!("--{flag}\\fR")), "--{flag}");
        }
    }
    for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES"] {
        assert!(plain.contains(&format!("\n.SH {section}\n")), "{section}");
    }
    assert!(plain.contains(".SH \"EXIT CODES\"\n"));
}

#[test]
fn troff_has_no_warnings_about_the_manual_page() {
    if !there_is("groff") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mock-sse.1"), printed(&["man"])).unwrap();
    let mut groff = command("groff", folder.path());
    groff.args(["-ww", "-man", "-Tascii", "-P-cbou", "mock-sse.1"]);
    let (code, out, err) = said(&finish(groff));
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(
        out.contains("mock-sse play [OPTIONS] <FILE_OR_FOLDER> <PATH>"),
        "{out}"
    );
}

//! `mock-sse man`: one manual page for all commands, made of the same definitions as `--help`.

use std::io;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use super::output::{FAILED, complain, say};

/// Which apostrophe there is. Whatever is rendered begins with it; a page needs it once.
const PREAMBLE: &str = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";

pub(super) fn run() -> u8 {
    match page(super::command()) {
        Ok(page) => {
            say(page.trim_end());
            0
        }
        Err(error) => {
            complain(format_args!("error: cannot write the manual page: {error}"));
            FAILED
        }
    }
}

/// The page, for `man`.
fn page(command: Command) -> io::Result<String> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let man = Man::new(command.clone());
    let mut page = PREAMBLE.to_owned() + &rendered(|out| man.render_title(out))?;
    page += &rendered(|out| man.render_name_section(out))?;
    page += &synopsis(&mut command.clone(), "SH")?;
    page += &rendered(|out| man.render_description_section(out))?;
    page += &options(&man)?;
    page += &after(&command, "SH")?;
    for sub in command.get_subcommands() {
        page += &part(sub)?;
    }
    Ok(page.chars().map(ascii).collect())
}

/// A character as every troff reads it.
fn ascii(c: char) -> String {
    match c.is_ascii() {
        true => c.to_string(),
        false => format!("\\[u{:04X}]", u32::from(c)),
    }
}

/// What the page says about one command.
fn part(command: &Command) -> io::Result<String> {
    let mut head = Roff::new();
    head.control("SH", [command.get_bin_name().unwrap_or_default()]);
    for paragraph in described(command).split("\n\n") {
        head.control("PP", []).text([roman(paragraph)]);
    }
    let mut part = rendered(|out| head.to_writer(out))? + &synopsis(&mut command.clone(), "SS")?;
    // They stand at the top of the page: without a command it serves.
    if command.get_name() != "serve" {
        part += &demoted(&options(&Man::new(command.clone()))?);
        part += &after(command, "SS")?;
    }
    Ok(part)
}

fn described(command: &Command) -> String {
    let about = command.get_long_about().or_else(|| command.get_about());
    about.map(ToString::to_string).unwrap_or_default()
}

/// How it is called, as `--help` says it.
fn synopsis(command: &mut Command, level: &str) -> io::Result<String> {
    let usage = command.render_usage().to_string();
    let lines: Vec<&str> = usage.lines().map(str::trim).collect();
    let lines: Vec<&str> = lines
        .iter()
        .map(|line| line.trim_start_matches("Usage: "))
        .collect();
    verbatim(level, "SYNOPSIS", &lines)
}

/// All options; those under headings of their own below the others.
fn options(man: &Man) -> io::Result<String> {
    let text = rendered(|out| man.render_options_section(out))?;
    Ok(match text.split_once("\n.SH ") {
        Some((first, others)) => format!("{first}\n.SS {}", demoted(others)),
        None => text,
    })
}

fn demoted(text: &str) -> String {
    match text.strip_prefix(".SH ") {
        Some(rest) => format!(".SS {rest}"),
        None => text.to_owned(),
    }
    .replace("\n.SH ", "\n.SS ")
}

/// What `--help` says behind the options: each part has a line of its own as its heading.
fn after(command: &Command, level: &str) -> io::Result<String> {
    let text = command.get_after_help().map(ToString::to_string);
    let text = text.unwrap_or_default();
    let parts = text.split("\n\n").filter_map(|part| part.split_once(":\n"));
    parts
        .map(|(heading, lines)| {
            let lines: Vec<&str> = lines.lines().map(str::trim_end).collect();
            verbatim(level, &heading.to_uppercase(), &lines)
        })
        .collect()
}

/// A section whose lines stay lines.
fn verbatim(level: &str, heading: &str, lines: &[&str]) -> io::Result<String> {
    let mut roff = Roff::new();
    roff.control(level, [heading]).control("nf", []);
    for line in lines {
        roff.text([roman(*line)]);
    }
    roff.control("fi", []);
    rendered(|out| roff.to_writer(out))
}

fn rendered(render: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> io::Result<String> {
    let mut out = Vec::new();
    render(&mut out)?;
    let text = String::from_utf8(out).map_err(io::Error::other)?;
    Ok(text.replace(PREAMBLE, ""))
}

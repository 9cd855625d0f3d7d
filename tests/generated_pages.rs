//! docs/reference/ is made of what the program says of itself. `UPDATE_GOLDEN=1` writes it anew.

mod support;

use std::fmt::Write as _;
use std::fs;

use clap::{Arg, Command};
use serde_json::Value as Json;
use support::{repo, serve_in};

fn hold(page: &str, made: &str) {
    let path = repo("docs/reference").join(page);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, made).unwrap();
    }
    let shown = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        shown == made,
        "docs/reference/{page} is not what the program says: UPDATE_GOLDEN=1 cargo test --test generated_pages"
    );
}

fn command() -> Command {
    let mut command = mock_sse::cli::command().disable_help_subcommand(true);
    command.build();
    command
}

/// Text in a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ").replace('<', "&lt;")
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

/// `-p`, `--port PORT`
fn flag(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default().join(" ");
    let names = match arg.get_action().takes_values() {
        true => names,
        false => String::new(),
    };
    let more = match arg.get_num_args().is_some_and(|n| n.max_values() > 1) {
        true => "…",
        false => "",
    };
    let short = arg.get_short().map(|short| code(&format!("-{short}")));
    let long = arg
        .get_long()
        .map(|long| code(format!("--{long} {names}{more}").trim()));
    match arg.is_positional() {
        true => code(&format!("{names}{more}")),
        false => short.into_iter().chain(long).collect::<Vec<_>>().join(", "),
    }
}

/// What it is for, and the words that it takes.
fn meaning(arg: &Arg) -> String {
    let help = arg.get_help().or(arg.get_long_help()).map(ToString::to_string);
    let mut meaning = cell(&help.unwrap_or_default());
    if arg.get_action().takes_values() {
        for value in arg.get_possible_values() {
            let _ = match value.get_help() {
                Some(help) => write!(
                    meaning,
                    "<br>{}: {}",
                    code(value.get_name()),
                    cell(&help.to_string())
                ),
                None => write!(meaning, "<br>{}", code(value.get_name())),
            };
        }
    }
    meaning
}

fn row(arg: &Arg) -> String {
    let defaults: Vec<String> = arg
        .get_default_values()
        .iter()
        .map(|value| code(&value.to_string_lossy()))
        .collect();
    let defaults = match arg.get_action().takes_values() {
        true => defaults.join(", "),
        false => String::new(),
    };
    let variable = arg
        .get_env()
        .map(|name| code(&name.to_string_lossy()))
        .unwrap_or_default();
    format!("| {} | {defaults} | {variable} | {} |\n", flag(arg), meaning(arg))
}

/// The arguments in tables, one under each heading.
fn tables(command: &Command) -> String {
    let shown = |arg: &&Arg| !arg.is_hide_set() && !matches!(arg.get_id().as_str(), "help" | "version");
    let mut headings: Vec<Option<&str>> = vec![None];
    for arg in command.get_arguments().filter(shown) {
        if !headings.contains(&arg.get_help_heading()) {
            headings.push(arg.get_help_heading());
        }
    }
    let mut out = String::new();
    for heading in headings {
        let args = command
            .get_arguments()
            .filter(shown)
            .filter(|arg| arg.get_help_heading() == heading);
        let rows: String = args.map(row).collect();
        if !rows.is_empty() {
            let heading = heading
                .map(|heading| format!("**{heading}**\n\n"))
                .unwrap_or_default();
            let _ = write!(
                out,
                "\n{heading}| | Default | Variable | |\n|---|---|---|---|\n{rows}"
            );
        }
    }
    out
}

/// Everything about one command.
fn section(command: &Command) -> String {
    let mut out = String::new();
    let name = command.get_bin_name().unwrap_or("mock-sse");
    let about = command
        .get_long_about()
        .or(command.get_about())
        .unwrap()
        .to_string();
    let usage = command.clone().render_usage().to_string();
    let usage: Vec<&str> = usage
        .lines()
        .map(|line| line.trim_start_matches("Usage:").trim())
        .collect();
    let stop = if about.ends_with('.') { "" } else { "." };
    let _ = write!(
        out,
        "\n## {name}\n\n{about}{stop}\n\n```text\n{}\n```\n",
        usage.join("\n")
    );
    if command.get_name() == "serve" {
        out += "\nIt takes the options of `mock-sse` itself, which serves as well.\n";
        return out;
    }
    out += &tables(command);
    if let Some(after) = command.get_after_help() {
        let examples = after.to_string();
        let examples = examples
            .split("\n\n")
            .find_map(|part| part.strip_prefix("Examples:\n"));
        let lines = examples.unwrap_or_default().lines().map(str::trim);
        let _ = write!(out, "\n```text\n{}\n```\n", lines.collect::<Vec<_>>().join("\n"));
    }
    out
}

#[test]
fn the_command_line_is_the_one_that_help_shows() {
    let command = command();
    let mut page = String::from(
        "# The command line\n\n\
         What `mock-sse help COMMAND` says, made of the same definitions; `mock-sse man` prints it as a manual page.\n\n\
         A variable does what its flag does; the flag wins. Exit codes: 0 fine, 1 the check or the expectation failed,\n\
         2 wrong usage. More about two of the commands: [`play`](../play.md), [`record`](../record.md).\n",
    );
    page += &section(&command);
    command
        .get_subcommands()
        .for_each(|command| page += &section(command));
    hold("command-line.md", &page);
}

/// A line as a shell splits it, as far as examples need it.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (n, part) in line.split('\'').enumerate() {
        match n % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}

#[test]
fn the_examples_in_help_are_commands_that_there_are() {
    let command = command();
    let mut count = 0;
    for described in std::iter::once(&command).chain(command.get_subcommands()) {
        let after = described
            .get_after_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        for line in after.lines() {
            let Some(at) = line.find("mock-sse ") else {
                continue;
            };
            // What is said about it stands behind some spaces; a shell takes what is behind its signs.
            let example = line[at..].split("   ").next().unwrap();
            let example = example.split(['>', ')']).next().unwrap();
            let example = example.split(" | ").next().unwrap();
            let parsed = command.clone().try_get_matches_from(words(example));
            assert!(parsed.is_ok(), "{example}: {}", parsed.unwrap_err());
            count += 1;
        }
    }
    assert!(count > 10, "only {count} examples");
}

/// The names of a body's members.
fn members(document: &Json, operation: &Json) -> Vec<String> {
    let content = operation["requestBody"]["content"].as_object();
    let schemas = content.into_iter().flatten().map(|(_, media)| &media["schema"]);
    let resolved = schemas.map(|schema| {
        let name = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next());
        name.map_or(schema, |name| &document["components"]["schemas"][name])
    });
    let properties = resolved.filter_map(|schema| schema["properties"].as_object());
    properties
        .flat_map(|all| all.keys().map(|key| code(key)))
        .collect()
}

#[test]
fn the_paths_are_those_of_the_openapi_document() {
    let server = serve_in(tempfile::tempdir().unwrap(), &["--no-tls"]);
    let document: Json = serde_json::from_str(&server.get("/__mock/openapi.json").body).unwrap();
    let mut page = String::from(
        "# The paths of the control API\n\n\
         Made of what `GET /__mock/openapi.json` says. [The control API](../control.md) explains them, with examples.\n\n\
         | | Query | Body | |\n|---|---|---|---|\n",
    );
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let query: Vec<String> = parameters
                .filter(|parameter| parameter["in"] == "query")
                .map(|parameter| code(parameter["name"].as_str().unwrap()))
                .collect();
            let _ = writeln!(
                page,
                "| `{} {path}` | {} | {} | {} |",
                method.to_uppercase(),
                query.join(", "),
                members(&document, operation).join(", "),
                cell(operation["summary"].as_str().unwrap())
            );
        }
    }
    hold("control-paths.md", &page);
}

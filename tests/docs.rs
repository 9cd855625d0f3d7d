//! The pages below docs/: what they say to run prints what they show, their scenarios load, their links lead
//! somewhere, and all of them are in the book.

mod page;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use page::{Block, Shell, anchors, blocks, prose, serves};
use support::repo;

/// All pages, by their paths below docs/.
fn pages() -> Vec<String> {
    fn below(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => below(&path, found),
                false => found.push(path),
            }
        }
    }
    let mut found = Vec::new();
    below(&repo("docs"), &mut found);
    let docs = repo("docs");
    let names = found
        .iter()
        .map(|path| path.strip_prefix(&docs).unwrap().to_str().unwrap());
    let mut pages: Vec<String> = names
        .filter(|name| name.ends_with(".md") && *name != "SUMMARY.md")
        .map(str::to_owned)
        .collect();
    pages.sort();
    pages
}

fn read(page: &str) -> String {
    fs::read_to_string(repo("docs").join(page)).unwrap()
}

/// What no test can run: programs that build, install or need another machine.
const ELSEWHERE: &[&str] = &["cargo", "docker", "benches/peers/run", "scripts/instructions"];

/// One page, done from its top to its end, as a reader does it.
struct Reading {
    page: String,
    folder: tempfile::TempDir,
    shell: Shell,
    wrong: Vec<String>,
    /// What the page should show instead.
    anew: Vec<(std::ops::Range<usize>, String)>,
}

impl Reading {
    fn of(page: &str, all: &[Block]) -> Reading {
        let folder = tempfile::tempdir().unwrap();
        let reading = Reading {
            page: page.to_owned(),
            shell: Shell::new(folder.path()),
            folder,
            wrong: Vec::new(),
            anew: Vec::new(),
        };
        // A scenario may include one that the page shows further down.
        all.iter().rev().for_each(|block| reading.write(block));
        reading
    }

    fn write(&self, block: &Block) {
        if let Some(name) = block.name() {
            fs::write(self.folder.path().join(name), &block.text).unwrap();
        }
    }

    fn done(&mut self, block: &Block, all: &[Block]) {
        self.write(block);
        match (block.language.as_str(), block.mark.as_str()) {
            // tests/reference.rs loads them, and makes whole what is none.
            ("yaml", _) if self.page == "language.md" => {}
            ("yaml", "") => self.scenario(block),
            ("yaml", "fragment") => self.fragment(block, all),
            ("sh", "") if block.name().is_some() => {}
            ("sh", "") => self.script(block),
            ("sh", "ignore") => self.ignored(block),
            ("console", "") => self.console(block),
            ("js", "") => self.parses(block, "js", "node --check"),
            ("python", "") => self.parses(block, "py", "python3 -m py_compile"),
            ("text" | "json" | "html", "") => {}
            (language, mark) => self.wrong.push(format!("what is a `{language},{mark}`?")),
        }
    }

    /// A file of the page is right, or is called broken.
    fn scenario(&mut self, block: &Block) {
        let name = block.name().unwrap_or("scenario-without-a-name.yaml");
        fs::write(self.folder.path().join(name), &block.text).unwrap();
        let (said, code) = self.shell.run(&format!("mock-sse check {name}"));
        if (code == 0) == name.starts_with("broken") {
            self.wrong.push(format!("{name}:\n{said}"));
        }
    }

    /// Its lines stand in a scenario of the page.
    fn fragment(&mut self, block: &Block, all: &[Block]) {
        let whole = all
            .iter()
            .filter(|other| other.language == "yaml" && other.mark.is_empty());
        let lines: BTreeSet<&str> = whole
            .flat_map(|other| other.text.lines().map(str::trim))
            .collect();
        for line in block.text.lines().filter(|line| !lines.contains(line.trim())) {
            self.wrong.push(format!("no scenario of the page has: {line}"));
        }
    }

    /// Commands without output: servers go on, all else succeeds.
    fn script(&mut self, block: &Block) {
        let mut script = String::new();
        for line in block.lines() {
            let bare = line.split(" #").next().unwrap().trim();
            if serves(bare) {
                self.shell.serve(bare);
            } else {
                script += &(line + "\n");
            }
        }
        let (said, code) = self.shell.run(&format!("(set -e\n{script})"));
        if code != 0 {
            self.wrong.push(format!("{script}exits with {code}:\n{said}"));
        }
    }

    fn ignored(&mut self, block: &Block) {
        let lines = block.lines();
        let first = |line: &String| {
            line.split(' ')
                .next()
                .is_some_and(|word| ELSEWHERE.contains(&word))
        };
        if !lines.iter().all(first) && !block.text.contains("example.com") {
            self.wrong.push(format!("a test can run this: {}", block.text));
        }
    }

    fn console(&mut self, block: &Block) {
        let mut real = String::new();
        for line in block.lines() {
            let Some(command) = line.strip_prefix("$ ") else {
                continue;
            };
            let said = match serves(command) {
                true => {
                    self.shell.serve(command);
                    String::new()
                }
                false => self.shell.run(command).0,
            };
            real += &format!("$ {command}\n{said}");
        }
        if timeless(&real) != timeless(&block.text) {
            self.wrong
                .push(format!("it shows\n{}\nbut there comes\n{real}", block.text));
            self.anew.push((block.at.clone(), real));
        }
    }

    fn parses(&mut self, block: &Block, ending: &str, checker: &str) {
        let (unnamed, text) = (format!("without-a-name.{ending}"), &block.text);
        let name = block.name().unwrap_or(&unnamed);
        fs::write(self.folder.path().join(name), text).unwrap();
        let (said, code) = self.shell.run(&format!("{checker} {name}"));
        if code != 0 {
            self.wrong.push(said);
        }
    }
}

/// Without what differs each time: other ports, dates, and when a request came by real time.
fn timeless(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let line = replaced(line, "127.0.0.1:", "50000");
        let line = replaced(&line, "\"idle_ms\":", "12.5");
        let line = replaced(&line, "bytes in ", "0.4");
        if line.trim_start().starts_with('#') {
            let words = line.split_whitespace().map(|word| match duration(word) {
                true => "TIME",
                false => word,
            });
            out += &words.collect::<Vec<_>>().join(" ");
        } else if line.to_lowercase().starts_with("date: ") {
            out += "date";
        } else {
            out += &line;
        }
        out.push('\n');
    }
    out
}

fn duration(word: &str) -> bool {
    let number = word
        .trim_end_matches(',')
        .trim_end_matches("ms")
        .trim_end_matches('s');
    word.contains('s') && number.parse::<f64>().is_ok()
}

/// The number behind each `mark`, replaced.
fn replaced(text: &str, mark: &str, by: &str) -> String {
    let mut parts = text.split(mark);
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        out += &format!("{mark}{by}{rest}");
    }
    out
}

/// What is wrong with a page. `UPDATE_GOLDEN=1` writes its outputs anew.
fn what_is_wrong_with(page: &str) -> Vec<String> {
    let mut text = read(page);
    let all = blocks(&text);
    let mut reading = Reading::of(page, &all);
    all.iter().for_each(|block| reading.done(block, &all));
    if std::env::var_os("UPDATE_GOLDEN").is_some() && !reading.anew.is_empty() {
        let anew = std::mem::take(&mut reading.anew);
        for (at, real) in anew.into_iter().rev() {
            text.replace_range(at, &real);
        }
        fs::write(repo("docs").join(page), text).unwrap();
        reading.wrong.retain(|wrong| !wrong.starts_with("it shows\n"));
    }
    reading.wrong
}

#[test]
fn what_the_pages_say_to_run_does_what_they_show() {
    let pages = pages();
    assert!(pages.len() >= 10);
    // A few at a time: what clients do on these pages takes the time it takes.
    let next = std::sync::atomic::AtomicUsize::new(0);
    let read = || {
        let mut wrong = Vec::new();
        while let Some(page) = pages.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
            let said = what_is_wrong_with(page);
            wrong.extend(said.into_iter().map(|wrong| format!("docs/{page}: {wrong}")));
        }
        wrong
    };
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..3).map(|_| scope.spawn(read)).collect();
        readers
            .into_iter()
            .flat_map(|reader| reader.join().unwrap())
            .collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Where the repository's files can be read.
const HOME: &str = "https://github.com/mock-sse/mock-sse/";

/// The targets of all links in a page.
fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    let targets = prose
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    targets.map(str::to_owned).collect()
}

/// Why a link of this page (a path of the repository) leads nowhere.
fn broken(page: &str, target: &str) -> Option<String> {
    if let Some(rest) = target.strip_prefix(HOME) {
        let path = rest
            .strip_prefix("blob/main/")
            .or(rest.strip_prefix("tree/main/"));
        let path = path.filter(|path| !repo(path).exists())?;
        return Some(format!("{page}: there is no {path}"));
    }
    if target.starts_with("https://") {
        return None;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let to = match path {
        "" => repo(page),
        path => repo(page).parent().unwrap().join(path),
    };
    let Ok(to) = to.canonicalize() else {
        return Some(format!("{page}: there is no {target}"));
    };
    // In the book there is nothing else.
    if page.starts_with("docs/") && !to.starts_with(repo("docs").canonicalize().unwrap()) {
        return Some(format!(
            "{page}: {target} is not in docs/; link to {HOME}blob/main/…"
        ));
    }
    let found = anchor.is_empty()
        || anchors(&fs::read_to_string(&to).ok()?)
            .iter()
            .any(|a| a == anchor);
    (!found).then(|| format!("{page}: no heading is #{anchor} in {target}"))
}

#[test]
fn links_lead_somewhere() {
    let docs = pages().into_iter().map(|page| format!("docs/{page}"));
    let others = [
        "README.md",
        "docs/SUMMARY.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
    ];
    let mut count = 0;
    let mut wrong = Vec::new();
    for page in docs.chain(others.map(str::to_owned)) {
        let links = links(&fs::read_to_string(repo(&page)).unwrap());
        count += links.len();
        wrong.extend(links.iter().filter_map(|target| broken(&page, target)));
    }
    assert!(count > 100, "only {count} links");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_page_is_in_the_book_once() {
    let mut listed = links(&fs::read_to_string(repo("docs/SUMMARY.md")).unwrap());
    listed.sort();
    assert_eq!(
        listed,
        pages(),
        "docs/SUMMARY.md lists other pages than there are"
    );
}

#[test]
fn the_variables_of_the_image_are_those_of_the_dockerfile() {
    let dockerfile = fs::read_to_string(repo("Dockerfile")).unwrap();
    let (_, rest) = dockerfile.split_once("\nENV ").unwrap();
    let words = rest[..rest.find("\nEXPOSE").unwrap()].split_whitespace();
    let set: BTreeSet<String> = words.filter(|word| *word != "\\").map(str::to_owned).collect();
    let page = read("howto/docker.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let shown = rows.map(|row| row.split('`').step_by(2).take(2).collect::<Vec<_>>().join("="));
    assert_eq!(shown.collect::<BTreeSet<_>>(), set);
}

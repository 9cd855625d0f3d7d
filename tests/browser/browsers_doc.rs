//! `docs/browsers.md`: what the engines were seen to do. Each test checks its own column of its own section, or with
//! `UPDATE_GOLDEN=1` writes it.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value, json};

use crate::engine::Engine;
use crate::support::repo;

const DOC: &str = "docs/browsers.md";
const COLUMNS: [Engine; 3] = [Engine::Chromium, Engine::Firefox, Engine::WebKit];

/// What was learnt: questions, each with its answer.
#[derive(Default)]
pub struct Answers(Vec<(String, Answer)>);

enum Answer {
    Is(String),
    /// Seconds. Machines that are busy take longer; less would be another answer.
    AtLeast(f64),
}

impl Answers {
    pub fn is(&mut self, question: impl Into<String>, answer: impl ToString) {
        self.0.push((question.into(), Answer::Is(answer.to_string())));
    }

    pub fn at_least(&mut self, question: impl Into<String>, seconds: f64) {
        self.0.push((question.into(), Answer::AtLeast(seconds)));
    }

    /// What does not fit to what is written, question by question.
    fn differ(&self, written: &[(String, String)]) -> Vec<String> {
        let mut wrong = Vec::new();
        for (question, answer) in &self.0 {
            let cell = written.iter().find(|(q, _)| q == question).map(|(_, cell)| cell);
            if !cell.is_some_and(|cell| answer.fits(cell)) {
                wrong.push(format!("{question}: {}, not {cell:?}", answer.cell()));
            }
        }
        for (question, _) in written {
            if !self.0.iter().any(|(q, _)| q == question) {
                wrong.push(format!("{question}: nobody asks any more"));
            }
        }
        wrong
    }
}

impl Answer {
    fn fits(&self, cell: &str) -> bool {
        match self {
            Answer::Is(answer) => answer == cell,
            Answer::AtLeast(seconds) => cell
                .strip_suffix(" s")
                .and_then(|cell| cell.parse::<f64>().ok())
                .is_some_and(|least| *seconds >= least * 0.98),
        }
    }

    fn cell(&self) -> String {
        match self {
            Answer::Is(answer) => answer.clone(),
            Answer::AtLeast(seconds) => format!("{} s", (seconds * 2.0).round() / 2.0),
        }
    }
}

/// Checks what an engine was seen to do against the document, and keeps it as JSON below the build's folder.
pub fn compare(engine: Engine, version: &str, section: &str, answers: &Answers) {
    keep(engine, version, section, answers);
    // Tests run side by side.
    static DOCUMENT: Mutex<()> = Mutex::new(());
    let _turn = DOCUMENT.lock().unwrap_or_else(PoisonError::into_inner);
    let mut doc = Doc::read();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        doc.write(engine, section, answers);
        fs::write(repo(DOC), doc.text()).unwrap();
        return;
    }
    let wrong = answers.differ(&doc.column(engine, section));
    assert!(
        wrong.is_empty(),
        "{} {version} differs from {DOC} (UPDATE_GOLDEN=1 writes it anew), section {section:?}:\n{}",
        engine.name(),
        wrong.join("\n")
    );
}

fn keep(engine: Engine, version: &str, section: &str, answers: &Answers) {
    let all: Map<String, Value> = answers
        .0
        .iter()
        .map(|(question, answer)| match answer {
            Answer::Is(answer) => (question.clone(), json!(answer)),
            Answer::AtLeast(seconds) => (question.clone(), json!(seconds)),
        })
        .collect();
    let seen = json!({ "engine": engine.name(), "version": version, "section": section, "answers": all });
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("browsers")
        .join(engine.name());
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(format!("{section}.json")), format!("{seen:#}\n")).unwrap();
}

/// The titles of its sections that have a table.
pub fn sections() -> Vec<String> {
    let with_table = Doc::read().sections.into_iter().filter(|s| !s.rows.is_empty());
    with_table.map(|section| section.title).collect()
}

#[derive(Default)]
struct Section {
    title: String,
    /// What stands above the table.
    prose: String,
    rows: Vec<[String; 4]>,
}

/// An introduction, and sections of prose with a table each.
struct Doc {
    introduction: String,
    sections: Vec<Section>,
}

impl Doc {
    fn read() -> Doc {
        let text = fs::read_to_string(repo(DOC)).unwrap();
        let mut parts = text.split("\n## ");
        let introduction = parts.next().unwrap().trim_end().to_owned();
        let sections = parts.map(section).collect();
        Doc {
            introduction,
            sections,
        }
    }

    fn column(&self, engine: Engine, title: &str) -> Vec<(String, String)> {
        let section = self.sections.iter().find(|section| section.title == title);
        let rows = section.map_or(&[][..], |section| &section.rows);
        let at = column(engine);
        rows.iter().map(|row| (row[0].clone(), row[at].clone())).collect()
    }

    /// Replaces a column, in the order of the answers.
    fn write(&mut self, engine: Engine, title: &str, answers: &Answers) {
        if !self.sections.iter().any(|section| section.title == title) {
            self.sections.push(Section {
                title: title.to_owned(),
                ..Section::default()
            });
        }
        let place = |section: &Section| crate::SECTIONS.iter().position(|title| *title == section.title);
        self.sections.sort_by_key(place);
        let mut of = self.sections.iter_mut();
        let section = of.find(|section| section.title == title).unwrap();
        let before = std::mem::take(&mut section.rows);
        for (question, answer) in &answers.0 {
            let old = before.iter().find(|row| row[0] == *question);
            let mut row = old.cloned().unwrap_or_default();
            row[0].clone_from(question);
            let cell = &mut row[column(engine)];
            if cell.is_empty() || !answer.fits(cell) {
                *cell = answer.cell();
            }
            section.rows.push(row);
        }
    }

    fn text(&self) -> String {
        let mut text = format!("{}\n", self.introduction);
        for section in &self.sections {
            write!(text, "\n## {}\n\n", section.title).unwrap();
            if !section.prose.is_empty() {
                write!(text, "{}\n\n", section.prose).unwrap();
            }
            if section.rows.is_empty() {
                text.truncate(text.trim_end().len());
                text.push('\n');
                continue;
            }
            let names = COLUMNS.map(Engine::name).join(" | ");
            write!(text, "| | {names} |\n|---|---|---|---|\n").unwrap();
            for row in &section.rows {
                writeln!(text, "| {} |", row.join(" | ")).unwrap();
            }
        }
        text
    }
}

fn column(engine: Engine) -> usize {
    1 + COLUMNS.iter().position(|column| *column == engine).unwrap()
}

fn section(text: &str) -> Section {
    let (title, rest) = text.split_once('\n').unwrap_or((text, ""));
    let is_table = |line: &&str| line.starts_with('|');
    let prose: Vec<&str> = rest.lines().filter(|line| !is_table(line)).collect();
    let rows = rest.lines().filter(is_table).skip(2).map(|line| {
        let cells = line.trim_start_matches("| ").trim_end_matches(" |");
        let cells: Vec<String> = cells.split(" | ").map(str::to_owned).collect();
        cells.try_into().expect("four cells")
    });
    Section {
        title: title.to_owned(),
        prose: prose.join("\n").trim().to_owned(),
        rows: rows.collect(),
    }
}

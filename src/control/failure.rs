//! Why a command was not carried out, and what to do about it.

use serde::Serialize;

use crate::engine::sessions::NoSession;
use crate::scenario::diagnostic::Diagnostic;

/// Why a command was not carried out. Every text says what to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Failure {
    /// The command cannot be understood.
    Invalid(String),
    /// What it is about is not there.
    Missing(String),
    /// It cannot be carried out as things are.
    Conflict(String),
    /// What was waited for did not come in time.
    TooLate(String),
    /// The scenario is broken; nothing has changed.
    Broken(Vec<Finding>),
    /// The session cannot be had.
    NoSession(NoSession),
}

impl Failure {
    /// The status of an answer that says so.
    pub fn status(&self) -> u16 {
        match self {
            Failure::Invalid(_) => 400,
            Failure::Missing(_) => 404,
            Failure::Conflict(_) => 409,
            Failure::Broken(_) => 422,
            Failure::TooLate(_) => 504,
            Failure::NoSession(no) => no.status(),
        }
    }

    /// In a sentence.
    pub fn detail(&self) -> String {
        match self {
            Failure::Invalid(why)
            | Failure::Missing(why)
            | Failure::Conflict(why)
            | Failure::TooLate(why) => why.clone(),
            Failure::Broken(findings) => {
                let errors = findings.iter().filter(|f| f.severity == "error").count();
                let (s, first) = (if errors == 1 { "" } else { "s" }, findings.first());
                let first = first.map_or(String::new(), |f| format!(": {}", f.message));
                format!("the scenario has {errors} error{s}, so nothing has changed{first}")
            }
            Failure::NoSession(no) => no.to_string(),
        }
    }
}

impl From<NoSession> for Failure {
    fn from(no: NoSession) -> Failure {
        Failure::NoSession(no)
    }
}

/// Something that is wrong with a scenario, or looks so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Finding {
    /// `error` or `warning`.
    #[cfg_attr(test, schemars(extend("enum" = ["error", "warning"])))]
    pub severity: String,
    /// What.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The file's name.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// As `mock-sse check` shows it.
    pub rendered: String,
}

impl From<&Diagnostic> for Finding {
    fn from(diagnostic: &Diagnostic) -> Finding {
        let (line, column) = diagnostic.span.position();
        let severity = match diagnostic.severity {
            crate::scenario::diagnostic::Severity::Error => "error",
            crate::scenario::diagnostic::Severity::Warning => "warning",
        };
        Finding {
            severity: severity.to_owned(),
            message: diagnostic.message.clone(),
            hint: diagnostic.hint.clone(),
            file: diagnostic.span.source.name.clone(),
            line,
            column,
            rendered: diagnostic.render(false),
        }
    }
}

/// All of them.
pub(super) fn findings(diagnostics: &[Diagnostic]) -> Vec<Finding> {
    diagnostics.iter().map(Finding::from).collect()
}

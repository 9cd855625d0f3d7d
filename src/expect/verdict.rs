//! What a judge says.

use super::Line;

/// What is known of an expectation, or of all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// All that is wanted has happened, and nothing forbidden has.
    Met,
    /// For good.
    Failed,
    /// Not yet decided.
    Open,
}

/// What became of one expectation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Its place in the scenario, from 1.
    pub number: usize,
    /// Its name.
    pub name: Option<String>,
    /// What is expected, in one sentence.
    pub sentence: String,
    /// What is known.
    pub state: State,
    /// Of what failed or is open: the part of it that is not met.
    pub expected: Option<String>,
    /// And what came instead, or so far.
    pub came: Option<String>,
    /// The client it is about, if there may be several.
    pub client: Option<String>,
    /// The requests that show it, in order of arrival; of many the last ones.
    pub lines: Vec<Line>,
}

/// What became of all expectations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Each of them, in the scenario's order.
    pub expectations: Vec<Judged>,
}

impl Verdict {
    /// Met if all are met, failed if any has failed.
    pub fn state(&self) -> State {
        let any = |state| self.expectations.iter().any(|judged| judged.state == state);
        match (any(State::Failed), any(State::Open)) {
            (true, _) => State::Failed,
            (false, true) => State::Open,
            (false, false) => State::Met,
        }
    }

    /// Whether it is passed or failed, and will stay so unless more comes that is forbidden.
    pub fn decided(&self) -> bool {
        self.state() != State::Open
    }

    /// `passed`, `failed` or `open`.
    pub fn word(&self) -> &'static str {
        match self.state() {
            State::Met => "passed",
            State::Failed => "failed",
            State::Open => "open",
        }
    }
}

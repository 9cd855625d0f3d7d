//! `serve --verify`: what the clients did, held against what the scenario expects, as the exit code.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::output::{FAILED, USAGE, complain, say};
use crate::app::Running;
use crate::engine::Engine;
use crate::expect::{State, Verdict, report};
use crate::scenario::Scenario;

#[derive(Debug, Args)]
#[command(next_help_heading = "Verdict")]
pub struct VerifyArgs {
    /// At the end, print whether the clients did what the scenario expects; exit with 1 if they did not
    #[arg(long, env = "MOCK_SSE_VERIFY", value_parser = clap::builder::FalseyValueParser::new())]
    pub(super) verify: bool,
    /// The same, and end as soon as it is decided (in the session without a name)
    #[arg(long, env = "MOCK_SSE_UNTIL_VERIFIED", value_parser = clap::builder::FalseyValueParser::new())]
    pub(super) until_verified: bool,
    /// The same, and write it into a file as JUnit XML
    #[arg(long, env = "MOCK_SSE_JUNIT", value_name = "FILE")]
    pub(super) junit: Option<PathBuf>,
}

/// The verdict on one session.
struct Judged {
    title: String,
    verdict: Verdict,
}

impl VerifyArgs {
    /// Whether anything is to be verified.
    fn wanted(&self) -> bool {
        self.verify || self.until_verified || self.junit.is_some()
    }

    /// Whether what is wanted can be had.
    ///
    /// # Errors
    ///
    /// The scenario expects nothing.
    pub(super) fn check(&self, scenario: &Scenario) -> Result<(), String> {
        if self.wanted() && scenario.expect.is_empty() {
            let why = "there is nothing to verify: say under `expect` what the client should do";
            return Err(why.into());
        }
        Ok(())
    }

    /// Waits until the verdict is decided; for ever if nobody wants to know.
    pub(super) async fn decided(&self, running: &Running) {
        if !self.until_verified {
            return std::future::pending().await;
        }
        let mut renewed = running.sessions.renewed();
        loop {
            let main = running.engine();
            tokio::select! {
                _ = main.witness.decided() => return,
                _ = renewed.changed() => {}
            }
        }
    }

    /// Says what became of the expectations; answers with the exit code.
    pub(super) fn conclude(&self, running: &Running) -> u8 {
        if !self.wanted() {
            return 0;
        }
        let judged = judge(running);
        if judged.is_empty() {
            say("nothing to verify: every session that was used has been deleted");
        }
        for Judged { title, verdict } in &judged {
            if judged.len() > 1 {
                say(format_args!("{title}\n"));
            }
            say(report::text(verdict).trim_end());
        }
        if let Some(path) = &self.junit {
            let suites: Vec<_> = judged.iter().map(|j| (j.title.as_str(), &j.verdict)).collect();
            if let Err(error) = std::fs::write(path, report::junit(&suites)) {
                complain(format_args!("error: cannot write {}: {error}", path.display()));
                return USAGE;
            }
        }
        if judged.iter().any(|judged| judged.verdict.expectations.is_empty()) {
            complain(
                "error: there is nothing to verify any more: another scenario is in force, which expects nothing",
            );
            return FAILED;
        }
        match judged.iter().all(|judged| judged.verdict.state() == State::Met) {
            true => 0,
            false => FAILED,
        }
    }
}

/// Every session that has been asked for anything and not been deleted; if none ever was, the one without
/// a name. Who deletes a session has judged it.
fn judge(running: &Running) -> Vec<Judged> {
    let main = running.engine();
    let used = |engine: &Arc<Engine>| engine.witness.journal.arrivals() > 0;
    let mut all: Vec<Arc<Engine>> = std::iter::once(main.clone())
        .chain(running.sessions.named())
        .filter(|engine| used(engine) && engine.witness.expects_something())
        .collect();
    if all.is_empty() && !running.sessions.any_deleted() {
        all.push(main);
    }
    all.iter().map(judged).collect()
}

fn judged(engine: &Arc<Engine>) -> Judged {
    let scenario = engine.catalog.current();
    let scenario = scenario.name.as_deref().unwrap_or("mock-sse");
    Judged {
        title: match &*engine.name {
            "" => scenario.to_owned(),
            name => format!("{scenario}, session {name}"),
        },
        verdict: engine.witness.verdict(true),
    }
}

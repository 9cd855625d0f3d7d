//! What can go wrong in a test, said so that `unwrap` shows it well.

use std::fmt;

use crate::control::Failure;
use crate::expect::{Verdict, report};

/// Why a mock server did not start.
pub enum StartError {
    /// The scenario is broken: all its diagnostics, as `mock-sse check` shows them.
    Scenario(String),
    /// The [`Builder`](super::Builder) was told something that makes no sense.
    Setting(String),
    /// No socket could be bound, or the certificate could not be read.
    Io(std::io::Error),
}

/// Why a command was not carried out, and what to do about it.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// # use mock_sse::MockSse;
/// let mock = MockSse::start("{ topics: { news: {} }, endpoints: [] }").await?;
/// let error = mock.publish("nwes", "hello").unwrap_err();
/// assert!(error.to_string().contains("did you mean `news`?"));
/// # Ok::<_, mock_sse::testing::StartError>(())
/// # }).unwrap();
/// ```
#[derive(Clone, PartialEq)]
pub struct CommandError(pub(super) Failure);

/// The client did not do what the scenario expects: as text it is the report, expectation by
/// expectation, with the requests that show it.
#[derive(Clone, PartialEq, Eq)]
pub struct VerdictError(pub(super) Verdict);

impl CommandError {
    /// What kind of failure it is.
    pub fn failure(&self) -> &Failure {
        &self.0
    }
}

impl VerdictError {
    /// The verdict with all its parts.
    pub fn verdict(&self) -> &Verdict {
        &self.0
    }
}

impl From<Failure> for CommandError {
    fn from(failure: Failure) -> CommandError {
        CommandError(failure)
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Scenario(text) | StartError::Setting(text) => f.write_str(text),
            StartError::Io(error) => write!(f, "cannot listen: {error}"),
        }
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.detail())?;
        if let Failure::Broken(findings) = &self.0 {
            for finding in findings {
                write!(f, "\n{}", finding.rendered.trim_end())?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for VerdictError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(report::text(&self.0).trim_end())
    }
}

/// `unwrap` shows an error's `Debug`: texts of several lines are to stand there as they are.
macro_rules! shown_as_text {
    ($($error:ty),*) => { $(
        impl fmt::Debug for $error {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "\n{self}")
            }
        }

        impl std::error::Error for $error {}
    )* };
}
shown_as_text!(StartError, CommandError, VerdictError);

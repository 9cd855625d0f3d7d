//! Why nothing was recorded.

use std::fmt;

use crate::client::ClientError;

/// A recording that did not come about.
#[derive(Debug)]
pub enum RecordError {
    /// What is asked for cannot be done.
    Usage(String),
    /// No answer came.
    NoAnswer(String),
    /// The files cannot be written any more.
    Write(String),
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(why) | Self::NoAnswer(why) | Self::Write(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for RecordError {}

impl From<ClientError> for RecordError {
    fn from(error: ClientError) -> RecordError {
        match error {
            ClientError::Resolve { .. } | ClientError::Tls { .. } => RecordError::NoAnswer(error.to_string()),
            _ => RecordError::Usage(error.to_string()),
        }
    }
}

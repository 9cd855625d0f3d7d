//! Why a run could not begin. What goes wrong during a run is counted in its report instead.

use std::fmt;

use crate::client::ClientError;

/// A run that cannot begin.
#[derive(Debug)]
pub enum LoadError {
    /// The server cannot be reached.
    Client(ClientError),
    /// A setting that makes no sense.
    Setting { name: &'static str, why: String },
    /// https without a way to trust the server.
    NoTrust,
    /// The streams do not fit in this process's limit of open files.
    TooManyFiles { needed: u64, limit: u64 },
    /// No thread could be started to read in.
    Threads { why: String },
    /// The server's process is not there, or may not be looked at.
    Process { pid: u32, why: String },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(error) => write!(f, "{error}"),
            Self::Setting { name, why } => write!(f, "{name}: {why}"),
            Self::NoTrust => write!(
                f,
                "https needs --ca FILE (the CA that signed the server's certificate) or --insecure"
            ),
            Self::TooManyFiles { needed, limit } => write!(
                f,
                "{needed} open files are needed, but this process may have {limit} at most: raise \
                 it (`ulimit -n {needed}`) or open fewer streams"
            ),
            Self::Threads { why } => write!(f, "no thread can be started to read in: {why}"),
            Self::Process { pid, why } => write!(f, "process {pid} cannot be measured: {why}"),
        }
    }
}

impl std::error::Error for LoadError {}

impl From<ClientError> for LoadError {
    fn from(error: ClientError) -> LoadError {
        LoadError::Client(error)
    }
}

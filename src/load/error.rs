//! Why a run could not begin. What goes wrong during a run is counted in its report instead.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

/// A run that cannot begin.
#[derive(Debug)]
pub enum LoadError {
    /// An address that is no `http://` or `https://` URL.
    Url { url: String, why: String },
    /// The host has no address.
    Resolve { host: String, why: String },
    /// The host is another machine, and that was not allowed.
    NotLoopback { host: String, address: IpAddr },
    /// A setting that makes no sense.
    Setting { name: &'static str, why: String },
    /// https without a way to trust the server.
    NoTrust,
    /// The file of the CA cannot be used.
    Ca { path: PathBuf, why: String },
    /// The streams do not fit in this process's limit of open files.
    TooManyFiles { needed: u64, limit: u64 },
    /// The server's process is not there, or may not be looked at.
    Process { pid: u32, why: String },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url { url, why } => write!(f, "`{url}` is no usable address: {why}"),
            Self::Resolve { host, why } => write!(f, "`{host}` cannot be resolved: {why}"),
            Self::NotLoopback { host, address } => write!(
                f,
                "`{host}` ({address}) is not this machine: a load run against another one must be \
                 allowed with --allow-remote"
            ),
            Self::Setting { name, why } => write!(f, "{name}: {why}"),
            Self::NoTrust => write!(
                f,
                "https needs --ca FILE (the CA that signed the server's certificate) or --insecure"
            ),
            Self::Ca { path, why } => write!(f, "{}: {why}", path.display()),
            Self::TooManyFiles { needed, limit } => write!(
                f,
                "{needed} open files are needed, but this process may have {limit} at most: raise \
                 it (`ulimit -n {needed}`) or open fewer streams"
            ),
            Self::Process { pid, why } => write!(f, "process {pid} cannot be measured: {why}"),
        }
    }
}

impl std::error::Error for LoadError {}

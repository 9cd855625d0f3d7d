//! Why a client cannot even try to connect.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

/// What keeps a client from connecting.
#[derive(Debug)]
pub enum ClientError {
    /// An address that is no `http://` or `https://` URL.
    Url { url: String, why: String },
    /// The host has no address.
    Resolve { host: String, why: String },
    /// The host is another machine, and that was not allowed.
    NotLoopback { host: String, address: IpAddr },
    /// The file of the CA cannot be used.
    Ca { path: PathBuf, why: String },
    /// Nobody can be trusted: TLS cannot be set up, or the system has no CAs.
    Tls { why: String },
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url { url, why } => write!(f, "`{url}` is no usable address: {why}"),
            Self::Resolve { host, why } => write!(f, "`{host}` cannot be resolved: {why}"),
            Self::NotLoopback { host, address } => write!(
                f,
                "`{host}` ({address}) is not this machine: a load run against another one must be \
                 allowed with --allow-remote"
            ),
            Self::Ca { path, why } => write!(f, "{}: {why}", path.display()),
            Self::Tls { why } => write!(f, "TLS: {why}"),
        }
    }
}

impl std::error::Error for ClientError {}

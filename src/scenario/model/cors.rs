//! Cross-origin rules.

use std::time::Duration;

/// One allowed origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OriginRule {
    /// Every origin.
    Any,
    /// One or, with `*`, a part of it: scheme, host and port, compared without case.
    Pattern {
        /// What stands before the wildcard.
        prefix: String,
        /// What stands behind it; `None` without a wildcard.
        suffix: Option<String>,
    },
}

/// Cross-origin rules (Fetch standard, §3.3).
#[derive(Debug, Clone, Default)]
pub struct CorsPolicy {
    /// Who may read.
    pub origins: Vec<OriginRule>,
    /// Whether with credentials.
    pub credentials: bool,
    /// Headers exposed to scripts.
    pub expose: Vec<String>,
    /// How long a preflight may be remembered.
    pub max_age: Duration,
}

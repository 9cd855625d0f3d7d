//! Whether the clients did what the scenario expects.

use serde::Deserialize;

use super::{Failure, Time, in_time};
use crate::engine::Engine;
use crate::expect::Verdict;

/// When it is judged.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Judging {
    /// How long (in real time) to wait until it is decided; without it, it is judged at once.
    pub wait: Option<Time>,
    /// Whether what is not decided by then has failed (usually), or is left open (`false`).
    pub last: Option<bool>,
}

/// The verdict.
///
/// # Errors
///
/// Nothing is expected.
pub async fn verdict(engine: &Engine, wish: &Judging) -> Result<Verdict, Failure> {
    let witness = &engine.witness;
    if !witness.expects_something() {
        let why = "the scenario expects nothing: say under `expect` what the client should do";
        return Err(Failure::Missing(why.into()));
    }
    if let Some(Time(patience)) = wish.wait
        && let Some(verdict) = in_time(patience, witness.decided()).await
    {
        return Ok(verdict);
    }
    Ok(witness.verdict(wish.last.unwrap_or(true)))
}

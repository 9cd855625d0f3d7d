//! Real time, whatever clocks do: for what is no part of any script.

use std::sync::LazyLock;
use std::time::Instant;

use crate::tick::Tick;

/// How long the process has been running, about.
pub fn uptime() -> Tick {
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    BEGAN.elapsed().into()
}

/// Waits until then.
pub async fn real_time(until: Instant) {
    tokio::time::sleep_until(until.into()).await;
}

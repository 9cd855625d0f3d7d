//! An HTTP/2 stream whose client takes nothing. TCP knows nothing of it: the connection may be alive
//! while the client holds the stream's window shut.
//!
//! hyper asks a stream's body for nothing while the window is shut, so that there is no way to end the
//! stream through it. Dropping the task that hyper runs the stream in resets it.

use std::{
    future::Future,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::rt::Executor;
use tokio::{task::AbortHandle, time::Instant};

use super::tcp::{Alarm, millis};

tokio::task_local! {
    static STREAM: Lifeline;
}

/// Bytes for which a slow client gets the whole time once more.
const STRIDE: usize = 4096;

/// Ends the stream it belongs to.
#[derive(Clone, Default)]
pub(crate) struct Lifeline(Arc<OnceLock<AbortHandle>>);

impl Lifeline {
    /// That of the stream whose request is being answered.
    pub(crate) fn current() -> Option<Lifeline> {
        STREAM.try_with(Lifeline::clone).ok()
    }

    fn cut(&self) {
        if let Some(task) = self.0.get() {
            task.abort();
        }
    }
}

/// Runs hyper's stream tasks.
#[derive(Clone)]
pub(crate) struct Spawn;

impl<F> Executor<F> for Spawn
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        let lifeline = Lifeline::default();
        let task = tokio::spawn(STREAM.scope(lifeline.clone(), task));
        let _ = lifeline.0.set(task.abort_handle());
    }
}

/// How long a stream's client may take nothing of what waits for it.
pub(crate) struct Patience {
    /// Milliseconds; 0: for ever. There may be very many streams, and most of them never wait.
    longest: u32,
    lifeline: Option<Lifeline>,
    wait: Option<Box<(Instant, Alarm)>>,
}

impl Patience {
    /// For the stream whose request is being answered.
    pub(crate) fn new(longest: Option<Duration>) -> Patience {
        Patience {
            longest: longest.map_or(0, millis),
            lifeline: Lifeline::current(),
            wait: None,
        }
    }

    /// So many bytes begin to wait.
    pub(crate) fn begin(&mut self, bytes: usize) {
        if self.longest > 0 {
            let longest = Duration::from_millis(self.longest.into());
            let strides = u32::try_from(bytes / STRIDE).unwrap_or(u32::MAX);
            let time = longest.saturating_mul(strides.saturating_add(1));
            let now = Instant::now();
            let due = now.checked_add(time).unwrap_or(now + longest);
            match &mut self.wait {
                Some(wait) => wait.0 = due,
                none => *none = Some(Box::new((due, Alarm::default()))),
            }
        }
    }

    /// Ready once they have waited too long: the stream is reset.
    pub(crate) fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(wait) = &mut self.wait else {
            return Poll::Pending;
        };
        let (due, alarm) = &mut **wait;
        ready!(alarm.poll_over(cx, *due));
        tracing::info!(
            "a client left the window of an HTTP/2 stream shut: it is reset (see --write-timeout)"
        );
        if let Some(lifeline) = &self.lifeline {
            lifeline.cut();
        }
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test]
    async fn a_small_write_behind_a_large_one_waits_no_longer_than_its_own_time() {
        let mut patience = Patience::new(Some(Duration::from_millis(100)));
        // For hours; it is taken after a moment.
        patience.begin(1 << 30);
        assert!(poll_fn(|cx| Poll::Ready(patience.poll_over(cx).is_pending())).await);
        patience.begin(10);
        let over = poll_fn(|cx| patience.poll_over(cx));
        let over = tokio::time::timeout(Duration::from_secs(60), over).await;
        assert!(over.is_ok());
    }
}

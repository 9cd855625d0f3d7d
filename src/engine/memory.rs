//! A sink in memory: what a client would have received.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::sink::{Gone, Sink};
use crate::wire::Frame;

/// Bytes that may wait to be taken out before a write waits, too.
const ROOM: usize = 1 << 20;

/// Collects the bytes of a stream's body.
#[derive(Debug, Clone, Default)]
pub struct MemorySink {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    body: Mutex<Vec<u8>>,
    filled: Notify,
    taken: Notify,
}

impl MemorySink {
    /// Takes out what has been written since the last call.
    pub fn take(&self) -> Vec<u8> {
        let body = std::mem::take(&mut *self.body());
        self.shared.taken.notify_one();
        body
    }

    /// Waits until a write waits for room.
    pub async fn filled(&self) {
        self.shared.filled.notified().await;
    }

    /// Waits until there is room.
    async fn room(&self) {
        while self.body().len() >= ROOM {
            self.shared.filled.notify_one();
            self.shared.taken.notified().await;
        }
    }

    fn body(&self) -> MutexGuard<'_, Vec<u8>> {
        self.shared.body.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for MemorySink {
    async fn write(&mut self, frames: &[Frame]) -> Result<(), Gone> {
        self.room().await;
        let mut body = self.body();
        frames
            .iter()
            .for_each(|frame| body.extend_from_slice(&frame.body()));
        Ok(())
    }

    async fn write_part(&mut self, frame: &Frame, bytes: usize) -> Result<(), Gone> {
        self.room().await;
        let part = frame.body().slice(..bytes.min(frame.len()));
        self.body().extend_from_slice(&part);
        Ok(())
    }

    async fn gone(&mut self) {
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_of_a_frame_is_its_first_bytes() {
        let mut sink = MemorySink::default();
        let frame = Frame::new(b"data: a\n\n");
        sink.write_part(&frame, 4).await.unwrap();
        assert_eq!(sink.take(), b"data");
        sink.write_part(&frame, 99).await.unwrap();
        assert_eq!(sink.take(), b"data: a\n\n");
    }
}

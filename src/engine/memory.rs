//! A sink in memory: what a client would have received.

use std::sync::{Arc, Mutex, PoisonError};

use super::sink::{Gone, Sink};
use crate::wire::Frame;

/// Collects the bytes of a stream's body.
#[derive(Debug, Clone, Default)]
pub struct MemorySink {
    body: Arc<Mutex<Vec<u8>>>,
}

impl MemorySink {
    /// Takes out what has been written since the last call.
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.body.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Sink for MemorySink {
    async fn write(&mut self, frames: &[Frame]) -> Result<(), Gone> {
        let mut body = self.body.lock().unwrap_or_else(PoisonError::into_inner);
        frames
            .iter()
            .for_each(|frame| body.extend_from_slice(&frame.body()));
        Ok(())
    }

    async fn gone(&mut self) {
        std::future::pending().await
    }
}

//! Any frames on a connection of HTTP/2: the next client is served. A frame is its type, its flags, its
//! stream, the length of what it holds, and that.

use super::memory::{Talk, with_server};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";
/// Frames of one run.
const MOST: usize = 64;

pub fn run(bytes: &[u8]) {
    with_server(async |server| {
        let mut talk = Talk::open(server, true);
        talk.send(PREFACE).await;
        let mut rest = bytes;
        for _ in 0..MOST {
            let Some((frame, behind)) = frame(rest) else { break };
            rest = behind;
            talk.send(&frame).await;
        }
        talk.close().await;
    });
}

/// A frame with the length that it says, which may be more than there is.
fn frame(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let ([kind, flags, stream, length], rest) = bytes.split_first_chunk::<4>()?;
    let (held, rest) = rest.split_at(rest.len().min(usize::from(*length)));
    let mut frame = vec![0, 0, *length, *kind, *flags, 0, 0, 0, *stream];
    frame.extend_from_slice(held);
    Some((frame, rest))
}

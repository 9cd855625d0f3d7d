//! Any bytes as HTTP/1.1 requests, however they are cut: what comes back are whole answers, and the
//! next client is served. The first byte says how the others are cut.

use super::memory::{Talk, answers, with_server};

pub fn run(bytes: &[u8]) {
    let Some((cut, bytes)) = bytes.split_first() else {
        return;
    };
    let most = match cut {
        b'0' => bytes.len().max(1),
        // Not too many pieces: each takes time.
        cut => (bytes.len() / 8 + 1).max(usize::from(*cut)),
    };
    with_server(async |server| {
        let mut talk = Talk::open(server, false);
        for piece in bytes.chunks(most) {
            talk.send(piece).await;
        }
        let came = talk.close().await;
        // An answer to HEAD has no body, whatever it says.
        if !bytes.windows(4).any(|word| word == b"HEAD") {
            answers(&came).iter().for_each(|answer| answer.check(""));
        }
    });
}

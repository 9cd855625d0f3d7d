//! A stream that floods: the server writes only what the client takes.

mod transport_toy;
mod wire_toy;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mock_sse::{
    clock::Mode,
    engine::sink::Sink,
    server::{ServerConfig, ServerSink, StreamEnd, StreamSpec},
    wire::Frame,
};
use tokio::io::AsyncReadExt;
use transport_toy::{read_head, soon};
use wire_toy::{Answer, Frames, Running, ask_on, start_with};

/// Bytes of one event.
const PIECE: usize = 1000;
/// What lies between the server's writes and the client's reads: the buffers of the system, of TLS and
/// of HTTP/2. Without back-pressure it would grow for as long as the client reads.
const BUFFERS: usize = 2 << 20;
/// What the client reads in all.
const ENOUGH: usize = 16 << 20;

/// Writes without ever waiting, and counts what was acknowledged.
async fn flood(tls: bool) -> (Running, Arc<AtomicUsize>) {
    let written = Arc::new(AtomicUsize::new(0));
    let count = written.clone();
    let config = ServerConfig {
        send_buffer_bytes: Some(64 * 1024),
        ..ServerConfig::default()
    };
    let server = start_with(config, tls, Mode::REAL, move |_, _| {
        let count = count.clone();
        Answer::Spec(StreamSpec::new(async move |mut sink: ServerSink| {
            let frame = Frame::new(&[b'x'; PIECE]);
            while sink.write(&frame).await.is_ok() {
                count.fetch_add(PIECE, Ordering::SeqCst);
            }
            (sink, StreamEnd::Gone)
        }))
    });
    (server.await, written)
}

fn check(written: &AtomicUsize, read: usize) {
    let ahead = written.load(Ordering::SeqCst).saturating_sub(read);
    assert!(ahead < BUFFERS, "{ahead} bytes ahead after {read}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_http1_plain_and_encrypted() {
    for tls in [false, true] {
        let (server, written) = flood(tls).await;
        let mut io = server.connect_narrow("http/1.1").await;
        ask_on(&mut io, "GET", "/").await;
        read_head(&mut io).await;
        let mut buffer = vec![0; 64 * 1024];
        let mut read = 0;
        while read < ENOUGH {
            read += soon(io.read(&mut buffer)).await.unwrap();
            check(&written, read);
        }
        assert!(written.load(Ordering::SeqCst) > ENOUGH / 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_http2() {
    for tls in [false, true] {
        let (server, written) = flood(tls).await;
        let mut frames = Frames::new(server.connect_narrow("h2").await).await;
        frames.get(1, "/").await;
        frames.expect(wire_toy::HEADERS).await;
        let mut read = 0;
        while read < ENOUGH / 4 {
            let taken = frames.expect(wire_toy::DATA).await.payload.len();
            read += taken;
            check(&written, read);
            frames.widen(1, taken as u32).await;
        }
        assert!(written.load(Ordering::SeqCst) > ENOUGH / 8);
    }
}

//! Random conversations over one connection: whatever is pipelined and however it is cut into
//! writes, every request gets its answer, in order.

mod transport_toy;

use std::path::Path;

use mock_sse::server::{ServerConfig, TlsFiles};
use rand_pcg::Pcg64;
use rand_pcg::rand_core::{Rng, SeedableRng};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use transport_toy::{Running, read_all, soon, start};

/// Requests, and the body of the answer as it stands on the wire.
const CASES: [(&str, &str); 7] = [
    (
        "GET /close HTTP/1.1\r\nhost: t\r\n\r\n",
        "2\r\na\n\r\n2\r\nb\n\r\n0\r\n\r\n",
    ),
    ("GET /hello HTTP/1.1\r\nhost: t\r\n\r\n", "hello"),
    ("HEAD /close HTTP/1.1\r\nhost: t\r\n\r\n", ""),
    (
        "POST /read-then-close HTTP/1.1\r\nhost: t\r\ncontent-length: 3\r\n\r\nxyz",
        "3\r\nxyz\r\n0\r\n\r\n",
    ),
    (
        "POST /read-then-close HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n2\r\nyz\r\n0\r\n\r\n",
        "3\r\nxyz\r\n0\r\n\r\n",
    ),
    (
        "POST /echo HTTP/1.1\r\nhost: t\r\ncontent-length: 5\r\n\r\necho!",
        "echo!",
    ),
    (
        "POST /read-then-close HTTP/1.1\r\nhost: t\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\nxyz",
        "3\r\nxyz\r\n0\r\n\r\n",
    ),
];
const LAST: (&str, &str) = ("GET /goaway HTTP/1.1\r\nhost: t\r\n\r\n", "2\r\na\n\r\n0\r\n\r\n");

fn below(rng: &mut Pcg64, n: usize) -> usize {
    (rng.next_u64() % n as u64) as usize
}

async fn converse(io: impl AsyncRead + AsyncWrite + Unpin, rng: &mut Pcg64) {
    let mut asked: Vec<_> = (0..1 + below(rng, 5))
        .map(|_| CASES[below(rng, CASES.len())])
        .collect();
    asked.push(LAST);
    let text: String = asked.iter().map(|(request, _)| *request).collect();
    let (mut read, mut write) = tokio::io::split(io);
    let mut pieces = Vec::new();
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        let (piece, later) = rest.split_at(1 + below(rng, rest.len().min(120)));
        pieces.push(piece);
        rest = later;
    }
    let yields = below(rng, 4);
    let writing = async {
        for piece in pieces {
            if write.write_all(piece).await.is_err() || write.flush().await.is_err() {
                return;
            }
            for _ in 0..yields {
                tokio::task::yield_now().await;
            }
        }
    };
    let (_, answer) = soon(async { tokio::join!(writing, read_all(&mut read)) }).await;
    let answer = answer.unwrap();
    let mut rest = answer.as_str();
    for (request, body) in &asked {
        rest = rest.strip_prefix("HTTP/1.1 100 Continue\r\n\r\n").unwrap_or(rest);
        let (head, after) = rest
            .split_once("\r\n\r\n")
            .unwrap_or_else(|| panic!("{text:?}\n{answer:?}"));
        assert!(
            head.starts_with("HTTP/1.1 200 OK\r\n"),
            "{request:?} in {text:?}\n{answer:?}"
        );
        rest = after
            .strip_prefix(body)
            .unwrap_or_else(|| panic!("{request:?} in {text:?}\n{answer:?}"));
    }
    assert_eq!(rest, "", "{text:?}");
}

async fn tls(server: &Running, ca: &Path) -> impl AsyncRead + AsyncWrite + Unpin {
    use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
    use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(std::sync::Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    let name = ServerName::try_from("localhost").unwrap();
    soon(connector.connect(name, server.connect().await))
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_conversations_in_the_clear() {
    let server = start(ServerConfig::default()).await;
    let mut rng = Pcg64::seed_from_u64(1);
    for _ in 0..400 {
        converse(server.connect().await, &mut rng).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_conversations_over_tls() {
    let dir = tempfile::tempdir().unwrap();
    let made = mock_sse::certs::ensure(dir.path(), &[]).unwrap();
    let files = Some(TlsFiles {
        cert: made.cert_path,
        key: made.key_path,
    });
    let server = start(ServerConfig {
        tls: files,
        ..Default::default()
    })
    .await;
    let mut rng = Pcg64::seed_from_u64(2);
    for _ in 0..60 {
        converse(tls(&server, &made.ca_pem_path).await, &mut rng).await;
    }
}

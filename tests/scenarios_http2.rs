//! `scenarios/faults.yaml` over HTTP/2 and TLS, where they show more than HTTP/1.1 does.

mod support;

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{Reason, RecvStream};
use http::{Request, Response};
use support::raw::shipped;
use support::{PATIENCE, Server, repo, serve_in};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

struct Client {
    requests: SendRequest<Bytes>,
    connection: JoinHandle<Result<(), h2::Error>>,
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("soon")
}

impl Client {
    async fn new(server: &Server) -> Client {
        let tcp = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
        let (requests, connection) = soon(h2::client::handshake(tcp)).await.unwrap();
        Client {
            requests,
            connection: tokio::spawn(connection),
        }
    }

    async fn ask(&mut self, path: &str) -> Result<Response<RecvStream>, h2::Error> {
        let request = Request::get(format!("http://localhost{path}")).body(()).unwrap();
        let mut ready = soon(self.requests.clone().ready()).await?;
        let (response, _) = ready.send_request(request, true)?;
        soon(response).await
    }

    async fn get(&mut self, path: &str) -> RecvStream {
        self.ask(path).await.unwrap().into_body()
    }
}

/// The next write; `None` at the clean end.
async fn data(body: &mut RecvStream) -> Option<Result<String, h2::Error>> {
    loop {
        match soon(body.data()).await? {
            Ok(bytes) if bytes.is_empty() => {}
            Ok(bytes) => return Some(Ok(String::from_utf8(bytes.to_vec()).unwrap())),
            Err(error) => return Some(Err(error)),
        }
    }
}

/// All that comes, and the code that the stream was reset with; `None` behind a clean end.
async fn all(mut body: RecvStream) -> (String, Option<Reason>) {
    let mut text = String::new();
    while let Some(data) = data(&mut body).await {
        match data {
            Ok(more) => text += &more,
            Err(error) => return (text, error.reason()),
        }
    }
    (text, None)
}

#[tokio::test]
async fn endings_are_frames_and_leave_other_streams_alone() {
    let server = shipped("scenarios/faults.yaml", &["--time-scale", "20"]);
    let mut client = Client::new(&server).await;
    let mut held = client.get("/hold").await;
    assert_eq!(data(&mut held).await.unwrap().unwrap(), "data: one\n\n");
    for (path, expected, reason) in [
        ("/close", "data: one\n\n", None),
        ("/cut", "data: one\n\n", Some(Reason::INTERNAL_ERROR)),
        (
            "/cut-in-event",
            "data: one\n\ndata: half an ev",
            Some(Reason::INTERNAL_ERROR),
        ),
        (
            "/cut-in-chunk",
            "data: one\n\ndata: two",
            Some(Reason::INTERNAL_ERROR),
        ),
        ("/cancel", "data: one\n\n", Some(Reason::CANCEL)),
        // What HTTP/1.1 alone can dictate is whole here.
        ("/until-close", "data: one\n\n", None),
        ("/bad-status-line", "data: one\n\n", None),
        ("/no-http", "data: one\n\n", None),
    ] {
        let got = all(client.get(path).await).await;
        assert_eq!(got, (expected.to_owned(), reason), "{path}");
    }
    assert_eq!(data(&mut held).await.unwrap().unwrap(), ":\n\n");
}

#[tokio::test]
async fn a_stream_may_be_refused_without_an_answer() {
    let server = shipped("scenarios/faults.yaml", &[]);
    let mut client = Client::new(&server).await;
    for (path, reason) in [
        ("/no-answer/close", Reason::CANCEL),
        ("/no-answer/refused", Reason::REFUSED_STREAM),
    ] {
        let error = client.ask(path).await.unwrap_err();
        assert_eq!(
            (error.is_remote(), error.reason()),
            (true, Some(reason)),
            "{path}"
        );
    }
    assert_eq!(all(client.get("/close").await).await.0, "data: one\n\n");
}

#[tokio::test]
async fn goaway_lets_streams_end_and_takes_no_new_ones() {
    let server = shipped("scenarios/faults.yaml", &[]);
    let mut client = Client::new(&server).await;
    let got = all(client.get("/goaway").await).await;
    assert_eq!(got, ("data: one\n\n".to_owned(), None));
    let end = soon(&mut client.connection).await.unwrap();
    assert!(end.is_ok() || end.unwrap_err().reason() == Some(Reason::NO_ERROR));
    assert!(client.ask("/close").await.is_err());
}

#[tokio::test]
async fn a_reset_takes_the_whole_connection() {
    let server = shipped("scenarios/faults.yaml", &[]);
    let mut client = Client::new(&server).await;
    let mut held = client.get("/hold").await;
    assert_eq!(data(&mut held).await.unwrap().unwrap(), "data: one\n\n");
    let mut reset = client.get("/reset").await;
    while let Some(Ok(_)) = data(&mut reset).await {}
    let died = soon(&mut client.connection).await.unwrap().unwrap_err();
    let kind = died.get_io().map(std::io::Error::kind);
    assert_eq!(kind, Some(std::io::ErrorKind::ConnectionReset), "{died}");
    let mut rest = data(&mut held).await;
    while let Some(Ok(_)) = rest {
        rest = data(&mut held).await;
    }
    assert!(
        rest.unwrap().unwrap_err().is_io(),
        "the other stream dies with it"
    );
}

/// The end of an encrypted connection as rustls sees it.
async fn encrypted_end(server: &Server, path: &str) -> (String, std::io::Result<()>) {
    use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
    use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};
    let mut roots = RootCertStore::empty();
    let ca = server.path("certs/ca.pem");
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tcp = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let mut io = soon(connector.connect(name, tcp)).await.unwrap();
    let request = support::raw::request(path, "connection: close\r\n");
    io.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let end = soon(io.read_to_end(&mut bytes)).await.map(drop);
    (String::from_utf8(bytes).unwrap(), end)
}

#[tokio::test]
async fn an_encrypted_connection_may_end_without_a_word() {
    let scenario = repo("scenarios/faults.yaml");
    let folder = tempfile::tempdir().unwrap();
    let server = serve_in(folder, &["--scenario", scenario.to_str().unwrap()]);
    let (text, end) = encrypted_end(&server, "/close").await;
    assert!(
        text.ends_with("\r\n\r\nb\r\ndata: one\n\n\r\n0\r\n\r\n") && end.is_ok(),
        "{text} {end:?}"
    );
    for path in ["/no-close-notify", "/cut"] {
        let (text, end) = encrypted_end(&server, path).await;
        assert!(text.contains("data: one\n\n"), "{text}");
        assert_eq!(
            end.unwrap_err().kind(),
            std::io::ErrorKind::UnexpectedEof,
            "{path}"
        );
    }
}

//! One port for everything: TLS with HTTP/2 or HTTP/1.1, cleartext HTTP/2, and certificates that
//! change while the server runs.

mod transport_toy;

use std::{fs, net::SocketAddr, path::Path, sync::Arc};

use bytes::Bytes;
use h2::{Reason, RecvStream, client::SendRequest};
use mock_sse::{
    certs,
    scenario::model::End,
    server::{Phase, Server, ServerConfig, TlsFiles},
};
use poem::http::{Request, Response};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinHandle,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{ClientConfig, RootCertStore, crypto::ring},
};
use transport_toy::{Running, Seen, read_all, read_head, read_until, send, soon, start, without_date};

struct Client {
    requests: SendRequest<Bytes>,
    connection: JoinHandle<Result<(), h2::Error>>,
}

impl Client {
    async fn over(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Client {
        let (requests, connection) = soon(h2::client::handshake(io)).await.unwrap();
        Client {
            requests,
            connection: tokio::spawn(connection),
        }
    }

    async fn cleartext(server: &Running) -> Client {
        Client::over(server.connect().await).await
    }

    async fn get(&mut self, path: &str) -> Response<RecvStream> {
        let request = Request::get(format!("http://t{path}")).body(()).unwrap();
        let mut ready = soon(self.requests.clone().ready()).await.unwrap();
        let (response, _) = ready.send_request(request, true).unwrap();
        soon(response).await.unwrap()
    }
}

/// The next DATA frame; `None` at END_STREAM.
async fn data(body: &mut RecvStream) -> Option<Result<String, h2::Error>> {
    loop {
        let data = soon(body.data()).await?;
        match data {
            Ok(bytes) if bytes.is_empty() => continue,
            Ok(bytes) => {
                body.flow_control().release_capacity(bytes.len()).unwrap();
                return Some(Ok(String::from_utf8(bytes.to_vec()).unwrap()));
            }
            Err(e) => return Some(Err(e)),
        }
    }
}

fn tls_config(dir: &Path) -> ServerConfig {
    let made = certs::ensure(dir, &[]).unwrap();
    let tls = Some(TlsFiles {
        cert: made.cert_path,
        key: made.key_path,
    });
    ServerConfig {
        tls,
        ..Default::default()
    }
}

async fn tls(addr: SocketAddr, ca: &Path, alpn: &str) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    let tcp = TcpStream::connect(addr).await?;
    let name = ServerName::try_from("localhost").unwrap();
    soon(TlsConnector::from(Arc::new(config)).connect(name, tcp)).await
}

#[tokio::test]
async fn one_port_speaks_everything() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(tls_config(dir.path())).await;
    let ca = dir.path().join("ca.pem");

    let mut plain = server.get("/scheme").await;
    read_head(&mut plain).await;
    read_until(&mut plain, "http").await;

    let mut prior_knowledge = Client::cleartext(&server).await;
    let mut response = prior_knowledge.get("/scheme").await;
    assert_eq!(data(response.body_mut()).await.unwrap().unwrap(), "http");

    let mut http1 = tls(server.addr, &ca, "http/1.1").await.unwrap();
    assert_eq!(http1.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    send(&mut http1, "GET /scheme HTTP/1.1\r\nhost: t\r\n\r\n").await;
    read_head(&mut http1).await;
    read_until(&mut http1, "https").await;

    let http2 = tls(server.addr, &ca, "h2").await.unwrap();
    assert_eq!(http2.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let mut response = Client::over(http2).await.get("/scheme").await;
    assert_eq!(data(response.body_mut()).await.unwrap().unwrap(), "https");
}

#[tokio::test]
async fn streams_over_tls_end_in_their_ways() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(tls_config(dir.path())).await;
    let ca = dir.path().join("ca.pem");
    let get = async |path: &str| {
        let mut io = tls(server.addr, &ca, "http/1.1").await.unwrap();
        send(&mut io, &format!("GET {path} HTTP/1.1\r\nhost: t\r\n\r\n")).await;
        without_date(&read_head(&mut io).await);
        io
    };
    let mut io = get("/close").await;
    assert_eq!(
        read_until(&mut io, "0\r\n\r\n").await,
        "2\r\na\n\r\n2\r\nb\n\r\n0\r\n\r\n"
    );
    send(&mut io, "GET /goaway HTTP/1.1\r\nhost: t\r\n\r\n").await;
    read_head(&mut io).await;
    // A clean end: close_notify came before FIN, or this would be an error.
    assert_eq!(read_all(&mut io).await.unwrap(), "2\r\na\n\r\n0\r\n\r\n");

    let mut io = get("/cut").await;
    assert_eq!(read_until(&mut io, "a\n\r\n").await, "2\r\na\n\r\n");
    assert_eq!(
        read_all(&mut io).await.unwrap_err().kind(),
        std::io::ErrorKind::UnexpectedEof
    );

    let mut io = get("/reset").await;
    assert_eq!(read_until(&mut io, "a\n\r\n").await, "2\r\na\n\r\n");
    assert_eq!(
        read_all(&mut io).await.unwrap_err().kind(),
        std::io::ErrorKind::ConnectionReset
    );
}

#[tokio::test]
async fn one_frame_is_one_data_frame_and_close_ends_the_stream() {
    let mut server = start(ServerConfig::default()).await;
    let mut client = Client::cleartext(&server).await;
    let mut response = client.get("/script").await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert!(response.headers().contains_key("date"));
    for step in ["a\n\n", "b\n\n"] {
        server.write(&[step]);
        assert_eq!(server.next_seen().await, Seen::Written);
        assert_eq!(data(response.body_mut()).await.unwrap().unwrap(), step);
    }
    server.write(&["x", "y"]);
    assert_eq!(data(response.body_mut()).await.unwrap().unwrap(), "x");
    assert_eq!(data(response.body_mut()).await.unwrap().unwrap(), "y");
    server.end(End::Close);
    assert!(data(response.body_mut()).await.is_none());
    client.get("/hello").await;
}

#[tokio::test]
async fn a_stream_that_the_client_resets_is_gone_at_once() {
    let mut server = start(ServerConfig::default()).await;
    let mut client = Client::cleartext(&server).await;
    let response = client.get("/script").await;
    drop(response);
    assert_eq!(server.next_seen().await, Seen::Gone);
}

#[tokio::test]
async fn a_connection_that_the_client_closes_ends_its_streams() {
    let mut server = start(ServerConfig::default()).await;
    let mut client = Client::cleartext(&server).await;
    let _response = client.get("/script").await;
    client.connection.abort();
    assert_eq!(server.next_seen().await, Seen::Gone);
}

#[tokio::test]
async fn a_cut_resets_the_stream_with_its_code() {
    let server = start(ServerConfig::default()).await;
    let mut client = Client::cleartext(&server).await;
    let mut response = client.get("/cut").await;
    assert_eq!(data(response.body_mut()).await.unwrap().unwrap(), "a\n");
    let error = data(response.body_mut()).await.unwrap().unwrap_err();
    assert_eq!(error.reason(), Some(Reason::ENHANCE_YOUR_CALM));
    assert!(error.is_reset() && error.is_remote());
    client.get("/hello").await; // the connection goes on
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_written_before_a_cut_arrives_however_busy_the_server_is() {
    let server = start(ServerConfig::default()).await;
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let io = server.connect().await;
        clients.spawn(async move {
            let mut client = Client::over(io).await;
            for _ in 0..10 {
                let mut response = client.get("/cut").await;
                assert_eq!(data(response.body_mut()).await.unwrap().unwrap(), "a\n");
                let error = data(response.body_mut()).await.unwrap().unwrap_err();
                assert_eq!(error.reason(), Some(Reason::ENHANCE_YOUR_CALM));
            }
        });
    }
    clients.join_all().await;
}

#[tokio::test]
async fn a_reset_takes_the_connection() {
    let server = start(ServerConfig::default()).await;
    let mut client = Client::cleartext(&server).await;
    let mut response = client.get("/reset").await;
    assert_eq!(data(response.body_mut()).await.unwrap().unwrap(), "a\n");
    let error = data(response.body_mut()).await.unwrap().unwrap_err();
    assert!(error.is_io() || error.get_io().is_some(), "{error}");
    let error = soon(client.connection).await.unwrap().unwrap_err();
    let kind = error.get_io().map(std::io::Error::kind);
    assert_eq!(kind, Some(std::io::ErrorKind::ConnectionReset), "{error}");
}

#[tokio::test]
async fn goaway_lets_the_stream_end_cleanly_and_closes_the_connection() {
    let server = start(ServerConfig::default()).await;
    let mut client = Client::cleartext(&server).await;
    let mut response = client.get("/goaway").await;
    assert_eq!(data(response.body_mut()).await.unwrap().unwrap(), "a\n");
    assert!(data(response.body_mut()).await.is_none());
    soon(client.connection).await.unwrap().unwrap();
}

#[tokio::test]
async fn draining_sends_goaway_and_waits_for_the_streams() {
    let server = start(ServerConfig::default()).await;
    let mut client = Client::cleartext(&server).await;
    let mut response = client.get("/script").await;
    let idle = Client::cleartext(&server).await;
    server.phase.send(Phase::Draining).unwrap();
    soon(idle.connection).await.unwrap().unwrap();
    server.write(&["bye"]);
    assert_eq!(data(response.body_mut()).await.unwrap().unwrap(), "bye");
    server.end(End::Close);
    assert!(data(response.body_mut()).await.is_none());
    soon(client.connection).await.unwrap().unwrap();
    soon(server.served).await.unwrap();
}

#[tokio::test]
async fn connections_over_the_limit_are_told_so_over_http2_too() {
    let server = start(ServerConfig {
        max_connections: 1,
        ..Default::default()
    })
    .await;
    let mut first = Client::cleartext(&server).await;
    first.get("/hello").await;
    let response = Client::cleartext(&server).await.get("/hello").await;
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
}

#[tokio::test]
async fn a_stalled_client_holds_the_write_back() {
    let mut server = start(ServerConfig::default()).await;
    let io = server.connect().await;
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(4);
    let (requests, connection) = soon(builder.handshake::<_, Bytes>(io)).await.unwrap();
    let mut client = Client {
        requests,
        connection: tokio::spawn(connection),
    };
    let mut response = client.get("/script").await;
    server.write(&["1234"]);
    assert_eq!(server.next_seen().await, Seen::Written);
    server.write(&["5678"]);
    assert!(
        server.seen.try_recv().is_err(),
        "not acknowledged while the window is closed"
    );
    assert_eq!(data(response.body_mut()).await.unwrap().unwrap(), "1234");
    assert_eq!(data(response.body_mut()).await.unwrap().unwrap(), "5678");
    assert_eq!(server.next_seen().await, Seen::Written);
}

#[tokio::test]
async fn cleartext_is_redirected_to_the_same_port() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(ServerConfig {
        redirect_https: true,
        ..tls_config(dir.path())
    })
    .await;
    let mut tcp = server.connect().await;
    send(
        &mut tcp,
        "GET /hello?x=1 HTTP/1.1\r\nhost: localhost:4043\r\nconnection: close\r\n\r\n",
    )
    .await;
    let all = read_all(&mut tcp).await.unwrap();
    assert!(all.starts_with("HTTP/1.1 301 Moved Permanently\r\n"), "{all}");
    assert!(
        all.contains("location: https://localhost:4043/hello?x=1\r\n"),
        "{all}"
    );
    let mut http1 = tls(server.addr, &dir.path().join("ca.pem"), "http/1.1")
        .await
        .unwrap();
    send(&mut http1, "GET /hello HTTP/1.1\r\nhost: t\r\n\r\n").await;
    read_until(&mut http1, "hello").await;
}

#[tokio::test]
async fn a_changed_certificate_is_served_and_a_broken_one_is_not() {
    let served = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let server = start(tls_config(served.path())).await;
    let made = certs::ensure(other.path(), &[]).unwrap();
    let old_ca = served.path().join("ca.pem");

    fs::write(served.path().join("cert.pem"), "half a certi").unwrap();
    tls(server.addr, &old_ca, "h2").await.unwrap();

    fs::copy(&made.key_path, served.path().join("key.pem")).unwrap();
    fs::copy(&made.cert_path, served.path().join("cert.pem")).unwrap();
    soon(async {
        while tls(server.addr, &made.ca_pem_path, "h2").await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(tls(server.addr, &old_ca, "h2").await.is_err());
}

#[tokio::test]
async fn a_bad_certificate_at_the_start_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let config = tls_config(dir.path());
    let key = dir.path().join("key.pem");
    fs::copy(dir.path().join("ca.key"), &key).unwrap();
    let Err(error) = Server::bind(ServerConfig {
        port: 0,
        ..config.clone()
    })
    .await
    else {
        panic!()
    };
    assert!(
        error
            .to_string()
            .starts_with(&format!("{}: does not go with", key.display())),
        "{error}"
    );
    fs::remove_file(&key).unwrap();
    let Err(error) = Server::bind(ServerConfig { port: 0, ..config }).await else {
        panic!()
    };
    assert!(
        error.to_string().starts_with(&format!("{}: ", key.display())),
        "{error}"
    );
}

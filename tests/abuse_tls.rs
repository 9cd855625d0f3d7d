//! Clients of TLS that mean harm, or that mean something else.

mod abuse_support;
mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use abuse_support::{Scene, head_of, pour, until, until_ended};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use support::process::finish;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

type Encrypted = StreamOwned<ClientConnection, TcpStream>;

const GET: &[u8] = b"GET /small HTTP/1.1\r\nhost: localhost\r\n\r\n";

fn client(scene: &Scene) -> ClientConnection {
    let mut roots = RootCertStore::empty();
    let ca = scene.server.folder.path().join("certs/ca.pem");
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap()
}

/// A connection whose handshake is over.
fn encrypted(scene: &Scene) -> Encrypted {
    let mut stream = StreamOwned::new(client(scene), scene.connect());
    stream.conn.complete_io(&mut stream.sock).unwrap();
    stream
}

fn answered(stream: &mut Encrypted) -> bool {
    if stream.write_all(GET).is_err() {
        return false;
    }
    let (mut all, mut byte) = (Vec::new(), [0]);
    while !all.ends_with(b"\r\n\r\nsmall") {
        if stream.read_exact(&mut byte).is_err() {
            return false;
        }
        all.push(byte[0]);
    }
    all.starts_with(b"HTTP/1.1 200")
}

/// The first bytes a client sends.
fn client_hello(scene: &Scene) -> Vec<u8> {
    let mut bytes = Vec::new();
    client(scene).write_tls(&mut bytes).unwrap();
    bytes
}

/// Bytes by chance, the same every time.
fn noise(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(next).take(count).collect()
}

#[test]
fn garbage_ends_its_connection_and_no_other() {
    let scene = Scene::encrypted(&["--handshake-timeout", "1s"]);
    let mut other = encrypted(&scene);
    assert!(answered(&mut other));
    for seed in 1..100 {
        for first in [
            &b"\x16"[..],
            b"\x16\x03\x01\xff\xff",
            b"\x16\x03\x03\x00\x05\x01",
            b"\x15\x03\x03\x00\x02\x02\x28",
            b"\x80\x2e\x01\x03",
            b"",
        ] {
            let mut socket = scene.connect();
            pour(&mut socket, &[first, &noise(seed, 3000)].concat(), 1);
            if seed % 3 == 0 {
                until_ended(socket);
            }
        }
    }
    // Alerts, records of other kinds and of no length where a hello belongs.
    for record in [
        &b"\x16\x03\x01\x00\x00"[..],
        b"\x16\x03\x01\x00\x04\x0e\x00\x00\x00",
        b"\x16\x03\x01\x00\x04\x01\xff\xff\xff",
    ] {
        let mut socket = scene.connect();
        pour(&mut socket, &record.repeat(1000), 10);
        until_ended(socket);
    }
    assert!(answered(&mut other), "the others live on");
    drop(other);
    scene.recovered();
}

#[test]
fn handshakes_that_stop_halfway_are_given_up() {
    let scene = Scene::encrypted(&["--handshake-timeout", "1s"]);
    let hello = client_hello(&scene);
    let mut halves: Vec<TcpStream> = Vec::new();
    for n in 0..200 {
        let part = [1, 5, hello.len() / 2, hello.len()][n % 4];
        halves.push(scene.send(&hello[..part]));
    }
    // One that is over, but with nothing said in it.
    let silent = encrypted(&scene);
    scene.undisturbed();
    halves.into_iter().for_each(|socket| drop(until_ended(socket)));
    until_ended(silent.sock);
    scene.recovered();
}

#[test]
fn a_hello_of_any_size_is_refused() {
    let scene = Scene::encrypted(&["--handshake-timeout", "2s"]);
    let memory = scene.memory_now();
    let mut sockets: Vec<TcpStream> = Vec::new();
    for _ in 0..50 {
        // A hello of 16 MiB, in records of 16 KiB.
        let mut socket = scene.send(b"\x16\x03\x01\x40\x00\x01\xff\xff\xff\x03\x03");
        pour(&mut socket, &[0; 16_384 - 6], 1);
        let more = [&b"\x16\x03\x01\x40\x00"[..], &[0; 16_384]].concat();
        pour(&mut socket, &more, 100);
        sockets.push(socket);
    }
    let each = scene.memory_now().saturating_sub(memory) / 50;
    assert!(each < 512 << 10, "a hello costs {each} bytes");
    sockets.into_iter().for_each(|socket| drop(until_ended(socket)));
    scene.recovered();
}

#[test]
fn who_takes_one_for_the_other_is_told_or_ended() {
    let plain = Scene::plain(&[]);
    let scene = Scene::encrypted(&[]);
    // TLS to a server that has none.
    assert_eq!(until_ended(plain.send(client_hello(&scene))), b"");
    plain.recovered();
    // Cleartext to one that has TLS is served, and is not taken for TLS later on.
    let mut socket = scene.send(GET);
    assert!(head_of(&mut socket).starts_with("HTTP/1.1 200 "));
    socket.read_exact(&mut [0; 5]).unwrap();
    socket.write_all(&client_hello(&scene)).unwrap();
    assert!(until_ended(socket).starts_with(b"HTTP/1.1 400 "));
    // Cleartext in the middle of TLS.
    let mut stream = encrypted(&scene);
    stream.sock.write_all(GET).unwrap();
    until_ended(stream.sock);
    scene.recovered();
}

#[test]
fn connections_may_end_anywhere() {
    let scene = Scene::encrypted(&[]);
    for at in [1, 10, GET.len()] {
        for path in ["/small", "/ticks"] {
            let mut stream = encrypted(&scene);
            let get = String::from_utf8_lossy(GET).replace("/small", path);
            stream.write_all(&get.as_bytes()[..at.min(get.len())]).unwrap();
            stream.flush().unwrap();
            if at % 2 == 0 {
                socket2::SockRef::from(&stream.sock)
                    .set_linger(Some(Duration::ZERO))
                    .unwrap();
            }
            drop(stream); // without close_notify
        }
    }
    let mut stream = encrypted(&scene);
    stream.write_all(GET).unwrap();
    stream.conn.send_close_notify();
    let _ = stream.flush();
    let heard = until_ended(stream.sock);
    assert!(!heard.is_empty(), "what was asked before is answered");
    scene.recovered();
}

/// TLS 1.3: each of them wants another in return, which nobody reads.
#[test]
fn keys_that_change_without_end_cost_nothing() {
    let scene = Scene::encrypted(&["--write-timeout", "2s", "--send-buffer", "16384"]);
    let mut stream = encrypted(&scene);
    assert!(answered(&mut stream));
    stream
        .sock
        .set_write_timeout(Some(Duration::from_secs(2)))
        .unwrap();
    let memory = scene.memory_now();
    for _ in 0..20_000 {
        if stream.conn.refresh_traffic_keys().is_err() || stream.flush().is_err() {
            break;
        }
    }
    scene.undisturbed();
    let more = scene.memory_now().saturating_sub(memory);
    assert!(more < 16 << 20, "{more} bytes are kept");
    drop(stream);
    scene.recovered();
}

/// TLS 1.2: nobody is asked to begin anew.
#[test]
fn negotiating_again_is_refused() {
    if finish({
        let mut c = Command::new("sh");
        c.args(["-c", "command -v openssl"]);
        c
    })
    .stdout
    .is_empty()
    {
        return eprintln!("SKIPPED: there is no openssl");
    }
    let scene = Scene::encrypted(&[]);
    let mut client = Command::new("openssl")
        .args([
            "s_client",
            "-tls1_2",
            "-legacy_renegotiation",
            "-connect",
            &format!("127.0.0.1:{}", scene.port()),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = client.stdin.take().unwrap();
    stdin.write_all(b"R\n").unwrap();
    let mut ended = None;
    until("the client has given up", || {
        ended = client.try_wait().unwrap();
        ended.is_some()
    });
    drop(stdin);
    let mut said = String::new();
    client.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(
        said.contains("RENEGOTIATING") && said.contains("error:"),
        "{said}"
    );
    scene.recovered();
}

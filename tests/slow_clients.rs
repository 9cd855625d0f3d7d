//! Clients that read slowly, not at all, or are not there any more.

mod abuse_support;
mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use abuse_support::{Scene, frames, until};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use serde_json::Value;
use socket2::{Domain, Socket, Type};
use support::process::{Started, finish, start};
use support::{PATIENCE, send_at};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// A connection whose client has little room for what it does not read.
fn narrow(port: u16) -> TcpStream {
    with_room(port, 8192)
}

fn with_room(port: u16, bytes: usize) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(bytes).unwrap();
    let address: std::net::SocketAddr = ([127, 0, 0, 1], port).into();
    socket.connect(&address.into()).unwrap();
    let socket: TcpStream = socket.into();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn ask(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")
}

/// The streams that are open on a path.
fn open(port: u16, path: &str) -> usize {
    let mut answer = send_at(
        port,
        "GET",
        "/__mock/connections",
        &[("connection", "close")],
        b"",
    );
    let answer: Value = serde_json::from_slice(&answer.all()).unwrap();
    let all = answer["connections"].as_array().unwrap();
    all.iter().filter(|c| c["path"] == path).count()
}

fn trusting(scene: &Scene) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let ca = scene.server.folder.path().join("certs/ca.pem");
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

/// Whether the other side has given the connection up: with RST, or without a clean end.
fn is_cut(mut socket: TcpStream) -> bool {
    let mut buffer = [0; 64 * 1024];
    loop {
        match socket.read(&mut buffer) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == ErrorKind::ConnectionReset,
        }
    }
}

const ARGS: [&str; 4] = ["--write-timeout", "1s", "--send-buffer", "16384"];

#[test]
fn who_takes_nothing_is_cut_off() {
    let scene = Scene::plain(&ARGS);
    let mut stalled: Vec<TcpStream> = (0..20).map(|_| narrow(scene.port())).collect();
    stalled
        .iter_mut()
        .for_each(|s| s.write_all(ask("/flood").as_bytes()).unwrap());
    until("they are all served", || open(scene.port(), "/flood") == 20);
    until("they are all cut off", || open(scene.port(), "/flood") == 0);
    assert!(stalled.into_iter().all(is_cut));
    scene.server.log.wait_for_times("took nothing for 1s", 20);
    scene.recovered();
}

#[test]
fn who_takes_nothing_of_an_encrypted_stream_is_cut_off() {
    let scene = Scene::encrypted(&ARGS);
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(trusting(&scene), name).unwrap();
    let mut stream = StreamOwned::new(connection, narrow(scene.port()));
    stream.write_all(ask("/flood").as_bytes()).unwrap();
    until("it is served", || open(scene.port(), "/flood") == 1);
    until("it is cut off", || open(scene.port(), "/flood") == 0);
    assert!(is_cut(stream.sock));
    scene.recovered();
}

/// Its windows are wide, but it reads nothing from the connection.
#[test]
fn who_takes_nothing_over_http2_is_cut_off() {
    let scene = Scene::plain(&ARGS);
    let mut socket = narrow(scene.port());
    let wide = [
        frames::PREFACE,
        &frames::settings(&[(frames::INITIAL_WINDOW, 0x7fff_ffff)]),
        &frames::window_update(0, 0x7fff_0000 - 65_535),
    ];
    socket.write_all(&wide.concat()).unwrap();
    let asked: Vec<u8> = (0..10).flat_map(|n| frames::get(2 * n + 1, "/flood")).collect();
    socket.write_all(&asked).unwrap();
    until("they are all served", || open(scene.port(), "/flood") == 10);
    until("they are all cut off", || open(scene.port(), "/flood") == 0);
    // Only the streams so far; the connection takes nothing either.
    let before = scene.descriptors_before();
    until("the connection is cut off", || scene.open_descriptors() <= before);
    assert!(is_cut(socket));
    scene.recovered();
}

/// A little from time to time is enough, and what comes is whole.
#[test]
fn who_is_slow_is_served_all_the_same() {
    let scene = Scene::plain(&["--write-timeout", "5s", "--send-buffer", "16384"]);
    let mut socket = with_room(scene.port(), 64 * 1024);
    socket.write_all(ask("/flood").as_bytes()).unwrap();
    let (mut all, mut buffer) = (Vec::new(), vec![0; 16 * 1024]);
    let began = Instant::now();
    // Far less than there is, for twice the time that it may take nothing.
    while began.elapsed() < Duration::from_secs(10) {
        let read = socket.read(&mut buffer).unwrap();
        assert!(read > 0, "it is ended behind {} bytes", all.len());
        all.extend_from_slice(&buffer[..read]);
        std::thread::park_timeout(Duration::from_millis(200));
    }
    assert!(all.starts_with(b"HTTP/1.1 200 OK\r\n"));
    scene.undisturbed();
    drop(socket);
    scene.recovered();
}

/// A script that says nothing is no client that takes nothing.
#[test]
fn silence_is_no_reason() {
    let scene = Scene::plain(&[
        "--write-timeout",
        "300ms",
        "--tcp-keepalive",
        "1s",
        "--header-timeout",
        "300ms",
    ]);
    let mut held = scene.send(ask("/held"));
    let mut http2 = scene.send([frames::PREFACE, &frames::settings(&[]), &frames::get(1, "/held")].concat());
    (0..10).for_each(|_| scene.undisturbed());
    assert_eq!(open(scene.port(), "/held"), 2);
    held.set_nonblocking(true).unwrap();
    let mut last = Vec::new();
    assert_eq!(
        held.read_to_end(&mut last).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
    assert!(frames::answers(&mut http2));
    drop((held, http2));
    scene.recovered();
}

/// What `ss` tells of the server's connections.
fn sockets(port: u16) -> Option<String> {
    let mut ss = Command::new("ss");
    ss.args(["-Htno", "state", "established", "sport", "=", &format!(":{port}")]);
    let output = ss.output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8(output.stdout).unwrap())
}

#[test]
fn the_system_asks_whether_clients_are_there() {
    if sockets(1).is_none() {
        return eprintln!("SKIPPED: there is no ss");
    }
    for (args, expected) in [
        (&["--tcp-keepalive", "20s"][..], Some(20)),
        (&["--tcp-keepalive", "0"], None),
        (&[], Some(60)),
    ] {
        let scene = Scene::plain(args);
        let mut held = scene.send(ask("/held"));
        abuse_support::head_of(&mut held);
        let client = held.local_addr().unwrap().to_string();
        let told = sockets(scene.port()).unwrap();
        let line = told.lines().find(|line| line.contains(&client)).unwrap();
        let timer = line
            .split("timer:(keepalive,")
            .nth(1)
            .map(|rest| rest.split(',').next().unwrap());
        // `19sec`, `59sec`, `1min`, `1.900ms`: it has begun to run.
        let seconds = timer.map(|left| match left.split_once("min") {
            Some((minutes, rest)) => {
                60 * minutes.parse::<u64>().unwrap()
                    + rest.trim_end_matches("sec").parse::<u64>().unwrap_or(0)
            }
            None => left.trim_end_matches("sec").parse().unwrap(),
        });
        match expected {
            None => assert_eq!(seconds, None, "{line}"),
            Some(most) => assert!(seconds.is_some_and(|s| s <= most && s + 10 > most), "{line}"),
        }
        drop(held);
        scene.recovered();
    }
}

/// A network that can lose a machine.
struct Net {
    name: String,
    near: String,
    /// The first three numbers of both addresses, and the first of four that are its own.
    addresses: (String, u32),
}

impl Net {
    /// With addresses that no other run of this test has.
    fn new() -> Option<Net> {
        let id = std::process::id();
        let net = Net {
            name: format!("mocksse{id}"),
            near: format!("ms{id}a"),
            addresses: (format!("10.213.{}", id / 64 % 256), id % 64 * 4),
        };
        let far = format!("ms{id}b");
        let steps = [
            format!("netns add {}", net.name),
            format!(
                "link add {} type veth peer name {far} netns {}",
                net.near, net.name
            ),
            format!("addr add {}/30 dev {}", net.server(), net.near),
            format!("link set {} up", net.near),
            format!("-n {} addr add {}/30 dev {far}", net.name, net.client()),
            format!("-n {} link set {far} up", net.name),
        ];
        steps.iter().all(|step| ip(step)).then_some(net)
    }

    fn server(&self) -> String {
        format!("{}.{}", self.addresses.0, self.addresses.1 + 1)
    }

    fn client(&self) -> String {
        format!("{}.{}", self.addresses.0, self.addresses.1 + 2)
    }

    /// From now on nothing reaches the client: its address is somebody else's who is not there.
    fn lose_client(&self) {
        assert!(ip(&format!(
            "neigh replace {} lladdr 02:00:00:00:00:99 dev {} nud permanent",
            self.client(),
            self.near
        )));
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        ip(&format!("link del {}", self.near));
        ip(&format!("netns del {}", self.name));
    }
}

fn ip(line: &str) -> bool {
    let mut ip = Command::new("ip");
    let output = ip.args(line.split(' ')).output();
    output.is_ok_and(|output| output.status.success())
}

#[test]
fn who_vanishes_is_noticed() {
    let Some(net) = Net::new() else {
        return eprintln!("SKIPPED: no network of one's own can be made here");
    };
    let listening = |more: &[&str]| {
        let own = [
            "serve",
            "--no-tls",
            "--port",
            "0",
            "--scenario",
            "scenario.yaml",
            "--log-level",
            "debug",
            "--host",
            &net.server(),
        ];
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("scenario.yaml"), abuse_support::SCENARIO).unwrap();
        start(folder, &[&own, more].concat(), &[])
    };
    // One that is silent is found by asking; one that is told much, as it does not take it.
    let silent = listening(&["--tcp-keepalive", "1s", "--write-timeout", "0"]);
    let busy = listening(&["--tcp-keepalive", "0", "--write-timeout", "2s"]);
    let visit = |server: &Started, path: &str| {
        let url = format!("http://{}:{}{path}", &net.server(), server.port());
        let mut curl = Command::new("ip");
        curl.args([
            "netns",
            "exec",
            &net.name,
            "curl",
            "-sN",
            "--max-time",
            "60",
            &url,
        ]);
        let child = curl.stdout(std::process::Stdio::null()).spawn().unwrap();
        server
            .log
            .wait_for(&format!("GET {path} 200 HTTP/1.1: stream opened"));
        child
    };
    let mut clients = [visit(&silent, "/held"), visit(&busy, "/flood")];
    net.lose_client();
    silent.log.wait_for("client left");
    busy.log.wait_for("client left");
    for client in &mut clients {
        client.kill().unwrap();
        client.wait().unwrap();
    }
}

/// 50 of 500 followers read nothing: the others get everything, and the 50 cost what the topic says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_read_cost_nothing_for_those_who_do_not() {
    const ALL: usize = 500;
    const STALLED: usize = 50;
    const MESSAGES: usize = 120;
    let scenario = abuse_support::SCENARIO.replace(
        "topics: { news: {} }",
        "topics: { news: {}, crowd: { slow: drop_oldest, queue: 32, history: 0 } }",
    );
    let scenario = format!(
        "{scenario}  - {{ path: /crowd, method: POST, publish: {{ topic: crowd, data: '{{{{ request.body }}}}' }}, status: 204 }}
  - {{ path: /crowd, stream: [{{ follow: crowd }}] }}
"
    );
    let scene = Scene::of(
        &scenario,
        &[
            "--no-tls",
            "--send-buffer",
            "16384",
            "--write-timeout",
            "0",
            "--log-level",
            "warn",
        ],
    );
    let port = scene.port();
    let stalled: Vec<TcpStream> = (0..STALLED)
        .map(|_| {
            let mut socket = narrow(port);
            socket.write_all(ask("/crowd").as_bytes()).unwrap();
            socket
        })
        .collect();
    let readers: Vec<_> = (STALLED..ALL)
        .map(|_| tokio::spawn(read_crowd(port, MESSAGES)))
        .collect();
    until("all follow", || open(port, "/crowd") == ALL);
    let memory = scene.memory_now();
    for n in 0..MESSAGES {
        let body = format!("{n} {}", "x".repeat(2000));
        let answer = tokio::task::spawn_blocking(move || {
            send_at(
                port,
                "POST",
                "/crowd",
                &[("connection", "close")],
                body.as_bytes(),
            )
            .status
        });
        assert_eq!(answer.await.unwrap(), 204);
    }
    for reader in readers {
        tokio::time::timeout(PATIENCE, reader)
            .await
            .expect("every message")
            .unwrap();
    }
    scene.undisturbed();
    // 32 messages, shared by all, and not 50 × 120 of 2 KB.
    let more = scene.memory_now().saturating_sub(memory);
    assert!(more < 8 << 20, "{more} bytes wait for those who do not read");
    drop(stalled);
    scene.recovered();
}

/// Reads so many messages, numbered without a gap.
async fn read_crowd(port: u16, messages: usize) {
    let mut socket = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    socket.write_all(ask("/crowd").as_bytes()).await.unwrap();
    let mut lines = tokio::io::BufReader::new(socket).lines();
    let mut expected = 0;
    while expected < messages {
        let line = lines.next_line().await.unwrap().expect("the stream goes on");
        if let Some(data) = line.strip_prefix("data: ") {
            assert!(
                data.starts_with(&format!("{expected} x")),
                "{expected}: {}",
                &data[..10]
            );
            expected += 1;
        }
    }
}

#[test]
fn nonsense_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (args, why) in [
        (["--send-buffer", "10"], "1024 to 1073741824"),
        (["--write-timeout", "5"], "5s"),
        (["--tcp-keepalive", "soon"], "soon"),
        (["--body-timeout", "1x"], "1x"),
    ] {
        let mut command = support::binary();
        command.args(["serve"]).args(args).current_dir(folder.path());
        let output = finish(command);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(why), "{args:?}: {text}");
    }
}

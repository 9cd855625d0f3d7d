//! How long a user waits: from the start of the program until it listens, and for a reload.
//!
//! `cargo bench --bench startup` prints a table; it takes the program as it is built for release.

mod many;

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What a start is measured with.
const ENDPOINTS: [usize; 3] = [10, 200, 1000];
/// So often each; the median is shown.
const TIMES: usize = 21;
/// Nothing here takes longer unless it is broken.
const PATIENCE: Duration = Duration::from_secs(20);

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the program, and waits until it says that it listens.
fn start(folder: &Path, options: &[&str]) -> io::Result<(Server, SocketAddr, Duration)> {
    let ready = folder.join("ready.json");
    let _ = fs::remove_file(&ready);
    let mut command = Command::new(env!("CARGO_BIN_EXE_mock-sse"));
    command
        .current_dir(folder)
        .args([
            "--scenario",
            "scenario.yaml",
            "--host",
            "127.0.0.1",
            "--port",
            "0",
        ])
        .args(["--certs-dir", "certs", "--ready-file", "ready.json"])
        .args(options)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let began = Instant::now();
    let server = Server(command.spawn()?);
    while !ready.exists() {
        if began.elapsed() > PATIENCE {
            return Err(io::Error::other("the server does not get ready"));
        }
        std::thread::sleep(Duration::from_micros(100));
    }
    let took = began.elapsed();
    let text = fs::read_to_string(&ready)?;
    let facts: serde_json::Value = serde_json::from_str(&text)?;
    let address = facts["addresses"][0].as_str().and_then(|a| a.parse().ok());
    let address = address.ok_or_else(|| io::Error::other("the ready file names no address"))?;
    Ok((server, address, took))
}

/// From the command to the answer, which comes when the new scenario is in force.
fn reload(address: SocketAddr) -> io::Result<Duration> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let began = Instant::now();
    write!(
        socket,
        "POST /__mock/reload HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer)?;
    let took = began.elapsed();
    match answer.starts_with("HTTP/1.1 200") {
        true => Ok(took),
        false => Err(io::Error::other(answer)),
    }
}

fn median(mut all: Vec<Duration>) -> f64 {
    all.sort();
    all[all.len() / 2].as_secs_f64() * 1e3
}

fn measure(count: usize) -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("scenario.yaml"), many::scenario(count))?;
    let (mut cleartext, mut tls, mut first, mut reloads) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TIMES {
        let _ = fs::remove_dir_all(folder.path().join("certs"));
        first.push(start(folder.path(), &[])?.2);
        let (_server, address, took) = start(folder.path(), &[])?;
        tls.push(took);
        reloads.push(reload(address)?);
        cleartext.push(start(folder.path(), &["--no-tls"])?.2);
    }
    println!(
        "{count:9}  {:10.1}  {:10.1}  {:11.1}  {:7.1}",
        median(cleartext),
        median(tls),
        median(first),
        median(reloads)
    );
    Ok(())
}

fn main() -> io::Result<()> {
    println!(
        "Medians of {TIMES}, in milliseconds: from the start of the program until it listens, and a reload."
    );
    println!("endpoints    --no-tls    with TLS  first start   reload");
    ENDPOINTS.into_iter().try_for_each(measure)
}

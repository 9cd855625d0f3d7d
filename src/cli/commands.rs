//! The small commands.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::output::{FAILED, block_on, complain, say, usage};
use super::serve::port_from_environment;
use crate::load::{LoadArgs, LoadReport, LoadSettings};

/// Arguments of `mock-sse cert`.
#[derive(Debug, Args)]
pub struct CertArgs {
    /// The folder of the certificates, as `serve` has it
    #[arg(
        long,
        env = "MOCK_SSE_CERTS_DIR",
        value_name = "FOLDER",
        default_value = "certs"
    )]
    certs_dir: PathBuf,
    /// A further name or address that the certificate is for; several with commas between
    #[arg(long, env = "MOCK_SSE_SAN", value_name = "NAME", value_delimiter = ',')]
    san: Vec<String>,
}

pub(super) fn cert(args: &CertArgs) -> u8 {
    let certs = match crate::certs::ensure(&args.certs_dir, &args.san) {
        Ok(certs) => certs,
        Err(error) => {
            complain(format_args!("error: {error}"));
            return FAILED;
        }
    };
    let verb = if certs.created { "made" } else { "found" };
    say(format_args!(
        "{verb} {} and {}",
        certs.cert_path.display(),
        certs.key_path.display()
    ));
    say(format_args!("signed by {}\n", certs.ca_pem_path.display()));
    if let Some(warning) = &certs.warning {
        say(format_args!("warning: {warning}\n"));
    }
    say(crate::certs::trust_help(&certs.ca_pem_path).trim_end());
    0
}

/// Arguments of `mock-sse health`.
#[derive(Debug, Args)]
pub struct HealthArgs {
    /// The name or address that the server listens on
    #[arg(long, env = "MOCK_SSE_HOST", default_value = "127.0.0.1")]
    host: String,
    /// The port that it listens on [default: the variable PORT, else 4043]
    #[arg(short, long, env = "MOCK_SSE_PORT")]
    port: Option<u16>,
}

pub(super) fn health(args: &HealthArgs) -> u8 {
    let port = match port_from_environment(args.port) {
        Ok(port) => port,
        Err(error) => return usage(error),
    };
    // A server that listens on all addresses is asked on its own machine.
    let host = match args.host.as_str() {
        "0.0.0.0" => "127.0.0.1",
        "::" | "[::]" => "::1",
        host => host,
    };
    match ask(host, port) {
        Ok(()) => {
            say(format_args!("ok"));
            0
        }
        Err(error) => {
            complain(format_args!("error: no healthy server at {host}:{port}: {error}"));
            FAILED
        }
    }
}

fn ask(host: &str, port: u16) -> std::io::Result<()> {
    const PATIENCE: Duration = Duration::from_secs(3);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let addr = (host, port)
        .to_socket_addrs()?
        .next()
        .ok_or_else(|| std::io::Error::other("no such host"))?;
    let mut socket = TcpStream::connect_timeout(&addr, PATIENCE)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.write_all(b"GET /__mock/health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    socket.take(4096).read_to_string(&mut answer)?;
    match answer.starts_with("HTTP/1.1 200") && answer.contains("\"ok\"") {
        true => Ok(()),
        false => Err(std::io::Error::other("it answers, but not as mock-sse does")),
    }
}

/// Arguments of `mock-sse completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    shell: clap_complete::Shell,
}

pub(super) fn completions(args: &CompletionsArgs) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::command(), "mock-sse", &mut script);
    // Two of its places spell a name with a hyphen in different ways: github.com/clap-rs/clap/issues/6421
    let script = String::from_utf8_lossy(&script).replace("mock__subcmd__sse", "mock__sse");
    say(script.trim_end());
    0
}

pub(super) fn schema() -> u8 {
    say(crate::scenario::schema::json_schema().trim_end());
    0
}

pub(super) fn load(args: LoadArgs) -> u8 {
    let json = args.json;
    // Before the run, which may take long.
    let picture = match args.svg.clone().map(Picture::create).transpose() {
        Ok(picture) => picture,
        Err(error) => return usage(error),
    };
    let settings = match LoadSettings::try_from(args) {
        Ok(settings) => settings,
        Err(error) => return usage(error),
    };
    let report = match block_on(crate::load::run(settings)) {
        Ok(report) => report,
        Err(error) => return usage(error),
    };
    if json {
        say(report.to_json());
    } else {
        say(report.to_string().trim_end());
    }
    if let Some(Err(error)) = picture.map(|picture| picture.draw(&report)) {
        return usage(error);
    }
    if report.succeeded() { 0 } else { FAILED }
}

/// The file that a picture goes to.
struct Picture {
    path: PathBuf,
    file: std::fs::File,
}

impl Picture {
    fn create(path: PathBuf) -> Result<Picture, String> {
        match std::fs::File::create(&path) {
            Ok(file) => Ok(Picture { path, file }),
            Err(error) => Err(format!("{} cannot be written: {error}", path.display())),
        }
    }

    fn draw(mut self, report: &LoadReport) -> Result<(), String> {
        let written = self.file.write_all(crate::load::svg(report).as_bytes());
        written.map_err(|error| format!("{} cannot be written: {error}", self.path.display()))
    }
}

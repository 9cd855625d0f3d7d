//! From an address to an open connection: resolving, the loopback rule, TCP, TLS. What belongs
//! here: everything below HTTP.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
};

use super::{ClientError, Target};

/// A connection, plain or TLS.
pub trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

const H1: &[u8] = b"http/1.1";
const H2: &[u8] = b"h2";

/// Whose certificates are good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Those that a CA of the system has signed.
    System,
    /// Those that the CA in this PEM file has signed.
    Ca(PathBuf),
    /// All of them.
    Anybody,
}

/// How a target may be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Whose certificates are good.
    pub trust: Trust,
    /// Other machines are refused.
    pub loopback_only: bool,
}

/// A connection whose socket can be taken out.
pub enum Link {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Link {
    /// What is read and written.
    pub fn wire(&mut self) -> &mut dyn Wire {
        match self {
            Link::Plain(tcp) => tcp,
            Link::Tls(tls) => tls,
        }
    }

    fn into_wire(self) -> Box<dyn Wire> {
        match self {
            Link::Plain(tcp) => Box::new(tcp),
            Link::Tls(tls) => tls,
        }
    }
}

/// Makes connections to one target.
pub struct Connector {
    addresses: Vec<SocketAddr>,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    alpn: &'static [u8],
}

impl Connector {
    /// Resolves the target, refuses other machines if it has to, and reads the CA.
    pub async fn new(target: &Target, access: &Access, http2: bool) -> Result<Self, ClientError> {
        let addresses = resolve(target, access.loopback_only).await?;
        let alpn = if http2 { H2 } else { H1 };
        let tls = match target.tls {
            true => Some(tls(target, access, alpn)?),
            false => None,
        };
        Ok(Self { addresses, tls, alpn })
    }

    /// Opens a connection; the text of an error does not differ from connection to connection.
    pub async fn connect(&self) -> Result<Box<dyn Wire>, String> {
        Ok(self.link().await?.into_wire())
    }

    /// The same, for those who want the socket itself.
    pub async fn link(&self) -> Result<Link, String> {
        let tcp = self.tcp().await.map_err(|error| describe(&error))?;
        tcp.set_nodelay(true).map_err(|error| describe(&error))?;
        let Some((connector, name)) = &self.tls else {
            return Ok(Link::Plain(tcp));
        };
        let wire = connector
            .connect(name.clone(), tcp)
            .await
            .map_err(|error| format!("TLS handshake: {}", describe(&error)))?;
        if self.alpn == H2 && wire.get_ref().1.alpn_protocol() != Some(H2) {
            return Err("the server did not choose HTTP/2 (ALPN)".to_owned());
        }
        Ok(Link::Tls(Box::new(wire)))
    }

    async fn tcp(&self) -> io::Result<TcpStream> {
        let mut first_error = None;
        for address in &self.addresses {
            match TcpStream::connect(address).await {
                Ok(tcp) => return Ok(tcp),
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        Err(first_error.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into()))
    }
}

/// An I/O error in words that can be counted.
pub fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset by the server".to_owned(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => {
            "the server closed the connection".to_owned()
        }
        _ => error.to_string(),
    }
}

async fn resolve(target: &Target, loopback_only: bool) -> Result<Vec<SocketAddr>, ClientError> {
    let failed = |why: String| ClientError::Resolve {
        host: target.host.clone(),
        why,
    };
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host((target.host.as_str(), target.port))
        .await
        .map_err(|error| failed(error.to_string()))?
        .collect();
    if addresses.is_empty() {
        return Err(failed("it has no address".to_owned()));
    }
    let remote = addresses.iter().find(|a| !a.ip().to_canonical().is_loopback());
    if let (Some(remote), true) = (remote, loopback_only) {
        return Err(ClientError::NotLoopback {
            host: target.host.clone(),
            address: remote.ip(),
        });
    }
    // IPv4 first: what listens on `localhost` in tests mostly listens there.
    let (mut addresses, others): (Vec<_>, Vec<_>) = addresses.into_iter().partition(SocketAddr::is_ipv4);
    addresses.extend(others);
    Ok(addresses)
}

fn tls(
    target: &Target,
    access: &Access,
    alpn: &[u8],
) -> Result<(TlsConnector, ServerName<'static>), ClientError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?;
    let mut config = match &access.trust {
        Trust::Anybody => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(TrustAll(provider)))
            .with_no_client_auth(),
        Trust::Ca(path) => builder.with_root_certificates(roots(path)?).with_no_client_auth(),
        Trust::System => builder
            .with_root_certificates(system_roots()?)
            .with_no_client_auth(),
    };
    config.alpn_protocols = vec![alpn.to_vec()];
    // Every handshake in full: resumed ones would flatter the set-up rate, and differ in number
    // from server to server.
    config.resumption = Resumption::disabled();
    let name = ServerName::try_from(target.host.clone()).map_err(|error| ClientError::Url {
        url: target.url(),
        why: error.to_string(),
    })?;
    Ok((TlsConnector::from(Arc::new(config)), name))
}

fn failed(error: &TlsError) -> ClientError {
    let why = error.to_string();
    ClientError::Tls { why }
}

/// The CAs that the system trusts: `SSL_CERT_FILE`, `SSL_CERT_DIR`, or where the system keeps them.
fn system_roots() -> Result<RootCertStore, ClientError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    match roots.is_empty() {
        true => Err(ClientError::Tls {
            why: "this system has no CAs to trust: give one with --ca FILE, or --insecure".to_owned(),
        }),
        false => Ok(roots),
    }
}

fn roots(path: &Path) -> Result<RootCertStore, ClientError> {
    let failed = |why: String| ClientError::Ca {
        path: path.to_owned(),
        why,
    };
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| failed(error.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| failed(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| failed(error.to_string()))?;
    }
    match roots.is_empty() {
        true => Err(failed("it holds no certificate".to_owned())),
        false => Ok(roots),
    }
}

/// Takes any certificate: asked for with `--insecure`.
#[derive(Debug)]
struct TrustAll(Arc<CryptoProvider>);

impl ServerCertVerifier for TrustAll {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

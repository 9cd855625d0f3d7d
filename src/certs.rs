//! A local certificate authority and a certificate for this machine, made once.
//!
//! Files are written here and nowhere else, and never overwritten: whoever trusts `ca.pem` keeps
//! on trusting it. How certificates are served is none of this module's business.

use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject};
use tokio_rustls::rustls::{
    self, CertificateError, RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier, verify_server_name},
    crypto::ring,
    server::ParsedCertificate,
};

/// Names every certificate is made for.
const LOCAL_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
const CA_NAME: &str = "mock-sse local CA";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Browsers refuse certificates that are valid for longer than 398 days.
const LEAF_DAYS: u32 = 396;
const CA_DAYS: u32 = 3653;
/// A certificate this close to its end is reported.
const WARN_DAYS: u32 = 14;

/// Where the files lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certs {
    /// The CA's certificate: what clients are to trust.
    pub ca_pem_path: PathBuf,
    /// The server's certificate.
    pub cert_path: PathBuf,
    /// The server's private key.
    pub key_path: PathBuf,
    /// Whether the server's certificate was made by this call.
    pub created: bool,
    /// Something to tell the user: the certificate ends soon, or another CA signed it.
    pub warning: Option<String>,
}

/// Finds or makes `ca.pem`, `ca.key`, `cert.pem` and `key.pem` in `dir`.
///
/// The certificate is for localhost, 127.0.0.1, ::1 and `names` (host names, `*.name`, addresses).
/// Nothing that exists is overwritten: a certificate that has expired or lacks one of `names` is an
/// error that says which files to remove. Calls at the same time, by other processes too, end up
/// with the same files.
pub fn ensure(dir: &Path, names: &[String]) -> io::Result<Certs> {
    fs::create_dir_all(dir).map_err(|e| at(dir, e))?;
    let mut certs = Certs {
        ca_pem_path: dir.join("ca.pem"),
        cert_path: dir.join("cert.pem"),
        key_path: dir.join("key.pem"),
        created: false,
        warning: None,
    };
    let mut wanted = BTreeSet::new();
    wanted.extend(LOCAL_NAMES);
    wanted.extend(
        names
            .iter()
            .map(|n| n.trim_start_matches('[').trim_end_matches(']')),
    );
    let _lock = Lock::take(dir)?;
    if !exists(&certs.cert_path, &certs.key_path)? {
        let ca = ensure_ca(&certs.ca_pem_path, &dir.join("ca.key"))?;
        make_leaf(&certs, &ca, &wanted)?;
        certs.created = true;
    }
    certs.warning = inspect(&certs, &wanted)?;
    Ok(certs)
}

/// How to make the usual clients trust the CA in `ca`.
pub fn trust_help(ca: &Path) -> String {
    let ca = fs::canonicalize(ca).unwrap_or_else(|_| ca.to_owned());
    let ca = ca.display();
    format!(
        "\
To trust the certificates of this machine's mock-sse, trust its CA: {ca}
Only this machine holds the CA's key (ca.key beside it): do not share it.

curl            curl --cacert {ca} https://localhost:4043/
Node.js         NODE_EXTRA_CA_CERTS={ca} node app.js
Python          REQUESTS_CA_BUNDLE={ca} or SSL_CERT_FILE={ca} python app.py
Debian, Ubuntu  sudo cp {ca} /usr/local/share/ca-certificates/mock-sse.crt && sudo update-ca-certificates
Fedora          sudo cp {ca} /etc/pki/ca-trust/source/anchors/mock-sse.pem && sudo update-ca-trust
macOS           sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain {ca}
Windows         certutil -addstore -user Root {ca}
Firefox         Settings > Privacy & Security > Certificates > View Certificates > Authorities > Import
Chrome (Linux)  certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n mock-sse -i {ca}
"
    )
}

/// Both of a certificate and its key; one without the other is an error.
fn exists(cert: &Path, key: &Path) -> io::Result<bool> {
    match (
        cert.try_exists().map_err(|e| at(cert, e))?,
        key.try_exists().map_err(|e| at(key, e))?,
    ) {
        (true, true) => Ok(true),
        (false, false) => Ok(false),
        (has_cert, _) => {
            let (there, missing) = if has_cert { (cert, key) } else { (key, cert) };
            Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!(
                    "{} is there but {} is missing: restore it, or remove the other to have both made anew",
                    there.display(),
                    missing.display()
                ),
            ))
        }
    }
}

fn ensure_ca(cert_path: &Path, key_path: &Path) -> io::Result<Issuer<'static, KeyPair>> {
    if exists(cert_path, key_path)? {
        let pem = fs::read_to_string(key_path).map_err(|e| at(key_path, e))?;
        let key = KeyPair::from_pem(&pem).map_err(|e| at(key_path, io::Error::other(e)))?;
        return Ok(Issuer::new(ca_params(), key));
    }
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let cert = ca_params().self_signed(&key).map_err(io::Error::other)?;
    write_new(key_path, &key.serialize_pem(), 0o600)?;
    write_new(cert_path, &cert.pem(), 0o644)?;
    Ok(Issuer::new(ca_params(), key))
}

fn ca_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, CA_NAME);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_validity(&mut params, CA_DAYS);
    params
}

fn set_validity(params: &mut CertificateParams, days: u32) {
    // A day back: clocks of containers and virtual machines differ.
    params.not_before = (SystemTime::now() - DAY).into();
    params.not_after = (SystemTime::now() + DAY * days).into();
}

fn make_leaf(certs: &Certs, ca: &Issuer<'static, KeyPair>, names: &BTreeSet<&str>) -> io::Result<()> {
    let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
    let mut params = CertificateParams::new(names)
        .map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, format!("a certificate name: {e}")))?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "mock-sse");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    set_validity(&mut params, LEAF_DAYS);
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let leaf = params.signed_by(&key, ca).map_err(io::Error::other)?;
    write_new(&certs.key_path, &key.serialize_pem(), 0o600)?;
    write_new(&certs.cert_path, &leaf.pem(), 0o644)
}

/// Checks names and validity of what is there; returns what is worth a warning.
fn inspect(certs: &Certs, names: &BTreeSet<&str>) -> io::Result<Option<String>> {
    let leaf = read_cert(&certs.cert_path)?;
    let remedy = format!(
        "remove {} and {} to have them made anew; the CA stays",
        certs.cert_path.display(),
        certs.key_path.display()
    );
    let invalid = |why: String| {
        let text = format!("{}: {why}; {remedy}", certs.cert_path.display());
        io::Error::new(io::ErrorKind::InvalidData, text)
    };
    let parsed = ParsedCertificate::try_from(&leaf).map_err(|e| invalid(e.to_string()))?;
    for name in names {
        if !covers(&parsed, name).map_err(&invalid)? {
            return Err(invalid(format!("the certificate is not for {name}")));
        }
    }
    if !certs.ca_pem_path.try_exists().unwrap_or(false) {
        return Ok(None); // somebody's own certificate, without a CA of ours
    }
    let ca = read_cert(&certs.ca_pem_path)?;
    let now = SystemTime::now();
    match verify(&leaf, &ca, now) {
        Err(rustls::Error::InvalidCertificate(e)) if is_expired(&e) => {
            return Err(invalid("the certificate has expired".into()));
        }
        Err(e) => {
            let (leaf, ca) = (certs.cert_path.display(), certs.ca_pem_path.display());
            return Ok(Some(format!(
                "{leaf} was not signed by {ca} ({e}): clients that trust only that CA will refuse it"
            )));
        }
        Ok(()) => {}
    }
    let soon = verify(&leaf, &ca, now + DAY * WARN_DAYS).is_err();
    Ok(soon.then(|| {
        format!(
            "{} expires within {WARN_DAYS} days: {remedy}",
            certs.cert_path.display()
        )
    }))
}

fn is_expired(error: &CertificateError) -> bool {
    matches!(
        error,
        CertificateError::Expired | CertificateError::ExpiredContext { .. }
    )
}

/// Whether the certificate is for `name`; a wildcard is tried with a name below it.
fn covers(cert: &ParsedCertificate<'_>, name: &str) -> Result<bool, String> {
    let concrete = match name.strip_prefix("*.") {
        Some(rest) => format!("any.{rest}"),
        None => name.to_owned(),
    };
    let concrete = match concrete.parse::<IpAddr>() {
        Ok(ip) => ServerName::from(ip),
        Err(_) => ServerName::try_from(concrete).map_err(|_| format!("{name:?} is no host name"))?,
    };
    Ok(verify_server_name(cert, &concrete).is_ok())
}

fn verify(
    leaf: &CertificateDer<'_>,
    ca: &CertificateDer<'static>,
    when: SystemTime,
) -> Result<(), rustls::Error> {
    let general = |e: String| rustls::Error::General(e);
    let mut roots = RootCertStore::empty();
    roots.add(ca.clone())?;
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|e| general(e.to_string()))?;
    let since = when
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_err(|e| general(e.to_string()))?;
    let name = ServerName::try_from("localhost").map_err(|e| general(e.to_string()))?;
    let when = UnixTime::since_unix_epoch(since);
    verifier
        .verify_server_cert(leaf, &[], &name, &[], when)
        .map(|_| ())
}

fn read_cert(path: &Path) -> io::Result<CertificateDer<'static>> {
    let pem = fs::read(path).map_err(|e| at(path, e))?;
    CertificateDer::from_pem_slice(&pem)
        .map_err(|e| at(path, io::Error::new(io::ErrorKind::InvalidData, e.to_string())))
}

/// Writes a file whole and with its mode from the first byte on, unless there is one.
fn write_new(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let written = write_file(&temporary, text, mode)
        // A link, not a rename: it fails where a file is.
        .and_then(|()| {
            fs::hard_link(&temporary, path).or_else(|e| match e.kind() {
                io::ErrorKind::AlreadyExists => Err(e),
                _ => write_file(path, text, mode), // a file system without links
            })
        });
    let _ = fs::remove_file(&temporary);
    written.map_err(|e| at(path, e))
}

fn write_file(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Held while files are looked for and made, so that two starts do not mix their keys.
struct Lock {
    _held: Option<File>,
}

impl Lock {
    fn take(dir: &Path) -> io::Result<Lock> {
        let path = dir.join(".lock");
        match OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
        {
            Ok(file) => {
                file.lock().map_err(|e| at(&path, e))?;
                Ok(Lock { _held: Some(file) })
            }
            // A folder that is mounted read-only is fine as long as all files are in it.
            Err(e) if is_read_only(&e) => Ok(Lock { _held: None }),
            Err(e) => Err(at(&path, e)),
        }
    }
}

fn is_read_only(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied
    )
}

fn at(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_about_to_expire_is_known_by_its_dates() {
        let dir = tempfile::tempdir().unwrap();
        let certs = ensure(dir.path(), &[]).unwrap();
        let (leaf, ca) = (
            read_cert(&certs.cert_path).unwrap(),
            read_cert(&certs.ca_pem_path).unwrap(),
        );
        let now = SystemTime::now();
        assert!(verify(&leaf, &ca, now).is_ok());
        assert!(verify(&leaf, &ca, now + DAY * (LEAF_DAYS - 1)).is_ok());
        let late = verify(&leaf, &ca, now + DAY * (LEAF_DAYS + 1)).unwrap_err();
        assert!(matches!(late, rustls::Error::InvalidCertificate(e) if is_expired(&e)));
    }
}

//! TLS: the certificate on disk, exchanged at run time when its files change.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, RwLock},
    time::Duration,
};

use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self,
        crypto::{CryptoProvider, ring},
        server::{ClientHello, ResolvesServerCert},
        sign::CertifiedKey,
    },
};

/// How often the files are looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// Where certificate and key lie, both PEM.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The certificate, followed by its intermediates.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Both files as they were read: compared by content, so that links and atomic swaps are noticed.
#[derive(PartialEq, Eq, Clone)]
struct Contents {
    cert: Vec<u8>,
    key: Vec<u8>,
}

/// The acceptor and what it takes its certificate from.
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    files: TlsFiles,
    first: Contents,
    resolver: Arc<Resolver>,
}

#[derive(Debug)]
struct Resolver {
    current: RwLock<Arc<CertifiedKey>>,
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().unwrap_or_else(|e| e.into_inner()).clone())
    }
}

impl Tls {
    /// Reads the files; an error names the one at fault.
    pub(crate) fn load(files: &TlsFiles) -> io::Result<Tls> {
        let first = read(files)?;
        let provider = Arc::new(ring::default_provider());
        let key = certified_key(&provider, files, &first)?;
        let resolver = Arc::new(Resolver {
            current: RwLock::new(Arc::new(key)),
        });
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_cert_resolver(resolver.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(Tls {
            acceptor,
            files: files.clone(),
            first,
            resolver,
        })
    }

    pub(crate) fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }

    /// A task that exchanges the certificate whenever the files hold another good one.
    pub(crate) fn watch(&self) -> impl Future<Output = ()> + Send + 'static {
        watch(self.watcher())
    }

    fn watcher(&self) -> Watcher {
        Watcher {
            files: self.files.clone(),
            resolver: self.resolver.clone(),
            served: self.first.clone(),
            failed: Failure::None,
        }
    }
}

async fn watch(mut watcher: Watcher) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let look = tokio::task::spawn_blocking(move || {
            watcher.look();
            watcher
        });
        let Ok(back) = look.await else { return };
        watcher = back;
    }
}

/// Compares the files with what is served.
struct Watcher {
    files: TlsFiles,
    resolver: Arc<Resolver>,
    served: Contents,
    failed: Failure,
}

impl Watcher {
    /// Reads the files once; serves what is in them if it is new and good.
    fn look(&mut self) {
        match self.find() {
            Ok(None) => self.failed = Failure::None,
            Ok(Some((key, found))) => {
                *self.resolver.current.write().unwrap_or_else(|e| e.into_inner()) = Arc::new(key);
                self.served = found;
                self.failed = Failure::None;
                tracing::info!("serving the new certificate in {}", self.files.cert.display());
            }
            Err(e) => self.failed = std::mem::replace(&mut self.failed, Failure::None).again(&e.to_string()),
        }
    }

    fn find(&self) -> io::Result<Option<(CertifiedKey, Contents)>> {
        let found = read(&self.files)?;
        if found == self.served {
            return Ok(None);
        }
        let key = certified_key(&ring::default_provider(), &self.files, &found)?;
        Ok(Some((key, found)))
    }
}

/// A failure is told when it is found twice: the first time, the files may be half written.
enum Failure {
    None,
    Once(String),
    Told(String),
}

impl Failure {
    fn again(self, message: &str) -> Failure {
        match self {
            Failure::Told(before) if before == message => Failure::Told(before),
            Failure::Once(before) if before == message => {
                tracing::warn!("still serving the former certificate: {message}");
                Failure::Told(before)
            }
            _ => Failure::Once(message.to_owned()),
        }
    }
}

fn read(files: &TlsFiles) -> io::Result<Contents> {
    let read = |path: &Path| {
        fs::read(path).map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))
    };
    Ok(Contents {
        cert: read(&files.cert)?,
        key: read(&files.key)?,
    })
}

fn certified_key(
    provider: &CryptoProvider,
    files: &TlsFiles,
    contents: &Contents,
) -> io::Result<CertifiedKey> {
    let invalid = |path: &Path, why: String| {
        io::Error::new(io::ErrorKind::InvalidData, format!("{}: {why}", path.display()))
    };
    let chain = CertificateDer::pem_slice_iter(&contents.cert)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| invalid(&files.cert, e.to_string()))?;
    if chain.is_empty() {
        return Err(invalid(&files.cert, "no PEM certificate in it".into()));
    }
    let key = PrivateKeyDer::from_pem_slice(&contents.key)
        .map_err(|e| invalid(&files.key, format!("no PEM private key in it: {e}")))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|e| {
        let why = format!(
            "does not go with the certificate in {}: {e}",
            files.cert.display()
        );
        invalid(&files.key, why)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certs;

    fn served(watcher: &Watcher) -> Vec<u8> {
        watcher.resolver.current.read().unwrap().cert[0].to_vec()
    }

    #[test]
    fn a_broken_pair_keeps_the_former_certificate_and_is_told_once_it_stays() {
        let dir = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        let made = certs::ensure(dir.path(), &[]).unwrap();
        let new = certs::ensure(other.path(), &[]).unwrap();
        let files = TlsFiles {
            cert: made.cert_path.clone(),
            key: made.key_path.clone(),
        };
        let mut watcher = Tls::load(&files).unwrap().watcher();
        let first = served(&watcher);

        fs::copy(&new.cert_path, &made.cert_path).unwrap();
        watcher.look();
        assert!(
            matches!(watcher.failed, Failure::Once(_)),
            "half a swap is nothing to tell"
        );
        watcher.look();
        assert!(matches!(watcher.failed, Failure::Told(_)));
        assert_eq!(served(&watcher), first);

        fs::copy(&new.key_path, &made.key_path).unwrap();
        watcher.look();
        assert!(matches!(watcher.failed, Failure::None));
        assert_ne!(served(&watcher), first);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_points_elsewhere_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("current");
        for name in ["one", "two"] {
            certs::ensure(&dir.path().join(name), &[]).unwrap();
        }
        std::os::unix::fs::symlink("one", &link).unwrap();
        let files = TlsFiles {
            cert: link.join("cert.pem"),
            key: link.join("key.pem"),
        };
        let mut watcher = Tls::load(&files).unwrap().watcher();
        let first = served(&watcher);
        fs::remove_file(&link).unwrap();
        watcher.look();
        std::os::unix::fs::symlink("two", &link).unwrap();
        watcher.look();
        assert_ne!(served(&watcher), first);
    }
}

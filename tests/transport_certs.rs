//! The local CA and its certificate: made once, private, never overwritten.

use std::{fs, path::Path};

use mock_sse::certs::{ensure, trust_help};

const FILES: [&str; 4] = ["ca.pem", "ca.key", "cert.pem", "key.pem"];

fn contents(dir: &Path) -> Vec<Vec<u8>> {
    FILES.iter().map(|f| fs::read(dir.join(f)).unwrap()).collect()
}

#[test]
fn certificates_are_made_once_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let names = [
        "dev.test".to_owned(),
        "*.dev.test".to_owned(),
        "10.0.0.7".to_owned(),
    ];
    let made = ensure(dir.path(), &names).unwrap();
    assert!(made.created && made.warning.is_none(), "{made:?}");
    let before = contents(dir.path());
    let again = ensure(dir.path(), &names[..1]).unwrap();
    assert!(!again.created);
    assert_eq!(contents(dir.path()), before);
}

#[cfg(unix)]
#[test]
fn private_keys_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    ensure(dir.path(), &[]).unwrap();
    for file in ["ca.key", "key.pem"] {
        let mode = fs::metadata(dir.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let left: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(
        left.len(),
        FILES.len() + 1,
        "the four files and the lock: {left:?}"
    );
}

#[test]
fn a_missing_name_is_an_error_that_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    ensure(dir.path(), &[]).unwrap();
    let before = contents(dir.path());
    let error = ensure(dir.path(), &["dev.test".to_owned()])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("the certificate is not for dev.test; remove "),
        "{error}"
    );
    assert_eq!(contents(dir.path()), before);
    fs::remove_file(dir.path().join("cert.pem")).unwrap();
    fs::remove_file(dir.path().join("key.pem")).unwrap();
    assert!(ensure(dir.path(), &["dev.test".to_owned()]).unwrap().created);
    assert_eq!(contents(dir.path())[..2], before[..2], "the CA stays");
}

#[test]
fn a_certificate_without_its_key_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    ensure(dir.path(), &[]).unwrap();
    fs::remove_file(dir.path().join("key.pem")).unwrap();
    let error = ensure(dir.path(), &[]).unwrap_err().to_string();
    assert!(error.contains("key.pem is missing"), "{error}");
}

#[test]
fn somebody_elses_ca_is_noticed() {
    let (mine, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    ensure(mine.path(), &[]).unwrap();
    ensure(other.path(), &[]).unwrap();
    fs::copy(other.path().join("ca.pem"), mine.path().join("ca.pem")).unwrap();
    let warning = ensure(mine.path(), &[]).unwrap().warning.unwrap();
    assert!(warning.contains("was not signed by"), "{warning}");
}

#[test]
fn a_name_that_is_none_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    assert!(ensure(dir.path(), &["not a name".to_owned()]).is_err());
}

#[test]
fn starts_at_the_same_time_agree() {
    let dir = tempfile::tempdir().unwrap();
    let made: Vec<bool> = std::thread::scope(|s| {
        let starts: Vec<_> = (0..8)
            .map(|_| s.spawn(|| ensure(dir.path(), &[]).unwrap().created))
            .collect();
        starts.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert_eq!(made.iter().filter(|m| **m).count(), 1);
    assert!(ensure(dir.path(), &[]).unwrap().warning.is_none());
}

#[test]
fn help_names_the_ca_for_every_client() {
    let help = trust_help(Path::new("/x/ca.pem"));
    for word in [
        "curl --cacert /x/ca.pem",
        "NODE_EXTRA_CA_CERTS",
        "SSL_CERT_FILE",
        "Firefox",
        "Fedora",
    ] {
        assert!(help.contains(word), "{word}");
    }
}

//! Committed files that tests make.

use std::path::Path;

/// Holds a file of the repository against what it should be; `UPDATE_GOLDEN=1` writes it anew.
pub(crate) fn hold(file: &str, made: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, made).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == made,
        "{file} is not what the code says: UPDATE_GOLDEN=1 cargo test --lib committed"
    );
}

//! Names that come from requests, short enough to be remembered in great number.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

/// A name that is longer, in bytes, is remembered by its digest.
const LONG: usize = 256;

/// The name itself, or what stands for it if it is long.
pub(crate) fn short(name: &str) -> Cow<'_, str> {
    match name.len() > LONG {
        false => Cow::Borrowed(name),
        true => {
            let digest = Sha256::digest(name.as_bytes());
            let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            Cow::Owned(format!("sha256:{hex}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_stay_apart_and_become_short() {
        let long = "x".repeat(100_000);
        assert_eq!(short("name"), "name");
        assert_eq!(short(&long), short(&long.clone()));
        assert_ne!(short(&long), short(&long[1..]));
        assert!(short(&long).len() < LONG);
    }
}

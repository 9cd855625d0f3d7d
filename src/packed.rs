//! Texts that the program carries packed, because it seldom needs them: `build.rs` packs them.

use std::io::Read;

/// A text that was packed.
pub(crate) fn unpacked(bytes: &[u8]) -> String {
    let mut text = String::new();
    let mut reader = flate2::read::DeflateDecoder::new(bytes);
    reader
        .read_to_string(&mut text)
        .expect("it was packed as it is read");
    text
}

/// What was packed under a name.
macro_rules! packed_bytes {
    ($($name:expr),+) => {
        include_bytes!(concat!(env!("OUT_DIR"), "/", $($name),+))
    };
}
pub(crate) use packed_bytes;

/// A text by the name it was packed under.
macro_rules! packed {
    ($name:literal) => {
        $crate::packed::unpacked($crate::packed::packed_bytes!($name))
    };
}
pub(crate) use packed;

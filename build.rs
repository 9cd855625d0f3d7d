//! Packs the texts that the program carries and seldom needs.

use std::io::Write;
use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    for folder in ["schemas", "scenarios", "scenarios/llm"] {
        println!("cargo::rerun-if-changed={folder}");
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_file() {
                pack(&path, &fs::read(&path)?)?;
            }
        }
    }
    pack(Path::new("media-types"), media_types().as_bytes())
}

/// Under its own path.
fn pack(path: &Path, text: &[u8]) -> io::Result<()> {
    let folder = env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?;
    let packed = Path::new(&folder).join(path);
    fs::create_dir_all(packed.parent().ok_or(io::ErrorKind::NotFound)?)?;
    let packed = fs::File::create(packed)?;
    let mut packed = flate2::write::DeflateEncoder::new(packed, flate2::Compression::best());
    packed.write_all(text)?;
    packed.finish()?;
    Ok(())
}

/// A line for each extension, in their order: `txt text/plain`. The crate's own tables are five times as large.
fn media_types() -> String {
    let extensions = mime_guess::get_extensions("*", "*").unwrap_or_default();
    let mut lines: Vec<String> = extensions
        .iter()
        .filter_map(|extension| {
            let guess = mime_guess::from_ext(extension).first()?;
            Some(format!(
                "{} {}\n",
                extension.to_ascii_lowercase(),
                guess.essence_str()
            ))
        })
        .collect();
    lines.sort();
    lines.dedup();
    lines.concat()
}

//! Raw bytes in all their forms.

use std::sync::Arc;

use base64::Engine as _;
use bytes::Bytes;

use super::Compiler;
use crate::expr::Text;
use crate::scenario::decode::{At, Scalar};
use crate::scenario::diagnostic::Span;
use crate::scenario::file::{RawFile, RawFormFile, RawPieceFile, SplitFile};
use crate::scenario::model::{Raw, RawPiece};
use crate::scenario::size;

/// The most bytes that `fill` makes.
const LARGEST_FILL: u64 = 256 << 20;

impl Compiler<'_> {
    /// Bytes that are sent as they are.
    pub(super) fn raw(
        &mut self,
        file: &RawFile,
        split: Option<&At<SplitFile>>,
        at: &Span,
        names: &[String],
    ) -> Option<Raw> {
        let at = file.span().unwrap_or(at);
        let pieces: Vec<Option<RawPiece>> = file.0.iter().map(|piece| self.piece(piece, names)).collect();
        let split = split.and_then(|s| self.split(s, names));
        let pieces: Vec<RawPiece> = pieces.into_iter().collect::<Option<_>>()?;
        if pieces.iter().all(is_empty) {
            self.error_hint(
                at,
                "there are no bytes to send here",
                "write for example \"data: x\\n\\n\"",
            );
            return None;
        }
        Some(Raw {
            pieces: pieces.into(),
            split,
        })
    }

    fn piece(&mut self, file: &RawPieceFile, names: &[String]) -> Option<RawPiece> {
        match file {
            RawPieceFile::Text(scalar) if scalar.text.is_none() => {
                self.error_hint(
                    &scalar.span,
                    "there are no bytes to send here",
                    "write text in quotes",
                );
                None
            }
            RawPieceFile::Text(scalar) => self.text(scalar, names).map(RawPiece::Text),
            RawPieceFile::Form(at) => self.form(at),
        }
    }

    fn form(&mut self, at: &At<RawFormFile>) -> Option<RawPiece> {
        let file = &at.value;
        if let (Some(with), None) = (&file.with, &file.fill) {
            let message = "`with` belongs to `fill`: it is what the bytes are filled with";
            self.error_hint(&with.span, message, "for example `{ fill: 5MiB, with: ab }`");
            return None;
        }
        match (&file.hex, &file.base64, &file.file, &file.fill) {
            (Some(hex), None, None, None) => {
                let bytes = from_hex(&hex.value);
                self.bytes(hex, bytes)
            }
            (None, Some(text), None, None) => {
                let bytes = from_base64(&text.value);
                self.bytes(text, bytes)
            }
            (None, None, Some(path), None) => self.read_file(&path.span, &path.value).map(RawPiece::Bytes),
            (None, None, None, Some(length)) => self.fill(length, file.with.as_ref()),
            _ => {
                let message = "raw bytes have one form: `hex`, `base64`, `file` or `fill`";
                self.error_hint(
                    &at.span,
                    message,
                    "for several write a list: `raw: [ { hex: … }, { file: … } ]`",
                );
                None
            }
        }
    }

    fn bytes(&mut self, at: &At<String>, bytes: Result<Vec<u8>, String>) -> Option<RawPiece> {
        match bytes {
            Ok(bytes) => Some(RawPiece::Bytes(bytes.into())),
            Err(message) => {
                self.error(&at.span, message);
                None
            }
        }
    }

    fn fill(&mut self, length: &Scalar, with: Option<&At<String>>) -> Option<RawPiece> {
        let bytes = self.size(length)?;
        if bytes > LARGEST_FILL {
            let message = format!(
                "a fill of {} is too large: at most {}",
                size::format(bytes),
                size::format(LARGEST_FILL)
            );
            self.error(&length.span, message);
            return None;
        }
        let pattern = with.map_or("x", |at| at.value.as_str());
        if pattern.is_empty() {
            self.error(&with?.span, "`with` is empty: there is nothing to fill with");
            return None;
        }
        Some(RawPiece::Fill {
            length: bytes as usize,
            pattern: Bytes::copy_from_slice(pattern.as_bytes()),
        })
    }
}

fn is_empty(piece: &RawPiece) -> bool {
    match piece {
        RawPiece::Text(Text::Fixed(text)) => Arc::as_ref(text).is_empty(),
        RawPiece::Text(_) => false,
        RawPiece::Bytes(bytes) => bytes.is_empty(),
        RawPiece::Fill { length, .. } => *length == 0,
    }
}

fn from_hex(text: &str) -> Result<Vec<u8>, String> {
    let mut digits = Vec::new();
    for (i, c) in text.chars().enumerate().filter(|(_, c)| !c.is_whitespace()) {
        let digit = c.to_digit(16);
        digits.push(digit.ok_or_else(|| {
            let c = c.escape_debug();
            format!("`{c}`, character {} of this text, is no hexadecimal digit", i + 1)
        })? as u8);
    }
    let (pairs, rest) = digits.as_chunks::<2>();
    match rest {
        [] => Ok(pairs.iter().map(|[high, low]| high << 4 | low).collect()),
        _ => Err(format!(
            "a byte is two hexadecimal digits, but these are {}",
            digits.len()
        )),
    }
}

fn from_base64(text: &str) -> Result<Vec<u8>, String> {
    let digit = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c) || c.is_whitespace();
    if let Some((i, c)) = text.chars().enumerate().find(|(_, c)| !digit(*c)) {
        let c = c.escape_debug();
        return Err(format!(
            "`{c}`, character {} of this text, is no digit of base64",
            i + 1
        ));
    }
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let decoded = base64::engine::general_purpose::STANDARD.decode(&text);
    decoded.map_err(|error| {
        let text = error.to_string();
        format!(
            "this is not base64: {}",
            text.trim_end_matches('.').to_lowercase()
        )
    })
}

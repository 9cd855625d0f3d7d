//! Endings, and the error codes of HTTP/2.

use super::Compiler;
use crate::scenario::decode::{At, Scalar};
use crate::scenario::model::End;
use crate::spelling::{nearest, suggest};

/// The error codes of RFC 9113, §7, each at its number.
const CODES: &[&str] = &[
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
];

const INTERNAL_ERROR: u32 = 2;

/// All endings.
pub(super) const ENDINGS: &[&str] = &["close", "cut", "reset", "goaway", "stall", "hold"];
/// Endings that other streams can be given.
pub(super) const ENDINGS_OF_OTHERS: &[&str] = &["cut", "close", "reset", "goaway"];

/// The name of an error code, or its number.
pub(in crate::scenario) fn code_name(code: u32) -> String {
    let name = CODES.get(code as usize).map(|name| (*name).to_owned());
    name.unwrap_or_else(|| code.to_string())
}

impl Compiler<'_> {
    /// One of these endings; `None` without one.
    pub(super) fn ending(
        &mut self,
        end: Option<&At<String>>,
        code: Option<&Scalar>,
        known: &[&str],
    ) -> Option<End> {
        let name = end.map(|at| at.value.as_str());
        if let (Some(end), Some(name)) = (end, name)
            && !known.contains(&name)
        {
            let message = format!("there is no ending `{name}`");
            let message = match ENDINGS.contains(&name) {
                true => format!("the ending `{name}` does not work here"),
                false => message,
            };
            self.error_hint(&end.span, message, suggest(name, known));
            return None;
        }
        if let Some(code) = code
            && name != Some("cut")
        {
            let message = "`code` belongs to `end: cut` alone: only a cut sends one";
            self.error_hint(&code.span, message, "add `end: cut`, or remove `code`");
            return None;
        }
        Some(match name? {
            "close" => End::Close,
            "cut" => End::Cut {
                code: self.code(code)?,
            },
            "reset" => End::Reset,
            "goaway" => End::Goaway,
            "stall" => End::Stall,
            _ => End::Hold,
        })
    }

    /// An error code by name or number.
    pub(super) fn code(&mut self, code: Option<&Scalar>) -> Option<u32> {
        let Some(scalar) = code else {
            return Some(INTERNAL_ERROR);
        };
        let text = scalar.text.as_deref().unwrap_or("");
        let upper = text.to_uppercase();
        let known = CODES.iter().position(|name| *name == upper);
        let code = known.map(|at| at as u32).or_else(|| text.parse().ok());
        if code.is_none() {
            let hint = match nearest(&upper, CODES.iter().copied()) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("use a number, or one of: {}", CODES.join(", ")),
            };
            let message = match text {
                "" => "the error code is missing".to_owned(),
                text => format!("`{text}` is no error code of HTTP/2 (RFC 9113, section 7)"),
            };
            self.error_hint(&scalar.span, message, hint);
        }
        code
    }
}

//! One answer: its head and its body.

use std::sync::Arc;

use bytes::Bytes;

use super::Compiler;
use super::choice::Outline;
use super::end::ENDINGS;
use super::files::media_type;
use super::layers::Layers;
use super::place::Place;
use crate::expr::Text;
use crate::scenario::decode::{At, Scalar};
use crate::scenario::diagnostic::Span;
use crate::scenario::file::{HeaderFile, RawFile};
use crate::scenario::model::{Answer, Body, Files, Header, Pace, Raw, RawPiece};
use crate::scenario::pattern::Pattern;

impl Compiler<'_> {
    /// What a request gets, all layers together.
    pub(super) fn answer(
        &mut self,
        outline: &Outline,
        layers: &Layers,
        paths: &[Pattern],
        place: &Place,
    ) -> Answer {
        let mut place = place.clone();
        let effects = self.effects(layers, &mut place);
        let names = &place.names;
        let status = layers
            .last(|l| l.status.as_ref())
            .and_then(|s| self.status(s, names));
        let reason = layers
            .last(|l| l.reason.as_ref())
            .and_then(|s| self.reason(s, names));
        let raw_head = layers.last(|l| l.raw_head.as_ref());
        let raw_head = raw_head.and_then(|raw| self.raw_head(raw, outline.at, names));
        let headers = layers.headers();
        let headers: Vec<Header> = headers
            .iter()
            .filter_map(|(n, v)| self.header(n, v, names))
            .collect();
        let after = layers
            .last(|l| l.after.as_ref())
            .and_then(|d| self.pace(d, names));
        let sized = headers
            .iter()
            .any(|h| h.name.eq_ignore_ascii_case("content-length") && !h.values.is_empty());
        let body = self.body(layers, paths, &place, sized);
        Answer {
            effects,
            status: status.unwrap_or_else(|| Text::fixed("200")),
            reason,
            headers,
            raw_head,
            after: after.unwrap_or(Pace::ZERO),
            body,
            framing: self.framing(layers),
            close_notify: layers.wire(|w| w.close_notify.as_ref()).is_none_or(|at| at.value),
            compress: layers
                .last(|l| l.compress.as_ref())
                .map(|c| self.compress(c))
                .unwrap_or_default(),
        }
    }

    fn status(&mut self, scalar: &Scalar, names: &[String]) -> Option<Text> {
        let text = self.text(scalar, names)?;
        if let Text::Fixed(code) = &text
            && let Err(message) = crate::scenario::status_code(code)
        {
            self.error(&scalar.span, message);
        }
        Some(text)
    }

    fn reason(&mut self, scalar: &Scalar, names: &[String]) -> Option<Text> {
        let text = self.text(scalar, names)?;
        if let Text::Fixed(reason) = &text
            && reason.chars().any(|c| c.is_control() && c != '\t')
        {
            let message = "a reason phrase cannot hold line ends or control characters";
            self.error_hint(&scalar.span, message, "dictate the whole head with `raw_head`");
        }
        Some(text)
    }

    fn header(&mut self, name: &At<String>, values: &HeaderFile, names: &[String]) -> Option<Header> {
        if name.value.eq_ignore_ascii_case("transfer-encoding") {
            let message = "the server sets the header `transfer-encoding` itself";
            let hint = "choose with `wire: { framing: chunked }`, `sized` or `close`, or dictate the whole head with `raw_head`";
            self.error_hint(&name.span, message, hint);
            return None;
        }
        if http::HeaderName::from_bytes(name.value.as_bytes()).is_err() {
            let message = format!("`{}` is no header name", name.value.escape_debug());
            let hint = "for a header that HTTP does not allow, dictate the whole head with `raw_head`";
            self.error_hint(&name.span, message, hint);
            return None;
        }
        let values = values.0.iter().filter_map(|v| self.header_value(v, names));
        Some(Header {
            name: name.value.clone(),
            values: values.collect(),
        })
    }

    /// A header's name as CORS rules list them.
    pub(super) fn header_name(&mut self, name: &At<String>) -> Option<String> {
        match http::HeaderName::from_bytes(name.value.as_bytes()) {
            Ok(_) => Some(name.value.clone()),
            Err(_) => {
                let message = format!("`{}` is no header name", name.value.escape_debug());
                self.error(&name.span, message);
                None
            }
        }
    }

    fn header_value(&mut self, scalar: &Scalar, names: &[String]) -> Option<Text> {
        let text = self.text(scalar, names)?;
        if let Text::Fixed(value) = &text
            && http::HeaderValue::from_bytes(&crate::text::to_bytes(value)).is_err()
        {
            let message = "a header value cannot hold line ends or control characters";
            self.error(&scalar.span, message);
            return None;
        }
        Some(text)
    }

    fn raw_head(&mut self, file: &RawFile, at: &Span, names: &[String]) -> Option<Raw> {
        let raw = self.raw(file, None, at, names)?;
        let end = ending(&raw);
        if end.is_some_and(|end| !end.ends_with(b"\r\n\r\n") && !end.ends_with(b"\n\n")) {
            let message =
                "this `raw_head` has no blank line at its end, so the body becomes part of the head";
            self.warn(
                file.span().unwrap_or(at),
                message,
                "end it with \"\\r\\n\\r\\n\" in double quotes",
            );
        }
        Some(raw)
    }

    fn body(&mut self, layers: &Layers, paths: &[Pattern], place: &Place, sized: bool) -> Body {
        let Some(file) = layers.body() else {
            return Body::Empty;
        };
        if let Some(stream) = &file.stream {
            return Body::Stream(Arc::new(self.stream(stream, layers, place, sized)));
        }
        if let Some(folder) = &file.files {
            return self
                .files(folder, paths)
                .map_or(Body::Empty, |f| Body::Files(Arc::new(f)));
        }
        if let Some(path) = &file.file {
            return self.file(path);
        }
        if file.end.is_some() {
            let end = self.ending(file.end.as_ref(), file.code.as_ref(), ENDINGS);
            return end.map_or(Body::Empty, Body::Nothing);
        }
        if let Some(json) = &file.json {
            return Body::Json(self.tree(&json.0, &place.names));
        }
        let text = file.body.as_ref().and_then(|s| self.text(s, &place.names));
        text.map_or(Body::Empty, Body::Text)
    }

    fn file(&mut self, path: &At<String>) -> Body {
        let bytes = self.read_file(&path.span, &path.value);
        bytes.map_or(Body::Empty, |bytes| Body::File {
            bytes,
            media_type: media_type(&path.value),
        })
    }

    fn files(&mut self, folder: &At<String>, paths: &[Pattern]) -> Option<Files> {
        let rests: Vec<Option<&str>> = paths.iter().map(Pattern::rest).collect();
        let Some(Some(name)) = rests
            .first()
            .copied()
            .filter(|name| rests.iter().all(|rest| rest == name))
        else {
            let message = "`files` needs a path that ends with `{rest...}`, which names the file";
            self.error_hint(&folder.span, message, "for example `path: /static/{rest...}`");
            return None;
        };
        Some(Files {
            name: name.to_owned(),
            files: self.read_folder(folder)?,
        })
    }
}

/// The last bytes of raw bytes, if all of them are known.
fn ending(raw: &Raw) -> Option<Bytes> {
    let mut all = Vec::new();
    for piece in raw.pieces.iter() {
        match piece {
            RawPiece::Text(Text::Fixed(text)) => all.extend_from_slice(&crate::text::to_bytes(text)),
            RawPiece::Text(_) => return None,
            RawPiece::Bytes(bytes) => all.extend(bytes),
            RawPiece::Fill { length, pattern } => {
                all.extend(pattern.iter().cycle().take((*length).min(pattern.len() * 4)));
            }
        }
        all.drain(..all.len().saturating_sub(8));
    }
    Some(all.into())
}

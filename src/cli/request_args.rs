//! The arguments that say a request: what `play` makes up and `record` sends.

use std::io::{self, Read};
use std::path::Path;

use bytes::Bytes;
use clap::Args;

#[derive(Debug, Args)]
pub struct RequestArgs {
    /// The request's method: GET, or POST with --data
    #[arg(short = 'X', long, value_name = "METHOD", value_parser = method)]
    method: Option<String>,
    /// A header of the request: 'Name: value'; repeat it for more
    #[arg(short = 'H', long, value_name = "HEADER", value_parser = header)]
    header: Vec<(String, String)>,
    /// The request's body; @FILE reads one, @- standard input. A form unless --header says another content-type
    #[arg(short = 'd', long, value_name = "TEXT")]
    data: Option<String>,
    /// The Last-Event-ID that the client comes back with
    #[arg(long, value_name = "ID", value_parser = header_value)]
    last_event_id: Option<String>,
}

impl RequestArgs {
    /// The method.
    pub(super) fn method(&self) -> &str {
        let usual = if self.data.is_some() { "POST" } else { "GET" };
        self.method.as_deref().unwrap_or(usual)
    }

    /// The body, read if it is a file's.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub(super) fn body(&self) -> Result<Option<Bytes>, String> {
        self.data.as_deref().map(body).transpose()
    }

    /// Whether a header is said; the name in lower case.
    pub(super) fn names(&self, name: &str) -> bool {
        self.header.iter().any(|(said, _)| said == name)
    }

    /// All headers, names in lower case.
    ///
    /// # Errors
    ///
    /// The last event id is said twice.
    pub(super) fn headers(&self) -> Result<Vec<(&str, &str)>, String> {
        if self.last_event_id.is_some() && self.names("last-event-id") {
            return Err("--last-event-id and --header 'last-event-id: …' say the same: give one".into());
        }
        let said = self
            .header
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let id = self.last_event_id.as_deref().map(|id| ("last-event-id", id));
        Ok(said.chain(id).collect())
    }
}

fn body(data: &str) -> Result<Bytes, String> {
    let Some(path) = data.strip_prefix('@') else {
        return Ok(Bytes::copy_from_slice(data.as_bytes()));
    };
    let read = match path {
        "-" => {
            let mut bytes = Vec::new();
            io::stdin().read_to_end(&mut bytes).map(|_| bytes)
        }
        path => std::fs::read(Path::new(path)),
    };
    read.map(Bytes::from)
        .map_err(|error| format!("--data: cannot read {path}: {error}"))
}

/// A method as HTTP has it, where case matters (RFC 9110 §9.1).
fn method(text: &str) -> Result<String, String> {
    match http::Method::from_bytes(text.as_bytes()) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("a method is one word, such as GET or POST".into()),
    }
}

/// `Name: value` (RFC 9110 §5).
fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once(':')
        .ok_or("there is no colon: write 'Name: value'")?;
    let name = http::HeaderName::from_bytes(name.trim().as_bytes())
        .map_err(|_| format!("`{}` is no name of a header", name.trim()))?;
    Ok((name.as_str().to_owned(), header_value(value.trim())?))
}

fn header_value(text: &str) -> Result<String, String> {
    match http::HeaderValue::from_bytes(text.as_bytes()) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("a header's value holds no line end or other control character".into()),
    }
}

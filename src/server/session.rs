//! Which session a request is meant for: a prefix of its path, or a header.

use crate::request::Request;

/// Names the session where no prefix can.
const HEADER: &str = "x-mock-session";

/// Why a request is refused: a status and a sentence.
pub(super) type Refusal = (u16, String);

/// Moves the session's name out of `/~NAME/…`, or out of `X-Mock-Session`, into the request's own
/// field. `/~NAME` alone is the session's root. A prefix and a header must agree.
///
/// # Errors
///
/// A prefix without a name, or two names.
pub(super) fn take(request: &mut Request) -> Result<(), Refusal> {
    let header = request.header_text(HEADER).filter(|name| !name.is_empty());
    let Some(rest) = request.path.strip_prefix("/~") else {
        request.session = header.unwrap_or_default();
        return Ok(());
    };
    let (name, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if name.is_empty() {
        return Err((
            404,
            "a path that begins with /~ names a session: /~NAME/path".into(),
        ));
    }
    if let Some(other) = header.filter(|other| other != name) {
        let detail = format!("the path names the session `{name}`, the header {HEADER} `{other}`: name one");
        return Err((400, detail));
    }
    let name = name.to_owned();
    request.path = if path.is_empty() {
        "/".to_owned()
    } else {
        path.to_owned()
    };
    request.session = name;
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn taken(path: &str, header: Option<&'static str>) -> Result<(String, String), u16> {
        let mut request = Request::example("GET", path);
        if let Some(value) = header {
            let value = Bytes::from_static(value.as_bytes());
            request.headers.push((HEADER.into(), value));
        }
        take(&mut request).map_err(|(status, _)| status)?;
        Ok((request.session, request.path))
    }

    #[test]
    fn a_session_is_named_by_a_prefix_or_by_a_header() {
        let named = |name: &str, path: &str| Ok((name.to_owned(), path.to_owned()));
        for (path, header, expected) in [
            ("/sse", None, named("", "/sse")),
            ("/~a/sse", None, named("a", "/sse")),
            ("/~a/", None, named("a", "/")),
            ("/~a", None, named("a", "/")),
            ("/sse", Some("b"), named("b", "/sse")),
            ("/sse", Some(""), named("", "/sse")),
            ("/~a/sse", Some("a"), named("a", "/sse")),
            ("/~a/~b/sse", None, named("a", "/~b/sse")),
            ("/~a/sse", Some("b"), Err(400)),
            ("/~/sse", None, Err(404)),
            ("/~", None, Err(404)),
        ] {
            assert_eq!(taken(path, header), expected, "{path} {header:?}");
        }
    }
}

//! The head of an HTTP/1.x answer as bytes, and what it means for the body and the connection.

use std::time::SystemTime;

use poem::http::{HeaderName, HeaderValue, StatusCode, Version};

use super::exact::Exact;
use crate::{engine::Head, name::printable, wire::Framing};

/// An announced length that nothing written can reach: it says no number.
const NO_NUMBER: i64 = i64::MAX;

/// How the body is delimited on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bounds {
    /// Chunks, and one of length zero.
    Chunked,
    /// A length was announced; this much of it is still to come (less than 0: more came).
    Sized {
        /// Bytes.
        left: i64,
    },
    /// The end of the connection.
    Close,
}

/// What follows the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) bounds: Bounds,
    /// Whether the connection may serve another request after a clean end.
    pub(crate) reusable: bool,
    /// Whether the end of an encrypted connection is announced.
    pub(crate) close_notify: bool,
}

/// What the answer depends on beside itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Circumstances {
    pub(crate) version: Version,
    /// Whether the request was HEAD.
    pub(crate) head_only: bool,
    /// Whether client and server would keep the connection.
    pub(crate) keeps_alive: bool,
    pub(crate) tls: bool,
}

/// The bytes of the head, and the shape of what follows.
pub(crate) fn compose(exact: &Exact, circumstances: Circumstances) -> (Vec<u8>, Shape) {
    let close_notify = exact.close_notify || !circumstances.tls;
    let Some(head) = &exact.head else {
        let shape = Shape {
            bounds: Bounds::Close,
            reusable: false,
            close_notify,
        };
        return (Vec::new(), shape);
    };
    let announced = announced(exact, head);
    let bodiless = circumstances.head_only || matches!(head.status, 204 | 304);
    let framing = match framing(exact, head, announced, circumstances.version) {
        // A client that is told no length reads to the end.
        Framing::Sized if announced.is_none() && !bodiless => Framing::Close,
        framing => framing,
    };
    let bounds = match framing {
        Framing::Close => Bounds::Close,
        _ if bodiless => Bounds::Sized { left: 0 },
        Framing::Chunked => Bounds::Chunked,
        Framing::Sized => Bounds::Sized {
            left: announced.unwrap_or(NO_NUMBER),
        },
    };
    let shape = Shape {
        bounds,
        reusable: circumstances.keeps_alive && bounds != Bounds::Close && close_notify && !closes(head),
        close_notify,
    };
    let bytes = match &head.raw {
        Some(raw) => raw.to_vec(),
        None => write(exact, head, framing, shape, circumstances),
    };
    (bytes, shape)
}

/// The length of the body that the client is told.
fn announced(exact: &Exact, head: &Head) -> Option<i64> {
    let length = exact
        .content_length
        .map(|n| i64::try_from(n).unwrap_or(NO_NUMBER));
    if head.raw.is_some() {
        return length;
    }
    let mut said = head
        .headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    match (said.next(), said.next()) {
        (Some((_, value)), None) => Some(number(value).unwrap_or(NO_NUMBER)),
        (Some(_), Some(_)) => Some(NO_NUMBER),
        _ => length.filter(|_| !head.lacks("content-length")),
    }
}

fn number(value: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(value).ok()?.trim();
    text.bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| text.parse().ok())?
}

fn framing(exact: &Exact, head: &Head, announced: Option<i64>, version: Version) -> Framing {
    let asked = exact.framing.unwrap_or_else(|| match announced {
        _ if head.raw.is_some() => Framing::Close,
        Some(_) => Framing::Sized,
        None => Framing::Chunked,
    });
    match asked {
        Framing::Chunked if version == Version::HTTP_10 => Framing::Close,
        asked => asked,
    }
}

/// Whether the head tells the client that the connection ends (RFC 9112 §9.6).
fn closes(head: &Head) -> bool {
    let close = |option: &[u8]| option.trim_ascii().eq_ignore_ascii_case(b"close");
    let says_so = |name: &[u8], value: &[u8]| {
        name.eq_ignore_ascii_case(b"connection") && value.split(|b| *b == b',').any(close)
    };
    match &head.raw {
        Some(raw) => raw.split(|b| *b == b'\n').any(|line| {
            let colon = line.iter().position(|b| *b == b':');
            colon.is_some_and(|at| says_so(&line[..at], &line[at + 1..]))
        }),
        None => head
            .headers
            .iter()
            .any(|(name, value)| says_so(name.as_bytes(), value)),
    }
}

fn write(exact: &Exact, head: &Head, framing: Framing, shape: Shape, around: Circumstances) -> Vec<u8> {
    let mut out = status_line(head, around.version);
    for (name, value) in &head.headers {
        if name.eq_ignore_ascii_case("transfer-encoding") {
            continue;
        }
        if field(name, value).is_some() {
            add(&mut out, name, value);
        }
    }
    if !head.decides("date") {
        add(&mut out, "date", date().as_bytes());
    }
    if let Some((name, value)) = framing_field(exact, head, framing, around) {
        add(&mut out, name, value.as_bytes());
    }
    if !shape.reusable && !head.decides("connection") {
        add(&mut out, "connection", b"close");
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// What tells the client the framing, where the head does not.
fn framing_field(
    exact: &Exact,
    head: &Head,
    framing: Framing,
    around: Circumstances,
) -> Option<(&'static str, String)> {
    if matches!(head.status, 204 | 304) {
        return None;
    }
    match framing {
        // The answer to HEAD need not say how GET's body would be framed (RFC 9112 §6.1).
        Framing::Chunked if around.head_only && exact.framing.is_none() => None,
        Framing::Chunked => Some(("transfer-encoding", "chunked".to_owned())),
        Framing::Sized if head.decides("content-length") => None,
        Framing::Sized => Some(("content-length", exact.content_length?.to_string())),
        Framing::Close => None,
    }
}

fn status_line(head: &Head, version: Version) -> Vec<u8> {
    let version = match version {
        Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    };
    let mut line = format!("{version} {} ", head.status).into_bytes();
    let usual = StatusCode::from_u16(head.status).ok();
    let usual = usual
        .and_then(|status| status.canonical_reason())
        .unwrap_or_default();
    match &head.reason {
        Some(reason) if HeaderValue::from_bytes(reason).is_ok() => line.extend_from_slice(reason),
        Some(_) => {
            tracing::warn!("the reason phrase of an answer holds control characters: the usual one is sent");
            line.extend_from_slice(usual.as_bytes());
        }
        None => line.extend_from_slice(usual.as_bytes()),
    }
    line.extend_from_slice(b"\r\n");
    line
}

/// A field, if it can stand in a head without breaking it.
pub(crate) fn field(name: &str, value: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let Ok(parsed) = HeaderName::from_bytes(name.as_bytes()) else {
        let name = printable(name);
        tracing::warn!("the header `{name}` cannot be sent: its name holds characters that no name may have");
        return None;
    };
    let Ok(value) = HeaderValue::from_bytes(value) else {
        tracing::warn!("the header `{name}` cannot be sent: its value holds control characters");
        return None;
    };
    Some((parsed, value))
}

fn add(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Now, as `date` says it (RFC 9110 §6.6.1).
pub(crate) fn date() -> String {
    httpdate::fmt_http_date(SystemTime::now())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    const KEPT: Circumstances = Circumstances {
        version: Version::HTTP_11,
        head_only: false,
        keeps_alive: true,
        tls: false,
    };

    fn exact(fields: &[(&str, &str)]) -> Exact {
        let mut head = Head::new(200, None);
        head.without.push("date".into());
        fields.iter().for_each(|(name, value)| head.push(name, value));
        Exact {
            head: Some(head),
            ..Exact::nothing()
        }
    }

    fn check(exact: &Exact, around: Circumstances, expected: &str, bounds: Bounds, reusable: bool) {
        let (bytes, shape) = compose(exact, around);
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
        assert_eq!((shape.bounds, shape.reusable), (bounds, reusable), "{expected}");
    }

    #[test]
    fn fields_stand_as_they_were_written_and_ours_behind_them() {
        let fields = [
            ("X-Aa", "1"),
            ("b", "2"),
            ("x-aA", "3"),
            ("Transfer-Encoding", "x"),
        ];
        let head = "HTTP/1.1 200 OK\r\nX-Aa: 1\r\nb: 2\r\nx-aA: 3\r\n";
        let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n");
        check(&exact(&fields), KEPT, &chunked, Bounds::Chunked, true);
        let sized = Exact {
            content_length: Some(5),
            ..exact(&fields)
        };
        let expected = format!("{head}content-length: 5\r\n\r\n");
        check(&sized, KEPT, &expected, Bounds::Sized { left: 5 }, true);
        let close = Exact {
            framing: Some(Framing::Close),
            ..sized
        };
        check(
            &close,
            KEPT,
            &format!("{head}connection: close\r\n\r\n"),
            Bounds::Close,
            false,
        );
    }

    #[test]
    fn what_the_head_says_is_neither_repeated_nor_corrected() {
        let close = exact(&[("Connection", "x, Close")]);
        let head = "HTTP/1.1 200 OK\r\nConnection: x, Close\r\ntransfer-encoding: chunked\r\n\r\n";
        check(&close, KEPT, head, Bounds::Chunked, false);
        let sized = exact(&[("Content-Length", "7")]);
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n";
        check(&sized, KEPT, head, Bounds::Sized { left: 7 }, true);
        let lie = Exact {
            framing: Some(Framing::Chunked),
            ..sized
        };
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\ntransfer-encoding: chunked\r\n\r\n";
        check(&lie, KEPT, head, Bounds::Chunked, true);
        let nonsense = exact(&[("content-length", "-1")]);
        let head = "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n";
        check(&nonsense, KEPT, head, Bounds::Sized { left: NO_NUMBER }, true);
    }

    #[test]
    fn what_is_to_be_missing_is() {
        let mut without = exact(&[]);
        without.content_length = Some(5);
        let head = without.head.as_mut().unwrap();
        head.without
            .extend(["Content-Length".to_owned(), "CONNECTION".to_owned()]);
        head.reason = Some(Bytes::from_static(b"Fine \xe2\x98\x83"));
        let line = "HTTP/1.1 200 Fine ☃\r\n";
        let chunked = format!("{line}transfer-encoding: chunked\r\n\r\n");
        check(&without, KEPT, &chunked, Bounds::Chunked, true);
        without.framing = Some(Framing::Sized);
        check(&without, KEPT, &format!("{line}\r\n"), Bounds::Close, false);
    }

    #[test]
    fn http_1_0_gets_no_chunks() {
        let old = Circumstances {
            version: Version::HTTP_10,
            keeps_alive: false,
            ..KEPT
        };
        let chunked = Exact {
            framing: Some(Framing::Chunked),
            ..exact(&[])
        };
        let head = "HTTP/1.0 200 OK\r\nconnection: close\r\n\r\n";
        check(&chunked, old, head, Bounds::Close, false);
    }

    #[test]
    fn head_and_bodiless_statuses_have_no_body_to_frame() {
        let asked = Circumstances {
            head_only: true,
            ..KEPT
        };
        let none = Bounds::Sized { left: 0 };
        check(&exact(&[]), asked, "HTTP/1.1 200 OK\r\n\r\n", none, true);
        let unknown = Exact {
            framing: Some(Framing::Sized),
            ..exact(&[])
        };
        check(&unknown, asked, "HTTP/1.1 200 OK\r\n\r\n", none, true);
        let sized = Exact {
            content_length: Some(5),
            ..exact(&[])
        };
        check(
            &sized,
            asked,
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n",
            none,
            true,
        );
        let mut empty = sized;
        empty.head.as_mut().unwrap().status = 204;
        check(&empty, KEPT, "HTTP/1.1 204 No Content\r\n\r\n", none, true);
    }

    #[test]
    fn a_raw_head_is_all_there_is() {
        let mut raw = exact(&[("connection", "close")]);
        raw.head.as_mut().unwrap().raw = Some(Bytes::from_static(b"HTTP/9 nonsense\n\n"));
        check(&raw, KEPT, "HTTP/9 nonsense\n\n", Bounds::Close, false);
        raw.framing = Some(Framing::Chunked);
        check(&raw, KEPT, "HTTP/9 nonsense\n\n", Bounds::Chunked, true);
        let closing = "HTTP/1.1 200 OK\r\nConnection: x, close\r\n\r\n";
        raw.head.as_mut().unwrap().raw = Some(Bytes::from_static(closing.as_bytes()));
        check(&raw, KEPT, closing, Bounds::Chunked, false);
    }

    #[test]
    fn an_encrypted_connection_that_ends_unannounced_ends_with_the_answer() {
        let rude = Exact {
            close_notify: false,
            ..exact(&[])
        };
        let tls = Circumstances { tls: true, ..KEPT };
        let (_, shape) = compose(&rude, tls);
        assert!(!shape.reusable && !shape.close_notify);
        let (_, shape) = compose(&rude, KEPT);
        assert!(shape.reusable && shape.close_notify);
    }
}

//! The text/event-stream format (HTML standard, §9.2.5).

use std::io::Write;

use memchr::memchr2;

use super::style::{Field, Style};
use crate::event::Event;

/// An event as a block with its closing blank line, in a style.
///
/// `data` and comments are split at every line end (LF, CRLF, CR), each line in a field of its
/// own. The other fields cannot hold line ends: each becomes a space, so that no value can inject
/// a field.
pub fn encode(event: &Event, style: &Style) -> Vec<u8> {
    let fields = [&event.comment, &event.event, &event.data, &event.id];
    let bytes: usize = fields.into_iter().flatten().map(|field| field.len()).sum();
    // With their names and line ends, and some lines of data.
    let size = 64 + bytes + bytes / 16;
    let mut out = Writer {
        out: Vec::with_capacity(size),
        style,
    };
    for field in style.order {
        match field {
            Field::Comment => out.lines(b"", event.comment.as_deref()),
            Field::Event => out.one_line(b"event", event.event.as_deref()),
            Field::Data => out.lines(b"data", event.data.as_deref()),
            Field::Id => out.one_line(b"id", event.id.as_deref()),
            Field::Retry => {
                if let Some(retry) = event.retry {
                    out.number(b"retry", retry);
                }
            }
        }
    }
    out.end_line();
    out.out
}

struct Writer<'a> {
    out: Vec<u8>,
    style: &'a Style,
}

impl Writer<'_> {
    fn lines(&mut self, name: &[u8], text: Option<&[u8]>) {
        if let Some(text) = text {
            lines(text, |line| self.field(name, line));
        }
    }

    fn one_line(&mut self, name: &[u8], value: Option<&[u8]>) {
        if let Some(value) = value {
            self.field(name, &single_line(value));
        }
    }

    fn field(&mut self, name: &[u8], value: &[u8]) {
        self.out.extend_from_slice(name);
        self.out.push(b':');
        if !value.is_empty() && (self.style.space || value[0] == b' ') {
            self.out.push(b' ');
        }
        self.out.extend_from_slice(value);
        self.end_line();
    }

    fn number(&mut self, name: &[u8], value: u64) {
        self.out.extend_from_slice(name);
        let space = if self.style.space { " " } else { "" };
        // Writing to memory does not fail.
        let _ = write!(self.out, ":{space}{value}");
        self.end_line();
    }

    fn end_line(&mut self) {
        self.out.extend_from_slice(self.style.eol.bytes());
    }
}

fn single_line(value: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    if memchr2(b'\r', b'\n', value).is_none() {
        return value.into();
    }
    let replaced: Vec<u8> = value
        .iter()
        .map(|b| if matches!(b, b'\r' | b'\n') { b' ' } else { *b })
        .collect();
    replaced.into()
}

fn lines(text: &[u8], mut each: impl FnMut(&[u8])) {
    let mut rest = text;
    while let Some(at) = memchr2(b'\r', b'\n', rest) {
        each(&rest[..at]);
        let crlf = rest[at] == b'\r' && rest.get(at + 1) == Some(&b'\n');
        rest = &rest[at + if crlf { 2 } else { 1 }..];
    }
    each(rest);
}

#[cfg(test)]
mod tests {
    use super::super::style::Eol;
    use super::*;
    use bytes::Bytes;

    fn data(text: &'static [u8]) -> Event {
        Event {
            data: Some(Bytes::from_static(text)),
            ..Event::default()
        }
    }

    #[test]
    fn fields_come_in_order_and_lines_apart() {
        let all = Event {
            comment: Some("c".into()),
            event: Some("e".into()),
            data: Some("1\n2\r\n3\r4".into()),
            id: Some("".into()),
            retry: Some(6000),
        };
        for (event, expected) in [
            (
                all,
                ": c\nevent: e\ndata: 1\ndata: 2\ndata: 3\ndata: 4\nid:\nretry: 6000\n\n",
            ),
            (data(b""), "data:\n\n"),
            (data(b"a\n"), "data: a\ndata:\n\n"),
            (data(b" a"), "data:  a\n\n"),
            (
                Event {
                    comment: Some("".into()),
                    ..Event::default()
                },
                ":\n\n",
            ),
            (
                Event {
                    id: Some("1\ndata: x".into()),
                    ..Event::default()
                },
                "id: 1 data: x\n\n",
            ),
            (
                Event {
                    event: Some("a\r\rb".into()),
                    ..Event::default()
                },
                "event: a  b\n\n",
            ),
        ] {
            assert_eq!(
                String::from_utf8(encode(&event, &Style::STANDARD)).unwrap(),
                expected
            );
        }
    }

    #[test]
    fn styles_change_what_the_format_leaves_free() {
        let event = Event {
            comment: Some("".into()),
            event: Some("e".into()),
            data: Some("1\n 2\n".into()),
            id: Some(" ".into()),
            retry: Some(5),
        };
        let terse = Style {
            eol: Eol::Crlf,
            space: false,
            order: [Field::Id, Field::Retry, Field::Data, Field::Event, Field::Comment],
        };
        let expected = "id:  \r\nretry:5\r\ndata:1\r\ndata:  2\r\ndata:\r\nevent:e\r\n:\r\n\r\n";
        assert_eq!(String::from_utf8(encode(&event, &terse)).unwrap(), expected);
        let old_mac = Style {
            eol: Eol::Cr,
            ..Style::STANDARD
        };
        assert_eq!(encode(&data(b"a\nb"), &old_mac), b"data: a\rdata: b\r\r");
    }

    #[test]
    fn bytes_that_are_no_text_pass() {
        assert_eq!(
            encode(&data(b"\xff\0\xfe"), &Style::STANDARD),
            b"data: \xff\0\xfe\n\n"
        );
    }
}

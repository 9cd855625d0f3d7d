//! The text/event-stream format (HTML standard, §9.2.5).

use crate::event::Event;

/// An event as a block with its closing blank line, fields in the order comment, event, data, id, retry.
///
/// `data` and comments are split at every line end (LF, CRLF, CR), each line in a field of its
/// own. The other fields cannot hold line ends: each becomes a space, so that no value can inject
/// a field.
pub fn encode(event: &Event) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + event.data.as_ref().map_or(0, |d| d.len() + d.len() / 16));
    if let Some(comment) = &event.comment {
        lines(comment, |line| field(&mut out, b"", line));
    }
    if let Some(name) = &event.event {
        field(&mut out, b"event", &single_line(name));
    }
    if let Some(data) = &event.data {
        lines(data, |line| field(&mut out, b"data", line));
    }
    if let Some(id) = &event.id {
        field(&mut out, b"id", &single_line(id));
    }
    if let Some(retry) = event.retry {
        field(&mut out, b"retry", retry.to_string().as_bytes());
    }
    out.push(b'\n');
    out
}

fn field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.push(b':');
    if !value.is_empty() {
        out.push(b' ');
        out.extend_from_slice(value);
    }
    out.push(b'\n');
}

fn single_line(value: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    if !value.iter().any(|b| matches!(b, b'\r' | b'\n')) {
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
    while let Some(at) = rest.iter().position(|b| matches!(b, b'\r' | b'\n')) {
        each(&rest[..at]);
        let crlf = rest[at] == b'\r' && rest.get(at + 1) == Some(&b'\n');
        rest = &rest[at + if crlf { 2 } else { 1 }..];
    }
    each(rest);
}

#[cfg(test)]
mod tests {
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
            assert_eq!(String::from_utf8(encode(&event)).unwrap(), expected);
        }
    }

    #[test]
    fn bytes_that_are_no_text_pass() {
        assert_eq!(encode(&data(b"\xff\0\xfe")), b"data: \xff\0\xfe\n\n");
    }
}

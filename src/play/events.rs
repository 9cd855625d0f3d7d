//! Which events a client dispatches, and with which bytes (HTML standard, 9.2.6).

/// Bytes of a line, and of an event's data, that are kept; the rest is left out.
const MOST_KEPT: usize = 64 << 10;

/// An event as a client sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispatched {
    /// Its type: `message` unless it says one.
    pub event: String,
    /// Its data; what is not UTF-8 is replaced.
    pub data: String,
    /// The last event id by then.
    pub id: String,
    /// Whether the data was longer than is kept here (64 KiB).
    pub shortened: bool,
}

/// Reads a stream as it comes, however it is cut.
#[derive(Debug, Default)]
pub struct Reader {
    line: Vec<u8>,
    /// The last byte was a CR: an LF that follows belongs to the same line end.
    after_cr: bool,
    /// A first line has been read: a byte order mark can no longer come.
    begun: bool,
    event: Vec<u8>,
    data: Option<Vec<u8>>,
    id: Vec<u8>,
    last_id: Vec<u8>,
    shortened: bool,
}

impl Reader {
    /// Takes the next bytes; answers with the events that end in them.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Vec<Dispatched> {
        let mut events = Vec::new();
        while !bytes.is_empty() {
            if std::mem::take(&mut self.after_cr) && bytes[0] == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let Some(end) = memchr::memchr2(b'\n', b'\r', bytes) else {
                self.keep(bytes);
                break;
            };
            self.after_cr = bytes[end] == b'\r';
            self.keep(&bytes[..end]);
            bytes = &bytes[end + 1..];
            let mut line = std::mem::take(&mut self.line);
            events.extend(self.read(&line));
            line.clear();
            self.line = line;
        }
        events
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = MOST_KEPT.saturating_sub(self.line.len());
        self.shortened |= bytes.len() > room;
        self.line.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// A line, without its end.
    fn read(&mut self, mut line: &[u8]) -> Option<Dispatched> {
        if !std::mem::replace(&mut self.begun, true) {
            line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        }
        if line.is_empty() {
            return self.dispatch();
        }
        let (name, value) = match memchr::memchr(b':', line) {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &[][..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"event" => self.event = value.to_vec(),
            b"data" => self.add(value),
            b"id" if !value.contains(&0) => self.id = value.to_vec(),
            _ => {}
        }
        None
    }

    fn add(&mut self, value: &[u8]) {
        let data = match &mut self.data {
            Some(data) => {
                data.push(b'\n');
                data
            }
            none => none.insert(Vec::new()),
        };
        let room = MOST_KEPT.saturating_sub(data.len());
        self.shortened |= value.len() > room;
        data.extend_from_slice(&value[..value.len().min(room)]);
        data.truncate(MOST_KEPT);
    }

    /// The end of a block: an event, if it has data.
    fn dispatch(&mut self) -> Option<Dispatched> {
        self.last_id.clone_from(&self.id);
        let event = std::mem::take(&mut self.event);
        let shortened = std::mem::take(&mut self.shortened);
        let data = self.data.take()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Some(Dispatched {
            event: match event.is_empty() {
                true => "message".into(),
                false => text(&event),
            },
            data: text(&data),
            id: text(&self.last_id),
            shortened,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "\u{feff}: hello\n\nid: 1\ndata: a\n\nretry: 5\n\ndata: b\ndata:  c\n\nevent: x\n\ndata\n\n\
         id\nevent: y\ndata:d\n\nid: \0\ndata: e\n\ndatabase: no\n\n\ndata: unfinished\n";

    fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> String {
        let mut reader = Reader::default();
        let events = pieces.into_iter().flat_map(|piece| reader.feed(piece));
        let shown = events.map(|e| format!("{}|{}|{}\n", e.event, e.data, e.id));
        shown.collect()
    }

    #[test]
    fn events_are_those_that_a_client_dispatches_however_they_are_cut() {
        let expected = "message|a|1\nmessage|b\n c|1\nmessage||1\ny|d|\nmessage|e|\n";
        for line_end in ["\n", "\r\n", "\r"] {
            let stream = STREAM.replace('\n', line_end).into_bytes();
            for at in 0..=stream.len() {
                let (one, two) = stream.split_at(at);
                assert_eq!(read([one, two]), expected, "{line_end:?} cut at {at}");
            }
            assert_eq!(read(stream.chunks(1)), expected, "{line_end:?} byte by byte");
        }
    }

    #[test]
    fn long_data_is_not_kept() {
        let mut reader = Reader::default();
        let line = format!("data: {}\n", "x".repeat(40 << 10));
        assert_eq!(reader.feed(line.repeat(3).as_bytes()), []);
        assert_eq!(reader.feed(&vec![b'y'; 1 << 20]), []);
        let events = reader.feed(b"\n\ndata: z\n\n");
        assert_eq!((events[0].data.len(), events[0].shortened), (MOST_KEPT, true));
        assert_eq!((events[1].data.as_str(), events[1].shortened), ("z", false));
    }
}

//! An event stream parser as the HTML standard describes it (§9.2.5 and §9.2.6): what tests hold
//! the server's bytes against. It takes the bytes in any pieces.

/// What a client would dispatch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispatched {
    /// The event's type; `message` unless the block named one.
    pub kind: String,
    /// The data, its lines joined by LF.
    pub data: String,
    /// The last event id of the stream when it was dispatched.
    pub id: String,
}

/// The state of a client that reads one stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Parser {
    /// Events dispatched so far.
    pub events: Vec<Dispatched>,
    /// The last reconnection time that was sent, in milliseconds, as its digits.
    pub retry: Option<String>,
    /// The id that a reconnection would send.
    pub last_event_id: String,
    /// Comments in the order they came, without the colon and one space behind it, as with fields.
    pub comments: Vec<String>,
    /// Bytes of the line that is not yet at its end.
    line: Vec<u8>,
    /// Lines so far: a byte order mark counts at the very start only.
    started: bool,
    after_cr: bool,
    data: String,
    kind: String,
    id: String,
}

impl Parser {
    /// Parses a whole stream in one go.
    pub fn parse(bytes: &[u8]) -> Parser {
        let mut parser = Parser::default();
        parser.feed(bytes);
        parser
    }

    /// Takes the next bytes. A line that is not at its end waits for more; at the end of the stream
    /// it, and the block it belongs to, count for nothing: so there is nothing to finish.
    pub fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            let second_of_crlf = byte == b'\n' && self.after_cr;
            self.after_cr = byte == b'\r';
            match byte {
                b'\n' if second_of_crlf => {}
                b'\r' | b'\n' => self.end_line(),
                _ => self.line.push(byte),
            }
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let mut line = &line[..];
        // No line end is part of any character's UTF-8, so decoding by lines is decoding the whole.
        if !std::mem::replace(&mut self.started, true) {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        let line = String::from_utf8_lossy(line).into_owned();
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            _ if line.is_empty() => self.dispatch(),
            "" => self.comments.push(value.to_owned()),
            _ => self.field(name, value),
        }
    }

    fn field(&mut self, name: &str, value: &str) {
        match name {
            "event" => self.kind = value.to_owned(),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "id" if !value.contains('\0') => self.id = value.to_owned(),
            // Empty is "only digits" to the letter; no client takes it for a number.
            "retry" if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) => {
                self.retry = Some(value.to_owned());
            }
            _ => {}
        }
    }

    fn dispatch(&mut self) {
        self.last_event_id = self.id.clone();
        let kind = std::mem::take(&mut self.kind);
        let mut data = std::mem::take(&mut self.data);
        if data.is_empty() {
            return;
        }
        data.pop();
        self.events.push(Dispatched {
            kind: if kind.is_empty() { "message".into() } else { kind },
            data,
            id: self.last_event_id.clone(),
        });
    }
}

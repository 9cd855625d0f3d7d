//! TLS without a runtime: bytes of a socket that was read elsewhere → plain text.

use std::io::{BufRead, Write};

use tokio_rustls::rustls::ClientConnection;

/// A session whose handshake is over.
pub struct Tls {
    session: Box<ClientConnection>,
    closed: bool,
}

impl Tls {
    pub fn new(session: ClientConnection) -> Self {
        Self {
            session: Box::new(session),
            closed: false,
        }
    }

    /// Hands what had been read before to `take`.
    pub fn held(&mut self, take: impl FnMut(&[u8])) -> Result<(), String> {
        self.digest(take).map(drop)
    }

    /// Takes the next bytes of the connection, hands the text in them to `take`, and says whether
    /// the server has said goodbye.
    pub fn open(
        &mut self,
        mut bytes: &[u8],
        out: &mut impl Write,
        mut take: impl FnMut(&[u8]),
    ) -> Result<bool, String> {
        while !bytes.is_empty() && !self.closed {
            self.session.read_tls(&mut bytes).map_err(|e| e.to_string())?;
            self.digest(&mut take)?;
        }
        if self.session.wants_write() {
            // An answer to a new key or an alert: if there is no room for it, nobody misses it.
            let _ = self.session.write_tls(out);
        }
        Ok(self.closed)
    }

    fn digest(&mut self, mut take: impl FnMut(&[u8])) -> Result<(), String> {
        let state = self.session.process_new_packets();
        let state = state.map_err(|error| format!("TLS: {error}"))?;
        self.closed |= state.peer_has_closed();
        let mut reader = self.session.reader();
        // An error says that there is nothing now.
        while let Ok(text) = reader.fill_buf() {
            let length = text.len();
            if length == 0 {
                break;
            }
            take(text);
            reader.consume(length);
        }
        Ok(())
    }

    /// Whether the server closed the session before the connection.
    pub fn said_goodbye(&self) -> bool {
        self.closed
    }
}

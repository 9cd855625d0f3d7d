//! A request in little memory, to be looked at seldom.

use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::sync::Arc;

use bytes::Bytes;

use super::{Request, Version};

/// A request whose texts and bytes lie in one piece.
#[derive(Debug)]
pub struct Packed {
    /// Method, path, query (if there is one), session, then the body, then the names and values of
    /// the headers, each behind its length; lengths are in [LEB128](https://en.wikipedia.org/wiki/LEB128).
    texts: Arc<[u8]>,
    peer: Peer,
    /// How many bytes the body had; saturated.
    body_bytes: u32,
    version: Version,
    tls: bool,
    has_query: bool,
}

impl Packed {
    /// Packs a request, and of its body no more than so many bytes.
    pub fn of(request: &Request, most_body: usize) -> Packed {
        let Request {
            method,
            path,
            query,
            headers,
            body,
            version,
            tls,
            peer,
            session,
        } = request;
        let query_text = query.as_deref().unwrap_or_default();
        let heads = [method, path, query_text, session].map(str::as_bytes);
        let fields = headers.iter().flat_map(|(name, value)| [name.as_bytes(), value]);
        let kept = &body[..body.len().min(most_body)];
        let parts = || heads.into_iter().chain([kept]).chain(fields.clone());
        let size = parts().map(|part| part.len() + length_of(part.len())).sum();
        let mut texts = Vec::with_capacity(size);
        for part in parts() {
            put_length(&mut texts, part.len());
            texts.extend_from_slice(part);
        }
        Packed {
            texts: texts.into(),
            peer: (*peer).into(),
            body_bytes: u32::try_from(body.len()).unwrap_or(u32::MAX),
            version: *version,
            tls: *tls,
            has_query: query.is_some(),
        }
    }

    /// The request as it was.
    pub fn unpack(&self) -> Request {
        let mut parts = Parts(&self.texts);
        let (method, path, query, session) = (parts.text(), parts.text(), parts.text(), parts.text());
        let body = Bytes::copy_from_slice(parts.next().unwrap_or_default());
        let mut headers = Vec::new();
        while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
            let name = String::from_utf8_lossy(name).into_owned();
            headers.push((name, Bytes::copy_from_slice(value)));
        }
        Request {
            method,
            path,
            query: self.has_query.then_some(query),
            headers,
            body,
            version: self.version,
            tls: self.tls,
            peer: self.peer.address(),
            session,
        }
    }

    /// How many bytes the body had.
    pub fn body_bytes(&self) -> usize {
        self.body_bytes as usize
    }

    /// Takes no memory of its own for texts that are the same: many clients ask alike.
    pub fn share(&mut self, other: &Packed) {
        if self.texts == other.texts {
            self.texts = other.texts.clone();
        }
    }

    /// Bytes of its texts.
    pub fn size(&self) -> usize {
        self.texts.len()
    }
}

/// A client's address, which mostly is a short one.
#[derive(Debug, Clone)]
pub enum Peer {
    /// IPv4.
    V4(SocketAddrV4),
    /// IPv6.
    V6(Box<SocketAddrV6>),
}

impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Peer {
        match address {
            SocketAddr::V4(short) => Peer::V4(short),
            SocketAddr::V6(long) => Peer::V6(Box::new(long)),
        }
    }
}

impl Peer {
    /// The address.
    pub fn address(&self) -> SocketAddr {
        match self {
            Peer::V4(short) => SocketAddr::V4(*short),
            Peer::V6(long) => SocketAddr::V6(**long),
        }
    }
}

struct Parts<'t>(&'t [u8]);

impl<'t> Parts<'t> {
    fn text(&mut self) -> String {
        String::from_utf8_lossy(self.next().unwrap_or_default()).into_owned()
    }
}

impl<'t> Iterator for Parts<'t> {
    type Item = &'t [u8];

    fn next(&mut self) -> Option<&'t [u8]> {
        let (mut length, mut shift) = (0, 0);
        loop {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let (part, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(part)
    }
}

fn length_of(length: usize) -> usize {
    let bits = usize::BITS - length.leading_zeros();
    bits.max(1).div_ceil(7) as usize
}

fn put_length(to: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        to.push(length as u8 | 0x80);
        length >>= 7;
    }
    to.push(length as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_out_as_it_was() {
        let mut request = Request::example("GET", "/a/%20b");
        let check = |request: &Request| {
            let packed = Packed::of(request, usize::MAX);
            assert_eq!(&packed.unpack(), request);
            assert_eq!(packed.texts.len(), packed.size());
        };
        check(&request);
        request.query = Some(String::new());
        check(&request);
        request.query = Some("q=%C3%A4".into());
        request.session = "one".into();
        request.headers.push(("x".into(), Bytes::from_static(b"\xff\0")));
        request.headers.push(("x".into(), Bytes::new()));
        request.version = Version::Http2;
        request.tls = true;
        check(&request);
        request.peer = SocketAddrV6::new("fe80::1".parse().unwrap(), 4043, 5, 6).into();
        check(&request);
        for length in [126, 127, 128, 16_383, 16_384, 70_000] {
            request.body = vec![b'x'; length].into();
            check(&request);
            let mut bytes = Vec::new();
            put_length(&mut bytes, length);
            assert_eq!(bytes.len(), length_of(length));
        }
        request.headers.clear();
        check(&request);
    }
}

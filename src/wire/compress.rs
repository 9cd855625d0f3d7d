//! Compressed streams: which coding a client takes, and bytes that it can decode as they come.

use std::io::Write;

use super::brotli;

/// A content coding (RFC 9110 §8.4.1; gzip RFC 1952, brotli RFC 7932, zstd RFC 8878).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// `gzip`
    Gzip,
    /// `br`
    Brotli,
    /// `zstd`
    Zstd,
}

impl Coding {
    /// As it stands in `Content-Encoding`.
    pub fn name(self) -> &'static str {
        match self {
            Coding::Gzip => "gzip",
            Coding::Brotli => "br",
            Coding::Zstd => "zstd",
        }
    }
}

/// The coding to answer with, if any: the offered one that an `Accept-Encoding` gives the highest
/// weight; among equals the first that is offered (RFC 9110 §12.5.3).
///
/// `None` (send it as it is) where no offered one is accepted, or `identity` is asked for with a
/// higher weight than any of them. A member that cannot be read counts as absent.
pub fn negotiate(accept_encoding: &str, offered: &[Coding]) -> Option<Coding> {
    let members: Vec<(String, u16)> = accept_encoding.split(',').filter_map(member).collect();
    let named = |name: &str| members.iter().find(|(n, _)| n == name).map(|(_, weight)| *weight);
    let weight = |coding: &Coding| named(coding.name()).or_else(|| named("*")).unwrap_or(0);
    let floor = named("identity").unwrap_or(0);
    let mut best = None;
    for coding in offered {
        let weight = weight(coding);
        if weight > 0 && weight >= floor && best.is_none_or(|(_, most)| weight > most) {
            best = Some((*coding, weight));
        }
    }
    best.map(|(coding, _)| coding)
}

/// `br;q=0.5` → `br` and 500.
fn member(text: &str) -> Option<(String, u16)> {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().filter(|n| !n.is_empty())?.to_ascii_lowercase();
    let name = name
        .strip_prefix("x-")
        .filter(|n| *n == "gzip")
        .map_or(name.clone(), str::to_owned);
    let weight = match parts.next() {
        None => 1000,
        Some(weight) => thousandths(
            weight
                .strip_prefix(['q', 'Q'])?
                .trim_start()
                .strip_prefix('=')?
                .trim(),
        )?,
    };
    Some((name, weight))
}

/// A weight (RFC 9110 §12.4.2): 0 to 1 with at most three digits behind the point.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = fraction.bytes().all(|b| b.is_ascii_digit()) && fraction.len() <= 3;
    let fraction: u16 = format!("{fraction:0<3}").parse().ok().filter(|_| digits)?;
    match (whole, fraction) {
        ("0", fraction) => Some(fraction),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

/// Compresses one stream.
///
/// Windows are small (gzip 32 KiB, brotli 64 KiB, zstd 128 KiB) and levels low: what is sent are
/// small events, over thousands of streams at once. With small events a gzip stream takes about
/// 220 KiB of memory, brotli 50 to 160 KiB, zstd 70 KiB.
pub struct Compressor(Encoder);

enum Encoder {
    Gzip(flate2::write::GzEncoder<Vec<u8>>),
    Brotli(Box<brotli::Encoder>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

const ZSTD_WINDOW: u32 = 17;
const ZSTD_LEVEL: i32 = 1;
const MEMORY: &str = "writing to memory does not fail";

impl Compressor {
    /// For a new stream.
    pub fn new(coding: Coding) -> Compressor {
        Compressor(match coding {
            Coding::Gzip => {
                let level = flate2::Compression::fast();
                Encoder::Gzip(flate2::write::GzEncoder::new(Vec::new(), level))
            }
            Coding::Brotli => Encoder::Brotli(Box::new(brotli::Encoder::new())),
            Coding::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL).expect(MEMORY);
                encoder.window_log(ZSTD_WINDOW).expect("a window that zstd knows");
                Encoder::Zstd(encoder)
            }
        })
    }

    /// Compresses some bytes. All bytes given so far can be decoded from what was returned so far.
    pub fn write(&mut self, bytes: &[u8]) -> Vec<u8> {
        if bytes.is_empty() {
            return Vec::new();
        }
        match &mut self.0 {
            Encoder::Gzip(encoder) => {
                pass(encoder, bytes);
                std::mem::take(encoder.get_mut())
            }
            Encoder::Brotli(encoder) => encoder.write(bytes),
            Encoder::Zstd(encoder) => {
                pass(encoder, bytes);
                std::mem::take(encoder.get_mut())
            }
        }
    }

    /// What ends the stream.
    pub fn finish(self) -> Vec<u8> {
        match self.0 {
            Encoder::Gzip(encoder) => encoder.finish().expect(MEMORY),
            Encoder::Brotli(encoder) => encoder.finish(),
            Encoder::Zstd(encoder) => encoder.finish().expect(MEMORY),
        }
    }
}

fn pass(encoder: &mut dyn Write, bytes: &[u8]) {
    encoder.write_all(bytes).expect(MEMORY);
    encoder.flush().expect(MEMORY);
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Coding; 3] = [Coding::Gzip, Coding::Brotli, Coding::Zstd];

    #[test]
    fn the_highest_weight_wins_then_the_servers_order() {
        for (accept, expected) in [
            ("", None),
            ("gzip", Some("gzip")),
            ("zstd, br, gzip", Some("gzip")),
            ("gzip;q=0.5, br;q=0.8, zstd;q=0.8", Some("br")),
            ("GZIP ; Q = 0.001", Some("gzip")),
            ("x-gzip", Some("gzip")),
            ("gzip;q=0", None),
            ("*", Some("gzip")),
            ("gzip;q=0, *;q=0.5", Some("br")),
            ("gzip;q=0.1, *", Some("br")),
            ("*;q=0", None),
            ("deflate, compress", None),
            ("identity, gzip", Some("gzip")),
            ("identity, gzip;q=0.9", None),
            ("identity;q=0", None),
            ("identity;q=0, br", Some("br")),
            ("br;q=1.000, gzip;q=0.999", Some("br")),
            ("br;q=1.1, gzip;q=-1, zstd;q=0.1234", None),
            ("br;q=, gzip;x=1, zstd;q=0.5", Some("zstd")),
            (",, ;q=1,zstd", Some("zstd")),
        ] {
            let got = negotiate(accept, &ALL).map(Coding::name);
            assert_eq!(got, expected, "{accept}");
        }
        assert_eq!(negotiate("*", &[]), None);
        assert_eq!(
            negotiate("br, zstd", &[Coding::Zstd, Coding::Brotli]),
            Some(Coding::Zstd)
        );
    }

    type Decode = Box<dyn FnMut(&[u8]) -> Vec<u8>>;

    /// This decoder keeps back what has no room in its buffer until more input comes.
    const ROOM: usize = 1 << 20;

    /// Decodes what comes, piece by piece.
    fn decoder(coding: Coding) -> Decode {
        fn with<W: Write + 'static>(mut writer: W, out: fn(&mut W) -> &mut Vec<u8>) -> Decode {
            Box::new(move |bytes| {
                writer.write_all(bytes).unwrap();
                writer.flush().unwrap();
                std::mem::take(out(&mut writer))
            })
        }
        match coding {
            Coding::Gzip => with(flate2::write::GzDecoder::new(Vec::new()), |w| w.get_mut()),
            Coding::Brotli => with(::brotli::DecompressorWriter::new(Vec::new(), ROOM), |w| {
                w.get_mut()
            }),
            Coding::Zstd => with(zstd::stream::write::Decoder::new(Vec::new()).unwrap(), |w| {
                w.get_mut()
            }),
        }
    }

    #[test]
    fn every_write_can_be_decoded_at_once() {
        let large = (0..200_000u32)
            .map(|i| (i.wrapping_mul(i) >> 7) as u8)
            .collect::<Vec<u8>>();
        for coding in ALL {
            let mut compressor = Compressor::new(coding);
            let mut decode = decoder(coding);
            for piece in [
                &b"data: a\n\n"[..],
                b"data: b\n\n",
                &large,
                b"",
                b"\0",
                b"data: end\n\n",
            ] {
                let bytes = compressor.write(piece);
                assert_eq!(bytes.is_empty(), piece.is_empty(), "{coding:?}");
                assert!(decode(&bytes) == piece, "{coding:?}: {} bytes", piece.len());
            }
            let end = compressor.finish();
            assert!(!end.is_empty() && decode(&end).is_empty(), "{coding:?}");
        }
    }

    #[test]
    fn the_whole_is_a_complete_file_and_repetition_costs_little() {
        for coding in ALL {
            let mut compressor = Compressor::new(coding);
            let mut out = Vec::new();
            let event = b"event: message\ndata: {\"letter\":\"a\",\"position\":1}\n\n";
            for _ in 0..1000 {
                out.extend(compressor.write(event));
            }
            out.extend(compressor.finish());
            assert!(out.len() < event.len() * 1000 / 2, "{coding:?}: {}", out.len());
            let mut whole = Vec::new();
            let reader: &mut dyn std::io::Read = match coding {
                Coding::Gzip => &mut flate2::read::GzDecoder::new(&out[..]),
                Coding::Brotli => &mut ::brotli::Decompressor::new(&out[..], 4096),
                Coding::Zstd => &mut zstd::stream::read::Decoder::new(&out[..]).unwrap(),
            };
            reader.read_to_end(&mut whole).unwrap();
            assert_eq!(whole, event.repeat(1000), "{coding:?}");
        }
    }

    #[test]
    fn a_stream_can_move_between_threads() {
        fn moves<T: Send>(_: T) {}
        ALL.into_iter().for_each(|coding| moves(Compressor::new(coding)));
    }

    #[test]
    fn the_same_bytes_become_the_same_bytes() {
        for coding in ALL {
            let run = || {
                let mut compressor = Compressor::new(coding);
                let first = compressor.write(b"data: a\n\n");
                (first, compressor.finish())
            };
            assert_eq!(run(), run());
        }
    }
}

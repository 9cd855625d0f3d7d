//! Where the bytes of one write are cut into several.

use std::ops::Range;

use crate::random::Draw;

/// Pieces that one write may become.
pub const MAX_PIECES: usize = 100_000;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// Where to cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SplitAt {
    /// Every so many bytes; 0 counts as 1.
    Every(usize),
    /// At these distances in bytes from the start, in any order.
    At(Vec<usize>),
    /// Pieces of a length drawn between two bounds, both included.
    Random {
        /// The shortest; 0 counts as 1.
        low: usize,
        /// The longest.
        high: usize,
    },
    /// Inside things that a client must put together again.
    Inside(Inside),
}

/// What is cut in two (or, a byte order mark, in three).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inside {
    /// Every character of more than one byte, after its first byte.
    Utf8,
    /// Every CRLF, between the two.
    Crlf,
    /// Every byte order mark (EF BB BF): each of its bytes is a piece of its own.
    Bom,
}

/// The pieces of `bytes`: in order, none empty, together all of them; none at all for no bytes.
///
/// At most [`MAX_PIECES`]: the last one takes the rest.
pub fn split(bytes: &[u8], how: &SplitAt, draw: &mut Draw) -> Vec<Range<usize>> {
    let cuts: Vec<usize> = match how {
        SplitAt::Every(n) => bounded((*n..bytes.len()).step_by((*n).max(1))),
        SplitAt::At(offsets) => {
            let mut offsets = offsets.clone();
            offsets.sort_unstable();
            offsets.dedup();
            bounded(offsets)
        }
        SplitAt::Random { low, high } => random(bytes.len(), (*low).max(1), *high, draw),
        SplitAt::Inside(Inside::Utf8) => bounded(inside_characters(bytes)),
        SplitAt::Inside(Inside::Crlf) => bounded(memchr::memmem::find_iter(bytes, b"\r\n").map(|at| at + 1)),
        SplitAt::Inside(Inside::Bom) => {
            bounded(memchr::memmem::find_iter(bytes, BOM).flat_map(|at| at..=at + BOM.len()))
        }
    };
    pieces(bytes.len(), cuts)
}

/// Some more than could be used: cuts at the ends and double ones fall away.
fn bounded(cuts: impl IntoIterator<Item = usize>) -> Vec<usize> {
    cuts.into_iter().take(2 * MAX_PIECES).collect()
}

fn pieces(len: usize, cuts: Vec<usize>) -> Vec<Range<usize>> {
    let mut pieces = Vec::with_capacity(cuts.len().min(MAX_PIECES) + 1);
    let mut start = 0;
    for cut in cuts {
        if pieces.len() + 1 == MAX_PIECES {
            break;
        }
        if start < cut && cut < len {
            pieces.push(start..cut);
            start = cut;
        }
    }
    if start < len {
        pieces.push(start..len);
    }
    pieces
}

fn random(len: usize, low: usize, high: usize, draw: &mut Draw) -> Vec<usize> {
    let mut cuts = Vec::new();
    let mut at = 0usize;
    while cuts.len() < MAX_PIECES {
        let length = draw.between(low as i64, high.max(low) as i64) as usize;
        at = at.saturating_add(length);
        if at >= len {
            break;
        }
        cuts.push(at);
    }
    cuts
}

fn inside_characters(bytes: &[u8]) -> impl Iterator<Item = usize> {
    // A valid lead byte with its continuation: what is no UTF-8 is no character.
    let chunks = bytes.utf8_chunks().scan(0, |at, chunk| {
        let start = *at;
        *at += chunk.valid().len() + chunk.invalid().len();
        Some((start, chunk.valid()))
    });
    chunks.flat_map(|(start, valid)| {
        let wide = valid.char_indices().filter(|(_, c)| c.len_utf8() > 1);
        wide.map(move |(i, _)| start + i + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{DrawKey, Purpose};

    fn draw(seed: u64) -> Draw {
        let key = DrawKey::first("GET /x#0");
        Draw::new(seed, &key, Purpose::Wire)
    }

    fn cut(bytes: &[u8], how: SplitAt) -> Vec<&[u8]> {
        let pieces = split(bytes, &how, &mut draw(1));
        pieces.into_iter().map(|piece| &bytes[piece]).collect()
    }

    type Case = (&'static [u8], SplitAt, &'static [&'static [u8]]);

    #[test]
    fn cuts_are_where_they_are_asked_for() {
        let cases: [Case; 13] = [
            (b"abcde", SplitAt::Every(2), &[b"ab", b"cd", b"e"]),
            (b"abc", SplitAt::Every(0), &[b"a", b"b", b"c"]),
            (b"abc", SplitAt::Every(3), &[b"abc"]),
            (b"abc", SplitAt::Every(usize::MAX), &[b"abc"]),
            (b"", SplitAt::Every(1), &[]),
            (
                b"abcdef",
                SplitAt::At(vec![4, 0, 2, 2, 6, 99]),
                &[b"ab", b"cd", b"ef"],
            ),
            (b"abc", SplitAt::At(vec![]), &[b"abc"]),
            (
                "a☃b é".as_bytes(),
                SplitAt::Inside(Inside::Utf8),
                &[b"a\xe2", b"\x98\x83b \xc3", b"\xa9"],
            ),
            // A broken character is none, the one behind it is.
            (
                b"\xe2\x98 \xc3\xa9",
                SplitAt::Inside(Inside::Utf8),
                &[b"\xe2\x98 \xc3", b"\xa9"],
            ),
            (
                b"a\r\n\r\nb\r\r\n",
                SplitAt::Inside(Inside::Crlf),
                &[b"a\r", b"\n\r", b"\nb\r\r", b"\n"],
            ),
            (
                b"\xef\xbb\xbfa\xef\xbb\xbf",
                SplitAt::Inside(Inside::Bom),
                &[b"\xef", b"\xbb", b"\xbf", b"a", b"\xef", b"\xbb", b"\xbf"],
            ),
            (
                b"\xef\xbb\xbf\xef\xbb\xbfa",
                SplitAt::Inside(Inside::Bom),
                &[b"\xef", b"\xbb", b"\xbf", b"\xef", b"\xbb", b"\xbf", b"a"],
            ),
            (b"\xef\xbb", SplitAt::Inside(Inside::Bom), &[b"\xef\xbb"]),
        ];
        for (bytes, how, expected) in cases {
            assert_eq!(cut(bytes, how.clone()), expected, "{how:?}");
        }
    }

    #[test]
    fn random_cuts_are_seeded_and_within_bounds() {
        let bytes = [b'x'; 1000];
        let how = SplitAt::Random { low: 2, high: 9 };
        let pieces = split(&bytes, &how, &mut draw(1));
        assert_eq!(pieces, split(&bytes, &how, &mut draw(1)));
        assert_ne!(pieces, split(&bytes, &how, &mut draw(2)));
        let (last, rest) = pieces.split_last().unwrap();
        assert!(rest.iter().all(|p| (2..=9).contains(&p.len())) && last.len() <= 9);
        let lengths: Vec<usize> = pieces[..6].iter().map(|p| p.len()).collect();
        assert_eq!(lengths, [6, 5, 4, 8, 8, 6], "frozen");
    }

    #[test]
    fn pieces_are_bounded_and_the_last_takes_the_rest() {
        let bytes = vec![b'\r'; 300_000];
        for how in [
            SplitAt::Every(1),
            SplitAt::Random { low: 0, high: 0 },
            SplitAt::At((0..300_000).collect()),
        ] {
            let pieces = split(&bytes, &how, &mut draw(1));
            assert_eq!(pieces.len(), MAX_PIECES, "{how:?}");
            assert_eq!(pieces.last(), Some(&(MAX_PIECES - 1..300_000)));
        }
    }

    proptest::proptest! {
        #[test]
        fn every_split_covers_all_bytes(bytes: Vec<u8>, n in 0usize..9, at: Vec<u8>, low in 0usize..5, high in 0usize..9) {
            let at = at.into_iter().map(usize::from).collect();
            for how in [
                SplitAt::Every(n),
                SplitAt::At(at),
                SplitAt::Random { low, high },
                SplitAt::Inside(Inside::Utf8),
                SplitAt::Inside(Inside::Crlf),
                SplitAt::Inside(Inside::Bom),
            ] {
                let mut next = 0;
                for piece in split(&bytes, &how, &mut draw(1)) {
                    proptest::prop_assert!(piece.start == next && piece.end > next);
                    next = piece.end;
                }
                proptest::prop_assert_eq!(next, bytes.len());
            }
        }
    }
}

use std::io::Read;

use proptest::prelude::*;

use super::Encoder;
use super::bits::Bits;
use super::prefix::Code;

/// What a decoder makes of it, which must be complete.
fn decoded(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut reader = ::brotli::Decompressor::new(bytes, 4096);
    reader.read_to_end(&mut out).unwrap();
    out
}

/// The pieces, each in a write of its own.
fn encoded<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut encoder = Encoder::new();
    let mut out: Vec<u8> = pieces
        .into_iter()
        .flat_map(|piece| encoder.write(piece))
        .collect();
    out.extend(encoder.finish());
    out
}

fn holds(bytes: &[u8], piece: usize) -> usize {
    let encoded = encoded(bytes.chunks(piece));
    assert!(decoded(&encoded) == bytes, "{} bytes by {piece}", bytes.len());
    encoded.len()
}

/// Bytes that look like chance, of so many values.
fn noise(count: usize, values: u32) -> Vec<u8> {
    let mut seed = 1u32;
    let next = |_| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((seed >> 8) % values) as u8
    };
    (0..count).map(next).collect()
}

#[test]
fn nothing_is_a_stream_as_well() {
    assert_eq!(decoded(&Encoder::new().finish()), b"");
    assert_eq!(decoded(&encoded([&b""[..]])), b"");
}

#[test]
fn whatever_is_written_is_read() {
    let words = b"event: message\ndata: {\"letter\":\"a\"}\n\n".repeat(3000);
    for bytes in [
        noise(120_000, 256),
        noise(50_000, 128),
        noise(30_000, 5),
        noise(30_000, 4),
        noise(30_000, 3),
        noise(30_000, 2),
        noise(30_000, 1),
        words,
    ] {
        for piece in [1, 7, 1000, 1 << 14, (1 << 14) + 1, 1 << 20] {
            holds(&bytes[..bytes.len().min(piece * 500)], piece);
        }
    }
}

#[test]
fn what_was_said_before_costs_little_as_far_as_the_window_reaches() {
    let event = noise(5000, 256);
    for (between, near) in [
        (0, true),
        (60_000, true),
        (65_520 - 5000, true),
        (70_000, false),
        (300_000, false),
    ] {
        let other = vec![b'-'; between];
        let mut encoder = Encoder::new();
        let mut out = encoder.write(&event);
        out.extend(encoder.write(&other));
        let again = encoder.write(&event);
        assert_eq!(again.len() < 40, near, "{between}: {} bytes", again.len());
        out.extend(again);
        out.extend(encoder.finish());
        assert!(
            decoded(&out) == [&event[..], &other, &event].concat(),
            "{between}"
        );
    }
    let repeated = b"data: {\"n\":1}\n\n".repeat(1000);
    let length = holds(&repeated, 15);
    assert!(length < 1000 * 13, "{length}");
    let at_once = holds(&repeated, 1 << 20);
    assert!(at_once < 60, "{at_once}");
}

#[test]
fn noise_grows_by_a_few_bytes_a_block() {
    for (count, piece) in [(1, 1), (100_000, 1 << 20), (100_000, 100)] {
        let length = holds(&noise(count, 256), piece);
        let blocks = count.div_ceil(piece.min(1 << 14));
        assert!(
            length <= count + blocks * 3 + 2,
            "{length} for {count} by {piece}"
        );
    }
}

/// Lengths on both sides of where a code of lengths ends.
#[test]
fn all_lengths_of_literals_and_copies_are_told_right() {
    let edges = [
        1, 2, 5, 6, 7, 8, 9, 10, 13, 14, 17, 18, 25, 26, 33, 34, 49, 50, 65, 66, 97, 98, 129, 130, 193, 194,
        321, 322, 577, 578, 1089, 1090, 2113, 2114, 6209, 6210, 9000,
    ];
    let chance = noise(400_000, 256);
    let mut left = &chance[..];
    for literals in edges {
        let mut bytes = Vec::new();
        for copied in [
            4, 5, 9, 10, 11, 12, 21, 22, 69, 70, 71, 133, 134, 197, 198, 1093, 1094, 2117, 2118, 4000,
        ] {
            let (fresh, behind) = left.split_at(literals);
            left = if behind.len() < 10_000 { &chance } else { behind };
            bytes.extend_from_slice(fresh);
            let from = bytes.len().saturating_sub(copied + 17);
            let copy = bytes[from..]
                .iter()
                .copied()
                .cycle()
                .take(copied)
                .collect::<Vec<u8>>();
            bytes.extend(copy);
        }
        holds(&bytes, 1 << 20);
    }
}

#[test]
fn no_code_is_longer_than_may_be() {
    // Each symbol as often as the two before it: by itself the tree would be as deep as it can be.
    let mut counts = [0u32; 256];
    let (mut a, mut b) = (1, 1);
    for count in counts.iter_mut().step_by(9).take(25) {
        *count = a;
        (a, b) = (b, a + b);
    }
    let code = Code::of(&counts);
    let mut bits = Bits::default();
    let mut longest = 0;
    for symbol in (0..256).step_by(9).take(25) {
        let before = bits.len();
        code.put(symbol, &mut bits);
        longest = longest.max(bits.len() - before);
    }
    assert!((12..=15).contains(&longest), "{longest}");
    let bytes: Vec<u8> = (0..25)
        .flat_map(|n| vec![n * 9; counts[usize::from(n) * 9].min(2000) as usize])
        .collect();
    // Mixed, so that few can be copied.
    let mixed: Vec<u8> = (0..bytes.len()).map(|n| bytes[n * 7919 % bytes.len()]).collect();
    holds(&mixed, 1 << 20);
}

#[test]
fn few_symbols_are_told_by_name() {
    for symbols in 0..=6usize {
        let mut counts = [0; 256];
        (0..symbols).for_each(|n| counts[n * 40 + 3] = 1 << (2 * n));
        let mut bits = Bits::default();
        Code::of(&counts).tell(&mut bits);
        let named = 4 + 8 * symbols.max(1) + usize::from(symbols == 4);
        assert_eq!(bits.len() == named, symbols <= 4, "{symbols}: {}", bits.len());
    }
}

fn pieces() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let text = prop::collection::vec(prop::sample::select(b"abc: \n{}\xff".to_vec()), 0..400);
    let noise = prop::collection::vec(any::<u8>(), 0..200);
    let run = (any::<u8>(), 0..5000usize).prop_map(|(byte, count)| vec![byte; count]);
    let piece = prop_oneof![4 => text, 2 => noise, 1 => run];
    // Some are said again later.
    prop::collection::vec((piece, any::<prop::sample::Index>(), any::<bool>()), 1..40).prop_map(|drawn| {
        let mut pieces: Vec<Vec<u8>> = Vec::new();
        for (piece, index, again) in drawn {
            let piece = if again && !pieces.is_empty() {
                index.get(&pieces).clone()
            } else {
                piece
            };
            pieces.push(piece);
        }
        pieces
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_pieces_are_read_as_they_were_written(pieces in pieces()) {
        let encoded = encoded(pieces.iter().map(Vec::as_slice));
        prop_assert!(decoded(&encoded) == pieces.concat());
    }
}

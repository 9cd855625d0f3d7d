//! Any bytes as a recording and as lines of an event stream: a recording that is read can be written
//! and read again; lines are the same however their bytes come.

use mock_sse::scenario::recording::{line, parse};
use mock_sse::wire::Lines;

pub fn run(bytes: &[u8]) {
    if let Ok(writes) = parse(bytes) {
        let text: String = writes.iter().map(line).collect();
        let again = parse(text.as_bytes()).expect("what was written");
        assert_eq!(again.len(), writes.len());
        for (one, other) in again.iter().zip(&writes) {
            assert_eq!(one.bytes, other.bytes);
            // Written to the microsecond.
            assert!(one.at.abs_diff(other.at).as_micros() <= 1, "{one:?} {other:?}");
        }
    }
    let whole = lines(bytes, bytes.len().max(1));
    for most in [1, 2, 5] {
        assert_eq!(lines(bytes, most), whole, "in pieces of {most}");
    }
}

fn lines(bytes: &[u8], most: usize) -> Vec<(Vec<u8>, bool)> {
    let (mut lines, mut all) = (Lines::default(), Vec::new());
    for piece in bytes.chunks(most) {
        lines.feed(piece, |line, shortened| all.push((line.to_vec(), shortened)));
    }
    all
}

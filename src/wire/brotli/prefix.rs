//! Prefix codes (RFC 7932 §3): made for what is to be written, and told before it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::iter;
use std::sync::LazyLock;

use super::bits::Bits;

/// No code is longer.
const LONGEST: u8 = 15;
/// Nor is a code of a code's lengths.
const LONGEST_OF_LENGTHS: u8 = 5;
/// In which order the lengths of the codes of lengths stand.
const ORDER: [usize; 18] = [1, 2, 3, 4, 0, 5, 17, 6, 16, 7, 8, 9, 10, 11, 12, 13, 14, 15];
/// How these are written: 0 to 5, as bits and their number.
const FIXED: [(u32, u32); 6] = [(0, 2), (7, 4), (3, 3), (2, 2), (1, 2), (15, 4)];
/// Stands for a run of zeros.
const ZEROS: usize = 17;

/// A code for the symbols of an alphabet.
#[derive(Debug)]
pub(super) struct Code {
    /// Those in use, in their order, and how many bits each takes.
    used: Vec<(usize, u8)>,
    /// The word of each symbol, and its bits; none if it is the only one, or not in use.
    words: Vec<(u16, u8)>,
}

/// Literals told by their own bits: little is said of such a code.
static FLAT: LazyLock<[Code; 2]> = LazyLock::new(|| [flat(128, 7), flat(256, 8)]);
/// So many bits are said of it.
const FLAT_COST: u64 = 32;

fn flat(symbols: usize, length: u8) -> Code {
    Code::new(256, (0..symbols).map(|symbol| (symbol, length)).collect())
}

impl Code {
    /// The best code for symbols that occur so often.
    pub(super) fn of(counts: &[u32]) -> Code {
        Code::new(counts.len(), lengths(counts, LONGEST))
    }

    fn new(alphabet: usize, used: Vec<(usize, u8)>) -> Code {
        let mut words = vec![(0, 0); alphabet];
        words_of(&used, |symbol, word, length| words[symbol] = (word, length));
        Code { used, words }
    }

    /// Writes a symbol.
    pub(super) fn put(&self, symbol: usize, bits: &mut Bits) {
        let (word, length) = self.words[symbol];
        bits.put(u32::from(word), u32::from(length));
    }

    /// Writes the code itself, and gives it back. Where it takes more than it is worth, a flat one is written.
    pub(super) fn tell_literals(self, counts: &[u32; 256], bits: &mut Bits) -> Literals {
        let (mark, before) = (bits.mark(), bits.len());
        self.tell(bits);
        let told = (bits.len() - before) as u64;
        let each = self
            .used
            .iter()
            .map(|(symbol, length)| (u64::from(counts[*symbol]), u64::from(*length)));
        let (count, all) = each.fold((0, 0), |(count, all), (n, length)| (count + n, all + n * length));
        let wide = self.used.last().is_some_and(|(symbol, _)| *symbol >= 128);
        if told + all <= FLAT_COST + count * if wide { 8 } else { 7 } {
            return Literals::Own(self);
        }
        bits.back_to(&mark);
        let flat = &FLAT[usize::from(wide)];
        flat.tell(bits);
        Literals::Flat(flat)
    }

    /// Writes the code itself.
    pub(super) fn tell(&self, bits: &mut Bits) {
        if self.used.len() > 4 {
            return self.tell_lengths(bits);
        }
        let mut few = self.used.clone();
        few.sort_by_key(|(_, length)| *length);
        let width = usize::BITS - (self.words.len() - 1).leading_zeros();
        bits.put(1, 2);
        bits.put(few.len().max(1) as u32 - 1, 2);
        for (symbol, _) in &few {
            bits.put(*symbol as u32, width);
        }
        match few[..] {
            // No symbol at all cannot be told.
            [] => bits.put(0, width),
            [.., (_, longest)] if few.len() == 4 => bits.put(u32::from(longest == 3), 1),
            _ => {}
        }
    }

    fn tell_lengths(&self, bits: &mut Bits) {
        let said = shortened(&self.used);
        let mut counts = [0; 18];
        said.iter().for_each(|(symbol, _)| counts[*symbol] += 1);
        let used = lengths(&counts, LONGEST_OF_LENGTHS);
        let (mut told, mut words) = ([0; 18], [(0, 0); 18]);
        used.iter().for_each(|(symbol, length)| told[*symbol] = *length);
        words_of(&used, |symbol, word, length| words[symbol] = (word, length));
        let only = used.len() == 1;
        if only {
            // It takes no bits, but has to be told with some length.
            told[said[0].0] = 4;
        }
        let skip = match ORDER.map(|symbol| told[symbol]) {
            [0, 0, 0, ..] => 3,
            [0, 0, ..] => 2,
            _ => 0,
        };
        bits.put(skip as u32, 2);
        let last = ORDER
            .iter()
            .rposition(|symbol| told[*symbol] > 0)
            .filter(|_| !only);
        for symbol in &ORDER[skip..=last.unwrap_or(ORDER.len() - 1)] {
            let (word, length) = FIXED[usize::from(told[*symbol])];
            bits.put(word, length);
        }
        for (symbol, extra) in said {
            let (word, length) = words[symbol];
            bits.put(u32::from(word), u32::from(length));
            if symbol == ZEROS {
                bits.put(extra, 3);
            }
        }
    }
}

/// A code of literals, told.
pub(super) enum Literals {
    /// Made for them.
    Own(Code),
    /// One for all.
    Flat(&'static Code),
}

impl Literals {
    /// The code.
    pub(super) fn code(&self) -> &Code {
        match self {
            Literals::Own(code) => code,
            Literals::Flat(code) => code,
        }
    }
}

/// The lengths of all symbols with their runs of zeros told at once, and without those at the end.
fn shortened(used: &[(usize, u8)]) -> Vec<(usize, u32)> {
    let mut said = Vec::new();
    let mut next = 0;
    for (symbol, length) in used {
        run((symbol - next) as u32, &mut said);
        said.push((usize::from(*length), 0));
        next = symbol + 1;
    }
    said
}

/// A run of zeros: each word behind another one is a digit more, of base 8.
fn run(zeros: u32, said: &mut Vec<(usize, u32)>) {
    if zeros < 3 {
        said.extend(iter::repeat_n((0, 0), zeros as usize));
        return;
    }
    let from = said.len();
    let mut left = zeros - 3;
    loop {
        said.push((ZEROS, left & 7));
        left >>= 3;
        if left == 0 {
            break;
        }
        left -= 1;
    }
    said[from..].reverse();
}

/// How long the codes of symbols are that occur so often, by Huffman's way; none longer than that.
fn lengths(counts: &[u32], longest: u8) -> Vec<(usize, u8)> {
    let all = counts.iter().enumerate();
    let used: Vec<(usize, u32)> = all
        .filter(|(_, count)| **count > 0)
        .map(|(symbol, count)| (symbol, *count))
        .collect();
    let mut least = 1;
    loop {
        let depths = depths(used.iter().map(|(_, count)| u64::from(*count.max(&least))));
        if depths.iter().all(|depth| *depth <= longest) {
            return iter::zip(used.iter().map(|(symbol, _)| *symbol), depths).collect();
        }
        // The rare ones count as more, until the tree is flat enough.
        least *= 2;
    }
}

/// How deep each leaf lies in the tree.
fn depths(weights: impl ExactSizeIterator<Item = u64>) -> Vec<u8> {
    let leaves = weights.len();
    if leaves < 2 {
        return vec![0; leaves];
    }
    // The leaves, then the nodes that join two: each is younger than what it joins.
    let mut parents = vec![0; leaves * 2 - 1];
    let mut heap: BinaryHeap<Reverse<(u64, usize)>> = weights.zip(0..).map(Reverse).collect();
    for joint in leaves..parents.len() {
        let (Some(Reverse(a)), Some(Reverse(b))) = (heap.pop(), heap.pop()) else {
            break;
        };
        (parents[a.1], parents[b.1]) = (joint, joint);
        heap.push(Reverse((a.0 + b.0, joint)));
    }
    let mut depths = vec![0u8; parents.len()];
    for node in (0..parents.len() - 1).rev() {
        depths[node] = depths[parents[node]] + 1;
    }
    depths.truncate(leaves);
    depths
}

/// The words of a code by its lengths: counted up, the first bit lowest.
fn words_of(used: &[(usize, u8)], mut put: impl FnMut(usize, u16, u8)) {
    let mut next = [0u16; LONGEST as usize + 2];
    for (_, length) in used.iter().filter(|(_, length)| *length > 0) {
        next[usize::from(*length) + 1] += 1;
    }
    for length in 1..=usize::from(LONGEST) {
        next[length] = (next[length] + next[length - 1]) << 1;
    }
    for (symbol, length) in used.iter().filter(|(_, length)| *length > 0) {
        let word = &mut next[usize::from(*length)];
        put(*symbol, word.reverse_bits() >> (16 - length), *length);
        *word += 1;
    }
}

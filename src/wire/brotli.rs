//! A small encoder of brotli (RFC 7932) for streams of small events.
//!
//! It finds what was said before in a window of 64 KiB, and writes a block for each piece, which can be
//! decoded at once. What makes brotli large it leaves out: the dictionary, contexts, several codes in a block.
//!
//! - `bits`: what is written bit by bit
//! - `prefix`: the codes of a block, and how they are told

mod bits;
mod prefix;
#[cfg(test)]
mod tests;

use std::ops::Range;

use bits::Bits;
use prefix::Code;

/// How far back a copy may reach, in the smallest window: 16 bits, less 16.
const WINDOW: usize = (1 << 16) - 16;
/// So much is kept before what lies farther back is dropped.
const KEPT: usize = WINDOW + (1 << 14);
/// The most that one block tells.
const BLOCK: usize = 1 << 14;
/// A copy is at least so long.
const SHORTEST: usize = 4;
const HASH_BITS: u32 = 13;
/// What stands for no place.
const NOWHERE: u32 = u32::MAX;

/// Extra bits and the least value of each code of lengths of literals (RFC 7932 §5).
const INSERTS: [(u32, u32); 24] = [
    (0, 0),
    (0, 1),
    (0, 2),
    (0, 3),
    (0, 4),
    (0, 5),
    (1, 6),
    (1, 8),
    (2, 10),
    (2, 14),
    (3, 18),
    (3, 26),
    (4, 34),
    (4, 50),
    (5, 66),
    (5, 98),
    (6, 130),
    (7, 194),
    (8, 322),
    (9, 578),
    (10, 1090),
    (12, 2114),
    (14, 6210),
    (24, 22594),
];
/// The same for lengths of copies.
const COPIES: [(u32, u32); 24] = [
    (0, 2),
    (0, 3),
    (0, 4),
    (0, 5),
    (0, 6),
    (0, 7),
    (0, 8),
    (0, 9),
    (1, 10),
    (1, 12),
    (2, 14),
    (2, 18),
    (3, 22),
    (3, 30),
    (4, 38),
    (4, 54),
    (5, 70),
    (5, 102),
    (6, 134),
    (7, 198),
    (8, 326),
    (9, 582),
    (10, 1094),
    (24, 2118),
];
/// Where the commands begin whose codes of both lengths are so large, by eights.
const COMMANDS: [[usize; 3]; 3] = [[128, 192, 384], [256, 320, 512], [448, 576, 640]];

/// Encodes one stream.
#[derive(Debug)]
pub(super) struct Encoder {
    out: Bits,
    /// What was said, as far as a copy can reach.
    said: Vec<u8>,
    /// Where four bytes were seen last, by their hash.
    seen: Vec<u32>,
    /// The distance of the last copy.
    last: usize,
}

/// Some literals, and what is copied behind them.
struct Command {
    literals: Range<usize>,
    /// The codes of both lengths, and the symbol for both.
    insert: Coded,
    copy: Coded,
    symbol: usize,
    /// Unless the symbol, or the end of the block, says it.
    distance: Option<Coded>,
}

/// A code's number, and the bits behind it.
#[derive(Clone, Copy)]
struct Coded {
    symbol: usize,
    extra: u32,
    bits: u32,
}

impl Encoder {
    /// For a new stream.
    pub(super) fn new() -> Encoder {
        let mut out = Bits::default();
        // The smallest window.
        out.put(0, 1);
        Encoder {
            out,
            said: Vec::new(),
            seen: vec![NOWHERE; 1 << HASH_BITS],
            last: 4,
        }
    }

    /// Encodes some bytes, so that they can be decoded at once.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Vec<u8> {
        for piece in bytes.chunks(BLOCK) {
            self.forget();
            let from = self.said.len();
            self.said.extend_from_slice(piece);
            self.block(from);
        }
        if !self.out.is_aligned() {
            // A block of metadata without any: it ends at a whole byte.
            self.out.put(0b00_0110, 6);
            self.out.align();
        }
        self.out.take()
    }

    /// What ends the stream: a last block, which is empty.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.out.put(0b11, 2);
        self.out.align();
        self.out.take()
    }

    /// Drops what no copy can reach.
    fn forget(&mut self) {
        if self.said.len() <= KEPT {
            return;
        }
        let gone = self.said.len() - WINDOW;
        self.said.drain(..gone);
        for place in &mut self.seen {
            *place = place
                .checked_sub(gone as u32)
                .filter(|_| *place != NOWHERE)
                .unwrap_or(NOWHERE);
        }
    }

    /// Writes a block of what was said from there on.
    fn block(&mut self, from: usize) {
        let (mark, last) = (self.out.mark(), self.last);
        let length = self.said.len() - from;
        let commands = self.commands(from);
        self.out.put(0, 1);
        self.out.put(0, 2);
        self.out.put(length as u32 - 1, 16);
        let head = self.out.len();
        self.out.put(0, 1);
        // One kind of block, one code of each kind, no distances of its own.
        self.out.put(0, 13);
        self.tell(&commands);
        if self.out.len() - head > length * 8 + 8 {
            self.out.back_to(&mark);
            self.last = last;
            self.plain(from);
        }
    }

    /// Writes a block as it is.
    fn plain(&mut self, from: usize) {
        let length = self.said.len() - from;
        self.out.put(0, 3);
        self.out.put(length as u32 - 1, 16);
        self.out.put(1, 1);
        self.out.align();
        self.out.put_bytes(&self.said[from..]);
    }

    /// What the bytes from there on are made of.
    fn commands(&mut self, from: usize) -> Vec<Command> {
        let mut commands = Vec::new();
        let end = self.said.len();
        let (mut at, mut literals) = (from, from);
        while at < end {
            let found = self.find(at);
            self.see(at);
            let Some((length, distance)) = found else {
                at += 1;
                continue;
            };
            (at + 1..at + length).for_each(|place| self.see(place));
            let again = distance == self.last;
            commands.push(Command::new(literals..at, length, (!again).then_some(distance)));
            self.last = distance;
            at += length;
            literals = at;
        }
        if literals < end {
            // A copy is named here as well, but the block is over.
            commands.push(Command {
                distance: None,
                ..Command::new(literals..end, 2, None)
            });
        }
        commands
    }

    /// Where the bytes that come next were said before: how many of them, and how far back.
    fn find(&self, at: usize) -> Option<(usize, usize)> {
        let near = (self.last <= at).then_some(self.last);
        let near = near.map(|distance| (self.same(at, distance), distance));
        let far = self
            .slot(at)
            .map(|slot| self.seen[slot])
            .filter(|place| *place != NOWHERE);
        let far = far
            .map(|place| at - place as usize)
            .filter(|distance| *distance <= WINDOW);
        let far = far.map(|distance| (self.same(at, distance), distance));
        // The same distance again costs less to be told.
        let best = match (near, far) {
            (Some(near), Some(far)) if far.0 > near.0 + 2 => Some(far),
            (near, far) => near.filter(|near| near.0 >= SHORTEST).or(far),
        };
        best.filter(|(length, _)| *length >= SHORTEST)
    }

    /// How many bytes are the same so far back.
    fn same(&self, at: usize, distance: usize) -> usize {
        let ahead = self.said[at..].iter().zip(&self.said[at - distance..]);
        ahead.take_while(|(a, b)| a == b).count()
    }

    /// Where four bytes are noted.
    fn slot(&self, at: usize) -> Option<usize> {
        let bytes = self.said.get(at..)?.first_chunk::<4>()?;
        let hash = u32::from_le_bytes(*bytes).wrapping_mul(0x9e37_79b1);
        Some((hash >> (32 - HASH_BITS)) as usize)
    }

    fn see(&mut self, at: usize) {
        if let Some(slot) = self.slot(at) {
            self.seen[slot] = at as u32;
        }
    }

    /// Writes the codes, and then the commands with them.
    fn tell(&mut self, commands: &[Command]) {
        let (mut literals, mut symbols, mut distances) = ([0; 256], [0; 704], [0; 64]);
        for command in commands {
            let said = &self.said[command.literals.clone()];
            said.iter().for_each(|byte| literals[usize::from(*byte)] += 1);
            symbols[command.symbol] += 1;
            if let Some(distance) = command.distance {
                distances[distance.symbol] += 1;
            }
        }
        let literals = Code::of(&literals).tell_literals(&literals, &mut self.out);
        let (symbols, distances) = (Code::of(&symbols), Code::of(&distances));
        symbols.tell(&mut self.out);
        distances.tell(&mut self.out);
        for command in commands {
            symbols.put(command.symbol, &mut self.out);
            self.out.put(command.insert.extra, command.insert.bits);
            self.out.put(command.copy.extra, command.copy.bits);
            for byte in &self.said[command.literals.clone()] {
                literals.code().put(usize::from(*byte), &mut self.out);
            }
            if let Some(distance) = command.distance {
                distances.put(distance.symbol, &mut self.out);
                self.out.put(distance.extra, distance.bits);
            }
        }
    }
}

impl Command {
    /// Some literals and so many bytes from so far back; without a distance, as far as the last time.
    fn new(literals: Range<usize>, length: usize, distance: Option<usize>) -> Command {
        let insert = coded(&INSERTS, literals.len());
        let copy = coded(&COPIES, length);
        let is_short = distance.is_none() && insert.symbol < 8 && copy.symbol < 16;
        let base = match is_short {
            true => copy.symbol / 8 * 64,
            false => COMMANDS[insert.symbol / 8][copy.symbol / 8],
        };
        Command {
            literals,
            insert,
            copy,
            symbol: base + insert.symbol % 8 * 8 + copy.symbol % 8,
            distance: (!is_short).then(|| far(distance)),
        }
    }
}

/// A distance in its code; none: the same as before.
fn far(distance: Option<usize>) -> Coded {
    let Some(distance) = distance else {
        return Coded {
            symbol: 0,
            extra: 0,
            bits: 0,
        };
    };
    let value = distance as u32 + 3;
    let bits = value.ilog2() - 1;
    let half = value >> bits & 1;
    Coded {
        symbol: (16 + 2 * (bits - 1) + half) as usize,
        extra: value - ((2 + half) << bits),
        bits,
    }
}

/// A length in its code.
fn coded(table: &[(u32, u32); 24], length: usize) -> Coded {
    let length = length as u32;
    let symbol = table.partition_point(|(_, least)| *least <= length) - 1;
    let (bits, least) = table[symbol];
    Coded {
        symbol,
        extra: length - least,
        bits,
    }
}

//! Bits in the order in which brotli reads them: the lowest of a byte first.

/// Bytes that are written bit by bit.
#[derive(Debug, Default)]
pub(super) struct Bits {
    bytes: Vec<u8>,
    /// The bits that fill no byte yet, and how many they are.
    rest: u64,
    count: u32,
}

/// A place to go back to.
pub(super) struct Mark {
    bytes: usize,
    rest: u64,
    count: u32,
}

impl Bits {
    /// Adds the lowest `count` bits of a value, at most 32; the others are 0.
    pub(super) fn put(&mut self, value: u32, count: u32) {
        self.rest |= u64::from(value) << self.count;
        self.count += count;
        while self.count >= 8 {
            self.bytes.push(self.rest as u8);
            self.rest >>= 8;
            self.count -= 8;
        }
    }

    /// Fills the last byte up.
    pub(super) fn align(&mut self) {
        if self.count > 0 {
            self.put(0, 8 - self.count);
        }
    }

    /// Whether the last byte is full.
    pub(super) fn is_aligned(&self) -> bool {
        self.count == 0
    }

    /// Adds whole bytes; the last byte must be full.
    pub(super) fn put_bytes(&mut self, bytes: &[u8]) {
        debug_assert!(self.is_aligned());
        self.bytes.extend_from_slice(bytes);
    }

    /// How many bits there are.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() * 8 + self.count as usize
    }

    /// Here.
    pub(super) fn mark(&self) -> Mark {
        Mark {
            bytes: self.bytes.len(),
            rest: self.rest,
            count: self.count,
        }
    }

    /// Forgets what was added since.
    pub(super) fn back_to(&mut self, mark: &Mark) {
        self.bytes.truncate(mark.bytes);
        (self.rest, self.count) = (mark.rest, mark.count);
    }

    /// Takes the full bytes out.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}

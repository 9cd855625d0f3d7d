//! Numbers that look random, and repeat (xorshift64*).

pub struct Chance(u64);

impl Chance {
    /// Whoever is another one draws others.
    pub fn new(seed: u64, who: u64) -> Chance {
        let mut chance = Chance((seed ^ (who << 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for _ in 0..4 {
            chance.below(2);
        }
        chance
    }

    /// From 0 on, less than `end`; 0 if there is none.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % end.max(1)
    }

    /// One of several.
    pub fn one<'l, T>(&mut self, list: &'l [T]) -> &'l T {
        &list[self.below(list.len())]
    }

    /// A part of something, at most so long.
    pub fn part<'l, T>(&mut self, list: &'l [T], most: usize) -> &'l [T] {
        let from = self.below(list.len() + 1);
        &list[from..(from + self.below(most)).min(list.len())]
    }
}

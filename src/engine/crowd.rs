//! How many streams of one endpoint are open, and how many there were.

/// The streams of one endpoint.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    now: usize,
    /// The most there have been from a stamp on; each peak is lower and later than the one before.
    peaks: Vec<(usize, u64)>,
}

impl Crowd {
    /// One more, at this stamp, later than all before.
    pub fn come(&mut self, stamp: u64) {
        self.now += 1;
        while self.peaks.pop_if(|(count, _)| *count <= self.now).is_some() {}
        self.peaks.push((self.now, stamp));
    }

    /// One less; answers with whether nobody is left.
    pub fn leave(&mut self) -> bool {
        self.now = self.now.saturating_sub(1);
        self.now == 0
    }

    /// How many there are.
    pub fn now(&self) -> usize {
        self.now
    }

    /// The most there have been at a time later than this stamp.
    pub fn most_since(&self, stamp: u64) -> usize {
        let first = self.peaks.partition_point(|(_, at)| *at <= stamp);
        self.peaks.get(first).map_or(self.now, |(count, _)| *count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_there_have_been_is_known_from_any_time_on() {
        let mut crowd = Crowd::default();
        crowd.come(1);
        crowd.come(2);
        crowd.come(3);
        assert!(!crowd.leave() && !crowd.leave());
        crowd.come(4);
        let since = |crowd: &Crowd| [0, 2, 3, 4].map(|stamp| crowd.most_since(stamp));
        assert_eq!(since(&crowd), [3, 3, 2, 2]);
        crowd.leave();
        assert_eq!((crowd.now(), since(&crowd)), (1, [3, 3, 2, 1]));
        crowd.come(5);
        crowd.come(6);
        crowd.come(7);
        assert_eq!((since(&crowd), crowd.peaks.len()), ([4; 4], 1));
        (0..3).for_each(|_| assert!(!crowd.leave()));
        assert!(crowd.leave());
    }
}

//! A time in eight bytes, for what there may be very many of.

use std::num::NonZeroU64;
use std::time::Duration;

/// A time of a clock (or a length of time), in nanoseconds; whatever lies beyond 584 years is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tick(NonZeroU64);

impl From<Duration> for Tick {
    fn from(time: Duration) -> Tick {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        // One more, so that a time that may be missing takes no more.
        Tick(NonZeroU64::MIN.saturating_add(nanos))
    }
}

impl From<Tick> for Duration {
    fn from(Tick(one_more): Tick) -> Duration {
        Duration::from_nanos(one_more.get() - 1)
    }
}

impl Tick {
    /// The same as a duration.
    pub fn time(self) -> Duration {
        self.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_come_back_as_they_were_unless_they_are_beyond_all_times() {
        let last = Duration::from_nanos(u64::MAX - 1);
        for time in [
            Duration::ZERO,
            Duration::from_nanos(1),
            Duration::from_secs(86_400),
            last,
        ] {
            assert_eq!(Tick::from(time).time(), time);
        }
        assert_eq!(Tick::from(Duration::MAX).time(), last);
        assert_eq!(size_of::<Option<Tick>>(), 8);
    }
}

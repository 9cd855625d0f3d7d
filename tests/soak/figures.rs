//! What a process takes, and whether that stays as it is.

use std::fmt;
use std::time::{Duration, Instant};

/// Part of the samples in the beginning that are not looked at: caches and pools fill.
const WARM_UP: f64 = 0.2;
/// How much more the second half may take than the first: a tenth, and this much for the allocator.
const ALLOWANCE_KIB: f64 = 3072.0;

pub struct Figures {
    pub pss_kib: u64,
    pub descriptors: usize,
}

impl Figures {
    pub fn of(pid: u32) -> Figures {
        let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let pss = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
        let pss = pss.and_then(|rest| rest.trim().strip_suffix("kB"));
        let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
        Figures {
            pss_kib: pss.map_or(0, |number| number.trim().parse().unwrap()),
            descriptors,
        }
    }
}

/// Waits until there are no more descriptors than before.
pub fn settled(pid: u32, idle: &Figures, patience: Duration) -> Figures {
    let began = Instant::now();
    loop {
        let now = Figures::of(pid);
        if now.descriptors <= idle.descriptors || began.elapsed() > patience {
            return now;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[derive(Default)]
pub struct Samples {
    pss: Vec<f64>,
    most_descriptors: usize,
}

impl Samples {
    pub fn take(&mut self, figures: &Figures) {
        self.pss.push(figures.pss_kib as f64);
        self.most_descriptors = self.most_descriptors.max(figures.descriptors);
    }

    pub fn verdict(&self) -> Verdict {
        let warm = &self.pss[(self.pss.len() as f64 * WARM_UP) as usize..];
        let (first, second) = warm.split_at(warm.len() / 2);
        let mean = |half: &[f64]| half.iter().sum::<f64>() / half.len() as f64;
        Verdict {
            first: mean(first),
            second: mean(second),
            samples: warm.len(),
            most_descriptors: self.most_descriptors,
        }
    }
}

pub struct Verdict {
    first: f64,
    second: f64,
    samples: usize,
    most_descriptors: usize,
}

impl Verdict {
    pub fn is_flat(&self) -> bool {
        self.samples >= 10 && self.first > 0.0 && self.second <= self.first * 1.1 + ALLOWANCE_KIB
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = (self.first, self.second);
        let more = (second / first - 1.0) * 100.0;
        write!(
            f,
            "memory (PSS) once warm: {first:.0} KiB in the first half, {second:.0} KiB in the second ({more:+.1} %), \
             {} samples; at most {} descriptors",
            self.samples, self.most_descriptors
        )
    }
}

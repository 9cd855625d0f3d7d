//! What the kernel knows about a process: processor time, memory, the limit of open files.
//! Linux's /proc is read as text; where it is missing, the figures are missing too.

use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::error::LoadError;

/// Clock ticks a second in /proc/PID/stat. `sysconf(_SC_CLK_TCK)` is 100 on every Linux that
/// runs today (USER_HZ is part of the kernel's interface), and asking would need `unsafe`.
const TICKS_PER_SECOND: f64 = 100.0;

/// Open files beside the streams: runtime, standard streams, publisher, some to spare.
const SPARE_FILES: u64 = 32;

/// A process to measure.
#[derive(Debug, Clone, Copy)]
pub enum Process {
    Own,
    Pid(u32),
}

/// The processes of a server: what is measured of them is the sum, or nothing if one is not there.
#[derive(Debug, Clone)]
pub struct Server(Vec<Process>);

impl Server {
    /// An error unless all processes are there; a server without any cannot be measured.
    pub fn new(pids: &[u32]) -> Result<Self, LoadError> {
        pids.iter().try_for_each(|pid| check(*pid))?;
        Ok(Self(pids.iter().copied().map(Process::Pid).collect()))
    }

    pub fn cpu_seconds(&self) -> Option<f64> {
        self.sum(Process::cpu_seconds)
    }

    pub fn pss_kib(&self) -> Option<u64> {
        self.sum(Process::pss_kib)
    }

    fn sum<T: std::iter::Sum>(&self, figure: impl Fn(Process) -> Option<T>) -> Option<T> {
        match self.0.is_empty() {
            true => None,
            false => self.0.iter().map(|process| figure(*process)).sum(),
        }
    }
}

impl Process {
    fn path(self, file: &str) -> String {
        match self {
            Process::Own => format!("/proc/self/{file}"),
            Process::Pid(pid) => format!("/proc/{pid}/{file}"),
        }
    }

    /// Processor time so far, user and system, in seconds (steps of 10 ms).
    pub fn cpu_seconds(self) -> Option<f64> {
        ticks(&fs::read_to_string(self.path("stat")).ok()?).map(|t| t as f64 / TICKS_PER_SECOND)
    }

    /// Proportional set size in KiB: its own memory and its share of what is mapped by several.
    pub fn pss_kib(self) -> Option<u64> {
        pss(&fs::read_to_string(self.path("smaps_rollup")).ok()?)
    }
}

/// An error unless the process is there.
fn check(pid: u32) -> Result<(), LoadError> {
    fs::read_to_string(Process::Pid(pid).path("stat"))
        .map(drop)
        .map_err(|error| LoadError::Process {
            pid,
            why: error.to_string(),
        })
}

/// User and system ticks of a `stat` line. The command's name may hold spaces and parentheses,
/// so the fields are counted from behind the last one.
fn ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn pss(rollup: &str) -> Option<u64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// Makes room for so many connections: raises the soft limit of open files up to the hard one.
pub fn make_room(connections: u64) -> Result<(), LoadError> {
    let needed = connections + SPARE_FILES;
    let limit = getrlimit(Resource::Nofile);
    // None stands for "unlimited".
    let fits = |limit: Option<u64>| limit.is_none_or(|limit| limit >= needed);
    if fits(limit.current) {
        return Ok(());
    }
    let raised = Rlimit {
        current: Some(needed),
        maximum: limit.maximum,
    };
    if fits(limit.maximum) && setrlimit(Resource::Nofile, raised).is_ok() {
        return Ok(());
    }
    Err(LoadError::TooManyFiles {
        needed,
        limit: limit.maximum.or(limit.current).unwrap_or(u64::MAX),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_with_an_awkward_name() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 2 3 4 150 25 0 0 20 0 1";
        assert_eq!(ticks(stat), Some(175));
        assert_eq!(ticks("nonsense"), None);
    }

    #[test]
    fn pss_of_a_rollup() {
        assert_eq!(
            pss("00-ff ---p [rollup]\nRss: 9 kB\nPss:     123 kB\nPss_Dirty: 1 kB\n"),
            Some(123)
        );
        assert_eq!(pss(""), None);
    }

    #[test]
    fn too_many_streams_name_the_numbers() {
        let error = make_room(u64::from(u32::MAX)).unwrap_err().to_string();
        assert!(error.starts_with("4294967327 open files"), "{error}");
    }

    #[test]
    fn own_figures() {
        assert!(Process::Own.cpu_seconds().is_some());
        assert!(Process::Own.pss_kib().is_some_and(|kib| kib > 0));
    }
}

//! A function's memory use and memory limit.
//!
//! On Linux, /proc is sampled every few milliseconds while the function runs. Other systems have no fast source
//! without unsafe code, so there the limit is not enforced.

use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior};

/// The interval between samples.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(20);

/// The limit for writable mappings of a function with this memory, in bytes. It bounds growth between two samples,
/// and is far above the memory limit, since runtimes map more than they use.
pub(crate) fn mapping_bound(megabytes: u32) -> u64 {
    (u64::from(megabytes) << 20).saturating_mul(4).saturating_add(1 << 30)
}

/// Watches the memory of a process and its children.
#[derive(Debug)]
pub(crate) struct MemoryWatch {
    pid: Option<u32>,
    /// In kB.
    limit: u64,
    /// In kB.
    peak: u64,
    tick: Interval,
}

impl MemoryWatch {
    /// Watches the process `pid` with a limit of `megabytes`.
    pub(crate) fn new(pid: Option<u32>, megabytes: u32) -> Self {
        let mut tick = tokio::time::interval(SAMPLE_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { pid, limit: u64::from(megabytes) << 10, peak: 0, tick }
    }

    /// Returns when the limit is exceeded.
    pub(crate) async fn exceeded(&mut self) {
        if !system::SUPPORTED {
            return std::future::pending().await;
        }
        loop {
            self.tick.tick().await;
            if self.sample() {
                return;
            }
        }
    }

    /// Samples the memory use; true if it exceeds the limit.
    pub(crate) fn sample(&mut self) -> bool {
        let Some(usage) = self.pid.and_then(|pid| system::usage(pid, self.limit)) else {
            return false;
        };
        self.peak = self.peak.max(usage.peak);
        system::SUPPORTED && usage.held > self.limit
    }

    /// The peak so far in MB, at most the limit, as Lambda reports it. 0 where it is unknown.
    pub(crate) fn peak(&self) -> u32 {
        u32::try_from(self.peak.min(self.limit).div_ceil(1024)).unwrap_or(u32::MAX)
    }
}

/// In kB.
struct Usage {
    /// Anonymous and shared pages; file pages can be reclaimed and are not counted.
    held: u64,
    /// The peak resident size.
    peak: u64,
}

#[cfg(target_os = "linux")]
mod system {
    use std::fs;

    use super::Usage;

    pub(super) const SUPPORTED: bool = true;

    pub(super) fn usage(pid: u32, limit: u64) -> Option<Usage> {
        let first = ProcStatus::read(pid)?;
        let (mut held, mut resident) = (first.held, first.resident);
        let children = descendants(pid);
        for status in children.iter().filter_map(|child| ProcStatus::read(*child)) {
            held += status.held;
            resident += status.resident;
        }
        // Pages shared by a fork and its parent were counted twice. The exact value is slow to read, so it is read only
        // above the limit.
        if held > limit && !children.is_empty() {
            held = std::iter::once(&pid).chain(&children).filter_map(|pid| proportional(*pid)).sum();
        }
        Some(Usage { held, peak: first.peak.max(resident) })
    }

    /// A process's memory from /proc, in kB.
    struct ProcStatus {
        held: u64,
        resident: u64,
        peak: u64,
    }

    impl ProcStatus {
        fn read(pid: u32) -> Option<Self> {
            let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let of = |name: &str| field(&text, name).unwrap_or(0);
            Some(Self { held: of("RssAnon:") + of("RssShmem:"), resident: of("VmRSS:"), peak: of("VmHWM:") })
        }
    }

    /// A process's proportional share of its pages.
    fn proportional(pid: u32) -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        Some(field(&text, "Pss_Anon:")? + field(&text, "Pss_Shmem:")?)
    }

    fn field(text: &str, name: &str) -> Option<u64> {
        let value = text.lines().find_map(|line| line.strip_prefix(name))?;
        value.trim().strip_suffix(" kB")?.trim().parse().ok()
    }

    /// The descendants of a process, without those whose parent has ended.
    fn descendants(pid: u32) -> Vec<u32> {
        let mut found = Vec::new();
        let mut parents = vec![pid];
        while let Some(parent) = parents.pop() {
            let threads = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
            for thread in threads {
                let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
                let children = children.split_whitespace().filter_map(|child| child.parse::<u32>().ok());
                for child in children {
                    found.push(child);
                    parents.push(child);
                }
            }
        }
        found
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::Usage;

    /// No limit here: `ps` is the only source, and too slow for sampling.
    pub(super) const SUPPORTED: bool = false;

    /// Current use only, from `ps`.
    pub(super) fn usage(pid: u32, _limit: u64) -> Option<Usage> {
        let output = std::process::Command::new("ps").args(["-o", "rss=", "-p", &pid.to_string()]).output().ok()?;
        let resident = String::from_utf8_lossy(&output.stdout).trim().parse().ok()?;
        Some(Usage { held: 0, peak: resident })
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn usage_of_this_process_is_plausible() {
        let own = std::process::id();
        let usage = system::usage(own, u64::MAX).unwrap();
        assert!(usage.held > 0 && usage.peak >= usage.held);
        let mut small = MemoryWatch { pid: Some(own), limit: 1, peak: 0, tick: tokio::time::interval(SAMPLE_INTERVAL) };
        small.exceeded().await;
        assert_eq!(small.peak(), 1);
        let mut large = MemoryWatch { limit: u64::MAX, ..small };
        assert!(!large.sample());
    }
}

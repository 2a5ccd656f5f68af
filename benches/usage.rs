//! What a run of the release binary takes: time, CPU, memory.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Runs of one measurement; the fastest counts, for the machine does other things too.
pub const RUNS: usize = 5;

/// Runs the binary some times and prints the fastest run.
pub fn row(label: &str, folder: &Path, arguments: &[&str]) {
    let Usage { wall, cpu, kilobytes } = best(folder, arguments);
    let cpu = cpu.map_or("-".to_owned(), |cpu| format!("{:.3} s", cpu.as_secs_f64()));
    println!("| {label} | {:.3} s | {cpu} | {} MB |", wall.as_secs_f64(), kilobytes / 1_000);
}

/// Runs the binary some times; returns the fastest run, with the most memory of all.
pub fn best(folder: &Path, arguments: &[&str]) -> Usage {
    let runs: Vec<Usage> = (0..RUNS).map(|_| run(folder, arguments)).collect();
    let kilobytes = runs.iter().map(|usage| usage.kilobytes).max().unwrap_or_default();
    let best = runs.into_iter().min_by_key(|usage| usage.wall).expect("there is at least one run");
    Usage { kilobytes, ..best }
}

/// What one run took.
pub struct Usage {
    /// Time by the clock on the wall.
    pub wall: Duration,
    /// User and system time, where it could be read.
    pub cpu: Option<Duration>,
    /// The most memory that it had at once.
    pub kilobytes: u64,
}

/// Runs the release binary once; memory and CPU are read from /proc while it runs, which is the kernel's own high-water
/// mark (source: proc(5), `VmHWM`).
pub fn run(folder: &Path, arguments: &[&str]) -> Usage {
    let begun = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_pixform"))
        .args(arguments)
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary can be started");
    let (status, stat) = (format!("/proc/{}/status", child.id()), format!("/proc/{}/stat", child.id()));
    let mut kilobytes = 0;
    let mut cpu = None;
    loop {
        let line = std::fs::read_to_string(&status).unwrap_or_default();
        let peak =
            line.lines().find_map(|line| line.strip_prefix("VmHWM:")).and_then(|rest| rest.split_whitespace().next());
        kilobytes = peak.and_then(|peak| peak.parse().ok()).unwrap_or(kilobytes).max(kilobytes);
        cpu = ticks(&stat).or(cpu);
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            assert!(status.success(), "{arguments:?} failed in {}", folder.display());
            return Usage { wall: begun.elapsed(), cpu, kilobytes };
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// User and system time; a tick is a hundredth of a second on Linux.
fn ticks(stat: &str) -> Option<Duration> {
    let text = std::fs::read_to_string(stat).ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    (ticks > 0).then(|| Duration::from_millis(ticks * 10))
}

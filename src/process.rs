//! This process, and whether another one that left its name is still alive.
//!
//! A killed run frees its leases at once on the same host, because its process can be seen to be gone: the boot id, the
//! pid namespace, the pid and the start time together name a process beyond doubt. From elsewhere only time tells.

use std::fs;

/// A process, named so that it can be recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// The host's name, for people.
    pub host: String,
    /// The boot id of the host's kernel; empty where there is none.
    pub boot: String,
    /// The pid namespace; empty where there is none.
    pub namespace: String,
    /// The process id.
    pub pid: u32,
    /// When it started, in clock ticks since boot; 0 where that cannot be told.
    pub started: u64,
}

/// What can be said about another process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// It runs here.
    Alive,
    /// It ran here and does not any more.
    Dead,
    /// It ran elsewhere, or this system cannot tell.
    Unknown,
}

impl Process {
    /// Returns this process.
    pub fn current() -> Self {
        let pid = std::process::id();
        Self { host: host(), boot: boot(), namespace: namespace(), pid, started: started(pid).unwrap_or_default() }
    }

    /// Tells whether the process is alive, seen from here.
    pub fn liveness(&self) -> Liveness {
        if self.boot.is_empty() || self.host != host() {
            return Liveness::Unknown;
        }
        if self.boot != boot() {
            return Liveness::Dead;
        }
        if self.namespace.is_empty() || self.namespace != namespace() {
            return Liveness::Unknown;
        }
        match started(self.pid) {
            Some(started) if started == self.started => Liveness::Alive,
            Some(_) | None => Liveness::Dead,
        }
    }
}

fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Source: proc(5), `/proc/sys/kernel/random/boot_id`.
fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// Source: proc(5), `/proc/self/ns/pid`.
fn namespace() -> String {
    fs::read_link("/proc/self/ns/pid").map(|link| link.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Source: proc(5), `/proc/PID/stat`, the 22nd field; the name before it may hold spaces and brackets. A zombie is dead.
fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_one_with_another_start_is_dead() {
        let me = Process::current();
        assert_eq!(me.liveness(), Liveness::Alive);
        assert_eq!(Process { started: me.started + 1, ..me.clone() }.liveness(), Liveness::Dead);
        assert_eq!(Process { boot: "another".into(), ..me.clone() }.liveness(), Liveness::Dead);
        assert_eq!(Process { host: "elsewhere".into(), ..me }.liveness(), Liveness::Unknown);
    }

    #[test]
    fn a_child_that_was_waited_for_is_dead() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let process = Process { pid: child.id(), started: started(child.id()).unwrap(), ..Process::current() };
        assert_eq!(process.liveness(), Liveness::Alive);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(process.liveness(), Liveness::Dead);
    }
}

//! Crash points: places where a test can end the process as a power cut would, or make it stand still.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};

/// A pass at which something happens.
struct Wanted {
    name: String,
    pass: u32,
    stops: bool,
}

/// How long a stop takes to meet every thread of the process, and more.
const STOPPING: Duration = Duration::from_millis(100);

/// Ends the process at the n-th pass of the named point when `PIXFORM_CRASH=name:n` asks for it; `name:n:stop` stops it
/// instead, until somebody sends SIGCONT.
///
/// Only in builds with debug assertions: a release build has no crash points.
pub fn crash_point(name: &str) {
    if cfg!(debug_assertions) {
        static WANTED: OnceLock<Option<Wanted>> = OnceLock::new();
        static PASSED: AtomicU32 = AtomicU32::new(0);
        if let Some(wanted) = WANTED.get_or_init(wanted)
            && wanted.name == name
            && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == wanted.pass
        {
            match wanted.stops {
                true => {
                    kill_process(getpid(), Signal::STOP).expect("a process may stop itself");
                    // The signal may meet another thread first: this one must not go on meanwhile.
                    std::thread::sleep(STOPPING);
                }
                false => std::process::abort(),
            }
        }
    }
}

fn wanted() -> Option<Wanted> {
    let text = std::env::var("PIXFORM_CRASH").ok()?;
    let mut parts = text.split(':');
    let (name, pass) = (parts.next()?.to_owned(), parts.next().unwrap_or("1").parse().ok()?);
    Some(Wanted { name, pass, stops: parts.next() == Some("stop") })
}

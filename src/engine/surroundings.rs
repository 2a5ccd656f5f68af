//! Surroundings: what the process that the engine works in has around it. Variables, files, the working folder, the clock.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::config::{self, Outside};

/// Returns the process's own variables and files.
pub fn outside() -> Outside<'static> {
    Outside { variable: &variable, read_file: &config::read_file }
}

/// Returns a variable of the process.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Returns a path as people know it: relative to the working folder where it lies below it.
pub fn shown(path: &Path) -> PathBuf {
    let here = std::env::current_dir().ok();
    here.and_then(|here| path.strip_prefix(here).ok().map(Path::to_path_buf)).unwrap_or_else(|| path.to_path_buf())
}

/// Returns seconds since 1970.
pub fn now() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    elapsed.map(|elapsed| elapsed.as_secs() as i64).unwrap_or_default()
}

/// Returns the time as RFC 3339 text in UTC, to the second.
pub fn timestamp() -> String {
    jiff::Timestamp::from_second(now()).map(|time| time.to_string()).unwrap_or_default()
}

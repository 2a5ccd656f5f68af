//! Signals: the first asks to stop, the second stops.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use tokio::signal::unix::{SignalKind, signal};

use super::Output;

/// Whether a signal came, and which.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    asked: Arc<AtomicBool>,
    code: Arc<AtomicU8>,
}

impl Stop {
    /// Begins to listen for Ctrl-C and SIGTERM.
    ///
    /// The first one asks for no new work; the second, or the first where `CI` is `true`, ends the process at once.
    /// Nothing is lost by that: what was done is durable, what was not is done by the next run.
    pub fn listen(output: &Output) -> Self {
        let stop = Self::default();
        for (kind, code, name) in [(SignalKind::interrupt(), 130, "Ctrl-C"), (SignalKind::terminate(), 143, "SIGTERM")]
        {
            let Ok(mut signals) = signal(kind) else { continue };
            let (stop, talk) = (stop.clone(), output.talker());
            tokio::spawn(async move {
                while signals.recv().await.is_some() {
                    let first = !stop.asked.swap(true, Ordering::SeqCst);
                    let impatient = std::env::var("CI").is_ok_and(|value| value == "true");
                    if !first || impatient {
                        talk(&format!("{name}: stopped at once; the next `pixform apply` goes on from here"));
                        std::process::exit(i32::from(code));
                    }
                    stop.code.store(code, Ordering::SeqCst);
                    talk(&format!("{name}: finishing what is in flight; once more to stop at once"));
                }
            });
        }
        stop
    }

    /// Returns the flag that says that no new work is to be begun.
    pub fn flag(&self) -> &AtomicBool {
        &self.asked
    }

    /// Returns the exit code of the signal that came.
    pub fn code(&self) -> u8 {
        match self.code.load(Ordering::SeqCst) {
            0 => 130,
            code => code,
        }
    }
}

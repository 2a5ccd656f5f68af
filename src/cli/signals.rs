//! Signals: the first asks to stop, the second stops.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::signal::unix::{SignalKind, signal};

use crate::apply::{Stop, Why};

use super::Output;

/// Which signal came.
#[derive(Debug, Clone, Default)]
pub struct Signals {
    stop: Arc<Stop>,
    code: Arc<AtomicU8>,
}

impl Signals {
    /// Begins to listen for Ctrl-C and SIGTERM.
    ///
    /// The first one asks for no new work; the second, or the first where `CI` is `true`, ends the process at once.
    /// Nothing is lost by that: what was done is durable, what was not is done by the next run.
    pub fn listen(command: &str, output: &Output) -> Self {
        let signals = Self::default();
        for (kind, code, name) in [(SignalKind::interrupt(), 130, "Ctrl-C"), (SignalKind::terminate(), 143, "SIGTERM")]
        {
            let Ok(mut incoming) = signal(kind) else { continue };
            let (signals, talk, command) = (signals.clone(), output.talker(), command.to_owned());
            tokio::spawn(async move {
                while incoming.recv().await.is_some() {
                    let first = signals.code.swap(code, Ordering::SeqCst) == 0;
                    let impatient = std::env::var("CI").is_ok_and(|value| value == "true");
                    if !first || impatient {
                        talk(&format!(
                            "{name}: stopped at once; the next `pixform {command}` goes on from here, and asks about calls that have no answer yet"
                        ));
                        std::process::exit(i32::from(code));
                    }
                    signals.stop.ask(Why::Signal);
                    talk(&format!("{name}: finishing what is in flight; once more to stop at once"));
                }
            });
        }
        signals
    }

    /// Returns what says how far the run may still go.
    pub fn stop(&self) -> &Arc<Stop> {
        &self.stop
    }

    /// Returns the exit code of the signal that came.
    pub fn code(&self) -> u8 {
        match self.code.load(Ordering::SeqCst) {
            0 => 130,
            code => code,
        }
    }
}

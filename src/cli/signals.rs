//! Signals: the first asks to stop, the second stops.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::signal::unix::{SignalKind, signal};

use crate::apply::{Stop, Why};
use crate::engine::RunOptions;

use super::Output;

/// Which signal came.
#[derive(Debug, Clone)]
pub struct Signals {
    stop: Arc<Stop>,
    code: Arc<AtomicU8>,
}

impl Signals {
    /// Begins to listen for Ctrl-C and SIGTERM.
    ///
    /// The first one asks for no new work; the second, or the first where `CI` is `true`, ends the process at once.
    /// Nothing is lost by that: what was done is durable, what was not is done by the next run.
    pub fn listen(options: &RunOptions<'_>, output: &Output) -> Self {
        let command = options.start.command;
        let signals = Self { stop: Arc::clone(&options.stop), code: Arc::default() };
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
                        #[expect(clippy::disallowed_methods, reason = "the user asked twice not to wait for anything")]
                        std::process::exit(i32::from(code));
                    }
                    signals.stop.ask(Why::Signal);
                    talk(&format!("{name}: finishing what is in flight; once more to stop at once"));
                }
            });
        }
        signals
    }

    /// Returns the exit code of the signal that came.
    pub fn code(&self) -> u8 {
        match self.code.load(Ordering::SeqCst) {
            0 => 130,
            code => code,
        }
    }
}

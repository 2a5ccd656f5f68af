//! Questions before anything changes.

use super::{Failure, Output};

/// Whether somebody said yes beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// `--yes`.
    Given,
    /// Nobody did.
    Missing,
}

/// What is asked before anything changes.
#[derive(Debug, Clone, Copy)]
pub struct Confirmation<'q> {
    /// The command.
    pub command: &'q str,
    /// The question.
    pub words: &'q str,
    /// Whether it is answered already.
    pub consent: Consent,
}

/// Asks, unless the user has said yes.
pub fn confirm(question: Confirmation<'_>, output: &Output) -> Result<(), Failure> {
    let Confirmation { command, words, consent } = question;
    if consent == Consent::Given {
        return Ok(());
    }
    if !output.can_ask() {
        let message = format!("{command} asks before it changes anything, and there is no terminal to ask on");
        let help = match command {
            "apply" | "preview" => format!("look at the plan above, and run it on a terminal; {}", answered(command)),
            _ => format!("look at what is told above, and run it on a terminal; {}", answered(command)),
        };
        return Err(Failure::usage(message, help));
    }
    match output.ask(words) {
        true => Ok(()),
        false => Err(Failure::Declined),
    }
}

/// Says where it stands how a command is answered that cannot ask. The option itself goes on without asking.
pub fn answered(command: &str) -> String {
    format!("`pixform {command} --help` says how it is answered beforehand")
}

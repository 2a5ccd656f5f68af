//! The workflow that a command runs in: on GitHub Actions every mistake is annotated where it stands in the repository, and
//! no text of a stranger is a command to the runner.

use std::borrow::Cow;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::asset::Place;
use crate::render::{self, Annotated, Severity};
use crate::secret;

/// The variable that says so. Source: <https://docs.github.com/actions/reference/variables>.
const ACTIONS: &str = "GITHUB_ACTIONS";
/// The variable that names the folder of the repository.
const WORKSPACE: &str = "GITHUB_WORKSPACE";

/// Where a command runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Workflow {
    /// In no workflow that is known.
    None,
    /// On GitHub Actions.
    GitHub {
        /// The folder of the repository.
        workspace: Option<PathBuf>,
    },
}

impl Workflow {
    /// Looks at the variables.
    pub fn here() -> Self {
        match std::env::var(ACTIONS).as_deref() {
            Ok("true") => Self::GitHub { workspace: std::env::var_os(WORKSPACE).map(PathBuf::from) },
            Ok(_) | Err(_) => Self::None,
        }
    }

    /// Returns a text in which the runner finds no command.
    pub fn harmless<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.shaded(text, render::without_commands)
    }

    /// Returns a line of JSON, which means the same, in which the runner finds no command.
    pub fn harmless_json<'t>(&self, line: &'t str) -> Cow<'t, str> {
        self.shaded(line, render::json_without_commands)
    }

    /// Takes out whatever key may stand in a name that came from outside, then what the runner would obey.
    fn shaded<'t>(&self, text: &'t str, without_commands: fn(&str) -> Cow<'_, str>) -> Cow<'t, str> {
        match (self, secret::shade(text)) {
            (Self::None, shaded) => shaded,
            (Self::GitHub { .. }, Cow::Borrowed(text)) => without_commands(text),
            (Self::GitHub { .. }, Cow::Owned(shaded)) => Cow::Owned(without_commands(&shaded).into_owned()),
        }
    }

    /// Annotates a mistake, on stderr: stdout is for data.
    pub fn annotate(&self, severity: Severity, message: &str, help: Option<&str>, place: Option<&Place>) {
        let Self::GitHub { workspace } = self else { return };
        let file = place.map(|place| in_repository(&place.file, workspace.as_deref()));
        let spot =
            place.zip(file.as_deref()).map(|(place, file)| Annotated { file, line: place.line, column: place.column });
        let (message, help) = (secret::shade(message), help.map(secret::shade));
        let _ = writeln!(std::io::stderr(), "{}", render::annotation(severity, &message, help.as_deref(), spot));
    }

    /// Returns a writer to stderr for whole lines of a log.
    pub fn log(&self) -> LogLines {
        LogLines(self.clone())
    }
}

/// Returns the path of a file from the root of the repository, as far as it lies there.
fn in_repository(file: &str, workspace: Option<&Path>) -> String {
    let full = std::path::absolute(file).ok();
    let inside = full.as_deref().zip(workspace).and_then(|(full, workspace)| full.strip_prefix(workspace).ok());
    inside.map_or_else(|| file.to_owned(), |inside| inside.display().to_string())
}

/// Writes lines of a log to stderr, each as a whole.
pub struct LogLines(Workflow);

impl Write for LogLines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        std::io::stderr().write_all(self.0.harmless(&text).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

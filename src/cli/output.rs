//! The printer: data to stdout, talk to stderr, and what went wrong in words that help.

use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::apply::ApplyError;
use crate::asset::{AssetKey, CollectionName, Place};
use crate::config::ConfigError;
use crate::engine::{EngineError, EngineEvent, EngineListener};
use crate::render::{
    self, ColourMode, EventLine, FORMAT_VERSION, ListLength, MistakeFacts, OPEN_ORIGINALS, OPEN_ORIGINALS_HELP,
    PlanStyle, Severity, SnippetLayout, terminal,
};
use crate::secret::chain;
use crate::yaml::{MISTAKES_SHOWN_MAX, ManifestError};

use super::way_out::WayOut;
use super::{Failure, Global, Workflow};

/// Columns that reports are laid out for.
const WIDTH: usize = 110;

/// Where and how to print.
#[derive(Clone)]
pub struct Output {
    json: bool,
    verbose: u8,
    stdout: ColourMode,
    stderr: ColourMode,
    /// The arguments that say where: each with a blank after it.
    place: String,
    /// What was reported so far, for whoever writes a report.
    reported: Arc<Mutex<Vec<MistakeFacts>>>,
    /// Warnings that are told once.
    warned: Arc<Mutex<BTreeSet<String>>>,
    workflow: Workflow,
}

impl Output {
    /// Looks at the arguments and at what stdout and stderr are. Colours need a terminal, and neither `--no-color` nor
    /// `NO_COLOR` (source: <https://no-color.org>, read 2026-11-22).
    pub(super) fn new(global: &Global) -> Self {
        let refused = global.no_color
            || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var("TERM").is_ok_and(|term| term == "dumb");
        let colour = |terminal: bool| match terminal && !refused {
            true => ColourMode::Ansi,
            false => ColourMode::Plain,
        };
        let quoted = |path: &Path| format!("'{}'", path.display());
        let place = [
            global.directory.as_deref().map(|path| format!("-C {} ", quoted(path))),
            global.config.as_deref().map(|path| format!("--config {} ", quoted(path))),
            // A variable is still set when the next command is run.
            global
                .env
                .as_ref()
                .filter(|name| std::env::var("PIXFORM_ENV").as_ref() != Ok(name))
                .map(|name| format!("--env {name} ")),
        ];
        Self {
            place: place.into_iter().flatten().collect(),
            workflow: Workflow::here(),
            json: global.json,
            verbose: global.verbose,
            reported: Arc::default(),
            warned: Arc::default(),
            stdout: colour(std::io::stdout().is_terminal()),
            stderr: colour(std::io::stderr().is_terminal()),
        }
    }

    /// Starts to log to stderr: what `PIXFORM_LOG` says, or more with each `-v`.
    pub fn start_logging(&self) {
        let level = match self.verbose {
            0 => "off",
            1 => "pixform=info",
            2 => "pixform=debug",
            _ => "pixform=trace",
        };
        let wanted = std::env::var("PIXFORM_LOG").unwrap_or_else(|_| level.to_owned());
        if let Ok(filter) = tracing_subscriber::EnvFilter::try_new(wanted) {
            let workflow = self.workflow.clone();
            let lines = tracing_subscriber::fmt::layer().with_writer(move || workflow.log());
            let lines = lines.with_ansi(self.stderr == ColourMode::Ansi);
            // Whatever is asked for, only our own lines are shown: those of an HTTP library hold keys and signed URLs.
            let ours = filter_fn(|line| line.target().starts_with("pixform"));
            // Only one logger is ever started.
            let _ = tracing_subscriber::registry().with(filter).with(lines.with_filter(ours)).try_init();
        }
    }

    /// Tells whether events are wanted instead of words.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Tells whether progress can be shown as a bar.
    pub fn shows_progress_bar(&self) -> bool {
        !self.json && std::io::stderr().is_terminal()
    }

    /// Tells whether there is somebody to ask.
    pub fn can_ask(&self) -> bool {
        !self.json && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }

    /// Returns how plans are drawn on stdout.
    pub fn style(&self) -> PlanStyle {
        let listing = if self.verbose > 0 { ListLength::All } else { ListLength::Short };
        PlanStyle { colour: self.stdout, listing }
    }

    /// Prints data. A closed pipe is no failure.
    pub fn data(&self, text: &str) {
        print_out(&self.workflow.harmless(text));
    }

    /// Prints an event.
    pub fn event(&self, event: &EventLine<'_>) {
        print_out(&format!("{}\n", self.workflow.harmless_json(&event.line())));
    }

    /// Prints the first event, where events are wanted.
    pub fn version(&self) {
        if self.json {
            self.event(&EventLine::Version { format: FORMAT_VERSION, pixform: env!("CARGO_PKG_VERSION") });
        }
    }

    /// Prints a line of talk.
    pub fn talk(&self, line: &str) {
        say(&self.workflow, line);
    }

    /// Returns something that talks from another task.
    pub fn talker(&self) -> impl Fn(&str) + Send + 'static {
        let workflow = self.workflow.clone();
        move |line: &str| say(&workflow, line)
    }

    /// Annotates a mistake, where a workflow has annotations.
    pub fn annotate(&self, severity: Severity, message: &str, help: Option<&str>, place: Option<&Place>) {
        self.workflow.annotate(severity, message, help, place);
    }

    /// Names the one command to run next, in the same environment.
    pub fn next(&self, command: &str) {
        self.talk(&format!("next: {}", self.command(command)));
    }

    /// Returns a command as it is run in the same environment.
    pub fn command(&self, command: &str) -> String {
        let here = command.strip_prefix("pixform ").map(|rest| format!("pixform {}{rest}", self.place));
        here.unwrap_or_else(|| command.to_owned())
    }

    /// Returns what was reported so far.
    pub fn mistakes(&self) -> Vec<MistakeFacts> {
        self.reported.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the mistakes that a failure holds; none where they were reported already.
    pub fn mistakes_of(&self, failure: &Failure) -> Vec<MistakeFacts> {
        match (manifest_error(failure), failure) {
            (Some(error), _) => MistakeFacts::of(error).collect(),
            (None, Failure::Engine(EngineError::Broken { .. })) => Vec::new(),
            (None, _) => vec![MistakeFacts { message: chain(failure), help: WayOut::of(failure).help, spot: None }],
        }
    }

    /// Tells what visitors of the product see now.
    pub fn visitors_see(&self, what: &str) {
        self.talk(&format!("visitors see: {what}"));
    }

    /// Asks a question; `true` for the answer `yes` and no other.
    pub fn ask(&self, question: &str) -> bool {
        let _ = write!(std::io::stderr(), "{}\n  Only `yes` goes on: ", terminal(question));
        let _ = std::io::stderr().flush();
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).is_ok() && answer.trim() == "yes"
    }

    /// Tells of something odd.
    pub fn warn(&self, message: &str, help: &str, place: Option<&Place>) {
        self.annotate(Severity::Warning, message, Some(help), place);
        if self.json {
            self.diagnostic(Severity::Warning, message, Some(help), place);
            return;
        }
        let place = place.map(|place| format!("{place}: ")).unwrap_or_default();
        self.talk(&format!("warning: {place}{message}"));
        self.talk(&format!("  help: {help}"));
    }

    /// Tells of something odd, once in this process.
    pub fn warn_once(&self, message: &str, help: &str) {
        let new = self.warned.lock().unwrap_or_else(PoisonError::into_inner).insert(message.to_owned());
        if new {
            self.warn(message, help, None);
        }
    }

    /// Warns of originals that everybody can fetch, once.
    pub fn originals_open(&self) {
        self.warn_once(OPEN_ORIGINALS, OPEN_ORIGINALS_HELP);
    }

    /// Prints a mistake or a warning as an event.
    pub fn diagnostic(&self, severity: Severity, message: &str, help: Option<&str>, place: Option<&Place>) {
        self.event(&EventLine::Diagnostic {
            severity,
            message,
            help,
            file: place.map(|place| &*place.file),
            line: place.map(|place| place.line),
            column: place.map(|place| place.column),
        });
    }

    /// Tells of an asset that failed, while others go on.
    pub fn failed_asset(&self, collection: &CollectionName, key: &AssetKey, error: &ApplyError) {
        let message = format!("{collection}:{key}: {}", chain(error));
        self.talk(&format!("error: {message}"));
        self.annotate(Severity::Error, &message, None, None);
    }

    /// Tells what went wrong, and what to do.
    pub fn report(&self, failure: &Failure) {
        let mistakes = self.mistakes_of(failure);
        self.reported.lock().unwrap_or_else(PoisonError::into_inner).extend(mistakes);
        if let Some(error) = manifest_error(failure) {
            self.manifest(error);
            return;
        }
        let message = chain(failure);
        let help = WayOut::of(failure).help;
        // What was told one by one is annotated already, each at its place.
        if !matches!(failure, Failure::Engine(EngineError::Broken { .. })) {
            self.annotate(Severity::Error, &message, help.as_deref(), None);
        }
        if self.json {
            self.diagnostic(Severity::Error, &message, help.as_deref(), None);
            return;
        }
        self.talk(&format!("error: {message}"));
        for line in help.iter().flat_map(|help| help.lines()) {
            self.talk(&format!("  help: {line}"));
        }
    }

    /// Ends with a failure: words, the next command, and the exit code.
    pub fn fail(&self, failure: &Failure) -> ExitCode {
        if !matches!(failure, Failure::Refused) {
            self.report(failure);
        }
        let WayOut { code, next, .. } = WayOut::of(failure);
        if let Some(command) = next {
            self.next(command);
        }
        ExitCode::from(code)
    }

    fn manifest(&self, error: &ManifestError) {
        for (line, column, mistake) in error.located().take(MISTAKES_SHOWN_MAX) {
            let place = Place { file: error.file.clone(), line, column };
            self.annotate(Severity::Error, &mistake.message, Some(&mistake.help), Some(&place));
        }
        if self.json {
            for event in render::error_events(error) {
                self.event(&event);
            }
            return;
        }
        let report = render::manifest_report(error, SnippetLayout { width: WIDTH, colour: self.stderr });
        let _ = write!(std::io::stderr(), "{}", self.workflow.harmless(&report));
    }
}

fn print_out(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes()).and_then(|()| std::io::stdout().flush());
}

fn say(workflow: &Workflow, line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", workflow.harmless(&terminal(line)));
}

/// Returns the mistakes of a file that stand in it.
fn manifest_error(failure: &Failure) -> Option<&ManifestError> {
    match failure {
        Failure::Engine(error) => mistakes_in(error),
        Failure::Runtime(_)
        | Failure::Directory { .. }
        | Failure::Usage { .. }
        | Failure::Server(_)
        | Failure::Refused
        | Failure::Declined => None,
    }
}

fn mistakes_in(error: &EngineError) -> Option<&ManifestError> {
    match error {
        EngineError::Manifest(error) | EngineError::Config(ConfigError::Mistakes(error)) => Some(error),
        EngineError::Config(
            ConfigError::NoSuchEnvironment { .. }
            | ConfigError::NoneChosen { .. }
            | ConfigError::NoFile { .. }
            | ConfigError::Folder { .. },
        )
        | EngineError::Read { .. }
        | EngineError::Write { .. }
        | EngineError::Broken { .. }
        | EngineError::NoManifest { .. }
        | EngineError::NoAsset { .. }
        | EngineError::Unfit { .. }
        | EngineError::NotApproved { .. }
        | EngineError::Planner(_)
        | EngineError::Apply(_)
        | EngineError::World(_)
        | EngineError::State(_) => None,
    }
}

impl EngineListener for Output {
    /// Prints what is worth a line; what happens to single pictures is shown by `carry`.
    fn hear(&self, event: EngineEvent<'_>) {
        match event {
            EngineEvent::BuiltIn => self.talk(
                "no pixform.yaml here: using the built-in environment `local` (SQLite and files in .pixform, placeholder \
                 pictures)",
            ),
            EngineEvent::Odd { message, help, place } => self.warn(message, help, place),
            EngineEvent::ManifestBroken(error) => self.report(&error.into()),
            EngineEvent::FilesRead(count) => self.talk(&format!("{count} files read so far")),
            EngineEvent::OriginalsOpen => self.originals_open(),
            EngineEvent::FilesCopied(count) => {
                let files = if count == 1 { "1 file was".to_owned() } else { format!("{count} files were") };
                self.talk(&format!("{files} copied from the previous storage"));
            }
            EngineEvent::TimeUp => self.talk("the time is up: what is under way is left to the next run"),
            EngineEvent::Begun(_) | EngineEvent::Apply(_) | EngineEvent::Ended => {}
        }
    }
}

//! Suggestions: what is proposed may be copied without being read, so it never spends money and never deletes.
//!
//! The options that do are named in `--help`, where somebody looks who means them. Here is the list of them, what the
//! argument parser may propose, and what to run where somebody wants to look without doing.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Options that spend money, delete, go on without asking, or take what may be another's. No text of the program names
/// one: a test reads them all.
pub const NEVER_SUGGESTED: [&str; 13] = [
    "--yes",
    "--retry-unknown",
    "--forget-unknown",
    "--accept-rejected",
    "--retry-rejected",
    "--retry-lost",
    "--retry-failed",
    "--take-storage",
    "--force",
    "--older-than",
    "--unpublished",
    "--candidates",
    "--sample",
];

/// What other programs call an option to look without doing.
const LOOKING: [&str; 16] = [
    "-n",
    "--dry-run",
    "--dryrun",
    "--dry",
    "--what-if",
    "--whatif",
    "--noop",
    "--no-op",
    "--no-act",
    "--pretend",
    "--simulate",
    "--just-print",
    "--check",
    "--diff",
    "--plan",
    "--preview",
];

/// What somebody asked for who wanted to look without doing.
#[derive(Debug, PartialEq, Eq)]
pub struct Look {
    /// What is wrong.
    pub message: String,
    /// What shows it without doing it.
    pub help: String,
}

/// Finds out whether arguments were refused because somebody wants to look without doing.
pub fn look(error: &clap::Error) -> Option<Look> {
    let (ErrorKind::UnknownArgument, Some(ContextValue::String(argument))) =
        (error.kind(), error.get(ContextKind::InvalidArg))
    else {
        return None;
    };
    let argument = LOOKING.into_iter().find(|known| known == argument)?;
    let command = command_of(error).unwrap_or_default();
    let help = match command.as_str() {
        "" | "apply" => "`pixform plan` shows what an apply would do and what it costs; it writes nothing",
        "preview" => "`pixform plan` shows what would be made and what it costs; it writes nothing",
        "gc" => "`pixform gc` by itself shows what would go, and deletes nothing",
        "destroy" => "`pixform destroy NAME` tells what would go, and asks before it deletes anything",
        "import" => "`pixform import --dry-run` shows what would be taken over; it writes nothing",
        "accept" => "`pixform accept` tells what it would do, and asks before it does anything",
        "unlock" => "`pixform unlock` by itself shows who holds a lease, and breaks none",
        "pick" => "`pixform pick` edits one manifest and buys nothing: `git diff` shows what it wrote",
        "init" => "`pixform init` writes two files, none over one that is there, and nothing else",
        _ => "it only looks: nothing is changed by it",
    };
    let named = if command.is_empty() { "pixform".to_owned() } else { format!("pixform {command}") };
    Some(Look { message: format!("`{named}` has no `{argument}`"), help: help.to_owned() })
}

/// Takes what may not be proposed out of what the parser proposes.
pub fn without_spending(mut error: clap::Error) -> clap::Error {
    let is_harmful = |text: &str| NEVER_SUGGESTED.iter().any(|option| text.contains(option));
    let harmful = match error.get(ContextKind::SuggestedArg) {
        Some(ContextValue::String(option)) => is_harmful(option),
        Some(ContextValue::Strings(options)) => options.iter().any(|option| is_harmful(option)),
        Some(_) | None => false,
    };
    if harmful {
        error.remove(ContextKind::SuggestedArg);
    }
    // The usage is written as if what is proposed had been given.
    let usage = error.get(ContextKind::Usage).map(ToString::to_string);
    if usage.is_some_and(|usage| is_harmful(&usage)) {
        error.remove(ContextKind::Usage);
    }
    if let Some(ContextValue::StyledStrs(tips)) = error.remove(ContextKind::Suggested) {
        let harmless: Vec<_> = tips.into_iter().filter(|tip| !is_harmful(&tip.to_string())).collect();
        if !harmless.is_empty() {
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(harmless));
        }
    }
    error
}

/// Returns the command whose arguments were refused, from the usage that the parser prints.
fn command_of(error: &clap::Error) -> Option<String> {
    let Some(ContextValue::StyledStr(usage)) = error.get(ContextKind::Usage) else { return None };
    let usage = usage.to_string();
    let (_, rest) = usage.split_once("pixform ")?;
    let word = rest.split_whitespace().next()?;
    word.starts_with(|first: char| first.is_ascii_lowercase()).then(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::{CommandFactory as _, Parser as _};

    use super::super::Cli;
    use super::*;

    /// Options that neither spend nor delete: they look, select, bound, or say where.
    const HARMLESS: [&str; 45] = [
        "access-log",
        "accept",
        "against",
        "by",
        "collection",
        "config",
        "cors",
        "cost",
        "deep",
        "detailed-exitcode",
        "dry-run",
        "env",
        "except",
        "expect",
        "format",
        "help",
        "host",
        "json",
        "key",
        "limit",
        "listen",
        "manifest",
        "markdown-limit",
        "max-cost",
        "no-color",
        "no-refresh",
        "only",
        "out",
        "out-html",
        "out-markdown",
        "parallelism",
        "patience",
        "print-sql",
        "row",
        "save",
        "seed",
        "since",
        "static",
        "table",
        "timeout",
        "verbose",
        "version",
        "wait",
        "write",
        "as-role",
    ];

    fn refused(args: &[&str]) -> clap::Error {
        Cli::try_parse_from(args).map(|_| ()).unwrap_err()
    }

    #[test]
    fn every_option_is_known_to_spend_or_not_to() {
        let command = Cli::command();
        let options = command.get_subcommands().flat_map(clap::Command::get_arguments).filter_map(clap::Arg::get_long);
        let known = |option: &&str| {
            HARMLESS.contains(option)
                || NEVER_SUGGESTED.iter().any(|harmful| harmful.trim_start_matches('-') == *option)
        };
        let unknown: BTreeSet<&str> = options.filter(|option| !known(option)).collect();
        assert!(unknown.is_empty(), "say of these whether they may spend or delete: {unknown:?}");
    }

    #[test]
    fn an_option_that_spends_is_not_proposed_and_another_is() {
        for typo in ["--retry-unknwon", "--take-storag", "--retry-rejectd", "--yess"] {
            let told = without_spending(refused(&["pixform", "apply", typo])).to_string();
            assert!(told.contains(typo), "{told}");
            assert!(!NEVER_SUGGESTED.iter().any(|option| told.replace(typo, "").contains(option)), "{told}");
        }
        let told = without_spending(refused(&["pixform", "apply", "--wiat", "1m"])).to_string();
        assert!(told.contains("'--wait'"), "{told}");
    }

    #[test]
    fn who_wants_to_look_first_is_told_how() {
        let looked = |args: &[&str]| {
            let Look { message, help } = look(&refused(args)).unwrap();
            format!("{message}: {help}\n")
        };
        let told = [
            looked(&["pixform", "apply", "--dry-run"]),
            looked(&["pixform", "apply", "-n"]),
            looked(&["pixform", "preview", "--what-if"]),
            looked(&["pixform", "--env", "a", "gc", "--dry-run"]),
            looked(&["pixform", "destroy", "x", "--dry-run"]),
            looked(&["pixform", "import", "-n"]),
            looked(&["pixform", "plan", "--dry-run=true"]),
            looked(&["pixform", "--dry-run", "apply"]),
        ];
        insta::assert_snapshot!(told.concat(), @r"
        `pixform apply` has no `--dry-run`: `pixform plan` shows what an apply would do and what it costs; it writes nothing
        `pixform apply` has no `-n`: `pixform plan` shows what an apply would do and what it costs; it writes nothing
        `pixform preview` has no `--what-if`: `pixform plan` shows what would be made and what it costs; it writes nothing
        `pixform gc` has no `--dry-run`: `pixform gc` by itself shows what would go, and deletes nothing
        `pixform destroy` has no `--dry-run`: `pixform destroy NAME` tells what would go, and asks before it deletes anything
        `pixform import` has no `-n`: `pixform import --dry-run` shows what would be taken over; it writes nothing
        `pixform plan` has no `--dry-run`: it only looks: nothing is changed by it
        `pixform` has no `--dry-run`: `pixform plan` shows what an apply would do and what it costs; it writes nothing
        ");
        assert_eq!(look(&refused(&["pixform", "apply", "--nonsense"])), None);
    }
}

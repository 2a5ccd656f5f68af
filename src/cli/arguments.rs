//! Arguments that several commands share.

use std::path::PathBuf;

use clap::Args;

use crate::digest::PlanDigest;
use crate::engine::{Approval, EnvironmentChoice, RunOptions};
use crate::generator::Kinds;
use crate::planner::{Pattern, Selection};

use super::Failure;
use super::confirm::Consent;

/// What every command takes.
#[derive(Debug, Args)]
pub struct Global {
    /// Run as if started in this folder
    #[arg(short = 'C', value_name = "DIR", global = true)]
    pub directory: Option<PathBuf>,
    /// The pixform.yaml to use instead of the one here or above
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// The environment, one of those in pixform.yaml
    #[arg(long, value_name = "NAME", env = "PIXFORM_ENV", global = true)]
    pub env: Option<String>,
    /// One JSON event a line on stdout instead of words
    #[arg(long, global = true)]
    pub json: bool,
    /// No colours, also on a terminal
    #[arg(long, global = true)]
    pub no_color: bool,
    /// Tell more on stderr; twice for everything
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,
    /// The kinds of generators that there are.
    #[arg(skip)]
    pub kinds: Kinds,
}

impl Global {
    /// Returns the environment that is meant.
    pub fn choice(&self) -> EnvironmentChoice {
        EnvironmentChoice { file: self.config.clone(), name: self.env.clone(), kinds: self.kinds }
    }
}

/// Which manifests.
#[derive(Debug, Args, Default)]
pub struct ManifestArgs {
    /// Manifests; else every *.yaml in manifests/, or those here with a top-level `collection:`
    #[arg(value_name = "MANIFEST")]
    pub manifests: Vec<PathBuf>,
}

impl ManifestArgs {
    /// Takes a plan document from among the manifests: what ends in `.json`.
    ///
    /// # Errors
    /// When there is more than one plan.
    pub fn split(&self, expect: Option<PlanDigest>) -> Result<(Approval, Self), Failure> {
        let is_plan =
            |path: &&PathBuf| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        let (plans, manifests): (Vec<&PathBuf>, Vec<&PathBuf>) = self.manifests.iter().partition(is_plan);
        let approval = match (expect, plans.as_slice()) {
            (None, []) => Approval::None,
            (Some(digest), []) => Approval::Digest(digest),
            (None, [plan]) => Approval::Document((*plan).clone()),
            (Some(_), [_, ..]) | (None, [_, _, ..]) => {
                let help = "name one plan: with `--expect sha256:…`, or a file that `pixform plan --out` wrote";
                return Err(Failure::usage("only one plan can be carried out at a time", help));
            }
        };
        Ok((approval, Self { manifests: manifests.into_iter().cloned().collect() }))
    }
}

/// Which assets.
#[derive(Debug, Args, Default)]
pub struct SelectionArgs {
    /// Only these assets: a key glob such as `age/*/anime`, or `label=value`; repeatable
    #[arg(long, value_name = "PATTERN")]
    pub only: Vec<Pattern>,
    /// Not these assets
    #[arg(long, value_name = "PATTERN")]
    pub except: Vec<Pattern>,
}

impl SelectionArgs {
    /// Returns the selection.
    pub fn selection(&self) -> Selection {
        Selection { only: self.only.clone().into(), except: self.except.clone().into() }
    }

    /// Returns the selection as arguments of a command, each with a blank before it; quoted, for `*` means much to shells.
    pub fn arguments(&self) -> String {
        let argument = |flag: &str, pattern: &Pattern| format!(" --{flag} '{pattern}'");
        let only = self.only.iter().map(|pattern| argument("only", pattern));
        only.chain(self.except.iter().map(|pattern| argument("except", pattern))).collect()
    }
}

/// How fast a plan is carried out, and how long.
#[derive(Debug, Args)]
pub struct PaceArgs {
    /// Begin nothing new after so long, and leave what is under way to the next run: 90s, 30m, 2h
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<u64>,
    /// Have at most so many pictures under way, of all services together
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    parallelism: Option<u16>,
}

impl PaceArgs {
    /// Goes at this pace.
    pub fn at<'r>(&self, options: RunOptions<'r>) -> RunOptions<'r> {
        RunOptions { timeout_seconds: self.timeout, parallelism: self.parallelism.map(usize::from), ..options }
    }
}

/// Whether somebody has to be asked.
#[derive(Debug, Args, Default)]
pub struct ConsentArgs {
    /// Go on without asking
    #[arg(long)]
    yes: bool,
}

impl ConsentArgs {
    /// Returns what was said.
    pub fn consent(&self) -> Consent {
        if self.yes { Consent::Given } else { Consent::Missing }
    }
}

/// How long to wait for somebody else.
#[derive(Debug, Args, Default)]
pub struct WaitArgs {
    /// Wait so long for another run that works on the collection: 30s, 5m, 1h
    #[arg(long = "wait", value_name = "TIME", value_parser = duration, default_value = "0s")]
    pub seconds: u64,
}

/// Reads a duration: digits and `s`, `m` or `h`.
pub fn duration(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no time; write 30s, 5m or 1h");
    let unit = text.char_indices().next_back().map(|(at, _)| at).ok_or_else(wrong)?;
    let factor = match &text[unit..] {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return Err(wrong()),
    };
    text[..unit].parse::<u64>().ok().and_then(|count| count.checked_mul(factor)).ok_or_else(wrong)
}

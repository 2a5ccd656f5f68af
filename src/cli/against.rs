//! `pixform plan --against`: manifests compared with older manifests. No state, no credentials, no network.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::engine::{self, IdlePatterns, LoadedManifests};
use crate::files;
use crate::manifest::{Manifest, Rules};
use crate::plan::Plan;
use crate::planner::{self, Comparing, DeclaredManifest};
use crate::render::{self, EventLine};

use super::git::{self, OldFile};
use super::plan_arguments::LookArgs;
use super::plan_output::{self, PlanReports};
use super::{Failure, Global, Output, context};

/// The folder of the manifests.
const FOLDER: &str = "manifests/";

/// What is compared with older manifests, and where it goes.
pub struct AgainstOptions<'a> {
    /// The older manifests: a folder, or a commit.
    pub older: &'a str,
    /// The manifests.
    pub manifests: &'a [PathBuf],
    /// Which assets are meant, and what they may cost.
    pub look: &'a LookArgs,
    /// What is printed and written.
    pub reports: PlanReports<'a>,
    /// Where the plan is written as a document.
    pub out: Option<&'a Path>,
}

/// Older manifests, and what they are called.
struct Older {
    /// As the user named them; a commit with its number.
    name: String,
    declared: Vec<DeclaredManifest>,
}

/// Shows what would change if the older manifests were what is published.
///
/// Returns whether anything would.
pub fn run(options: &AgainstOptions<'_>, global: &Global, output: &Output) -> Result<Differs, Failure> {
    let AgainstOptions { older: against, reports, .. } = *options;
    let begun = Instant::now();
    let named = global.env.as_deref().unwrap_or("local");
    let compared = compare(options, global, output);
    let Compared { loaded, older, plan } = compared.map_err(|failure| reports.failed(failure, named, output))?;
    if let Some(path) = options.out {
        let document = render::plan_document(&plan);
        files::write(path, document).map_err(|source| Failure::write(path, source))?;
    }
    plan_output::annotate(&plan, output);
    let known: BTreeSet<_> = older.declared.iter().map(|older| older.manifest.name.to_string()).collect();
    let facts = reports.written.compared(&plan, &format!("pixform plan --against {against}"), output);
    reports.written.write(Some(&plan), &facts)?;
    if let Some(printed) = plan_output::printed(reports.printed, &plan, Some(&facts)) {
        output.data(&printed);
    } else if output.is_json() {
        output.event(&EventLine::PlanNote { message: render::against_sentence(&older.name) });
        render::plan_events(&plan).for_each(|event| output.event(&event));
    } else {
        let facts = render::AgainstFacts { name: &older.name, known: &known, elapsed: begun.elapsed() };
        output.data(&render::against_text(&plan, facts, output.style()));
    }
    if loaded.broken > 0 {
        return Err(Failure::broken(loaded.broken));
    }
    Ok(if plan.is_empty() { Differs::No } else { Differs::Yes })
}

/// Whether manifests differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Differs {
    /// They do.
    Yes,
    /// They do not.
    No,
}

/// A plan of manifests, and what they were compared with.
struct Compared {
    loaded: LoadedManifests,
    older: Older,
    plan: Plan,
}

fn compare(options: &AgainstOptions<'_>, global: &Global, output: &Output) -> Result<Compared, Failure> {
    let environment = context::environment_closed(global, output)?;
    let loaded = engine::load_manifests_closed(options.manifests, &environment, output)?;
    if loaded.declared.is_empty() && loaded.broken > 0 {
        return Err(Failure::broken(loaded.broken));
    }
    let rules = environment.rules_closed();
    let older = older(options.older, &environment.settings.project, &rules, output)?;
    let selection = options.look.selection.selection();
    check(&loaded, &older, &selection)?;
    let comparing = Comparing {
        environment: environment.name(),
        declared: &loaded.declared,
        older: &older.declared,
        selection: &selection,
        limits: engine::limits(&environment, &options.look.caps()?),
        created_at: engine::timestamp(),
        all_manifests: loaded.all,
        prices: &environment.prices(),
    };
    let plan = planner::against(&comparing)?;
    Ok(Compared { loaded, older, plan })
}

/// Refuses a selection of which some pattern matches nothing, old or new.
fn check(loaded: &LoadedManifests, older: &Older, selection: &planner::Selection) -> Result<(), Failure> {
    let mut idle = IdlePatterns::of(selection);
    idle.meet_declared(&loaded.declared);
    idle.meet_declared(&older.declared);
    let idle = idle.first();
    match idle {
        Some(pattern) if loaded.broken == 0 => Err(engine::matches_nothing(pattern, loaded).into()),
        Some(_) | None => Ok(()),
    }
}

/// Reads the older manifests: of a folder, or as they were at a commit.
fn older(against: &str, project: &Path, rules: &Rules, output: &Output) -> Result<Older, Failure> {
    let folder = Path::new(against);
    let is_path = against.starts_with(['.', '/']);
    let found = if is_path { Ok(None) } else { git::find(against, project) };
    let commit = match found {
        // Where there is a folder of that name, git need not be there.
        Err(_) if folder.is_dir() => None,
        found => found?,
    };
    let (name, files) = match (commit, folder.is_dir()) {
        (Some(_), true) => {
            let message = format!("`{against}` is a folder here, and a commit to git");
            return Err(Failure::usage(
                message,
                format!("write `./{against}` for the folder, `{against}^0` for the commit"),
            ));
        }
        (Some(commit), false) => (format!("{against} ({})", commit.short()), at_commit(&commit, against)?),
        (None, true) => (against.to_owned(), in_folder(folder)?),
        (None, false) if is_path => {
            let message = format!("there is no folder `{against}`");
            return Err(Failure::usage(message, "name a folder with the older manifests, or a commit"));
        }
        (None, false) => return Err(git::unknown(against, project)?),
    };
    let mut declared: Vec<DeclaredManifest> = Vec::new();
    for OldFile { path, bytes } in files {
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        let loaded = text.and_then(|text| Manifest::load(&path, &text, rules.clone()).ok());
        match loaded {
            Some((manifest, heads)) if !declared.iter().any(|known| known.manifest.name == manifest.name) => {
                declared.push(DeclaredManifest { manifest, heads });
            }
            Some(_) | None => output.warn(
                &format!("the older manifest `{path}` cannot be used"),
                "it is left out: what it declares counts as new, unless another one declares it",
                None,
            ),
        }
    }
    Ok(Older { name, declared })
}

fn is_yaml(name: &str) -> bool {
    engine::is_manifest_name(name) && !name.contains('/')
}

/// Returns the manifests as they are found today: all of `manifests/`, or those with a top-level `collection:`.
fn at_commit(commit: &git::GitCommit, name: &str) -> Result<Vec<OldFile>, Failure> {
    let mut files = commit.files(FOLDER, is_yaml)?;
    if files.is_empty() {
        files = commit.files("", is_yaml)?;
        files.retain(|file| {
            let text = file.bytes.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
            text.lines().any(|line| line.starts_with("collection:"))
        });
    }
    for file in &mut files {
        file.path = format!("{name}:{}", file.path);
    }
    Ok(files)
}

fn in_folder(folder: &Path) -> Result<Vec<OldFile>, Failure> {
    let paths: Vec<PathBuf> = engine::found_in(folder)?;
    let file = |path: PathBuf| {
        let bytes = engine::read_manifest(&path)?.into_bytes();
        Ok(OldFile { path: path.display().to_string(), bytes: Some(bytes) })
    };
    paths.into_iter().map(file).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yaml_files_of_the_folder_itself_are_manifests() {
        for (name, is) in [
            ("a.yaml", true),
            ("a.yml", true),
            ("pixform.yaml", false),
            ("a/b.yaml", false),
            ("a", false),
            (".#a.yaml", false),
            ("._a.yml", false),
            (".yaml", false),
            ("a.yaml~", false),
            ("#a.yaml#", false),
        ] {
            assert_eq!(is_yaml(name), is, "{name}");
        }
    }
}

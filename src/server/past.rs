//! The past of one key: every picture that was made for it, each as what it was.
//!
//! A picture to choose from, one that was looked at before a merge, and one that was live are three different things. What
//! differs is told against the picture that was published before, for that is what people saw.

use std::collections::{BTreeMap, HashMap};

use minijinja::{Value, context};
use similar::{ChangeTag, TextDiff};

use crate::asset::{FieldName, Recipe};
use crate::digest::{ContentDigest, RecipeDigest};
use crate::record::{Call, CallStatus, Original, Published};
use crate::state::{HistoryLine, Run, RunOrigin};

use super::browse::small;

/// From how many words on a text is compared word by word.
const PROSE_WORDS: usize = 3;

/// Whether there are calls that are older than those that were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OlderCalls {
    /// These are all.
    None,
    /// There may be more.
    Some,
}

/// What is known of the pictures of a key.
pub struct Past<'k> {
    /// The original that is live, and the recipe that it is recorded for.
    pub current: (ContentDigest, RecipeDigest),
    /// The calls that brought a picture, newest first.
    pub calls: &'k [HistoryLine],
    /// Whether there are older ones.
    pub older: OlderCalls,
    /// The recipes that are known.
    pub recipes: &'k HashMap<RecipeDigest, Recipe>,
    /// The files that were announced, by original.
    pub files: &'k [(ContentDigest, Published)],
    /// The originals that are known.
    pub originals: &'k [Original],
    /// Those that were published at some time.
    pub published: &'k [ContentDigest],
    /// Which files are in the storage, by path.
    pub there: &'k BTreeMap<String, bool>,
    /// What URLs of files begin with.
    pub base: &'k str,
}

/// What a picture was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Was {
    /// It was live, or is.
    Published,
    /// One of several to choose from; nobody published it.
    Candidate,
    /// It was looked at before a merge; nobody published it.
    Previewed,
    /// It was made, and did not become live; its status says why.
    Made,
    /// Its files are deleted, and what it was is no longer known.
    Forgotten,
}

impl Was {
    fn name(self) -> Option<&'static str> {
        match self {
            Self::Published => Some("published"),
            Self::Candidate => Some("candidate, not published"),
            Self::Previewed => Some("previewed, not published"),
            Self::Made => Some("not published"),
            Self::Forgotten => None,
        }
    }
}

/// One picture that was made for the key.
struct PastEntry<'k> {
    sha256: ContentDigest,
    recipe: RecipeDigest,
    call: Option<&'k HistoryLine>,
    was: Was,
}

/// Lists the pictures of the key, newest first, each with what changed since the one that was published before.
pub fn history(past: &Past<'_>) -> Vec<Value> {
    let (current, recipe) = past.current;
    let mut entries: Vec<PastEntry<'_>> = Vec::new();
    for line in past.calls {
        let Some(sha256) = line.call.sha256 else { continue };
        entries.push(PastEntry { sha256, recipe: line.call.recipe, call: Some(line), was: was(past, line, sha256) });
    }
    if !entries.iter().any(|entry| entry.sha256 == current) {
        entries.insert(0, PastEntry { sha256: current, recipe, call: None, was: Was::Published });
    }
    let entry = |(at, entry): (usize, &PastEntry<'_>)| {
        let before = entries[at + 1..].iter().find(|older| matches!(older.was, Was::Published | Was::Forgotten));
        let changed = before.map(|before| changed(past, entry.recipe, before.recipe)).unwrap_or_default();
        let files: Vec<Published> =
            past.files.iter().filter(|(of, _)| *of == entry.sha256).map(|(_, file)| file.clone()).collect();
        let image = small(&files).filter(|file| past.there.get(file.path.as_str()) == Some(&true));
        let mut originals = past.originals.iter().filter(|original| original.sha256 == entry.sha256);
        let kept = originals.any(|original| past.there.get(original.path.as_str()) == Some(&true));
        context! {
            current => entry.sha256 == current, was => entry.was.name(), changed, kept,
            first => before.is_none() && entry.was == Was::Published && past.older == OlderCalls::None,
            image => image.map(|file| file.path.url(past.base)),
            width => image.map_or(0, |file| file.width), height => image.map_or(0, |file| file.height),
            recipe => entry.recipe.short(), sha256 => entry.sha256.short(),
            call => entry.call.map(|line| call(line, &line.call)),
        }
    };
    entries.iter().enumerate().map(entry).collect()
}

fn was(past: &Past<'_>, line: &HistoryLine, sha256: ContentDigest) -> Was {
    let command = line.run.as_ref().map(|run| run.command.as_str());
    match command {
        _ if sha256 == past.current.0 || past.published.contains(&sha256) => Was::Published,
        // It may have been published before it was deleted.
        _ if !past.originals.iter().any(|original| original.sha256 == sha256) => Was::Forgotten,
        _ if line.call.status != CallStatus::Finished => Was::Made,
        Some(Run::CANDIDATES) => Was::Candidate,
        Some(Run::PREVIEW) => Was::Previewed,
        Some(_) | None => Was::Made,
    }
}

fn call(line: &HistoryLine, call: &Call) -> Value {
    let origin = line.run.as_ref().map(|run| run.origin.clone()).unwrap_or_default();
    let RunOrigin { actor, commit, run_url, branch: _, pull_request: _ } = origin;
    // Only what a browser may follow; a run's address comes from a variable that anybody can set.
    let run_url = run_url.filter(|url| url.starts_with("https://") || url.starts_with("http://"));
    context! {
        time => time(call.created_at), price => format!("${}", call.cost.unwrap_or(call.estimate.amount())), status => call.status.name(),
        free => call.estimate.is_free(),
        generator => call.generator.as_str(), model => call.model.as_deref(), actor => actor.as_deref(),
        commit => commit.map(|commit| commit.chars().take(10).collect::<String>()), run_url => run_url.as_deref(),
    }
}

/// Returns a time as people read it.
pub fn time(milliseconds: i64) -> String {
    let time = jiff::Timestamp::from_second(milliseconds.div_euclid(1_000));
    time.map(|time| time.strftime("%Y-%m-%d %H:%M UTC").to_string()).unwrap_or_default()
}

/// Tells what differs between the recipes of a picture and the one that was published before it.
fn changed(past: &Past<'_>, new: RecipeDigest, old: RecipeDigest) -> Vec<Value> {
    if new == old {
        return vec![context! { name => "nothing: the same recipe was asked for again", parts => Vec::<Value>::new() }];
    }
    let (Some(newer), Some(older)) = (past.recipes.get(&new), past.recipes.get(&old)) else {
        return vec![context! { name => "the recipe; its words were not kept", parts => Vec::<Value>::new() }];
    };
    let differs = |name: &FieldName| {
        let name = name.as_str();
        let (old, new) = (older.field(name), newer.field(name));
        (old != new).then(|| {
            let parts = words(old.as_deref().unwrap_or_default(), new.as_deref().unwrap_or_default());
            context! { name => name.replace('_', " "), parts }
        })
    };
    Recipe::names_of(&[older, newer]).iter().filter_map(differs).collect()
}

/// Compares two texts word by word, short ones as a whole.
fn words(old: &str, new: &str) -> Vec<Value> {
    let part = |kind: &str, text: &str| context! { kind, text };
    if old.split_whitespace().count().min(new.split_whitespace().count()) < PROSE_WORDS {
        let parts = [("gone", old), ("new", new)];
        return parts.into_iter().filter(|(_, text)| !text.is_empty()).map(|(kind, text)| part(kind, text)).collect();
    }
    let difference = TextDiff::from_words(old, new);
    let mut parts: Vec<(&str, String)> = Vec::new();
    for change in difference.iter_all_changes() {
        let kind = match change.tag() {
            ChangeTag::Equal => "same",
            ChangeTag::Delete => "gone",
            ChangeTag::Insert => "new",
        };
        match parts.last_mut() {
            Some((last, text)) if *last == kind => text.push_str(change.value()),
            _ => parts.push((kind, change.value().to_owned())),
        }
    }
    parts.iter().map(|(kind, text)| part(kind, text)).collect()
}

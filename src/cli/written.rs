//! `pixform import --write`: a manifest for a table that is there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::asset::{CollectionName, Format, GeneratorName, TableName, is_identifier};
use crate::engine::{EngineError, Environment};
use crate::imaging;
use crate::manifest::{GeneratorRules, Manifest, Rules, Sketch, needed_fields, write};
use crate::state::{Access, ScanVisitor, Survey, TableSeen};
use crate::world::World;
use crate::yaml::nearest;

use super::saved::{Created, create};
use super::surveyed::{PicturedRows, Skipped, pictured, sketch_rows};
use super::{Failure, Global, Output, context};

/// Keys that are named of those that were left out for one reason.
const NAMED_MAX: usize = 5;
/// Pictures that are looked at for their format.
const LOOKED_AT_MAX: usize = 8;
/// The generator that a manifest names where the environment does not say.
const GENERATOR: &str = "novita";

/// What is to be written.
pub struct WantedDraft<'w> {
    pub file: &'w Path,
    pub table: &'w str,
    pub key: &'w [String],
    pub collection: Option<&'w str>,
}

/// Takes nothing of a scan: only whether the table fits is asked.
struct Nothing;

impl ScanVisitor for Nothing {
    fn record(&mut self, _: crate::record::RecordHead<'_>) {}

    fn row(&mut self, _: &str, _: crate::digest::SeenDigest) {}
}

/// Writes the manifest.
pub async fn run(wanted: &WantedDraft<'_>, global: &Global, output: &Output) -> Result<u8, Failure> {
    let environment = context::environment(global, output)?;
    let table: TableName = wanted
        .table
        .parse()
        .map_err(|error: crate::asset::NameError| Failure::usage(error.to_string(), "name one table"))?;
    let collection = collection(wanted.collection, &table)?;
    if wanted.file.exists() {
        return Err(exists(wanted.file));
    }
    let world = environment.open(Access::Read).await?;
    let survey = survey(&world, &table, &environment).await?;
    check_key(wanted.key, &survey, &table)?;
    let pictured = pictured(&world, &survey, wanted.key).await?;
    let Some(pictured) = pictured else {
        let message = format!("no column of `{table}` names files of this storage");
        let help = format!("URLs begin with `{}` here; check `storage: {{ public_url }}`", world.url_base);
        return Err(Failure::usage(message, help));
    };
    let (rows, columns, skipped) = sketch_rows(&survey, wanted.key, &pictured);
    if rows.is_empty() {
        tell_skipped(&skipped, output);
        return Err(Failure::usage(format!("no row of `{table}` can be declared"), "see above why"));
    }
    let (format, size) = look(&world, &pictured).await;
    let mut sketch = Sketch {
        folder: folder(&pictured, &collection),
        collection,
        table,
        key: wanted.key.to_vec(),
        generator: GENERATOR.parse().map_err(|_| Failure::usage("no generator", "name one"))?,
        needed: Vec::new(),
        pointers: pictured.pointers.clone(),
        columns,
        rows,
        format,
        size,
    };
    let rules = environment.rules()?;
    let file = wanted.file.display().to_string();
    let (text, loaded) = written(&mut sketch, &rules, &environment, &file);
    save(wanted.file, &text)?;
    let count = match sketch.rows.len() {
        1 => "1 image".to_owned(),
        count => format!("{count} images"),
    };
    let said = format!("wrote {file}: {count} of the table `{}`", sketch.table);
    match output.is_json() {
        true => output.talk(&said),
        false => output.data(&format!("{said}\n")),
    }
    tell_skipped(&skipped, output);
    let (manifest, _) = match loaded {
        Ok(loaded) => loaded,
        Err(error) => {
            output.talk("the manifest was written, and has to be corrected before it can be used:");
            return Err(EngineError::from(error).into());
        }
    };
    if let Some(spec) = manifest.table()
        && let TableSeen::Unfit(problems) = world.state.scan(&manifest.name, Some(spec), &mut Nothing).await?
    {
        for problem in problems {
            output.warn(&format!("the table `{}`: {}", spec.name, problem.message), &problem.mend, None);
        }
    }
    output.next(&format!("pixform import --dry-run {file}"));
    Ok(0)
}

fn exists(file: &Path) -> Failure {
    Failure::usage(format!("`{}` is there already and stays as it is", file.display()), "name a file that is not there")
}

fn save(file: &Path, text: &str) -> Result<(), Failure> {
    match create(file, text)? {
        Created::Written => Ok(()),
        Created::There => Err(exists(file)),
    }
}

fn collection(named: Option<&str>, table: &TableName) -> Result<CollectionName, Failure> {
    let name = match named {
        Some(name) => name.to_owned(),
        None => {
            let letter = |letter: char| match letter {
                'a'..='z' | '0'..='9' | '_' => letter,
                'A'..='Z' => letter.to_ascii_lowercase(),
                _ => '-',
            };
            table.name.chars().map(letter).collect()
        }
    };
    name.parse().map_err(|error: crate::asset::NameError| {
        Failure::usage(error.to_string(), "name the collection with `--collection NAME`")
    })
}

async fn survey(world: &World, table: &TableName, environment: &Environment) -> Result<Survey, Failure> {
    let most = environment.settings.images_max as u64;
    let Some(survey) = world.state.survey(table, most).await? else {
        let help = "it is looked for in the database that `state:` names";
        return Err(Failure::usage(format!("there is no table `{table}`"), help));
    };
    if survey.count > most {
        let message = format!("the table `{table}` has {} rows, and one collection may have {most}", survey.count);
        return Err(Failure::usage(message, "raise `limits: { images: … }` of the environment in pixform.yaml"));
    }
    if survey.count == 0 {
        return Err(Failure::usage(format!("the table `{table}` has no rows"), "there is nothing to adopt"));
    }
    Ok(survey)
}

fn check_key(key: &[String], survey: &Survey, table: &TableName) -> Result<(), Failure> {
    for (at, name) in key.iter().enumerate() {
        if !survey.columns.iter().any(|column| column.name == *name) {
            let names = survey.columns.iter().map(|column| column.name.as_str());
            let help = match nearest(name, names.clone()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("it has `{}`", names.collect::<Vec<_>>().join("`, `")),
            };
            return Err(Failure::usage(format!("the table `{table}` has no column `{name}`"), help));
        }
        if key[..at].contains(name) {
            return Err(Failure::usage(format!("`{name}` is named twice"), "name each key column once"));
        }
        if !is_identifier(name) {
            let help = "a manifest cannot name it: rename the column";
            return Err(Failure::usage(format!("the column `{name}` cannot be part of a key"), help));
        }
    }
    Ok(())
}

/// Returns the format of most pictures that were looked at, and the size of the first.
async fn look(world: &World, pictured: &PicturedRows) -> (Format, (u32, u32)) {
    let mut formats: BTreeMap<&'static str, (usize, Format)> = BTreeMap::new();
    let mut size = None;
    let paths: BTreeSet<_> = pictured.files.iter().flatten().collect();
    for path in paths.into_iter().take(LOOKED_AT_MAX) {
        let Ok(bytes) = world.storage.get(path, imaging::BYTES_MAX).await else { continue };
        let Ok(facts) = imaging::Header::read(&bytes).map(|header| header.facts()) else { continue };
        let Ok(format) = facts.published() else { continue };
        size.get_or_insert((facts.width, facts.height));
        formats.entry(format.name()).or_insert((0, format)).0 += 1;
    }
    let most = formats.into_values().max_by_key(|(count, _)| *count);
    (most.map_or(Format::Jpeg, |(_, format)| format), size.unwrap_or((512, 768)))
}

/// Returns the folder that most files lie in.
fn folder(pictured: &PicturedRows, collection: &CollectionName) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for path in pictured.files.iter().flatten() {
        if let Some((folder, _)) = path.as_str().split_once('/') {
            *counts.entry(folder).or_insert(0) += 1;
        }
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    most.map_or_else(|| collection.to_string(), |(folder, _)| folder.to_owned())
}

type LoadedDraft = Result<(Manifest, crate::asset::Heads), crate::yaml::ManifestError>;

/// Writes the manifest for the first generator whose rules the rows keep, and loads it.
fn written(sketch: &mut Sketch, rules: &Rules, environment: &Environment, file: &str) -> (String, LoadedDraft) {
    let mut named: Vec<(GeneratorName, GeneratorRules)> =
        rules.generators.iter().map(|(name, rules)| (name.clone(), *rules)).collect();
    // Where any name will do, one without rules of its own takes what the others refuse.
    if let (Some(any), Ok(name)) = (rules.any_generator, "placeholder".parse::<GeneratorName>()) {
        named.retain(|(known, _)| environment.settings.generators.contains_key(known) || known.as_str() == GENERATOR);
        named.push((name, any));
    }
    named.sort_by_key(|(name, _)| name.as_str() != GENERATOR);
    let mut first = None;
    for (name, generator) in named {
        sketch.generator = name;
        sketch.needed = needed_fields(generator.checks);
        let text = write(sketch);
        let loaded = Manifest::load(file, &text, rules.clone());
        if loaded.is_ok() {
            return (text, loaded);
        }
        first.get_or_insert((text, loaded));
    }
    first.unwrap_or_else(|| {
        let text = write(sketch);
        let loaded = Manifest::load(file, &text, rules.clone());
        (text, loaded)
    })
}

/// Tells which rows were left out, and why.
fn tell_skipped(skipped: &[Skipped], output: &Output) {
    let mut by_reason: BTreeMap<&'static str, Vec<&str>> = BTreeMap::new();
    for Skipped { key, why } in skipped {
        by_reason.entry(why).or_default().push(key);
    }
    for (why, keys) in by_reason {
        let rows =
            if keys.len() == 1 { "1 row is left out".to_owned() } else { format!("{} rows are left out", keys.len()) };
        let named: Vec<String> = keys.iter().take(NAMED_MAX).map(|key| format!("`{key}`")).collect();
        let more = match keys.len().saturating_sub(NAMED_MAX) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        output.talk(&format!("{rows}, {why}: {}{more}", named.join(", ")));
    }
}

//! `pixform preview --candidates N`: several takes of an asset, to choose one of them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::asset::{AssetKey, CollectionName};
use crate::digest::RecipeDigest;
use crate::engine::{self, PlanOptions, PreparedPlan, RunOptions};
use crate::imaging::{self, ImagingError, SheetRow, contact_sheet, sheet_copy};
use crate::plan::{Action, Change, Plan};
use crate::planner::{Pattern, Selection};
use crate::record::Original;
use crate::state::Access;
use crate::world::World;

use super::applied::{self, AboutRun};
use super::carry::carry_out;
use super::confirm::{Confirmation, Consent, confirm};
use super::plan_arguments::LookArgs;
use super::plan_output::WantedPlan;
use super::previewed::write;
use super::{Failure, Global, Output};

/// Where candidates are saved unless somebody says where, below the folder of pixform.yaml.
const FOLDER: &str = ".pixform/candidates";
/// Assets on one contact sheet.
const ROWS_MAX: usize = 12;
/// Pictures that are read at once.
const READ_AT_ONCE: usize = 8;

/// Which candidates are wanted.
pub struct WantedCandidates<'w> {
    /// The plan that they are chosen from.
    pub plan: WantedPlan<'w>,
    /// How many takes of each asset.
    pub takes: u32,
    /// Where they are saved, if that was said.
    pub save: Option<&'w Path>,
    /// Whether somebody said yes beforehand.
    pub consent: Consent,
}

/// Makes takes 1 to `takes` of each selected asset, and lays them out on contact sheets.
pub async fn run(
    wanted: WantedCandidates<'_>,
    options: &RunOptions<'_>,
    global: &Global,
    output: &Output,
) -> Result<u8, Failure> {
    let WantedCandidates { plan: wanted, takes, save, consent } = wanted;
    let PreparedPlan { environment, loaded, plan: whole, .. } = wanted.prepare(global, output).await?;
    let selection = chosen(wanted.look, &whole);
    if selection.only.is_empty() {
        let help = "name some with `--only`, as in `--only 'age/70+/*'`";
        return Err(Failure::usage("no asset is selected, and no picture changes", help));
    }
    let world = environment.open(Access::Read).await?;
    let chosen = PlanOptions { selection, ..wanted.options()? };
    let plan = engine::plan_takes(&world, &environment, &loaded, &chosen, takes).await?;
    show(&plan, takes, output);
    if let Some(refusal) = plan.refusals.first() {
        output.warn(&refusal.message, &refusal.way_out, None);
        output.visitors_see("what they saw before: a preview switches nothing");
        return Err(Failure::Refused);
    }
    let prepared = PreparedPlan { environment, loaded, plan, takes };
    let generators = prepared.generators()?;
    let words = "Make these pictures? No row changes.";
    confirm(Confirmation { command: "preview", words, consent }, output)?;
    let world = prepared.open(generators).await?;
    let carried_out = carry_out(&world, &prepared, options, output).await?;
    let about = AboutRun { world: &world, environment: &prepared.environment, options };
    let told = applied::tell(about, carried_out, output)?;
    let folder = save.map_or_else(|| prepared.environment.settings.root.join(FOLDER), Path::to_path_buf);
    let sheets = sheets(&world, &prepared, &folder).await?;
    for sheet in &sheets {
        output.data(&format!("Contact sheet: {}\n", engine::shown(sheet).display()));
    }
    if told == 0 {
        output.next("pixform pick KEY N");
    }
    Ok(told)
}

/// Returns the assets that are meant: those that were selected, or those whose picture changes.
fn chosen(look: &LookArgs, plan: &Plan) -> Selection {
    let selection = look.selection.selection();
    if !selection.only.is_empty() {
        return selection;
    }
    let changes = |action| matches!(action, Action::Generate | Action::Reuse | Action::Unknown);
    let changed = plan.changes().filter(|(_, change)| changes(change.action));
    let pattern = |name: &CollectionName, key: &AssetKey| format!("{name}:{key}").parse::<Pattern>().ok();
    let only: Vec<Pattern> =
        changed.filter_map(|(collection, change)| pattern(&collection.name, &change.key)).collect();
    Selection { only: only.into(), except: selection.except }
}

fn show(plan: &Plan, takes: u32, output: &Output) {
    let all = plan.changes().count();
    let assets = all / takes as usize;
    let count = |count: usize, noun: &str| if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") };
    let there = all as u64 - plan.count(Action::Generate);
    output.talk(&format!(
        "{} of {}: {} to generate, {there} there already. Estimated cost: ${}.",
        count(all, "candidate"),
        count(assets, "asset"),
        plan.count(Action::Generate),
        plan.cost()
    ));
}

/// One asset's candidates, by take.
type Candidates = (String, Vec<Option<Original>>);

/// Saves every candidate and a contact sheet for some of the assets each; returns the sheets.
async fn sheets(world: &World, prepared: &PreparedPlan, folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let all = originals(world, prepared).await?;
    let mut sheets = Vec::new();
    for (number, some) in all.chunks(ROWS_MAX).enumerate() {
        let rows: Vec<SheetRow> =
            stream::iter(some).map(|asset| row(world, asset, folder)).buffered(READ_AT_ONCE).try_collect().await?;
        let laid_out = tokio::task::spawn_blocking(move || contact_sheet(&rows)).await;
        let sheet = laid_out.map_err(|_| crate::apply::ApplyError::Worker)?;
        let key = some[0].0.rsplit(':').next().and_then(|key| key.parse().ok());
        let sheet = sheet.map_err(|source| match key {
            Some(key) => Failure::from(crate::apply::ApplyError::Picture { key, source }),
            None => Failure::usage(source.to_string(), "select fewer assets with `--only`"),
        })?;
        let name =
            if number == 0 { "contact-sheet.jpg".to_owned() } else { format!("contact-sheet-{}.jpg", number + 1) };
        let path = folder.join(name);
        write(&path, &sheet).map_err(|source| Failure::write(&path, source))?;
        sheets.push(path);
    }
    Ok(sheets)
}

/// Finds the pictures of all candidates at once.
async fn originals(world: &World, PreparedPlan { plan, takes, .. }: &PreparedPlan) -> Result<Vec<Candidates>, Failure> {
    let recipe = |change: &Change| change.after.map(|after| after.recipe);
    let recipes: Vec<RecipeDigest> = plan.changes().filter_map(|(_, change)| recipe(change)).collect();
    let found = world.state.originals(&recipes).await?;
    let found: HashMap<_, _> = found.into_iter().map(|original| (original.recipe, original)).collect();
    let mut all = Vec::new();
    // A collection has a part for each take, one after the other, with the same assets in the same order.
    for parts in plan.collections.chunks(*takes as usize) {
        let first = parts.iter().take(1).flat_map(|part| part.changes.iter().map(move |change| (part, change)));
        all.extend(first.enumerate().map(|(number, (part, change))| {
            let takes = parts.iter().map(|part| found.get(&recipe(part.changes.get(number)?)?).cloned());
            (format!("{}:{}", part.name, change.key), takes.collect())
        }));
    }
    Ok(all)
}

/// Reads and saves one asset's candidates; returns their line of a contact sheet.
async fn row(world: &World, (title, takes): &Candidates, folder: &Path) -> Result<SheetRow, Failure> {
    let key = title.rsplit(':').next().and_then(|key| key.parse::<AssetKey>().ok());
    let failure = |source: ImagingError| match &key {
        Some(key) => Failure::from(crate::apply::ApplyError::Picture { key: key.clone(), source }),
        None => Failure::usage(source.to_string(), "select fewer assets with `--only`"),
    };
    let mut pictures = Vec::with_capacity(takes.len());
    for (number, original) in takes.iter().enumerate() {
        let take = number + 1;
        let Some(original) = original else {
            pictures.push((format!("take {take}: none"), None));
            continue;
        };
        let bytes =
            world.storage.get(&original.path, imaging::BYTES_MAX).await.map_err(crate::world::WorldError::from)?;
        let extension = original.path.as_str().rsplit('.').next().unwrap_or("png");
        let path = folder.join(format!("{}-take-{take}.{extension}", title.replacen(':', "/", 1)));
        write(&path, &bytes).map_err(|source| Failure::write(&path, source))?;
        let seed = original.seed.map(|seed| format!(" · seed {seed}")).unwrap_or_default();
        let decoded = world.memory.decode(&bytes).await.map_err(&failure)?;
        let copy = tokio::task::spawn_blocking(move || sheet_copy(&decoded)).await;
        let copy = copy.map_err(|_| crate::apply::ApplyError::Worker)?.map_err(&failure)?;
        pictures.push((format!("take {take}{seed}"), Some(copy)));
    }
    Ok(SheetRow { title: title.clone(), pictures })
}

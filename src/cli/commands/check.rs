//! `pixform check`

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::asset::{AssetKey, Assets, CollectionName, MicroUsd, ObjectPath};
use crate::digest::{ContentDigest, SeenDigest};
use crate::engine::{self, Environment, ReadCount, VisitorCheck};
use crate::plan::{Edited, RowState, settle_seed};
use crate::planner::{self, DeclaredManifest, row_state};
use crate::record::{Original, Published, Record, RecordHead};
use crate::render::{Severity, terminal};
use crate::secret::chain;
use crate::state::{Access, Damage, RowSeen, ScanVisitor, TableSeen};
use crate::storage::{FileFault, MARKER_PATH};
use crate::world::{Listing, World};

use crate::cli::{Failure, Global, ManifestArgs, Output, SelectionArgs, context};

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    manifests: ManifestArgs,
    #[command(flatten)]
    selection: SelectionArgs,
    /// Read every published file and every original, and compare the bytes
    #[arg(long)]
    deep: bool,
}

/// Assets that are read at a time.
const CHUNK: usize = 1_000;
/// Leftover files that are named.
const EXAMPLES_MAX: usize = 5;

/// One thing that is wrong.
struct Finding {
    key: String,
    what: String,
}

/// What was found of one collection's files.
struct Looked<'c> {
    name: &'c CollectionName,
    /// What is to be remembered.
    found: Vec<Damage>,
    /// What is well, though it was remembered.
    well: Vec<Damage>,
}

/// What the files of one collection are compared with.
struct Files<'f> {
    listing: &'f Listing,
    /// Files whose bytes were read and are not as they should be.
    faults: HashMap<ObjectPath, FileFault>,
}

/// Remembers which rows there are.
#[derive(Default)]
struct Rows(HashMap<String, SeenDigest>);

impl ScanVisitor for Rows {
    fn record(&mut self, _: RecordHead<'_>) {}

    fn row(&mut self, key: &str, seen: SeenDigest) {
        self.0.insert(key.to_owned(), seen);
    }
}

/// Takes the paths of published files.
struct Paths<'p>(&'p mut HashSet<String>);

impl ScanVisitor for Paths<'_> {
    fn record(&mut self, head: RecordHead<'_>) {
        self.0.extend(head.objects().map(|(_, path)| path.to_owned()));
    }

    fn row(&mut self, _: &str, _: SeenDigest) {}
}

/// Looks at every declared asset and tells what is wrong.
pub async fn run(args: &Args, global: &Global, output: &Output) -> Result<u8, Failure> {
    let environment = context::environment(global, output)?;
    let loaded = engine::load_manifests(&args.manifests.manifests, &environment, output)?;
    if loaded.declared.is_empty() && loaded.broken > 0 {
        return Err(Failure::broken(loaded.broken));
    }
    let world = environment.open(Access::Read).await?;
    engine::check_selection(&world, &loaded, &args.selection.selection()).await?;
    let listing = world.list(&[String::new()]).await?;
    let mut findings = Vec::new();
    let mut checked = 0;
    // One published file that is as it was put: what its visitors get is another question.
    let mut visited = None;
    let mut looked = Vec::new();
    let prices = environment.prices();
    for declared in &loaded.declared {
        let price = |asset: &str| prices.get(asset).copied().unwrap_or(MicroUsd(0));
        let (count, of) =
            collection(&world, (declared, &price), &listing, args, (&mut findings, output, &mut visited)).await?;
        checked += count;
        looked.push(of);
    }
    let seen = match visited.filter(|_| engine::has_public_address(&world)) {
        Some(file) => engine::visit_file(&world, &file, output).await,
        None => VisitorCheck::Well,
    };
    let leftovers = leftovers(&world, &listing).await?;
    tell(output, (checked, seen), &findings, &leftovers);
    let remembered = remember(&environment, &looked, output).await;
    match (loaded.broken, findings.is_empty()) {
        (0, true) => Ok(0),
        (0, false) => {
            output.next(if remembered == Remembered::Nothing && args.deep {
                "pixform plan --deep"
            } else {
                "pixform plan"
            });
            Ok(2)
        }
        (count, _) => Err(Failure::broken(count)),
    }
}

/// Whether the next plan knows of what was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Remembered {
    Everything,
    Nothing,
}

/// Keeps what was found for the next plan, and forgets what is well, where the role of the state may write.
async fn remember(environment: &Environment, looked: &[Looked<'_>], output: &Output) -> Remembered {
    if looked.iter().all(|looked| looked.found.is_empty() && looked.well.is_empty()) {
        return Remembered::Everything;
    }
    let kept = async {
        let state = crate::state::open(environment.settings.state.expose(), Access::Write).await?;
        for Looked { name, found, well } in looked {
            if !found.is_empty() || !well.is_empty() {
                state.note_damages(name, found, well).await?;
            }
        }
        Ok::<_, Failure>(())
    };
    let Err(failure) = kept.await else { return Remembered::Everything };
    let reason = chain(&failure);
    output.talk(&format!(
        "note: nothing of this is remembered for the next plan ({}): `pixform plan --deep` finds it again, and `pixform apply \
         --deep` repairs it",
        terminal(&reason)
    ));
    Remembered::Nothing
}

fn tell(output: &Output, (checked, seen): (usize, VisitorCheck), findings: &[Finding], leftovers: &BTreeSet<&str>) {
    if output.is_json() {
        for Finding { key, what } in findings {
            output.diagnostic(Severity::Error, &format!("{key}: {what}"), None, None);
        }
    } else {
        let width = findings.iter().map(|finding| finding.key.len()).max().unwrap_or_default();
        let mut text = String::new();
        for Finding { key, what } in findings {
            text.push_str(&format!("  ! {key:<width$}   {}\n", terminal(what)));
        }
        let count = match checked {
            1 => "1 asset".to_owned(),
            count => format!("{count} assets"),
        };
        let wrong = findings.iter().map(|finding| &finding.key).collect::<BTreeSet<_>>().len();
        match wrong {
            0 if seen == VisitorCheck::Warned => {
                text.push_str(&format!(
                    "Checked {count}: rows and files are as they should be, but visitors do not get them.\n"
                ));
            }
            0 => text.push_str(&format!("Checked {count}: all is well.\n")),
            wrong => text.push_str(&format!("\nChecked {count}: something is wrong with {wrong}.\n")),
        }
        output.data(&text);
    }
    if !leftovers.is_empty() {
        let some: Vec<String> =
            leftovers.iter().take(EXAMPLES_MAX).map(|path| format!("`{}`", terminal(path))).collect();
        let more = if leftovers.len() > EXAMPLES_MAX { ", …" } else { "" };
        let files = if leftovers.len() == 1 { "file is" } else { "files are" };
        output.talk(&format!(
            "note: {} {files} in the storage that nothing knows, and that pixform leaves alone: {}{more}",
            leftovers.len(),
            some.join(", ")
        ));
    }
}

/// Checks one collection; returns how many assets that were, and what is to be remembered.
async fn collection<'d>(
    world: &World,
    (declared, price): (&'d DeclaredManifest, &dyn Fn(&str) -> MicroUsd),
    listing: &Listing,
    args: &Args,
    (findings, output, visited): (&mut Vec<Finding>, &Output, &mut Option<Published>),
) -> Result<(usize, Looked<'d>), Failure> {
    let DeclaredManifest { manifest, heads } = declared;
    let selection = args.selection.selection();
    let mut looked = Looked { name: &manifest.name, found: Vec::new(), well: Vec::new() };
    let mut seen_keys = HashSet::new();
    let before = world.state.damages(&manifest.name).await?;
    let reading = ReadCount::new(output);
    let mut rows = Rows::default();
    let seen = world.state.scan(&manifest.name, manifest.table(), &mut rows).await?;
    if let TableSeen::Unfit(problems) = &seen {
        let key = manifest.table().map(|table| table.name.to_string()).unwrap_or_default();
        findings.extend(problems.iter().map(|problem| Finding {
            key: format!("table {key}"),
            what: format!("{}: {}", problem.message, problem.mend),
        }));
    }
    let mut checked = 0;
    for (chunk, part) in heads.all().chunks(CHUNK).enumerate() {
        let keys: Vec<AssetKey> = part
            .iter()
            .enumerate()
            .filter(|(number, head)| {
                selection.is_all() || {
                    let asset = manifest.asset(chunk * CHUNK + number);
                    selection.takes(&manifest.name, head.key.as_str(), &asset.labels)
                }
            })
            .map(|(_, head)| head.key.clone())
            .collect();
        checked += keys.len();
        let records = world.state.records(&manifest.name, &keys).await?;
        let faults = match args.deep {
            true => {
                let read = || reading.read();
                planner::damaged(&*world.state, &*world.storage, (&manifest.name, &keys), &read).await?
            }
            false => Vec::new(),
        };
        let files = Files { listing, faults: faults.iter().map(|(at, fault)| (at.path.clone(), *fault)).collect() };
        looked.found.extend(faults.into_iter().map(|(damage, _)| damage));
        seen_keys.extend(keys.iter().cloned());
        let records: HashMap<&AssetKey, &Record> = records.iter().map(|record| (&record.key, record)).collect();
        let contents: Vec<ContentDigest> = records.values().map(|record| record.original).collect();
        let originals = world.state.originals_by_content(&contents).await?;
        let differing = records.values().filter(|record| row_fault(record, &rows, &seen) == RowFault::Differs);
        let differing: Vec<AssetKey> = differing.map(|record| record.key.clone()).collect();
        let there: HashMap<AssetKey, RowSeen> = match manifest.table() {
            Some(table) if !differing.is_empty() => {
                let rows = world.state.rows(table, &differing).await?;
                rows.into_iter().map(|row| (row.key.clone(), row)).collect()
            }
            Some(_) | None => HashMap::new(),
        };
        for key in &keys {
            let name = format!("{}:{key}", manifest.name);
            let Some(record) = records.get(key) else {
                findings.push(Finding { key: name, what: "not published: there is no record of it".to_owned() });
                continue;
            };
            let mut wrong = Vec::new();
            match row_fault(record, &rows, &seen) {
                RowFault::None => {}
                RowFault::Gone => wrong.push("the row is gone".to_owned()),
                RowFault::Differs => match (heads.find(key.as_str()), manifest.table()) {
                    (Some(at), Some(table)) => {
                        let asset = settle_seed(manifest.asset(at), Some(record));
                        let state = row_state(&asset, record, table, there.get(key), &world.url_base);
                        wrong.extend(drift(&state));
                    }
                    (_, _) => wrong.push("the row was edited by hand".to_owned()),
                },
            }
            objects(world, record, &files, &mut wrong).await;
            if visited.is_none() && wrong.is_empty() {
                *visited = record.published.first().cloned();
            }
            // Several recipes may have made the same bytes: one whole file of them is enough.
            let of = originals.iter().filter(|original| original.sha256 == record.original);
            let faults: Vec<(&Original, String)> =
                of.clone().filter_map(|original| Some((original, original_fault(original, &files)?))).collect();
            match faults.first() {
                None if of.clone().count() == 0 => wrong.push("no original is remembered".to_owned()),
                Some((original, fault)) if faults.len() == of.count() => {
                    let generator = heads.find(key.as_str()).map(|at| manifest.asset(at).generator);
                    let price = generator.map_or(MicroUsd(0), |generator| price(generator.as_str()));
                    wrong.push(format!(
                        "the original `{}` {fault}: put it back from a backup (SHA-256 {}); what is published of it stays. \
                         Without a backup the next picture costs ${price}, when a change needs it",
                        original.path,
                        original.sha256.hex()
                    ));
                    let (path, sha256) = (original.path.clone(), original.sha256);
                    looked.found.push(Damage { key: key.clone(), path, sha256 });
                }
                _ => {}
            }
            findings.extend(wrong.into_iter().map(|what| Finding { key: name.clone(), what }));
        }
    }
    // Without `--deep` only what is there is known, and not whether it is well.
    let is_well = |damage: &Damage| {
        args.deep && seen_keys.contains(&damage.key) && !looked.found.iter().any(|found| found.path == damage.path)
    };
    looked.well = before.into_iter().filter(is_well).collect();
    looked.found.sort_unstable();
    looked.found.dedup();
    Ok((checked, looked))
}

/// Says what is wrong with an original.
fn original_fault(original: &Original, files: &Files<'_>) -> Option<String> {
    match (files.listing.size(original.path.as_str()), files.faults.get(&original.path)) {
        (None, _) | (_, Some(FileFault::Gone)) => Some("is gone".to_owned()),
        (Some(size), _) if size != original.bytes => {
            Some(format!("is damaged, it has {size} bytes, {} were stored", original.bytes))
        }
        (Some(_), Some(FileFault::OtherBytes)) => Some("is damaged".to_owned()),
        (Some(_), None) => None,
    }
}

/// How a row stands at first sight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RowFault {
    None,
    Gone,
    Differs,
}

fn row_fault(record: &Record, rows: &Rows, seen: &TableSeen) -> RowFault {
    let Some(row) = &record.row else { return RowFault::None };
    match (rows.0.get(record.key.as_str()), seen) {
        (_, TableSeen::Unfit(_)) => RowFault::None,
        (None, _) => RowFault::Gone,
        (Some(found), _) if *found != row.seen => RowFault::Differs,
        (Some(_), _) => RowFault::None,
    }
}

/// Says what became of a row that is not as it was written.
fn drift(state: &RowState) -> Option<String> {
    let RowState::Edited(edits) = state else { return None };
    let names = |wanted: Edited| {
        let names = edits.iter().filter(|edit| edit.edited == wanted).map(|edit| edit.column.as_str());
        names.collect::<Vec<_>>().join(", ")
    };
    let told = [
        ("the row points elsewhere: ", names(Edited::Pointer)),
        ("the row was edited by hand: ", names(Edited::Value)),
    ];
    let told: Vec<String> =
        told.into_iter().filter(|(_, names)| !names.is_empty()).map(|(what, names)| format!("{what}{names}")).collect();
    Some(told.join("; "))
}

async fn objects(world: &World, record: &Record, files: &Files<'_>, wrong: &mut Vec<String>) {
    for file in &record.published {
        let name = &file.rendition.name;
        match (files.listing.size(file.path.as_str()), files.faults.get(&file.path)) {
            // A listing may lag behind; the store itself is asked before a file is called gone.
            (None, _) => match world.storage.size(&file.path).await {
                Ok(Some(size)) if size == file.bytes => {}
                Ok(_) => wrong.push(format!("the file of `{name}` is gone: {}", file.path)),
                Err(error) => wrong.push(chain(&error)),
            },
            (Some(size), _) if size != file.bytes => {
                wrong.push(format!(
                    "the file of `{name}` has {size} bytes, {} were published: {}",
                    file.bytes, file.path
                ));
            }
            (Some(_), Some(_)) => {
                wrong.push(format!("the file of `{name}` holds other bytes than were published: {}", file.path));
            }
            (Some(_), None) => {}
        }
    }
}

/// Finds files in the folders that pixform writes to which nothing remembers.
async fn leftovers<'l>(world: &World, listing: &'l Listing) -> Result<BTreeSet<&'l str>, Failure> {
    let mut known: HashSet<String> = world.state.paths().await?.into_iter().collect();
    // Files that were adopted are nobody's but the product's, and no leftovers.
    let mut published = Paths(&mut known);
    for collection in world.state.known().await?.collections {
        world.state.scan(&collection.name, None, &mut published).await?;
    }
    let unknown = listing.all().map(|(path, _)| path).filter(|path| *path != MARKER_PATH && !known.contains(*path));
    Ok(unknown.collect())
}

//! The check: looks at every published picture of some manifests, and finds what is wrong.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::asset::{AssetKey, Assets, CollectionName, MicroUsd, ObjectPath};
use crate::digest::{ContentDigest, SeenDigest};
use crate::plan::{Edited, RowState, settle_seed};
use crate::planner::{self, DeclaredManifest, Selection, row_state};
use crate::record::{Original, Published, Record, RecordHead};
use crate::secret::chain;
use crate::state::{Access, Damage, RowSeen, ScanVisitor, TableSeen};
use crate::storage::{FileFault, MARKER_PATH};
use crate::world::{Listing, World};

use super::environment::Environment;
use super::idle_patterns::check_selection;
use super::manifest_files::LoadedManifests;
use super::prepare::BytesRead;
use super::read_count::ReadCount;
use super::visitor_check::{VisitorCheck, has_public_address, visit_file};
use super::{EngineError, EngineListener};

/// Assets that are read at a time.
const CHUNK: usize = 1_000;

/// What is checked, and how closely.
#[derive(Debug, Clone)]
pub struct CheckOptions {
    /// Which assets are meant.
    pub selection: Selection,
    /// Which bytes are read.
    pub bytes_read: BytesRead,
}

/// What a check found.
#[derive(Debug)]
pub struct Checked {
    /// How many assets were looked at.
    pub count: usize,
    /// What is wrong, one thing each.
    pub findings: Vec<Finding>,
    /// Whether visitors get what is published.
    pub visitors: VisitorCheck,
    /// Files of the storage that nothing knows.
    pub leftovers: BTreeSet<String>,
    /// Why the next plan knows nothing of it, where it does not.
    pub forgotten: Option<EngineError>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The asset, with its collection's name; or the table.
    pub key: String,
    /// What is wrong with it.
    pub what: String,
}

/// What was found of one collection's files.
struct CheckedFiles<'c> {
    name: &'c CollectionName,
    /// What is to be remembered.
    found: Vec<Damage>,
    /// What is well, though it was remembered.
    well: Vec<Damage>,
}

/// What the files of one collection are compared with.
struct FoundFiles<'f> {
    listing: &'f Listing,
    /// Files whose bytes were read and are not as they should be.
    faults: HashMap<ObjectPath, FileFault>,
}

/// A check that is under way.
struct Check<'c> {
    world: &'c World,
    listing: &'c Listing,
    options: &'c CheckOptions,
    prices: BTreeMap<String, MicroUsd>,
    listener: &'c dyn EngineListener,
    count: usize,
    findings: Vec<Finding>,
    /// One published file that is as it was put: what its visitors get is another question.
    visited: Option<Published>,
}

/// Remembers which rows there are.
#[derive(Default)]
struct SeenRows(HashMap<String, SeenDigest>);

impl ScanVisitor for SeenRows {
    fn record(&mut self, _: RecordHead<'_>) {}

    fn row(&mut self, key: &str, seen: SeenDigest) {
        self.0.insert(key.to_owned(), seen);
    }
}

/// Takes the paths of published files.
struct KnownPaths<'p>(&'p mut HashSet<String>);

impl ScanVisitor for KnownPaths<'_> {
    fn record(&mut self, head: RecordHead<'_>) {
        self.0.extend(head.objects().map(|(_, path)| path.to_owned()));
    }

    fn row(&mut self, _: &str, _: SeenDigest) {}
}

/// Looks at every declared asset and finds what is wrong.
///
/// # Errors
/// When state or storage cannot be read, or a pattern of the selection matches nothing.
pub async fn check(
    environment: &Environment,
    loaded: &LoadedManifests,
    options: &CheckOptions,
    listener: &dyn EngineListener,
) -> Result<Checked, EngineError> {
    let world = &environment.open(Access::Read).await?;
    check_selection(world, loaded, &options.selection).await?;
    let listing = &world.list(&[String::new()]).await?;
    let prices = environment.prices();
    let (count, findings, visited) = (0, Vec::new(), None);
    let mut check = Check { world, listing, options, prices, listener, count, findings, visited };
    let mut checked_files = Vec::new();
    for declared in &loaded.declared {
        checked_files.push(check.collection(declared).await?);
    }
    let Check { count, findings, visited, .. } = check;
    let visitors = match visited.filter(|_| has_public_address(world)) {
        Some(file) => visit_file(world, &file, listener).await,
        None => VisitorCheck::Well,
    };
    let leftovers = leftovers(world, listing).await?;
    let forgotten = remember(environment, &checked_files).await.err();
    Ok(Checked { count, findings, visitors, leftovers, forgotten })
}

/// Keeps what was found for the next plan, and forgets what is well, where the role of the state may write.
async fn remember(environment: &Environment, checked: &[CheckedFiles<'_>]) -> Result<(), EngineError> {
    if checked.iter().all(|checked| checked.found.is_empty() && checked.well.is_empty()) {
        return Ok(());
    }
    let state = crate::state::open(environment.settings.state.expose(), Access::Write).await?;
    for CheckedFiles { name, found, well } in checked {
        if !found.is_empty() || !well.is_empty() {
            state.note_damages(name, found, well).await?;
        }
    }
    Ok(())
}

impl<'c> Check<'c> {
    /// Checks one collection; returns what is to be remembered.
    async fn collection(&mut self, declared: &'c DeclaredManifest) -> Result<CheckedFiles<'c>, EngineError> {
        let DeclaredManifest { manifest, heads } = declared;
        let world = self.world;
        let mut checked = CheckedFiles { name: &manifest.name, found: Vec::new(), well: Vec::new() };
        let mut seen_keys = HashSet::new();
        let before = world.state.damages(&manifest.name).await?;
        let reading = ReadCount::new(self.listener);
        let mut rows = SeenRows::default();
        let seen = world.state.scan(&manifest.name, manifest.table(), &mut rows).await?;
        if let TableSeen::Unfit(problems) = &seen {
            let key = manifest.table().map(|table| table.name.to_string()).unwrap_or_default();
            self.findings.extend(problems.iter().map(|problem| Finding {
                key: format!("table {key}"),
                what: format!("{}: {}", problem.message, problem.mend),
            }));
        }
        for (chunk, part) in heads.all().chunks(CHUNK).enumerate() {
            let numbered = part.iter().enumerate();
            let meant = numbered.filter(|(number, head)| {
                self.options.selection.is_all() || {
                    let asset = manifest.asset(chunk * CHUNK + number);
                    self.options.selection.takes(&manifest.name, head.key.as_str(), &asset.labels)
                }
            });
            let keys: Vec<AssetKey> = meant.map(|(_, head)| head.key.clone()).collect();
            self.count += keys.len();
            let faults = match self.options.bytes_read {
                BytesRead::All => {
                    let read = || reading.read();
                    planner::damaged(&*world.state, &*world.storage, (&manifest.name, &keys), &read).await?
                }
                BytesRead::AsNeeded => Vec::new(),
            };
            let files = FoundFiles {
                listing: self.listing,
                faults: faults.iter().map(|(at, fault)| (at.path.clone(), *fault)).collect(),
            };
            checked.found.extend(faults.into_iter().map(|(damage, _)| damage));
            seen_keys.extend(keys.iter().cloned());
            let compared = AssetsToCheck { declared, keys: &keys, rows: &rows, seen: &seen, files: &files };
            checked.found.extend(self.assets(compared).await?);
        }
        // Where no bytes are read only what is there is known, and not whether it is well.
        let is_well = |damage: &Damage| {
            self.options.bytes_read == BytesRead::All
                && seen_keys.contains(&damage.key)
                && !checked.found.iter().any(|found| found.path == damage.path)
        };
        checked.well = before.into_iter().filter(is_well).collect();
        checked.found.sort_unstable();
        checked.found.dedup();
        Ok(checked)
    }

    /// Checks some assets of a collection; returns the originals that are damaged.
    async fn assets(&mut self, compared: AssetsToCheck<'_>) -> Result<Vec<Damage>, EngineError> {
        let AssetsToCheck { declared: DeclaredManifest { manifest, heads }, keys, rows, seen, files } = compared;
        let world = self.world;
        let mut damages = Vec::new();
        let records = world.state.records(&manifest.name, keys).await?;
        let records: HashMap<&AssetKey, &Record> = records.iter().map(|record| (&record.key, record)).collect();
        let contents: Vec<ContentDigest> = records.values().map(|record| record.original).collect();
        let originals = world.state.originals_by_content(&contents).await?;
        let differing = records.values().filter(|record| row_fault(record, rows, seen) == RowSight::Differs);
        let differing: Vec<AssetKey> = differing.map(|record| record.key.clone()).collect();
        let there: HashMap<AssetKey, RowSeen> = match manifest.table() {
            Some(table) if !differing.is_empty() => {
                let rows = world.state.rows(table, &differing).await?;
                rows.into_iter().map(|row| (row.key.clone(), row)).collect()
            }
            Some(_) | None => HashMap::new(),
        };
        for key in keys {
            let name = format!("{}:{key}", manifest.name);
            let Some(record) = records.get(key) else {
                self.findings.push(Finding { key: name, what: "not published: there is no record of it".to_owned() });
                continue;
            };
            let mut wrong = Vec::new();
            match row_fault(record, rows, seen) {
                RowSight::None => {}
                RowSight::Gone => wrong.push("the row is gone".to_owned()),
                RowSight::Differs => match (heads.find(key.as_str()), manifest.table()) {
                    (Some(at), Some(table)) => {
                        let asset = settle_seed(manifest.asset(at), Some(record));
                        let state = row_state(&asset, record, table, there.get(key), &world.url_base);
                        wrong.extend(drift(&state));
                    }
                    (_, _) => wrong.push("the row was edited by hand".to_owned()),
                },
            }
            check_objects(world, record, files, &mut wrong).await;
            if self.visited.is_none() && wrong.is_empty() {
                self.visited = record.published.first().cloned();
            }
            // Several recipes may have made the same bytes: one whole file of them is enough.
            let of = originals.iter().filter(|original| original.sha256 == record.original);
            let faults: Vec<(&Original, String)> =
                of.clone().filter_map(|original| Some((original, original_fault(original, files)?))).collect();
            match faults.first() {
                None if of.clone().count() == 0 => wrong.push("no original is remembered".to_owned()),
                Some((original, fault)) if faults.len() == of.count() => {
                    let generator = heads.find(key.as_str()).map(|at| manifest.asset(at).generator);
                    let price = generator.and_then(|generator| self.prices.get(generator.as_str()).copied());
                    let price = price.unwrap_or(MicroUsd(0));
                    wrong.push(format!(
                        "the original `{}` {fault}: put it back from a backup (SHA-256 {}); what is published of it stays. \
                         Without a backup the next picture costs ${price}, when a change needs it",
                        original.path,
                        original.sha256.hex()
                    ));
                    let (path, sha256) = (original.path.clone(), original.sha256);
                    damages.push(Damage { key: key.clone(), path, sha256 });
                }
                _ => {}
            }
            self.findings.extend(wrong.into_iter().map(|what| Finding { key: name.clone(), what }));
        }
        Ok(damages)
    }
}

/// Assets of one collection with what they are compared with.
struct AssetsToCheck<'a> {
    declared: &'a DeclaredManifest,
    keys: &'a [AssetKey],
    rows: &'a SeenRows,
    seen: &'a TableSeen,
    files: &'a FoundFiles<'a>,
}

/// Says what is wrong with an original.
fn original_fault(original: &Original, files: &FoundFiles<'_>) -> Option<String> {
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
enum RowSight {
    None,
    Gone,
    Differs,
}

fn row_fault(record: &Record, rows: &SeenRows, seen: &TableSeen) -> RowSight {
    let Some(row) = &record.row else { return RowSight::None };
    match (rows.0.get(record.key.as_str()), seen) {
        (_, TableSeen::Unfit(_)) => RowSight::None,
        (None, _) => RowSight::Gone,
        (Some(found), _) if *found != row.seen => RowSight::Differs,
        (Some(_), _) => RowSight::None,
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

/// Adds what is wrong with the published files of an asset.
async fn check_objects(world: &World, record: &Record, files: &FoundFiles<'_>, wrong: &mut Vec<String>) {
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
async fn leftovers(world: &World, listing: &Listing) -> Result<BTreeSet<String>, EngineError> {
    let mut known: HashSet<String> = world.state.paths().await?.into_iter().collect();
    // Files that were adopted are nobody's but the product's, and no leftovers.
    let mut published = KnownPaths(&mut known);
    for collection in world.state.known().await?.collections {
        world.state.scan(&collection.name, None, &mut published).await?;
    }
    let unknown = listing.all().map(|(path, _)| path).filter(|path| *path != MARKER_PATH && !known.contains(*path));
    Ok(unknown.map(str::to_owned).collect())
}

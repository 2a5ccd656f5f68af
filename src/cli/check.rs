//! `pixform check`

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::asset::{AssetKey, Assets};
use crate::digest::{ContentDigest, SeenDigest};
use crate::imaging::{BYTES_MAX, Decoded};
use crate::plan::{Edited, RowState, settle_seed};
use crate::planner::{Declared, row_state};
use crate::record::{Record, RecordHead};
use crate::render::{Severity, terminal};
use crate::state::{Access, RowSeen, TableSeen, Visitor};
use crate::storage::MARKER_PATH;
use crate::world::{Listing, World};

use super::{Failure, Global, ManifestArgs, Output, SelectionArgs, context, output::with_sources, selected};

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
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

/// Remembers which rows there are.
#[derive(Default)]
struct Rows(HashMap<String, SeenDigest>);

impl Visitor for Rows {
    fn record(&mut self, _: RecordHead<'_>) {}

    fn row(&mut self, key: &str, seen: SeenDigest) {
        self.0.insert(key.to_owned(), seen);
    }
}

/// Takes the paths of published files.
struct Published<'p>(&'p mut HashSet<String>);

impl Visitor for Published<'_> {
    fn record(&mut self, head: RecordHead<'_>) {
        self.0.extend(head.objects().map(|(_, path)| path.to_owned()));
    }

    fn row(&mut self, _: &str, _: SeenDigest) {}
}

/// Looks at every declared asset and tells what is wrong.
pub async fn run(args: &CheckArgs, global: &Global, output: &Output) -> Result<u8, Failure> {
    let settings = context::settings(global, output)?;
    let loaded = context::manifests(&args.manifests, &settings, output)?;
    if loaded.declared.is_empty() && loaded.broken > 0 {
        return Err(Failure::Told { count: loaded.broken });
    }
    let world = context::world(&settings, Access::Read).await?;
    selected::check(&world, &loaded, &args.selection.selection()).await?;
    let listing = world.list(&[String::new()]).await?;
    let mut findings = Vec::new();
    let mut checked = 0;
    for declared in &loaded.declared {
        checked += collection(&world, declared, &listing, args, &mut findings).await?;
    }
    let leftovers = leftovers(&world, &listing).await?;
    tell(output, checked, &findings, &leftovers);
    match (loaded.broken, findings.is_empty()) {
        (0, true) => Ok(0),
        (0, false) => {
            output.next("pixform plan");
            Ok(2)
        }
        (count, _) => Err(Failure::Told { count }),
    }
}

fn tell(output: &Output, checked: usize, findings: &[Finding], leftovers: &BTreeSet<&str>) {
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
            "note: {} {files} in the storage that nothing knows, left over by a killed run perhaps: {}{more}",
            leftovers.len(),
            some.join(", ")
        ));
    }
}

/// Checks one collection; returns how many assets that were.
async fn collection(
    world: &World,
    declared: &Declared,
    listing: &Listing,
    args: &CheckArgs,
    findings: &mut Vec<Finding>,
) -> Result<usize, Failure> {
    let Declared { manifest, heads } = declared;
    let selection = args.selection.selection();
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
            objects(world, record, listing, args, &mut wrong).await;
            let original = originals.iter().find(|original| original.sha256 == record.original);
            match original.map(|original| (original, listing.size(original.path.as_str()))) {
                Some((original, Some(size))) if size == original.bytes => {
                    if args.deep {
                        wrong.extend(damaged(world, original.path.as_str(), original.sha256).await);
                    }
                }
                Some((original, Some(size))) => {
                    wrong.push(format!(
                        "the original `{}` has {size} bytes, {} were stored",
                        original.path, original.bytes
                    ));
                }
                Some((original, None)) => wrong.push(format!("the original `{}` is gone", original.path)),
                None => wrong.push("no original is remembered".to_owned()),
            }
            findings.extend(wrong.into_iter().map(|what| Finding { key: name.clone(), what }));
        }
    }
    Ok(checked)
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

async fn objects(world: &World, record: &Record, listing: &Listing, args: &CheckArgs, wrong: &mut Vec<String>) {
    for file in &record.published {
        let name = &file.rendition.name;
        match listing.size(file.path.as_str()) {
            // A listing may lag behind; the store itself is asked before a file is called gone.
            None => match world.storage.size(&file.path).await {
                Ok(Some(size)) if size == file.bytes => {}
                Ok(_) => wrong.push(format!("the file of `{name}` is gone: {}", file.path)),
                Err(error) => wrong.push(with_sources(&error)),
            },
            Some(size) if size != file.bytes => {
                wrong.push(format!(
                    "the file of `{name}` has {size} bytes, {} were published: {}",
                    file.bytes, file.path
                ));
            }
            Some(_) if args.deep => match world.storage.get(&file.path, file.bytes).await {
                Ok(bytes) if ContentDigest::of(&bytes) == file.sha256 => {}
                Ok(_) => {
                    wrong.push(format!("the file of `{name}` holds other bytes than were published: {}", file.path))
                }
                Err(error) => wrong.push(with_sources(&error)),
            },
            Some(_) => {}
        }
    }
}

/// Reads an original, compares its bytes and decodes it.
async fn damaged(world: &World, path: &str, sha256: ContentDigest) -> Option<String> {
    let object = path.parse().ok()?;
    match world.storage.get(&object, BYTES_MAX).await {
        Err(error) => Some(with_sources(&error)),
        Ok(bytes) if ContentDigest::of(&bytes) != sha256 => Some(format!("the original `{path}` is damaged")),
        Ok(bytes) => match tokio::task::spawn_blocking(move || Decoded::new(&bytes)).await {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(format!("the original `{path}` cannot be decoded: {}", with_sources(&error))),
            Err(_) => Some(format!("the original `{path}` could not be decoded")),
        },
    }
}

/// Finds files in the folders that pixform writes to which nothing remembers.
async fn leftovers<'l>(world: &World, listing: &'l Listing) -> Result<BTreeSet<&'l str>, Failure> {
    let mut known: HashSet<String> = world.state.paths().await?.into_iter().collect();
    // Files that were adopted are nobody's but the product's, and no leftovers.
    let mut published = Published(&mut known);
    for collection in world.state.known().await?.collections {
        world.state.scan(&collection.name, None, &mut published).await?;
    }
    let unknown = listing.all().map(|(path, _)| path).filter(|path| *path != MARKER_PATH && !known.contains(*path));
    Ok(unknown.collect())
}
